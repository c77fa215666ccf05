/** Judging again: beside the contest, seen before it counts, undone by a word, and never at the cost of what was. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countOutdatedEntries, listBoardEntries } from '../../src/db/board.ts';
import type { BoxRow } from '../../src/db/boxes.ts';
import { cancelSubmission } from '../../src/db/cancel.ts';
import { claimJob, loadJobWork } from '../../src/db/jobs.ts';
import {
  findLeaderboard,
  type LeaderboardWithTask,
  saveLeaderboard,
  storeTaskVersion,
} from '../../src/db/leaderboards.ts';
import { findMissingWork } from '../../src/db/missing-work.ts';
import { loadQueue } from '../../src/db/queue.ts';
import { applyRejudge, previewRejudge } from '../../src/db/rejudge-apply.ts';
import { findRejudge, listRejudgeEntries } from '../../src/db/rejudges.ts';
import { storeBoxFailure, storeJobResult } from '../../src/db/results.ts';
import { findSubmissionView, listOwnSubmissions, listRuns } from '../../src/db/submissions.ts';
import type { Outcome } from '../../src/domain/outcome.ts';
import { leaderboardScore } from '../../src/domain/score.ts';
import { type Task, taskHash } from '../../src/domain/task.ts';
import {
  beginRejudge,
  confirmRejudge,
  dropRejudge,
  parseSince,
  type RejudgeWish,
  rejudgeReport,
  requestRejudge,
} from '../../src/intake/rejudge.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import {
  failedWith,
  leaseJob,
  makeBoard,
  makeBox,
  makeUser,
  passedWith,
  plainTask,
  submit,
} from './scene.ts';

let database: TestDatabase;
let box: BoxRow;
beforeAll(async () => {
  database = await testDatabase({ maxConnections: 12 });
  box = await makeBox(database.sql, ['CPU', 'GPU']);
});
afterAll(() => database.drop());

const ORGANISER = 'organiser';

/** Runs both jobs of a submission, its own or those of a rejudge. A public failure ends the secret one. */
async function judge(
  submissionId: number,
  outcome: Outcome | ((secret: boolean) => Outcome),
  options: { rejudgeId?: number; gpuType?: string } = {},
): Promise<void> {
  for (const secret of [false, true]) {
    const result = typeof outcome === 'function' ? outcome(secret) : outcome;
    const lease = await leaseJob(database.sql, box.id, { submissionId, secret, ...options });
    const stored = await storeJobResult(database.sql, lease, result, leaderboardScore(result, plainTask));
    expect(stored).toBe(true);
    if (!result.passed) return;
  }
}

/** Another version of the board's task. */
async function changeTask(board: LeaderboardWithTask, change: Partial<Task>): Promise<LeaderboardWithTask> {
  const { sql } = database;
  const task = { ...board.task, ...change };
  const taskVersionId = await storeTaskVersion(sql, taskHash(task), task);
  await saveLeaderboard(sql, { ...board, directory: 'set/x', taskVersionId });
  const changed = await findLeaderboard(sql, board.name);
  if (!changed) throw new Error('the board is gone');
  return changed;
}

const stricter = { files: { 'eval.py': 'evaluate(tolerance=1e-6)' } };

async function rejudgeOf(board: LeaderboardWithTask, wish: Partial<RejudgeWish> = {}): Promise<number> {
  const all = { leaderboard: board.name, top: null, userId: null, since: null, outdatedOnly: false };
  return requestRejudge(database.sql, { ...all, ...wish }, ORGANISER);
}

const chosen = async (id: number) =>
  (await listRejudgeEntries(database.sql, id)).map((entry) => `${entry.submissionId} ${entry.gpuType}`);

async function boardOf(board: LeaderboardWithTask, gpuType = 'CPU') {
  const key = { leaderboardId: board.id, gpuType, scoreAscending: board.scoreAscending };
  const page = await listBoardEntries(database.sql, key, { limit: 100, offset: 0 });
  // The geometric mean of one number may differ from it in the last digit.
  return page.entries.map((entry) => [entry.rank, entry.submissionId, Number(entry.score.toPrecision(9))]);
}

/** Everything that anybody can see of a board and its submissions, and everything that is kept of them. */
async function stateOf(board: LeaderboardWithTask) {
  const { sql } = database;
  const own = sql`submission_id in (select id from hotlap.submissions where leaderboard_id = ${board.id})`;
  return {
    entries:
      await sql`select * from hotlap.best_entries where leaderboard_id = ${board.id} order by gpu_type, user_id`,
    submissions: await sql`select * from hotlap.submissions where leaderboard_id = ${board.id} order by id`,
    scores: await sql`select * from hotlap.submission_scores where ${own} order by submission_id, gpu_type`,
    jobs: await sql`select * from hotlap.jobs where ${own} and rejudge_id is null order by id`,
    runs: await sql`
      select r.* from hotlap.runs r join hotlap.jobs j on j.id = r.job_id
      where j.leaderboard_id = ${board.id} and j.rejudge_id is null order by r.id`,
    owed: await sql`select dedupe_key from hotlap.outbox where ${own} order by id`,
  };
}

describe('a changed tolerance on a board with 20 submissions', () => {
  const people = Array.from({ length: 20 }, makeUser);
  const submissions: number[] = [];
  let board: LeaderboardWithTask;
  let before: Awaited<ReturnType<typeof stateOf>>;
  beforeAll(async () => {
    board = await makeBoard(database.sql);
    for (const [index, user] of people.entries()) {
      const id = await submit(database.sql, board, { user });
      submissions.push(id);
      // Places 1 to 19 by their number; the last one failed even by the old tolerance.
      await judge(id, index === 19 ? failedWith('far off') : passedWith(0.01 * (index + 1)));
    }
    board = await changeTask(board, stricter);
    before = await stateOf(board);
  });

  /** By the new tolerance the first two are wrong, the third is slower than the fourth and fifth, the rest stay. */
  const verdict = (index: number) => {
    if (index < 2) return failedWith('outside the tolerance');
    if (index === 2) return passedWith(0.055);
    return index === 19 ? passedWith(0.005) : passedWith(0.01 * (index + 1));
  };
  const score = (index: number) => leaderboardScore(passedWith(0.01 * (index + 1)), plainTask);

  async function runRejudge(): Promise<number> {
    const id = await rejudgeOf(board);
    await beginRejudge(database.sql, id);
    for (const [index, submissionId] of submissions.entries())
      await judge(submissionId, verdict(index), { rejudgeId: id });
    return id;
  }

  it('says on the board which entries the earlier version judged', async () => {
    const key = { leaderboardId: board.id, gpuType: 'CPU', scoreAscending: true };
    const { entries } = await listBoardEntries(database.sql, key, { limit: 5, offset: 0 });
    expect(board.version).toBe(2);
    expect(entries.map((entry) => entry.oldVersion)).toEqual([1, 1, 1, 1, 1]);
    expect(await countOutdatedEntries(database.sql, key)).toBe(19);
  });

  it('shows every change of place before anything counts, and cancelled leaves the board as it was', async () => {
    const id = await runRejudge();
    expect(await stateOf(board)).toEqual(before);
    const { rejudge, changes, entries } = await rejudgeReport(database.sql, id);
    expect(rejudge).toMatchObject({
      status: 'ready',
      submissions: 20,
      judged: 20,
      openJobs: 0,
      isCurrent: true,
    });
    const rank = (index: number) => {
      const change = changes.find((item) => item.userId === people[index]?.id);
      return [change?.before?.rank ?? null, change?.after?.rank ?? null];
    };
    expect(rank(0)).toEqual([1, null]);
    expect(rank(1)).toEqual([2, null]);
    expect(rank(2)).toEqual([3, 4]);
    expect(rank(3)).toEqual([4, 2]);
    expect(rank(4)).toEqual([5, 3]);
    expect(rank(5)).toEqual([6, 5]);
    expect(rank(18)).toEqual([19, 18]);
    expect(rank(19)).toEqual([null, 1]);
    expect(entries.find((entry) => entry.submissionId === submissions[0])).toMatchObject({
      before: { publicScore: score(0), eligible: true },
      after: { publicScore: null, eligible: false, reason: 'wrong result (test)' },
    });
    // Looking changes nothing, however often.
    await rejudgeReport(database.sql, id);
    expect(await stateOf(board)).toEqual(before);

    await dropRejudge(database.sql, id, ORGANISER);
    expect(await stateOf(board)).toEqual(before);
    expect((await findRejudge(database.sql, id))?.status).toBe('cancelled');
  });

  it('does exactly what it showed when it is applied, and keeps what was', async () => {
    const id = await runRejudge();
    const shown = await previewRejudge(database.sql, id);
    await confirmRejudge(database.sql, id, ORGANISER);
    const after = await stateOf(board);
    expect(after.jobs).toEqual(before.jobs);
    expect(after.runs).toEqual(before.runs);
    expect(after.owed).toEqual(before.owed);
    expect((await boardOf(board)).map(([rank, submission]) => [rank, submission])).toEqual(
      (shown ?? []).filter((change) => change.after).map(({ after: now }) => [now?.rank, now?.submissionId]),
    );
    const report = await rejudgeReport(database.sql, id);
    expect(report.rejudge).toMatchObject({ status: 'applied', endedBy: ORGANISER });
    expect(report.changes).toEqual(shown);
    expect(report.entries.find((entry) => entry.submissionId === submissions[0])).toMatchObject({
      before: { publicScore: score(0), eligible: true },
      after: { eligible: false },
    });
    const key = { leaderboardId: board.id, gpuType: 'CPU', scoreAscending: true };
    expect(await countOutdatedEntries(database.sql, key)).toBe(0);
    await expect(confirmRejudge(database.sql, id, ORGANISER)).rejects.toMatchObject({
      code: 'rejudge-state',
    });
  });

  it('shows each submission as it was judged last, to its owner too', async () => {
    const [lost, , , , , , , , , , , , , , , , , , , won] = submissions;
    const failed = await findSubmissionView(database.sql, lost ?? 0, true);
    expect(failed).toMatchObject({ status: 'failed', reason: 'CPU: wrong result (test)' });
    expect(failed?.gpus).toHaveLength(1);
    expect(failed?.gpus[0]).toMatchObject({ eligible: false, rank: null, rejudge: { version: 2 } });
    expect(await listRuns(database.sql, lost ?? 0, true)).toHaveLength(1);
    const ranked = await findSubmissionView(database.sql, won ?? 0, true);
    expect(ranked).toMatchObject({ status: 'done', reason: null });
    expect(ranked?.gpus[0]).toMatchObject({
      rank: 1,
      publicScore: expect.closeTo(0.005, 9),
      secretScore: expect.closeTo(0.005, 9),
    });
    const mine = await listOwnSubmissions(
      database.sql,
      { userId: people[19]?.id ?? '' },
      { limit: 9, offset: 0 },
    );
    expect(mine.items).toHaveLength(1);
    expect(mine.items[0]?.gpus).toHaveLength(1);
  });

  it('can be done again, over the result of the last one', async () => {
    const now = await stateOf(board);
    const id = await rejudgeOf(board, { top: 2 });
    expect(await chosen(id)).toEqual([`${submissions[3]} CPU`, `${submissions[19]} CPU`]);
    await beginRejudge(database.sql, id);
    await judge(submissions[3] ?? 0, passedWith(0.001), { rejudgeId: id });
    await judge(submissions[19] ?? 0, passedWith(0.005), { rejudgeId: id });
    await confirmRejudge(database.sql, id, ORGANISER);
    const after = await stateOf(board);
    expect((await boardOf(board)).slice(0, 2)).toEqual([
      [1, submissions[3], 0.001],
      [2, submissions[19], 0.005],
    ]);
    expect(after.entries).toHaveLength(now.entries.length);
  });
});

describe('what is judged again', () => {
  let board: LeaderboardWithTask;
  const [first, second] = [makeUser(), makeUser()];
  let old: number;
  let ranked: number;
  let cpuOnly: number;
  beforeAll(async () => {
    const { sql } = database;
    board = await makeBoard(sql, { gpus: ['CPU', 'GPU'] });
    const both = async (user: { id: string; name: string }, seconds: number) => {
      const id = await submit(sql, board, { user });
      for (const gpuType of ['CPU', 'GPU']) await judge(id, passedWith(seconds), { gpuType });
      return id;
    };
    old = await both(first, 0.9);
    ranked = await both(first, 0.2);
    await sql`update hotlap.submissions set created_at = now() - interval '5 days' where id = ${old}`;
    cpuOnly = await submit(sql, board, { user: second, gpus: ['CPU'] });
    await judge(cpuOnly, passedWith(0.3), { gpuType: 'CPU' });
    // None of these is to be judged again.
    const test = await submit(sql, board, { user: second, mode: 'test', gpus: ['CPU'] });
    await submit(sql, board, { user: second, gpus: ['CPU'] });
    const cancelled = await submit(sql, board, { user: second, gpus: ['CPU'] });
    await cancelSubmission(sql, cancelled);
    expect(test).toBeGreaterThan(0);
  });

  const withNone = async (wish: Partial<RejudgeWish>) => {
    const id = await rejudgeOf(board, wish);
    return chosen(id);
  };

  it('is every ranked submission that has ended, on every GPU type that it ran on', async () => {
    expect(await withNone({})).toEqual([
      ...[old, ranked, cpuOnly].map((id) => `${id} CPU`),
      ...[old, ranked].map((id) => `${id} GPU`),
    ]);
  });

  it('is the first places of each GPU type', async () => {
    expect(await withNone({ top: 1 })).toEqual([`${ranked} CPU`, `${ranked} GPU`]);
    expect(await withNone({ top: 2 })).toEqual([`${ranked} CPU`, `${cpuOnly} CPU`, `${ranked} GPU`]);
  });

  it('is what one user has sent', async () => {
    expect(await withNone({ userId: second.id })).toEqual([`${cpuOnly} CPU`]);
  });

  it('is what was sent since some time', async () => {
    expect(await withNone({ since: '3d' })).toEqual([`${ranked} CPU`, `${cpuOnly} CPU`, `${ranked} GPU`]);
  });

  it('is only what an earlier version has judged, where that is asked for', async () => {
    await expect(rejudgeOf(board, { outdatedOnly: true })).rejects.toMatchObject({ code: 'rejudge-empty' });
    board = await changeTask(board, { description: 'Said otherwise.' });
    await expect(rejudgeOf(board, { outdatedOnly: true })).rejects.toMatchObject({ code: 'rejudge-empty' });
    board = await changeTask(board, stricter);
    expect(await withNone({ outdatedOnly: true, userId: second.id })).toEqual([`${cpuOnly} CPU`]);
  });

  it('is refused in a sentence where nothing fits, and leaves no trace', async () => {
    const before = await database.sql`select id from hotlap.rejudges`;
    const wishes: [Partial<RejudgeWish>, string][] = [
      [{ userId: 'nobody' }, 'rejudge-empty'],
      [{ top: 1, userId: first.id }, 'rejudge-two-scopes'],
      [{ since: 'yesterday' }, 'bad-since'],
      [{ since: '2099-01-01' }, 'bad-since'],
      [{ leaderboard: 'nowhere' }, 'unknown-leaderboard'],
    ];
    for (const [wish, code] of wishes) await expect(rejudgeOf(board, wish)).rejects.toMatchObject({ code });
    const after = await database.sql`select id from hotlap.rejudges`;
    expect(after).toEqual(before);
    await expect(rejudgeReport(database.sql, 999_999)).rejects.toMatchObject({ code: 'unknown-rejudge' });
    await expect(beginRejudge(database.sql, 999_999)).rejects.toMatchObject({ code: 'unknown-rejudge' });
  });

  it('is one choice at a time: a newer plan takes the place of one that was not started', async () => {
    const plan = await rejudgeOf(board);
    const newer = await rejudgeOf(board, { top: 1 });
    expect((await findRejudge(database.sql, plan))?.status).toBe('cancelled');
    await beginRejudge(database.sql, newer);
    await expect(beginRejudge(database.sql, newer)).rejects.toMatchObject({ code: 'rejudge-state' });
    await expect(rejudgeOf(board)).rejects.toMatchObject({ code: 'rejudge-open' });
    await expect(confirmRejudge(database.sql, newer, ORGANISER)).rejects.toMatchObject({
      code: 'rejudge-state',
    });
    await dropRejudge(database.sql, newer, ORGANISER);
    await expect(dropRejudge(database.sql, newer, ORGANISER)).rejects.toMatchObject({
      code: 'rejudge-state',
    });
  });

  it('reads times as people write them', () => {
    const now = new Date('2026-11-20T12:00:00Z');
    expect(parseSince('90m', now)).toEqual(new Date('2026-11-20T10:30:00Z'));
    expect(parseSince(' 2 D ', now)).toEqual(new Date('2026-11-18T12:00:00Z'));
    expect(parseSince('2026-11-19', now)).toEqual(new Date('2026-11-19T00:00:00Z'));
    expect(parseSince('2026-11-19 6:05', now)).toEqual(new Date('2026-11-19T06:05:00Z'));
    for (const text of ['', '2026-02-31', '2026-11-19 24:00', '19.11.2026', '-3d', '3 weeks'])
      expect(parseSince(text, now)).toBe(null);
  });
});

describe('a rejudge beside a contest', () => {
  it('runs the new version with the submission’s own seed, after everybody else’s work', async () => {
    const { sql } = database;
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
    board = await changeTask(board, stricter);
    const rejudge = await rejudgeOf(board);
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
    const { sql } = database;
    const board = await makeBoard(sql);
    const user = makeUser();
    const id = await submit(sql, board, { user });
    const lease = await leaseJob(sql, box.id, { submissionId: id });
    await storeBoxFailure(sql, lease, { kind: 'disk-full', message: 'full' });
    const rejudge = await rejudgeOf(board);
    await beginRejudge(sql, rejudge);
    expect(await cancelSubmission(sql, id)).toBe(null);
    await submit(sql, board, { user, supersede: true });
    const open = await sql`select id from hotlap.jobs where rejudge_id = ${rejudge} and status = 'queued'`;
    expect(open).toHaveLength(2);
    await judge(id, passedWith(0.2), { rejudgeId: rejudge });
    await confirmRejudge(sql, rejudge, ORGANISER);
    // What a box once failed has been made good: there is nothing to run again.
    expect(await findSubmissionView(sql, id, true)).toMatchObject({ status: 'done', gpus: [{ rank: 1 }] });
  });

  it('keeps the old verdict where a box failed, and says so', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    const [lucky, unlucky] = [await submit(sql, board), await submit(sql, board)];
    await judge(lucky, passedWith(0.3));
    await judge(unlucky, passedWith(0.2));
    const rejudge = await rejudgeOf(board);
    await beginRejudge(sql, rejudge);
    await judge(lucky, passedWith(0.1), { rejudgeId: rejudge });
    const lease = await leaseJob(sql, box.id, { submissionId: unlucky, rejudgeId: rejudge });
    await storeBoxFailure(sql, lease, { kind: 'disk-full', message: 'full' });
    const { rejudge: view, entries } = await rejudgeReport(sql, rejudge);
    expect(view).toMatchObject({ status: 'ready', entries: 2, judged: 1 });
    expect(entries.find((entry) => entry.submissionId === unlucky)).toMatchObject({
      after: null,
      open: false,
    });
    await confirmRejudge(sql, rejudge, ORGANISER);
    expect(await boardOf(board)).toEqual([
      [1, lucky, 0.1],
      [2, unlucky, 0.2],
    ]);
    expect(await findSubmissionView(sql, unlucky, true)).toMatchObject({ status: 'done', reason: null });
  });

  it('goes on over a restart: the sweeper closes one whose last result came with it', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    const id = await submit(sql, board);
    await judge(id, passedWith(0.3));
    const rejudge = await rejudgeOf(board);
    await beginRejudge(sql, rejudge);
    await sql`update hotlap.jobs set status = 'cancelled' where rejudge_id = ${rejudge}`;
    expect((await findMissingWork(sql)).unfinished).toEqual([rejudge]);
    expect((await findRejudge(sql, rejudge))?.status).toBe('ready');
    const owed = await sql`select payload from hotlap.outbox where dedupe_key = ${`rejudge-${rejudge}`}`;
    expect(owed).toEqual([{ payload: { rejudgeId: rejudge } }]);
  });

  it('cannot be applied after the task has changed again, in what judges', async () => {
    const { sql } = database;
    let board = await makeBoard(sql);
    const id = await submit(sql, board);
    await judge(id, passedWith(0.3));
    const rejudge = await rejudgeOf(board);
    await beginRejudge(sql, rejudge);
    await judge(id, passedWith(0.1), { rejudgeId: rejudge });
    const first = board.task;
    board = await changeTask(board, { benchmarkTimeoutS: 99 });
    await expect(confirmRejudge(sql, rejudge, ORGANISER)).rejects.toMatchObject({ code: 'rejudge-outdated' });
    expect(await boardOf(board)).toEqual([[1, id, 0.3]]);
    board = await changeTask({ ...board, task: first }, { description: 'Only words.' });
    await confirmRejudge(sql, rejudge, ORGANISER);
    expect(await boardOf(board)).toEqual([[1, id, 0.1]]);
  });

  it('ends what runs when it is cancelled, and its late results change nothing', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    const id = await submit(sql, board);
    await judge(id, passedWith(0.3));
    const rejudge = await rejudgeOf(board);
    await beginRejudge(sql, rejudge);
    const lease = await leaseJob(sql, box.id, { submissionId: id, rejudgeId: rejudge });
    await dropRejudge(sql, rejudge, ORGANISER);
    expect((await loadJobWork(sql, lease.jobId)).cancelRequested).toBe(true);
    await storeJobResult(sql, lease, passedWith(0.1), 0.1);
    expect((await findRejudge(sql, rejudge))?.status).toBe('cancelled');
    expect(await boardOf(board)).toEqual([[1, id, 0.3]]);
  });

  it('loses no result that arrives in the same moment, and none of a contest that goes on', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    const people = Array.from({ length: 6 }, makeUser);
    const ids: number[] = [];
    for (const user of people) ids.push(await submit(sql, board, { user }));
    for (const [index, id] of ids.entries()) await judge(id, passedWith(0.1 * (index + 1)));
    const rejudge = await rejudgeOf(board);
    await beginRejudge(sql, rejudge);
    const newer: number[] = [];
    for (const user of people) newer.push(await submit(sql, board, { user }));
    // All at once: new verdicts, new submissions of the same people, and somebody who looks all the time.
    await Promise.all([
      ...ids.map((id) => judge(id, passedWith(0.5), { rejudgeId: rejudge })),
      ...newer.map((id, index) => judge(id, passedWith(0.05 * (index + 1)))),
      ...Array.from({ length: 8 }, () => previewRejudge(sql, rejudge)),
    ]);
    expect(await findRejudge(sql, rejudge)).toMatchObject({ status: 'ready', judged: 6 });
    const [applied, again] = await Promise.all([
      applyRejudge(sql, rejudge, ORGANISER),
      applyRejudge(sql, rejudge, ORGANISER),
    ]);
    expect([applied, again].filter((result) => result !== null)).toHaveLength(1);
    expect((await boardOf(board)).map(([, id]) => id)).toEqual(newer);
  });
});
