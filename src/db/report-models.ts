/** The entries of reports: ranked submissions of a board on one GPU type, each with the run that its score comes from. */
import type { Mode, SubmissionStatus, Viewer } from '../domain/submission.ts';
import type { Db } from './client.ts';
import { isShown, isTheirs, measuredValue } from './measurements.ts';

export interface ReportModel {
  submissionId: number;
  userId: string;
  userName: string;
  fileName: string;
  language: string | null;
  submittedAt: Date;
  status: SubmissionStatus;
  /** As the board has it, and its windows; null where it has none, or they are not for the viewer. */
  score: number | null;
  recent: number | null;
  steady: number | null;
  anchor: number | null;
  /** Of its owner and admins. */
  secretScore: number | null;
  /** Of the public run that counts: the metric that was asked for, or what the board measures. */
  value: number | null;
  caseSeconds: number[];
  caseErrors: (number | null)[];
  metrics: Record<string, number>;
  /** Of that run; null while there is none. */
  taskVersionId: number | null;
  /** Observations that the viewer may see. */
  runs: number;
  successful: number;
}

export interface ModelFilter {
  leaderboardId: number;
  gpuType: string;
  userId: string | null;
}

const wanted = (db: Db, of: ModelFilter) => db`
  s.leaderboard_id = ${of.leaderboardId} and s.mode = 'leaderboard'
  ${of.userId === null ? db`` : db`and s.user_id = ${of.userId}`}
  and exists (select from hotlap.jobs sent where sent.submission_id = s.id and sent.gpu_type = ${of.gpuType})`;

export async function countModels(db: Db, of: ModelFilter): Promise<number> {
  const [row] = await db<{ total: number }[]>`
    select count(*) as total from hotlap.submissions s where ${wanted(db, of)}`;
  return row?.total ?? 0;
}

/** Newest first; `before`: the last one of the page before. */
export async function listModels(
  db: Db,
  of: ModelFilter & { viewer: Viewer | null; metric: string | null },
  page: { limit: number; before: number },
): Promise<ReportModel[]> {
  const { gpuType, viewer } = of;
  return db<ReportModel[]>`
    select s.id as "submissionId", s.user_id as "userId", u.name as "userName", s.file_name as "fileName", s.language,
      s.created_at as "submittedAt", s.status,
      coalesce(e.shown_score, case when ${isTheirs(db, viewer)} then e.score end) as score, e.recent, e.steady, e.anchor,
      case when ${isTheirs(db, viewer)} then sc.secret_score end as "secretScore", m.value,
      coalesce(m.case_seconds, '{}') as "caseSeconds", coalesce(m.case_errors, '{}') as "caseErrors",
      coalesce(m.metrics, '{}') as metrics, m.task_version_id as "taskVersionId", n.runs, n.successful
    from (
      select s.* from hotlap.submissions s where ${wanted(db, of)} and s.id < ${page.before}
      order by s.id desc limit ${page.limit}
    ) s
    join hotlap.users u on u.id = s.user_id
    join hotlap.leaderboards l on l.id = s.leaderboard_id
    left join hotlap.submission_scores sc on sc.submission_id = s.id and sc.gpu_type = ${gpuType}
    left join lateral (
      select * from hotlap.eligible_entries e where e.submission_id = s.id and e.gpu_type = ${gpuType} limit 1
    ) e on true
    left join lateral (
      select m.*, ${measuredValue(db, of.metric)} as value from hotlap.measurements m
      where m.submission_id = s.id and m.gpu_type = ${gpuType} and not m.secret and m.passed and m.remeasure is null
        and m.rejudge_id is not distinct from sc.rejudge_id and ${isShown(db, viewer)}
      order by m.measured_at desc, m.id desc limit 1
    ) m on true
    cross join lateral (
      select count(*) as runs, count(*) filter (where m.passed) as successful from hotlap.measurements m
      where m.submission_id = s.id and m.gpu_type = ${gpuType} and ${isShown(db, viewer)}
    ) n
    order by s.id desc`;
}

export interface ReportedSubmission {
  id: number;
  leaderboard: string;
  userId: string;
  userName: string;
  fileName: string;
  mode: Mode;
  status: SubmissionStatus;
  createdAt: Date;
  /** On which it was sent. */
  gpus: string[];
}

/** Null when there is no such submission. */
export async function findReported(db: Db, id: number): Promise<ReportedSubmission | null> {
  const [row] = await db<ReportedSubmission[]>`
    select s.id, l.name as leaderboard, s.user_id as "userId", u.name as "userName", s.file_name as "fileName", s.mode,
      s.status, s.created_at as "createdAt",
      array(select distinct j.gpu_type from hotlap.jobs j where j.submission_id = s.id order by 1) as gpus
    from hotlap.submissions s
    join hotlap.leaderboards l on l.id = s.leaderboard_id
    join hotlap.users u on u.id = s.user_id
    where s.id = ${id}`;
  return row ?? null;
}

/** What runs of a board have reported by name. */
export async function listMetrics(db: Db, leaderboardId: number): Promise<string[]> {
  const rows = await db<{ name: string }[]>`
    select name from hotlap.board_metrics where leaderboard_id = ${leaderboardId} order by name`;
  return rows.map((row) => row.name);
}

/** Whether anybody has sent ranked work; null for `gpuType`: on any. */
export async function hasModels(
  db: Db,
  of: { leaderboardId: number; gpuType: string | null },
): Promise<boolean> {
  const rows = await db`
    select 1 from hotlap.submissions s
    where s.leaderboard_id = ${of.leaderboardId} and s.mode = 'leaderboard'
      ${of.gpuType === null ? db`` : db`and exists (select from hotlap.jobs j where j.submission_id = s.id and j.gpu_type = ${of.gpuType})`}
    limit 1`;
  return rows.length > 0;
}
