/** Taking work back and asking for it again: what starts, what is told to whom, what is owed. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cancelSubmission, rerunFailedJobs } from '../../src/db/cancel.ts';
import { claimJob, type Lease, loadJobWork, markJobRunning, renewLease } from '../../src/db/jobs.ts';
import { storeBoxFailure, storeJobCancelled, storeJobResult } from '../../src/db/results.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import {
  cancelledOutcome,
  failedWith,
  leaseJob,
  makeBoard,
  makeBox,
  makeUser,
  passedIn,
  passedWith,
  submit,
} from './scene.ts';

let database: TestDatabase;
let boxId: number;
beforeAll(async () => {
  database = await testDatabase({ maxConnections: 8 });
});
afterAll(() => database.drop());
beforeEach(async () => {
  const { sql } = database;
  await sql`update hotlap.jobs set status = 'cancelled', lease_token = null where status <> 'finished'`;
  await sql`update hotlap.boxes set state = 'removed'`;
  boxId = (await makeBox(sql, ['CPU', 'H100'], 64)).id;
});

const reply = () => ({
  channelId: '1',
  interactionToken: 'first',
  expiresAt: new Date(Date.now() + 600_000),
});
const again = () => ({
  channelId: '2',
  interactionToken: 'second',
  expiresAt: new Date(Date.now() + 900_000),
});
const submission = async (id: number) =>
  (
    await database.sql`
      select status, reason, rerun, cancelled_at, finished_at from hotlap.submissions where id = ${id}`
  )[0];
const jobStates = async (id: number) =>
  (
    await database.sql<{ state: string }[]>`
      select gpu_type || case when secret then ' secret ' else ' ' end || status as state
      from hotlap.jobs where submission_id = ${id} order by id`
  ).map((row) => row.state);
const results = async (id: number) =>
  (
    await database.sql<{ key: string }[]>`
      select dedupe_key as key from hotlap.outbox where submission_id = ${id} and kind = 'result' order by id`
  ).map((row) => row.key);

async function giveUp(submissionId: number, gpuType = 'CPU', secret = false): Promise<void> {
  const lease = await leaseJob(database.sql, boxId, { submissionId, gpuType, secret });
  const why = { kind: 'disk-full', message: 'no space left' } as const;
  expect(await storeBoxFailure(database.sql, lease, why)).toBe(true);
}

async function store(lease: Lease, ...[outcome, score = null]: Outcomes): Promise<void> {
  expect(await storeJobResult(database.sql, lease, outcome, score)).toBe(true);
}
type Outcomes = [outcome: Parameters<typeof storeJobResult>[2], score?: number | null];

describe('a submission that is cancelled', () => {
  it('while it waits is never started, is cancelled at once, and owes its result once', async () => {
    const { sql } = database;
    const board = await makeBoard(sql, { gpus: ['CPU', 'H100'] });
    const id = await submit(sql, board, { reply: reply() });
    expect(await cancelSubmission(sql, id)).toEqual({ neverStarted: 4, stopping: 0 });
    expect(await jobStates(id)).toEqual([
      'CPU cancelled',
      'CPU secret cancelled',
      'H100 cancelled',
      'H100 secret cancelled',
    ]);
    expect(await submission(id)).toMatchObject({ status: 'cancelled', finished_at: expect.any(Date) });
    const box = { id: boxId, gpuTypes: ['CPU', 'H100'], slots: 64 };
    expect(await claimJob(sql, box)).toBe(null);
    expect(await cancelSubmission(sql, id)).toBe(null);
    expect(await results(id)).toEqual([`result-${id}-0`]);
    expect(await sql`select id from hotlap.outbox where submission_id = ${id}`).toHaveLength(1);
  });

  it('by two at once is cancelled by one of them', async () => {
    const { sql } = database;
    const id = await submit(sql, await makeBoard(sql), { reply: reply() });
    const answers = await Promise.all([cancelSubmission(sql, id), cancelSubmission(sql, id)]);
    expect(answers.filter((answer) => answer !== null)).toEqual([{ neverStarted: 2, stopping: 0 }]);
    expect(await results(id)).toHaveLength(1);
  });

  it('against many claims at once either never starts or is told to stop', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    const box = { id: boxId, gpuTypes: ['CPU'], slots: 64 };
    for (let round = 0; round < 12; round++) {
      const id = await submit(sql, board, { mode: 'test' });
      const [lease, cancelled] = await Promise.all([claimJob(sql, box), cancelSubmission(sql, id)]);
      if (lease) {
        expect(cancelled).toEqual({ neverStarted: 0, stopping: 1 });
        expect(await renewLease(sql, lease)).toEqual({ cancelRequested: true });
        expect(await storeJobCancelled(sql, lease)).toBe(true);
      } else {
        expect(cancelled).toEqual({ neverStarted: 1, stopping: 0 });
      }
      expect(await submission(id)).toMatchObject({ status: 'cancelled' });
    }
  });

  it('while it runs is told to every scheduler, and to the holder at every renewal', async () => {
    const { sql } = database;
    const told: string[] = [];
    const listener = await sql.listen('hotlap_cancel', (jobId) => told.push(jobId));
    const id = await submit(sql, await makeBoard(sql), { reply: reply() });
    const lease = await leaseJob(sql, boxId, { submissionId: id });
    expect(await markJobRunning(sql, lease)).toBe(true);
    expect(await renewLease(sql, lease)).toEqual({ cancelRequested: false });
    expect(await cancelSubmission(sql, id)).toEqual({ neverStarted: 1, stopping: 1 });
    await expect.poll(() => told).toEqual([String(lease.jobId)]);
    expect(await renewLease(sql, lease)).toEqual({ cancelRequested: true });
    expect((await loadJobWork(sql, lease.jobId)).cancelRequested).toBe(true);
    // It counts as running until its processes are dead.
    expect(await submission(id)).toMatchObject({ status: 'running', finished_at: null });
    expect(await results(id)).toEqual([]);

    await store(lease, cancelledOutcome());
    expect(await submission(id)).toMatchObject({ status: 'cancelled' });
    expect(await results(id)).toEqual([`result-${id}-0`]);
    expect(await cancelSubmission(sql, id)).toBe(null);
    expect(await results(id)).toHaveLength(1);
    await listener.unlisten();
  });

  it('is cancelled too when the job had not got to its box yet', async () => {
    const { sql } = database;
    const id = await submit(sql, await makeBoard(sql), { mode: 'test' });
    const lease = await leaseJob(sql, boxId, { submissionId: id });
    expect(await cancelSubmission(sql, id)).toEqual({ neverStarted: 0, stopping: 1 });
    expect(await storeJobCancelled(sql, lease)).toBe(true);
    expect(await storeJobCancelled(sql, lease)).toBe(false);
    expect(await jobStates(id)).toEqual(['CPU cancelled']);
    expect(await submission(id)).toMatchObject({ status: 'cancelled' });
  });

  it('keeps what had ended before, and is not ranked by a half', async () => {
    const { sql } = database;
    const board = await makeBoard(sql, { gpus: ['CPU', 'H100'] });
    const id = await submit(sql, board, { reply: reply() });
    for (const secret of [false, true]) {
      await store(await leaseJob(sql, boxId, { submissionId: id, secret }), passedWith(1), 1);
    }
    expect(await cancelSubmission(sql, id)).toEqual({ neverStarted: 2, stopping: 0 });
    expect(await jobStates(id)).toEqual([
      'CPU finished',
      'CPU secret finished',
      'H100 cancelled',
      'H100 secret cancelled',
    ]);
    expect(await submission(id)).toMatchObject({ status: 'cancelled' });
    const entries =
      await sql`select gpu_type, eligible from hotlap.submission_scores where submission_id = ${id}
      order by gpu_type`;
    expect(entries).toMatchObject([
      { gpu_type: 'CPU', eligible: true },
      { gpu_type: 'H100', eligible: false },
    ]);
  });

  it('after its end says that there is nothing to cancel, and changes nothing', async () => {
    const { sql } = database;
    const id = await submit(sql, await makeBoard(sql), { mode: 'test', reply: reply() });
    await store(await leaseJob(sql, boxId, { submissionId: id }), passedIn('test'));
    const before = await submission(id);
    expect(await cancelSubmission(sql, id)).toBe(null);
    expect(await submission(id)).toEqual(before);
    expect(before).toMatchObject({ status: 'done', cancelled_at: null });
    expect(await results(id)).toHaveLength(1);
  });
});

describe('a submission that supersedes', () => {
  it('cancels only what is its sender’s, on the same leaderboard, in the same mode, and not started', async () => {
    const { sql } = database;
    const [board, other] = [await makeBoard(sql), await makeBoard(sql)];
    const user = makeUser();
    const options = { user, mode: 'test', reply: reply() } as const;
    const waiting = [await submit(sql, board, options), await submit(sql, board, options)];
    const started = await submit(sql, board, { ...options, mode: 'test' });
    await leaseJob(sql, boxId, { submissionId: started });
    const kept = [
      started,
      await submit(sql, board, { ...options, mode: 'benchmark' }),
      await submit(sql, other, options),
      await submit(sql, board, { ...options, user: makeUser() }),
    ];
    const plain = await submit(sql, board, options);
    expect(await submission(plain)).toMatchObject({ status: 'queued' });
    for (const id of waiting) expect(await submission(id)).toMatchObject({ status: 'queued' });

    const newest = await submit(sql, board, { ...options, supersede: true });
    for (const id of [...waiting, plain]) {
      expect(await submission(id)).toMatchObject({ status: 'cancelled' });
      expect(await results(id)).toEqual([`result-${id}-0`]);
    }
    for (const id of [...kept, newest]) {
      expect(await submission(id)).toMatchObject({ status: 'queued', cancelled_at: null });
      expect(await results(id)).toEqual([]);
    }
  });

  it('leaves one alone of which a part has started', async () => {
    const { sql } = database;
    const board = await makeBoard(sql, { gpus: ['CPU', 'H100'] });
    const user = makeUser();
    const id = await submit(sql, board, { user });
    await leaseJob(sql, boxId, { submissionId: id, gpuType: 'H100' });
    await submit(sql, board, { user, supersede: true });
    expect(await submission(id)).toMatchObject({ status: 'queued', cancelled_at: null });
    expect(await jobStates(id)).toEqual([
      'CPU queued',
      'CPU secret queued',
      'H100 leased',
      'H100 secret queued',
    ]);
  });

  it('of two sent at once leaves one waiting or both, never none', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    for (let round = 0; round < 8; round++) {
      const options = { user: makeUser(), mode: 'test', supersede: true } as const;
      await submit(sql, board, options);
      await Promise.all([submit(sql, board, options), submit(sql, board, options)]);
      const open = await sql`
        select id from hotlap.submissions where user_id = ${options.user.id} and status = 'queued'`;
      expect(open.length).toBeGreaterThanOrEqual(1);
      expect(open.length).toBeLessThanOrEqual(2);
    }
  });
});

describe('running again', () => {
  it('what failed by our fault takes its secret partner along, and owes a second result', async () => {
    const { sql } = database;
    const id = await submit(sql, await makeBoard(sql), { reply: reply() });
    await giveUp(id);
    expect(await jobStates(id)).toEqual(['CPU failed', 'CPU secret cancelled']);
    expect(await submission(id)).toMatchObject({ status: 'failed', rerun: 0 });
    expect(await results(id)).toEqual([`result-${id}-0`]);

    expect(await rerunFailedJobs(sql, id, again())).toBe(true);
    expect(await jobStates(id)).toEqual(['CPU queued', 'CPU secret queued']);
    expect(await submission(id)).toMatchObject({
      status: 'queued',
      rerun: 1,
      reason: null,
      finished_at: null,
    });
    const target = await sql`
      select channel_id, interaction_token from hotlap.submission_replies where submission_id = ${id}`;
    expect(target).toMatchObject([{ channel_id: '2', interaction_token: 'second' }]);
    const rows =
      await sql`select failures, box_error, attempt from hotlap.jobs where submission_id = ${id} order by id`;
    // The attempt names a folder on the box: it never goes back.
    expect(rows).toMatchObject([
      { failures: 0, box_error: null, attempt: 1 },
      { failures: 0, box_error: null, attempt: 0 },
    ]);

    for (const secret of [false, true]) {
      await store(await leaseJob(sql, boxId, { submissionId: id, secret }), passedWith(1), 1);
    }
    expect(await submission(id)).toMatchObject({ status: 'done', reason: null });
    expect(await results(id)).toEqual([`result-${id}-0`, `result-${id}-1`]);
    expect(await rerunFailedJobs(sql, id, again())).toBe(false);
  });

  it('keeps the GPU types that ended well', async () => {
    const { sql } = database;
    const board = await makeBoard(sql, { gpus: ['CPU', 'H100'] });
    const id = await submit(sql, board, { mode: 'test', reply: reply() });
    await store(await leaseJob(sql, boxId, { submissionId: id }), passedIn('test'));
    await giveUp(id, 'H100');
    expect(await rerunFailedJobs(sql, id, again())).toBe(true);
    expect(await jobStates(id)).toEqual(['CPU finished', 'H100 queued']);
    await store(await leaseJob(sql, boxId, { submissionId: id, gpuType: 'H100' }), passedIn('test'));
    expect(await submission(id)).toMatchObject({ status: 'done' });
    expect(await sql`select gpu_type from hotlap.runs where submission_id = ${id}`).toHaveLength(2);
  });

  it('is done once for two presses at once', async () => {
    const { sql } = database;
    const id = await submit(sql, await makeBoard(sql), { reply: reply() });
    await giveUp(id);
    const done = await Promise.all([rerunFailedJobs(sql, id, again()), rerunFailedJobs(sql, id, again())]);
    expect(done.sort()).toEqual([false, true]);
    expect(await submission(id)).toMatchObject({ rerun: 1 });
  });

  it('is refused for a participant’s failure, for a success, and for what its sender cancelled', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    const wrong = await submit(sql, board, { reply: reply() });
    await store(await leaseJob(sql, boxId, { submissionId: wrong }), failedWith('no'));
    const good = await submit(sql, board, { mode: 'test', reply: reply() });
    await store(await leaseJob(sql, boxId, { submissionId: good }), passedIn('test'));
    const taken = await submit(sql, board, { reply: reply() });
    await cancelSubmission(sql, taken);
    for (const id of [wrong, good, taken]) {
      const before = [await submission(id), await jobStates(id)];
      expect(await rerunFailedJobs(sql, id, again())).toBe(false);
      expect([await submission(id), await jobStates(id)]).toEqual(before);
      expect(await results(id)).toHaveLength(1);
    }
  });

  it('runs, though its sender had asked for the end of the run that failed', async () => {
    const { sql } = database;
    const id = await submit(sql, await makeBoard(sql), { mode: 'test', reply: reply() });
    const lease = await leaseJob(sql, boxId, { submissionId: id });
    await cancelSubmission(sql, id);
    // The box broke before anything could be ended on it.
    expect(await storeBoxFailure(sql, lease, { kind: 'disk-full', message: 'no space' })).toBe(true);
    expect(await submission(id)).toMatchObject({ status: 'failed' });
    expect(await rerunFailedJobs(sql, id, again())).toBe(true);
    const second = await leaseJob(sql, boxId, { submissionId: id });
    expect((await loadJobWork(sql, second.jobId)).cancelRequested).toBe(false);
    await store(second, passedIn('test'));
    expect(await submission(id)).toMatchObject({ status: 'done' });
  });
});
