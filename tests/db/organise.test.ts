/** What organisers set and rule, and that of two at once each is told the truth. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChangeRecord, listAudit, verifyAudit } from '../../src/db/audit.ts';
import { banUser, liftBan, listBans } from '../../src/db/bans.ts';
import { setDeadline, setLate, setStage, startBoard } from '../../src/db/board-settings.ts';
import { cancelSubmission } from '../../src/db/cancel.ts';
import { deleteLeaderboard, deleteSubmission } from '../../src/db/deletion.ts';
import { claimInvite, createInvites, revokeInvite, setVisibility } from '../../src/db/invites.ts';
import { findLeaderboard, type LeaderboardWithTask, saveLeaderboard } from '../../src/db/leaderboards.ts';
import { listQuotaOf, setRateLimit } from '../../src/db/quota.ts';
import {
  answerAppeal,
  appealRuling,
  findRuling,
  invalidateSubmission,
  restoreSubmission,
} from '../../src/db/rulings.ts';
import { setAcceptance } from '../../src/db/settings.ts';
import { insertPersonalToken } from '../../src/db/tokens.ts';
import { saveUser } from '../../src/db/users.ts';
import { UserError } from '../../src/domain/errors.ts';
import { accept } from '../../src/intake/accept.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { quietLog } from '../support/quiet-log.ts';
import { boardLines, rankedSubmission } from './ranking-scene.ts';
import { makeBoard, makeBox, makeUser, submit } from './scene.ts';

let database: TestDatabase;
let boxId: number;
beforeAll(async () => {
  database = await testDatabase({ maxConnections: 12 });
  boxId = (await makeBox(database.sql, ['CPU'])).id;
});
afterAll(() => database.drop());

const admin = { id: '1', name: 'olga', door: 'discord' } as const;
const record = (action = 'test') => new ChangeRecord(admin, action, quietLog);
const entriesOf = async (subject: string) =>
  listAudit(database.sql, { actor: null, action: null, subject }, { limit: 50, before: null });
const refusal = async (work: Promise<unknown>) =>
  work.then(
    () => null,
    (error: unknown) => {
      if (error instanceof UserError) return error.code;
      throw error;
    },
  );
const ranked = (board: LeaderboardWithTask, options: Parameters<typeof rankedSubmission>[3] = {}) =>
  rankedSubmission(database.sql, boxId, board, options);
const linesOf = (board: LeaderboardWithTask) => boardLines(database.sql, board);

describe('a deadline that an organiser sets', () => {
  it('stands over what the set says until it is given back, and each change is on record', async () => {
    const board = await makeBoard(database.sql);
    const own = new Date('2031-01-01T12:00:00Z');
    const bySet = new Date('2030-06-01T00:00:00Z');
    const now = async () => (await findLeaderboard(database.sql, board.name))?.deadline ?? null;
    expect(await setDeadline(database.sql, board.id, own, record())).toMatchObject({ changed: true });
    expect(await setDeadline(database.sql, board.id, own, record())).toMatchObject({ changed: false });
    const again = { ...board, setName: 'set', directory: `set/${board.name}`, deadline: bySet };
    await saveLeaderboard(database.sql, again);
    expect(await now()).toEqual(own);
    expect(await setDeadline(database.sql, board.id, 'of-its-set', record())).toMatchObject({
      changed: true,
    });
    expect(await now()).toEqual(bySet);
    await saveLeaderboard(database.sql, { ...again, deadline: null });
    expect(await now()).toBeNull();
    const [last, first] = await entriesOf(`leaderboard ${board.name}`);
    expect(first?.after).toEqual({ deadline: own.toISOString() });
    expect([last?.before, last?.after]).toEqual([
      { deadline: own.toISOString() },
      { deadline: bySet.toISOString() },
    ]);
    expect(await setDeadline(database.sql, 9_999_999, own, record())).toBeNull();
  });
});

describe('what is taken', () => {
  it('depends on the board as it is when the submission is stored, not when it was looked at', async () => {
    const board = await makeBoard(database.sql);
    const send = () => refusal(submit(database.sql, board));
    expect(await send()).toBeNull();
    await setStage(database.sql, board.id, 'closed', record());
    expect(await send()).toBe('leaderboard-not-open');
    await setStage(database.sql, board.id, 'archived', record());
    expect(await send()).toBe('leaderboard-not-open');
    await setStage(database.sql, board.id, 'open', record());
    await setDeadline(database.sql, board.id, new Date(Date.now() - 1000), record());
    expect(await send()).toBe('deadline-passed');
    await setVisibility(database.sql, board.name, 'closed', record());
    expect(await send()).toBe('closed-leaderboard');
    const user = makeUser();
    await startBoard(database.sql, board.id, {
      createdBy: user.id,
      deadline: new Date(Date.now() + 60_000),
      visibility: 'closed',
    });
    expect(await refusal(submit(database.sql, board, { user }))).toBeNull();
  });

  it('after the deadline is unofficial where the board takes it, and ranked nowhere', async () => {
    const board = await makeBoard(database.sql);
    const before = await ranked(board, { score: 5 });
    await setDeadline(database.sql, board.id, new Date(Date.now() - 1000), record());
    await setLate(database.sql, board.id, 'unofficial', record());
    const late = await ranked(board, { score: 1 });
    expect(await linesOf(board)).toEqual([[1, before, 5]]);
    const [row] = await database.sql<{ official: boolean; announced: number }[]>`
      select official, (select count(*) from hotlap.outbox where submission_id = ${late} and kind = 'announcement')
        as announced
      from hotlap.submissions where id = ${late}`;
    expect(row).toEqual({ official: false, announced: 0 });
    // A later deadline does not make what came late official.
    await setDeadline(database.sql, board.id, null, record());
    const timely = await ranked(board, { score: 3 });
    expect(await linesOf(board)).toEqual([
      [1, timely, 3],
      [2, before, 5],
    ]);
  });

  it('stops at once when nothing is accepted or somebody is banned, and goes on when that ends', async () => {
    const board = await makeBoard(database.sql);
    const user = makeUser();
    await saveUser(database.sql, user);
    const send = () => refusal(submit(database.sql, board, { user }));
    expect(await setAcceptance(database.sql, { open: false, message: 'Moving house.' }, record())).toBe(true);
    expect(await setAcceptance(database.sql, { open: false, message: 'Moving house.' }, record())).toBe(
      false,
    );
    expect(await send()).toBe('not-accepting');
    await setAcceptance(database.sql, { open: true, message: null }, record());
    expect(await send()).toBeNull();

    const ban = { userId: user.id, reason: 'two accounts', endsAt: new Date(Date.now() + 3_600_000) };
    expect(await banUser(database.sql, ban, record())).toBe(true);
    expect(await send()).toBe('banned');
    expect(await listBans(database.sql)).toMatchObject([{ userId: user.id, reason: 'two accounts' }]);
    const lifted = await Promise.all([1, 2, 3].map(() => liftBan(database.sql, user.id, record())));
    expect(lifted.filter((done) => done)).toHaveLength(1);
    expect(await send()).toBeNull();
    const entries = await entriesOf(`user ${user.id}`);
    expect(entries.map((entry) => [entry.before?.banned, entry.after?.banned])).toEqual([
      [true, false],
      [false, true],
    ]);
    expect(await banUser(database.sql, { ...ban, userId: 'nobody' }, record())).toBe(false);
  });
});

describe('a limit', () => {
  it('holds for submissions at once, and deleting one gives nothing back', async () => {
    const board = await makeBoard(database.sql);
    const user = makeUser();
    const limit = { board, category: 'leaderboard', maxPerHour: 3 } as const;
    await Promise.all([1, 2].map(() => setRateLimit(database.sql, limit, record())));
    const sent = await Promise.allSettled(
      Array.from({ length: 8 }, () => submit(database.sql, board, { user })),
    );
    const stored = sent.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(stored).toHaveLength(3);
    await deleteSubmission(database.sql, stored[0] ?? 0, record());
    expect(await refusal(submit(database.sql, board, { user }))).toBe('rate-limited');
    expect(await listQuotaOf(database.sql, user.id, [board.id])).toMatchObject([
      { leaderboard: board.name, category: 'leaderboard', used: 3, maxPerHour: 3, freeAt: expect.any(Date) },
    ]);
    // Two organisers who set its first limit at once: one of them changed nothing into it, the other found it.
    const [second, first] = await entriesOf(`leaderboard ${board.name}`);
    expect([first?.before?.per_hour, second?.before?.per_hour]).toEqual([null, 3]);
  });
});

describe('an invite', () => {
  it('is one person’s, also when two claim it at once, and leaves with its revocation', async () => {
    const board = await makeBoard(database.sql);
    await setVisibility(database.sql, board.name, 'closed', record());
    const [code = ''] = await createInvites(database.sql, { leaderboardIds: [board.id], count: 1 }, record());
    const people = [makeUser(), makeUser(), makeUser()];
    const claims = await Promise.all(
      people.map((user) => claimInvite(database.sql, code, user, record('join'))),
    );
    expect(claims.filter((claim) => claim === 'taken')).toHaveLength(2);
    const winner = people[claims.findIndex((claim) => claim !== 'taken')];
    if (!winner) throw new Error('nobody has the code');
    expect(await refusal(submit(database.sql, board, { user: winner }))).toBeNull();
    const again = record('join');
    expect(await claimInvite(database.sql, code, winner, again)).toEqual({ boards: [board.name] });
    await again.close(database.sql, {});
    expect(await revokeInvite(database.sql, code, record())).toEqual({ claimedBy: winner.id });
    expect(await revokeInvite(database.sql, code, record())).toBeNull();
    expect(await refusal(submit(database.sql, board, { user: winner }))).toBe('closed-leaderboard');
    const entries = await entriesOf(`invite ${code.slice(0, 6)}…`);
    expect(entries.map((entry) => entry.action)).toEqual(['test', 'join']);
    for (const entry of entries) expect(entry.text).not.toContain(code);
  });
});

describe('a ruling', () => {
  it('takes a submission out and back in, with a notice of each, once', async () => {
    const board = await makeBoard(database.sql);
    const user = makeUser();
    const id = await ranked(board, { user, score: 2 });
    const other = await ranked(board, { score: 4 });
    const wish = {
      submissionId: id,
      reason: 'It times nothing.',
      evidence: { name: 'diff.txt', bytes: Buffer.from('- a') },
    };
    const made = await Promise.all([1, 2, 3].map(() => invalidateSubmission(database.sql, wish, record())));
    expect(made.filter((item) => item === 'invalid-already')).toHaveLength(2);
    const ruling = made.find((item) => typeof item === 'object')?.id ?? 0;
    expect(await linesOf(board)).toEqual([[1, other, 4]]);

    const appeal = { userId: user.id, text: 'It does time.' };
    const appealed = await Promise.all(
      [1, 2].map(() => appealRuling(database.sql, ruling, appeal, record('submissions appealed'))),
    );
    expect(appealed.toSorted()).toEqual(['done', 'twice']);
    const stranger = { userId: 'x', text: 'me' };
    expect(await appealRuling(database.sql, ruling, stranger, record())).toBe('not-yours');
    expect(await answerAppeal(database.sql, ruling, 'No.', record())).toBe('done');
    expect(await answerAppeal(database.sql, ruling, 'No.', record())).toBe('twice');

    const restored = await Promise.all(
      [1, 2].map(() => restoreSubmission(database.sql, id, 'We were wrong.', record())),
    );
    expect(restored.toSorted()).toEqual(['restored', 'valid-already']);
    expect(await linesOf(board)).toEqual([
      [1, id, 2],
      [2, other, 4],
    ]);
    expect(await findRuling(database.sql, ruling)).toMatchObject({
      reason: 'It times nothing.',
      evidenceName: 'diff.txt',
      appeal: 'It does time.',
      answer: 'No.',
      restoreReason: 'We were wrong.',
    });
    expect(await appealRuling(database.sql, ruling, appeal, record())).toBe('over');
    const owed = await database.sql<{ kind: string; event: string | null }[]>`
      select kind, payload ->> 'event' as event from hotlap.outbox
      where payload ->> 'rulingId' = ${String(ruling)} order by id`;
    expect(owed.map((row) => row.event ?? row.kind)).toEqual([
      'invalidated',
      'appeal-notice',
      'answered',
      'restored',
    ]);
    expect((await entriesOf(`submission ${id}`)).map((entry) => entry.reason)).toEqual([
      'We were wrong.',
      'No.',
      null,
      'It times nothing.',
    ]);
    // One that is made anew is another ruling, with an appeal of its own.
    expect(await invalidateSubmission(database.sql, { ...wish, evidence: null }, record())).not.toEqual({
      id: ruling,
    });
    expect(await invalidateSubmission(database.sql, { ...wish, submissionId: 9_999_999 }, record())).toBe(
      'unknown',
    );
  });
});

describe('a deletion', () => {
  it('of a board destroys submissions by force alone, and of two at once one finds it gone', async () => {
    const board = await makeBoard(database.sql);
    await ranked(board, { score: 2 });
    const remove = (force: boolean) => deleteLeaderboard(database.sql, board.name, { force }, record());
    expect(await remove(false)).toMatchObject({ state: 'has-submissions', count: 1 });
    expect(await findLeaderboard(database.sql, board.name)).not.toBeNull();
    const states = await Promise.all([remove(true), remove(true)]);
    expect(states.map((item) => item.state).toSorted()).toEqual(['deleted', 'unknown']);
    const entries = await entriesOf(`leaderboard ${board.name}`);
    expect(entries.map((entry) => entry.before)).toEqual([{ submissions: 1, forced: true }]);
    expect((await verifyAudit(database.sql)).firstFault).toBeNull();
  });
});

describe('a change whose entry cannot be written', () => {
  it('is not made', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    const user = makeUser();
    const id = await submit(sql, board, { user });
    const broken = new ChangeRecord({ ...admin, door: 'window' as 'api' }, 'test', quietLog);
    const draft = { file: { name: 'a.py', bytes: Buffer.from('pass') }, board, mode: 'test' as const };
    const gpus = { gpus: board.gpus };
    const sender = { user, door: 'api' as const, reply: null, record: broken };
    const token = { sha256: 'f'.repeat(64), name: 'x' };
    const ends = await Promise.allSettled([
      accept(sql, { ...draft, gpus }, board.gpus, sender),
      cancelSubmission(sql, id, broken),
      insertPersonalToken(sql, user, token, broken),
      setStage(sql, board.id, 'closed', broken),
    ]);
    for (const end of ends)
      expect(String(end.status === 'rejected' && end.reason)).toContain('audit_log_door');
    const [left] = await sql`
      select (select count(*)::int from hotlap.submissions where user_id = ${user.id}) as submissions,
        (select status from hotlap.submissions where id = ${id}) as status,
        (select count(*)::int from hotlap.api_tokens where user_id = ${user.id}) as tokens,
        (select stage from hotlap.leaderboards where id = ${board.id}) as stage`;
    expect(left).toEqual({ submissions: 1, status: 'queued', tokens: 0, stage: 'open' });
  });
});
