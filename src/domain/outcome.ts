/**
 * Reading what a box sent back: from the runner's JSON to a typed Outcome.
 *
 * A stage passed when its process ended with 0 or 112, its last `check` says `pass`, and its lines are well formed, fit
 * what was sent and are plausible (problem-format section 5, threats 5.5): strict-pass.ts. Why one did not pass:
 * stage-failure.ts.
 */
import type { JobResult, StageReport, StageSpec, SystemInfo } from './protocol.ts';
import {
  type BenchmarkCase,
  readBenchmarkLines,
  readMetricLines,
  readProfileLines,
  readTestLines,
  type TestCase,
} from './result-lines.ts';
import { phaseLines, readServingFigures, servingFailure } from './serving-outcome.ts';
import { type Failure, findFailure } from './stage-failure.ts';

/** What a compiler did before the stage, where it did something worth telling. */
export interface Compilation {
  success: boolean;
  command: string;
  stdout: string;
  stderr: string;
  exitCode: number | null;
}

/** The first run of the submitted file, before its first stage (problem-format 2.1). What it does decides nothing. */
export interface Warmup {
  exitCode: number | null;
  timedOut: boolean;
  durationMs: number;
  stdout: string;
  stderr: string;
}

export interface Profile {
  /** `ncu`, `rocprofv3`, or empty: the evaluation program's own means. */
  profiler: string;
  /** Why the box's profiler was not used after all. */
  problem: string | null;
}

export interface StageOutcome {
  name: string;
  mode: string;
  passed: boolean;
  failure: Failure | null;
  startedAt: string;
  finishedAt: string;
  durationMs: number;
  exitCode: number | null;
  compilation: Compilation | null;
  warmup: Warmup | null;
  /** By what a stage in profile mode was profiled. */
  profile: Profile | null;
  tests: TestCase[];
  benchmarks: BenchmarkCase[];
  /** What the run reports by name (`metric.<name>`). */
  metrics: Record<string, number>;
  /** Decoded profiler text per case, in profile mode. */
  profiles: { spec: string; report: string }[];
  stdout: string;
  stderr: string;
  /** The result lines as they came, in order. */
  lines: [string, string][];
}

export interface Outcome {
  passed: boolean;
  cancelled: boolean;
  failure: Failure | null;
  stages: StageOutcome[];
  system: SystemInfo;
  sandbox: string;
}

const MAX_EXIT_CODE = 2 ** 31 - 1;

/** Never throws for anything a participant can cause. `sent` are the stages that the job had. */
export function readOutcome(result: JobResult, sent: Pick<StageSpec, 'name' | 'cases'>[]): Outcome {
  const { stages: reports, system, sandbox } = storableText(result);
  const stages = reports.map((report, index) => readStage(report, sent[index]));
  const failure = stages.find((stage) => stage.failure !== null)?.failure ?? null;
  const cancelled = result.outcome === 'cancelled';
  return {
    passed: !cancelled && failure === null && stages.length === sent.length,
    cancelled,
    failure,
    stages,
    system,
    sandbox,
  };
}

/** Every string without NUL characters and lone surrogates: PostgreSQL stores neither. */
function storableText<T>(value: T): T {
  if (typeof value === 'string') return value.replaceAll('\u0000', '\ufffd').toWellFormed() as T;
  if (Array.isArray(value)) return value.map(storableText) as T;
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, storableText(item)])) as T;
  }
  return value;
}

function readStage(report: StageReport, sent: Pick<StageSpec, 'name' | 'cases'> | undefined): StageOutcome {
  // A stage that nobody asked for has no cases that it could have passed.
  const cases = sent?.name === report.name ? sent.cases.split('\n').slice(0, -1) : [];
  const { serving } = report;
  const failure = serving ? servingFailure(report, serving) : findFailure(report, cases);
  const last = new Map(report.lines);
  return {
    name: report.name,
    mode: report.mode,
    passed: failure === null,
    failure,
    startedAt: report.started_at,
    finishedAt: report.finished_at,
    durationMs: report.duration_ms,
    exitCode: exitCodeOf(report),
    compilation: compilationOf(report),
    warmup: warmupOf(report),
    profile: report.profile ? { profiler: report.profile.profiler, problem: report.profile.problem } : null,
    tests: readTestLines(last),
    benchmarks: readBenchmarkLines(last),
    metrics: serving ? readServingFigures(last) : readMetricLines(last),
    profiles: readProfileLines(last),
    stdout: report.stdout,
    stderr: report.stderr,
    lines: serving ? [...report.lines, ...phaseLines(serving)] : report.lines,
  };
}

/** Null for a number that no process ends with: that of a dead worker can be made up, and is stored as an int4. */
function exitCodeOf(report: { exit_code: number | null }): number | null {
  const code = report.exit_code;
  return code !== null && Math.abs(code) <= MAX_EXIT_CODE ? code : null;
}

function warmupOf({ warmup }: StageReport): Warmup | null {
  if (!warmup) return null;
  return {
    exitCode: exitCodeOf(warmup),
    timedOut: warmup.timed_out,
    durationMs: warmup.duration_ms,
    stdout: warmup.stdout,
    stderr: warmup.stderr,
  };
}

/** A build of ours, or one that PyTorch's inline compiler told about in the warm-up (problem-format 2.1). */
function compilationOf(report: StageReport): Compilation | null {
  const { build, warmup } = report;
  const told = build ?? (warmup?.stdout.includes('-DTORCH_EXTENSION_NAME') ? warmup : null);
  if (!told) return null;
  return {
    success: told.exit_code === 0,
    command: build?.command ?? '',
    stdout: told.stdout,
    stderr: told.stderr,
    exitCode: exitCodeOf(told),
  };
}
