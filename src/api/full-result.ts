/** Results of a submission as the streaming client reads them: per GPU type, what ran there; of secret runs nothing. */
import { failureLabels } from '../domain/rank.ts';
import type { RunView, SubmissionView } from '../domain/submission.ts';
import { reportFile } from '../reports/report-file.ts';

export function fullResult(view: SubmissionView, runs: RunView[]): Record<string, unknown> {
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
        runs: Object.fromEntries(own.map((run) => [run.stage, runResult(run)])),
        score: gpu.publicScore,
        secret_score: gpu.secretScore,
        ranked: gpu.eligible,
        reason: gpu.reason,
      };
    }),
    reports: [reportFile(view, runs).text],
  };
}

function runResult(run: RunView): Record<string, unknown> {
  const lines: Record<string, string | number> = Object.fromEntries(run.result);
  // The client wants a number here, and shows no profile without it.
  const count = Number(lines['benchmark-count']);
  if (Number.isInteger(count)) lines['benchmark-count'] = count;
  return {
    start: run.startedAt.toISOString(),
    end: run.finishedAt.toISOString(),
    compilation: null,
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
    profile: null,
  };
}
