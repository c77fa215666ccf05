/**
 * Boards over time. The table holds every state of every entry for as long as it stood, kept by triggers, so that the board
 * of any moment is what stood then: a snapshot for each change, without copying what did not change.
 *
 * Old states are thinned, not dropped: after 30 days what stood at a midnight (UTC) is left, after a year what stood at
 * the midnight of a Monday. A question about such a time is answered for the midnight before it.
 */
import type { Db, Sql } from './client.ts';

const FULL_DAYS = 30;
const DAILY_DAYS = 365;

/** The moment for which a question about `at` is answered. */
export const keptMoment = (db: Db, at: Date) => db`(
  select case
    when t >= now() - make_interval(days => ${FULL_DAYS}) then t
    -- The midnight itself has to be younger: what stood at older ones is thinned further.
    when date_trunc('day', t, 'UTC') >= now() - make_interval(days => ${DAILY_DAYS}) then date_trunc('day', t, 'UTC')
    else date_trunc('week', t, 'UTC') end
  from (values (${at}::timestamptz)) v (t))`;

/**
 * The latest moment up to `at` as of which no board changes any more. Whoever writes entries holds a lock while they are not
 * yet committed, and what they write stands since they got it: so a moment before all of these began is settled, and so is
 * what later ones write after it.
 */
export async function settledMoment(db: Db, at: Date): Promise<Date> {
  const [row] = await db<{ moment: Date }[]>`
    select least(${at}, statement_timestamp(), (
      select min(a.xact_start) - interval '1 millisecond'
      from pg_locks k join pg_stat_activity a on a.pid = k.pid
      where k.locktype = 'advisory' and k.granted and k.objsubid = 1
        and k.database = (select d.oid from pg_database d where d.datname = current_database())
        and (k.classid::bigint << 32 | k.objid::bigint) = hashtextextended('entries', 0)
    )) as moment`;
  return row?.moment ?? at;
}

/** Takes out states that stood at none of the kept moments. Returns how many. */
export async function thinHistory(sql: Sql): Promise<number> {
  const rows = await sql<{ thinned: number }[]>`
    with gone as (
      delete from hotlap.board_history h
      where (h.until < now() - make_interval(days => ${DAILY_DAYS})
          and date_trunc('week', h.until - interval '1 microsecond', 'UTC') < h.since)
        or (h.until < now() - make_interval(days => ${FULL_DAYS})
          and date_trunc('day', h.until - interval '1 microsecond', 'UTC') < h.since)
      returning 1
    )
    select count(*) as thinned from gone`;
  return rows[0]?.thinned ?? 0;
}

/** Sums up what was added to the tallies. What is added meanwhile stays beside it. */
export async function foldTallies(sql: Sql): Promise<void> {
  await sql`
    with taken as (
      delete from hotlap.board_tallies t
      where (t.leaderboard_id, t.track) in (
        select leaderboard_id, track from hotlap.board_tallies group by leaderboard_id, track, step having count(*) > 1)
      returning leaderboard_id, track, step, entries
    )
    insert into hotlap.board_tallies (leaderboard_id, track, step, entries)
    select leaderboard_id, track, step, sum(entries) from taken
    group by 1, 2, 3 having sum(entries) <> 0`;
}

export interface HistoryPoint {
  userId: string;
  userName: string;
  submissionId: number;
  /** Null where it is not for everybody. */
  score: number | null;
  provisional: boolean;
  since: Date;
  /** Null: it stands. */
  until: Date | null;
}

/** Every state that these users' entries had on a track between two times, by user and time. */
export async function listEntryHistory(
  db: Db,
  of: { leaderboardId: number; track: string; userIds: string[]; from: Date; to: Date },
): Promise<HistoryPoint[]> {
  return db<HistoryPoint[]>`
    select h.user_id as "userId", u.name as "userName", h.submission_id as "submissionId", h.shown_score as score,
      h.provisional, h.since, nullif(h.until, 'infinity') as until
    from hotlap.board_history h join hotlap.users u on u.id = h.user_id
    where h.leaderboard_id = ${of.leaderboardId} and h.track = ${of.track} and h.user_id = any(${of.userIds})
      and h.since <= ${of.to} and h.until > ${of.from}
    order by h.user_id, h.since`;
}
