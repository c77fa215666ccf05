/** Rules as they are written: what is read, what is refused and why, and how they sound. */
import { describe, expect, it } from 'vitest';
import { type BoardFacts, rankingFaults } from '../../src/domain/ranking-faults.ts';
import { isAscending, type RankingRule, readRankingRule, unitOf } from '../../src/domain/ranking-rule.ts';
import { rankingHeadline, rankingSentences } from '../../src/reports/ranking-words.ts';

const task = { rankingBy: 'geom' as const, benchmarks: ['n: 1', 'n: 2'], scoreAscending: true };
const facts: BoardFacts = {
  name: 'sort',
  gpus: ['H100', 'A100'],
  isClosed: false,
  task,
  metrics: ['throughput'],
  others: [
    { name: 'scan', gpus: ['H100'], scoreAscending: true, isClosed: false },
    { name: 'serve', gpus: ['H100'], scoreAscending: false, isClosed: true },
  ],
  hosts: [],
};

function read(value: unknown): RankingRule {
  const result = readRankingRule(value);
  if ('faults' in result) throw new Error(result.faults.join(' '));
  return result.rule;
}

function faultsOf(value: unknown, changes: Partial<BoardFacts> = {}): string {
  return rankingFaults(read(value), { ...facts, ...changes }).join('\n');
}

describe('a rule that is read', () => {
  it('is empty for what says nothing but the default', () => {
    for (const value of [{}, null, undefined, { score: 'public', windows: false, minimumRuns: 1 }]) {
      expect(read(value)).toEqual({});
    }
  });

  it.each([
    [{ metrc: 'throughput' }, '`metrc`: no such key'],
    [{ metric: 'Through put' }, '`metric`: should be the name of a metric'],
    [{ score: 'both' }, '`score`'],
    [{ weights: { measured: 0 } }, '`weights.measured`: should be a weight above 0'],
    [{ weights: { measured: 1.5 } }, 'at most 1'],
    [{ scorers: [{ name: 'measured' }] }, '`scorers.1.name`: should not be "measured"'],
    [{ scorers: [{ name: 'a', need: true }] }, '`need`: no such key in `scorers.1`'],
    [{ composites: [{ name: 'all', members: [{ gpu: 'H100', weight: 1 }] }] }, 'at least two members'],
    [{ remeasure: { top: 0, everyHours: 6 } }, '`remeasure.top`'],
    [{ remeasure: { top: 1, everyHours: Number.POSITIVE_INFINITY } }, 'should be a finite number'],
    [{ windows: 'yes' }, '`windows`: should be `true` or `false`'],
    [{ weights: [1] }, '`weights`: should be names with weights'],
    [{ minimumRuns: 1.5 }, '`minimumRuns`: should be a whole number'],
    [{ scorers: [] }, '`scorers`: should be at least 1 long'],
    [{ direction: 'up' }, '`direction`: should be one of `lower`, `higher`'],
    [{ weights: { measured: 1 }, reference: 1e-320 }, '`reference`: should be at least 1e-100'],
    ['fast', 'The rule: should be keys with values'],
    [[1], 'The rule: should be keys with values'],
  ])('%j is refused with the place of the fault', (value, sentence) => {
    const result = readRankingRule(value);
    expect('faults' in result && result.faults.join('\n')).toContain(sentence);
  });

  it('tells every fault at once', () => {
    const result = readRankingRule({ score: 'both', minimumRuns: 0 });
    expect('faults' in result && result.faults).toHaveLength(2);
  });
});

describe('a rule for a board', () => {
  it.each<[RankingRule]>([
    [{}],
    [{ score: 'secret' }],
    [{ metric: 'throughput', direction: 'higher', unit: 'tokens/s' }],
    [{ aggregation: 'weighted', shapeWeights: [0.3, 0.7] }],
    [{ windows: true, remeasure: { top: 10, everyHours: 6 } }],
    [{ scorers: [{ name: 'clarity', required: true }] }],
    [
      {
        scorers: [{ name: 'clarity', required: false }],
        weights: { measured: 0.7, clarity: 0.3 },
        reference: 0.001,
      },
    ],
    [{ categories: ['language', 'shape'], minimumRuns: 3 }],
    [
      {
        composites: [
          {
            name: 'all',
            combine: 'geom',
            members: [
              { gpu: 'h100', weight: 0.1 },
              { gpu: 'A100', weight: 0.2 },
              { leaderboard: 'SCAN', gpu: 'H100', weight: 0.7 },
            ],
          },
        ],
      },
    ],
  ])('%j fits', (rule) => {
    expect(faultsOf(rule)).toBe('');
  });

  const clarity = { name: 'clarity', required: true };
  it.each<[unknown, string]>([
    [
      { metric: 'latency', direction: 'lower' },
      'No run on `sort` has reported the metric `latency`. They report: throughput.',
    ],
    [{ metric: 'throughput' }, '`direction` is missing'],
    [{ metric: 'throughput', direction: 'higher', aggregation: 'mean' }, 'Leave one of the two out'],
    [{ unit: 'ms' }, '`unit` belongs to a `metric`'],
    [{ aggregation: 'weighted' }, 'needs `shapeWeights`'],
    [{ aggregation: 'weighted', shapeWeights: [1] }, 'has 1 weights, and the task has 2 benchmarks'],
    [{ aggregation: 'weighted', shapeWeights: [0.5, 0.4] }, 'sum up to 0.9, not to 1'],
    [{ shapeWeights: [0.5, 0.5] }, 'only mean something with'],
    [{ windows: true }, 'they would stay empty. Add `remeasure`'],
    [{ windows: true, remeasure: { top: 1, everyHours: 48 } }, 'Set it to 24 or less'],
    [
      { scorers: [clarity], weights: { clarity: 0.5, measured: 0.4 }, reference: 1 },
      '`weights` sum up to 0.9, not to 1',
    ],
    [
      { scorers: [clarity], weights: { clarity: 0.5, style: 0.5 } },
      '`weights` names `style`, which is no scorer of this board. There are: measured, clarity.',
    ],
    [{ weights: { measured: 1 } }, 'needs a `reference`'],
    [{ reference: 1 }, 'nothing is weighed here'],
    [{ scorers: [clarity], weights: { clarity: 1 }, reference: 1 }, 'which has none'],
    [
      { scorers: [clarity], weights: { clarity: 1 }, windows: true, remeasure: { top: 1, everyHours: 1 } },
      'With windows, `measured` needs a weight',
    ],
    [{ scorers: [clarity, clarity] }, 'Two scorers are called `clarity`'],
    [{ scorers: [clarity, { name: 'style' }], weights: { clarity: 1 } }, 'The scorer `style` has no weight'],
    [{ categories: ['shape', 'shape'] }, 'names `shape` twice'],
  ])('%j is refused: %s', (rule, sentence) => {
    expect(faultsOf(rule)).toContain(sentence);
  });

  it('is refused what a task that times one benchmark cannot give', () => {
    const lastOnly = { task: { ...task, rankingBy: 'last' as const } };
    expect(faultsOf({ aggregation: 'geom' }, lastOnly)).toContain('times its last benchmark alone');
    expect(faultsOf({ categories: ['shape'] }, lastOnly)).toContain('no shapes to rank apart');
    expect(faultsOf({ aggregation: 'last' }, lastOnly)).toBe('');
  });

  const composite = (members: object[], name = 'all') => ({ composites: [{ name, members }] });
  it.each<[string, object, string]>([
    [
      'weights',
      composite([
        { gpu: 'H100', weight: 0.5 },
        { gpu: 'A100', weight: 0.6 },
      ]),
      'sum up to 1.1, not to 1',
    ],
    [
      'a board',
      composite([
        { gpu: 'H100', weight: 0.5 },
        { leaderboard: 'none', gpu: 'H100', weight: 0.5 },
      ]),
      'names the board `none`, which does not exist',
    ],
    [
      'a GPU type',
      composite([
        { gpu: 'B200', weight: 0.5 },
        { gpu: 'A100', weight: 0.5 },
      ]),
      'on which `sort` does not run',
    ],
    [
      'a member twice',
      composite([
        { gpu: 'H100', weight: 0.5 },
        { gpu: 'h100', weight: 0.5 },
      ]),
      'names H100 of sort twice',
    ],
    [
      'a direction',
      composite([
        { gpu: 'H100', weight: 0.5 },
        { leaderboard: 'serve', gpu: 'H100', weight: 0.5 },
      ]),
      'such scores cannot be summed up',
    ],
    [
      'a name',
      composite(
        [
          { gpu: 'H100', weight: 0.5 },
          { gpu: 'A100', weight: 0.5 },
        ],
        'h100',
      ),
      'has the name of a GPU type',
    ],
  ])('is refused for %s of a composite', (_, rule, sentence) => {
    expect(faultsOf(rule)).toContain(sentence);
  });

  it('is refused where it would turn round a member of another board’s composite', () => {
    const hosts = [{ leaderboard: 'series', composite: 'overall', scoreAscending: [true] }];
    expect(faultsOf({ direction: 'higher' }, { hosts })).toContain(
      'The composite `overall` of `series` takes this board in beside boards on which lower is better',
    );
    expect(faultsOf({ minimumRuns: 3 }, { hosts })).toBe('');
  });
});

describe('what a rule means', () => {
  it('is the task’s direction, the rule’s, or points', () => {
    const higher = { scoreAscending: false };
    expect([isAscending({}, task), isAscending({}, higher)]).toEqual([true, false]);
    expect([isAscending({ direction: 'lower' }, higher), isAscending({ direction: 'higher' }, task)]).toEqual(
      [true, false],
    );
    expect(isAscending({ weights: { measured: 1 }, reference: 1 }, task)).toBe(false);
    expect([
      unitOf({}, 's'),
      unitOf({}, 'tokens/s'),
      unitOf({ metric: 'x' }, 's'),
      unitOf({ metric: 'x', unit: 'GB/s' }, 's'),
      unitOf({ weights: {} }, 's'),
    ]).toEqual(['s', 'tokens/s', '', 'GB/s', 'points']);
  });

  it('is said in words, the default in as few as ever', () => {
    expect(rankingHeadline({}, task)).toBe('time, the geometric mean of all benchmarks; lower is better');
    expect(rankingHeadline({ metric: 'throughput', unit: 'tokens/s', direction: 'higher' }, task)).toBe(
      'throughput in tokens/s; higher is better',
    );
    expect(rankingSentences({}, task)).toEqual([
      'Measured is time, the geometric mean of all benchmarks. Lower is better.',
      'The public run counts; the secret one has to pass as well.',
      'Equal scores share a rank; the earlier one stands first.',
    ]);
  });

  it('names everything that a rule adds', () => {
    const words = rankingSentences(
      read({
        score: 'secret',
        windows: true,
        remeasure: { top: 10, everyHours: 6 },
        scorers: [{ name: 'clarity' }, { name: 'style', required: false }],
        weights: { measured: 0.7, clarity: 0.2, style: 0.1 },
        reference: 0.0015,
        minimumRuns: 3,
        categories: ['language', 'shape'],
        composites: [
          {
            name: 'all',
            combine: 'mean',
            members: [
              { gpu: 'H100', weight: 0.5 },
              { leaderboard: 'scan', gpu: 'H100', weight: 0.5 },
            ],
          },
        ],
      }),
      task,
    ).join('\n');
    for (const part of [
      'The secret run counts',
      'anchor (7 days), then steady (3 days), then recent (1 day)',
      'what is measured 70 %, clarity 20 %, style 10 % (optional: 0.5 while it is missing)',
      '1.500 ms measured gives half of its points, less gives more.',
      'Without a value for clarity an entry is not ranked yet.',
      'Below 3 ranked runs on a GPU type an entry is marked provisional.',
      'The first 10 of each GPU type are measured again about every 6 h',
      'Each language has a board of its own',
      'Each benchmark has a board of its own',
      'The combined board all is the weighted sum of H100 50 %, scan on H100 50 %',
    ])
      expect(words).toContain(part);
  });
});
