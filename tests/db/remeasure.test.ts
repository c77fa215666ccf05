/** Measuring again in idle time: what is due, who goes first, and that nothing but measurements comes of it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cancelSubmission } from '../../src/db/cancel.ts';
import { claimJob, loadJobWork } from '../../src/db/jobs.ts';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { listMeasurements } from '../../src/db/measurements.ts';
import { findMissingWork } from '../../src/db/missing-work.ts';
import { listDrift, queueRemeasurements } from '../../src/db/remeasure.ts';
import { storeBoxFailure, storeJobResult } from '../../src/db/results.ts';
import { findSubmissionView, listRuns } from '../../src/db/submissions.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { ageMeasurements, boardLines, passedRun, rankedSubmission, setRule } from './ranking-scene.ts';
import { failedWith, leaseJob, makeBoard, makeBox, makeUser, submit } from './scene.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase({ maxConnections: 8 });
});
afterAll(() => database.drop());

const remeasure = { top: 2, everyHours: 6 };
let types = 0;

/** A board on a GPU type of its own, with a box for it: what waits elsewhere is no concern of it. */
async function idleBoard(rule: object = { remeasure }) {
  const { sql } = database;
  const gpu = `G${++types}`;
  const boxId = (await makeBox(sql, [gpu], 2)).id;
  const board = await setRule(sql, await makeBoard(sql, { gpus: [gpu] }), rule);
  const ranked = async (score: number, options: { user?: { id: string; name: string } } = {}) => {
    const id = await rankedSubmission(sql, boxId, board, { gpus: [gpu], score, ...options });
    await ageMeasurements(sql, id, 7);
    return id;
  };
  return { sql, gpu, boxId, board, ranked };
}

const queued = async (board: LeaderboardWithTask) =>
  (await queueRemeasurements(database.sql))
    .filter((item) => item.leaderboardId === board.id)
    .map((item) => item.submissionId);

/** Everything of a submission that a person could see or that counts. */
async function stateOf(board: LeaderboardWithTask, id: number) {
  const { sql } = database;
  const view = await findSubmissionView(sql, id, true);
  return JSON.stringify([view, await listRuns(sql, id, true), await boardLines(sql, board, board.gpus[0])]);
}

describe('what is due', () => {
  it('is nothing where no rule asks for it, and nothing that was measured just now', async () => {
    const plain = await idleBoard({});
    await plain.ranked(1);
    expect(await queued(plain.board)).toEqual([]);
    const { sql, board, boxId, gpu } = await idleBoard();
    const fresh = await rankedSubmission(sql, boxId, board, { gpus: [gpu] });
    expect(await queued(board)).toEqual([]);
    await ageMeasurements(sql, fresh, 5);
    expect(await queued(board)).toEqual([]);
    await ageMeasurements(sql, fresh, 2);
    expect(await queued(board)).toEqual([fresh]);
  });

  it('is one entry of a GPU type at a time, the one that was measured longest ago, of the first places', async () => {
    const { sql, board, boxId, gpu, ranked } = await idleBoard();
    const first = await ranked(1);
    const second = await ranked(2);
    await ranked(3);
    await ageMeasurements(sql, second, 10);
    const chosen = await Promise.all([
      queueRemeasurements(sql),
      queueRemeasurements(sql),
      queueRemeasurements(sql),
    ]);
    expect(chosen.flat().filter((item) => item.leaderboardId === board.id)).toEqual([
      { submissionId: second, leaderboardId: board.id, gpuType: gpu },
    ]);
    expect(await queued(board)).toEqual([]);
    const lease = await leaseJob(sql, boxId, { submissionId: second, gpuType: gpu });
    expect(await queued(board)).toEqual([]);
    await storeJobResult(sql, lease, passedRun([2.1]), 2.1);
    expect(await queued(board)).toEqual([first]);
    await storeJobResult(
      sql,
      await leaseJob(sql, boxId, { submissionId: first, gpuType: gpu }),
      passedRun([1.1]),
      1.1,
    );
    // The third is not among the first two.
    expect(await queued(board)).toEqual([]);
  });

  it('waits while anybody’s work waits or runs there, and without a box, and ends with the board', async () => {
    const { sql, board, boxId, gpu, ranked } = await idleBoard();
    const id = await ranked(1);
    const other = await submit(sql, board, { gpus: [gpu], mode: 'test' });
    expect(await queued(board)).toEqual([]);
    const lease = await leaseJob(sql, boxId, { submissionId: other, gpuType: gpu });
    expect(await queued(board)).toEqual([]);
    await storeJobResult(sql, lease, failedWith('no'), null);
    await sql`update hotlap.boxes set state = 'offline' where id = ${boxId}`;
    expect(await queued(board)).toEqual([]);
    await sql`update hotlap.boxes set state = 'ready' where id = ${boxId}`;
    await sql`update hotlap.leaderboards set deadline = now() - interval '1 minute' where id = ${board.id}`;
    expect(await queued(board)).toEqual([]);
    await sql`update hotlap.leaderboards set deadline = null, stage = 'archived' where id = ${board.id}`;
    expect(await queued(board)).toEqual([]);
    await sql`update hotlap.leaderboards set stage = 'open' where id = ${board.id}`;
    expect(await queued(board)).toEqual([id]);
  });

  it('is the newest that passed of those people too, whose windows would never fill otherwise', async () => {
    const { sql, board, boxId, gpu, ranked } = await idleBoard();
    const user = makeUser();
    const best = await ranked(1, { user });
    const newest = await ranked(2, { user });
    const seen = new Set<number>();
    for (let i = 0; i < 2; i++) {
      const [id = 0] = await queued(board);
      seen.add(id);
      await storeJobResult(
        sql,
        await leaseJob(sql, boxId, { submissionId: id, gpuType: gpu }),
        passedRun([1]),
        1,
      );
    }
    expect(seen).toEqual(new Set([best, newest]));
  });
});

describe('a repetition', () => {
  it('comes after everybody else’s work, and runs what the entry ran', async () => {
    const { sql, board, boxId, gpu, ranked } = await idleBoard();
    const id = await ranked(1);
    expect(await queued(board)).toEqual([id]);
    const late = await submit(sql, board, { gpus: [gpu], mode: 'leaderboard' });
    const [first, second] = [await claimJob(sql, { id: boxId }), await claimJob(sql, { id: boxId })];
    expect([first?.submissionId, second?.submissionId]).toEqual([late, late]);
    await storeJobResult(sql, first as never, failedWith('no'), null);
    await storeJobResult(sql, second as never, failedWith('no'), null);
    const third = await claimJob(sql, { id: boxId });
    expect(third).toMatchObject({ submissionId: id, remeasure: 1 });
    const work = await loadJobWork(sql, third?.jobId ?? 0);
    expect(work).toMatchObject({
      mode: 'leaderboard',
      secret: false,
      seed: null,
      task: { benchmarks: board.task.benchmarks },
    });
  });

  it('leaves its submission as it is, whatever comes of it', async () => {
    const { sql, board, boxId, gpu, ranked } = await idleBoard();
    const id = await ranked(5);
    const before = await stateOf(board, id);
    const results = [
      (lease: never) => storeJobResult(sql, lease, passedRun([1]), 1),
      (lease: never) => storeJobResult(sql, lease, failedWith('broken today'), null),
      (lease: never) => storeBoxFailure(sql, lease, { kind: 'unreachable', message: 'gone' }),
    ];
    for (const store of results) {
      expect(await queued(board)).toEqual([id]);
      // Its owner has nothing to cancel: it is not theirs.
      expect(await cancelSubmission(sql, id)).toBe(null);
      expect(await store((await leaseJob(sql, boxId, { submissionId: id, gpuType: gpu })) as never)).toBe(
        true,
      );
      expect(await stateOf(board, id)).toBe(before);
      await ageMeasurements(sql, id, 7);
      await sql`update hotlap.jobs set created_at = created_at - interval '7 hours' where submission_id = ${id}`;
    }
    expect(await findMissingWork(sql)).toMatchObject({ withoutJobs: [], unsettled: [] });
    const admin = { userId: 'olga', isAdmin: true };
    const { items, total } = await listMeasurements(sql, { submissionId: id, viewer: admin }, { limit: 10 });
    expect(total).toBe(4);
    expect(
      items.filter((item) => !item.secret).map((item) => [item.remeasure, item.passed, item.value]),
    ).toEqual([
      [2, false, null],
      [1, true, 1],
      [null, true, 5],
    ]);
    expect(items[0]?.failure?.detail).toContain('broken today');
    expect(await listDrift(sql, board.id, 5)).toMatchObject([
      { submissionId: id, first: 5, latest: 1, repetitions: 2, failed: 1 },
    ]);
  });

  it('of a board by the secret run is one, and nobody else sees it', async () => {
    const { sql, board, boxId, gpu, ranked } = await idleBoard({ score: 'secret', remeasure });
    const id = await ranked(1);
    expect(await queued(board)).toEqual([id]);
    const lease = await leaseJob(sql, boxId, { submissionId: id, gpuType: gpu, secret: true });
    await storeJobResult(sql, lease, passedRun([3], { throughput: 7 }), 3);
    const others = await listMeasurements(sql, { submissionId: id, viewer: null }, { limit: 10 });
    expect(others.items.every((item) => !item.secret)).toBe(true);
    const own = await listMeasurements(
      sql,
      { submissionId: id, viewer: { userId: 'olga', isAdmin: true } },
      { limit: 10 },
    );
    expect(own.items[0]).toMatchObject({
      secret: true,
      value: 3,
      remeasure: 1,
      caseSeconds: [],
      metrics: {},
    });
    expect(await listDrift(sql, board.id, 5)).toEqual([]);
  });

  it('feeds the windows at once', async () => {
    const { sql, board, boxId, gpu, ranked } = await idleBoard({ windows: true, remeasure });
    const id = await ranked(4);
    await ageMeasurements(sql, id, 20);
    expect(await queued(board)).toEqual([id]);
    await storeJobResult(
      sql,
      await leaseJob(sql, boxId, { submissionId: id, gpuType: gpu }),
      passedRun([2]),
      2,
    );
    // The first measurement is older than a day, so that the day counts, and holds the repetition alone.
    expect(await boardLines(sql, board, gpu)).toEqual([[1, id, 2]]);
  });
});
