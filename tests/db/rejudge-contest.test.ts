/** A rejudge and a contest beside each other: who comes first, what belongs to whom, and what happens at one moment. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cancelSubmission } from '../../src/db/cancel.ts';
import { claimJob, loadJobWork } from '../../src/db/jobs.ts';
import { findMissingWork } from '../../src/db/missing-work.ts';
import { loadQueue } from '../../src/db/queue.ts';
import { applyRejudge, previewRejudge } from '../../src/db/rejudge-apply.ts';
import { findRejudge } from '../../src/db/rejudges.ts';
import { storeBoxFailure, storeJobResult } from '../../src/db/results.ts';
import { findSubmissionView } from '../../src/db/submissions.ts';
import { beginRejudge, confirmRejudge, dropRejudge, rejudgeReport } from '../../src/intake/rejudge.ts';
import {
  boardOf,
  changeTask,
  judge,
  ORGANISER,
  type RejudgeStage,
  rejudgeOf,
  rejudgeStage,
  stricter,
} from './rejudge-stage.ts';
import { leaseJob, makeBoard, makeBox, makeUser, passedWith, submit } from './scene.ts';

let stage: RejudgeStage;
beforeAll(async () => {
  stage = await rejudgeStage();
});
afterAll(() => stage.drop());

describe('a rejudge beside a contest', () => {
  it('runs the new version with the submission’s own seed, after everybody else’s work', async () => {
    const { sql } = stage;
    const own = await makeBox(sql, ['RACE']);
    let board = await makeBoard(sql, { gpus: ['RACE'] });
    const user = makeUser();
    const id = await submit(sql, board, { user });
    const seeds: (number | null)[] = [];
    for (const secret of [false, true]) {
      const lease = await leaseJob(sql, own.id, { submissionId: id, secret, gpuType: 'RACE' });
      seeds.push((await loadJobWork(sql, lease.jobId)).seed);
      await storeJobResult(sql, lease, passedWith(0.1), 0.1);
    }
    board = await changeTask(stage.sql, board, stricter);
    const rejudge = await rejudgeOf(stage.sql, board);
    await beginRejudge(sql, rejudge);
    const other = await submit(sql, board);
    const queue = await loadQueue(sql);
    const here = queue.queued.filter((job) => job.gpu === 'race').sort((a, b) => a.position - b.position);
    expect(here.map((job) => [job.submissionId, job.rejudge])).toEqual([
      [other, false],
      [other, false],
      [id, true],
      [id, true],
    ]);

    const claimed: number[] = [];
    for (let turn = 0; turn < 4; turn++) {
      const lease = await claimJob(sql, own);
      if (!lease) throw new Error('there should be a job');
      claimed.push(lease.submissionId);
      const work = await loadJobWork(sql, lease.jobId);
      expect(work.task.files).toEqual(stricter.files);
      if (lease.rejudgeId !== null) expect(work.seed).toBe(seeds[work.secret ? 1 : 0]);
      await storeJobResult(sql, lease, passedWith(0.1), 0.1);
    }
    expect(claimed).toEqual([other, other, id, id]);
    expect((await findRejudge(sql, rejudge))?.status).toBe('ready');
  });

  it('is no business of the one who cancels, supersedes or runs again', async () => {
    const { sql } = stage;
    const board = await makeBoard(sql);
    const user = makeUser();
    const id = await submit(sql, board, { user });
    const lease = await leaseJob(sql, stage.box.id, { submissionId: id });
    await storeBoxFailure(sql, lease, { kind: 'disk-full', message: 'full' });
    const rejudge = await rejudgeOf(stage.sql, board);
    await beginRejudge(sql, rejudge);
    expect(await cancelSubmission(sql, id)).toBe(null);
    await submit(sql, board, { user, supersede: true });
    const open = await sql`select id from hotlap.jobs where rejudge_id = ${rejudge} and status = 'queued'`;
    expect(open).toHaveLength(2);
    await judge(stage, id, passedWith(0.2), { rejudgeId: rejudge });
    await confirmRejudge(sql, rejudge, ORGANISER);
    // What a box once failed has been made good: there is nothing to run again.
    expect(await findSubmissionView(sql, id, true)).toMatchObject({ status: 'done', gpus: [{ rank: 1 }] });
  });

  it('keeps the old verdict where a box failed, and says so', async () => {
    const { sql } = stage;
    const board = await makeBoard(sql);
    const [lucky, unlucky] = [await submit(sql, board), await submit(sql, board)];
    await judge(stage, lucky, passedWith(0.3));
    await judge(stage, unlucky, passedWith(0.2));
    const rejudge = await rejudgeOf(stage.sql, board);
    await beginRejudge(sql, rejudge);
    await judge(stage, lucky, passedWith(0.1), { rejudgeId: rejudge });
    const lease = await leaseJob(sql, stage.box.id, { submissionId: unlucky, rejudgeId: rejudge });
    await storeBoxFailure(sql, lease, { kind: 'disk-full', message: 'full' });
    const { rejudge: view, entries } = await rejudgeReport(sql, rejudge);
    expect(view).toMatchObject({ status: 'ready', entries: 2, judged: 1 });
    expect(entries.find((entry) => entry.submissionId === unlucky)).toMatchObject({
      after: null,
      open: false,
    });
    await confirmRejudge(sql, rejudge, ORGANISER);
    expect(await boardOf(stage.sql, board)).toEqual([
      [1, lucky, 0.1],
      [2, unlucky, 0.2],
    ]);
    expect(await findSubmissionView(sql, unlucky, true)).toMatchObject({ status: 'done', reason: null });
  });

  it('goes on over a restart: the sweeper closes one whose last result came with it', async () => {
    const { sql } = stage;
    const board = await makeBoard(sql);
    const id = await submit(sql, board);
    await judge(stage, id, passedWith(0.3));
    const rejudge = await rejudgeOf(stage.sql, board);
    await beginRejudge(sql, rejudge);
    await sql`update hotlap.jobs set status = 'cancelled' where rejudge_id = ${rejudge}`;
    expect((await findMissingWork(sql)).unfinished).toEqual([rejudge]);
    expect((await findRejudge(sql, rejudge))?.status).toBe('ready');
    const owed = await sql`select payload from hotlap.outbox where dedupe_key = ${`rejudge-${rejudge}`}`;
    expect(owed).toEqual([{ payload: { rejudgeId: rejudge } }]);
  });

  it('cannot be applied after the task has changed again, in what judges', async () => {
    const { sql } = stage;
    let board = await makeBoard(sql);
    const id = await submit(sql, board);
    await judge(stage, id, passedWith(0.3));
    const rejudge = await rejudgeOf(stage.sql, board);
    await beginRejudge(sql, rejudge);
    await judge(stage, id, passedWith(0.1), { rejudgeId: rejudge });
    const first = board.task;
    board = await changeTask(stage.sql, board, { benchmarkTimeoutS: 99 });
    await expect(confirmRejudge(sql, rejudge, ORGANISER)).rejects.toMatchObject({ code: 'rejudge-outdated' });
    expect(await boardOf(stage.sql, board)).toEqual([[1, id, 0.3]]);
    board = await changeTask(stage.sql, { ...board, task: first }, { description: 'Only words.' });
    await confirmRejudge(sql, rejudge, ORGANISER);
    expect(await boardOf(stage.sql, board)).toEqual([[1, id, 0.1]]);
  });

  it('ends what runs when it is cancelled, and its late results change nothing', async () => {
    const { sql } = stage;
    const board = await makeBoard(sql);
    const id = await submit(sql, board);
    await judge(stage, id, passedWith(0.3));
    const rejudge = await rejudgeOf(stage.sql, board);
    await beginRejudge(sql, rejudge);
    const lease = await leaseJob(sql, stage.box.id, { submissionId: id, rejudgeId: rejudge });
    await dropRejudge(sql, rejudge, ORGANISER);
    expect((await loadJobWork(sql, lease.jobId)).cancelRequested).toBe(true);
    await storeJobResult(sql, lease, passedWith(0.1), 0.1);
    expect((await findRejudge(sql, rejudge))?.status).toBe('cancelled');
    expect(await boardOf(stage.sql, board)).toEqual([[1, id, 0.3]]);
  });

  it('loses no result that arrives in the same moment, and none of a contest that goes on', async () => {
    const { sql } = stage;
    const board = await makeBoard(sql);
    const people = Array.from({ length: 6 }, makeUser);
    const ids: number[] = [];
    for (const user of people) ids.push(await submit(sql, board, { user }));
    for (const [index, id] of ids.entries()) await judge(stage, id, passedWith(0.1 * (index + 1)));
    const rejudge = await rejudgeOf(stage.sql, board);
    await beginRejudge(sql, rejudge);
    const newer: number[] = [];
    for (const user of people) newer.push(await submit(sql, board, { user }));
    // All at once: new verdicts, new submissions of the same people, and somebody who looks all the time.
    await Promise.all([
      ...ids.map((id) => judge(stage, id, passedWith(0.5), { rejudgeId: rejudge })),
      ...newer.map((id, index) => judge(stage, id, passedWith(0.05 * (index + 1)))),
      ...Array.from({ length: 8 }, () => previewRejudge(sql, rejudge)),
    ]);
    expect(await findRejudge(sql, rejudge)).toMatchObject({ status: 'ready', judged: 6 });
    const [applied, again] = await Promise.all([
      applyRejudge(sql, rejudge, ORGANISER),
      applyRejudge(sql, rejudge, ORGANISER),
    ]);
    expect([applied, again].filter((result) => result !== null)).toHaveLength(1);
    expect((await boardOf(stage.sql, board)).map(([, id]) => id)).toEqual(newer);
  });
});
