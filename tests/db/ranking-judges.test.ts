/** Human scores: what counts, whose it is, what is refused, and what is left to give. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { listReviews, listUnscored } from '../../src/db/reviews.ts';
import { listStandings } from '../../src/db/standings.ts';
import { judgeSubmission } from '../../src/intake/judging.ts';
import { leaveTeam } from '../../src/intake/teams.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { boardLines, type Person, rankedSubmission, setRule } from './ranking-scene.ts';
import { makeBoard, makeBox, makeUser, submit, testRecord } from './scene.ts';
import { makeTeam } from './team-scene.ts';

let database: TestDatabase;
let boxId: number;
beforeAll(async () => {
  database = await testDatabase({ maxConnections: 12 });
  boxId = (await makeBox(database.sql, ['CPU', 'H100'])).id;
});
afterAll(() => database.drop());

type Options = Parameters<typeof rankedSubmission>[3];
const ranked = (board: LeaderboardWithTask, options: Options = {}) =>
  rankedSubmission(database.sql, boxId, board, options);
const linesOf = (board: LeaderboardWithTask, track?: string, asOf?: Date) =>
  boardLines(database.sql, board, track, asOf);

const judge = (submissionId: number, value: number, scorer = 'clarity', by: Person = makeUser()) =>
  judgeSubmission(database.sql, { submissionId, scorer, value, reason: 'It reads well.' }, by);

describe('human scores', () => {
  const points = {
    scorers: [{ name: 'clarity' }, { name: 'novelty', required: false }],
    weights: { measured: 0.5, clarity: 0.3, novelty: 0.2 },
    reference: 1,
  };
  const scoreOf = async (board: LeaderboardWithTask, submissionId: number) =>
    (await linesOf(board)).find((line) => line[1] === submissionId)?.[2];

  it('of 0.0 count: they are not missing', async () => {
    const board = await setRule(database.sql, await makeBoard(database.sql), points);
    const submissionId = await ranked(board, { score: 1 });
    expect(await linesOf(board)).toEqual([]);
    const [standing] = await listStandings(database.sql, submissionId, true);
    expect(standing?.notRanked).toMatchObject({ code: 'scorer-missing', phase: 'judging' });
    await judge(submissionId, 0);
    // Half of the measured half, nothing for clarity, and the middle for what is optional.
    expect(await scoreOf(board, submissionId)).toBeCloseTo(0.5 * 0.5 + 0 + 0.2 * 0.5, 12);
    await judge(submissionId, 0, 'novelty');
    expect(await scoreOf(board, submissionId)).toBeCloseTo(0.25, 12);
  });

  it('weigh what is configured, not what is present', async () => {
    const board = await setRule(database.sql, await makeBoard(database.sql), points);
    const full = await ranked(board, { score: 1 });
    const partial = await ranked(board, { score: 1 });
    await judge(full, 1);
    await judge(full, 0.5, 'novelty');
    await judge(partial, 1);
    // Were the weights shared out among those that are there, the second would stand higher.
    expect((await linesOf(board)).map(([rank, id]) => [rank, id])).toEqual([
      [1, full],
      [1, partial],
    ]);
  });

  it('are one for each judge and scorer, with every revision kept under its author’s name', async () => {
    const board = await setRule(database.sql, await makeBoard(database.sql), points);
    const submissionId = await ranked(board, { score: 1 });
    const [first, second] = [makeUser(), makeUser()];
    await judge(submissionId, 0.2, 'clarity', first);
    await judge(submissionId, 0.6, 'clarity', second);
    expect((await judge(submissionId, 0.4, 'CLARITY ', first)).replaced).toBe(0.2);
    expect(await scoreOf(board, submissionId)).toBeCloseTo(0.25 + 0.3 * 0.5 + 0.1, 12);
    const reviews = await listReviews(database.sql, submissionId);
    expect(reviews.map((item) => [item.judgeId, item.value, item.supersededAt === null])).toEqual([
      [first.id, 0.4, true],
      [second.id, 0.6, true],
      [first.id, 0.2, false],
    ]);
  });

  it('of one judge come out right when they arrive at once', async () => {
    const board = await setRule(database.sql, await makeBoard(database.sql), points);
    const submissionId = await ranked(board, { score: 1 });
    const by = makeUser();
    await Promise.all([0.1, 0.3, 0.5, 0.7].map((value) => judge(submissionId, value, 'clarity', by)));
    const reviews = await listReviews(database.sql, submissionId);
    expect(reviews).toHaveLength(4);
    expect(reviews.filter((item) => item.supersededAt === null)).toHaveLength(1);
  });

  it('are refused in words for what is not there, not finished, one’s own, or no number from 0 to 1', async () => {
    const board = await setRule(database.sql, await makeBoard(database.sql), points);
    const owner = makeUser();
    const submissionId = await ranked(board, { user: owner });
    const open = await submit(database.sql, board);
    const test = await submit(database.sql, board, { mode: 'test' });
    const plain = await ranked(await makeBoard(database.sql));
    const refusal = (work: Promise<unknown>) =>
      work.then(
        () => 'taken',
        (error: { code: string }) => error.code,
      );
    expect(await refusal(judge(submissionId, 0.5, 'style'))).toBe('unknown-scorer');
    for (const value of [-0.1, 1.1, Number.NaN, Number.POSITIVE_INFINITY])
      expect(await refusal(judge(submissionId, value))).toBe('score-range');
    expect(await refusal(judge(open, 0.5))).toBe('not-to-judge');
    expect(await refusal(judge(test, 0.5))).toBe('not-to-judge');
    expect(await refusal(judge(plain, 0.5))).toBe('no-scorers');
    expect(await refusal(judge(9_000_000, 0.5))).toBe('nothing-to-judge');
    expect(await refusal(judge(submissionId, 0.5, 'clarity', owner))).toBe('own-submission');
    const mate = makeUser();
    await makeTeam(database.sql, [owner, mate]);
    const panel = { leaderboardId: board.id, judgeId: mate.id, scorers: ['clarity'] };
    const isRefused = async () => {
      expect(await refusal(judge(submissionId, 0.5, 'clarity', mate))).toBe('team-submission');
      expect((await listUnscored(database.sql, panel, { limit: 5, offset: 0 })).total).toBe(0);
    };
    await isRefused();
    // On a board that is over the entry counts for whoever was in the team at its end.
    await database.sql`update hotlap.leaderboards set deadline = now() where id = ${board.id}`;
    await leaveTeam(database.sql, mate.id, testRecord());
    await isRefused();
    const wordless = { submissionId, scorer: 'clarity', value: 1, reason: ' ' };
    expect(await refusal(judgeSubmission(database.sql, wordless, makeUser()))).toBe('score-reason');
    expect(await listReviews(database.sql, submissionId)).toEqual([]);
  });

  it('that are left to give are listed: what nobody has scored first, totals over all pages', async () => {
    const board = await setRule(database.sql, await makeBoard(database.sql), points);
    const me = makeUser();
    const ids: number[] = [];
    for (let i = 0; i < 3; i++) ids.push(await ranked(board));
    await ranked(board, { user: me });
    const [a = 0, b = 0, c = 0] = ids;
    await judge(a, 0.5, 'clarity', me);
    await judge(a, 0.5, 'novelty', me);
    await judge(b, 0.5);
    await judge(b, 0.5, 'novelty');
    const of = { leaderboardId: board.id, judgeId: me.id, scorers: ['clarity', 'novelty'] };
    const page = await listUnscored(database.sql, of, { limit: 1, offset: 0 });
    expect(page.total).toBe(2);
    expect(page.items).toMatchObject([
      { id: c, missing: ['clarity', 'novelty'], missingAtAll: ['clarity', 'novelty'] },
    ]);
    const next = await listUnscored(database.sql, of, { limit: 1, offset: 1 });
    expect(next.items).toMatchObject([{ id: b, missing: ['clarity', 'novelty'], missingAtAll: [] }]);
  });
});
