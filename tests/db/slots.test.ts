/** One slot, one job: whoever claims, and however many at once. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type BoxRow, removeBox, updateLocalBox } from '../../src/db/boxes.ts';
import { connect, type Sql } from '../../src/db/client.ts';
import { claimJob, expireLease, type Lease, requeueJob, takeOverJob } from '../../src/db/jobs.ts';
import { storeJobCancelled, storeJobResult } from '../../src/db/results.ts';
import { evenLanes } from '../../src/domain/box.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { quietLog } from '../support/quiet-log.ts';
import { makeBoard, makeBox, passedIn, submit } from './scene.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase({ maxConnections: 4 });
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.sql`truncate hotlap.submissions, hotlap.jobs cascade`;
  for (const box of await database.sql<{ id: number }[]>`select id from hotlap.boxes`)
    await removeBox(database.sql, box.id);
});

async function queue(count: number): Promise<void> {
  const board = await makeBoard(database.sql);
  for (let i = 0; i < count; i++) await submit(database.sql, board, { mode: 'test' });
}

const live = (box: BoxRow) =>
  database.sql<{ slot: number }[]>`
    select slot from hotlap.jobs where box_id = ${box.id} and status in ('leased', 'running') order by slot`;

describe('a box', () => {
  it('takes as many jobs as it has slots, each on one of its own', async () => {
    await queue(5);
    const box = await makeBox(database.sql, ['CPU'], 3);
    const leases = [];
    for (let i = 0; i < 5; i++) leases.push(await claimJob(database.sql, box));
    expect(leases.map((lease) => lease !== null)).toEqual([true, true, true, false, false]);
    expect((await live(box)).map((row) => row.slot)).toEqual([0, 1, 2]);
  });

  it('has the slot free again of a job that finished, was cancelled or went back to the queue', async () => {
    const { sql } = database;
    await queue(6);
    const box = await makeBox(sql, ['CPU'], 3);
    const first = [await claimJob(sql, box), await claimJob(sql, box), await claimJob(sql, box)];
    const [done, stopped, failed] = first as [Lease, Lease, Lease];
    await storeJobResult(sql, done, passedIn('test'), null);
    await storeJobCancelled(sql, stopped);
    await requeueJob(sql, failed, { kind: 'disk-full', message: '', delayMs: 600_000 });
    expect(await live(box)).toHaveLength(0);
    for (let i = 0; i < 3; i++) expect(await claimJob(sql, box)).not.toBe(null);
    expect((await live(box)).map((row) => row.slot)).toEqual([0, 1, 2]);
  });

  it('keeps the slot of a job whose holder is gone, for its successor', async () => {
    const { sql } = database;
    await queue(2);
    const box = await makeBox(sql, ['CPU']);
    const lease = await claimJob(sql, box);
    if (!lease) throw new Error('nothing to claim');
    await expireLease(sql, lease);
    expect(await claimJob(sql, box)).toBe(null);
    expect(await takeOverJob(sql, box.id, [lease.jobId])).toBe(null);
    expect(await takeOverJob(sql, box.id, [lease.jobId + 1])).toMatchObject({ jobId: lease.jobId });
    expect(await live(box)).toHaveLength(1);
  });

  it('that got fewer slots takes no more before it has room', async () => {
    const { sql } = database;
    await queue(4);
    const box = await makeBox(sql, ['CPU'], 2);
    const leases = [await claimJob(sql, box), await claimJob(sql, box)];
    await updateLocalBox(sql, box.id, {
      lanes: evenLanes(['CPU'], 1),
      wholeTypes: [],
      unsafe: false,
      probe: null,
    });
    expect(await claimJob(sql, box)).toBe(null);
    await storeJobResult(sql, leases[0] as Lease, passedIn('test'), null);
    expect(await claimJob(sql, box)).not.toBe(null);
    await storeJobResult(sql, leases[1] as Lease, passedIn('test'), null);
    expect(await claimJob(sql, box)).toBe(null);
  });
});

describe('many schedulers at once', () => {
  it('never put two live jobs on one slot, and leave none undone', async () => {
    const jobs = 90;
    await queue(jobs);
    const boxes = await Promise.all([1, 2, 3].map((slots) => makeBox(database.sql, ['CPU'], slots)));
    const pools: Sql[] = Array.from({ length: 6 }, () =>
      connect(database.databaseUrl, { maxConnections: 2, log: quietLog }),
    );
    const ends = new Map<number, number>();
    let most = 0;
    const watch = async (sql: Sql) => {
      const [row] = await sql<{ twice: number; over: number; live: number }[]>`
        select
          (select count(*) from (
            select 1 from hotlap.jobs where status in ('leased', 'running') group by box_id, slot having count(*) > 1
          ) d) as twice,
          (select count(*) from hotlap.boxes b where jsonb_array_length(b.lanes) < (
            select count(*) from hotlap.jobs j where j.box_id = b.id and j.status in ('leased', 'running'))) as over,
          (select count(*) from hotlap.jobs where status in ('leased', 'running')) as live`;
      most = Math.max(most, row?.live ?? 0);
      expect(row).toMatchObject({ twice: 0, over: 0 });
    };
    const deadline = Date.now() + 45_000;
    const scheduler = async (sql: Sql, index: number) => {
      for (let round = 0; ends.size < jobs && Date.now() < deadline; round++) {
        const box = boxes[(index + round) % boxes.length] as BoxRow;
        const lease = await claimJob(sql, box);
        if (round % 5 === 0) await watch(sql);
        if (!lease) continue;
        await watch(sql);
        expect(await storeJobResult(sql, lease, passedIn('test'), null)).toBe(true);
        ends.set(lease.jobId, (ends.get(lease.jobId) ?? 0) + 1);
      }
    };
    try {
      await Promise.all(pools.flatMap((sql, index) => [scheduler(sql, index), scheduler(sql, index + 1)]));
    } finally {
      await Promise.all(pools.map((sql) => sql.end()));
    }
    expect(ends.size).toBe(jobs);
    expect([...ends.values()].every((times) => times === 1)).toBe(true);
    expect(most).toBeGreaterThan(1);
    expect(
      await database.sql`select job_id from hotlap.job_attempts where ended_by = 'finished'`,
    ).toHaveLength(jobs);
  });
});
