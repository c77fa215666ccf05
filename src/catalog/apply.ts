/** Carrying out a plan: each set in one transaction of its own, so that a set is brought in as a whole or not at all. */
import type { Db, Sql } from '../db/client.ts';
import { lockProblemSync, saveLeaderboard, storeTaskVersion } from '../db/leaderboards.ts';
import type { Origin } from '../domain/problem-source.ts';
import type { PlannedProblem, SyncPlan, SyncReport } from '../domain/sync-plan.ts';
import { taskHash } from '../domain/task.ts';
import { planEntries } from './plan.ts';

/**
 * Does what the plan says. A set of which some board is no longer as it was when the plan was made is left as it is, and
 * named in `refused`. `also` is done in the transaction of each set, with the boards that it made.
 */
export async function applySync(
  sql: Sql,
  plan: SyncPlan,
  also: (tx: Db, created: { id: number; name: string }[]) => Promise<void> = async () => {},
): Promise<SyncReport> {
  const report = emptyReport(plan);
  for (const [set, problems] of bySet(plan.problems)) {
    await sql.begin(async (tx) => {
      await lockProblemSync(tx);
      const entries = problems.map((problem) => problem.entry);
      const now = await planEntries(tx, entries, plan.origin);
      if (now.some((problem, index) => problem.fingerprint !== problems[index]?.fingerprint)) {
        report.refused.push(
          `${set}.yaml: a board of this set was changed after the plan was made; nothing of the set was applied, so plan it again`,
        );
        return;
      }
      await also(tx, await applyProblems(tx, problems, plan.origin, report));
    });
  }
  return report;
}

export function emptyReport(from: Pick<SyncPlan, 'refused' | 'warnings' | 'kept'>): SyncReport {
  const { refused, warnings, kept } = from;
  return { created: [], updated: [], unchanged: [], refused: [...refused], warnings, kept, rejudge: [] };
}

export function bySet(problems: PlannedProblem[]): Map<string, PlannedProblem[]> {
  return Map.groupBy(problems, (problem) => problem.entry.set);
}

/** Under the lock of `lockProblemSync`, with problems that were planned under it. Returns the boards that are new. */
export async function applyProblems(
  tx: Db,
  problems: PlannedProblem[],
  origin: Origin,
  report: SyncReport,
): Promise<{ id: number; name: string }[]> {
  const made: { id: number; name: string }[] = [];
  for (const { entry, change, asksForRejudge, ranked, keptTaskVersionId } of problems) {
    const { leaderboard, task } = entry;
    const { id: leaderboardId } = await saveLeaderboard(tx, {
      name: leaderboard,
      setName: entry.set,
      directory: entry.directory,
      deadline: entry.deadline,
      taskVersionId: keptTaskVersionId ?? (await storeTaskVersion(tx, taskHash(task), task)),
      scoreAscending: task.scoreAscending,
      gpus: entry.gpus,
      origin,
    });
    const list = { created: report.created, changed: report.updated, unchanged: report.unchanged };
    list[change].push(leaderboard);
    if (change === 'created') made.push({ id: leaderboardId, name: leaderboard });
    if (asksForRejudge && ranked > 0) report.rejudge.push({ leaderboardId, leaderboard, ranked });
  }
  return made;
}
