/** Who may submit, how often, and what deleting leaves: the same for every door, so asked below all of them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { banUser, findBan, liftBan } from '../../src/db/bans.ts';
import { readBoardPage } from '../../src/db/board-page.ts';
import { deleteLeaderboard, deleteSubmission } from '../../src/db/deletion.ts';
import { claimInvite, createInvites, findBoardAccess, setVisibility } from '../../src/db/invites.ts';
import { setRateLimit } from '../../src/db/quota.ts';
import { storeBoxFailure, storeJobResult } from '../../src/db/results.ts';
import { setAcceptance } from '../../src/db/settings.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { listOwedMessages } from './owed-messages.ts';
import { leaseJob, makeBoard, makeBox, makeUser, passedWith, submit, testRecord } from './scene.ts';

let database: TestDatabase;
let boxId: number;
beforeAll(async () => {
  database = await testDatabase();
  boxId = (await makeBox(database.sql, ['none'])).id;
});
afterAll(() => database.drop());

async function rank(submissionId: number, seconds: number): Promise<void> {
  for (const secret of [false, true]) {
    const lease = await leaseJob(database.sql, boxId, { submissionId, secret });
    await storeJobResult(database.sql, lease, passedWith(seconds), seconds);
  }
}

describe('a ban', () => {
  it('holds until it ends or is lifted, one at a time, and stays on record', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    const user = makeUser();
    await submit(sql, board, { user });
    const soon = new Date(Date.now() + 3_600_000);
    expect(await banUser(sql, { userId: user.id, reason: 'a', endsAt: soon }, testRecord())).toBe(true);
    await expect(submit(sql, board, { user })).rejects.toMatchObject({ code: 'banned' });
    await banUser(sql, { userId: user.id, reason: null, endsAt: null }, testRecord());
    expect(await findBan(sql, user.id)).toMatchObject({ bannedBy: 'tester', endsAt: null });
    expect(await liftBan(sql, user.id, testRecord())).toBe(true);
    expect(await liftBan(sql, user.id, testRecord())).toBe(false);
    await banUser(sql, { userId: user.id, reason: null, endsAt: new Date(0) }, testRecord());
    await submit(sql, board, { user });
    expect(await banUser(sql, { userId: 'nobody', reason: null, endsAt: null }, testRecord())).toBe(false);
    const [kept] = await sql`select count(*)::int as bans from hotlap.bans where user_id = ${user.id}`;
    expect(kept).toEqual({ bans: 3 });
  });
});

describe('acceptance', () => {
  it('is stopped for every door, with the organiser’s words', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    await setAcceptance(sql, { open: false, message: 'Back at noon.' }, testRecord());
    await expect(submit(sql, board)).rejects.toMatchObject({
      code: 'not-accepting',
      text: 'No submissions are taken at the moment. Back at noon.',
    });
    await setAcceptance(sql, { open: true, message: null }, testRecord());
    await submit(sql, board);
  });
});

describe('a limit', () => {
  it('counts what came before it was set, says when the next may come, and lets our failures go', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    const user = makeUser();
    const first = await submit(sql, board, { user });
    await submit(sql, board, { user });
    await sql`update hotlap.quota_uses set used_at = now() - interval '50 minutes' where submission_id = ${first}`;
    const limit = { board, category: 'leaderboard' } as const;
    await setRateLimit(sql, { ...limit, maxPerHour: 2 }, testRecord());
    const refused = await submit(sql, board, { user }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'rate-limited', details: { used: 2, max: 2 } });
    const { seconds } = (refused as { details: { seconds: number } }).details;
    expect(seconds).toBeGreaterThan(540);
    expect(seconds).toBeLessThanOrEqual(600);
    // Lowered, both have to pass.
    await setRateLimit(sql, { ...limit, maxPerHour: 1 }, testRecord());
    const lower = await submit(sql, board, { user }).catch((error: unknown) => error);
    expect((lower as { details: { seconds: number } }).details.seconds).toBeGreaterThan(3000);
    await submit(sql, board, { user, mode: 'test' });

    await setRateLimit(sql, { ...limit, maxPerHour: 2 }, testRecord());
    const lease = await leaseJob(sql, boxId, { submissionId: first });
    await storeBoxFailure(sql, lease, { kind: 'disk-full', message: 'full' });
    await submit(sql, board, { user });
    await expect(submit(sql, board, { user })).rejects.toMatchObject({ code: 'rate-limited' });
  });
});

describe('a closed board', () => {
  it('takes its members alone, and is announced to nobody', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    const other = await makeBoard(sql);
    await setVisibility(sql, board.name.toUpperCase(), 'closed', testRecord());
    const user = makeUser();
    await expect(submit(sql, board, { user })).rejects.toMatchObject({ code: 'closed-leaderboard' });
    await submit(sql, other, { user });
    const [code = ''] = await createInvites(
      sql,
      { leaderboardIds: [board.id, other.id], count: 1 },
      testRecord(),
    );
    expect(await claimInvite(sql, code, user, testRecord())).toEqual({
      boards: [board.name, other.name].sort(),
    });
    expect(await findBoardAccess(sql, board.name, user.id)).toMatchObject({ mayEnter: true });
    expect(await findBoardAccess(sql, board.name, null)).toMatchObject({ mayEnter: false });
    const id = await submit(sql, board, { user });
    await rank(id, 1);
    expect(await listOwedMessages(sql, id)).not.toContain('announcement');
    const open = await submit(sql, other, { user });
    await rank(open, 1);
    expect(await listOwedMessages(sql, open)).toContain('announcement');
  });

  it('is opened by a code for the first who claims it, when several do at once', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    const users = Array.from({ length: 6 }, makeUser);
    for (const user of users) await submit(sql, board, { user });
    const [code = ''] = await createInvites(sql, { leaderboardIds: [board.id], count: 1 }, testRecord());
    const claims = await Promise.all(users.map((user) => claimInvite(sql, code, user, testRecord())));
    expect(claims.filter((claim) => claim === 'taken')).toHaveLength(5);
    expect(await claimInvite(sql, 'none', makeUser(), testRecord())).toBe('unknown');
  });
});

describe('deleting', () => {
  it('a submission puts its user’s next best in its place, keeps its code, and waits for what runs', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    const user = makeUser();
    const better = await submit(sql, board, { user, code: 'better\n' });
    const worse = await submit(sql, board, { user, code: 'worse\n' });
    await rank(better, 1);
    await rank(worse, 2);
    const wanted = { leaderboard: board.name, gpu: 'CPU', userId: null };
    const entries = async () => {
      const page = await readBoardPage(sql, wanted, { limit: 9, offset: 0 });
      return JSON.parse(page?.text ?? '').map((entry: { submission_id: number }) => entry.submission_id);
    };
    expect(await entries()).toEqual([better]);
    expect(await deleteSubmission(sql, better, testRecord())).toBe('deleted');
    expect(await entries()).toEqual([worse]);
    expect(await deleteSubmission(sql, better, testRecord())).toBe('unknown');
    const [kept] = await sql`
      select d.deleted_by, d.scores, convert_from(c.content, 'UTF8') as code
      from hotlap.deleted_submissions d join hotlap.code_blobs c on c.sha256 = d.code_sha256 where d.id = ${better}`;
    expect(kept).toMatchObject({
      deleted_by: 'tester',
      code: 'better\n',
      scores: [{ gpu_type: 'CPU', public_score: 1, secret_score: 1, eligible: true }],
    });
    const running = await submit(sql, board, { user });
    await leaseJob(sql, boxId, { submissionId: running });
    expect(await deleteSubmission(sql, running, testRecord())).toBe('running');
    expect(await deleteSubmission(sql, worse, testRecord())).toBe('deleted');
    expect(await entries()).toEqual([]);
  });

  it('a board refuses while it has submissions, waits for what runs, and leaves no row behind', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    const id = await submit(sql, board);
    const options = { force: false };
    expect(await deleteLeaderboard(sql, board.name, options, testRecord())).toMatchObject({
      state: 'has-submissions',
      count: 1,
    });
    const lease = await leaseJob(sql, boxId, { submissionId: id });
    const force = { force: true };
    expect(await deleteLeaderboard(sql, board.name, force, testRecord())).toEqual({
      state: 'running',
      submissionIds: [id],
    });
    await storeJobResult(sql, lease, passedWith(1), 1);
    expect(await deleteLeaderboard(sql, board.name.toUpperCase(), force, testRecord())).toMatchObject({
      state: 'deleted',
    });
    expect(await deleteLeaderboard(sql, board.name, force, testRecord())).toEqual({ state: 'unknown' });
    const [left] = await sql`
      select (select count(*) from hotlap.runs where submission_id = ${id})::int as runs,
        (select count(*) from hotlap.deleted_submissions where id = ${id})::int as kept`;
    expect(left).toEqual({ runs: 0, kept: 1 });
  });

  it('never leaves a foreign key in the way', async () => {
    const rows = await database.sql`
      with recursive taken as (
        select unnest(array['hotlap.submissions', 'hotlap.leaderboards']::regclass[]) as relation
        union
        select c.conrelid::regclass from pg_constraint c join taken t on c.confrelid = t.relation where c.contype = 'f'
      )
      select c.conrelid::regclass::text as holder, c.conname from pg_constraint c
      where c.contype = 'f' and c.confdeltype not in ('c', 'n') and c.confrelid in (select relation from taken)`;
    expect([...rows]).toEqual([]);
  });
});
