/** Channels that are gone, and buttons of an earlier run or of a matter that is settled: each ends in a sentence. */
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { APIMessage } from 'discord-api-types/v10';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { verifyAudit } from '../../src/db/audit.ts';
import { storeJobResult } from '../../src/db/results.ts';
import { leaseJob, makeBoard, passedIn } from '../db/scene.ts';
import { labSubmissions } from '../support/lab-problems.ts';
import type { LastingPlayground } from '../support/lasting-playground.ts';
import { textOf } from '../support/playground-message.ts';
import type { PlaygroundUser } from '../support/playground-user.ts';
import {
  appealed,
  becomes,
  EXPIRED,
  entriesOf,
  everyMessage,
  follows,
  labelled,
  ranked,
  say,
  type TwoOrganisers,
  twoOrganisers,
} from '../support/two-organisers.ts';

const TIMEOUT = { timeoutMs: 60_000 };
const file = { name: 'a.py', bytes: labSubmissions.good };

let on: TwoOrganisers;
let stage: LastingPlayground;
let olga: PlaygroundUser;
let kenji: PlaygroundUser;
let mira: PlaygroundUser;

beforeAll(async () => {
  on = await twoOrganisers();
  ({ stage, olga, kenji, mira } = on);
});
afterAll(() => on?.stop());

/** As it reads now. */
const answerNow = async (user: PlaygroundUser, { id }: APIMessage): Promise<APIMessage> => {
  const found = (await everyMessage(user)).find((message) => message.id === id);
  if (!found) throw new Error('the message is gone');
  return found;
};

describe('a channel that is gone', () => {
  it('is said before and after the form of an announcement', async () => {
    const { playground, request } = stage;
    const made = await request('POST', `/guilds/${playground.guildId}/channels`, {
      name: 'short-lived',
      type: 0,
    });
    const form = await olga.slash('/admin contest announce', { channel: made.id });
    await request('DELETE', `/channels/${made.id}`);
    const answer = await (await olga.modal(form, { title: 'Lunch', text: 'Back at one.' })).answer();
    expect(textOf(answer)).toContain(`Nothing can be written into <#${made.id}>.`);
    expect(await entriesOf(on, `channel ${made.id}`)).toEqual([]);
  });

  it('or a message that is gone, keeps nobody from deciding on an appeal', async () => {
    const { playground, request } = stage;
    const { id, rulingId } = await appealed(on);
    const asks = await labelled(olga, `admin:submission:reject:${rulingId}`);
    const form = await olga.press(asks, `admin:submission:reject:${rulingId}`);
    await request('DELETE', `/channels/${playground.adminChannelId}/messages/${asks.id}`);
    const answer = await (await olga.modal(form, { answer: 'Line 12 returns them.' })).answer();
    expect(textOf(answer)).toContain('The appeal is rejected');
    await mira.waitForMessage((message) => textOf(message).includes('Line 12 returns them.'), TIMEOUT);
    // What it says stays: that there was nothing left to edit is no trouble of theirs.
    expect(await say(kenji, '/admin submission restore', { id }).then(textOf)).toContain('counts again');
    expect(textOf(await answerNow(olga, answer))).toContain('The appeal is rejected');
  });

  it('keeps no result from its owner', async () => {
    const { sql } = stage.database;
    const { playground, request } = stage;
    const { id: channelId } = await request('POST', `/guilds/${playground.guildId}/channels`, {
      name: 'side-room',
      type: 0,
    });
    const sent = await say(mira.in(channelId), '/submit', { file, leaderboard: 'lab', mode: 'test' });
    const id = Number(/#(\d+)/.exec(textOf(sent))?.[1]);
    await request('DELETE', `/channels/${channelId}`);
    const lease = await leaseJob(sql, on.boxId, { submissionId: id });
    await storeJobResult(sql, lease, passedIn('test'), null);
    await vi.waitFor(
      async () => {
        const told = (await mira.directMessages()).map(textOf);
        expect(told.some((text) => text.includes(`Passed · #${id}`))).toBe(true);
      },
      { timeout: 60_000, interval: 50 },
    );
  });
});

describe('a button of an earlier run', () => {
  it('still does what the database knows, and says so where its matter is settled or forgotten', async () => {
    const { sql } = stage.database;
    const board = await makeBoard(sql);
    const id = await ranked(on, board);
    await appendFile(join(stage.problemsDir, 'lab', 'doubling', 'reference.py'), '\n# Changed again.\n');
    const rule = { leaderboard: board.name, rule: '{"minimumRuns":3}' };
    // More than one page of the audit log.
    for (const deadline of ['1d', '2d', '3d', '4d', '5d', '6d', '7d', '8d', '9d'])
      await say(kenji, '/admin leaderboard deadline', { leaderboard: board.name, deadline });
    const lost: [PlaygroundUser, APIMessage, string][] = [
      [olga, await say(olga, '/admin problems sync'), 'Apply'],
      [olga, await say(olga, '/admin leaderboard ranking', rule), 'Rank by this rule'],
      [olga, await say(olga, '/admin submission delete', { id, reason: 'x' }), 'Delete it for good'],
      [olga, await say(olga, '/admin audit show'), 'Older'],
    ];
    const menu = await say(mira, '/submit', { file, leaderboard: 'lab-two-gpus', mode: 'test' });
    const form = await olga.slash('/admin leaderboard delete', { leaderboard: board.name, force: true });
    const started = await say(olga, '/admin rejudge start', { leaderboard: board.name });
    const queued = await say(mira, '/submit', { file, leaderboard: 'lab', mode: 'test' });
    const open = await appealed(on);
    const settled = await appealed(on);
    const asks = await labelled(olga, `admin:submission:grant:${open.rulingId}`);
    const over = await labelled(olga, `admin:submission:grant:${settled.rulingId}`);
    await say(kenji, '/admin submission restore', { id: settled.id });
    const gone = await appealed(on);
    const deleted = await labelled(olga, `admin:submission:reject:${gone.rulingId}`);
    const question = await say(kenji, '/admin submission delete', { id: gone.id, reason: 'x' });
    await (await kenji.press(question, 'Delete it for good')).waitFor(
      (message) => textOf(message).includes('is deleted'),
      TIMEOUT,
    );

    await on.app?.stop();
    on.app = null;
    // Nothing of what the last one had in memory.
    vi.resetModules();
    const later = await import('../../src/app.ts');
    on.app = await later.startApp(stage.config, stage.log);

    for (const [user, message, label] of lost)
      expect([label, await follows(user, () => user.press(message, label))]).toEqual([
        label,
        expect.stringContaining(EXPIRED),
      ]);
    expect(await follows(mira, () => mira.select(menu, ['H100']))).toContain(EXPIRED);
    expect(
      await follows(olga, () => olga.press(over, `admin:submission:grant:${settled.rulingId}`)),
    ).toContain('is decided: the submission is back');
    expect(
      await follows(olga, () => olga.press(deleted, `admin:submission:reject:${gone.rulingId}`)),
    ).toContain(EXPIRED);
    // Known by the database.
    await olga.press(asks, `admin:submission:grant:${open.rulingId}`);
    await becomes(olga, asks, /Appeal granted/);
    await mira.press(queued, 'Cancel');
    await becomes(mira, queued, /Cancelled/);
    await olga.press(started, 'Start');
    await becomes(olga, started, /jobs done/);
    const done = await (await olga.modal(form, { name: board.name })).answer();
    expect(textOf(done)).toContain(`${board.name} is deleted`);
    // What the board took with it.
    expect(await follows(olga, () => olga.press(started, 'Refresh'))).toContain('There is no rejudge');
  });
});

describe('all of this', () => {
  it('is no fault of ours, and is on record in one chain', async () => {
    expect(stage.errors.map(({ msg, error }) => [msg, error?.message])).toEqual([]);
    for (const user of [olga, kenji, mira])
      for (const message of await everyMessage(user))
        expect(textOf(message)).not.toContain('Something broke');
    expect((await verifyAudit(stage.database.sql)).firstFault).toBeNull();
  });

  it('but a channel for announcements that is gone, which is logged once and keeps nothing waiting', async () => {
    const { sql } = stage.database;
    const { playground, request } = stage;
    const id = await ranked(on, await makeBoard(sql));
    await say(kenji, '/admin submission invalidate', { id, reason: 'No channel for this.' });
    await request('DELETE', `/channels/${playground.channelId}`);
    await request('DELETE', `/channels/${playground.adminChannelId}`);
    // Owed to the channel.
    await ranked(on, await makeBoard(sql));
    const form = await mira.press(
      await mira.waitForMessage((message) => textOf(message).includes('No channel for this.'), TIMEOUT),
      'Appeal',
    );
    await (await mira.modal(form, { text: 'It does.' })).answer();
    // An appeal is read by whoever made the ruling then, and decided in a direct message.
    const isAppeal = (message: APIMessage) => textOf(message).includes(`An appeal · #${id}`);
    const asks = await kenji.waitForMessage(isAppeal, TIMEOUT);
    expect((await kenji.directMessages()).map((message) => message.id)).toContain(asks.id);
    await kenji.press(asks, 'Put it back');
    await becomes(kenji, asks, /Appeal granted/);
    await vi.waitFor(
      async () => {
        const [row] = await sql<{ due: number; givenUp: number }[]>`
          select count(*) filter (where status = 'owed' and not_before <= now()) as due,
            count(*) filter (where status = 'given-up') as "givenUp"
          from hotlap.outbox`;
        expect(row?.due).toBe(0);
        expect(row?.givenUp).toBeGreaterThan(0);
      },
      { timeout: 60_000, interval: 50 },
    );
    expect(new Set(stage.errors.map(({ msg }) => msg))).toEqual(new Set(['message given up']));
  });
});
