/**
 * What each job of a ranked submission measured: its first run, rejudges, and every repetition. Windows, drift, spread and
 * the raw observations of reports are read from here; a row is never changed.
 */
import type { Outcome } from '../domain/outcome.ts';
import type { Failure } from '../domain/stage-failure.ts';
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

export interface Measurement {
  id: number;
  submissionId: number;
  gpuType: string;
  secret: boolean;
  /** Which repetition; null: the submission's own run or a rejudge's. */
  remeasure: number | null;
  rejudgeId: number | null;
  passed: boolean;
  /** Null where it is not for the viewer. Seconds, unless the task scores something else. */
  score: number | null;
  /** Of each benchmark, in order; empty of secret runs. */
  caseSeconds: number[];
  caseErrors: (number | null)[];
  metrics: Record<string, number>;
  failure: Failure | null;
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
 * Raw observations of one submission, failures included, newest first by time and number. `before` is the last one of the
 * page before. Secret runs only with `withSecrets` (its owner, or an admin), and then without what they ran on.
 */
export async function listMeasurements(
  db: Db,
  of: { submissionId: number; gpuType?: string; withSecrets: boolean },
  page: { limit: number; before?: MeasurementCursor },
): Promise<{ items: Measurement[]; total: number }> {
  const where = db`
    m.submission_id = ${of.submissionId} and (${of.withSecrets} or not m.secret)
    ${of.gpuType === undefined ? db`` : db`and m.gpu_type = ${of.gpuType}`}`;
  const [count] = await db<
    { total: number }[]
  >`select count(*) as total from hotlap.measurements m where ${where}`;
  const items = await db<Measurement[]>`
    select m.id, m.submission_id as "submissionId", m.gpu_type as "gpuType", m.secret, m.remeasure,
      m.rejudge_id as "rejudgeId", m.passed, m.score,
      case when m.secret then '{}' else m.case_seconds end as "caseSeconds",
      case when m.secret then '{}' else m.case_errors end as "caseErrors",
      case when m.secret then '{}' else m.metrics end as metrics,
      case when not m.secret then m.failure end as failure, m.measured_at as "measuredAt",
      json_build_object('measuredAt', m.measured_at::text, 'id', m.id) as cursor
    from hotlap.measurements m
    where ${where}
      ${page.before === undefined ? db`` : db`and (m.measured_at, m.id) < (${page.before.measuredAt}::text::timestamptz, ${page.before.id})`}
    order by m.measured_at desc, m.id desc limit ${page.limit}`;
  return { items, total: count?.total ?? 0 };
}
