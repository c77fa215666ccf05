import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { BoxRow } from '../../src/db/boxes.ts';
import {
  claimJob,
  expireLease,
  jobsAliveOn,
  type Lease,
  loadJobWork,
  markJobRunning,
  renewLease,
  requeueJob,
  saveProgress,
  takeOverJob,
} from '../../src/db/jobs.ts';
import { saveLeaderboard, storeTaskVersion } from '../../src/db/leaderboards.ts';
import { storeBoxFailure, storeJobResult } from '../../src/db/results.ts';
import { taskHash } from '../../src/domain/task.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { leaseJob, makeBoard, makeBox, passedIn, plainTask, submit } from './scene.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase({ maxConnections: 16 });
});
afterAll(() => database.drop());
// Every test starts with an empty queue, and without boxes that another one made.
beforeEach(async () => {
  await database.sql`update hotlap.jobs set status = 'cancelled', lease_token = null where status <> 'finished'`;
  await database.sql`update hotlap.boxes set state = 'removed'`;
});

const jobRow = async (id: number) => (await database.sql`select * from hotlap.jobs where id = ${id}`)[0];
const statusOf = async (submissionId: number) =>
  (await database.sql`select status from hotlap.submissions where id = ${submissionId}`)[0]?.status;

function held(lease: Lease | null): Lease {
  if (!lease) throw new Error('there was no job to claim');
  return lease;
}

describe('a claim', () => {
  it('gives each of many jobs to exactly one of many claimers', async () => {
    const { sql } = database;
    const board = await makeBoard(sql, { gpus: ['CPU', 'H100'] });
    for (let i = 0; i < 60; i++) await submit(sql, board);
    const boxes = await Promise.all(
      [['CPU'], ['H100'], ['CPU', 'H100'], ['CPU', 'H100']].map((types) => makeBox(sql, types, 64)),
    );
    const claimed: Lease[] = [];
    // Two that want the same slot at once: one gets nothing though there is work.
    const canClaim = async (box: BoxRow) =>
      (
        await sql`
          select 1 from hotlap.jobs j where j.status = 'queued' and j.gpu_type = any(${box.gpuTypes})
            and (select count(*) from hotlap.jobs b where b.box_id = ${box.id} and b.status = 'leased') < ${box.lanes.length}
          limit 1`
      ).length > 0;
    const claimer = async (index: number) => {
      const box = boxes[index % boxes.length];
      if (!box) return;
      for (;;) {
        const lease = await claimJob(sql, box);
        if (lease) claimed.push(lease);
        else if (!(await canClaim(box))) return;
      }
    };
    await Promise.all(Array.from({ length: 16 }, (_, index) => claimer(index)));
    expect(claimed).toHaveLength(240);
    expect(new Set(claimed.map((lease) => lease.jobId)).size).toBe(240);
    expect(new Set(claimed.map((lease) => lease.token)).size).toBe(240);
    expect(claimed.every((lease) => lease.attempt === 1 && !lease.takenOver)).toBe(true);
  });

  it('takes quick feedback first, then the oldest', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    const box = await makeBox(sql, ['CPU'], 6);
    const order = [];
    for (const mode of ['leaderboard', 'benchmark', 'test', 'profile', 'test'] as const) {
      order.push(await submit(sql, board, { mode }));
    }
    const [ranked, benchmark, test, profile, second] = order;
    const claimed = [];
    for (let lease = await claimJob(sql, box); lease; lease = await claimJob(sql, box)) claimed.push(lease);
    expect(claimed.map((lease) => lease.submissionId)).toEqual([
      test,
      second,
      benchmark,
      profile,
      ranked,
      ranked,
    ]);
    // The public job of a ranked submission comes before its secret one.
    const secrets = await Promise.all(
      claimed.slice(4).map(async (lease) => (await jobRow(lease.jobId))?.secret),
    );
    expect(secrets).toEqual([false, true]);
  });

  it('finds the jobs of its GPU types in whatever case they are written, and no others', async () => {
    const { sql } = database;
    const board = await makeBoard(sql, { gpus: ['MI300x8', 'H100'] });
    await submit(sql, board, { mode: 'test' });
    expect(await claimJob(sql, await makeBox(sql, ['MI300', 'A100']))).toBe(null);
    const lease = held(await claimJob(sql, await makeBox(sql, ['a100', 'mi300X8'])));
    expect(await jobRow(lease.jobId)).toMatchObject({ gpu_type: 'MI300x8', status: 'leased', attempt: 1 });
    expect(await claimJob(sql, await makeBox(sql, ['MI300X8']))).toBe(null);
  });

  it('leaves a job alone that must wait', async () => {
    const { sql } = database;
    const box = await makeBox(sql, ['CPU']);
    await submit(sql, await makeBoard(sql), { mode: 'test' });
    const lease = held(await claimJob(sql, box));
    const why = { kind: 'disk-full', message: 'no space', delayMs: 3_600_000 } as const;
    expect(await requeueJob(sql, lease, why)).toBe(true);
    expect(await jobRow(lease.jobId)).toMatchObject({
      status: 'queued',
      box_error: 'disk-full: no space',
      lease_token: null,
    });
    expect(await claimJob(sql, box)).toBe(null);
    await sql`update hotlap.jobs set not_before = now() - interval '1 second' where id = ${lease.jobId}`;
    expect(held(await claimJob(sql, box))).toMatchObject({
      jobId: lease.jobId,
      attempt: 2,
      takenOver: false,
    });
  });
});

describe('a takeover', () => {
  it('gets a job whose lease ran out, as the same attempt, and not before', async () => {
    const { sql } = database;
    const box = await makeBox(sql, ['CPU']);
    await submit(sql, await makeBoard(sql), { mode: 'test' });
    const first = held(await claimJob(sql, box));
    expect(await takeOverJob(sql, box.id, [])).toBe(null);
    await expireLease(sql, first);
    expect(await takeOverJob(sql, (await makeBox(sql, ['CPU'])).id, [])).toBe(null);
    const second = held(await takeOverJob(sql, box.id, []));
    expect(second).toMatchObject({ jobId: first.jobId, attempt: first.attempt, takenOver: true });
    expect(second.token).not.toBe(first.token);
    expect(await takeOverJob(sql, box.id, [])).toBe(null);
  });

  it('gives a job to one of many successors', async () => {
    const { sql } = database;
    const box = await makeBox(sql, ['CPU'], 5);
    const board = await makeBoard(sql);
    for (let i = 0; i < 5; i++) {
      await submit(sql, board, { mode: 'test' });
      await expireLease(sql, held(await claimJob(sql, box)));
    }
    const taken = await Promise.all(Array.from({ length: 16 }, () => takeOverJob(sql, box.id, [])));
    const jobs = taken.flatMap((lease) => (lease ? [lease.jobId] : []));
    expect(jobs).toHaveLength(5);
    expect(new Set(jobs).size).toBe(5);
  });

  it('is never of a job that is queued or has ended', async () => {
    const { sql } = database;
    const box = await makeBox(sql, ['CPU']);
    const board = await makeBoard(sql);
    await submit(sql, board, { mode: 'test' });
    const lease = held(await claimJob(sql, box));
    expect(await storeJobResult(sql, lease, passedIn('test'), null)).toBe(true);
    await submit(sql, board, { mode: 'test' });
    await requeueJob(sql, held(await claimJob(sql, box)), { kind: 'disk-full', message: '', delayMs: 0 });
    expect(await takeOverJob(sql, box.id, [])).toBe(null);
    expect(await jobsAliveOn(sql, box.id)).toEqual([]);
  });
});

describe('whoever lost the lease', () => {
  it('changes nothing, by no write', async () => {
    const { sql } = database;
    const box = await makeBox(sql, ['CPU']);
    const submissionId = await submit(sql, await makeBoard(sql), { mode: 'test' });
    const lost = held(await claimJob(sql, box));
    await expireLease(sql, lost);
    const holder = held(await takeOverJob(sql, box.id, []));
    const before = await jobRow(lost.jobId);

    expect(await renewLease(sql, lost)).toBe(null);
    expect(await markJobRunning(sql, lost)).toBe(false);
    await saveProgress(sql, lost, { stage: 'test', state: 'running', done: 1, of: 2 });
    await expireLease(sql, lost);
    expect(await requeueJob(sql, lost, { kind: 'unreachable', message: 'gone', delayMs: 0 })).toBe(false);
    expect(await storeJobResult(sql, lost, passedIn('test'), null)).toBe(false);
    expect(await storeBoxFailure(sql, lost, { kind: 'unreachable', message: 'gone' })).toBe(false);
    expect(await jobRow(lost.jobId)).toEqual(before);
    expect(await statusOf(submissionId)).toBe('queued');
    expect(await sql`select id from hotlap.runs where job_id = ${lost.jobId}`).toHaveLength(0);

    expect(await renewLease(sql, holder)).toEqual({ cancelRequested: false });
    expect(await markJobRunning(sql, holder)).toBe(true);
    expect(await statusOf(submissionId)).toBe('running');
    expect(await storeJobResult(sql, holder, passedIn('test'), null)).toBe(true);
  });

  it('cannot write to a job that has ended or is queued again', async () => {
    const { sql } = database;
    const box = await makeBox(sql, ['CPU']);
    await submit(sql, await makeBoard(sql), { mode: 'test' });
    const lease = held(await claimJob(sql, box));
    await requeueJob(sql, lease, { kind: 'channel-lost', message: '', delayMs: 0 });
    expect(await renewLease(sql, lease)).toBe(null);
    expect(await markJobRunning(sql, lease)).toBe(false);
    const again = held(await claimJob(sql, box));
    expect(await storeBoxFailure(sql, again, { kind: 'runner-crashed', message: 'it did' })).toBe(true);
    expect(await markJobRunning(sql, again)).toBe(false);
    expect(await requeueJob(sql, again, { kind: 'disk-full', message: '', delayMs: 0 })).toBe(false);
    expect(await jobRow(lease.jobId)).toMatchObject({
      status: 'failed',
      box_error: 'runner-crashed: it did',
    });
  });
});

describe('a result', () => {
  it('is stored by exactly one of two that store it at once', async () => {
    const { sql } = database;
    const box = await makeBox(sql, ['CPU']);
    const board = await makeBoard(sql);
    for (let round = 0; round < 10; round++) {
      const submissionId = await submit(sql, board, { mode: 'test' });
      const lease = await leaseJob(sql, box.id, { submissionId });
      const stored = await Promise.all([
        storeJobResult(sql, lease, passedIn('test'), null),
        storeJobResult(sql, lease, passedIn('test'), null),
        storeBoxFailure(sql, lease, { kind: 'unreachable', message: 'gone' }),
      ]);
      expect(stored.filter((done) => done)).toHaveLength(1);
      const runs = await sql`select stage from hotlap.runs where submission_id = ${submissionId}`;
      expect(runs).toHaveLength(stored[2] ? 0 : 1);
      expect(await statusOf(submissionId)).toBe(stored[2] ? 'failed' : 'done');
    }
  });
});

describe('the work of a job', () => {
  it('is the task as it was when it was submitted, with the seed for the secret job alone', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    const submissionId = await submit(sql, board, { code: 'print("ü")\n' });
    const changed = { ...plainTask, description: 'Do it otherwise.' };
    await saveLeaderboard(sql, {
      ...board,
      directory: `set/${board.name}`,
      taskVersionId: await storeTaskVersion(sql, taskHash(changed), changed),
    });
    const box = await makeBox(sql, ['CPU']);
    const open = await loadJobWork(sql, (await leaseJob(sql, box.id, { submissionId })).jobId);
    const secret = await loadJobWork(
      sql,
      (await leaseJob(sql, box.id, { submissionId, secret: true })).jobId,
    );
    expect(open).toMatchObject({ secret: false, seed: null, mode: 'leaderboard', code: 'print("ü")\n' });
    expect(open.task.description).toBe('Do it.');
    expect(secret.secret).toBe(true);
    expect(Number.isInteger(secret.seed)).toBe(true);
    expect(secret.seed).toBeGreaterThan(0);
    expect(secret.seed).toBeLessThan(2 ** 31);
    expect(await jobsAliveOn(sql, box.id)).toHaveLength(2);
  });
});
