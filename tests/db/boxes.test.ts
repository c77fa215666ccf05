import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  countLeasedJobs,
  findBox,
  insertBox,
  listBoxes,
  removeBox,
  setBoxState,
  updateLocalBox,
} from '../../src/db/boxes.ts';
import { claimJob, markJobRunning } from '../../src/db/jobs.ts';
import { evenLanes } from '../../src/domain/box.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { makeBoard, makeBox, submit } from './scene.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.drop());

const ssh = (name: string) => ({
  name,
  kind: 'ssh' as const,
  host: 'gpu.example.org',
  port: 2222,
  username: 'runner',
  hostKey: 'SHA256:abc',
  lanes: evenLanes(['H100', 'A100'], 2),
  wholeTypes: [],
  probe: null,
});
const events = (id: number) =>
  database.sql`select kind, message from hotlap.box_events where box_id = ${id} order by id`;

describe('a box', () => {
  it('is found by its name in any case, with everything that was registered', async () => {
    const box = await insertBox(database.sql, ssh('Alpha'));
    expect(box).toMatchObject({ ...ssh('Alpha'), state: 'ready', problem: null });
    expect(await findBox(database.sql, 'aLPHA')).toEqual(box);
    expect(await findBox(database.sql, 'beta')).toBe(null);
  });

  it('keeps its name until it is removed, also when two register it at once', async () => {
    const { sql } = database;
    const both = await Promise.all([insertBox(sql, ssh('gamma')), insertBox(sql, ssh('GAMMA'))]);
    expect(both.filter((box) => box === null)).toHaveLength(1);
    const first = both.find((box) => box !== null);
    if (!first) throw new Error('one of them was registered');
    await removeBox(sql, first.id);
    expect(await findBox(sql, 'gamma')).toBe(null);
    expect((await listBoxes(sql)).map((box) => box.id)).not.toContain(first.id);
    const second = await insertBox(sql, ssh('gamma'));
    expect(second?.id).not.toBe(first.id);
    await removeBox(sql, first.id);
    expect(await findBox(sql, 'gamma')).toEqual(second);
    expect(await events(first.id)).toMatchObject([{ kind: 'removed' }]);
  });

  it('writes an event when its state changes and not otherwise', async () => {
    const { sql } = database;
    const { id, name } = await makeBox(sql, ['H100']);
    await setBoxState(sql, id, 'ready', null);
    await setBoxState(sql, id, 'offline', 'unreachable: no route');
    await setBoxState(sql, id, 'offline', 'unreachable: no route');
    expect(await findBox(sql, name)).toMatchObject({ state: 'offline', problem: 'unreachable: no route' });
    await setBoxState(sql, id, 'ready', null);
    expect(await findBox(sql, name)).toMatchObject({ state: 'ready', problem: null });
    expect(await events(id)).toMatchObject([
      { kind: 'offline', message: 'unreachable: no route' },
      { kind: 'ready', message: '' },
    ]);
  });

  it('shows the trouble that it has now, not the one that it went offline for', async () => {
    const { sql } = database;
    const { id, name } = await makeBox(sql, ['H100']);
    await setBoxState(sql, id, 'offline', 'unreachable: no route');
    await setBoxState(sql, id, 'offline', 'host-key-changed: another key');
    expect((await findBox(sql, name))?.problem).toBe('host-key-changed: another key');
    expect(await events(id)).toHaveLength(1);
  });

  it('stays removed, whatever a lane says that still works on it', async () => {
    const { sql } = database;
    const { id } = await makeBox(sql, ['H100']);
    await removeBox(sql, id);
    await setBoxState(sql, id, 'ready', null);
    await removeBox(sql, id);
    expect((await sql`select state from hotlap.boxes where id = ${id}`)[0]?.state).toBe('removed');
    expect(await events(id)).toHaveLength(1);
  });

  it('owes organisers one notice for each change, unless it is the local machine', async () => {
    const { sql } = database;
    const remote = await insertBox(sql, ssh('delta'));
    const local = await makeBox(sql, ['CPU']);
    if (!remote) throw new Error('the name was free');
    for (const { id } of [remote, local]) {
      await setBoxState(sql, id, 'offline', 'unreachable: no route');
      await setBoxState(sql, id, 'offline', 'unreachable: still none');
    }
    const notices = await sql`select payload from hotlap.outbox where kind = 'box-notice'`;
    expect(notices.map((notice) => notice.payload)).toEqual([
      { box: 'delta', state: 'offline', message: 'unreachable: no route' },
    ]);
  });

  it('that is local may offer something else after a restart; another may not', async () => {
    const { sql } = database;
    const local = await makeBox(sql, ['CPU']);
    const remote = await insertBox(sql, ssh('epsilon'));
    for (const id of [local.id, remote?.id ?? 0]) {
      await updateLocalBox(sql, id, {
        lanes: evenLanes(['H200'], 1),
        wholeTypes: [],
        unsafe: false,
        probe: null,
      });
    }
    expect((await findBox(sql, local.name))?.gpuTypes).toEqual(['H200']);
    expect((await findBox(sql, 'epsilon'))?.gpuTypes).toEqual(['H100', 'A100']);
  });

  it('counts the jobs that may be alive on it', async () => {
    const { sql } = database;
    const box = await makeBox(sql, ['COUNT'], 2);
    const board = await makeBoard(sql, { gpus: ['COUNT'] });
    await submit(sql, board);
    expect(await countLeasedJobs(sql, box.id)).toBe(0);
    const lease = await claimJob(sql, box);
    await claimJob(sql, box);
    if (lease) await markJobRunning(sql, lease);
    expect(await countLeasedJobs(sql, box.id)).toBe(2);
  });
});
