/** Taking submissions or accounts out of all rankings, and back in. Nothing is deleted. */
import type { Db, Sql } from './client.ts';
import { refreshEntries } from './ranking.ts';

export interface Invalidation {
  by: string;
  reason: string;
}

/** Null puts it back. False when there is no such submission. */
export async function setSubmissionInvalid(sql: Sql, id: number, why: Invalidation | null): Promise<boolean> {
  return sql.begin((tx) => markSubmission(tx, id, why));
}

/** The same in a transaction that does more (rulings.ts). */
export async function markSubmission(tx: Db, id: number, why: Invalidation | null): Promise<boolean> {
  const [row] = await tx<{ leaderboardId: number; userId: string }[]>`
      update hotlap.submissions set invalidated_at = ${why ? tx`now()` : null}, invalidated_by = ${why?.by ?? null},
        invalid_reason = ${why?.reason ?? null}
      where id = ${id} returning leaderboard_id as "leaderboardId", user_id as "userId"`;
  if (!row) return false;
  await refreshEntries(tx, { leaderboardId: row.leaderboardId, gpuTypes: null, userIds: [row.userId] });
  return true;
}

/** All submissions of the account, also those to come, until null puts it back. False when there is no such user. */
export async function setUserInvalid(sql: Sql, userId: string, why: Invalidation | null): Promise<boolean> {
  return sql.begin(async (tx) => {
    const rows = await tx`
      update hotlap.users set invalidated_at = ${why ? tx`now()` : null}, invalidated_by = ${why?.by ?? null},
        invalid_reason = ${why?.reason ?? null}
      where id = ${userId} returning id`;
    if (rows.length === 0) return false;
    const boards = await boardsOf(tx, userId);
    for (const id of boards) await tx`select hotlap.lock_entries(${id}, ${[userId]}, false)`;
    for (const leaderboardId of boards) {
      await refreshEntries(tx, { leaderboardId, gpuTypes: null, userIds: [userId] });
    }
    return true;
  });
}

/** By number for everybody: each board's entries take locks, all before the first is ranked anew. */
async function boardsOf(tx: Db, userId: string): Promise<number[]> {
  const rows = await tx<{ id: number }[]>`
    select distinct leaderboard_id as id from hotlap.submissions
    where user_id = ${userId} and leaderboard_id is not null order by 1`;
  return rows.map((row) => row.id);
}
