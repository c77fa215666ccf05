/**
 * Runs a submission fixture the ways that hostile.test.ts compares and says what it achieved.
 *
 * An effect is whatever an attack must not have: a pass that was not earned, a line `EFFECT:` that the submission
 * prints when it gets somewhere, a process that is alive afterwards, a job that fails as if the box were at fault.
 */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { readOutcome } from '../../src/domain/outcome.ts';
import type { JobResult, JobSpec } from '../../src/domain/protocol.ts';
import type { Agent, TestBox } from '../runner/runner-client.ts';
import { TWO_CASES } from '../runner/runner-client.ts';
import { type Harness, harnessFiles, type SubmissionFixture } from '../runner/submission-fixture.ts';

export const SEED = 1_987_654_321;
/** Stands for every secret of the box and of other people. The fixtures put it together from its parts. */
export const MARKER = 'planted-secret-7391';

export interface Observation {
  passed: boolean;
  /** The kind of failure in words, `passed` otherwise. */
  verdict: string;
  effects: string[];
  /** Everything that went back to the server, as one text. */
  returned: string;
  result: JobResult;
}

/** What the fixtures may attack, by address. */
export interface Surroundings {
  port: number;
  socket: string;
  hint: string;
}

let runs = 0;

export async function attack(
  box: TestBox,
  agent: Agent,
  fixture: SubmissionFixture,
  harness: Harness,
  sandbox: JobSpec['sandbox'],
  around: Surroundings,
): Promise<Observation> {
  const token = nextToken(fixture);
  const job = box.job({
    submission: fixture.source,
    stages: stagesOf(fixture),
    change: {
      files: harnessFiles(harness, fixture.source),
      warmup: fixture.warmup ? { file: 'submission.py', timeout_s: 20 } : null,
      env: environment(token, around),
      sandbox,
      limits: { memory_mib: fixture.memory_mib ?? 1024, processes: fixture.processes ?? 200 },
    },
  });
  const { result, events } = await agent.run(job, SEED);
  const outcome = readOutcome(result, job.stages);
  const effects = effectLines(result.stages.flatMap((stage) => [stage, stage.warmup]));
  if (result.outcome !== 'finished') effects.push(`the job ended as ${JSON.stringify(result.error)}`);
  if (outcome.passed && fixture.verdict === 'refused') effects.push('it passed');
  const alive = listMarkedProcesses(token);
  if (alive.length > 0) effects.push(`alive afterwards: ${alive.join(' ')}`);
  return {
    passed: outcome.passed,
    verdict: outcome.failure?.kind ?? (outcome.passed ? 'passed' : 'incomplete'),
    effects,
    returned: JSON.stringify({ result, events }),
    result,
  };
}

const bareAnswer = z.object({
  report: z
    .object({
      passed: z.boolean(),
      timed_out: z.boolean(),
      hung: z.boolean(),
      captured: z.number(),
      text: z.string(),
    })
    .nullable(),
  survivors: z.number(),
  cores: z.number(),
  removed: z.boolean(),
});

/** The effects under a runner that takes no care (tests/fixtures/runner/bare_runner.py). Needs root. */
export async function attackBare(
  fixture: SubmissionFixture,
  harness: Harness,
  around: Surroundings,
  timesOutAnyway: boolean,
): Promise<string[]> {
  const token = nextToken(fixture);
  const program = join(import.meta.dirname, '../fixtures/runner/bare_runner.py');
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = execFile(
    // The system's own: another may live where only root can go.
    '/usr/bin/python3',
    [program],
    { timeout: 120_000, maxBuffer: 16 << 20, env: { ...process.env, PATH: '/usr/bin:/bin' } },
    (error, stdout, stderr) => (error ? reject(new Error(`${error.message}\n${stderr}`)) : resolve(stdout)),
  );
  child.stdin?.end(
    JSON.stringify({
      files: harnessFiles(harness, fixture.source),
      main: 'eval.py',
      warmup: fixture.warmup,
      stages: stagesOf(fixture),
      env: environment(token, around),
      seed: SEED,
    }),
  );
  const { report, survivors, cores, removed } = bareAnswer.parse(JSON.parse(await promise));
  const effects = report
    ? effectLines([{ stdout: report.text, stderr: '' }])
    : ['the runner itself was ended'];
  if (report?.passed && fixture.verdict === 'refused') effects.push('it passed');
  if (report?.timed_out && !timesOutAnyway) effects.push('it waited in vain until the time limit');
  if (report?.hung) effects.push('it waited for an end of file beyond the time limit');
  if (report && report.captured > 1 << 20) effects.push(`${report.captured >> 20} MiB of output were kept`);
  if (survivors > 0) effects.push(`${survivors} processes alive afterwards`);
  if (cores > 0) effects.push('a core on the disk');
  if (!removed) effects.push('a folder that cannot be removed');
  return effects;
}

function nextToken(fixture: SubmissionFixture): string {
  runs += 1;
  // The last four bytes are the key of a shared memory segment.
  return `hl-${fixture.name}-${process.pid}-${String(runs).padStart(4, '0')}`;
}

function stagesOf(fixture: SubmissionFixture): JobSpec['stages'] {
  return fixture.stages.map((mode) => ({
    name: mode,
    mode,
    timeout_s: fixture.timeout_s,
    cases: TWO_CASES,
  }));
}

function environment(token: string, around: Surroundings): Record<string, string> {
  return {
    HOTLAP_FIXTURE: token,
    HOTLAP_PORT: String(around.port),
    HOTLAP_SOCKET: around.socket,
    HOTLAP_HINT: around.hint,
  };
}

function effectLines(outputs: ({ stdout: string; stderr: string } | null)[]): string[] {
  const text = outputs.map((output) => (output ? `${output.stdout}\n${output.stderr}` : '')).join('\n');
  return [...new Set(text.split('\n').filter((line) => line.startsWith('EFFECT: ')))].slice(0, 5);
}

/** Living processes whose first environment holds the token of a run. */
function listMarkedProcesses(token: string): string[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const marked = readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`HOTLAP_FIXTURE=${token}`);
      return marked && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
    } catch {
      return false;
    }
  });
}
