/** Work that should exist and does not: what no transaction of ours leaves behind, looked for all the same. */
import type { Db, Sql } from './client.ts';
import { type JobOwner, lockOwner, settleOwner } from './job-owner.ts';
import { finishForgottenRejudges } from './rejudges.ts';
import { lockSubmission, settleSubmission } from './settle.ts';

/** A lease that ran out this long ago has no holder, and every limit of its job is over. */
const ABANDONED = '2 hours';

export interface MissingWork {
  /** Open submissions without any job. */
  withoutJobs: number[];
  /** Open submissions whose jobs have all ended: settled now. */
  unsettled: number[];
  /** Rejudges whose jobs have all ended: ready now. */
  unfinished: number[];
  /** Jobs whose lease ran out and whose box is gone: queued again now, or cancelled where their sender asked for it. */
  abandoned: number[];
  /** Jobs whose lease ran out a while ago on a box that is away: somebody will take them over when it is back. */
  waiting: number[];
}

/** Finds it, mends what can be mended safely, and returns what was found. */
export async function findMissingWork(sql: Sql): Promise<MissingWork> {
  const ids = (rows: { id: number }[]) => rows.map((row) => row.id);
  const withoutJobs = await sql<{ id: number }[]>`
    select s.id from hotlap.submissions s
    where s.status in ('queued', 'running') and not exists (select from hotlap.jobs j where j.submission_id = s.id)`;
  const unsettled = await sql<{ id: number }[]>`
    select s.id from hotlap.submissions s
    where s.status in ('queued', 'running') and exists (select from hotlap.jobs j where j.submission_id = s.id)
      and not exists (select from hotlap.jobs j
        where j.submission_id = s.id and j.status in ('queued', 'leased', 'running'))`;
  for (const { id } of unsettled) {
    await sql.begin(async (tx) => {
      await lockSubmission(tx, id);
      await settleSubmission(tx, id);
    });
  }
  const abandoned = [...(await cancelAbandoned(sql)), ...(await requeueAbandoned(sql))];
  const waiting = await sql<{ id: number }[]>`
    select id from hotlap.jobs
    where status in ('leased', 'running') and lease_expires_at < now() - interval '2 minutes'`;
  const unfinished = await finishForgottenRejudges(sql);
  return {
    withoutJobs: ids(withoutJobs),
    unsettled: ids(unsettled),
    unfinished,
    abandoned,
    waiting: ids(waiting),
  };
}

/** No lane takes it over any more, and every limit of the job is over. */
const isAbandoned = (db: Db) => db`
  b.id = j.box_id and j.status in ('leased', 'running')
  and (j.lease_expires_at < now() - ${ABANDONED}::interval
    or (b.state = 'removed' and j.lease_expires_at < now() - interval '2 minutes'))`;

/** leased | running -> cancelled: there is no box on which it could be ended. */
async function cancelAbandoned(sql: Sql): Promise<number[]> {
  const found = await sql<JobOwner[]>`
    select j.id as "jobId", j.submission_id as "submissionId", j.rejudge_id as "rejudgeId", j.remeasure
    from hotlap.jobs j, hotlap.boxes b
    where ${isAbandoned(sql)} and j.cancel_requested_at is not null`;
  for (const owner of found) {
    await sql.begin(async (tx) => {
      await lockOwner(tx, owner);
      await tx`
        with gone as (
          update hotlap.jobs j set status = 'cancelled', finished_at = now(), lease_token = null, lease_expires_at = null
          from hotlap.boxes b where j.id = ${owner.jobId} and ${isAbandoned(tx)} returning j.id, j.attempt
        )
        update hotlap.job_attempts a set ended_at = now(), ended_by = 'cancelled'
        from gone where a.job_id = gone.id and a.attempt = gone.attempt`;
      await settleOwner(tx, owner);
    });
  }
  return found.map((row) => row.jobId);
}

/** leased | running -> queued, under another attempt number: the old run, were it to end yet, is nobody's any more. */
async function requeueAbandoned(db: Db): Promise<number[]> {
  const rows = await db<{ id: number }[]>`
    with gone as (
      update hotlap.jobs j set status = 'queued', lease_token = null, lease_expires_at = null, progress = null,
        box_error = 'unreachable: the box is gone'
      from hotlap.boxes b
      where ${isAbandoned(db)} and j.cancel_requested_at is null
      returning j.id, j.attempt
    ), noted as (
      update hotlap.job_attempts a set ended_at = now(), ended_by = 'unreachable'
      from gone where a.job_id = gone.id and a.attempt = gone.attempt
    )
    select id from gone`;
  return rows.map((row) => row.id);
}
