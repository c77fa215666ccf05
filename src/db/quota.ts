/**
 * Limits per leaderboard on how much a user submits in an hour, and the ledger of what was used.
 *
 * The ledger is written for every submission, limited or not, so that a limit that is set now counts what came before.
 * It does not refer to submissions: deleting one gives nothing back. Our own failures do.
 */
import type { Mode } from '../domain/submission.ts';
import type { Db } from './client.ts';

/** Ranked submissions count on their own, all other modes together. */
export const quotaCategories = ['test', 'leaderboard'] as const;
export type QuotaCategory = (typeof quotaCategories)[number];

export function quotaCategory(mode: Mode): QuotaCategory {
  return mode === 'leaderboard' ? 'leaderboard' : 'test';
}

export interface RateLimit {
  category: QuotaCategory;
  maxPerHour: number;
  createdAt: Date;
  updatedAt: Date;
}

const columns = (db: Db) => db`
  category, max_per_hour as "maxPerHour", created_at as "createdAt", updated_at as "updatedAt"`;

export async function setRateLimit(
  db: Db,
  limit: { leaderboardId: number; category: QuotaCategory; maxPerHour: number; setBy: string },
): Promise<RateLimit> {
  const [row] = await db<RateLimit[]>`
    insert into hotlap.rate_limits (leaderboard_id, category, max_per_hour, set_by)
    values (${limit.leaderboardId}, ${limit.category}, ${limit.maxPerHour}, ${limit.setBy})
    on conflict (leaderboard_id, category) do update set
      max_per_hour = excluded.max_per_hour, set_by = excluded.set_by, updated_at = now()
    returning ${columns(db)}`;
  if (!row) throw new Error('setting a rate limit returned no row');
  return row;
}

export async function listRateLimits(db: Db, leaderboardId: number): Promise<RateLimit[]> {
  return db<RateLimit[]>`
    select ${columns(db)} from hotlap.rate_limits where leaderboard_id = ${leaderboardId} order by category`;
}

/** False when there was none. */
export async function deleteRateLimit(
  db: Db,
  leaderboardId: number,
  category: QuotaCategory,
): Promise<boolean> {
  const rows = await db`
    delete from hotlap.rate_limits where leaderboard_id = ${leaderboardId} and category = ${category} returning 1`;
  return rows.length > 0;
}

export interface QuotaKey {
  userId: string;
  leaderboardId: number;
  category: QuotaCategory;
}

export interface QuotaState {
  used: number;
  maxPerHour: number;
  /** Until the oldest use is an hour old. Zero while some quota is left. */
  waitSeconds: number;
}

/**
 * How a user stands within the last hour; null where nothing is limited. Holds up the same user's other submissions to
 * the board until the transaction ends, so that two at once cannot both take the last one.
 */
export async function lockQuota(tx: Db, key: QuotaKey): Promise<QuotaState | null> {
  const [limit] = await tx<{ maxPerHour: number }[]>`
    select max_per_hour as "maxPerHour" from hotlap.rate_limits
    where leaderboard_id = ${key.leaderboardId} and category = ${key.category}`;
  if (!limit) return null;
  await tx`select pg_advisory_xact_lock(hashtextextended(${`quota:${key.leaderboardId}:${key.category}:${key.userId}`}, 0))`;
  // The oldest of those that fill the quota: with a limit that was lowered, more than one has to pass.
  const [row] = await tx<{ used: number; waitSeconds: number | null }[]>`
    with uses as (
      select used_at, row_number() over (order by used_at desc) as n from hotlap.quota_uses
      where user_id = ${key.userId} and leaderboard_id = ${key.leaderboardId} and category = ${key.category}
        and given_back_at is null and used_at > now() - interval '1 hour'
    )
    select count(*) as used,
      max(extract(epoch from used_at + interval '1 hour' - now())) filter (where n = ${limit.maxPerHour}::bigint)
        ::float8 as "waitSeconds"
    from uses`;
  return {
    used: row?.used ?? 0,
    maxPerHour: limit.maxPerHour,
    waitSeconds: Math.max(0, Math.ceil(row?.waitSeconds ?? 0)),
  };
}

export async function useQuota(tx: Db, submissionId: number, key: QuotaKey): Promise<void> {
  await tx`
    insert into hotlap.quota_uses (submission_id, user_id, leaderboard_id, category)
    values (${submissionId}, ${key.userId}, ${key.leaderboardId}, ${key.category})`;
}

/** A box failed, not the code. */
export async function giveBackQuota(tx: Db, submissionId: number): Promise<void> {
  await tx`
    update hotlap.quota_uses set given_back_at = now()
    where submission_id = ${submissionId} and given_back_at is null`;
}
