/** Results of a submission as the streaming client reads them: per GPU type, what ran there; of secret runs nothing. */
import { failureLabels } from '../domain/rank.ts';
import type { RunView, SubmissionView } from '../domain/submission.ts';
import { reportFile } from '../reports/report-file.ts';

/** A recording of profile mode. */
export interface LoadedTrace {
  gpuType: string;
  stage: string;
  /** Null: too large to go along. */
  content: Buffer | null;
  /** Where it is fetched, below the address of this server. */
  path: string;
}

export function fullResult(
  view: SubmissionView,
  runs: RunView[],
  traces: LoadedTrace[] = [],
): Record<string, unknown> {
  return {
    status: 'success',
    submission_id: view.id,
    results: view.gpus.map((gpu) => {
      const own = runs.filter((run) => !run.secret && run.gpuType === gpu.gpuType);
      const { failure } = gpu.publicJob;
      return {
        gpu: gpu.gpuType,
        success: true,
        error: failure ? `${failureLabels[failure.kind]} (${failure.stage}): ${failure.summary}` : '',
        system: own[0]?.system ?? null,
        runs: Object.fromEntries(own.map((run) => [run.stage, runResult(run, traceOf(run, traces))])),
        score: gpu.publicScore,
        secret_score: gpu.secretScore,
        ranked: gpu.eligible,
        reason: gpu.reason,
      };
    }),
    reports: [reportFile(view, runs).text],
  };
}

function traceOf(run: RunView, traces: LoadedTrace[]): LoadedTrace | undefined {
  return traces.find((trace) => trace.gpuType === run.gpuType && trace.stage === run.stage);
}

function runResult(run: RunView, trace: LoadedTrace | undefined): Record<string, unknown> {
  const lines: Record<string, string | number> = Object.fromEntries(run.result);
  // The client wants a number here, and shows no profile without it.
  const count = Number(lines['benchmark-count']);
  if (Number.isInteger(count)) lines['benchmark-count'] = count;
  return {
    start: run.startedAt.toISOString(),
    end: run.finishedAt.toISOString(),
    compilation: run.compilation && {
      success: run.compilation.success,
      command: run.compilation.command,
      stdout: run.compilation.stdout,
      stderr: run.compilation.stderr,
      exit_code: run.compilation.exitCode,
    },
    run: {
      success: run.exitCode === 0 || run.passed,
      passed: run.passed,
      command: '',
      stdout: run.stdout,
      stderr: run.stderr,
      exit_code: run.exitCode,
      duration: (run.finishedAt.getTime() - run.startedAt.getTime()) / 1000,
      result: lines,
    },
    profile: run.profile && {
      profiler: run.profile.profiler || 'evaluation program',
      problem: run.profile.problem,
      trace: trace?.content?.toString('base64') ?? '',
      download_url: trace?.path ?? null,
    },
  };
}
