/** What is owed of podiums, threads and notices, and when. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setDeadline, setStage } from '../../src/db/board-settings.ts';
import { delayThread, oweBoardThreads, saveThread, untilThreadRetry } from '../../src/db/board-threads.ts';
import { setVisibility } from '../../src/db/invites.ts';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import {
  findQuotaBack,
  noteReachable,
  oweDeadlineNotices,
  saveNoticeSettings,
  untilDeadlineNotice,
} from '../../src/db/notices.ts';
import { owePodiums } from '../../src/db/podiums.ts';
import { giveBackQuota, setRateLimit } from '../../src/db/quota.ts';
import { saveUser } from '../../src/db/users.ts';
import type { NoticeKind } from '../../src/domain/notice.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { type Person, rankedSubmission } from './ranking-scene.ts';
import { makeBoard, makeBox, makeUser, submit, testRecord } from './scene.ts';

const SETTLE_MS = 60_000;

let database: TestDatabase;
let boxId: number;
beforeAll(async () => {
  database = await testDatabase({ maxConnections: 8 });
  boxId = (await makeBox(database.sql, ['CPU', 'H100'])).id;
});
afterAll(() => database.drop());

const ranked = (board: LeaderboardWithTask, user: Person, score: number, gpus = ['CPU']) =>
  rankedSubmission(database.sql, boxId, board, { user, score, gpus });

async function asks(user: Person, kinds: NoticeKind[]): Promise<void> {
  await saveUser(database.sql, user);
  await saveNoticeSettings(database.sql, user.id, kinds, testRecord());
}

interface Owed {
  kind: string;
  payload: Record<string, unknown>;
  inSeconds: number;
}

const owedOf = (board: LeaderboardWithTask, kind: string) => database.sql<Owed[]>`
  select kind, payload, extract(epoch from not_before - now())::float8 as "inSeconds" from hotlap.outbox
  where kind = ${kind} and payload -> 'leaderboardId' = to_jsonb(${board.id}::bigint) order by id`;

/** Lets so much time pass for whatever podium has changed. */
async function settle(): Promise<void> {
  await database.sql`update hotlap.podiums set changed_at = changed_at - make_interval(secs => ${SETTLE_MS / 1000})`;
}

describe('a podium', () => {
  it('is owed once it has stood for a while, as one change of all that came together', async () => {
    const board = await makeBoard(database.sql, { gpus: ['CPU', 'H100'] });
    const [a, b, c] = [makeUser(), makeUser(), makeUser()];
    await ranked(board, a, 5);
    expect(await owePodiums(database.sql, SETTLE_MS)).toBe(SETTLE_MS);
    await ranked(board, b, 4, ['CPU', 'H100']);
    expect(await owePodiums(database.sql, SETTLE_MS)).toBeLessThan(SETTLE_MS);
    expect(await owedOf(board, 'podium')).toEqual([]);
    await settle();
    await owePodiums(database.sql, SETTLE_MS);
    const [first] = await owedOf(board, 'podium');
    const places = (podium: unknown) =>
      (podium as { userId: string; rank: number; score: number }[]).map(({ userId, rank, score }) => [
        userId,
        rank,
        score,
      ]);
    const changes = first?.payload.changes as { gpuType: string; before: unknown; after: unknown }[];
    expect(changes.map(({ gpuType, before, after }) => [gpuType, places(before), places(after)])).toEqual([
      [
        'CPU',
        [],
        [
          [b.id, 1, 4],
          [a.id, 2, 5],
        ],
      ],
      ['H100', [], [[b.id, 1, 4]]],
    ]);
    // A better score that moves nobody, and what is undone in time, are no news; neither is a look without a change.
    await ranked(board, b, 3);
    const third = await ranked(board, c, 1);
    await owePodiums(database.sql, SETTLE_MS);
    await database.sql`update hotlap.submissions set invalidated_at = now() where id = ${third}`;
    await database.sql`select hotlap.refresh_entries(${board.id}, null, null)`;
    await settle();
    expect(await owePodiums(database.sql, SETTLE_MS)).toBeNull();
    expect(await owedOf(board, 'podium')).toHaveLength(1);
  });

  it('from before a board announced none is no news, even if nobody has looked meanwhile', async () => {
    const board = await makeBoard(database.sql);
    const quiet = async (change: () => Promise<unknown>, back: () => Promise<unknown>) => {
      await ranked(board, makeUser(), 5);
      await change();
      await back();
      await owePodiums(database.sql, 0);
      await owePodiums(database.sql, 0);
      expect(await owedOf(board, 'podium')).toEqual([]);
    };
    const see = (visibility: 'public' | 'closed') =>
      setVisibility(database.sql, board.name, visibility, testRecord());
    const stage = (to: 'open' | 'archived') => setStage(database.sql, board.id, to, testRecord());
    await quiet(
      () => see('closed'),
      () => see('public'),
    );
    await quiet(
      () => stage('archived'),
      () => stage('open'),
    );
    await ranked(board, makeUser(), 1);
    await owePodiums(database.sql, SETTLE_MS);
    await settle();
    await owePodiums(database.sql, SETTLE_MS);
    const [news] = await owedOf(board, 'podium');
    expect(news?.payload.changes).toMatchObject([{ before: [{ rank: 1 }, { rank: 1 }] }]);
  });

  it('is owed once, however many look at the same moment', async () => {
    const board = await makeBoard(database.sql);
    await ranked(board, makeUser(), 2);
    await owePodiums(database.sql, SETTLE_MS);
    await settle();
    await Promise.all([1, 2, 3].map(() => owePodiums(database.sql, SETTLE_MS)));
    expect(await owedOf(board, 'podium')).toHaveLength(1);
  });
});

describe('a thread', () => {
  const announced = async (board: LeaderboardWithTask) => (await owedOf(board, 'board-thread')).length;
  const delivered = async (board: LeaderboardWithTask, threadId: string | null) => {
    const [row] =
      await database.sql`select hotlap.board_news(l) as news from hotlap.leaderboards l where id = ${board.id}`;
    await saveThread(database.sql, board.id, { threadId, told: row?.news });
    await database.sql`update hotlap.outbox set status = 'sent' where kind = 'board-thread'`;
  };

  it('is owed for what has changed since it was told last, once however often anybody looks', async () => {
    const board = await makeBoard(database.sql);
    await oweBoardThreads(database.sql);
    await oweBoardThreads(database.sql);
    expect(await announced(board)).toBe(1);
    await delivered(board, '1');
    await oweBoardThreads(database.sql);
    expect(await announced(board)).toBe(1);
    await setDeadline(database.sql, board.id, new Date(Date.now() + 3_600_000), testRecord());
    await setStage(database.sql, board.id, 'closed', testRecord());
    await oweBoardThreads(database.sql);
    expect(await announced(board)).toBe(2);
    await delivered(board, '1');
    // Of a board for invited people nothing but that.
    await setVisibility(database.sql, board.name, 'closed', testRecord());
    await oweBoardThreads(database.sql);
    expect(await announced(board)).toBe(3);
    await delivered(board, '1');
    await setStage(database.sql, board.id, 'open', testRecord());
    await oweBoardThreads(database.sql);
    expect(await announced(board)).toBe(3);
  });

  it('is made for no board that is over, archived or for invited people, and not tried at once where it was refused', async () => {
    const [over, archived, closed, refused] = await Promise.all(
      [1, 2, 3, 4].map(() => makeBoard(database.sql)),
    );
    if (!over || !archived || !closed || !refused) throw new Error('no boards');
    await setDeadline(database.sql, over.id, new Date(Date.now() - 1000), testRecord());
    await setStage(database.sql, archived.id, 'archived', testRecord());
    await setVisibility(database.sql, closed.name, 'closed', testRecord());
    await delayThread(database.sql, refused.id, 10);
    await oweBoardThreads(database.sql);
    for (const board of [over, archived, closed, refused]) expect(await announced(board)).toBe(0);
    const retry = await untilThreadRetry(database.sql);
    expect(retry).toBeGreaterThan(8 * 60_000);
  });
});

describe('a notice of a deadline', () => {
  const inMinutes = (minutes: number) => new Date(Date.now() + minutes * 60_000);
  const hours = async (board: LeaderboardWithTask) => {
    await oweDeadlineNotices(database.sql);
    return (await owedOf(board, 'notice')).map(({ payload }) => [payload.userId, payload.hours]);
  };

  it('is owed a day and an hour before, to whoever takes part and asked, once for each deadline', async () => {
    const board = await makeBoard(database.sql);
    const [asked, silent, elsewhere, deaf] = [makeUser(), makeUser(), makeUser(), makeUser()];
    for (const user of [asked, silent, deaf]) await submit(database.sql, board, { user });
    for (const user of [asked, elsewhere, deaf]) await asks(user, ['deadline']);
    await noteReachable(database.sql, deaf.id, false);
    const set = (minutes: number) => setDeadline(database.sql, board.id, inMinutes(minutes), testRecord());

    await set(25 * 60);
    expect(await hours(board)).toEqual([]);
    const next = await untilDeadlineNotice(database.sql);
    expect(Math.round((next ?? 0) / 60_000)).toBe(60);
    await set(23 * 60);
    expect(await hours(board)).toEqual([[asked.id, 24]]);
    expect(await hours(board)).toEqual([[asked.id, 24]]);
    // Time passes.
    await database.sql`update hotlap.leaderboards set deadline = now() + interval '30 minutes' where id = ${board.id}`;
    const last = [
      [asked.id, 24],
      [asked.id, 1],
    ];
    expect(await hours(board)).toEqual(last);
    expect(await hours(board)).toEqual(last);
    await setStage(database.sql, board.id, 'closed', testRecord());
    await set(20);
    expect(await hours(board)).toEqual(last);
  });

  it('of a board for invited people goes to those alone', async () => {
    const board = await makeBoard(database.sql);
    const user = makeUser();
    await submit(database.sql, board, { user });
    await asks(user, ['deadline']);
    await setVisibility(database.sql, board.name, 'closed', testRecord());
    await setDeadline(database.sql, board.id, inMinutes(30), testRecord());
    expect(await hours(board)).toEqual([]);
    expect(await untilDeadlineNotice(database.sql)).toBeNull();
  });
});

describe('a notice of quota', () => {
  it('waits for the moment at which some of it is back, and comes at once when a box gives it back', async () => {
    const board = await makeBoard(database.sql);
    const user = makeUser();
    await asks(user, ['quota']);
    await setRateLimit(database.sql, { board, category: 'leaderboard', maxPerHour: 2 }, testRecord());
    const first = await submit(database.sql, board, { user });
    expect(await owedOf(board, 'notice')).toEqual([]);
    await submit(database.sql, board, { user });
    const [owed, ...more] = await owedOf(board, 'notice');
    expect(more).toEqual([]);
    expect(owed?.payload).toMatchObject({ notice: 'quota', userId: user.id, category: 'leaderboard' });
    expect(owed?.inSeconds).toBeGreaterThan(3500);
    const key = { userId: user.id, leaderboardId: board.id, category: 'leaderboard' };
    expect(await findQuotaBack(database.sql, key)).toEqual({ maxPerHour: 2, backAt: expect.any(Date) });
    await database.sql.begin((tx) => giveBackQuota(tx, first));
    expect((await owedOf(board, 'notice'))[0]?.inSeconds).toBeLessThanOrEqual(0);
    expect(await findQuotaBack(database.sql, key)).toEqual({ maxPerHour: 2, backAt: null });
  });

  it('is owed for what was used up before somebody asked', async () => {
    const board = await makeBoard(database.sql);
    const user = makeUser();
    await setRateLimit(database.sql, { board, category: 'test', maxPerHour: 1 }, testRecord());
    await submit(database.sql, board, { user, mode: 'test' });
    expect(await owedOf(board, 'notice')).toEqual([]);
    await asks(user, ['quota']);
    await asks(user, ['quota', 'finished']);
    expect(await owedOf(board, 'notice')).toHaveLength(1);
  });
});

describe('a notice of being overtaken', () => {
  it('goes to those whom a submission has passed, as one while it waits, and after a pause', async () => {
    const board = await makeBoard(database.sql);
    const [fast, middle, slow, silent] = [makeUser(), makeUser(), makeUser(), makeUser()];
    await ranked(board, fast, 1);
    await ranked(board, middle, 5);
    await ranked(board, silent, 6);
    await ranked(board, slow, 9);
    for (const user of [fast, middle]) await asks(user, ['overtaken']);
    const told = async () => (await owedOf(board, 'notice')).map(({ payload }) => payload.userId);
    await ranked(board, slow, 8);
    expect(await told()).toEqual([]);
    await ranked(board, slow, 4);
    expect(await told()).toEqual([middle.id]);
    // Passed already: not again by the same.
    await ranked(board, slow, 3);
    await ranked(board, silent, 2);
    expect(await told()).toEqual([middle.id]);
    await database.sql`update hotlap.outbox set status = 'sent', sent_at = now() where kind = 'notice'`;
    await ranked(board, makeUser(), 0.5);
    const [, next, of] = await owedOf(board, 'notice');
    expect(new Set([next?.payload.userId, of?.payload.userId])).toEqual(new Set([fast.id, middle.id]));
    const waits = [next, of].find((item) => item?.payload.userId === middle.id);
    expect(waits?.inSeconds).toBeGreaterThan(500);
    const now = [next, of].find((item) => item?.payload.userId === fast.id);
    expect(now?.inSeconds).toBeLessThanOrEqual(0);
  });
});
