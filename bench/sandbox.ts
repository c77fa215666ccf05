/**
 * What the sandbox costs a mode: jobs of one mode whose evaluation passes at once, sandboxed and not, in turns, through
 * the agent protocol of the real runner. The time is from the `start` request to the result, as the scheduler sees it.
 */

import { type Agent, TestBox } from '../tests/runner/runner-client.ts';
import { type Container, containerUnderTest } from '../tests/support/container-under-test.ts';
import { median, type Part, type Row } from './row.ts';

const RUNS = 50;
/** Not counted: the first runs of an agent pay for a cold disk cache. */
const WARMUP_RUNS = 3;
const GOAL_MS = 60;

const NULL_EVALUATION = `import os
os.write(int(os.environ["POPCORN_FD"]), b"test-count: 1\\ntest.0.spec: size: 1; seed: 1\\ntest.0.status: pass\\ncheck: pass\\n")
`;

type Setting = 'auto' | 'off';

export const sandbox: Part = {
  name: 'sandbox',
  about: `the sandbox's cost for one mode, median of ${RUNS} runs with and without it in turns`,
  async measure(say) {
    const box = new TestBox();
    try {
      return await measureOn(box, say);
    } finally {
      await box.close();
    }
  },
};

async function measureOn(box: TestBox, say: (text: string) => void): Promise<Row[]> {
  const agent = await box.agent();
  const probe = await agent.request('probe', {});
  if (probe.sandbox === 'none') {
    say(`nothing to measure, this machine has no sandbox: ${probe.sandbox_problem}`);
    return [];
  }
  const wholeMs: Record<Setting, number[]> = { auto: [], off: [] };
  const processMs: Record<Setting, number[]> = { auto: [], off: [] };
  for (let i = -WARMUP_RUNS; i < RUNS; i++) {
    // The order alternates, so that neither setting always follows the other.
    for (const setting of i % 2 === 0 ? (['auto', 'off'] as const) : (['off', 'auto'] as const)) {
      const run = await runNull(box, agent, setting);
      if (i < 0) continue;
      wholeMs[setting].push(run.wholeMs);
      processMs[setting].push(run.processMs);
    }
    if (i >= 0 && (i + 1) % 10 === 0) say(`${i + 1} of ${RUNS} pairs`);
  }
  const whole = compare('one mode, start to result', wholeMs);
  const container = containerUnderTest();
  const contained = container === null ? [] : [await measureContainer(box, agent, container, wholeMs.off)];
  const overheadMs = median(wholeMs.auto) - median(wholeMs.off);
  return [
    whole,
    compare('its process alone', processMs),
    {
      part: 'sandbox',
      name: 'overhead of the sandbox for a mode',
      unit: 'ms',
      value: overheadMs,
      baseline: null,
      ratio: null,
      goal: `under ${GOAL_MS} ms`,
      met: overheadMs < GOAL_MS,
    },
    ...contained,
  ];
}

/** What the engine of HOTLAP_TEST_CONTAINER takes, beside the runs without a sandbox. */
async function measureContainer(
  box: TestBox,
  agent: Agent,
  container: Container,
  baselineMs: number[],
): Promise<Row> {
  const wholeMs: number[] = [];
  for (let i = -WARMUP_RUNS; i < RUNS; i++) {
    const run = await runNull(box, agent, container);
    if (i >= 0) wholeMs.push(run.wholeMs);
  }
  const [value, baseline] = [median(wholeMs), median(baselineMs)];
  const name = `one mode in ${container.engine}, start to result`;
  return {
    part: 'sandbox',
    name,
    unit: 'ms',
    value,
    baseline,
    ratio: value / baseline,
    goal: null,
    met: null,
  };
}

async function runNull(
  box: TestBox,
  agent: Agent,
  setting: Setting | Container,
): Promise<{ wholeMs: number; processMs: number }> {
  const job = box.job({
    submission: '',
    files: { 'eval.py': NULL_EVALUATION },
    change: { sandbox: setting },
  });
  const startedMs = performance.now();
  const { result } = await agent.run(job);
  const wholeMs = performance.now() - startedMs;
  const [stage] = result.stages;
  const expected = typeof setting === 'object' ? setting.engine : setting === 'auto' ? 'bwrap' : 'none';
  if (result.outcome !== 'finished' || result.sandbox !== expected || stage?.exit_code !== 0) {
    throw new Error(`the null mode did not pass in ${expected}: ${JSON.stringify(result)}`);
  }
  await agent.request('forget', { job_key: job.job_key });
  return { wholeMs, processMs: stage.duration_ms };
}

function compare(name: string, timesMs: Record<Setting, number[]>): Row {
  const value = median(timesMs.auto);
  const baseline = median(timesMs.off);
  const row = { part: 'sandbox', name, unit: 'ms', value, baseline, ratio: value / baseline };
  return { ...row, goal: null, met: null };
}
