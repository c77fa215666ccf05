/** Registered boxes and what happened to them. */
import { type BoxLayout, type SandboxChoice, servedTypes } from '../domain/box.ts';
import type { Canary, ProbeReport } from '../domain/protocol.ts';
import type { SlurmOptions } from '../domain/slurm.ts';
import type { Db } from './client.ts';

/**
 * ready and offline follow from whether it answers. An organiser drains it. Evidence quarantines it. Only on a box that
 * is ready are jobs started; what runs on it ends in its own time, whatever its state becomes.
 */
export type BoxState = 'ready' | 'draining' | 'quarantined' | 'offline' | 'removed';
export type BoxKind = 'local' | 'ssh' | 'slurm';

export interface BoxRow extends BoxLayout {
  id: number;
  name: string;
  kind: BoxKind;
  host: string | null;
  port: number | null;
  username: string | null;
  hostKey: string | null;
  /** Of all lanes, and those served as a whole. */
  gpuTypes: string[];
  state: BoxState;
  /** Why it is not ready, for admins. */
  problem: string | null;
  probe: ProbeReport | null;
  /** Submissions may run without a sandbox. */
  unsafe: boolean;
  sandbox: SandboxChoice;
  baseline: Canary | null;
  /** How jobs are handed to a cluster; null for all others. */
  slurm: SlurmOptions | null;
}

export type NewBoxRow = Pick<BoxRow, 'name' | 'kind' | 'host' | 'port' | 'username' | 'hostKey' | 'probe'> &
  BoxLayout &
  Partial<Pick<BoxRow, 'unsafe' | 'sandbox' | 'baseline' | 'slurm'>>;

export const boxColumns = (db: Db) => db`
  id, name, kind, host, port, username, host_key as "hostKey", gpu_types as "gpuTypes", whole_types as "wholeTypes", lanes,
  state, problem, probe, unsafe, sandbox, baseline, slurm`;

/** All but the removed ones, by name. */
export async function listBoxes(db: Db): Promise<BoxRow[]> {
  return db<
    BoxRow[]
  >`select ${boxColumns(db)} from hotlap.boxes where state <> 'removed' order by lower(name)`;
}

/** Removed boxes on which jobs of ours may still run: somebody has to see those to their end. */
export async function listRemovedBoxesAtWork(db: Db): Promise<BoxRow[]> {
  return db<BoxRow[]>`
    select ${boxColumns(db)} from hotlap.boxes b
    where state = 'removed' and exists (
      select from hotlap.jobs j where j.box_id = b.id and j.status in ('leased', 'running'))`;
}

export async function findBox(db: Db, name: string): Promise<BoxRow | null> {
  const [row] = await db<BoxRow[]>`
    select ${boxColumns(db)} from hotlap.boxes where lower(name) = lower(${name}) and state <> 'removed'`;
  return row ?? null;
}

/** Of these GPU types, those of which every box runs submissions in containers. */
export async function listContainerTypes(db: Db, gpuTypes: string[]): Promise<string[]> {
  const rows = await db<{ gpu: string }[]>`
    select t.gpu from unnest(${gpuTypes}::text[]) t (gpu)
    join hotlap.boxes b on b.state <> 'removed' and lower(t.gpu) in (select lower(g) from unnest(b.gpu_types) g)
    group by t.gpu having bool_and(b.sandbox ->> 'engine' <> 'bubblewrap') order by t.gpu`;
  return rows.map((row) => row.gpu);
}

/** Null when the name is taken. */
export async function insertBox(db: Db, box: NewBoxRow): Promise<BoxRow | null> {
  const [row] = await db<BoxRow[]>`
    insert into hotlap.boxes (name, kind, host, port, username, host_key, gpu_types, whole_types, lanes, probe, unsafe,
      sandbox, baseline, slurm)
    values (${box.name}, ${box.kind}, ${box.host}, ${box.port}, ${box.username}, ${box.hostKey}, ${servedTypes(box)},
      ${box.wholeTypes}, ${lanesJson(db, box)}, ${box.probe ? db.json({ ...box.probe }) : null}, ${box.unsafe ?? false},
      ${db.json(box.sandbox ?? { engine: 'bubblewrap' })}, ${box.baseline ? db.json({ ...box.baseline }) : null},
      ${box.slurm ? db.json({ ...box.slurm }) : null})
    on conflict (lower(name)) where state <> 'removed' do nothing
    returning ${boxColumns(db)}`;
  return row ?? null;
}

/** What the local machine offers may change between two starts. */
export async function updateLocalBox(
  db: Db,
  id: number,
  box: BoxLayout & Pick<BoxRow, 'probe' | 'unsafe'>,
): Promise<void> {
  await db`
    update hotlap.boxes set gpu_types = ${servedTypes(box)}, whole_types = ${box.wholeTypes},
      lanes = ${lanesJson(db, box)}, unsafe = ${box.unsafe}, probe = ${box.probe ? db.json({ ...box.probe }) : null}
    where id = ${id} and kind = 'local'`;
}

function lanesJson(db: Db, { lanes }: BoxLayout) {
  return db.json(lanes.map((lane) => ({ ...lane })));
}

/** ready <-> offline, as the box answers or not, with the reason as it is now. Others stay what they are. */
export async function setBoxState(
  db: Db,
  id: number,
  state: 'ready' | 'offline',
  problem: string | null,
): Promise<void> {
  await moveBox(db, id, ['ready', 'offline'], state, problem);
}

/** An organiser's wish: nothing new is started there until `resumeBox`. False when it was removed meanwhile. */
export async function drainBox(db: Db, id: number, why: string): Promise<boolean> {
  return moveBox(db, id, ['ready', 'offline', 'quarantined', 'draining'], 'draining', why);
}

/** draining | quarantined -> ready, by an organiser. False when it was neither. */
export async function resumeBox(db: Db, id: number, why: string): Promise<boolean> {
  return moveBox(db, id, ['draining', 'quarantined'], 'ready', null, why);
}

/**
 * Only a change of state writes an event and owes organisers a notice; the local machine that stands back is none. False
 * when the box was in none of the states `from`.
 */
export async function moveBox(
  db: Db,
  id: number,
  from: readonly BoxState[],
  state: Exclude<BoxState, 'removed'>,
  problem: string | null,
  message = problem ?? '',
): Promise<boolean> {
  const rows = await db<{ id: number }[]>`
    with before as (
      select id, state from hotlap.boxes where id = ${id} and state = any(${from as BoxState[]}) for update
    ), changed as (
      update hotlap.boxes b set state = ${state}, problem = ${problem},
        check_after = case when ${state} = 'quarantined' then b.check_after end
      from before where b.id = before.id returning b.id, before.state <> ${state} as turned
    ), event as (
      insert into hotlap.box_events (box_id, kind, message)
      select id, ${state}, ${message}::text from changed where turned returning id, box_id, kind, message
    ), owed as (
      insert into hotlap.outbox (kind, dedupe_key, payload)
      select 'box-notice', 'box-event-' || e.id,
        jsonb_build_object('box', b.name, 'state', e.kind, 'message', e.message)
      from event e join hotlap.boxes b on b.id = e.box_id where b.kind <> 'local'
      returning pg_notify('hotlap_outbox', '')
    )
    select id, (select count(*) from owed) from changed`;
  return rows.length > 0;
}

/** Any state -> removed. */
export async function removeBox(db: Db, id: number): Promise<void> {
  await db`
    with changed as (update hotlap.boxes set state = 'removed' where id = ${id} and state <> 'removed' returning id)
    insert into hotlap.box_events (box_id, kind, message) select id, 'removed', '' from changed`;
}

/** As it is until the transaction ends. */
export async function lockBoxState(tx: Db, id: number): Promise<BoxState> {
  const [row] = await tx<{ state: BoxState }[]>`select state from hotlap.boxes where id = ${id} for update`;
  return row?.state ?? 'removed';
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
