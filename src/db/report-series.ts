/**
 * Series of reports between two times. The database thins them: the time between the two is cut into as many equal parts as
 * points are wanted, and each part that has observations becomes one point, whose value is the latest of them by time and
 * number. So a page is never longer than that, whatever there is.
 */
import type { PendingQuery, Row } from 'postgres';
import type { Viewer } from '../domain/submission.ts';
import type { Db } from './client.ts';
import { isInForce, measuredValue, showsRuns } from './measurements.ts';

export interface SeriesSpan {
  from: Date;
  to: Date;
  /** At most so many of each series. */
  points: number;
}

export interface SeriesPoint {
  /** When the latest observation was made. */
  at: Date;
  value: number;
  mean: number;
  low: number;
  high: number;
  /** Observations in this part of the time. */
  samples: number;
  submissionId: number;
}

/** `source`: rows of (key columns, at, id, value, submission_id), `at` between the two times. */
const thinned = (db: Db, source: PendingQuery<Row[]>, keys: PendingQuery<Row[]>, span: SeriesSpan) => db`
  select ${keys}, (array_agg(at order by at desc, id desc))[1] as at,
    (array_agg(value order by at desc, id desc))[1] as value,
    -- Through numeric, because sums of what fits may not fit.
    avg(value::numeric)::double precision as mean, min(value) as low, max(value) as high, count(*) as samples,
    (array_agg(submission_id order by at desc, id desc))[1] as "submissionId"
  from (
    select *, least(${span.points}::int - 1, floor(${span.points}::int * extract(epoch from at - ${span.from}::timestamptz)
      / extract(epoch from ${span.to}::timestamptz - ${span.from}::timestamptz))) as part
    from (${source}) source where value is not null
  ) parts
  group by ${keys}, part order by ${keys}, part`;

export interface EntryPoint extends SeriesPoint {
  userId: string;
  /** When that value ceased to stand; null: it stands at the end of the time. */
  until: Date | null;
}

/** What the entries of these users scored on a track. What stood at the beginning already counts as of then. */
export async function listEntrySeries(
  db: Db,
  of: { leaderboardId: number; track: string; userIds: string[] },
  span: SeriesSpan,
): Promise<EntryPoint[]> {
  const source = db`
    select h.user_id as "userId", greatest(h.since, ${span.from}::timestamptz) as at, h.submission_id as id,
      h.submission_id, h.shown_score as value
    from hotlap.board_history h
    where h.leaderboard_id = ${of.leaderboardId} and h.track = ${of.track} and h.user_id = any(${of.userIds})
      and h.since <= ${span.to} and h.until > ${span.from}`;
  return db<EntryPoint[]>`
    select thinned.*, case when h.until <= ${span.to} then h.until end as until
    from (${thinned(db, source, db`"userId"`, span)}) thinned
    join hotlap.board_history h on h.leaderboard_id = ${of.leaderboardId} and h.track = ${of.track}
      and h.user_id = thinned."userId" and h.since <= thinned.at and h.until > thinned.at
    order by thinned."userId", thinned.at`;
}

/** Whose runs: those of people, or of single submissions. */
type RunSource = { leaderboardId: number; gpuType: string; viewer: Viewer | null } & (
  | { userIds: string[] }
  | { submissionIds: number[] }
);

/** Measurements `m` of public runs that passed. What is asked of a submission is asked once for it, not for each run. */
const shownRuns = (db: Db, of: RunSource) => db`
  (select s.id from hotlap.submissions s
   where s.leaderboard_id = ${of.leaderboardId} and s.mode = 'leaderboard'
     and ${'userIds' in of ? db`s.user_id = any(${of.userIds})` : db`s.id = any(${of.submissionIds})`}
     and ${showsRuns(db, of.viewer)} offset 0) shown
  join hotlap.measurements m on m.submission_id = shown.id and m.gpu_type = ${of.gpuType} and m.passed and not m.secret
    and ${isInForce(db)}`;

const isWithin = (db: Db, span: SeriesSpan) =>
  db`m.measured_at >= ${span.from} and m.measured_at <= ${span.to}`;

/** A metric of these users' runs, repetitions included. */
export async function listMetricSeries(
  db: Db,
  of: RunSource & { metric: string },
  span: SeriesSpan,
): Promise<EntryPoint[]> {
  const source = db`
    select m.user_id as "userId", m.measured_at as at, m.id, m.submission_id, ${measuredValue(db, of.metric)} as value
    from ${shownRuns(db, of)} where ${isWithin(db, span)}`;
  return db<EntryPoint[]>`
    select thinned.*, null::timestamptz as until from (${thinned(db, source, db`"userId"`, span)}) thinned`;
}

export interface ShapePoint extends SeriesPoint {
  taskVersionId: number;
  /** From 1. */
  shape: number;
}

/**
 * Of measurements `m`: (shape, value), a row for each benchmark. The seconds of each; with a metric, what the run reports of
 * it by shape: `shape_0_<metric>` and so on.
 */
export const shapeValues = (db: Db, metric: string | null) =>
  metric === null
    ? db`lateral (
        select c.shape::int as shape, c.seconds as value
        from unnest(m.case_seconds) with ordinality c (seconds, shape)) shapes`
    : db`lateral (
        select substring(o.key from 'shape_([0-9]+)_')::int + 1 as shape, o.value::double precision as value
        from jsonb_each_text(m.metrics) o
        where o.key ~ ('^shape_[0-9]{1,3}_' || ${metric} || '$')) shapes`;

/** What these submissions' runs measured of each benchmark, repetitions included. */
export async function listShapeSeries(
  db: Db,
  of: RunSource & { metric: string | null },
  span: SeriesSpan,
): Promise<ShapePoint[]> {
  const source = db`
    select m.submission_id as key, m.task_version_id as "taskVersionId", shapes.shape, m.measured_at as at, m.id,
      m.submission_id, shapes.value
    from ${shownRuns(db, of)} cross join ${shapeValues(db, of.metric)} where ${isWithin(db, span)}`;
  return db<ShapePoint[]>`${thinned(db, source, db`key, "taskVersionId", shape`, span)}`;
}

/** When the first and the last of what a series could show was observed. Null: nothing ever was. */
export interface SeriesTimes {
  first: Date;
  last: Date;
}

/** `isHidden`: scores of the track are not for everybody. */
export async function findEntryTimes(
  db: Db,
  of: { leaderboardId: number; track: string; userIds: string[] },
): Promise<(SeriesTimes & { isHidden: boolean }) | null> {
  const [row] = await db<{ first: Date | null; last: Date; isHidden: boolean }[]>`
    select min(h.since) as first, max(least(h.until, now())) as last, bool_and(h.shown_score is null) as "isHidden"
    from hotlap.board_history h
    where h.leaderboard_id = ${of.leaderboardId} and h.track = ${of.track} and h.user_id = any(${of.userIds})`;
  return row?.first ? { first: row.first, last: row.last, isHidden: row.isHidden } : null;
}

/** The same of runs. */
export async function findRunTimes(db: Db, of: RunSource): Promise<SeriesTimes | null> {
  const [row] = await db<{ first: Date | null; last: Date }[]>`
    select min(m.measured_at) as first, max(m.measured_at) as last from ${shownRuns(db, of)}`;
  return row?.first ? { first: row.first, last: row.last } : null;
}
