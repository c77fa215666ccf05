/**
 * What each job of a ranked submission measured: its first run, rejudges, and every repetition. Windows, drift, spread and
 * the raw observations of reports are read from here; a row is never changed.
 */
import type { Outcome } from '../domain/outcome.ts';
import type { Failure } from '../domain/stage-failure.ts';
import type { Viewer } from '../domain/submission.ts';
import type { Db } from './client.ts';

const SECONDS_A_NS = 1e-9;

/** In the transaction that stores the job's result. Jobs of other modes measure nothing that counts. */
export async function insertMeasurement(
  tx: Db,
  jobId: number,
  outcome: Outcome,
  score: number | null,
): Promise<void> {
  const stage = outcome.stages.find((item) => item.mode === 'leaderboard');
  const cases = stage?.passed ? stage.benchmarks : [];
  const metrics = stage?.passed ? stage.metrics : {};
  const rows = await tx<{ leaderboardId: number }[]>`
    insert into hotlap.measurements (job_id, submission_id, leaderboard_id, user_id, gpu_type, secret, task_version_id,
      rejudge_id, remeasure, passed, score, case_seconds, case_errors, metrics, failure, measured_at)
    select j.id, j.submission_id, j.leaderboard_id, j.user_id, j.gpu_type, j.secret,
      coalesce(j.task_version_id, r.task_version_id, s.task_version_id), j.rejudge_id, j.remeasure,
      ${outcome.passed}, ${score}, ${cases.map((item) => item.meanNs * SECONDS_A_NS)}::double precision[],
      ${cases.map((item) => (item.errNs === null ? null : item.errNs * SECONDS_A_NS))}::double precision[],
      ${tx.json(metrics)}, ${outcome.failure ? tx.json({ ...outcome.failure }) : null}, now()
    from hotlap.jobs j
    join hotlap.submissions s on s.id = j.submission_id
    left join hotlap.rejudges r on r.id = j.rejudge_id
    where j.id = ${jobId} and j.mode = 'leaderboard'
    -- A job that failed by our fault and was run again measures anew.
    on conflict (job_id) do update set
      passed = excluded.passed, score = excluded.score, case_seconds = excluded.case_seconds,
      case_errors = excluded.case_errors, metrics = excluded.metrics, failure = excluded.failure,
      measured_at = excluded.measured_at
    returning leaderboard_id as "leaderboardId"`;
  const board = rows[0]?.leaderboardId;
  const names = Object.keys(metrics);
  if (board === undefined || names.length === 0) return;
  await tx`
    insert into hotlap.board_metrics (leaderboard_id, name)
    select ${board}, name from unnest(${names}::text[]) name order by name
    on conflict do nothing`;
}

/** Of a submission `s`: whether it is the viewer's own, or the viewer an admin. */
export function isTheirs(db: Db, viewer: Viewer | null) {
  if (viewer?.isAdmin) return db`true`;
  return viewer === null ? db`false` : db`s.user_id = ${viewer.userId}`;
}

/**
 * Of a submission `s`: whether the viewer may see its public runs. Others than the owner and admins see them once it has
 * ended, and not where a secret run failed: as lists of submissions have it (the SQL function summarise_submission).
 */
export const showsRuns = (db: Db, viewer: Viewer | null) => db`(
  ${isTheirs(db, viewer)} or (s.status not in ('queued', 'running') and not exists (
    select from hotlap.jobs j
    where j.submission_id = s.id and j.secret and j.status = 'finished' and not j.passed and hotlap.job_counts(j))))`;

/** Of a measurement `m`: rejudges are there once they are applied. */
export const isInForce = (db: Db) => db`(
  m.rejudge_id is null or exists (
    select from hotlap.rejudges applied where applied.id = m.rejudge_id and applied.status = 'applied'))`;

/** Of a measurement `m` of a submission `s`: whether the viewer may see it. */
export const isShown = (db: Db, viewer: Viewer | null) => db`(
  ${isInForce(db)} and ${showsRuns(db, viewer)} and (not m.secret or ${isTheirs(db, viewer)}))`;

/**
 * Of a measurement `m` on a leaderboard `l`: the metric of that name, or, without one, what the board measures. Null where the
 * run has no such thing.
 */
export const measuredValue = (db: Db, metric: string | null) =>
  metric === null ? db`hotlap.measured_value(m, l.ranking)` : db`(m.metrics ->> ${metric})::double precision`;

export interface Measurement {
  id: number;
  submissionId: number;
  gpuType: string;
  secret: boolean;
  /** Which repetition; null: the submission's own run or a rejudge's. */
  remeasure: number | null;
  rejudgeId: number | null;
  /** The score of the submission comes from this run; repetitions count in windows alone. */
  counts: boolean;
  /** Which version of the board's task judged it; null for one that the board never had. */
  version: number | null;
  taskVersionId: number;
  passed: boolean;
  /** The metric that was asked for, or what the board measures. */
  value: number | null;
  /** Seconds of each benchmark, in order; empty of secret runs, as are the metrics. */
  caseSeconds: number[];
  caseErrors: (number | null)[];
  metrics: Record<string, number>;
  /** Of public runs; to others than the owner and admins without what the run said. */
  failure: (Pick<Failure, 'kind' | 'stage'> & Partial<Failure>) | null;
  measuredAt: Date;
  /** Where the next page begins. */
  cursor: MeasurementCursor;
}

export interface MeasurementCursor {
  /** As PostgreSQL writes it: a Date has no microseconds. */
  measuredAt: string;
  id: number;
}

/**
 * Raw observations of one submission, failures included, newest first by time and number. `after` is the last one of the
 * page before.
 */
export async function listMeasurements(
  db: Db,
  of: {
    submissionId: number;
    viewer: Viewer | null;
    gpuType?: string | undefined;
    passed?: boolean | undefined;
    metric?: string | undefined;
  },
  page: { limit: number; after?: MeasurementCursor | null },
): Promise<{ items: Measurement[]; total: number }> {
  const where = db`
    m.submission_id = ${of.submissionId} and ${isShown(db, of.viewer)}
    ${of.gpuType === undefined ? db`` : db`and m.gpu_type = ${of.gpuType}`}
    ${of.passed === undefined ? db`` : db`and m.passed = ${of.passed}`}`;
  const [count] = await db<{ total: number }[]>`
    select count(*) as total
    from hotlap.measurements m join hotlap.submissions s on s.id = m.submission_id where ${where}`;
  const items = await db<Measurement[]>`
    select m.id, m.submission_id as "submissionId", m.gpu_type as "gpuType", m.secret, m.remeasure,
      m.rejudge_id as "rejudgeId", m.remeasure is null and m.rejudge_id is not distinct from sc.rejudge_id as counts,
      n.number as version, m.task_version_id as "taskVersionId", m.passed,
      ${of.metric === undefined ? measuredValue(db, null) : db`case when not m.secret then ${measuredValue(db, of.metric)} end`} as value,
      case when m.secret then '{}' else m.case_seconds end as "caseSeconds",
      case when m.secret then '{}' else m.case_errors end as "caseErrors",
      case when m.secret then '{}' else m.metrics end as metrics,
      case when not m.secret then
        case when ${isTheirs(db, of.viewer)} then m.failure else m.failure - '{summary,detail}'::text[] end
      end as failure, m.measured_at as "measuredAt",
      json_build_object('measuredAt', m.measured_at::text, 'id', m.id) as cursor
    from hotlap.measurements m
    join hotlap.submissions s on s.id = m.submission_id
    join hotlap.leaderboards l on l.id = m.leaderboard_id
    left join hotlap.submission_scores sc on sc.submission_id = m.submission_id and sc.gpu_type = m.gpu_type
    left join hotlap.leaderboard_versions n
      on n.leaderboard_id = m.leaderboard_id and n.task_version_id = m.task_version_id
    where ${where}
      ${page.after ? db`and (m.measured_at, m.id) < (${page.after.measuredAt}::text::timestamptz, ${page.after.id})` : db``}
    order by m.measured_at desc, m.id desc limit ${page.limit}`;
  return { items, total: count?.total ?? 0 };
}
