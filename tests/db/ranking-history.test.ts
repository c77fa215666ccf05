/** Boards as they were, how people moved, who was taken out, and ranks that are counted without counting. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BoardCursor, listBoardEntries, listBoardFrom, listRankChanges } from '../../src/db/board.ts';
import { foldTallies, listSubmissionStates, thinHistory } from '../../src/db/board-history.ts';
import { setSubmissionInvalid, setUserInvalid } from '../../src/db/invalidations.ts';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { refreshEntries } from '../../src/db/ranking.ts';
import { listStandings, listUnranked } from '../../src/db/standings.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { ageHistory, boardLines, type Person, rankedSubmission } from './ranking-scene.ts';
import { makeBoard, makeBox, makeUser } from './scene.ts';

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

describe('a board as it was', () => {
  const key = (board: LeaderboardWithTask) => ({ leaderboardId: board.id, gpuType: 'CPU' });

  it('is the board of that moment, whatever came later', async () => {
    const board = await makeBoard(database.sql);
    const user = makeUser();
    const first = await ranked(board, { user, score: 5 });
    const other = await ranked(board, { score: 4 });
    await ageHistory(database.sql, board.id, 10);
    const better = await ranked(board, { user, score: 1 });
    await setSubmissionInvalid(database.sql, other, { by: 'test', reason: 'copied' });
    expect(await linesOf(board)).toEqual([[1, better, 1]]);
    const then = new Date(Date.now() - 3 * 3_600_000);
    expect(await linesOf(board, 'CPU', then)).toEqual([
      [1, other, 4],
      [2, first, 5],
    ]);
    expect(await linesOf(board, 'CPU', new Date(Date.now() - 40 * 3_600_000))).toEqual([]);
    const states = async (submissionId: number) => {
      const of = { submissionId, track: 'CPU', viewer: null };
      const { items } = await listSubmissionStates(database.sql, of, { limit: 9, after: null });
      return items.map((state) => [state.score, state.rank, state.until === null]);
    };
    expect([await states(first), await states(other), await states(better)]).toEqual([
      // First when it came, and second since then.
      [[5, 1, false]],
      [[4, 1, false]],
      [[1, 1, true]],
    ]);
  });

  it('tells how far each has moved in 24 hours and in 7 days; who is new is not where they were', async () => {
    const board = await makeBoard(database.sql);
    const [a, b, c] = [makeUser(), makeUser(), makeUser()];
    await ranked(board, { user: a, score: 3 });
    await ranked(board, { user: b, score: 2 });
    await ageHistory(database.sql, board.id, 160);
    await ranked(board, { user: a, score: 1 });
    // 24 hours are 24 hours: what happened 23 hours ago is within, what happened 25 hours ago is not.
    await ageHistory(database.sql, board.id, 2);
    await ranked(board, { user: c, score: 0.5 });
    await ageHistory(database.sql, board.id, 23);
    const entries = (await listBoardEntries(database.sql, key(board), { limit: 10, offset: 0 })).entries;
    const changes = await listRankChanges(database.sql, key(board), entries, new Date());
    expect(changes.get(c.id)).toEqual({ day: 'new', week: 'new' });
    expect(changes.get(a.id)).toEqual({ day: -1, week: 0 });
    expect(changes.get(b.id)).toEqual({ day: -1, week: -2 });
    await ageHistory(database.sql, board.id, 2);
    const later = await listRankChanges(database.sql, key(board), entries, new Date());
    expect(later.get(c.id)).toEqual({ day: 0, week: 'new' });
  });

  it('is thinned to midnights when it is old, and not dropped', async () => {
    const board = await makeBoard(database.sql);
    const user = makeUser();
    const insert = (since: string, until: string, score: number) => database.sql`
      insert into hotlap.board_history (leaderboard_id, track, user_id, submission_id, score, shown_score, sort_key,
        provisional, achieved_at, since, until)
      select ${board.id}, 'CPU', ${user.id}, ${submissionId}, ${score}, ${score}, array[${score}::float8], false, now(),
        date_trunc('day', now(), 'UTC') - ${since}::interval, date_trunc('day', now(), 'UTC') - ${until}::interval`;
    const submissionId = await ranked(board, { user, score: 1 });
    await insert('50 days 8 hours', '50 days 7 hours', 9);
    await insert('50 days 7 hours', '49 days 5 hours', 8);
    await insert('49 days 5 hours', '49 days 1 hour', 7);
    await insert('49 days 1 hour', '5 days', 6);
    await insert('5 days', '4 days', 5);
    const at = async (ago: string) => {
      const [row] = await database.sql<
        { at: Date }[]
      >`select date_trunc('day', now(), 'UTC') - ${ago}::interval as at`;
      return linesOf(board, 'CPU', row?.at ?? new Date());
    };
    expect(await thinHistory(database.sql)).toBe(2);
    expect(await thinHistory(database.sql)).toBe(0);
    expect(await at('49 days 6 hours')).toEqual([[1, submissionId, 8]]);
    expect(await at('40 days')).toEqual([[1, submissionId, 6]]);
    expect(await at('4 days 12 hours')).toEqual([[1, submissionId, 5]]);
  });

  it('has everybody on the day on which days become weeks', async () => {
    const board = await makeBoard(database.sql);
    const user = makeUser();
    const submissionId = await ranked(board, { user, score: 1 });
    await database.sql`delete from hotlap.board_history where leaderboard_id = ${board.id}`;
    await database.sql`
      insert into hotlap.board_history (leaderboard_id, track, user_id, submission_id, score, shown_score, sort_key,
        provisional, achieved_at, since, until)
      select ${board.id}, 'CPU', ${user.id}, ${submissionId}, 1, 1, array[1::float8], false, now(), since, until
      from (select now() - interval '365 days' as turn) t
      cross join lateral (select date_trunc('day', turn, 'UTC') as midnight) m
      cross join lateral (values
        (turn - interval '400 days', midnight - interval '1 hour'),
        (midnight - interval '1 hour', midnight + (turn - midnight) / 2),
        (midnight + (turn - midnight) / 2, 'infinity')) s (since, until)`;
    await thinHistory(database.sql);
    for (const hours of [-25, -1, 1, 25]) {
      const then = new Date(Date.now() - (365 * 24 + hours) * 3_600_000);
      expect(await linesOf(board, 'CPU', then)).toHaveLength(1);
    }
  });

  it('is the same on every page of one cursor, whatever is ranked meanwhile', async () => {
    const board = await makeBoard(database.sql);
    const people: Person[] = [];
    for (let i = 0; i < 7; i++) {
      people.push(makeUser());
      await ranked(board, { user: people.at(-1) as Person, score: i < 4 ? 2 : 3 + i });
    }
    const [clock] = await database.sql<{ now: Date }[]>`select clock_timestamp() as now`;
    const asOf = clock?.now ?? new Date();
    const seen: [string, number][] = [];
    let after = null;
    for (let pages = 0; pages < 10; pages++) {
      const page: Awaited<ReturnType<typeof listBoardFrom>> = await listBoardFrom(
        database.sql,
        key(board),
        { asOf, after },
        3,
      );
      if (page === null) throw new Error('nothing was deleted');
      seen.push(...page.entries.map((entry): [string, number] => [entry.userId, entry.rank]));
      // Somebody from the end comes to the front, somebody new does as well, and somebody goes.
      await ranked(board, { user: people[6] as Person, score: 1 - pages / 10 });
      await ranked(board, { score: 0.5 });
      await setUserInvalid(database.sql, (people[5] as Person).id, { by: 'test', reason: 'test' });
      after = page.next;
      if (after === null) break;
    }
    expect(seen.map(([user]) => user)).toEqual(people.map((person) => person.id));
    expect(seen.map(([, rank]) => rank)).toEqual([1, 1, 1, 1, 5, 6, 7]);
  });

  it('is the same on every page while a change is written that is committed between two of them', async () => {
    const board = await makeBoard(database.sql);
    const people: Person[] = [];
    const ids: number[] = [];
    for (let i = 0; i < 4; i++) {
      people.push(makeUser());
      ids.push(await ranked(board, { user: people.at(-1) as Person, score: 1 + i }));
    }
    const page = async (after: BoardCursor | null) => {
      const read = await listBoardFrom(
        database.sql,
        key(board),
        { asOf: new Date(Date.now() + 1000), after },
        2,
      );
      if (read === null) throw new Error('nothing was deleted');
      return read;
    };
    const written = Promise.withResolvers<void>();
    const listed = Promise.withResolvers<void>();
    // The first goes to the end, and the last one to the front.
    const change = database.sql.begin(async (tx) => {
      await tx`update hotlap.submission_scores set public_score = 9 where submission_id = ${ids[0] ?? 0}`;
      await tx`update hotlap.submission_scores set public_score = 0.1 where submission_id = ${ids[3] ?? 0}`;
      const userIds = people.map((person) => person.id);
      await refreshEntries(tx, { leaderboardId: board.id, gpuTypes: null, userIds });
      written.resolve();
      await listed.promise;
    });
    await Promise.race([written.promise, change]);
    const first = await page(null);
    listed.resolve();
    await change;
    const second = await page(first.next);
    const seen = [...first.entries, ...second.entries].map((entry) => entry.userId);
    expect(seen).toEqual(people.map((person) => person.id));
    expect((await linesOf(board)).map((line) => line[1])).toEqual([ids[3], ids[1], ids[2], ids[0]]);
    expect((await page(null)).entries.map((entry) => entry.submissionId)).toEqual([ids[3], ids[1]]);
  });
});

describe('who is taken out', () => {
  it('is ranked nowhere until they are back, and told so', async () => {
    const board = await makeBoard(database.sql);
    const user = makeUser();
    const submissionId = await ranked(board, { user, score: 1 });
    const other = await ranked(board, { score: 2 });
    expect(await setUserInvalid(database.sql, user.id, { by: 'olga', reason: 'two accounts' })).toBe(true);
    expect(await linesOf(board)).toEqual([[1, other, 2]]);
    await ranked(board, { user, score: 0.5 });
    expect(await linesOf(board)).toEqual([[1, other, 2]]);
    const left = await listUnranked(
      database.sql,
      { leaderboardId: board.id, track: 'CPU', isComposite: false },
      { limit: 5, upTo: Number.MAX_SAFE_INTEGER, before: Number.MAX_SAFE_INTEGER },
    );
    expect(left).toMatchObject({ total: 1, people: [{ userId: user.id, reason: { code: 'user-invalid' } }] });
    await setUserInvalid(database.sql, user.id, null);
    expect((await linesOf(board)).map((line) => line[2])).toEqual([0.5, 2]);
    const [standing] = await listStandings(database.sql, submissionId, false);
    expect(standing?.notRanked?.code).toBe('behind-own');
    expect(await setUserInvalid(database.sql, 'nobody', null)).toBe(false);
    expect(await setSubmissionInvalid(database.sql, 9_000_000, null)).toBe(false);
  });
});

describe('ranks and totals', () => {
  it('are those of a count over all rows, whatever was added and summed up', async () => {
    const board = await makeBoard(database.sql);
    const people: Person[] = [];
    for (let i = 0; i < 12; i++) {
      const user = makeUser();
      people.push(user);
      await ranked(board, { user, score: 1 + (i % 5) / 100 });
      if (i % 4 === 0) await foldTallies(database.sql);
    }
    await ranked(board, { user: people[3] as Person, score: 0.1 });
    await setUserInvalid(database.sql, (people[0] as Person).id, { by: 'test', reason: 'test' });
    const check = async () => {
      const lines = await linesOf(board);
      expect(lines).toHaveLength(11);
      const scores = lines.map((line) => line[2] as number);
      expect(lines.map((line) => line[0])).toEqual(
        scores.map((score) => 1 + scores.filter((item) => item < score).length),
      );
      for (const [offset, line] of lines.entries()) {
        const page = await listBoardEntries(
          database.sql,
          { leaderboardId: board.id, gpuType: 'CPU' },
          { limit: 2, offset },
        );
        expect(page.total).toBe(11);
        expect(page.entries[0]).toMatchObject({ rank: line[0], submissionId: line[1] });
      }
    };
    await check();
    await foldTallies(database.sql);
    await check();
    const [sum] = await database.sql`
      select count(*) as rows, sum(entries)::int as entries from hotlap.board_tallies where leaderboard_id = ${board.id}`;
    expect(sum).toMatchObject({ entries: 11 });
  });
});
