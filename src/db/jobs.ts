/**
 * The queue. A job moves queued -> leased -> running -> finished | failed | cancelled; leased and running go back to
 * queued when the box failed and attempts are left.
 *
 * Whoever works on a job holds its lease: a token that every write names in its own statement. No row back means that
 * the lease was lost and that somebody else owns the job now.
 *
 * Lock order everywhere: the owner's row (job-owner.ts), then its jobs. A claim touches a job's row alone.
 */
import { CPU_TYPE, type SandboxChoice, sandboxWish } from '../domain/box.ts';
import type { BoxErrorKind } from '../domain/box-error.ts';
import type { SandboxWish } from '../domain/protocol.ts';
import type { ServingState } from '../domain/serving-protocol.ts';
import type { Mode } from '../domain/submission.ts';
import { type Task, taskDefinition } from '../domain/task.ts';
import type { Db, Sql } from './client.ts';

export interface Lease {
  jobId: number;
  submissionId: number;
  /** Null: the submission's own job. */
  rejudgeId: number | null;
  /** Which repetition of its measurement it is; null: none. */
  remeasure: number | null;
  token: string;
  attempt: number;
  boxId: number;
  /** The lane of the box that it has, the first one when it has all. */
  slot: number;
  /** The job may be running on the box already: an earlier holder started it there. */
  takenOver: boolean;
}

/** What a job is doing, for people. */
export interface Progress {
  stage: string;
  /** `waiting`: in a cluster's queue; `stage` is then the reason. */
  state: 'waiting' | 'building' | 'warmup' | ServingState | 'finished';
  done: number;
  of: number;
}

/** How long a job waits for a new holder after its process was killed. */
export const LEASE_SECONDS = 15;
export const LEASE_RENEWAL_MS = 5000;
/** After a failure another box of the same GPU type is preferred for so long. */
const AVOID_BOX_SECONDS = 60;
/** Heads of the queue that are tried: several schedulers may be claiming at the same moment. */
const CANDIDATES = 8;
const EXCLUSION_VIOLATION = '23P01';

const lease = (db: Db, takenOver: boolean) => db`
  jobs.id as "jobId", jobs.submission_id as "submissionId", jobs.rejudge_id as "rejudgeId",
  jobs.remeasure,
  jobs.lease_token as token, jobs.attempt, jobs.box_id as "boxId", jobs.slot,
  ${takenOver}::boolean as "takenOver"`;
const leaseEnd = (db: Db) => db`now() + make_interval(secs => ${LEASE_SECONDS})`;

export async function insertJob(
  db: Db,
  job: {
    submissionId: number;
    userId: string;
    /** Null: a run without a board. */
    leaderboardId: number | null;
    mode: Mode;
    gpuType: string;
    secret: boolean;
    priority: number;
    /** Needs all GPUs of a box. */
    multiGpu: boolean;
    /** Only this box may have it; left out: any of the GPU type. */
    onlyBoxId?: number | null;
  },
): Promise<void> {
  await db`
    insert into hotlap.jobs (submission_id, user_id, leaderboard_id, mode, gpu_type, secret, priority, multi_gpu,
      only_box_id, turn)
    values (${job.submissionId}, ${job.userId}, ${job.leaderboardId}, ${job.mode}, ${job.gpuType}, ${job.secret},
      ${job.priority}, ${job.multiGpu}, ${job.onlyBoxId ?? null}, (
        select coalesce(max(turn) - 1, 0) from hotlap.jobs
        where lower(gpu_type) = lower(${job.gpuType}) and started_at is not null and priority < 100))`;
}

/**
 * Puts the next job of the queue that the box can run on a free lane of it, or on all lanes, and returns its lease; null
 * when there is nothing to do, no room, or the box is draining, quarantined or being looked at. Whoever claims has just
 * spoken with the box: that another scheduler could not reach it says nothing.
 *
 * Two that claim for one box do so one after the other, so that neither waits for the other's lease; what the second
 * one saw may be old by then, and a lane that was taken meanwhile is refused by an exclusion constraint. A job for the
 * whole box that is next in line holds up those behind it on one box, the first of its kind: otherwise small jobs would
 * keep that box from ever being empty.
 */
export async function claimJob(db: Db, box: { id: number }): Promise<Lease | null> {
  try {
    const [row] = await db<Lease[]>`
      with box as (
        select id, kind, lanes, gpu_types, whole_types, sandbox ->> 'engine' = 'bubblewrap' as serves_models
        from hotlap.boxes
        where id = ${box.id} and state in ('ready', 'offline') and coalesce(check_until < now(), true) for no key update
      ), served as (
        select lower(t) as gpu, lower(t) in (select lower(w) from unnest(box.whole_types) w) as whole
        from box, unnest(box.gpu_types) t
      ), lane as (
        select l.n - 1 as slot, l.lane -> 'gpus' as gpus
        from box, jsonb_array_elements(box.lanes) with ordinality l (lane, n)
      ), taken as (
        select generate_series(slot, slot + slot_count - 1) as slot from hotlap.jobs
        where box_id = ${box.id} and status in ('leased', 'running')
      ), head as (
        -- A cluster gives a job as many GPUs as it needs; its lanes are no GPUs.
        select q.job_id, q.gpu, q.position, q.turn, j.only_box_id,
          (s.whole or j.multi_gpu) and (select kind from box) <> 'slurm' as whole
        from hotlap.queue q join served s on s.gpu = q.gpu join hotlap.jobs j on j.id = q.job_id
        where q.not_before <= now() and (q.last_box_id is distinct from ${box.id} or ${avoidanceIsOver(db, box.id)})
          and coalesce(j.only_box_id, ${box.id}) = ${box.id}
          and ((select serves_models from box) or not ${isModel(db)})
        order by q.position limit ${CANDIDATES}
      ), placed as (
        select h.*, case
          when h.whole then (select 0 where not exists (select from taken))
          else (
            select min(lane.slot) from lane
            where lane.slot not in (select slot from taken)
              and h.gpu in (select lower(g) from jsonb_array_elements_text(lane.gpus) g))
          end as slot
        from head h
      ), held_up as (
        select min(position) as position from placed h
        where h.whole and h.slot is null and (h.only_box_id is not null or not exists (
          select from hotlap.boxes o where o.id < ${box.id} and o.state = 'ready' and ${servesQueue(db)}))
      ), chosen as (
        select j.id, p.turn, p.slot, case when p.whole then (select count(*) from lane) else 1 end as slot_count
        from hotlap.jobs j join placed p on p.job_id = j.id
        where j.status = 'queued' and p.slot is not null
          and p.position <= coalesce((select position from held_up), p.position)
        order by p.position limit 1 for update of j skip locked
      ), claimed as (
        update hotlap.jobs set
          status = 'leased', box_id = ${box.id}, slot = chosen.slot, slot_count = chosen.slot_count,
          attempt = attempt + 1, lease_token = gen_random_uuid(), lease_expires_at = ${leaseEnd(db)},
          started_at = now(), progress = null, turn = chosen.turn
        from chosen where jobs.id = chosen.id
        returning ${lease(db, false)}
      ), noted as (
        insert into hotlap.job_attempts (job_id, attempt, box_id)
        select "jobId", attempt, "boxId" from claimed
      )
      select * from claimed`;
    return row ?? null;
  } catch (error) {
    // Somebody took the lane in this moment; there may be another one.
    if ((error as { code?: unknown }).code === EXCLUSION_VIOLATION) return claimJob(db, box);
    throw error;
  }
}

/** Box `o` serves the GPU type of the queue row `h`. */
const servesQueue = (db: Db) => db`h.gpu in (select lower(t) from unnest(o.gpu_types) t)`;

/** A model is to be served: containers have no room for a server and its client side by side. */
const isModel = (db: Db) => db`exists (
  select from hotlap.submissions s join hotlap.task_versions v on v.id = s.task_version_id
  where s.id = q.submission_id and v.definition ->> 'lang' = 'model')`;

/** The job may come back to the box that failed it: some time has passed, or there is no other of its type. */
const avoidanceIsOver = (db: Db, boxId: number) => db`(
  q.not_before < now() - make_interval(secs => ${AVOID_BOX_SECONDS})
  or not exists (
    select from hotlap.boxes o
    where o.id <> ${boxId} and o.state = 'ready' and q.gpu in (select lower(t) from unnest(o.gpu_types) t)))`;

/**
 * Takes over a job of this box whose holder is gone (its lease ran out). The attempt stays: the box knows the run by
 * that number, so starting it again attaches to what is running there. `heldHere`: jobs that this process works on
 * still, though the database was away for longer than a lease.
 */
export async function takeOverJob(db: Db, boxId: number, heldHere: number[]): Promise<Lease | null> {
  const [row] = await db<Lease[]>`
    update hotlap.jobs set lease_token = gen_random_uuid(), lease_expires_at = ${leaseEnd(db)}
    where id = (
      select id from hotlap.jobs
      where status in ('leased', 'running') and box_id = ${boxId} and lease_expires_at < now()
        and id <> all(${heldHere})
      order by id limit 1 for update skip locked)
    returning ${lease(db, true)}`;
  return row ?? null;
}

/** Null when the lease was lost. Also says whether the job's sender wants it ended, for a message that was missed. */
export async function renewLease(db: Db, held: Lease): Promise<{ cancelRequested: boolean } | null> {
  const [row] = await db<{ cancelRequested: boolean }[]>`
    update hotlap.jobs set lease_expires_at = ${leaseEnd(db)}
    where id = ${held.jobId} and lease_token = ${held.token}
    returning cancel_requested_at is not null as "cancelRequested"`;
  return row ?? null;
}

/** Lets a successor take the job over at once: used when this process shuts down while the box works on. */
export async function expireLease(db: Db, held: Lease): Promise<void> {
  await db`
    update hotlap.jobs set lease_expires_at = now() - interval '1 second'
    where id = ${held.jobId} and lease_token = ${held.token}`;
}

/** leased -> running, and the submission with it. False when the lease was lost. */
export async function markJobRunning(db: Db, held: Lease): Promise<boolean> {
  const rows = await db`
    update hotlap.jobs set status = 'running'
    where id = ${held.jobId} and lease_token = ${held.token} and status in ('leased', 'running') returning id`;
  if (rows.length === 0) return false;
  // Were this process to die here, the submission would go from queued to its end without having been shown running.
  await db`
    update hotlap.submissions set status = 'running' where id = ${held.submissionId} and status = 'queued'`;
  return true;
}

export async function saveProgress(db: Db, held: Lease, progress: Progress): Promise<void> {
  await db`
    update hotlap.jobs set progress = ${db.json({ ...progress })}
    where id = ${held.jobId} and lease_token = ${held.token}`;
}

/** leased | running -> queued, for another try after `delayMs`. False when the lease was lost. */
export async function requeueJob(
  db: Db,
  held: Lease,
  why: { kind: BoxErrorKind; message: string; delayMs: number },
): Promise<boolean> {
  const rows = await db`
    with queued as (
      update hotlap.jobs set
        status = 'queued', lease_token = null, lease_expires_at = null, progress = null, failures = failures + 1,
        not_before = now() + make_interval(secs => ${why.delayMs / 1000}),
        box_error = ${`${why.kind}: ${why.message}`}
      where id = ${held.jobId} and lease_token = ${held.token} and status in ('leased', 'running')
      returning id, attempt
    ), noted as (
      update hotlap.job_attempts a set ended_at = now(), ended_by = ${why.kind}
      from queued where a.job_id = queued.id and a.attempt = queued.attempt
    )
    select id from queued`;
  return rows.length > 0;
}

/** leased | running -> queued, at once: we ended it ourselves, and it is nobody's failure. False when the lease was lost. */
export async function releaseJob(db: Db, held: Lease): Promise<boolean> {
  const rows = await db`
    update hotlap.jobs set
      status = 'queued', lease_token = null, lease_expires_at = null, progress = null, not_before = now()
    where id = ${held.jobId} and lease_token = ${held.token} and status in ('leased', 'running') returning id`;
  if (rows.length === 0) return false;
  await endAttempt(db, held, 'stopped');
  return true;
}

/** Closes the history row of a start on a box: `finished`, `cancelled`, `stopped` or the kind of the box's failure. */
export async function endAttempt(db: Db, held: Lease, endedBy: string): Promise<void> {
  await db`
    update hotlap.job_attempts set ended_at = now(), ended_by = ${endedBy}
    where job_id = ${held.jobId} and attempt = ${held.attempt}`;
}

/** Everything that a box needs to run the job. */
export interface JobWork {
  gpuType: string;
  /** The GPUs that it may see, by the driver's numbers; null: all of the box. */
  gpus: number[] | null;
  /** Its share of the machine's cores and memory; null: all. */
  lane: { slot: number; of: number } | null;
  /** What it is locked into. */
  sandbox: SandboxWish;
  secret: boolean;
  mode: Mode;
  /** Null: a run without a board. */
  leaderboard: string | null;
  fileName: string;
  task: Task;
  /** Empty where the submission is an archive. */
  code: string;
  archive: Buffer | null;
  /** Only for the secret job of a ranked submission. */
  seed: number | null;
  /** Failures of boxes so far. */
  failures: number;
  /** It is for the box that it is on, and for no other. */
  pinned: boolean;
  /** Of what was submitted, and of the version of the task that judges it: SHA-256, in hex. */
  codeSha256: string;
  taskHash: string;
  cancelRequested: boolean;
}

export async function loadJobWork(db: Db, jobId: number): Promise<JobWork> {
  type Row = Omit<JobWork, 'task' | 'code' | 'archive' | 'gpus' | 'lane' | 'sandbox'> &
    Placement & { definition: unknown; content: Buffer; unsafe: boolean; choice: SandboxChoice };
  const [row] = await db<Row[]>`
    select j.gpu_type as "gpuType", j.secret, s.mode, l.name as leaderboard, s.file_name as "fileName",
      j.only_box_id is not null as pinned, s.code_sha256 as "codeSha256", v.content_hash as "taskHash",
      case when j.secret then s.secret_seed end as seed, j.failures,
      j.cancel_requested_at is not null as "cancelRequested", v.definition, c.content,
      j.slot, j.slot_count as "slotCount", b.kind as "boxKind", jsonb_array_length(b.lanes) as lanes,
      (b.lanes -> j.slot ->> 'device')::int as device, b.unsafe, b.sandbox as choice
    from hotlap.jobs j
    join hotlap.submissions s on s.id = j.submission_id
    left join hotlap.leaderboards l on l.id = s.leaderboard_id
    left join hotlap.rejudges r on r.id = j.rejudge_id
    join hotlap.task_versions v on v.id = coalesce(j.task_version_id, r.task_version_id, s.task_version_id)
    join hotlap.code_blobs c on c.sha256 = s.code_sha256
    join hotlap.boxes b on b.id = j.box_id
    where j.id = ${jobId}`;
  if (!row) throw new Error(`job ${jobId} is not there`);
  const { definition, content, slot, slotCount, lanes, device, boxKind, unsafe, choice, ...work } = row;
  const place = placeOf({ slot, slotCount, lanes, device, boxKind }, work.gpuType);
  const sandbox = sandboxWish({ unsafe, sandbox: choice });
  const task = taskDefinition.parse(definition);
  const submitted = task.serving
    ? { code: '', archive: content }
    : { code: content.toString('utf8'), archive: null };
  return { ...work, ...place, ...submitted, sandbox, task };
}

interface Placement {
  slot: number;
  slotCount: number;
  lanes: number;
  device: number | null;
  boxKind: string;
}

function placeOf(at: Placement, gpuType: string): Pick<JobWork, 'gpus' | 'lane'> {
  // A cluster places its jobs itself.
  if (at.boxKind === 'slurm') return { gpus: null, lane: null };
  const isWhole = at.slotCount === at.lanes;
  const lane = isWhole ? null : { slot: at.slot, of: at.lanes };
  if (gpuType.toUpperCase() === CPU_TYPE) return { gpus: [], lane };
  return { gpus: at.device === null || (isWhole && at.lanes > 1) ? null : [at.device], lane };
}

/** Keys (`<job id>.<attempt>`) of all jobs that may be alive on a box; everything else there may be swept. */
export async function jobsAliveOn(db: Db, boxId: number): Promise<{ jobId: number; attempt: number }[]> {
  return db<{ jobId: number; attempt: number }[]>`
    select id as "jobId", attempt from hotlap.jobs
    where box_id = ${boxId} and status in ('leased', 'running')`;
}

/** Wakes every scheduler that listens on this database, this process's own among them. */
export async function notifyJobs(db: Db): Promise<void> {
  await db`select pg_notify('hotlap_jobs', '')`;
}

/** Tells whoever shows submission `id` that it changed. */
export async function notifyProgress(db: Db, submissionId: number): Promise<void> {
  await db`select pg_notify('hotlap_progress', ${String(submissionId)})`;
}

/** `changed` is told of every submission that was, by whatever process. */
export async function listenProgress(
  sql: Sql,
  changed: (submissionId: number) => void,
): Promise<{ unlisten(): Promise<void> }> {
  return sql.listen('hotlap_progress', (text) => changed(Number(text)));
}
