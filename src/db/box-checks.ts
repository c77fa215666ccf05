/** Looking at a box alone, and what follows from it: quarantine and the way back. */
import type { Canary } from '../domain/protocol.ts';
import { type BoxRow, boxColumns, moveBox } from './boxes.ts';
import type { Db } from './client.ts';

/** How long the first quarantine lasts at least, and the longest; each in a row is twice the one before. */
const QUARANTINE_SECONDS = 30;
const LONGEST_QUARANTINE_SECONDS = 600;
/** How often the canary runs on a box that is in order. */
const CANARY_EVERY = '6 hours';

/**
 * Reserves the whole box for `seconds`: nothing is claimed for it meanwhile. Null when jobs run there or somebody
 * else looks at it. To be called in a transaction of its own.
 */
export async function takeBoxCheck(db: Db, id: number, seconds: number): Promise<string | null> {
  // The lock waits for claims that are under way; only the next statement sees the jobs that they leased.
  await db`select from hotlap.boxes where id = ${id} for update`;
  const [row] = await db<{ token: string }[]>`
    update hotlap.boxes b set check_token = gen_random_uuid(), check_until = now() + make_interval(secs => ${seconds})
    where id = ${id} and state <> 'removed' and coalesce(check_until < now(), true) and not exists (
      select from hotlap.jobs j where j.box_id = b.id and j.status in ('leased', 'running'))
    returning check_token as token`;
  return row?.token ?? null;
}

export async function renewBoxCheck(db: Db, id: number, token: string, seconds: number): Promise<void> {
  await db`
    update hotlap.boxes set check_until = now() + make_interval(secs => ${seconds})
    where id = ${id} and check_token = ${token}`;
}

/** Ends the reservation and wakes whoever waits for the box. */
export async function endBoxCheck(db: Db, id: number, token: string): Promise<void> {
  await db`
    with ended as (
      update hotlap.boxes set check_token = null, check_until = null, checked_at = now()
      where id = ${id} and check_token = ${token} returning id
    )
    select pg_notify('hotlap_jobs', '') from ended`;
}

export async function saveBaseline(db: Db, id: number, measured: Canary): Promise<void> {
  await db`update hotlap.boxes set baseline = ${db.json({ ...measured })} where id = ${id}`;
}

/**
 * ready | offline | quarantined -> quarantined, with the evidence; looked at again after a while. What several lanes or
 * schedulers find before that is one quarantine.
 */
export async function quarantineBox(db: Db, id: number, evidence: string): Promise<void> {
  await moveBox(db, id, ['ready', 'offline', 'quarantined'], 'quarantined', evidence);
  await db`
    update hotlap.boxes set quarantines = quarantines + 1,
      check_after = now() + make_interval(secs => least(${QUARANTINE_SECONDS} * 2 ^ least(quarantines, 10), ${LONGEST_QUARANTINE_SECONDS}))
    where id = ${id} and state = 'quarantined' and coalesce(check_after < now(), true)`;
}

/** quarantined -> ready: it was looked at and is in order. */
export async function releaseBox(db: Db, id: number, why: string): Promise<void> {
  await moveBox(db, id, ['quarantined'], 'ready', null, why);
}

/** A job ended well there: the next quarantine is a first one again. */
export async function clearQuarantines(db: Db, id: number): Promise<void> {
  await db`update hotlap.boxes set quarantines = 0 where id = ${id} and quarantines > 0`;
}

/** Boxes that are due for a look: quarantined ones whose time has come, and those whose canary is old. */
export async function listDueBoxes(db: Db): Promise<BoxRow[]> {
  return db<BoxRow[]>`
    select ${boxColumns(db)} from hotlap.boxes b
    where coalesce(check_until < now(), true) and (
      (state = 'quarantined' and coalesce(check_after < now(), true))
      or (state = 'ready' and kind = 'ssh' and coalesce(checked_at, created_at) < now() - ${CANARY_EVERY}::interval))
    order by id`;
}

/** Different jobs that failed there for the box's own reasons since one last ended well or it last changed state. */
export async function countFailuresInARow(db: Db, id: number): Promise<number> {
  const [row] = await db<{ count: number }[]>`
    select count(distinct job_id) as count from hotlap.job_attempts
    where box_id = ${id} and ended_by in ('runner-crashed', 'sandbox-failed', 'disk-full', 'protocol-error', 'no-python')
      and ended_at > greatest(
        (select max(ended_at) from hotlap.job_attempts where box_id = ${id} and ended_by = 'finished'),
        (select max(at) from hotlap.box_events where box_id = ${id}),
        '-infinity'::timestamptz)`;
  return row?.count ?? 0;
}

/** GPUs on which jobs of ours run now. */
export async function listDevicesInUse(db: Db, id: number): Promise<number[]> {
  const rows = await db<{ device: number }[]>`
    select distinct (lane ->> 'device')::int as device
    from hotlap.boxes b
    join hotlap.jobs j on j.box_id = b.id and j.status in ('leased', 'running'),
      jsonb_array_elements(b.lanes) with ordinality l (lane, n)
    where b.id = ${id} and lane ->> 'device' is not null and n - 1 between j.slot and j.slot + j.slot_count - 1`;
  return rows.map((row) => row.device);
}

/** What happened to a box lately, newest first. */
export async function listBoxEvents(
  db: Db,
  id: number,
  limit: number,
): Promise<{ kind: string; message: string; at: Date }[]> {
  return db<{ kind: string; message: string; at: Date }[]>`
    select kind, message, at from hotlap.box_events where box_id = ${id} order by id desc limit ${limit}`;
}
