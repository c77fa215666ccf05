import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { removeBox, setBoxState } from '../../src/db/boxes.ts';
import { cancelSubmission } from '../../src/db/cancel.ts';
import { claimJob, type Lease, markJobRunning } from '../../src/db/jobs.ts';
import { findMissingWork } from '../../src/db/missing-work.ts';
import { storeJobResult } from '../../src/db/results.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { leaseJob, makeBoard, makeBox, passedIn, passedWith, submit } from './scene.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.sql`truncate hotlap.submissions, hotlap.jobs cascade`;
  await database.sql`update hotlap.boxes set state = 'removed'`;
});

const nothing = { withoutJobs: [], unsettled: [], unfinished: [], abandoned: [], waiting: [] };
const reply = () => ({ channelId: '1', interactionToken: 't', expiresAt: new Date(Date.now() + 60_000) });
const jobOf = async (submissionId: number) =>
  (await database.sql`select * from hotlap.jobs where submission_id = ${submissionId} order by id`)[0];
const statusOf = async (id: number) =>
  (await database.sql<{ status: string }[]>`select status from hotlap.submissions where id = ${id}`)[0]
    ?.status;

/** A job on a box whose holder died so long ago. */
async function leftRunning(forText: string) {
  const { sql } = database;
  const box = await makeBox(sql, ['CPU']);
  const submissionId = await submit(sql, await makeBoard(sql), { mode: 'test', reply: reply() });
  const lease = (await claimJob(sql, box)) as Lease;
  await markJobRunning(sql, lease);
  await sql`update hotlap.jobs set lease_expires_at = now() - ${forText}::interval where id = ${lease.jobId}`;
  return { box, submissionId, lease };
}

describe('the sweeper', () => {
  it('finds nothing in a queue that is as it should be, at any stage', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    const box = await makeBox(sql, ['CPU'], 3);
    await submit(sql, board);
    const done = await submit(sql, board, { mode: 'test' });
    await storeJobResult(sql, await leaseJob(sql, box.id, { submissionId: done }), passedIn('test'), null);
    await leaseJob(sql, box.id, { submissionId: await submit(sql, board) });
    const cancelled = await submit(sql, board);
    await cancelSubmission(sql, cancelled);
    expect(await findMissingWork(sql)).toEqual(nothing);
  });

  it('finds an open submission without jobs, and one that is closed is no concern of it', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    const [lost, closed] = [await submit(sql, board), await submit(sql, board)];
    await sql`delete from hotlap.jobs where submission_id in (${lost}, ${closed})`;
    await sql`update hotlap.submissions set status = 'done' where id = ${closed}`;
    expect(await findMissingWork(sql)).toEqual({ ...nothing, withoutJobs: [lost] });
  });

  it('settles a submission whose jobs have all ended: status, scores and the result that is owed', async () => {
    const { sql } = database;
    const box = await makeBox(sql, ['CPU'], 2);
    const id = await submit(sql, await makeBoard(sql), { reply: reply() });
    for (const secret of [false, true]) {
      const lease = await leaseJob(sql, box.id, { submissionId: id, secret });
      await storeJobResult(sql, lease, passedWith(2), 2);
    }
    // As if what follows from the last job had never been written.
    await sql`update hotlap.submissions set status = 'running', finished_at = null where id = ${id}`;
    await sql`delete from hotlap.submission_scores where submission_id = ${id}`;
    await sql`delete from hotlap.outbox where submission_id = ${id}`;
    expect(await findMissingWork(sql)).toEqual({ ...nothing, unsettled: [id] });
    expect(await statusOf(id)).toBe('done');
    const [scores] =
      await sql`select public_score, eligible from hotlap.submission_scores where submission_id = ${id}`;
    expect(scores).toEqual({ public_score: 2, eligible: true });
    const owed = await sql`select kind from hotlap.outbox where submission_id = ${id} order by kind`;
    expect(owed.map((row) => row.kind)).toEqual(['announcement', 'result']);
    expect(await findMissingWork(sql)).toEqual(nothing);
  });

  it('leaves a job to the lanes whose lease ran out just now, and says so when nobody takes it for long', async () => {
    const { box, lease } = await leftRunning('1 minute');
    expect(await findMissingWork(database.sql)).toEqual(nothing);
    await setBoxState(database.sql, box.id, 'offline', 'no route');
    await database.sql`update hotlap.jobs set lease_expires_at = now() - interval '3 minutes'`;
    expect(await findMissingWork(database.sql)).toEqual({ ...nothing, waiting: [lease.jobId] });
    // It may still run on that box: nobody else may start it.
    expect(await claimJob(database.sql, await makeBox(database.sql, ['CPU']))).toBe(null);
  });

  it('queues a job again whose box was removed, under another attempt', async () => {
    const { box, lease, submissionId } = await leftRunning('3 minutes');
    await removeBox(database.sql, box.id);
    expect(await findMissingWork(database.sql)).toEqual({ ...nothing, abandoned: [lease.jobId] });
    expect(await jobOf(submissionId)).toMatchObject({
      status: 'queued',
      lease_token: null,
      box_error: 'unreachable: the box is gone',
    });
    const attempts = await database.sql`
      select attempt, ended_by from hotlap.job_attempts where job_id = ${lease.jobId}`;
    expect(attempts).toEqual([{ attempt: 1, ended_by: 'unreachable' }]);
    // The old holder, should it live, stores nothing any more.
    expect(await storeJobResult(database.sql, lease, passedIn('test'), null)).toBe(false);
    const next = await claimJob(database.sql, await makeBox(database.sql, ['CPU']));
    expect(next).toMatchObject({ jobId: lease.jobId, attempt: 2 });
    expect(await findMissingWork(database.sql)).toEqual(nothing);
  });

  it('queues a job again that nobody took for hours, though its box is only away', async () => {
    const { lease } = await leftRunning('3 hours');
    expect(await findMissingWork(database.sql)).toEqual({ ...nothing, abandoned: [lease.jobId] });
  });

  it('cancels such a job instead when its sender had asked for that', async () => {
    const { box, lease, submissionId } = await leftRunning('3 minutes');
    expect(await cancelSubmission(database.sql, submissionId)).toEqual({ neverStarted: 0, stopping: 1 });
    await removeBox(database.sql, box.id);
    expect(await findMissingWork(database.sql)).toEqual({ ...nothing, abandoned: [lease.jobId] });
    expect(await jobOf(submissionId)).toMatchObject({ status: 'cancelled', lease_token: null });
    expect(await statusOf(submissionId)).toBe('cancelled');
    const owed = await database.sql`select kind from hotlap.outbox where submission_id = ${submissionId}`;
    expect(owed).toHaveLength(1);
    expect(await findMissingWork(database.sql)).toEqual(nothing);
  });
});
