/** Taking work back, and asking for it again: by its sender. */
import type { Mode } from '../domain/submission.ts';
import type { ChangeRecord } from './audit.ts';
import type { Db, Sql } from './client.ts';
import { notifyJobs } from './jobs.ts';
import { lockSubmission, settleSubmission } from './settle.ts';

export interface Cancellation {
  /** Jobs that will never start. */
  neverStarted: number;
  /** Jobs whose processes are being ended on their boxes. */
  stopping: number;
}

/** Null when there was nothing left to cancel. What is on a box is ended by whoever holds its lease. */
export async function cancelSubmission(
  sql: Sql,
  submissionId: number,
  record?: ChangeRecord,
): Promise<Cancellation | null> {
  return sql.begin(async (tx) => {
    await lockSubmission(tx, submissionId);
    const neverStarted = await cancelQueuedJobs(tx, submissionId);
    const stopping = await tx<{ id: number }[]>`
      update hotlap.jobs set cancel_requested_at = now()
      where submission_id = ${submissionId} and rejudge_id is null and remeasure is null and status in ('leased', 'running')
      returning id`;
    if (neverStarted === 0 && stopping.length === 0) return null;
    await markCancelled(tx, submissionId);
    for (const job of stopping) await tx`select pg_notify('hotlap_cancel', ${String(job.id)})`;
    await settleSubmission(tx, submissionId);
    await record?.note(tx, { subject: `submission ${submissionId}`, after: { cancelled: true } });
    return { neverStarted, stopping: stopping.length };
  });
}

/** One's own submissions of a leaderboard and mode of which nothing has started: a newer one takes their place. */
export async function cancelQueuedSubmissions(
  tx: Db,
  of: { userId: string; leaderboardId: number; mode: Mode },
): Promise<void> {
  const rows = await tx<{ id: number }[]>`
    select id from hotlap.submissions
    where user_id = ${of.userId} and leaderboard_id = ${of.leaderboardId} and mode = ${of.mode} and status = 'queued'
    order by id for update`;
  for (const { id } of rows) {
    const [started] = await tx`
      select 1 from hotlap.jobs where submission_id = ${id} and rejudge_id is null and remeasure is null and status <> 'queued' limit 1`;
    if (started) continue;
    await cancelQueuedJobs(tx, id);
    await markCancelled(tx, id);
    await settleSubmission(tx, id);
  }
}

/** Only with a job that it concerns: one that has ended must not look cancelled when it is run again. */
async function markCancelled(tx: Db, submissionId: number): Promise<void> {
  await tx`update hotlap.submissions set cancelled_at = now() where id = ${submissionId} and cancelled_at is null`;
}

async function cancelQueuedJobs(tx: Db, submissionId: number): Promise<number> {
  const rows = await tx`
    update hotlap.jobs set status = 'cancelled', finished_at = now()
    where submission_id = ${submissionId} and rejudge_id is null and remeasure is null and status = 'queued' returning id`;
  return rows.length;
}

/**
 * Runs again what failed by our fault, and what was not run because of that. False when there is nothing of that kind.
 * failed -> queued, for jobs and submission.
 */
export async function rerunFailedJobs(
  sql: Sql,
  submissionId: number,
  reply: { channelId: string; interactionToken: string; expiresAt: Date },
  record?: ChangeRecord,
): Promise<boolean> {
  return sql.begin(async (tx) => {
    await lockSubmission(tx, submissionId);
    const rows = await tx`
      update hotlap.jobs j set
        status = 'queued', failures = 0, not_before = now(), finished_at = null, box_error = null, progress = null,
        cancel_requested_at = null
      where j.submission_id = ${submissionId} and j.rejudge_id is null and hotlap.job_counts(j)
        and (j.status = 'failed' or (j.status = 'cancelled' and exists (
        select from hotlap.jobs p
        where p.submission_id = j.submission_id and p.rejudge_id is null and p.remeasure is null and p.gpu_type = j.gpu_type and p.status = 'failed')))
      returning id`;
    if (rows.length === 0) return false;
    await tx`
      update hotlap.submissions set status = 'queued', rerun = rerun + 1, finished_at = null, reason = null,
        cancelled_at = null
      where id = ${submissionId}`;
    await tx`
      update hotlap.submission_replies set channel_id = ${reply.channelId},
        interaction_token = ${reply.interactionToken}, token_expires_at = ${reply.expiresAt}
      where submission_id = ${submissionId}`;
    await settleSubmission(tx, submissionId);
    await notifyJobs(tx);
    await record?.note(tx, { subject: `submission ${submissionId}`, after: { queued_again: true } });
    return true;
  });
}
