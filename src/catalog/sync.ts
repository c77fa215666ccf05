/**
 * Bringing the database in line with the problems on disk without anybody to ask: at every start.
 *
 * A leaderboard that is no longer on disk stays as it is, and so does one that was read from elsewhere since: a restart
 * must not take back what an organiser has confirmed.
 */

import { listBoardStates } from '../db/board-states.ts';
import type { Sql } from '../db/client.ts';
import { lockProblemSync } from '../db/leaderboards.ts';
import type { SyncReport } from '../domain/sync-plan.ts';
import { applyProblems, emptyReport } from './apply.ts';
import { loadCatalog } from './load.ts';
import { planEntries } from './plan.ts';

export async function syncProblems(sql: Sql, root: string): Promise<SyncReport> {
  const catalog = await loadCatalog(root);
  const report = emptyReport({ refused: catalog.faults, warnings: catalog.warnings, kept: [] });
  for (const entries of Map.groupBy(catalog.entries, (entry) => entry.set).values()) {
    await sql.begin(async (tx) => {
      await lockProblemSync(tx);
      const names = entries.map((entry) => entry.leaderboard);
      const foreign = (await listBoardStates(tx, names)).filter((state) => state.origin.kind !== 'directory');
      const kept = new Set(foreign.map((state) => state.name.toLowerCase()));
      report.kept.push(...foreign.map((state) => state.name));
      const own = entries.filter((entry) => !kept.has(entry.leaderboard.toLowerCase()));
      const origin = { kind: 'directory' } as const;
      await applyProblems(tx, await planEntries(tx, own, origin), origin, report);
    });
  }
  return report;
}
