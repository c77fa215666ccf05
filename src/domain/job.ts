/**
 * What a job is made of: from (task, submission, mode, public or secret) to the exact work order for a box.
 *
 * A ranked submission makes two jobs per GPU type: a public one, and a secret one whose seed is fresh for that
 * submission. Each runs test -> benchmark -> leaderboard and stops at the first stage that does not pass.
 */
import { createHash } from 'node:crypto';
import { cudaArch } from './cuda-arch.ts';
import { type JobSpec, PROTOCOL_VERSION, type SandboxWish, type StageSpec } from './protocol.ts';
import { servingSpecFor, servingStages } from './serving-task.ts';
import type { Mode } from './submission.ts';
import type { CudaBuild, Task } from './task.ts';

/** Lower runs first: quick feedback before ranked work. From 100 on it is work for idle times (the view hotlap.queue). */
export const jobPriorities: Record<Mode, number> = { test: 10, benchmark: 20, profile: 20, leaderboard: 30 };

/** Judging again waits until nobody else does. */
export const rejudgePriority = 100;

/** Measuring again comes after that. */
export const remeasurePriority = 110;

const WARMUP_TIMEOUT_S = 120;
const BUILD_TIMEOUT_S = 120;

/** Whether the task has what the mode needs: a job without cases could only end as nobody's failure. */
export function hasCases(task: Pick<Task, 'tests' | 'benchmarks' | 'serving'>, mode: Mode): boolean {
  if (task.serving) return servingStages(task.serving, mode).length > 0;
  return (mode === 'test' ? task.tests : task.benchmarks).length > 0;
}

/** The stages of one job, in order (problem-format 2.2 and 2.6). A ranked job of a task without tests has two. */
export function jobStages(task: Task, mode: Mode): StageSpec[] {
  if (task.serving) return servingStages(task.serving, mode);
  const test = stage('test', 'test', task.testTimeoutS, task.tests);
  const timed = task.rankingBy === 'last' ? task.benchmarks.slice(-1) : task.benchmarks;
  const benchmark = stage('benchmark', 'benchmark', task.benchmarkTimeoutS, timed);
  switch (mode) {
    case 'test':
      return [test];
    case 'benchmark':
      return [benchmark];
    case 'profile':
      // One call per benchmark line, all lines even where `last` would time only one.
      return task.benchmarks.map((line, index) =>
        stage(`profile.${index}`, 'profile', task.benchmarkTimeoutS, [line]),
      );
    case 'leaderboard':
      return [
        ...(task.tests.length > 0 ? [test] : []),
        benchmark,
        stage('leaderboard', 'leaderboard', task.rankedTimeoutS, timed),
      ];
  }
}

function stage(name: string, mode: Mode, timeoutS: number, lines: string[]): StageSpec {
  return { name, mode, timeout_s: timeoutS, cases: lines.map((line) => `${line}\n`).join('') };
}

/** The same key always means the same run: a box that has it attaches instead of starting again. */
export function jobKey(jobId: number, attempt: number): string {
  return `${jobId}.${attempt}`;
}

/** The work order for a box. The secret seed is not in it: it travels beside it and never rests on the box. */
export function jobSpecFor(job: {
  id: number;
  attempt: number;
  mode: Mode;
  gpuType: string;
  task: Task;
  /** The submission's text. */
  code: string;
  /** The submission where it is no text. */
  archive?: Buffer | null;
  /** See JobWork. */
  gpus: number[] | null;
  lane: { slot: number; of: number } | null;
  sandbox: SandboxWish;
}): JobSpec {
  const { task } = job;
  return {
    protocol: PROTOCOL_VERSION,
    job_key: jobKey(job.id, job.attempt),
    lang: task.lang,
    ...evaluationOf(task, job),
    stages: jobStages(task, job.mode),
    env: {},
    ...(job.gpus && { gpus: job.gpus }),
    ...(job.lane && { lane: job.lane }),
    world_size: task.multiGpu ? task.worldSize : null,
    sandbox: job.sandbox,
  };
}

type Evaluation = Pick<JobSpec, 'files' | 'main' | 'warmup' | 'build' | 'serving'>;

function evaluationOf(
  task: Task,
  job: { mode: Mode; gpuType: string; code: string; archive?: Buffer | null },
): Evaluation {
  if (task.serving) {
    // Its bytes go to the box beside the job.
    const archive = job.archive ?? Buffer.alloc(0);
    const sha256 = createHash('sha256').update(archive).digest('hex');
    const serving = servingSpecFor(task.serving, job.mode, { sha256, bytes: archive.length });
    return { files: {}, main: '', warmup: null, serving };
  }
  return {
    files: { ...task.files, [task.submissionFile]: job.code },
    main: task.main,
    ...(task.build && { build: buildOf(task.build, job.gpuType) }),
    // What is compiled needs none.
    warmup: task.build || task.standalone ? null : { file: task.submissionFile, timeout_s: WARMUP_TIMEOUT_S },
  };
}

function buildOf(build: CudaBuild, gpuType: string): NonNullable<JobSpec['build']> {
  return {
    sources: build.sources,
    include_dirs: build.includeDirs,
    defines: build.defines,
    flags: build.flags,
    libraries: build.libraries,
    arch: cudaArch(gpuType),
    timeout_s: BUILD_TIMEOUT_S,
  };
}
