/**
 * Submissions as the HTTP API lists them to their owners: columns that are kept with every result, so that a page is one
 * index scan. Everything here is for the owner alone.
 */
import { reasons } from '../domain/not-ranked.ts';
import type { Failure } from '../domain/stage-failure.ts';
import type { Mode, SubmissionStatus } from '../domain/submission.ts';
import type { Db } from './client.ts';
import { LEASE_SECONDS } from './jobs.ts';

export interface ShownRun {
  gpu_type: string;
  score: number | null;
}

export interface ListedSubmission {
  id: number;
  leaderboard: string;
  fileName: string;
  mode: Mode;
  status: SubmissionStatus;
  reason: string | null;
  createdAt: Date;
  /** Public runs that passed; empty once a secret run failed (the SQL function summarise_submission). */
  shownRuns: ShownRun[];
  secretScore: number | null;
  /** By GPU type; null: not run, or not passed. */
  secretScores: Record<string, number | null>;
}

/** Of those that SQL names itself (hotlap.submission_scores.unranked). */
const ruleCauses = Object.fromEntries(
  (
    ['not-positive', 'no-score', 'metric-missing', 'shapes-differ', 'scorer-missing', 'no-points'] as const
  ).map((code) => [code, reasons[code].cause]),
);

/** Why it failed, or why it is not ranked although it passed. `s` and `l` are its row and that of its board. */
export const shownReason = (db: Db) => db`
  coalesce(s.reason, case when s.mode = 'leaderboard' and s.status = 'done' then case
    when not s.official then ${reasons.unofficial.cause}
    when exists (select from hotlap.users u where u.id = s.user_id and u.invalidated_at is not null)
      then ${reasons['user-invalid'].cause}
    when s.invalidated_at is not null
      then ${reasons['submission-invalid'].cause} || coalesce(': ' || s.invalid_reason, '')
    when l.ranked_by = 'rule' then (
      select string_agg(sc.gpu_type || ': ' || regexp_replace(
        ${db.json(ruleCauses)}::jsonb ->> split_part(sc.unranked, ':', 1), '[{][a-z]+[}]',
        substr(sc.unranked, strpos(sc.unranked, ':') + 1)), '; ' order by sc.gpu_type)
      from hotlap.submission_scores sc where sc.submission_id = s.id)
  end end)`;

/**
 * A page of somebody's list as JSON text, newest first: an array of objects with the keys of the HTTP API. The database
 * writes the text, because reading a hundred rows into objects only to write them out again is what would cost most.
 * Of a leaderboard that does not exist there are none.
 */
export async function readSubmissionPage(
  db: Db,
  filter: { userId: string; leaderboard: string | null },
  page: { limit: number; offset: number },
): Promise<string> {
  const { leaderboard } = filter;
  const [row] = await db<{ text: string }[]>`
    select coalesce(json_agg(p), '[]')::text as text from (
      select s.id, l.name as leaderboard_name, s.file_name,
        to_char(s.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as submission_time,
        s.status not in ('queued', 'running') as done, s.shown_runs as runs, s.mode,
        case when s.status in ('queued', 'running') then 'pending' when s.status = 'done' then 'done' else 'failed' end
          as status,
        ${shownReason(db)} as reason, s.secret_score, s.secret_scores
      from hotlap.submissions s join hotlap.leaderboards l on l.id = s.leaderboard_id
      where s.user_id = ${filter.userId}
        ${leaderboard === null ? db`` : db`and s.leaderboard_id = (select id from hotlap.leaderboards where lower(name) = lower(${leaderboard}))`}
      order by s.id desc limit ${page.limit} offset ${page.offset}
    ) p`;
  return row?.text ?? '[]';
}

export interface DetailRun {
  gpu: string;
  mode: string;
  stage: string;
  secret: boolean;
  passed: boolean;
  score: number | null;
  startedAt: string;
  finishedAt: string;
  /** Null for secret runs, and for modes other than test and benchmark unless a model was served. */
  result: [string, string][] | null;
}

export interface SubmissionDetail extends ListedSubmission {
  leaderboardId: number;
  userId: string;
  finishedAt: Date | null;
  scoreUnit: string;
  scoreAscending: boolean;
  /** A text: of an archive, its listing. */
  code: Buffer;
  runs: DetailRun[];
  /** Of public jobs. */
  failures: { gpu: string; failure: Failure }[];
  gpus: string[];
  /** When its jobs were last heard of, while some run. */
  heartbeatAt: Date | null;
}

/**
 * In one round trip, because clients ask for it every few seconds. Null when it is not there or somebody else's who is no team
 * mate that shares it.
 */
export async function findOwnSubmission(
  db: Db,
  id: number,
  userId: string,
): Promise<SubmissionDetail | null> {
  const [row] = await db<SubmissionDetail[]>`
    select s.id, s.leaderboard_id as "leaderboardId", l.name as leaderboard, s.user_id as "userId",
      s.file_name as "fileName", s.mode, s.status, ${shownReason(db)} as reason,
      s.created_at as "createdAt", s.finished_at as "finishedAt",
      s.shown_runs as "shownRuns", s.secret_score as "secretScore", s.secret_scores as "secretScores",
      v.score_unit as "scoreUnit", l.score_ascending as "scoreAscending",
      case when c.listing is null then c.content else convert_to(c.listing, 'UTF8') end as code, r.runs, j.gpus, j.failures, j."heartbeatAt"
    from hotlap.submissions s
    join hotlap.leaderboards l on l.id = s.leaderboard_id
    join hotlap.task_versions v on v.id = s.task_version_id
    join hotlap.code_blobs c on c.sha256 = s.code_sha256
    cross join lateral (
      select coalesce(json_agg(json_build_object(
        'gpu', r.gpu_type, 'mode', r.mode, 'stage', r.stage, 'secret', r.secret, 'passed', r.passed, 'score', r.score,
        'startedAt', r.started_at, 'finishedAt', r.finished_at,
        'result', case when not r.secret and (r.mode in ('test', 'benchmark') or v.score_unit <> 's') then r.result end
      ) order by r.secret, r.gpu_type, r.id), '[]') as runs
      from hotlap.runs r where r.submission_id = s.id and r.counts
    ) r
    cross join lateral (
      select array_agg(j.gpu_type order by j.id) filter (where not j.secret) as gpus,
        coalesce(json_agg(json_build_object('gpu', j.gpu_type, 'failure', j.failure) order by j.id)
          filter (where not j.secret and j.failure is not null), '[]') as failures,
        max(j.lease_expires_at) - make_interval(secs => ${LEASE_SECONDS}) as "heartbeatAt"
      from hotlap.jobs j where j.submission_id = s.id and hotlap.job_counts(j)
    ) j
    where s.id = ${id} and (s.user_id = ${userId} or exists (
      select from hotlap.shared_submissions h where h.submission_id = s.id and h.viewer_id = ${userId}))`;
  return row ?? null;
}

/** Of a whole board, newest first, for organisers. */
export async function listBoardSubmissions(
  db: Db,
  leaderboardId: number,
  page: { limit: number; offset: number },
): Promise<(ListedSubmission & { userId: string; userName: string })[]> {
  return db<(ListedSubmission & { userId: string; userName: string })[]>`
    select s.id, l.name as leaderboard, s.file_name as "fileName", s.mode, s.status,
      ${shownReason(db)} as reason, s.created_at as "createdAt", s.shown_runs as "shownRuns", s.secret_score as "secretScore",
      s.secret_scores as "secretScores", s.user_id as "userId", u.name as "userName"
    from hotlap.submissions s
    join hotlap.leaderboards l on l.id = s.leaderboard_id
    join hotlap.users u on u.id = s.user_id
    where s.leaderboard_id = ${leaderboardId}
    order by s.id desc limit ${page.limit} offset ${page.offset}`;
}
