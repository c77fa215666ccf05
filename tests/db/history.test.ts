/** What the pictures are drawn from. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Sql } from '../../src/db/client.ts';
import { listOwnTimedRuns, listTimedRuns, loadBoardHistory, loadBoardSpread } from '../../src/db/history.ts';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { storeJobResult } from '../../src/db/results.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { leaseJob, makeBoard, makeBox, makeUser, passedIn, passedWith, submit } from './scene.ts';

let database: TestDatabase;
let sql: Sql;
let boxId: number;
beforeAll(async () => {
  database = await testDatabase();
  sql = database.sql;
  boxId = (await makeBox(sql, ['CPU'], 64)).id;
});
afterAll(() => database.drop());

const keyOf = (board: LeaderboardWithTask) => ({
  leaderboardId: board.id,
  gpuType: 'CPU',
  scoreAscending: board.scoreAscending,
});

async function ranked(board: LeaderboardWithTask, user: { id: string; name: string }, seconds: number) {
  const submissionId = await submit(sql, board, { user });
  await store(submissionId, seconds);
  return submissionId;
}

async function store(submissionId: number, seconds: number) {
  for (const secret of [false, true]) {
    const lease = await leaseJob(sql, boxId, { submissionId, secret });
    await storeJobResult(sql, lease, passedWith(seconds), seconds);
  }
}

const scores = (rows: { score: number }[]) => rows.map((row) => row.score);

describe('the history of a board', () => {
  it.each([
    [true, [[3, 2, 1], [4]], [3, 2, 1]],
    [false, [[4], [3]], [3, 4]],
  ])(
    'holds only what was an improvement, by the board’s direction (lower is better: %s)',
    async (scoreAscending, lines, record) => {
      const board = await makeBoard(sql, { scoreAscending });
      const [anna, ben] = [makeUser(), makeUser()];
      const order = (...[first, second]: { name: string }[]) =>
        (scoreAscending ? [first, second] : [second, first]).map((user) => user?.name);
      await ranked(board, anna, 3);
      await ranked(board, ben, 4);
      await ranked(board, anna, 2);
      await ranked(board, anna, 2.5);
      await ranked(board, anna, 1);
      const history = await loadBoardHistory(sql, keyOf(board), 8);
      expect(history.people.map((person) => person.name)).toEqual(order(anna, ben));
      expect(history.people.map((person) => scores(person.improvements))).toEqual(lines);
      expect(scores(history.record)).toEqual(record);
    },
  );

  it('shows as many as are asked for, and the record of everybody', async () => {
    const board = await makeBoard(sql);
    for (const seconds of [5, 4, 3]) await ranked(board, makeUser(), seconds);
    const history = await loadBoardHistory(sql, keyOf(board), 1);
    expect(history.people.map((person) => scores(person.improvements))).toEqual([[3]]);
    expect(scores(history.record)).toEqual([5, 4, 3]);
    expect(await loadBoardHistory(sql, keyOf(await makeBoard(sql)), 8)).toEqual({ people: [], record: [] });
  });
});

describe('the line of the record', () => {
  it('has what came first, also where its result comes after that of a later and better one', async () => {
    const board = await makeBoard(sql);
    const user = makeUser();
    const early = await submit(sql, board, { user });
    await ranked(board, user, 1);
    await ranked(board, makeUser(), 2);
    await store(early, 3);
    const history = await loadBoardHistory(sql, keyOf(board), 8);
    expect(scores(history.record)).toEqual([3, 1]);
    expect(history.people.map((person) => scores(person.improvements))).toEqual([[3, 1], [2]]);
  });
});

describe('the spread of a board', () => {
  it('is everybody’s best score, and where one’s own lies', async () => {
    const board = await makeBoard(sql);
    const [anna, ben, eve] = [makeUser(), makeUser(), makeUser()];
    await ranked(board, anna, 2);
    await ranked(board, ben, 1);
    await ranked(board, ben, 3);
    const spread = await loadBoardSpread(sql, keyOf(board), anna.id);
    expect(spread.scores.sort()).toEqual([1, 2]);
    expect(spread.mine).toEqual({ score: 2, rank: 2 });
    expect((await loadBoardSpread(sql, keyOf(board), eve.id)).mine).toBe(null);
  });
});

describe('timed runs', () => {
  it('are one’s own public ones, the ranked stage before the benchmark, oldest first', async () => {
    const board = await makeBoard(sql);
    const user = makeUser();
    await ranked(board, makeUser(), 9);
    const first = await ranked(board, user, 2);
    const second = await submit(sql, board, { user, mode: 'benchmark' });
    await storeJobResult(
      sql,
      await leaseJob(sql, boxId, { submissionId: second }),
      passedIn('benchmark'),
      null,
    );
    const tested = await submit(sql, board, { user, mode: 'test' });
    await storeJobResult(sql, await leaseJob(sql, boxId, { submissionId: tested }), passedIn('test'), null);
    const runs = await listOwnTimedRuns(
      sql,
      { userId: user.id, leaderboardId: board.id, gpuType: 'CPU' },
      10,
    );
    expect(runs.map((run) => run.submissionId)).toEqual([first, second]);
    const means = runs.map((run) => new Map(run.result).get('benchmark.0.mean'));
    expect(means.map(Number)).toEqual([2e9, 1000]);
    expect(
      await listOwnTimedRuns(sql, { userId: user.id, leaderboardId: board.id, gpuType: 'CPU' }, 1),
    ).toHaveLength(1);
    expect((await listTimedRuns(sql, first)).map((run) => run.gpuType)).toEqual(['CPU']);
  });
});
