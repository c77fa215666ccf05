/**
 * Runs as the API lists them: every submission, those without a board included, by what the viewer may see. Everybody's
 * facts are of boards that the viewer may enter; scores in them are those that the board shows.
 */
import { rankingRule, unitOf } from '../domain/ranking-rule.ts';
import type { Door, Mode, SubmissionStatus } from '../domain/submission.ts';
import type { Db } from './client.ts';

export interface RunViewer {
  /** Null: nobody in particular. */
  userId: string | null;
  isAdmin: boolean;
}

/** Null and empty: any. */
export interface RunFilter {
  leaderboardId: number | null;
  status: SubmissionStatus | null;
  mode: Mode | null;
  /** In any case of its letters. */
  gpu: string | null;
  /** An account or a name. */
  user: string | null;
  /** Of scores that the board shows, on `gpu` where that is given. */
  minScore: number | null;
  maxScore: number | null;
  /** Sent at that time or later. */
  since: Date | null;
}

/** `created`: newest first. `finished`: those that ended last first, and those that have not ended at the end. */
export const runOrders = ['created', 'finished'] as const;
export type RunOrder = (typeof runOrders)[number];

/** The last run of a page; the next begins behind it. */
export interface RunCursor {
  id: number;
  /** As PostgreSQL writes it, since a Date has no microseconds; null: it had not ended. */
  finishedAt: string | null;
}

export interface ListedRun {
  id: number;
  userId: string;
  userName: string;
  /** Null: without one. */
  leaderboard: string | null;
  fileName: string;
  language: string;
  mode: Mode;
  door: Door;
  status: SubmissionStatus;
  createdAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
  gpus: string[];
  /** Of what ranks; a score is null where the board shows none. */
  scores: { gpu: string; score: number | null }[];
  /** Of those; what the task scores where there is no board. */
  scoreUnit: string;
  cursor: RunCursor;
}

const mayRead = (db: Db, viewer: RunViewer) => db`
  (${viewer.isAdmin} or s.user_id = ${viewer.userId} or l.visibility = 'public' or exists (
    select from hotlap.board_members m where m.leaderboard_id = s.leaderboard_id and m.user_id = ${viewer.userId}))`;

/** A name is looked up beside: an account of that id goes first. */
const sender = (db: Db, user: string) => db`
  s.user_id in (select id from hotlap.users where id = ${user}
    union all select id from hotlap.users where lower(name) = lower(${user})
      and not exists (select from hotlap.users where id = ${user}))`;

function matching(db: Db, filter: RunFilter) {
  const { leaderboardId, status, mode, gpu, user, minScore, maxScore, since } = filter;
  const ofGpu = gpu === null ? db`` : db`and lower(e.gpu_type) = lower(${gpu})`;
  return db`
    true
    ${leaderboardId === null ? db`` : db`and s.leaderboard_id = ${leaderboardId}`}
    ${status === null ? db`` : db`and s.status = ${status}`}
    ${mode === null ? db`` : db`and s.mode = ${mode}`}
    ${user === null ? db`` : db`and ${sender(db, user)}`}
    ${since === null ? db`` : db`and s.created_at >= ${since}`}
    ${gpu === null ? db`` : db`and exists (select from hotlap.jobs j where j.submission_id = s.id and lower(j.gpu_type) = lower(${gpu}))`}
    ${
      minScore === null && maxScore === null
        ? db``
        : db`and exists (
            select from hotlap.eligible_entries e where e.submission_id = s.id ${ofGpu}
              and e.shown_score >= ${minScore ?? -Infinity} and e.shown_score <= ${maxScore ?? Infinity})`
    }`;
}

const columns = (db: Db) => db`
  s.id, s.user_id as "userId", u.name as "userName", l.name as leaderboard, s.file_name as "fileName",
  coalesce(s.language, 'Python') as language, s.mode, s.door, s.status, s.created_at as "createdAt",
  s.finished_at as "finishedAt", l.ranking as rule, v.score_unit as "taskUnit",
  (select min(j.started_at) from hotlap.jobs j where j.submission_id = s.id and hotlap.job_counts(j)) as "startedAt",
  array(select j.gpu_type from hotlap.jobs j
    where j.submission_id = s.id and not j.secret and hotlap.job_counts(j) order by j.id) as gpus,
  coalesce((
    select json_agg(json_build_object('gpu', e.gpu_type, 'score', e.shown_score) order by e.gpu_type)
    from hotlap.eligible_entries e where e.submission_id = s.id), '[]') as scores,
  json_build_object('id', s.id, 'finishedAt', s.finished_at::text) as cursor`;

type RunRow = Omit<ListedRun, 'scoreUnit'> & { rule: unknown; taskUnit: string };

function withUnit({ rule, taskUnit, ...run }: RunRow): ListedRun {
  return { ...run, scoreUnit: unitOf(rankingRule.parse(rule ?? {}), taskUnit) };
}

const joins = (db: Db) => db`
  join hotlap.users u on u.id = s.user_id
  join hotlap.task_versions v on v.id = s.task_version_id
  left join hotlap.leaderboards l on l.id = s.leaderboard_id`;

/** `total` counts all pages. What comes in between two pages moves nothing from one to the other. */
export async function listRunPage(
  db: Db,
  viewer: RunViewer,
  filter: RunFilter,
  page: { order: RunOrder; limit: number; after: RunCursor | null },
): Promise<{ items: ListedRun[]; total: number }> {
  const { order, limit, after } = page;
  const where = db`${mayRead(db, viewer)} and ${matching(db, filter)}`;
  const place = order === 'created' ? db`s.id desc` : db`s.finished_at desc nulls last, s.id desc`;
  const rest = after === null ? db`` : db`and ${behind(db, order, after)}`;
  const [count] = await db<{ total: number }[]>`
    select count(*) as total
    from hotlap.submissions s left join hotlap.leaderboards l on l.id = s.leaderboard_id where ${where}`;
  const rows = await db<RunRow[]>`
    with page as materialized (
      select s.id from hotlap.submissions s left join hotlap.leaderboards l on l.id = s.leaderboard_id
      where ${where} ${rest} order by ${place} limit ${limit}
    )
    select ${columns(db)} from page p join hotlap.submissions s on s.id = p.id ${joins(db)} order by ${place}`;
  return { items: rows.map(withUnit), total: count?.total ?? 0 };
}

function behind(db: Db, order: RunOrder, { id, finishedAt }: RunCursor) {
  if (order === 'created') return db`s.id < ${id}`;
  if (finishedAt === null) return db`s.finished_at is null and s.id < ${id}`;
  return db`(s.finished_at is null or (s.finished_at, s.id) < (${finishedAt}::text::timestamptz, ${id}))`;
}

/** Null when there is none that the viewer may see. */
export async function findRun(db: Db, viewer: RunViewer, id: number): Promise<ListedRun | null> {
  const [row] = await db<RunRow[]>`
    select ${columns(db)} from hotlap.submissions s ${joins(db)} where s.id = ${id} and ${mayRead(db, viewer)}`;
  return row ? withUnit(row) : null;
}

export interface SameCode {
  id: number;
  userId: string;
  userName: string;
  leaderboard: string | null;
  createdAt: Date;
}

/** Other submissions of the same bytes, oldest first; `total` counts those beyond the limit, too. For organisers. */
export async function listSameCode(
  db: Db,
  id: number,
  limit: number,
): Promise<{ items: SameCode[]; total: number }> {
  const rows = await db<(SameCode & { total: number })[]>`
    select o.id, o.user_id as "userId", u.name as "userName", l.name as leaderboard, o.created_at as "createdAt",
      count(*) over () as total
    from hotlap.submissions s
    join hotlap.submissions o on o.code_sha256 = s.code_sha256 and o.id <> s.id
    join hotlap.users u on u.id = o.user_id
    left join hotlap.leaderboards l on l.id = o.leaderboard_id
    where s.id = ${id} order by o.id limit ${limit}`;
  return { items: rows.map(({ total: _, ...row }) => row), total: rows[0]?.total ?? 0 };
}

export interface RunPlace {
  gpuType: string;
  secret: boolean;
  box: string | null;
  /** What was run by what (domain/run-configuration.ts); null of secret runs, and where nothing has ended. */
  configuration: string | null;
}

/** Where the jobs that count ran. For organisers. */
export async function listRunPlaces(db: Db, id: number): Promise<RunPlace[]> {
  return db<RunPlace[]>`
    select j.gpu_type as "gpuType", j.secret, b.name as box, j.configuration
    from hotlap.jobs j left join hotlap.boxes b on b.id = j.box_id
    where j.submission_id = ${id} and hotlap.job_counts(j) order by j.id`;
}
