/** What metrics count: jobs that have ended (those of a rejudge aside: they wait by design), boxes by state, and work that should go on and does not. */
import type { Db } from './client.ts';

export interface EndedJob {
  gpu: string;
  mode: string;
  secret: boolean;
  /** passed | failed: the participant's. box-failed: ours. cancelled. */
  outcome: string;
  /** From the submission to the last start; null where it never started. */
  waitSeconds: number | null;
  runSeconds: number | null;
}

/** A place in the stream of ends; kept by the caller. */
export type EndedUntil = string;

export async function endedUntilNow(db: Db): Promise<EndedUntil> {
  const [row] = await db<{ until: string }[]>`select now()::text as until`;
  if (!row) throw new Error('the database did not tell the time');
  return row.until;
}

/**
 * Jobs that ended after `since`, and the place to go on from. The last moment is left for the next call: a transaction
 * that began then may not have ended yet.
 */
export async function listEndedJobs(
  db: Db,
  since: EndedUntil,
): Promise<{ jobs: EndedJob[]; until: EndedUntil }> {
  const [row] = await db<{ until: string }[]>`
    select greatest(${since}::timestamptz, now() - interval '3 seconds')::text as until`;
  const until = row?.until ?? since;
  const jobs = await db<EndedJob[]>`
    select gpu_type as gpu, mode, secret,
      case status when 'finished' then case when passed then 'passed' else 'failed' end
        when 'failed' then 'box-failed' else 'cancelled' end as outcome,
      extract(epoch from started_at - created_at)::float8 as "waitSeconds",
      extract(epoch from finished_at - started_at)::float8 as "runSeconds"
    from hotlap.jobs
    where finished_at > ${since}::timestamptz and finished_at <= ${until}::timestamptz
      and rejudge_id is null and remeasure is null`;
  return { jobs, until };
}

/** States without a box too, so that a series does not end when the last box leaves it. */
export async function countBoxes(db: Db): Promise<{ state: string; count: number }[]> {
  return db<{ state: string; count: number }[]>`
    select state, count(b.id) as count
    from unnest(array['ready', 'draining', 'quarantined', 'offline']) state
    left join hotlap.boxes b using (state) group by state`;
}

/**
 * Accepted work that nothing brings forward: open submissions with no open job, and jobs whose lease ran out minutes ago
 * without anybody taking them over. More than none, for more than a moment, is a fault.
 */
export async function countLostWork(db: Db): Promise<{ submissions: number; jobs: number }> {
  const [row] = await db<{ submissions: number; jobs: number }[]>`
    select
      (select count(*) from hotlap.submissions s
        where s.status in ('queued', 'running') and s.created_at < now() - interval '1 minute' and not exists (
          select from hotlap.jobs j where j.submission_id = s.id and j.status in ('queued', 'leased', 'running'))
      ) as submissions,
      (select count(*) from hotlap.jobs
        where status in ('leased', 'running') and lease_expires_at < now() - interval '2 minutes') as jobs`;
  return row ?? { submissions: 0, jobs: 0 };
}

export async function countOwedMessages(db: Db): Promise<number> {
  const [row] = await db<{ count: number }[]>`
    select count(*) as count from hotlap.outbox where status = 'owed'`;
  return row?.count ?? 0;
}
