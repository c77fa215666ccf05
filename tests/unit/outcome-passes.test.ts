/** Runs that claim to have passed are read strictly: a forged verdict looks like a pass. */
import { describe, expect, it } from 'vitest';
import { readOutcome } from '../../src/domain/outcome.ts';
import {
  jobResult,
  outcomeOf,
  outcomeOfJob,
  passedTests,
  stageReport,
  timedBenchmarks,
} from './stage-report.ts';

const benchmark = (changes: Record<string, string | null>) => {
  const values: Record<string, string | null> = {
    runs: '10',
    mean: '1000.5',
    std: '10.5',
    err: '3.3',
    best: '990',
    worst: '1100',
    ...changes,
  };
  const lines = Object.entries(values).flatMap(([key, value]) =>
    value === null ? [] : [`benchmark.0.${key}: ${value}`],
  );
  return ['benchmark-count: 1', 'benchmark.0.spec: size: 8; seed: 1', ...lines, 'check: pass'].join('\n');
};

describe('an honest pass', () => {
  it('of tests is passed, with each case and its spec', () => {
    const outcome = outcomeOf('test', passedTests(2));
    expect(outcome).toMatchObject({ passed: true, failure: null, cancelled: false });
    expect(outcome.stages[0]?.tests).toEqual([
      { spec: 'size: 1; seed: 5', passed: true, message: '' },
      { spec: 'size: 2; seed: 5', passed: true, message: '' },
    ]);
  });

  it.each(['benchmark', 'leaderboard'])('of mode %s is passed, with every time in nanoseconds', (mode) => {
    const outcome = outcomeOf(mode, benchmark({}));
    expect(outcome).toMatchObject({ passed: true, failure: null });
    expect(outcome.stages[0]?.benchmarks).toEqual([
      {
        spec: 'size: 8; seed: 1',
        runs: 10,
        meanNs: 1000.5,
        stdNs: 10.5,
        errNs: 3.3,
        bestNs: 990,
        worstNs: 1100,
      },
    ]);
  });

  it('of mode profile is passed, with its report decoded', () => {
    // Its base64 holds both characters beside letters and digits: + as it is, / written as *.
    const report = 'kernel ûÿ¿ >>> ??? ~~~ 12 µs\n';
    const encoded = Buffer.from(report).toString('base64');
    expect(encoded).toMatch(/\//);
    const outcome = outcomeOf(
      'profile',
      `benchmark-count: 1\nbenchmark.0.spec: size: 8\nbenchmark.0.report: ${encoded.replaceAll('/', '*')}\ncheck: pass`,
    );
    expect(outcome.passed).toBe(true);
    expect(outcome.stages[0]?.profiles).toEqual([{ spec: 'size: 8', report }]);
  });

  it('may end with exit code 112 as with 0', () => {
    expect(outcomeOf('test', passedTests(1), { exit_code: 112 }).passed).toBe(true);
  });

  it('of a harness without best and worst times is passed', () => {
    const outcome = outcomeOf('leaderboard', benchmark({ best: null, worst: null }));
    expect(outcome.passed).toBe(true);
    expect(outcome.stages[0]?.benchmarks[0]).toMatchObject({ meanNs: 1000.5, bestNs: null, worstNs: null });
  });

  it('may show a best time of zero, which a harness that subtracts its own overhead writes for a tiny case', () => {
    expect(outcomeOf('leaderboard', benchmark({ best: '0.0' })).passed).toBe(true);
  });

  it('over one run has a standard deviation that is not a number', () => {
    const text = benchmark({ runs: '1', std: 'nan', err: 'nan', best: '1000.5', worst: '1000.5' });
    expect(outcomeOf('benchmark', text).passed).toBe(true);
  });

  it('may bring keys of its own beside the known ones', () => {
    const text = `${benchmark({ fwd_bw: '812.5', speedup: '1.7', message: 'all good', status: 'pass' })}\nerror:`;
    expect(outcomeOf('benchmark', text)).toMatchObject({ passed: true, failure: null });
  });

  it('may round the mean of equal times', () => {
    const text = benchmark({ mean: '30.000000000000004', best: '30.000000000000005', worst: '30.0' });
    expect(outcomeOf('benchmark', text).passed).toBe(true);
  });

  it('of a whole ranked job is passed when all three stages are there', () => {
    const stages = [
      stageReport('test', passedTests(3)),
      stageReport('benchmark', timedBenchmarks([1000, 2000])),
      stageReport('leaderboard', timedBenchmarks([1000, 2000])),
    ];
    expect(outcomeOfJob(stages).passed).toBe(true);
    expect(outcomeOfJob(stages.slice(0, 2), {}, ['leaderboard'])).toMatchObject({
      passed: false,
      failure: null,
    });
  });
});

describe('a pass is held against what was sent', () => {
  const sent = ['size: 1; seed: 5', 'size: 2; seed: 5', 'size: 3; seed: 5'];
  const summaryOf = (mode: string, text: string, cases: string[], changes = {}) =>
    outcomeOf(mode, text, changes, cases).failure?.summary ?? 'passed';

  it('and passes with every case, in the words that were sent', () => {
    expect(summaryOf('test', passedTests(3), sent)).toBe('passed');
    expect(summaryOf('benchmark', timedBenchmarks([1e3, 2e3, 3e3]), sent)).toBe('passed');
    expect(summaryOf('test', passedTests(1), [' size: 1; seed: 5 '])).toBe('passed');
  });

  it('and need not repeat the cases', () => {
    const without = (text: string) => text.replaceAll(/.*\.spec: .*\n/g, '');
    expect(summaryOf('test', without(passedTests(3)), sent)).toBe('passed');
    expect(summaryOf('leaderboard', without(timedBenchmarks([1e3, 2e3, 3e3])), sent)).toBe('passed');
  });

  it.each([
    ['fewer tests', 'test', passedTests(2), 'test-count is 2, not 3'],
    ['one test', 'test', passedTests(1), 'test-count is 1, not 3'],
    ['more tests', 'test', passedTests(4), 'test-count is 4, not 3'],
    ['fewer benchmarks', 'benchmark', timedBenchmarks([1e3, 2e3]), 'benchmark-count is 2, not 3'],
    ['one benchmark', 'benchmark', timedBenchmarks([1e3]), 'benchmark-count is 1, not 3'],
    ['two ranked benchmarks', 'leaderboard', timedBenchmarks([1e3, 2e3]), 'benchmark-count is 2, not 3'],
    [
      'the first of the ranked ones',
      'leaderboard',
      timedBenchmarks([1e3]),
      'benchmark 0 is not the case that was',
    ],
    [
      'another test',
      'test',
      passedTests(3).replace('size: 2', 'size: 1'),
      'test 1 is not the case that was sent',
    ],
    [
      'another benchmark',
      'benchmark',
      timedBenchmarks([1e3, 2e3, 3e3]).replace('size: 3', 'size: 2'),
      'benchmark 2 is not the case that was sent',
    ],
    [
      'a seed that was combined with the secret one',
      'test',
      passedTests(3).replace('seed: 5', 'seed: 812345'),
      'test 0 is not the case that was sent',
    ],
    ['a gap', 'test', passedTests(3).replaceAll(/test\.1\..*\n/g, ''), 'test 1 is missing'],
  ])('and fails with %s', (_, mode, text, fault) => {
    expect(summaryOf(mode, text, sent)).toContain(fault);
  });

  it('and may have timed the last case alone in mode leaderboard', () => {
    const last = timedBenchmarks([1e3]).replace('size: 1', 'size: 3');
    expect(summaryOf('leaderboard', last, sent)).toBe('passed');
    expect(summaryOf('leaderboard', last.replace(/.*spec.*\n/, ''), sent)).toBe('passed');
    expect(summaryOf('benchmark', last, sent)).toContain('benchmark-count is 1, not 3');
  });

  it('and fails in a stage that was not asked for', () => {
    const report = stageReport('test', passedTests(1));
    const outcome = readOutcome(jobResult([report]), [{ name: 'benchmark', cases: 'size: 1; seed: 5\n' }]);
    expect(outcome.failure?.kind).toBe('malformed');
  });

  it('and its times are held against the clock of the box', () => {
    const text = timedBenchmarks([1e8, 2e8, 3e8]);
    expect(summaryOf('benchmark', text, sent, { duration_ms: 6000 })).toBe('passed');
    expect(summaryOf('benchmark', text, sent, { duration_ms: 5900 })).toContain(
      'its benchmarks sum up to 6.00 s, but it ran for 5.90 s',
    );
  });
});

describe('a claimed pass is malformed', () => {
  const kindOf = (mode: string, text: string, changes = {}) => outcomeOf(mode, text, changes).failure?.kind;

  it('with a key that comes twice, even with the same value', () => {
    expect(kindOf('test', `${passedTests(1)}\ncheck: pass`)).toBe('malformed');
    expect(kindOf('benchmark', `${benchmark({})}\nbenchmark.0.mean: 1`)).toBe('malformed');
  });

  it.each([
    ['a key of another mode', `${passedTests(1)}`.replace('check:', 'benchmark.0.mean: 5\ncheck:')],
    ['a key that nobody knows', passedTests(1).replace('check:', 'device: cuda\ncheck:')],
    [
      'a key from a message',
      passedTests(1).replace('check:', 'tensor([[1., 2.]], device="cuda:0"): 3\ncheck:'),
    ],
    ['a case before the count', `test.0.message: hello\n${passedTests(1)}`],
    ['a case behind a later one', passedTests(2).replace('check:', 'test.0.message: hello\ncheck:')],
    ['a case behind the verdict', `${passedTests(1)}\ntest.0.message: hello`],
  ])('with %s', (_, text) => {
    expect(kindOf('test', text)).toBe('malformed');
  });

  it('with a time that no function call takes', () => {
    expect(kindOf('leaderboard', benchmark({ mean: '9.99', best: '9', worst: '11' }))).toBe('malformed');
    expect(kindOf('leaderboard', benchmark({ mean: '1e-9', best: null, worst: null }))).toBe('malformed');
  });

  it('with an err that does not follow from its std', () => {
    for (const err of ['0', '10.5', '0.1']) expect(kindOf('benchmark', benchmark({ err }))).toBe('malformed');
    expect(kindOf('benchmark', benchmark({ std: '0', err: '0' }))).toBe(undefined);
  });

  it('with a line that is no key and value', () => {
    expect(kindOf('test', passedTests(1), { malformed_lines: 1 })).toBe('malformed');
  });

  it.each(['', 'three', '0', '-1', '1.5', 'nan', 'inf'])('with the count %j', (count) => {
    expect(kindOf('test', passedTests(1).replace('test-count: 1', `test-count: ${count}`))).toBe('malformed');
    expect(
      kindOf('benchmark', benchmark({}).replace('benchmark-count: 1', `benchmark-count: ${count}`)),
    ).toBe('malformed');
  });

  it('without a count', () => {
    expect(kindOf('test', 'test.0.status: pass\ncheck: pass')).toBe('malformed');
    expect(kindOf('test', 'check: pass')).toBe('malformed');
    expect(kindOf('profile', 'check: pass')).toBe('malformed');
  });

  it('with fewer or more cases than it counts', () => {
    expect(kindOf('test', passedTests(2).replace('test-count: 2', 'test-count: 3'))).toBe('malformed');
    expect(kindOf('test', passedTests(2).replace('test-count: 2', 'test-count: 1'))).toBe('malformed');
    const two = timedBenchmarks([1000, 2000]);
    expect(kindOf('leaderboard', two.replace('benchmark-count: 2', 'benchmark-count: 3'))).toBe('malformed');
    expect(kindOf('leaderboard', two.replace('benchmark-count: 2', 'benchmark-count: 1'))).toBe('malformed');
  });

  it('with a count far beyond its cases, and at once', () => {
    expect(kindOf('test', passedTests(1).replace('test-count: 1', 'test-count: 9007199254740991'))).toBe(
      'malformed',
    );
  });

  it('with a case that failed or has no status', () => {
    expect(kindOf('test', passedTests(2).replace('test.1.status: pass', 'test.1.status: fail'))).toBe(
      'malformed',
    );
    expect(kindOf('test', passedTests(2).replace('test.1.status: pass', ''))).toBe('malformed');
    expect(kindOf('leaderboard', benchmark({ status: 'fail' }))).toBe('malformed');
  });

  it.each(['nan', 'inf', '-inf', '-5', '0', '0.0', '-0.0', '', 'fast', '0x10', '1e999', '1,5'])(
    'with the mean time %j',
    (mean) => {
      expect(kindOf('benchmark', benchmark({ mean, best: null, worst: null }))).toBe('malformed');
      expect(kindOf('leaderboard', benchmark({ mean, best: null, worst: null }))).toBe('malformed');
    },
  );

  it.each(['0', '-3', '2.5', 'nan', '', 'many'])('with %j runs', (runs) => {
    expect(kindOf('benchmark', benchmark({ runs }))).toBe('malformed');
  });

  it('without a mean time or a number of runs', () => {
    expect(kindOf('benchmark', benchmark({ mean: null }))).toBe('malformed');
    expect(kindOf('benchmark', benchmark({ runs: null }))).toBe('malformed');
  });

  it.each(['std', 'err', 'best', 'worst'])('with a %s that is negative, infinite or not a number', (name) => {
    for (const value of ['-1', 'inf', 'nan', 'soon']) {
      expect(kindOf('benchmark', benchmark({ [name]: value })), value).toBe('malformed');
    }
  });

  it.each(['best', 'worst'])('with a %s that is no time even over one run', (name) => {
    for (const value of ['-1', 'inf', 'nan']) {
      expect(kindOf('benchmark', benchmark({ runs: '1', [name]: value })), value).toBe('malformed');
    }
  });

  it('with a best time above the mean or a worst time below it', () => {
    expect(kindOf('benchmark', benchmark({ best: '1001' }))).toBe('malformed');
    expect(kindOf('benchmark', benchmark({ worst: '1000' }))).toBe('malformed');
  });

  it('and its summary names the fault without lending a stranger more than 80 characters', () => {
    const key = `test.0.${'x'.repeat(5000)}`;
    const { failure } = outcomeOf('test', `${passedTests(1)}\n${key}: 1`);
    expect(failure?.summary).toContain('means nothing');
    expect(failure?.summary.length).toBeLessThan(200);
  });
});
