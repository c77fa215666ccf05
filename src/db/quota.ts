/**
 * Limits per leaderboard on how much a user submits in an hour, and the ledger of what was used.
 *
 * The ledger is written for every submission, limited or not, so that a limit that is set now counts what came before.
 * It does not refer to submissions: deleting one gives nothing back. Our own failures do.
 */
import type { ChangeNote } from '../domain/audit.ts';
import type { Mode } from '../domain/submission.ts';
import type { ChangeRecord } from './audit.ts';
import type { Db, Sql } from './client.ts';
import { hurryQuotaNotices, oweQuotaNotices } from './notices.ts';

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
  sql: Sql,
  limit: { board: { id: number; name: string }; category: QuotaCategory; maxPerHour: number },
  record: ChangeRecord,
): Promise<RateLimit> {
  const { board, category, maxPerHour } = limit;
  return sql.begin(async (tx) => {
    const before = await lockRateLimit(tx, board.id, category);
    const [row] = await tx<RateLimit[]>`
      insert into hotlap.rate_limits (leaderboard_id, category, max_per_hour, set_by)
      values (${board.id}, ${category}, ${maxPerHour}, ${record.actor.name})
      on conflict (leaderboard_id, category) do update set
        max_per_hour = excluded.max_per_hour, set_by = excluded.set_by, updated_at = now()
      returning ${columns(tx)}`;
    if (!row) throw new Error('setting a rate limit returned no row');
    await record.note(tx, changeOf(board, category, before, maxPerHour));
    return row;
  });
}

async function lockRateLimit(tx: Db, leaderboardId: number, category: QuotaCategory): Promise<number | null> {
  // The board's row: two who set its first limit at once are told apart too.
  await tx`select from hotlap.leaderboards where id = ${leaderboardId} for update`;
  const [row] = await tx<{ maxPerHour: number }[]>`
    select max_per_hour as "maxPerHour" from hotlap.rate_limits
    where leaderboard_id = ${leaderboardId} and category = ${category}`;
  return row?.maxPerHour ?? null;
}

function changeOf(
  board: { name: string },
  category: QuotaCategory,
  before: number | null,
  after: number | null,
): ChangeNote {
  const state = (perHour: number | null) => ({ mode: category, per_hour: perHour });
  return { subject: `leaderboard ${board.name}`, before: state(before), after: state(after) };
}

export async function listRateLimits(db: Db, leaderboardId: number): Promise<RateLimit[]> {
  return db<RateLimit[]>`
    select ${columns(db)} from hotlap.rate_limits where leaderboard_id = ${leaderboardId} order by category`;
}

/** False when there was none. */
export async function deleteRateLimit(
  sql: Sql,
  board: { id: number; name: string },
  category: QuotaCategory,
  record: ChangeRecord,
): Promise<boolean> {
  return sql.begin(async (tx) => {
    const before = await lockRateLimit(tx, board.id, category);
    if (before === null) return false;
    await tx`delete from hotlap.rate_limits where leaderboard_id = ${board.id} and category = ${category}`;
    await record.note(tx, changeOf(board, category, before, null));
    return true;
  });
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

/** How somebody stands with all limits of these boards, by the boards' names. Holds up nobody. */
export async function listQuotaOf(
  db: Db,
  userId: string,
  leaderboardIds: number[],
): Promise<
  { leaderboard: string; category: QuotaCategory; used: number; maxPerHour: number; freeAt: Date | null }[]
> {
  return db`
    select l.name as leaderboard, r.category, r.max_per_hour as "maxPerHour", u.used, u.free_at as "freeAt"
    from hotlap.rate_limits r
    join hotlap.leaderboards l on l.id = r.leaderboard_id
    cross join lateral (
      select count(*) as used, max(used_at + interval '1 hour') filter (where n = r.max_per_hour) as free_at
      from (
        select used_at, row_number() over (order by used_at desc) as n from hotlap.quota_uses
        where user_id = ${userId} and leaderboard_id = r.leaderboard_id and category = r.category
          and given_back_at is null and used_at > now() - interval '1 hour'
      ) uses
    ) u
    where r.leaderboard_id = any(${leaderboardIds}) order by lower(l.name), r.category`;
}

export async function useQuota(tx: Db, submissionId: number, key: QuotaKey): Promise<void> {
  await tx`
    insert into hotlap.quota_uses (submission_id, user_id, leaderboard_id, category)
    values (${submissionId}, ${key.userId}, ${key.leaderboardId}, ${key.category})`;
  await oweQuotaNotices(tx, key.userId);
}

/** A box failed, not the code. */
export async function giveBackQuota(tx: Db, submissionId: number): Promise<void> {
  const [use] = await tx<{ userId: string }[]>`
    update hotlap.quota_uses set given_back_at = now()
    where submission_id = ${submissionId} and given_back_at is null returning user_id as "userId"`;
  if (use) await hurryQuotaNotices(tx, use.userId);
}
