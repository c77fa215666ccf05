/** Where a failure points to the problem's own files rather than to the submission: for its author. */
import type { Outcome } from '../domain/outcome.ts';

/** Exit codes of the public evaluation programs (docs/problem-authors.md) that are not about the submission. */
const byExitCode: Record<number, string> = {
  2: 'Exit code 2: the evaluation program does not know this mode.',
  111: 'Exit code 111: the evaluation program found no result pipe; it is named by POPCORN_FD.',
  113: 'Exit code 113: the evaluation program refused a case, or could not make the input of one. Look at the cases in task.yml and at the function that makes inputs.',
};

/** Null where the failure is the submission's own. */
export function harnessNote({ stages }: Outcome): string | null {
  const stage = stages.find((item) => item.failure !== null);
  if (!stage?.failure) return null;
  if (stage.failure.kind === 'malformed') {
    return 'Look at what the evaluation program writes to POPCORN_FD, unless the submission meddles with it.';
  }
  if (stage.failure.kind !== 'crash') return null;
  const known = stage.exitCode === null ? undefined : byExitCode[stage.exitCode];
  if (known !== undefined) return known;
  if (stage.lines.some(([key]) => key === 'check')) return null;
  if (stage.exitCode === 0) {
    return 'The evaluation program ended without a line "check: pass" or "check: fail" on the descriptor in POPCORN_FD.';
  }
  return stage.exitCode === 1 && stage.tests.length + stage.benchmarks.length === 0
    ? 'Nothing was judged: look at the problem’s own files, and whether Python on this machine has the modules that they import.'
    : null;
}
