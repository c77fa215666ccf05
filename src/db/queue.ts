/** The queue as a whole, for positions and times: read once, used for everybody who waits. */
import type { QueuedJob, QueueSnapshot, RunningJob } from '../domain/eta.ts';
import type { Db } from './client.ts';

/** Of what kind nothing has ended yet, this is assumed. */
const UNKNOWN_QUICK_MS = 5000;
const UNKNOWN_SLOW_MS = 60_000;
/** Jobs of a kind that its durations are taken from, the newest ones. */
const SAMPLE = 30;

/** Durations in milliseconds. */
export async function loadQueue(db: Db): Promise<QueueSnapshot> {
  const durations = (job: ReturnType<typeof db>) => db`
    left join lateral (
      select 1000 * percentile_cont(0.25) within group (order by d.seconds) as quick,
        1000 * percentile_cont(0.9) within group (order by d.seconds) as slow
      from (
        select extract(epoch from f.finished_at - f.started_at) as seconds from hotlap.jobs f
        where f.status = 'finished' and f.leaderboard_id = ${job}.leaderboard_id and f.mode = ${job}.mode
          and f.gpu_type = ${job}.gpu_type and f.secret = ${job}.secret
        order by f.finished_at desc limit ${SAMPLE}
      ) d
    ) t on true`;
  const kind = db`leaderboard_id, mode, gpu_type, secret`;
  const queued = await db<QueuedJob[]>`
    with kinds as (
      select k.*, t.quick, t.slow from (
        select distinct ${kind} from hotlap.jobs where status = 'queued'
      ) k ${durations(db`k`)}
    )
    select q.job_id as "jobId", q.submission_id as "submissionId", q.user_id as "userId", q.gpu, q.position,
      coalesce(j.rejudge_id, j.remeasure) is not null as rejudge,
      coalesce(k.quick, ${UNKNOWN_QUICK_MS})::float8 as "quickMs", coalesce(k.slow, ${UNKNOWN_SLOW_MS})::float8 as "slowMs"
    from hotlap.queue q
    join hotlap.jobs j on j.id = q.job_id
    left join kinds k using (leaderboard_id, mode, gpu_type, secret)`;
  const running = await db<RunningJob[]>`
    select lower(j.gpu_type) as gpu, (1000 * extract(epoch from now() - j.started_at))::float8 as "ranMs",
      coalesce(t.quick, ${UNKNOWN_QUICK_MS})::float8 as "quickMs", coalesce(t.slow, ${UNKNOWN_SLOW_MS})::float8 as "slowMs"
    from hotlap.jobs j ${durations(db`j`)}
    where j.status in ('leased', 'running')`;
  const slots = await db<{ gpu: string; slots: number }[]>`
    select gpu, count(*) as slots from (
      select lower(g) as gpu from hotlap.boxes b, jsonb_array_elements(b.lanes) lane, jsonb_array_elements_text(lane -> 'gpus') g
      where b.state = 'ready'
      union all
      select lower(t) from hotlap.boxes b, unnest(b.whole_types) t where b.state = 'ready'
    ) served group by 1`;
  return { queued, running, slots: new Map(slots.map((row) => [row.gpu, row.slots])) };
}
