/** Bringing the database in line with the problems on disk. A leaderboard that is no longer on disk stays as it is. */
import type { Sql } from '../db/client.ts';
import { lockProblemSync, saveLeaderboard, storeTaskVersion } from '../db/leaderboards.ts';
import { taskHash } from '../domain/task.ts';
import { loadCatalog } from './load.ts';

export interface SyncReport {
  created: string[];
  updated: string[];
  unchanged: string[];
  /** Faults: what was left out, with file, line and what to mend. */
  refused: string[];
  warnings: string[];
}

/** All boards in one transaction; a changed task becomes a new version and the board points to it. */
export async function syncProblems(sql: Sql, root: string): Promise<SyncReport> {
  const catalog = await loadCatalog(root);
  const report: SyncReport = {
    created: [],
    updated: [],
    unchanged: [],
    refused: catalog.faults,
    warnings: catalog.warnings,
  };
  await sql.begin(async (tx) => {
    await lockProblemSync(tx);
    for (const entry of catalog.entries) {
      const taskVersionId = await storeTaskVersion(tx, taskHash(entry.task), entry.task);
      const change = await saveLeaderboard(tx, {
        name: entry.leaderboard,
        setName: entry.set,
        directory: entry.directory,
        deadline: entry.deadline,
        taskVersionId,
        scoreAscending: entry.task.scoreAscending,
        gpus: entry.gpus,
      });
      report[change].push(entry.leaderboard);
    }
  });
  return report;
}
