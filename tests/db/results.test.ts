/** What follows from the end of a job: the submission's status, its scores, the best entries, the messages owed. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listBoardEntries, listBoardTops } from '../../src/db/board.ts';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { storeBoxFailure, storeJobResult } from '../../src/db/results.ts';
import type { Outcome } from '../../src/domain/outcome.ts';
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
  database = await testDatabase({ maxConnections: 12 });
  boxId = (await makeBox(database.sql, ['CPU', 'H100'])).id;
});
afterAll(() => database.drop());

interface Part {
  submissionId: number;
  secret?: boolean;
  gpuType?: string;
}

async function end(part: Part, outcome: Outcome, score: number | null = null): Promise<void> {
  const lease = await leaseJob(database.sql, boxId, part);
  expect(await storeJobResult(database.sql, lease, outcome, score)).toBe(true);
}

async function endOurs(part: Part): Promise<void> {
  const lease = await leaseJob(database.sql, boxId, part);
  expect(await storeBoxFailure(database.sql, lease, { kind: 'unreachable', message: 'host 10.0.0.1' })).toBe(
    true,
  );
}

/** A ranked submission on CPU that passed with these scores. */
async function ranked(
  board: LeaderboardWithTask,
  user: { id: string; name: string },
  seconds: number,
  secretSeconds = seconds * 2,
): Promise<number> {
  const submissionId = await submit(database.sql, board, { user });
  await end({ submissionId }, passedWith(seconds), seconds);
  await end({ submissionId, secret: true }, passedWith(secretSeconds), secretSeconds);
  return submissionId;
}

const submission = async (id: number) =>
  (await database.sql`select status, reason, finished_at from hotlap.submissions where id = ${id}`)[0];
const jobStates = async (id: number) =>
  (
    await database.sql<{ status: string }[]>`
      select status from hotlap.jobs where submission_id = ${id} order by id`
  ).map((job) => job.status);
const scores = (id: number) =>
  database.sql`
    select gpu_type, public_score, secret_score, eligible, reason from hotlap.submission_scores
    where submission_id = ${id} order by gpu_type`;
const owed = async (id: number) =>
  (
    await database.sql<{ kind: string }[]>`
      select kind from hotlap.outbox where submission_id = ${id} order by kind`
  ).map((row) => row.kind);

async function boardOf(board: LeaderboardWithTask, gpuType = 'CPU') {
  const key = { leaderboardId: board.id, gpuType, scoreAscending: board.scoreAscending };
  const { entries, total } = await listBoardEntries(database.sql, key, { limit: 100, offset: 0 });
  expect(total).toBe(entries.length);
  return entries.map((entry) => [entry.rank, entry.submissionId, entry.score]);
}

describe('a submission', () => {
  it('is done when its public and its secret job passed, and not before', async () => {
    const board = await makeBoard(database.sql);
    const submissionId = await submit(database.sql, board);
    await end({ submissionId }, passedWith(2), 2);
    expect(await submission(submissionId)).toMatchObject({ status: 'queued', finished_at: null });
    expect(await scores(submissionId)).toMatchObject([
      { public_score: 2, secret_score: null, eligible: false },
    ]);
    expect(await boardOf(board)).toEqual([]);
    await end({ submissionId, secret: true }, passedWith(3), 3);
    expect(await submission(submissionId)).toMatchObject({
      status: 'done',
      reason: null,
      finished_at: expect.any(Date),
    });
    expect(await scores(submissionId)).toMatchObject([
      { public_score: 2, secret_score: 3, eligible: true, reason: null },
    ]);
    expect(await boardOf(board)).toEqual([[1, submissionId, 2]]);
  });

  it('fails by its public job, whose queued secret one is cancelled then', async () => {
    const board = await makeBoard(database.sql);
    const submissionId = await submit(database.sql, board);
    await end({ submissionId }, failedWith('mismatch'));
    expect(await jobStates(submissionId)).toEqual(['finished', 'cancelled']);
    expect(await submission(submissionId)).toMatchObject({
      status: 'failed',
      reason: 'CPU: wrong result (test)',
    });
    expect(await boardOf(board)).toEqual([]);
  });

  it('waits for a secret job that runs already when the public one failed', async () => {
    const submissionId = await submit(database.sql, await makeBoard(database.sql));
    const secret = await leaseJob(database.sql, boxId, { submissionId, secret: true });
    await end({ submissionId }, failedWith('mismatch'));
    expect(await jobStates(submissionId)).toEqual(['finished', 'leased']);
    expect(await submission(submissionId)).toMatchObject({ status: 'queued' });
    expect(await storeJobResult(database.sql, secret, passedWith(3), 3)).toBe(true);
    expect(await submission(submissionId)).toMatchObject({
      status: 'failed',
      reason: 'CPU: wrong result (test)',
    });
    expect(await scores(submissionId)).toMatchObject([
      { public_score: null, secret_score: 3, eligible: false },
    ]);
  });

  it('fails by its secret job without a word of why', async () => {
    const submissionId = await submit(database.sql, await makeBoard(database.sql));
    await end({ submissionId, secret: true }, failedWith('the secret input was 42'));
    await end({ submissionId }, passedWith(1), 1);
    const row = await submission(submissionId);
    expect(row).toMatchObject({ status: 'failed', reason: 'CPU: the secret run failed' });
    expect(await scores(submissionId)).toMatchObject([{ public_score: 1, eligible: false }]);
  });

  it('fails as our fault when a box failed for good, and keeps the box’s address to itself', async () => {
    const submissionId = await submit(database.sql, await makeBoard(database.sql));
    await endOurs({ submissionId });
    expect(await jobStates(submissionId)).toEqual(['failed', 'cancelled']);
    expect(await submission(submissionId)).toMatchObject({
      status: 'failed',
      reason: 'CPU: the box failed, not the code',
    });
  });

  it('is cancelled when all of its jobs were', async () => {
    const submissionId = await submit(database.sql, await makeBoard(database.sql));
    await end({ submissionId }, cancelledOutcome());
    expect(await jobStates(submissionId)).toEqual(['cancelled', 'cancelled']);
    expect((await submission(submissionId))?.status).toBe('cancelled');
  });

  it('on two GPU types ends with the last of them, fails with either, and is ranked where it passed', async () => {
    const board = await makeBoard(database.sql, { gpus: ['CPU', 'H100'] });
    const submissionId = await submit(database.sql, board);
    await end({ submissionId }, passedWith(1), 1);
    await end({ submissionId, secret: true }, passedWith(1), 1);
    expect(await boardOf(board)).toEqual([[1, submissionId, 1]]);
    expect((await submission(submissionId))?.finished_at).toBe(null);
    await end({ submissionId, gpuType: 'H100' }, failedWith('mismatch'));
    expect(await submission(submissionId)).toMatchObject({
      status: 'failed',
      reason: 'H100: wrong result (test)',
    });
    expect(await scores(submissionId)).toMatchObject([
      { gpu_type: 'CPU', eligible: true },
      { gpu_type: 'H100', eligible: false, reason: 'wrong result (test)' },
    ]);
    expect(await boardOf(board, 'H100')).toEqual([]);
  });

  it('in another mode ends with its one job and is never scored', async () => {
    const board = await makeBoard(database.sql);
    for (const mode of ['test', 'benchmark'] as const) {
      const submissionId = await submit(database.sql, board, { mode });
      await end({ submissionId }, passedIn(mode));
      expect(await submission(submissionId)).toMatchObject({ status: 'done', reason: null });
      expect(await scores(submissionId)).toEqual([]);
    }
    expect(await boardOf(board)).toEqual([]);
  });

  it('without a score is failed, with the reason', async () => {
    const submissionId = await submit(database.sql, await makeBoard(database.sql));
    await end({ submissionId }, passedWith(1), null);
    await end({ submissionId, secret: true }, passedWith(1), 1);
    expect(await submission(submissionId)).toMatchObject({
      status: 'failed',
      reason: 'CPU: the run gave no score',
    });
  });
});

describe('the best entry', () => {
  it('moves to a better result and stays with a worse or an equal one', async () => {
    const board = await makeBoard(database.sql);
    const user = makeUser();
    await ranked(board, user, 5);
    const second = await ranked(board, user, 3);
    expect(await boardOf(board)).toEqual([[1, second, 3]]);
    await ranked(board, user, 4);
    await ranked(board, user, 3);
    expect(await boardOf(board)).toEqual([[1, second, 3]]);
  });

  it('is the greatest score where higher is better', async () => {
    const board = await makeBoard(database.sql, { scoreAscending: false });
    const [one, two] = [makeUser(), makeUser()];
    const first = await ranked(board, one, 3);
    const better = await ranked(board, one, 5);
    await ranked(board, one, 4);
    const other = await ranked(board, two, 4.5);
    expect(await boardOf(board)).toEqual([
      [1, better, 5],
      [2, other, 4.5],
    ]);
    expect(first).not.toBe(better);
    const top = (await listBoardTops(database.sql)).find((item) => item.leaderboardId === board.id);
    expect(top).toEqual({ leaderboardId: board.id, gpuType: 'CPU', entries: 2, bestScore: 5 });
  });

  it('goes by the secret score where the leaderboard says so', async () => {
    const board = await makeBoard(database.sql);
    await database.sql`update hotlap.leaderboards set ranking = '{"score": "secret"}' where id = ${board.id}`;
    const user = makeUser();
    await ranked(board, user, 1, 9);
    const best = await ranked(board, user, 2, 8);
    // What is shown is the public one: the other is its owner's.
    expect(await boardOf(board)).toEqual([[1, best, 2]]);
    expect(
      await database.sql`select score from hotlap.best_entries where submission_id = ${best}`,
    ).toMatchObject([{ score: 8 }]);
  });

  it('of a user is right when two submissions end at once, on every GPU type', async () => {
    const board = await makeBoard(database.sql, { gpus: ['CPU', 'H100'] });
    for (let round = 0; round < 12; round++) {
      const user = makeUser();
      // The GPU types in another order, as two people might write them.
      const submissions = await Promise.all([
        submit(database.sql, board, { user, gpus: ['CPU', 'H100'] }),
        submit(database.sql, board, { user, gpus: ['H100', 'CPU'] }),
      ]);
      const parts = submissions.flatMap((submissionId, index) =>
        ['CPU', 'H100'].flatMap((gpuType) =>
          [false, true].map((secret) => ({ submissionId, gpuType, secret, score: 2 - index + round / 100 })),
        ),
      );
      const leased = await Promise.all(
        parts.map(async (part) => ({ ...part, lease: await leaseJob(database.sql, boxId, part) })),
      );
      const stored = await Promise.all(
        leased.map((part) => storeJobResult(database.sql, part.lease, passedWith(part.score), part.score)),
      );
      expect(stored).toEqual(stored.map(() => true));
      const entries = await database.sql`
        select gpu_type, submission_id, score from hotlap.best_entries where user_id = ${user.id} order by gpu_type`;
      const better = { submission_id: submissions[1], score: 1 + round / 100 };
      expect(entries).toMatchObject([
        { gpu_type: 'CPU', ...better },
        { gpu_type: 'H100', ...better },
      ]);
      for (const id of submissions) expect(await submission(id)).toMatchObject({ status: 'done' });
    }
  });

  it('is there when public and secret job end at the same moment', async () => {
    const board = await makeBoard(database.sql);
    for (let round = 0; round < 12; round++) {
      const submissionId = await submit(database.sql, board, {
        reply: { channelId: '1', interactionToken: 't', expiresAt: new Date(Date.now() + 60_000) },
      });
      const leases = [
        await leaseJob(database.sql, boxId, { submissionId }),
        await leaseJob(database.sql, boxId, { submissionId, secret: true }),
      ];
      await Promise.all(leases.map((lease) => storeJobResult(database.sql, lease, passedWith(1), 1)));
      expect(await submission(submissionId)).toMatchObject({ status: 'done' });
      expect(await scores(submissionId)).toMatchObject([
        { public_score: 1, secret_score: 1, eligible: true },
      ]);
      expect(await owed(submissionId)).toEqual(['announcement', 'result']);
    }
    expect(await boardOf(board)).toHaveLength(12);
  });
});

describe('a board', () => {
  it('gives ties one rank, the earlier one first, and the next rank after all of them', async () => {
    const board = await makeBoard(database.sql);
    const third = await ranked(board, makeUser(), 2);
    const first = await ranked(board, makeUser(), 1);
    const second = await ranked(board, makeUser(), 1);
    const last = await ranked(board, makeUser(), 3);
    expect(await boardOf(board)).toEqual([
      [1, first, 1],
      [1, second, 1],
      [3, third, 2],
      [4, last, 3],
    ]);
  });

  it('counts all its entries on every page and keeps their order from page to page', async () => {
    const board = await makeBoard(database.sql);
    const all = [];
    for (let i = 0; i < 7; i++) all.push(await ranked(board, makeUser(), i < 4 ? 1 : 2));
    const key = { leaderboardId: board.id, gpuType: 'CPU', scoreAscending: true };
    const pages = await Promise.all(
      [0, 3, 6, 9].map((offset) => listBoardEntries(database.sql, key, { limit: 3, offset })),
    );
    expect(pages.map((page) => page.total)).toEqual([7, 7, 7, 7]);
    const entries = pages.flatMap((page) => page.entries);
    expect(entries.map((entry) => entry.submissionId)).toEqual(all);
    expect(entries.map((entry) => entry.rank)).toEqual([1, 1, 1, 1, 5, 5, 5]);
  });

  it('shows a user once, and knows no submission that is not ranked', async () => {
    const board = await makeBoard(database.sql);
    const user = makeUser();
    await ranked(board, user, 2);
    const submissionId = await submit(database.sql, board, { user });
    await end({ submissionId }, passedWith(1), 1);
    await end({ submissionId, secret: true }, failedWith('no'));
    expect(await boardOf(board)).toMatchObject([[1, expect.any(Number), 2]]);
  });
});

describe('what is owed when a submission has ended', () => {
  const reply = { channelId: '1', interactionToken: 't', expiresAt: new Date(Date.now() + 60_000) };

  it('is a result for whom somebody waits, and an announcement where it is ranked', async () => {
    const board = await makeBoard(database.sql);
    const silent = await ranked(board, makeUser(), 1);
    expect(await owed(silent)).toEqual(['announcement']);
    const submissionId = await submit(database.sql, board, { reply });
    await end({ submissionId }, passedWith(1), 1);
    expect(await owed(submissionId)).toEqual([]);
    await end({ submissionId, secret: true }, passedWith(1), 1);
    expect(await owed(submissionId)).toEqual(['announcement', 'result']);
  });

  it('is no announcement of what failed, of the box’s failure or of another mode', async () => {
    const board = await makeBoard(database.sql);
    const failed = await submit(database.sql, board, { reply });
    await end({ submissionId: failed }, failedWith('no'));
    const ours = await submit(database.sql, board, { reply });
    await endOurs({ submissionId: ours });
    const tested = await submit(database.sql, board, { mode: 'test', reply });
    await end({ submissionId: tested }, passedIn('test'));
    for (const id of [failed, ours, tested]) expect(await owed(id)).toEqual(['result']);
  });
});
