/**
 * Boards over time. The table holds every state of every entry for as long as it stood, kept by triggers, so that the board
 * of any moment is what stood then: a snapshot for each change, without copying what did not change.
 *
 * Old states are thinned, not dropped: after 30 days what stood at a midnight (UTC) is left, after a year what stood at
 * the midnight of a Monday. A question about such a time is answered for the midnight before it.
 */
import type { BoardEntry, Viewer } from '../domain/submission.ts';
import type { Db, Sql } from './client.ts';
import { isTheirs } from './measurements.ts';

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

/** The moment for which a question about `at` is answered, to tell whoever asked. */
export async function findKeptMoment(db: Db, at: Date): Promise<Date> {
  const [row] = await db<{ at: Date }[]>`select ${keptMoment(db, at)} as at`;
  return row?.at ?? at;
}

/** Whether what was there a day before it is another moment than the one that is kept for it. */
export function isKeptDaily(at: Date, now: Date): boolean {
  return now.getTime() - at.getTime() < (DAILY_DAYS - 1) * 86_400_000;
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

/** Since when there has been anybody on a track; null: there never was. */
export async function findTrackStart(
  db: Db,
  track: { leaderboardId: number; name: string },
): Promise<Date | null> {
  const [row] = await db<{ since: Date | null }[]>`
    select min(h.since) as since from hotlap.board_history h
    where h.leaderboard_id = ${track.leaderboardId} and h.track = ${track.name}`;
  return row?.since ?? null;
}

/** What a submission was on a track. The score is null where it is not for the viewer. */
export interface SubmissionState
  extends Pick<BoardEntry, 'submissionId' | 'score' | 'recent' | 'steady' | 'anchor' | 'provisional'> {
  track: string;
  since: Date;
  /** Null: it stands. */
  until: Date | null;
  /** Where it stood when this state began; of states that were thinned, at the first midnight that is kept. */
  rank: number;
  /** Where the next page begins. */
  cursor: StateCursor;
}

export interface StateCursor {
  /** As PostgreSQL writes it: a Date has no microseconds. */
  since: string;
  track: string;
}

/** What one submission was on the tracks of its board, newest first; null for `track`: on all of them. */
export async function listSubmissionStates(
  db: Db,
  of: { submissionId: number; track: string | null; viewer: Viewer | null },
  page: { limit: number; after: StateCursor | null },
): Promise<{ items: SubmissionState[]; total: number }> {
  const where = db`
    h.submission_id = ${of.submissionId} ${of.track === null ? db`` : db`and h.track = ${of.track}`}`;
  const [count] = await db<{ total: number }[]>`
    select count(*) as total from hotlap.board_history h where ${where}`;
  const items = await db<SubmissionState[]>`
    select h.track, h.submission_id as "submissionId", h.recent, h.steady, h.anchor, h.provisional, h.since,
      coalesce(h.shown_score, case when ${isTheirs(db, of.viewer)} then h.score end) as score,
      nullif(h.until, 'infinity') as until, json_build_object('since', h.since::text, 'track', h.track) as cursor, (
        select 1 + count(*) from hotlap.board_history o
        where o.leaderboard_id = h.leaderboard_id and o.track = h.track and o.sort_key < h.sort_key
          and o.since <= kept.at and o.until > kept.at) as rank
    from hotlap.board_history h
    join hotlap.submissions s on s.id = h.submission_id
    cross join lateral (
      select case
        when h.since >= now() - make_interval(days => ${FULL_DAYS}) then h.since
        when h.since >= now() - make_interval(days => ${DAILY_DAYS})
          then date_trunc('day', h.since - interval '1 microsecond', 'UTC') + interval '1 day'
        else date_trunc('week', h.since - interval '1 microsecond', 'UTC') + interval '7 days' end as at
    ) kept
    where ${where}
      ${page.after === null ? db`` : db`and (h.since, h.track) < (${page.after.since}::text::timestamptz, ${page.after.track})`}
    order by h.since desc, h.track desc limit ${page.limit}`;
  return { items, total: count?.total ?? 0 };
}
