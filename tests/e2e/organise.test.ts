/** An organiser's day through Discord: rulings and appeals, words to everybody, bans, invites, limits, deletions, a restart. */
import type { APIMessage } from 'discord-api-types/v10';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBoard } from '../../src/db/board-settings.ts';
import { findLeaderboard, type LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { insertToken } from '../../src/db/tokens.ts';
import { saveUser } from '../../src/db/users.ts';
import { makeToken, tokenHash } from '../../src/domain/account.ts';
import { rankedSubmission } from '../db/ranking-scene.ts';
import { makeBoard, makeBox } from '../db/scene.ts';
import { ApiClient } from '../support/api-client.ts';
import { cliUpload, withoutScheduler } from '../support/api-stage.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { labSubmissions, writeLabProblems } from '../support/lab-problems.ts';
import { componentsOf, isThinking, textOf } from '../support/playground-message.ts';
import { type PlaygroundUser, playgroundUser, type SlashOptions } from '../support/playground-user.ts';
import { type RunningApp, runningApp } from '../support/running-app.ts';

const TIMEOUT = { timeoutMs: 60_000 };
const file = { name: 'a.py', bytes: labSubmissions.good };

let database: TestDatabase;
let running: RunningApp;
let mira: PlaygroundUser;
let tomas: PlaygroundUser;
let admin: PlaygroundUser;
let api: ApiClient;
let boxId: number;

const token = makeToken();

async function start(): Promise<void> {
  running = await runningApp({ env: withoutScheduler, prepareProblems: writeLabProblems, database });
  ({ first: mira, second: tomas, admin } = running.users);
  await Promise.all([mira, tomas, admin].map((user) => user.watch()));
  api = new ApiClient(running.app.api?.url ?? '', { 'x-popcorn-cli-id': token });
}

beforeAll(async () => {
  database = await testDatabase();
  await start();
  boxId = (await makeBox(database.sql, ['CPU', 'H100'])).id;
  await saveUser(database.sql, { id: mira.id, name: 'mira' });
  const row = { kind: 'personal', sha256: tokenHash(token), userId: mira.id, name: 'laptop' } as const;
  await insertToken(database.sql, row);
});
afterAll(async () => {
  api.close();
  await running.stop();
  await database.drop();
});

async function say(user: PlaygroundUser, command: string, options: SlashOptions = {}): Promise<APIMessage> {
  const handle = await user.slash(command, options);
  return handle.waitFor((message) => !isThinking(message), TIMEOUT);
}
const words = async (...asked: Parameters<typeof say>) => textOf(await say(...asked));
const submit = (leaderboard: string, more: SlashOptions = {}) =>
  words(mira, '/submit', { file, leaderboard, mode: 'ranked', ...more });
const submitByHttp = (leaderboard: string) =>
  api.call('POST', `/submission/${leaderboard}/CPU/leaderboard`, cliUpload('a.py', labSubmissions.good));
/** The message that an action brings, beside the one that it was done on. */
async function brings(user: PlaygroundUser, act: () => Promise<unknown>): Promise<string> {
  const before = new Set((await user.visibleMessages()).map((message) => message.id));
  await act();
  const isNew = (message: APIMessage) => !before.has(message.id) && !isThinking(message);
  return textOf(
    await user.waitForMessage(
      (message) => message.channel_id === running.playground.channelId && isNew(message),
      TIMEOUT,
    ),
  );
}
const buttons = (message: APIMessage) => componentsOf(message).map(({ label }) => label);
const ranked = (board: LeaderboardWithTask, user = mira) =>
  rankedSubmission(database.sql, boxId, board, { user: { id: user.id, name: user.name }, gpus: ['CPU'] });

describe('a ruling', () => {
  it('is told with its evidence, appealed by a button, decided once, and undone', async () => {
    const board = await makeBoard(database.sql);
    const id = await ranked(board);
    const reason = 'It times an empty stream.';
    const evidence = { name: 'trace.txt', bytes: 'nothing ran here\n' };
    const done = await words(admin, '/admin submission invalidate', { id, reason, evidence });
    expect(done).toContain(`#${id} is out of the rankings`);
    expect(await words(tomas, '/leaderboard show', { name: board.name })).not.toContain(`#${id}`);

    const notice = await mira.waitForMessage((message) => textOf(message).includes(reason), TIMEOUT);
    expect((await mira.directMessages()).map((message) => message.id)).toContain(notice.id);
    expect((await mira.attachment(notice, 'trace.txt')).toString()).toBe(evidence.bytes);
    const shown = await say(mira, '/submissions show', { id });
    expect(textOf(shown)).toContain('Taken out of the rankings');
    expect(buttons(shown)).toEqual(['Appeal']);

    const form = await mira.press(notice, 'Appeal');
    expect(form.modal.title).toBe(`Appeal about #${id}`);
    const sent = await (await mira.modal(form, { text: 'The stream is the default one.' })).answer();
    expect(textOf(sent)).toContain('Your appeal is with the organisers');
    const again = await (await mira.press(notice, 'Appeal')).answer();
    expect(textOf(again)).toContain('you have appealed already, and once is all');

    const asks = await admin.waitForMessage((message) => textOf(message).includes('An appeal'), TIMEOUT);
    expect(asks.channel_id).toBe(running.playground.adminChannelId);
    expect(textOf(asks)).toContain('The stream is the default one.');
    const [grant = ''] = buttons(asks);
    const decided = await (await admin.press(asks, grant)).waitFor(
      (message) => textOf(message).includes('Appeal granted'),
      TIMEOUT,
    );
    expect(buttons(decided)).toEqual([]);
    await mira.waitForMessage((message) => textOf(message).includes('back in the rankings'), TIMEOUT);
    expect(await words(tomas, '/leaderboard show', { name: board.name })).toContain(`#${id}`);
    expect(await words(admin, '/admin submission restore', { id })).toContain('counts already');
  });

  it('that is rejected says why, and stays', async () => {
    const board = await makeBoard(database.sql);
    const id = await ranked(board);
    await say(admin, '/admin submission invalidate', { id, reason: 'Cached results.' });
    const about = (message: APIMessage) => textOf(message).includes('Cached results.');
    const form = await mira.press(await mira.waitForMessage(about, TIMEOUT), 'Appeal');
    await (await mira.modal(form, { text: 'They are computed.' })).answer();
    const asks = await admin.waitForMessage(
      (message) => about(message) && buttons(message).length === 2,
      TIMEOUT,
    );
    const [, reject = ''] = buttons(asks);
    const answer = await admin.press(asks, reject);
    const done = await (await admin.modal(answer, { answer: 'Line 12 returns them.' })).answer();
    expect(textOf(done)).toContain('The appeal is rejected');
    const told = await mira.waitForMessage(
      (message) => textOf(message).includes('Line 12 returns them.'),
      TIMEOUT,
    );
    expect(textOf(told)).toContain('the ruling stays');
    expect(await words(tomas, '/leaderboard show', { name: board.name })).not.toContain(`#${id}`);
  });
});

describe('words to everybody', () => {
  it('go through a form into a channel, and ping nobody', async () => {
    const form = await admin.slash('/admin contest announce', { channel: running.playground.channelId });
    const text = `@everyone the boxes are **back**. <@${mira.id}> broke them.`;
    const done = await (await admin.modal(form, { title: 'Boxes', text })).answer();
    expect(textOf(done)).toContain('Announced');
    const seen = await tomas.waitForMessage((message) => textOf(message).includes('the boxes are'), TIMEOUT);
    expect(seen.embeds[0]?.title).toBe('Boxes');
    expect([seen.mentions, seen.mention_everyone]).toEqual([[], false]);
  });
});

describe('the numbers of a contest', () => {
  it('are those of the database, with a picture of the last day', async () => {
    const board = await makeBoard(database.sql);
    for (const user of [mira, mira, tomas]) await ranked(board, user);
    const message = await say(admin, '/admin contest stats', { leaderboard: board.name });
    const text = textOf(message);
    expect(text).toMatch(/\*\*3\*\* submissions/);
    expect(text).toMatch(/mira.*2[\s\S]*tomas.*1/);
    expect(message.embeds[0]?.image?.url).toContain('last-day.png');
    const picture = Buffer.from(await (await fetch(message.embeds[0]?.image?.url ?? '')).arrayBuffer());
    expect(picture.subarray(0, 8)).toEqual(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]));
    expect(await words(admin, '/admin contest stats')).toContain('submissions');
  });
});

describe('a deletion', () => {
  it('wants force and the very name, and touches nothing before', async () => {
    const board = await makeBoard(database.sql);
    const id = await ranked(board);
    const leaderboard = board.name;
    const refused = await words(admin, '/admin leaderboard delete', { leaderboard });
    expect(refused).toContain('with existing submissions');
    const open = () => admin.slash('/admin leaderboard delete', { leaderboard, force: true });
    for (const name of [leaderboard.toUpperCase(), 'yes', `${leaderboard} x`]) {
      const answer = await (await admin.modal(await open(), { name })).answer();
      expect(textOf(answer)).toContain(`That was not ${leaderboard}, so nothing was deleted.`);
    }
    expect(await findLeaderboard(database.sql, leaderboard)).not.toBeNull();
    expect(await words(admin, '/admin leaderboard delete', { leaderboard: 'not-there' })).toContain(
      'There is no leaderboard',
    );
    const gone = await (await admin.modal(await open(), { name: leaderboard, reason: 'a trial' })).answer();
    expect(textOf(gone)).toContain(`${leaderboard} is deleted`);
    expect(await findLeaderboard(database.sql, leaderboard)).toBeNull();
    const [kept] = await database.sql`select leaderboard from hotlap.deleted_submissions where id = ${id}`;
    expect(kept).toEqual({ leaderboard });
  });
});

describe('a ban', () => {
  it('holds by every door until its end, with its reason, and unbanning ends it', async () => {
    const closed = await makeBoard(database.sql);
    const made = await words(admin, '/admin invites create', { leaderboard: closed.name });
    const code = /`([\w-]{22})`/.exec(made)?.[1] ?? '';
    // Asked for its GPU types before the ban, answered after it.
    const asked = await say(mira, '/submit', { file, leaderboard: 'lab-two-gpus', mode: 'test' });
    const done = await words(admin, '/admin user ban', {
      user: mira.id,
      reason: 'two accounts',
      until: '2d',
    });
    expect(done).toContain('mira is banned');

    const sentence =
      /You are banned from making submissions until 20\d\d-.* UTC\. The reason given: two accounts\./;
    expect(await submit('lab')).toMatch(sentence);
    expect(await brings(mira, () => mira.select(asked, ['H100']))).toMatch(sentence);
    const http = await submitByHttp('lab');
    expect([http.status, http.json().detail]).toEqual([403, expect.stringMatching(sentence)]);
    expect(await words(mira, '/join', { code })).toMatch(sentence);
    const joined = await api.send('POST', '/user/join', { code });
    expect([joined.status, joined.json().detail]).toEqual([403, expect.stringMatching(sentence)]);
    const [invite] = await database.sql`select claimed_by as by from hotlap.invites where code = ${code}`;
    expect(invite).toEqual({ by: null });
    // Reading is nobody's harm.
    expect((await api.get('/user/submissions')).status).toBe(200);
    const listed = await words(admin, '/admin user bans');
    expect(listed).toMatch(/mira.*two accounts/);

    expect(await words(admin, '/admin user unban', { user: mira.id })).toContain('may submit again');
    expect(await words(admin, '/admin user unban', { user: mira.id })).toContain('No ban of this person');
    expect(await submit('lab')).toContain('#');
    expect((await submitByHttp('lab')).status).toBe(202);
    expect(await words(mira, '/join', { code })).toContain('You are in');

    await say(admin, '/admin user ban', { user: mira.id, until: '90m' });
    expect(await submit('lab')).toContain('You are banned');
    await database.sql`update hotlap.bans set ends_at = now() - interval '1 second' where lifted_at is null`;
    expect(await submit('lab')).not.toContain('banned');
    const late = await words(admin, '/admin user ban', { user: mira.id, until: '2020-01-01' });
    expect(late).toContain('has passed already');
  });
});

describe('an invite', () => {
  it('opens a closed board to one person, and its revocation shuts it, by every door', async () => {
    const { id, name } = await makeBoard(database.sql);
    await startBoard(database.sql, id, { createdBy: null, deadline: null, visibility: 'closed' });
    expect(await submit(name)).toContain('it is closed');
    const made = await words(admin, '/admin invites create', { leaderboard: name });
    const code = /`([\w-]{22})`/.exec(made)?.[1] ?? '';
    expect(await words(mira, '/join', { code })).toContain(name);
    expect(await words(tomas, '/join', { code })).toContain('somebody else’s already');
    expect(await submit(name)).toMatch(/#\d+/);
    expect((await submitByHttp(name)).status).toBe(202);
    const revoked = await words(admin, '/admin invites revoke', { code });
    expect(revoked).toContain('no member any more');
    expect(await submit(name)).toContain('it is closed');
    expect((await submitByHttp(name)).status).toBe(403);
    // What would have been for everybody is refused to her alone.
    expect(await brings(mira, () => mira.slash('/leaderboard show', { name }))).toContain('it is closed');
    expect(await words(mira, '/join', { code })).toContain('There is no such invite code');
    expect(await words(admin, '/admin invites revoke', { code })).toContain('no such invite code');
  });

  it('that opens somebody else’s board as well is not a creator’s to revoke', async () => {
    const carla = playgroundUser(running.playground, 'carla');
    const [own, other] = [await makeBoard(database.sql), await makeBoard(database.sql)];
    await database.sql`update hotlap.leaderboards set created_by = ${carla.id} where id = ${own.id}`;
    const both = { leaderboard: own.name, also: other.name };
    expect(await words(carla, '/admin invites create', both)).toContain(`${other.name} was made by somebody`);
    const code = /`([\w-]{22})`/.exec(await words(admin, '/admin invites create', both))?.[1] ?? '';
    const refusal = await words(carla, '/admin invites revoke', { code });
    expect(refusal).toContain(`${other.name} was made by somebody else`);
    expect(refusal).toContain(`you run the leaderboards that you made: ${own.name}`);
    carla.close();
  });
});

describe('a limit', () => {
  it('is one for all doors at once, and deleting gives nothing back', async () => {
    const { name } = await makeBoard(database.sql);
    await say(admin, '/admin limit set', { leaderboard: name, mode: 'leaderboard', per_hour: 3 });
    const [discord, http] = await Promise.all([
      Promise.all(Array.from({ length: 4 }, () => submit(name))),
      Promise.all(Array.from({ length: 4 }, () => submitByHttp(name))),
    ]);
    const accepted = [
      ...discord.filter((text) => /#\d+/.test(text)),
      ...http.filter((answer) => answer.status === 202),
    ];
    expect(accepted).toHaveLength(3);
    expect(http.filter((answer) => ![202, 429].includes(answer.status))).toEqual([]);
    expect(discord.filter((text) => !/#\d+|3\/3/.test(text))).toEqual([]);

    const rows = await database.sql<{ id: number }[]>`
      select s.id from hotlap.submissions s join hotlap.leaderboards l on l.id = s.leaderboard_id
      where l.name = ${name} order by s.id`;
    expect(rows).toHaveLength(3);
    const [own, byAdmin] = rows;
    expect((await api.call('DELETE', `/user/submissions/${own?.id}`)).status).toBe(200);
    const question = await say(admin, '/admin submission delete', { id: byAdmin?.id ?? 0, reason: 'test' });
    await (await admin.press(question, 'Delete it for good')).waitFor((message) =>
      textOf(message).includes('is deleted'),
    );
    expect(await submit(name)).toContain('3/3');
    expect((await submitByHttp(name)).status).toBe(429);
    expect(await words(mira, '/quota')).toMatch(new RegExp(`${name}[\\s\\S]*3`));
    expect(await words(mira, '/submit', { file, leaderboard: name, mode: 'test' })).toMatch(/#\d+/);
  });
});

describe('taking no submissions', () => {
  it('is said by every door with the organiser’s words, and outlives a restart', async () => {
    const off = await words(admin, '/admin contest accept', {
      on: false,
      message: 'Moving house until noon.',
    });
    expect(off).toContain('No submissions are taken');
    const refused = async () => {
      expect(await submit('lab')).toContain('Moving house until noon.');
      const answer = await submitByHttp('lab');
      expect([answer.status, answer.json().detail]).toEqual([
        503,
        expect.stringContaining('Moving house until noon.'),
      ]);
    };
    await refused();
    api.close();
    await running.stop();
    await start();
    await refused();
    expect(
      await words(admin, '/admin contest accept', { on: false, message: 'Moving house until noon.' }),
    ).toContain('already');
    expect(await words(admin, '/admin contest accept', { on: true })).toContain('Submissions are taken');
    expect(await submit('lab')).toMatch(/#\d+/);
    expect((await submitByHttp('lab')).status).toBe(202);
  });
});
