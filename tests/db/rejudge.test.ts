/** Judging again: seen before it counts, undone by a word, and never at the cost of what was. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countOutdatedEntries, listBoardEntries } from '../../src/db/board.ts';
import { cancelSubmission } from '../../src/db/cancel.ts';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { previewRejudge } from '../../src/db/rejudge-apply.ts';
import { findRejudge, listRejudgeEntries } from '../../src/db/rejudges.ts';
import { findSubmissionView, listOwnSubmissions, listRuns } from '../../src/db/submissions.ts';
import { parseSince } from '../../src/domain/moment.ts';
import { leaderboardScore } from '../../src/domain/score.ts';
import {
  beginRejudge,
  confirmRejudge,
  dropRejudge,
  type RejudgeWish,
  rejudgeReport,
} from '../../src/intake/rejudge.ts';
import {
  boardOf,
  changeTask,
  judge,
  ORGANISER,
  type RejudgeStage,
  rejudgeOf,
  rejudgeStage,
  stateOf,
  stricter,
} from './rejudge-stage.ts';
import { failedWith, makeBoard, makeUser, passedWith, plainTask, submit } from './scene.ts';

let stage: RejudgeStage;
beforeAll(async () => {
  stage = await rejudgeStage();
});
afterAll(() => stage.drop());

const chosen = async (id: number) =>
  (await listRejudgeEntries(stage.sql, id)).map((entry) => `${entry.submissionId} ${entry.gpuType}`);

describe('a changed tolerance on a board with 20 submissions', () => {
  const people = Array.from({ length: 20 }, makeUser);
  const submissions: number[] = [];
  let board: LeaderboardWithTask;
  let before: Awaited<ReturnType<typeof stateOf>>;
  beforeAll(async () => {
    board = await makeBoard(stage.sql);
    for (const [index, user] of people.entries()) {
      const id = await submit(stage.sql, board, { user });
      submissions.push(id);
      // Places 1 to 19 by their number; the last one failed even by the old tolerance.
      await judge(stage, id, index === 19 ? failedWith('far off') : passedWith(0.01 * (index + 1)));
    }
    board = await changeTask(stage.sql, board, stricter);
    before = await stateOf(stage.sql, board);
  });

  /** By the new tolerance the first two are wrong, the third is slower than the fourth and fifth, the rest stay. */
  const verdict = (index: number) => {
    if (index < 2) return failedWith('outside the tolerance');
    if (index === 2) return passedWith(0.055);
    return index === 19 ? passedWith(0.005) : passedWith(0.01 * (index + 1));
  };
  const score = (index: number) => leaderboardScore(passedWith(0.01 * (index + 1)), plainTask);

  async function runRejudge(): Promise<number> {
    const id = await rejudgeOf(stage.sql, board);
    await beginRejudge(stage.sql, id);
    for (const [index, submissionId] of submissions.entries())
      await judge(stage, submissionId, verdict(index), { rejudgeId: id });
    return id;
  }

  it('says on the board which entries the earlier version judged', async () => {
    const key = { leaderboardId: board.id, gpuType: 'CPU', scoreAscending: true };
    const { entries } = await listBoardEntries(stage.sql, key, { limit: 5, offset: 0 });
    expect(board.version).toBe(2);
    expect(entries.map((entry) => entry.oldVersion)).toEqual([1, 1, 1, 1, 1]);
    expect(await countOutdatedEntries(stage.sql, key)).toBe(19);
  });

  it('shows every change of place before anything counts, and cancelled leaves the board as it was', async () => {
    const id = await runRejudge();
    expect(await stateOf(stage.sql, board)).toEqual(before);
    const { rejudge, changes, entries } = await rejudgeReport(stage.sql, id);
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
    await rejudgeReport(stage.sql, id);
    expect(await stateOf(stage.sql, board)).toEqual(before);

    await dropRejudge(stage.sql, id, ORGANISER);
    expect(await stateOf(stage.sql, board)).toEqual(before);
    expect((await findRejudge(stage.sql, id))?.status).toBe('cancelled');
  });

  it('does exactly what it showed when it is applied, and keeps what was', async () => {
    const id = await runRejudge();
    const shown = await previewRejudge(stage.sql, id);
    await confirmRejudge(stage.sql, id, ORGANISER);
    const after = await stateOf(stage.sql, board);
    expect(after.jobs).toEqual(before.jobs);
    expect(after.runs).toEqual(before.runs);
    expect(after.owed).toEqual(before.owed);
    expect((await boardOf(stage.sql, board)).map(([rank, submission]) => [rank, submission])).toEqual(
      (shown ?? []).filter((change) => change.after).map(({ after: now }) => [now?.rank, now?.submissionId]),
    );
    const report = await rejudgeReport(stage.sql, id);
    expect(report.rejudge).toMatchObject({ status: 'applied', endedBy: ORGANISER });
    expect(report.changes).toEqual(shown);
    expect(report.entries.find((entry) => entry.submissionId === submissions[0])).toMatchObject({
      before: { publicScore: score(0), eligible: true },
      after: { eligible: false },
    });
    const key = { leaderboardId: board.id, gpuType: 'CPU', scoreAscending: true };
    expect(await countOutdatedEntries(stage.sql, key)).toBe(0);
    await expect(confirmRejudge(stage.sql, id, ORGANISER)).rejects.toMatchObject({
      code: 'rejudge-state',
    });
  });

  it('shows each submission as it was judged last, to its owner too', async () => {
    const [lost, , , , , , , , , , , , , , , , , , , won] = submissions;
    const failed = await findSubmissionView(stage.sql, lost ?? 0, true);
    expect(failed).toMatchObject({ status: 'failed', reason: 'CPU: wrong result (test)' });
    expect(failed?.gpus).toHaveLength(1);
    expect(failed?.gpus[0]).toMatchObject({ eligible: false, rank: null, rejudge: { version: 2 } });
    expect(await listRuns(stage.sql, lost ?? 0, true)).toHaveLength(1);
    const ranked = await findSubmissionView(stage.sql, won ?? 0, true);
    expect(ranked).toMatchObject({ status: 'done', reason: null });
    expect(ranked?.gpus[0]).toMatchObject({
      rank: 1,
      publicScore: expect.closeTo(0.005, 9),
      secretScore: expect.closeTo(0.005, 9),
    });
    const mine = await listOwnSubmissions(
      stage.sql,
      { userId: people[19]?.id ?? '' },
      { limit: 9, offset: 0 },
    );
    expect(mine.items).toHaveLength(1);
    expect(mine.items[0]?.gpus).toHaveLength(1);
  });

  it('can be done again, over the result of the last one', async () => {
    const now = await stateOf(stage.sql, board);
    const id = await rejudgeOf(stage.sql, board, { top: 2 });
    expect(await chosen(id)).toEqual([`${submissions[3]} CPU`, `${submissions[19]} CPU`]);
    await beginRejudge(stage.sql, id);
    await judge(stage, submissions[3] ?? 0, passedWith(0.001), { rejudgeId: id });
    await judge(stage, submissions[19] ?? 0, passedWith(0.005), { rejudgeId: id });
    await confirmRejudge(stage.sql, id, ORGANISER);
    const after = await stateOf(stage.sql, board);
    expect((await boardOf(stage.sql, board)).slice(0, 2)).toEqual([
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
    const { sql } = stage;
    board = await makeBoard(sql, { gpus: ['CPU', 'GPU'] });
    const both = async (user: { id: string; name: string }, seconds: number) => {
      const id = await submit(sql, board, { user });
      for (const gpuType of ['CPU', 'GPU']) await judge(stage, id, passedWith(seconds), { gpuType });
      return id;
    };
    old = await both(first, 0.9);
    ranked = await both(first, 0.2);
    await sql`update hotlap.submissions set created_at = now() - interval '5 days' where id = ${old}`;
    cpuOnly = await submit(sql, board, { user: second, gpus: ['CPU'] });
    await judge(stage, cpuOnly, passedWith(0.3), { gpuType: 'CPU' });
    // None of these is to be judged again.
    const test = await submit(sql, board, { user: second, mode: 'test', gpus: ['CPU'] });
    await submit(sql, board, { user: second, gpus: ['CPU'] });
    const cancelled = await submit(sql, board, { user: second, gpus: ['CPU'] });
    await cancelSubmission(sql, cancelled);
    expect(test).toBeGreaterThan(0);
  });

  const withNone = async (wish: Partial<RejudgeWish>) => {
    const id = await rejudgeOf(stage.sql, board, wish);
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
    await expect(rejudgeOf(stage.sql, board, { outdatedOnly: true })).rejects.toMatchObject({
      code: 'rejudge-empty',
    });
    board = await changeTask(stage.sql, board, { description: 'Said otherwise.' });
    await expect(rejudgeOf(stage.sql, board, { outdatedOnly: true })).rejects.toMatchObject({
      code: 'rejudge-empty',
    });
    board = await changeTask(stage.sql, board, stricter);
    expect(await withNone({ outdatedOnly: true, userId: second.id })).toEqual([`${cpuOnly} CPU`]);
  });

  it('is refused in a sentence where nothing fits, and leaves no trace', async () => {
    const before = await stage.sql`select id from hotlap.rejudges`;
    const wishes: [Partial<RejudgeWish>, string][] = [
      [{ userId: 'nobody' }, 'rejudge-empty'],
      [{ top: 1, userId: first.id }, 'rejudge-two-scopes'],
      [{ since: 'yesterday' }, 'bad-since'],
      [{ since: '2099-01-01' }, 'bad-since'],
      [{ leaderboard: 'nowhere' }, 'unknown-leaderboard'],
    ];
    for (const [wish, code] of wishes)
      await expect(rejudgeOf(stage.sql, board, wish)).rejects.toMatchObject({ code });
    const after = await stage.sql`select id from hotlap.rejudges`;
    expect(after).toEqual(before);
    await expect(rejudgeReport(stage.sql, 999_999)).rejects.toMatchObject({ code: 'unknown-rejudge' });
    await expect(beginRejudge(stage.sql, 999_999)).rejects.toMatchObject({ code: 'unknown-rejudge' });
  });

  it('is one choice at a time: a newer plan takes the place of one that was not started', async () => {
    const plan = await rejudgeOf(stage.sql, board);
    const newer = await rejudgeOf(stage.sql, board, { top: 1 });
    expect((await findRejudge(stage.sql, plan))?.status).toBe('cancelled');
    await beginRejudge(stage.sql, newer);
    await expect(beginRejudge(stage.sql, newer)).rejects.toMatchObject({ code: 'rejudge-state' });
    await expect(rejudgeOf(stage.sql, board)).rejects.toMatchObject({ code: 'rejudge-open' });
    await expect(confirmRejudge(stage.sql, newer, ORGANISER)).rejects.toMatchObject({
      code: 'rejudge-state',
    });
    await dropRejudge(stage.sql, newer, ORGANISER);
    await expect(dropRejudge(stage.sql, newer, ORGANISER)).rejects.toMatchObject({
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
