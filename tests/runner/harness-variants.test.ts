/**
 * Stand-ins for the public evaluation programs under the real runner, whole ranked jobs as Hotlap orders them. What each
 * variant's lines are worth in every other case is in tests/unit/harness-variants.test.ts.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jobSpecFor } from '../../src/domain/job.ts';
import { type Outcome, readOutcome } from '../../src/domain/outcome.ts';
import { leaderboardScore } from '../../src/domain/score.ts';
import type { Ranking, Task } from '../../src/domain/task.ts';
import { type Agent, TestBox } from './runner-client.ts';

const HARNESS = readFileSync(path.join(import.meta.dirname, '../fixtures/variants/eval.py'), 'utf8');

let box: TestBox;
let agent: Agent;
let jobs = 0;
beforeAll(async () => {
  box = new TestBox();
  agent = await box.agent();
});
afterAll(() => box.close());

/** A ranked job of this variant whose submission begins with `body`. */
async function rank(
  variant: string,
  body: string,
  change: Partial<Task> = {},
): Promise<{ outcome: Outcome; score: number | null }> {
  const task: Task = {
    lang: 'py',
    description: 'Sort.',
    files: { 'eval.py': HARNESS, 'variant.py': `VARIANT = "${variant}"\n` },
    submissionFile: 'submission.py',
    main: 'eval.py',
    templates: {},
    tests: ['size: 8; seed: 1', 'size: 20; seed: 2'],
    benchmarks: ['size: 100; seed: 3', 'size: 400; seed: 4'],
    rankingBy: 'geom',
    testTimeoutS: 60,
    benchmarkTimeoutS: 60,
    rankedTimeoutS: 60,
    multiGpu: false,
    worldSize: null,
    scoreAscending: true,
    ...change,
  };
  const code = `import os\ndef custom_kernel(data):\n    ${body}\n    return sorted(data)\n`;
  const spec = jobSpecFor({
    ...{ id: ++jobs, attempt: 1, mode: 'leaderboard', task, code },
    ...{ gpuType: 'CPU', gpus: [], lane: null, sandbox: 'auto' as const },
  });
  const { result } = await agent.run(spec, 4711);
  expect(result).toMatchObject({ outcome: 'finished', error: null });
  const outcome = readOutcome(result, spec.stages);
  return { outcome, score: leaderboardScore(outcome, task) };
}

describe('an honest pass', () => {
  it.each<[string, Ranking, number]>([
    ['c33495f1', 'last', 40e-6],
    // By the geometric mean over two benchmarks, of which its evaluation program times the last one alone.
    ['3f1aab08', 'geom', 40e-6],
    ['7a762dc0', 'geom', 20e-6],
    ['106951f2', 'mean', 25e-6],
    ['3ee30917', 'geom', 20e-6],
    ['1cfede31', 'geom', 20e-6],
    ['6d8a6235', 'geom', 20e-6],
  ])('of variant %s scores by %s', async (variant, rankingBy, expected) => {
    const { outcome, score } = await rank(variant, 'pass', { rankingBy });
    expect(outcome).toMatchObject({ passed: true, failure: null });
    expect(score).toBeCloseTo(expected, 15);
  });

  it('of a variant that uses several GPUs scores with a process for each', async () => {
    const { outcome, score } = await rank('666ddf88', 'pass', {
      multiGpu: true,
      worldSize: 2,
    });
    expect(outcome).toMatchObject({ passed: true, failure: null });
    expect(score).toBeCloseTo(20e-6, 15);
  });
});

// In the process that owns the result pipe, and in a pool.
describe.each(['3f1aab08', '7bbde85d'])('variant %s', (variant) => {
  it('calls a wrong result wrong', async () => {
    const { outcome, score } = await rank(variant, 'if len(data) == 20: return []');
    expect(outcome.failure).toMatchObject({
      kind: 'wrong',
      stage: 'test',
      summary: 'Test 2 of 2 failed: size: 20; seed: 2',
    });
    expect(score).toBe(null);
  });

  it('calls a dead process a crash at once, and keeps what had been timed', async () => {
    const { outcome, score } = await rank(variant, 'if len(data) == 400: os.kill(os.getpid(), 11)');
    expect(outcome.failure).toMatchObject({ kind: 'crash', stage: 'benchmark' });
    expect(outcome.failure?.summary).toContain('signal 11 (SIGSEGV)');
    expect(outcome.stages[1]?.benchmarks.map((item) => item.meanNs)).toEqual([10_000]);
    expect(score).toBe(null);
  });
});

it('a message of several lines that breaks the protocol costs a failed run nothing', async () => {
  const { outcome } = await rank('666ddf88', 'if len(data) == 8: return []');
  expect(outcome.failure).toMatchObject({
    kind: 'wrong',
    summary: 'Test 1 of 2 failed: size: 8; seed: 1',
    detail: 'mismatch found!',
  });
});

it('an endless run is stopped at its limit', async () => {
  const sleep = 'if len(data) == 20: __import__("time").sleep(600)';
  const { outcome, score } = await rank('7bbde85d', sleep, { testTimeoutS: 1 });
  expect(outcome.failure).toMatchObject({
    kind: 'timeout',
    stage: 'test',
    summary: expect.stringMatching(/^Stopped after the limit of 1 s\./),
  });
  expect(score).toBe(null);
});

it('a case that an evaluation program refuses is told as its fault', async () => {
  const { outcome } = await rank('7bbde85d', 'pass', { tests: ['size: many; seed: 1'] });
  expect(outcome.failure?.summary).toBe('The evaluation program could not read its cases (exit code 113).');
});
