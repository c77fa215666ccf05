/** The judgements of the gate and the sums of the figures, on numbers that can be checked by hand. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const RUNNER = join(import.meta.dirname, '../../deploy/box/runner');

/** Evaluates an expression with the runner's modules at hand. */
function python(expression: string, data: unknown = null): unknown {
  const script = `
import json, sys
sys.path.insert(0, sys.argv[1])
import serving_gate as gate, serving_metrics as metrics, serving_prompts as prompts
data = json.loads(sys.argv[2])
def shown(value):
    return [value.lines, value.failure] if isinstance(value, gate.Verdict) else value
print(json.dumps(shown(${expression})))`;
  const argv = ['-c', script, RUNNER, JSON.stringify(data)];
  return JSON.parse(execFileSync('python3', argv, { encoding: 'utf8' }));
}

const answer = (values: unknown[]) => ({
  error: null,
  body: { choices: [{ text: 'x', logprobs: { token_logprobs: values } }] },
});
const broken = { error: 'the server answered 500', body: null };

describe('the compatible gate', () => {
  const judge = (records: unknown[], baseline: number, tolerance: number) =>
    python(`gate.compatible(data[0], data[1], data[2])`, [records, baseline, tolerance]) as [
      [string, string][],
      string | null,
    ];

  it('is exp of minus the sum over the tokens, and relative to the baseline both ways', () => {
    // exp((0.5 + 0.7 + 0.6) / 3) = exp(0.6)
    const records = [answer([-0.5, -0.7]), answer([-0.6])];
    const [lines, failure] = judge(records, 1.8, 0.02);
    expect(Object.fromEntries(lines)).toMatchObject({
      measured_perplexity: '1.822119',
      baseline_perplexity: '1.8',
      tolerance: '0.02',
      prompts: '2',
      prompt_errors: '0',
      tokens: '3',
      gate: 'The perplexity 1.822 is 1.23% above the baseline 1.8; 2.00% are allowed.',
    });
    expect(failure).toBeNull();
    expect(judge(records, 1.8, 0.012)[1]).toContain('1.23% above the baseline');
    expect(judge(records, 1.9, 0.02)[1]).toContain('4.10% below the baseline');
  });

  it('lets five of ten prompts fail, not six, and needs tokens', () => {
    const good = answer([-0.6]);
    const five = [...Array(5).fill(good), ...Array(5).fill(broken)];
    expect(judge(five, 1.82, 0.02)[1]).toBeNull();
    const six = [...Array(4).fill(good), ...Array(6).fill(broken)];
    expect(judge(six, 1.82, 0.02)[1]).toBe(
      '6 of 10 prompts were not answered. The first: the server answered 500',
    );
    expect(judge([answer([])], 1.82, 0.02)[1]).toContain('No answer holds log-probabilities');
  });

  it.each([[[5]], [['-0.6']], [[Number.MAX_VALUE]], [[true]], [[null, {}]]])(
    'takes %j for no log-probability',
    (values) => {
      expect(judge([answer(values)], 1.82, 0.02)[1]).toContain('No answer holds log-probabilities');
    },
  );
});

describe('the gate of the reference', () => {
  it('asks only where a word begins and the reference is sure of its own choice', () => {
    const body = {
      choices: [
        {
          logprobs: {
            tokens: [' a', 'b', ' c', ' \ufffd', ' d'],
            top_logprobs: [{ ' a': -0.1 }, { b: -0.1 }, { ' c': -0.2, ' x': -0.3 }, {}, { ' d': -0.1 }],
          },
        },
      ],
    };
    expect(python('[[place.text, place.top] for place in gate._places_of("p", data)]', body)).toEqual([
      ['p', { ' a': -0.1 }],
      ['p ab', { ' c': -0.2, ' x': -0.3 }],
    ]);
  });

  it('weighs each choice by what the reference finds of it', () => {
    const places = 'gate.Place("t", {" a": -0.1, " b": -0.5})';
    const judged = (text: string) =>
      python(`gate.forced([${places}] * 2, data, 0.02)`, [
        { error: null, body: { choices: [{ text: ' a' }] } },
        { error: null, body: { choices: [{ text }] } },
      ]) as [[string, string][], string | null];
    expect(Object.fromEntries(judged(' a')[0])).toMatchObject({
      forced_perplexity: '1.105171',
      reference_perplexity: '1.105171',
      forced_agreement: '1.0',
    });
    // A lost blank is the same word; the second likeliest costs 0.2 nats on average, an unknown one 1.2.
    expect(judged('a')[1]).toBeNull();
    expect(judged(' b')[1]).toContain('22.14% above');
    expect(judged('')[1]).toContain('232.01% above');
  });

  it('reads given text from its end, all of it but half characters', () => {
    const body = {
      usage: { completion_tokens: 1 },
      choices: [
        {
          logprobs: {
            tokens: ['<s>', 'pro', 'mpt', ' one', ' two', ' next'],
            token_logprobs: [null, -9, -9, -0.5, -3, -1],
            top_logprobs: [null, { x: -1 }, { x: -1 }, { ' one': -0.5 }, { ' b': -1 }, { y: 0 }],
          },
        },
      ],
    };
    expect(python('gate.regrets(" one two", data)', body)).toEqual([2, 0]);
    const [choice] = body.choices;
    const halved = {
      ...body,
      choices: [
        { logprobs: { ...choice?.logprobs, tokens: ['<s>', 'pro', 'mpt', ' one', ' \ufffd', ' next'] } },
      ],
    };
    expect(python('gate.regrets(" one \\ufffd", data)', halved)).toEqual([0]);
  });

  it.each([
    ['a character of three tokens', ' a 🙂 b', ['mpt', ' a', ' ', '\ufffd', '\ufffd', '\ufffd', ' b'], 6],
    ['words without their blanks', ' one two', ['mpt', 'one', 'two'], 2],
    ['a first token that is half the prompt’s', 's one', ['prompts', ' one'], 1],
    ['another text than was written', ' one two', ['mpt', ' red', ' blue'], 0],
  ])('finds the tokens of %s', (_, text, tokens, count) => {
    const shown = ['pro', 'x', ...tokens, ' next'];
    const logprobs = {
      tokens: shown,
      token_logprobs: shown.map(() => -1),
      top_logprobs: shown.map((token, index) => ({ [token]: index < 2 ? 9 : -1 })),
    };
    const body = { usage: { completion_tokens: 1 }, choices: [{ logprobs }] };
    expect(python('gate.regrets(data[0], data[1])', [text, body])).toEqual(Array(count).fill(0));
  });

  it('forgives one odd answer of many, and not two', () => {
    const judged = (odd: number) =>
      python('gate.audit("shape 0", data, 64, 0.02)', [
        ...Array(16 - odd).fill([0, 0, 0, 0]),
        ...Array(odd).fill([5, 5, 5, 5]),
      ]) as [unknown, string | null];
    expect(judged(1)[1]).toBeNull();
    expect(judged(2)[1]).toContain('39.56% above');
  });

  it('passes nothing of which it can read too little', () => {
    const judged = (unread: number) =>
      (
        python('gate.audit("shape 0", data, 80, 0.02)', [
          ...Array(20 - unread).fill([0, 0, 0, 0]),
          ...Array(unread).fill([]),
        ]) as [unknown, string | null]
      )[1];
    expect(judged(2)).toBeNull();
    expect(judged(3)).toBe(
      'Of 20 answers of shape 0 the pristine engine can read 68 tokens, 80 were asked for.',
    );
  });

  it('counts the tokens of every answer', () => {
    const judged = (counts: number[]) =>
      (python('gate.counts(data, 100)', counts) as [unknown, string | null])[1];
    expect(judged(Array(100).fill(100))).toBeNull();
    expect(judged([...Array(98).fill(100), 60, 60])).toBeNull();
    expect(judged(Array(100).fill(97))).toContain('hold 9700 tokens');
    expect(judged([...Array(97).fill(100), 89, 89, 89])).toContain('3 of 100 answers are too short');
  });
});

describe('the figures', () => {
  const record = (sent: number, first: number, gaps: number[], tokens = 3) => ({
    error: null,
    sent_s: sent,
    first_s: first,
    last_s: gaps.reduce((sum, gap) => sum + gap, first),
    gaps_s: gaps,
    chunks: gaps.length + 1,
    text: 'some text',
    usage: { prompt_tokens: 999, completion_tokens: tokens },
  });
  const records = [record(0, 0.1, [0.02, 0.04]), record(0, 0.3, [0.02, 0.02])];

  it('are those of the definitions', () => {
    const found = python('metrics.measure(data, 0.5, 10, {"ttft": 200})', records) as Record<string, number>;
    const wanted = {
      completed: 2,
      duration: 0.5,
      total_input_tokens: 20,
      total_output_tokens: 6,
      request_throughput: 4,
      request_goodput: 2,
      output_throughput: 12,
      total_token_throughput: 52,
      mean_ttft_ms: 200,
      median_ttft_ms: 200,
      p99_ttft_ms: 298,
      mean_itl_ms: 25,
      median_itl_ms: 20,
      mean_tpot_ms: 25,
      mean_e2el_ms: 250,
      std_ttft_ms: 100,
    };
    for (const [name, value] of Object.entries(wanted)) expect(found[name], name).toBeCloseTo(value, 6);
  });

  it.each([
    ['an error', { ...record(0, 1, []), error: 'no' }, '1 of 1 requests failed. The first: no'],
    ['no text', { ...record(0, 1, []), first_s: null }, 'Some answers hold no text.'],
    ['too few tokens', record(0, 1, [], 2), '1 of 1 answers do not have the 3 tokens asked for; one has 2.'],
    [
      'too many tokens',
      record(0, 1, [], 30),
      '1 of 1 answers do not have the 3 tokens asked for; one has 30.',
    ],
    [
      'hardly a text',
      { ...record(0, 1, []), text: 'x' },
      'The answers hold far less text than 3 tokens have.',
    ],
    [
      'no word of the server, and few texts',
      { ...record(0, 1, []), usage: null },
      'do not have the 3 tokens',
    ],
  ])('do not count with %s', (_, one, sentence) => {
    expect(python('metrics.find_fault(data, 3)', [one])).toContain(sentence);
  });

  it('of the engine’s own client are taken only when all requests were answered', () => {
    const result = { completed: 5, failed: 0, request_throughput: 2.5, mean_ttft_ms: 3, label: null };
    expect(python('metrics.of_engine(data, 5)', result)).toEqual({
      completed: 5,
      failed: 0,
      request_throughput: 2.5,
      mean_ttft_ms: 3,
    });
    expect(python('metrics.of_engine(data, 5)', { ...result, failed: 1 })).toBeNull();
    expect(python('metrics.of_engine(data, 5)', { ...result, completed: 4 })).toBeNull();
    expect(python('metrics.of_engine(data, 5)', { ...result, request_throughput: 'fast' })).toBeNull();
  });
});

describe('secret prompts', () => {
  it('differ from stage to stage, with the same seed too, and have the asked number of words', () => {
    const [first, second, count] = python(
      '[prompts.words(prompts.SecretStream(7, "a"), 64), prompts.words(prompts.SecretStream(7, "a"), 64), len(prompts.words(prompts.SecretStream(7, "a"), 512).split())]',
    ) as [string, string, number];
    expect(first).not.toBe(second);
    expect(count).toBe(512);
  });

  it('are drawn evenly, and a sample has no number twice', () => {
    const [counts, sample] = python(
      '[[sum(x == n for x in drawn) for n in range(4)] for drawn in [[s.below(4) for _ in range(4000)] for s in [prompts.SecretStream(None, "x")]]] + [sorted(prompts.SecretStream(None, "x").sample(20, 20))]',
    ) as [number[], number[]];
    // Five standard deviations of a fair draw.
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(140);
    expect(sample).toEqual(Array.from({ length: 20 }, (_, n) => n));
  });
});
