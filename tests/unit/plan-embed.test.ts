/** Plans and rejudges in embeds: within Discord's limits, with what decides in sight. */
import type { APIEmbed } from 'discord-api-types/v10';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PlaceChange, RejudgeEntry, RejudgeView } from '../../src/domain/rejudge.ts';
import type { PlannedProblem, SyncPlan } from '../../src/domain/sync-plan.ts';
import type { Task } from '../../src/domain/task.ts';
import { asksForRejudge, taskChanges } from '../../src/domain/task-changes.ts';
import { planEmbed, planFile, syncEmbed } from '../../src/reports/plan-embed.ts';
import { rejudgeEmbed, rejudgeListEmbed, rejudgeNoticeEmbed } from '../../src/reports/rejudge-embed.ts';
import { rejudgeFile } from '../../src/reports/rejudge-file.ts';
import { nastyText } from './nasty-views.ts';

const task: Task = {
  lang: 'py',
  description: 'First line.\nSecond line.\n',
  files: { 'eval.py': 'evaluate()\n', 'task.py': 'TOLERANCE = 0.1\n' },
  submissionFile: 'submission.py',
  main: 'eval.py',
  templates: { Python: 'pass\n' },
  tests: ['n: 1'],
  benchmarks: ['n: 10', 'n: 20'],
  rankingBy: 'geom',
  testTimeoutS: 10,
  benchmarkTimeoutS: 20,
  rankedTimeoutS: 30,
  multiGpu: false,
  worldSize: null,
  scoreAscending: true,
};

function expectFits(embed: APIEmbed): void {
  const fields = embed.fields ?? [];
  const texts = [embed.title ?? '', embed.description ?? '', embed.footer?.text ?? ''];
  texts.push(...fields.flatMap((field) => [field.name, field.value]));
  expect(embed.title?.length ?? 0).toBeLessThanOrEqual(256);
  expect(embed.description?.length ?? 0).toBeLessThanOrEqual(4096);
  expect(fields.length).toBeLessThanOrEqual(25);
  for (const field of fields) {
    expect(field.name.length).toBeLessThanOrEqual(256);
    expect(field.value.trim()).not.toBe('');
    expect(field.value.length).toBeLessThanOrEqual(1024);
  }
  expect(texts.join('').length).toBeLessThanOrEqual(6000);
  for (const text of texts) {
    expect(text.isWellFormed()).toBe(true);
    expect((text.match(/```/g) ?? []).length % 2).toBe(0);
  }
}

describe('what changed in a task', () => {
  const changesOf = (change: Partial<Task>) => taskChanges(task, { ...task, ...change });

  it.each<[string, Partial<Task>]>([
    ['the statement', { description: 'Other words.\n' }],
    ['a template', { templates: { Python: 'return\n', HIP: 'x' } }],
    ['the direction', { scoreAscending: false }],
  ])('counts at once: %s', (_, change) => {
    const changes = changesOf(change);
    expect(changes).not.toEqual([]);
    expect(asksForRejudge(changes)).toBe(false);
  });

  it.each<[string, Partial<Task>]>([
    ['a test', { tests: ['n: 1', 'n: 2'] }],
    ['the order of the benchmarks', { benchmarks: ['n: 20', 'n: 10'] }],
    ['the harness', { files: { ...task.files, 'eval.py': 'evaluate(1)\n' } }],
    ['a tolerance in a file', { files: { ...task.files, 'task.py': 'TOLERANCE = 0.01\n' } }],
    ['a file that is no longer there', { files: { 'eval.py': 'evaluate()\n' } }],
    ['a timeout', { rankedTimeoutS: 31 }],
    ['how times become a score', { rankingBy: 'mean' }],
    ['something that nobody thought of', { somethingNew: 3 } as Partial<Task>],
  ])('asks for a rejudge: %s', (_, change) => {
    expect(asksForRejudge(changesOf(change))).toBe(true);
  });

  it('is shown under the names of the YAML, with the lines that differ', () => {
    expect(changesOf({ testTimeoutS: 77 })).toEqual([
      { key: 'test_timeout', effect: 'rejudge', before: '10', after: '77', diff: null },
    ]);
    const [change] = changesOf({ files: { ...task.files, 'task.py': 'TOLERANCE = 0.01\n' } });
    expect(change?.key).toBe('files.task.py');
    expect(change?.diff).toContain('-TOLERANCE = 0.1\n+TOLERANCE = 0.01');
    expect(changesOf({})).toEqual([]);
    expect(changesOf({ files: { 'task.py': 'TOLERANCE = 0.1\n', 'eval.py': 'evaluate()\n' } })).toEqual([]);
  });

  it('is found in time in two long files that have nothing in common', () => {
    const text = (word: string) => Array.from({ length: 60_000 }, (_, i) => `${word} ${i}`).join('\n');
    const changes = taskChanges(
      { ...task, files: { 'eval.py': text('a') } },
      { ...task, files: { 'eval.py': text('b') } },
    );
    expect(changes).toHaveLength(1);
    expect(changes[0]?.diff?.length).toBeLessThan(200);
  });
});

const name = fc.stringMatching(/^[A-Za-z0-9_.-]{1,100}$/);
const plannedProblem: fc.Arbitrary<PlannedProblem> = fc
  .record({
    leaderboard: name,
    change: fc.constantFrom('created' as const, 'changed' as const, 'unchanged' as const),
    description: nastyText(2000),
    tests: fc.array(nastyText(200), { maxLength: 30 }),
    ranked: fc.nat(),
    gpus: fc.array(nastyText(30), { minLength: 1, maxLength: 30 }),
  })
  .map(({ leaderboard, change, description, tests, ranked, gpus }) => {
    const changed = { ...task, description, tests };
    const changes = change === 'changed' ? taskChanges(task, changed) : [];
    return {
      entry: { set: 'set', directory: 'set/x', leaderboard, deadline: null, gpus, task: changed },
      ...{ change, changes, ranked, versionBefore: 1, versionAfter: 2 },
      ...{ asksForRejudge: asksForRejudge(changes), keptTaskVersionId: null, fingerprint: '' },
    };
  });

const plan: fc.Arbitrary<SyncPlan> = fc.record({
  origin: fc.constantFrom(
    { kind: 'directory' as const },
    {
      ...{ kind: 'git' as const, url: `https://example.org/${'x'.repeat(400)}`, branch: null },
      ...{ folder: 'problems', commit: 'a'.repeat(40) },
    },
  ),
  commit: fc.constantFrom(null, {
    hash: 'a'.repeat(40),
    subject: '`x` '.repeat(100),
    committedAt: new Date('2026-01-01'),
  }),
  problems: fc.array(plannedProblem, { maxLength: 40 }),
  refused: fc.array(nastyText(500), { maxLength: 30 }),
  warnings: fc.array(nastyText(500), { maxLength: 30 }),
  gone: fc.array(name, { maxLength: 60 }),
  kept: fc.constant([]),
  fingerprint: fc.constant(''),
});

describe('a plan', () => {
  it('fits into an embed, whatever is in it, and is complete in its file', () => {
    fc.assert(
      fc.property(plan, (made) => {
        expectFits(planEmbed(made));
        const file = planFile(made).text;
        for (const problem of made.problems)
          if (problem.change !== 'unchanged') expect(file).toContain(problem.entry.leaderboard);
        for (const fault of made.refused) expect(file).toContain(fault);
        const names = made.problems.map((problem) => problem.entry.leaderboard);
        const rejudge = names.map((leaderboard) => ({ leaderboardId: 1, leaderboard, ranked: 5 }));
        const report = { created: names, updated: names, unchanged: names, refused: made.refused };
        expectFits(syncEmbed({ ...report, warnings: [], kept: [], rejudge }, 'From somewhere'));
      }),
      { numRuns: 60 },
    );
  });
});

const place = fc.record({
  submissionId: fc.integer({ min: 1, max: 2 ** 40 }),
  score: fc.double({ min: 1e-9, max: 1e4, noNaN: true }),
  rank: fc.integer({ min: 1, max: 99_999 }),
});
const placeChange: fc.Arbitrary<PlaceChange> = fc.record({
  gpuType: fc.constantFrom('H100', 'A100', 'MI300x8'),
  userId: fc.stringMatching(/^\d{18}$/),
  userName: nastyText(40),
  before: fc.option(place),
  after: fc.option(place),
});
const view = fc.record<RejudgeView>({
  id: fc.nat(),
  leaderboardId: fc.nat(),
  leaderboard: name,
  status: fc.constantFrom('planned', 'running', 'ready', 'applied', 'cancelled'),
  scope: fc.constantFrom(
    { kind: 'all', outdatedOnly: true },
    { kind: 'top', count: 10, outdatedOnly: false },
    { kind: 'user', userId: '123456789012345678', outdatedOnly: false },
    { kind: 'since', at: '2026-11-20T10:00:00.000Z', outdatedOnly: false },
  ),
  version: fc.nat(),
  isCurrent: fc.boolean(),
  requestedBy: fc.constantFrom('123456789012345678', 'api'),
  endedBy: fc.constant(null),
  createdAt: fc.constant(new Date('2026-11-20')),
  startedAt: fc.constant(null),
  readyAt: fc.constant(null),
  endedAt: fc.constant(null),
  submissions: fc.nat(),
  entries: fc.nat(),
  judged: fc.nat(),
  jobs: fc.nat(),
  openJobs: fc.nat(),
});

describe('a rejudge', () => {
  it('fits into an embed, whoever is on the board', () => {
    fc.assert(
      fc.property(view, fc.array(placeChange, { maxLength: 120, size: 'max' }), (rejudge, changes) => {
        const report = { rejudge, changes, entries: [], estimateSeconds: 100 };
        expectFits(rejudgeEmbed(report));
        expectFits(rejudgeNoticeEmbed(rejudge, changes));
        expectFits(rejudgeListEmbed(Array.from({ length: 25 }, () => rejudge)));
      }),
      { numRuns: 60 },
    );
  });

  it('tells no score in the notice that several people read', () => {
    fc.assert(
      fc.property(view, fc.array(placeChange, { maxLength: 9 }), (rejudge, changes) => {
        expect(JSON.stringify(rejudgeNoticeEmbed(rejudge, changes))).not.toMatch(/\d (s|ms|µs|ns)\b/);
      }),
    );
  });

  it('shows everybody who moves before those whose score alone is another', () => {
    const entry = (rank: number, moved: number | null): PlaceChange => ({
      gpuType: 'H100',
      userId: `${rank}`,
      userName: `user ${rank}`,
      before: { submissionId: rank, score: rank, rank },
      after: moved === null ? null : { submissionId: rank, score: rank + 0.5, rank: moved },
    });
    const still = Array.from({ length: 100 }, (_, index) => entry(index + 1, index + 1));
    const changes = [...still, entry(101, 103), entry(102, null)];
    const rejudge = fc.sample(view, { numRuns: 1, seed: 1 })[0] as RejudgeView;
    const shown = rejudgeEmbed({
      ...{ rejudge: { ...rejudge, status: 'ready', judged: 102 }, changes, estimateSeconds: null },
      entries: [],
    });
    expect(shown.description).toMatch(/101 → 103 ▼ +user 101/);
    expect(shown.description).toMatch(/102 → – +user 102 .*not ranked/);
    expect(shown.description).toMatch(/and \d+ more in the file/);
  });

  it('has a file that a spreadsheet reads as it is meant, with every submission in it', () => {
    const verdict = { publicScore: 0.5, secretScore: 0.6, eligible: true, reason: null };
    const entries: RejudgeEntry[] = [
      {
        ...{ submissionId: 7, userId: '1', userName: '=cmd|"x", y', gpuType: 'H100', open: false },
        ...{ before: verdict, after: { ...verdict, eligible: false, reason: 'wrong result (test)' } },
      },
      {
        ...{ submissionId: 8, userId: '2', userName: 'b', gpuType: 'H100', open: true },
        ...{ before: verdict, after: null },
      },
    ];
    const changes = [
      {
        ...{ gpuType: 'H100', userId: '1', userName: 'x', after: null },
        before: { submissionId: 7, score: 0.5, rank: 1 },
      },
    ];
    const { name: fileName, text } = rejudgeFile(3, entries, changes);
    expect(fileName).toBe('rejudge-3.csv');
    const lines = text.trimEnd().split('\r\n');
    expect(lines[1]).toBe('H100,7,1,"\'=cmd|""x"", y",1,,0.5,0.5,0.6,0.6,yes,no,,wrong result (test)');
    expect(lines[2]).toBe('H100,8,2,b,,,0.5,,0.6,,yes,,,not judged yet');
  });
});
