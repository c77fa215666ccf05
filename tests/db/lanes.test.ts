/** Which lane a job gets, and that a box which is stopped or looked at gets none. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  clearQuarantines,
  countFailuresInARow,
  endBoxCheck,
  listDevicesInUse,
  listDueBoxes,
  quarantineBox,
  releaseBox,
  renewBoxCheck,
  takeBoxCheck,
} from '../../src/db/box-checks.ts';
import { type BoxRow, drainBox, findBox, insertBox, resumeBox, setBoxState } from '../../src/db/boxes.ts';
import type { Sql } from '../../src/db/client.ts';
import { claimJob, type Lease, loadJobWork, requeueJob } from '../../src/db/jobs.ts';
import { storeJobResult } from '../../src/db/results.ts';
import { type BoxLayout, evenLanes, type SandboxChoice } from '../../src/domain/box.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { makeBoard, makeBox, passedIn, submit } from './scene.ts';

let database: TestDatabase;
let sql: Sql;
beforeAll(async () => {
  database = await testDatabase({ maxConnections: 6 });
  sql = database.sql;
});
afterAll(() => database.drop());
beforeEach(async () => {
  await sql`update hotlap.boxes set state = 'removed'`;
  await sql`update hotlap.jobs set status = 'cancelled', lease_token = null where status in ('queued', 'leased', 'running')`;
});

let made = 0;
async function box(
  layout: BoxLayout,
  options: { kind?: 'slurm'; sandbox?: SandboxChoice } = {},
): Promise<BoxRow> {
  const row = await insertBox(sql, {
    name: `lanes-${++made}`,
    kind: 'ssh',
    host: 'gpu.example.org',
    port: 22,
    username: 'runner',
    hostKey: 'SHA256:abc',
    probe: null,
    ...layout,
    ...options,
  });
  if (!row) throw new Error('the name was taken');
  return row;
}

const twoH100: BoxLayout = {
  lanes: [
    { gpus: ['H100'], device: 0 },
    { gpus: ['H100'], device: 1 },
  ],
  wholeTypes: ['H100x2'],
};

/** Returns the first submission's number. */
async function queue(gpu: string, options: { jobs?: number; multiGpu?: boolean } = {}): Promise<number> {
  const board = await makeBoard(sql, { gpus: [gpu], task: { multiGpu: options.multiGpu ?? false } });
  const ids: number[] = [];
  for (let i = 0; i < (options.jobs ?? 1); i++) ids.push(await submit(sql, board, { mode: 'test' }));
  return ids[0] ?? 0;
}

async function claimed(row: BoxRow): Promise<Lease> {
  const lease = await claimJob(sql, row);
  if (!lease) throw new Error('nothing was claimed');
  return lease;
}

const done = (lease: Lease) => storeJobResult(sql, lease, passedIn('test'), null);

describe('a lane', () => {
  it('has a GPU and a share of its own', async () => {
    await queue('H100', { jobs: 2 });
    const row = await box(twoH100);
    const leases = [await claimed(row), await claimed(row)];
    const places = await Promise.all(leases.map((lease) => loadJobWork(sql, lease.jobId)));
    expect(places.map((work) => [work.gpus, work.lane])).toEqual([
      [[0], { slot: 0, of: 2 }],
      [[1], { slot: 1, of: 2 }],
    ]);
    expect((await listDevicesInUse(sql, row.id)).sort()).toEqual([0, 1]);
    await done(leases[0] as Lease);
    expect(await listDevicesInUse(sql, row.id)).toEqual([1]);
  });

  it('is no GPU on a cluster, which gives a job as many as it needs and shares out nothing here', async () => {
    await queue('H100', { jobs: 2, multiGpu: true });
    const row = await box({ lanes: evenLanes(['H100'], 3), wholeTypes: [] }, { kind: 'slurm' });
    const leases = [await claimed(row), await claimed(row)];
    expect(leases.map((lease) => lease.slot)).toEqual([0, 1]);
    const place = await loadJobWork(sql, (leases[1] as Lease).jobId);
    expect([place.gpus, place.lane]).toEqual([null, null]);
  });

  it('gets only jobs of its own types', async () => {
    await queue('A100');
    await queue('H100');
    const row = await box({
      lanes: [
        { gpus: ['H100'], device: 0 },
        { gpus: ['A100', 'CPU'], device: 1 },
      ],
      wholeTypes: [],
    });
    expect((await claimed(row)).slot).toBe(1);
    expect((await claimed(row)).slot).toBe(0);
    await queue('A100');
    expect(await claimJob(sql, row)).toBe(null);
  });

  it('shows no GPU to a job of type CPU', async () => {
    await queue('CPU');
    const row = await box({ lanes: [{ gpus: ['H100', 'CPU'], device: 0 }], wholeTypes: [] });
    expect((await loadJobWork(sql, (await claimed(row)).jobId)).gpus).toEqual([]);
  });

  it('that is the only one of its box sees all of the machine', async () => {
    await queue('H100');
    const row = await box({ lanes: [{ gpus: ['H100'], device: 0 }], wholeTypes: [] });
    expect(await loadJobWork(sql, (await claimed(row)).jobId)).toMatchObject({ gpus: [0], lane: null });
  });
});

describe('a job for several GPUs', () => {
  it.each([
    ['its task says so', 'H100', true],
    ['its GPU type does', 'H100x2', false],
  ])('takes every lane when %s, and waits for the last of them', async (_, gpu, multiGpu) => {
    await queue('H100');
    const row = await box(twoH100);
    const small = await claimed(row);
    const wide = await queue(gpu, { multiGpu });
    expect(await claimJob(sql, row)).toBe(null);
    await done(small);
    const lease = await claimed(row);
    expect(lease.submissionId).toBe(wide);
    expect(await loadJobWork(sql, lease.jobId)).toMatchObject({ gpus: null, lane: null });
    await queue('H100');
    expect(await claimJob(sql, row)).toBe(null);
    await done(lease);
    expect(await claimJob(sql, row)).not.toBe(null);
  });

  it('is not kept waiting by small ones behind it, on one box; others go on with those', async () => {
    await queue('H100');
    const first = await box(twoH100);
    const second = await box(twoH100);
    const small = await claimed(first);
    await queue('H100');
    const other = await claimed(second);
    const wide = await queue('H100', { multiGpu: true });
    await queue('H100', { jobs: 2 });
    expect(await claimJob(sql, first)).toBe(null);
    await claimed(second);
    await done(small);
    expect((await claimed(first)).submissionId).toBe(wide);
    await done(other);
  });

  it('never overlaps another, whoever claims at once', async () => {
    await queue('H100', { jobs: 12 });
    for (let i = 0; i < 6; i++) await queue('H100', { multiGpu: true });
    const row = await box(twoH100);
    let finished = 0;
    const claimer = async () => {
      while (finished < 18) {
        const lease = await claimJob(sql, row);
        const [overlap] = await sql`
          select 1 from hotlap.jobs a join hotlap.jobs b on b.box_id = a.box_id and b.id > a.id
          where a.status = 'leased' and b.status = 'leased' and a.slot < b.slot + b.slot_count and b.slot < a.slot + a.slot_count`;
        expect(overlap).toBeUndefined();
        if (!lease) continue;
        await done(lease);
        finished += 1;
      }
    };
    await Promise.all([claimer(), claimer(), claimer()]);
    expect(finished).toBe(18);
  });
});

describe('a box that is stopped', () => {
  it('by an organiser gets nothing until it is resumed, whether it answers or not', async () => {
    await queue('CPU');
    const row = await makeBox(sql, ['CPU']);
    expect(await drainBox(sql, row.id, 'by an organiser')).toBe(true);
    await setBoxState(sql, row.id, 'ready', null);
    expect(await findBox(sql, row.name)).toMatchObject({ state: 'draining', problem: 'by an organiser' });
    expect(await claimJob(sql, row)).toBe(null);
    expect(await resumeBox(sql, row.id, 'by an organiser')).toBe(true);
    expect(await resumeBox(sql, row.id, 'by an organiser')).toBe(false);
    expect(await claimJob(sql, row)).not.toBe(null);
  });

  it('in quarantine is due for a look after a while, longer each time until a job ends well there', async () => {
    const row = await makeBox(sql, ['CPU']);
    const secondsToGo = async () => {
      const [due] = await sql<{ seconds: number }[]>`
        select extract(epoch from check_after - now())::float8 as seconds from hotlap.boxes where id = ${row.id}`;
      return Math.round(due?.seconds ?? 0);
    };
    const waits: number[] = [];
    for (let i = 0; i < 7; i++) {
      await sql`update hotlap.boxes set check_after = now() - interval '1 second' where id = ${row.id}`;
      await quarantineBox(sql, row.id, 'GPU 0 is not idle');
      // Found by another lane or scheduler as well: still the same quarantine.
      await quarantineBox(sql, row.id, 'GPU 0 is not idle');
      waits.push(await secondsToGo());
    }
    expect(waits.map((seconds) => Math.round(seconds / 10) * 10)).toEqual([30, 60, 120, 240, 480, 600, 600]);
    expect(await listDueBoxes(sql)).toEqual([]);
    await sql`update hotlap.boxes set check_after = now() - interval '1 second' where id = ${row.id}`;
    expect((await listDueBoxes(sql)).map((due) => due.id)).toEqual([row.id]);
    await releaseBox(sql, row.id, 'in order');
    expect(await findBox(sql, row.name)).toMatchObject({ state: 'ready', problem: null });
    await clearQuarantines(sql, row.id);
    await quarantineBox(sql, row.id, 'again');
    expect(Math.round((await secondsToGo()) / 10) * 10).toBe(30);
  });

  it('counts as failing by the different jobs that failed there in a row', async () => {
    const row = await makeBox(sql, ['CPU'], 4);
    await queue('CPU', { jobs: 4 });
    const fail = async (kind: 'runner-crashed' | 'channel-lost') => {
      const lease = await claimed(row);
      await requeueJob(sql, lease, { kind, message: 'gone', delayMs: 60_000 });
    };
    await fail('runner-crashed');
    await fail('channel-lost');
    expect(await countFailuresInARow(sql, row.id)).toBe(1);
    await fail('runner-crashed');
    expect(await countFailuresInARow(sql, row.id)).toBe(2);
    await done(await claimed(row));
    expect(await countFailuresInARow(sql, row.id)).toBe(0);
  });
});

describe('a box that somebody looks at', () => {
  const take = (row: BoxRow) => sql.begin((tx) => takeBoxCheck(tx, row.id, 60));

  it('has no job on it, and gets none before the look has ended', async () => {
    await queue('CPU', { jobs: 2 });
    const row = await makeBox(sql, ['CPU'], 2);
    const lease = await claimed(row);
    expect(await take(row)).toBe(null);
    await done(lease);
    const token = await take(row);
    expect(token).not.toBe(null);
    expect(await take(row)).toBe(null);
    expect(await claimJob(sql, row)).toBe(null);
    await endBoxCheck(sql, row.id, token as string);
    expect(await claimJob(sql, row)).not.toBe(null);
  });

  it('and who claims at the same moment never both have it', async () => {
    await queue('CPU', { jobs: 15 });
    const row = await box({ lanes: evenLanes(['CPU'], 1), wholeTypes: [] });
    for (let round = 0; round < 15; round++) {
      const [lease, token] = await Promise.all([claimJob(sql, row), take(row)]);
      expect([lease, token].filter((won) => won !== null)).toHaveLength(1);
      if (lease) await done(lease);
      if (token) {
        await endBoxCheck(sql, row.id, token);
        await done(await claimed(row));
      }
    }
  });

  it('stays reserved for as long as whoever looks says so, and for nobody else', async () => {
    const row = await makeBox(sql, ['CPU']);
    const token = (await take(row)) as string;
    const secondsToGo = async () => {
      const [due] = await sql<{ seconds: number }[]>`
        select extract(epoch from check_until - now())::float8 as seconds from hotlap.boxes where id = ${row.id}`;
      return Math.round((due?.seconds ?? 0) / 10) * 10;
    };
    await renewBoxCheck(sql, row.id, '00000000-0000-4000-8000-000000000000', 600);
    expect(await secondsToGo()).toBe(60);
    await renewBoxCheck(sql, row.id, token, 600);
    expect(await secondsToGo()).toBe(600);
    await endBoxCheck(sql, row.id, token);
    await renewBoxCheck(sql, row.id, token, 600);
    expect(await take(row)).not.toBe(null);
  });

  it('is free again when whoever looked has died', async () => {
    await queue('CPU');
    const row = await makeBox(sql, ['CPU']);
    await take(row);
    await sql`update hotlap.boxes set check_until = now() - interval '1 second' where id = ${row.id}`;
    expect(await claimJob(sql, row)).not.toBe(null);
  });
});

describe('a model to be served', () => {
  const model = { lang: 'model' } as const;
  const inContainers = (gpu: string) =>
    box({ lanes: evenLanes([gpu], 1), wholeTypes: [] }, { sandbox: { engine: 'docker', image: 'runner:1' } });

  it('goes past boxes with containers, and holds up nothing there', async () => {
    const bubblewrap = await makeBox(sql, ['CPU']);
    const containers = await inContainers('CPU');
    const served = await submit(sql, await makeBoard(sql, { task: model }), { mode: 'test' });
    const evaluated = await submit(sql, await makeBoard(sql), { mode: 'test' });
    expect((await claimJob(sql, containers))?.submissionId).toBe(evaluated);
    expect(await claimJob(sql, containers)).toBe(null);
    expect((await claimJob(sql, bubblewrap))?.submissionId).toBe(served);
  });

  it('is refused where a GPU type has no other boxes, and waits where it has none at all', async () => {
    await inContainers('L4');
    const board = await makeBoard(sql, { gpus: ['L4', 'T4'], task: model });
    await expect(submit(sql, board)).rejects.toMatchObject({
      code: 'gpu-without-models',
      details: { gpus: 'L4' },
    });
    await submit(sql, board, { gpus: ['T4'] });
    await submit(sql, await makeBoard(sql, { gpus: ['L4'] }));
  });
});
