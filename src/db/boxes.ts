/** Registered boxes and what happened to them. */
import type { ProbeReport } from '../domain/protocol.ts';
import type { Db } from './client.ts';

export type BoxState = 'ready' | 'offline' | 'removed';

export interface BoxRow {
  id: number;
  name: string;
  kind: 'local' | 'ssh';
  host: string | null;
  port: number | null;
  username: string | null;
  hostKey: string | null;
  gpuTypes: string[];
  slots: number;
  state: BoxState;
  /** Why it is offline, for admins. */
  problem: string | null;
  probe: ProbeReport | null;
}

const columns = (db: Db) => db`
  id, name, kind, host, port, username, host_key as "hostKey", gpu_types as "gpuTypes", slots, state, problem, probe`;

/** All but the removed ones, by name. */
export async function listBoxes(db: Db): Promise<BoxRow[]> {
  return db<BoxRow[]>`select ${columns(db)} from hotlap.boxes where state <> 'removed' order by lower(name)`;
}

/** Removed boxes on which jobs of ours may still run: somebody has to see those to their end. */
export async function listRemovedBoxesAtWork(db: Db): Promise<BoxRow[]> {
  return db<BoxRow[]>`
    select ${columns(db)} from hotlap.boxes b
    where state = 'removed' and exists (
      select from hotlap.jobs j where j.box_id = b.id and j.status in ('leased', 'running'))`;
}

export async function findBox(db: Db, name: string): Promise<BoxRow | null> {
  const [row] = await db<BoxRow[]>`
    select ${columns(db)} from hotlap.boxes where lower(name) = lower(${name}) and state <> 'removed'`;
  return row ?? null;
}

/** Null when the name is taken. */
export async function insertBox(
  db: Db,
  box: Pick<
    BoxRow,
    'name' | 'kind' | 'host' | 'port' | 'username' | 'hostKey' | 'gpuTypes' | 'slots' | 'probe'
  >,
): Promise<BoxRow | null> {
  const [row] = await db<BoxRow[]>`
    insert into hotlap.boxes (name, kind, host, port, username, host_key, gpu_types, slots, probe)
    values (${box.name}, ${box.kind}, ${box.host}, ${box.port}, ${box.username}, ${box.hostKey}, ${box.gpuTypes},
      ${box.slots}, ${box.probe ? db.json({ ...box.probe }) : null})
    on conflict (lower(name)) where state <> 'removed' do nothing
    returning ${columns(db)}`;
  return row ?? null;
}

/** What the local machine offers may change between two starts. */
export async function updateLocalBox(
  db: Db,
  id: number,
  box: Pick<BoxRow, 'gpuTypes' | 'slots' | 'probe'>,
): Promise<void> {
  await db`
    update hotlap.boxes set gpu_types = ${box.gpuTypes}, slots = ${box.slots},
      probe = ${box.probe ? db.json({ ...box.probe }) : null}
    where id = ${id} and kind = 'local'`;
}

/**
 * ready <-> offline, with the reason as it is now; a removed box stays removed. Only a change of state writes an event,
 * and owes organisers a notice; the local machine that stands back is none.
 */
export async function setBoxState(
  db: Db,
  id: number,
  state: 'ready' | 'offline',
  problem: string | null,
): Promise<void> {
  await db`
    with before as (
      select id, state from hotlap.boxes where id = ${id} and state <> 'removed' for update
    ), changed as (
      update hotlap.boxes b set state = ${state}, problem = ${problem}
      from before where b.id = before.id returning b.id, before.state <> ${state} as turned
    ), event as (
      insert into hotlap.box_events (box_id, kind, message)
      select id, ${state}, ${problem ?? ''} from changed where turned returning id, box_id, kind, message
    )
    insert into hotlap.outbox (kind, dedupe_key, payload)
    select 'box-notice', 'box-event-' || e.id,
      jsonb_build_object('box', b.name, 'state', e.kind, 'message', e.message)
    from event e join hotlap.boxes b on b.id = e.box_id where b.kind <> 'local'
    returning pg_notify('hotlap_outbox', '')`;
}

/** Any state -> removed. */
export async function removeBox(db: Db, id: number): Promise<void> {
  await db`
    with changed as (update hotlap.boxes set state = 'removed' where id = ${id} and state <> 'removed' returning id)
    insert into hotlap.box_events (box_id, kind, message) select id, 'removed', '' from changed`;
}

/** Jobs that may be alive on a box. */
export async function countLeasedJobs(db: Db, boxId: number): Promise<number> {
  const [row] = await db<{ count: number }[]>`
    select count(*) as count from hotlap.jobs where box_id = ${boxId} and status in ('leased', 'running')`;
  return row?.count ?? 0;
}

/** Wakes the pools of all schedulers after boxes changed. */
export async function notifyBoxes(db: Db): Promise<void> {
  await db`select pg_notify('hotlap_boxes', '')`;
}
