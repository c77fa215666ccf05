/** Threads of boards, podiums and notices on the playground; results are stored as boxes would have brought them. */
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { APIMessage } from 'discord-api-types/v10';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { claimInvite, createInvites } from '../../src/db/invites.ts';
import { findLeaderboard, type LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { createLog } from '../../src/log.ts';
import { rankedSubmission, setRule } from '../db/ranking-scene.ts';
import { makeBox, testRecord } from '../db/scene.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { writeLabProblems } from '../support/lab-problems.ts';
import { textOf } from '../support/playground-message.ts';
import { causeFault, type PlaygroundUser, playgroundUser } from '../support/playground-user.ts';
import { type RunningApp, runningApp } from '../support/running-app.ts';

const TIMEOUT = { timeoutMs: 30_000 };
const SOON = { timeout: 30_000, interval: 50 };

let database: TestDatabase;
let running: RunningApp;
let mira: PlaygroundUser;
let tomas: PlaygroundUser;
let kenji: PlaygroundUser;
let olga: PlaygroundUser;
let boxId: number;
const errors: string[] = [];

async function start(): Promise<void> {
  const destination = {
    write(line: string) {
      if (['error', 'fatal'].includes(JSON.parse(line).level)) errors.push(line);
    },
  };
  running = await runningApp({
    database,
    env: { HOTLAP_ROLES: 'discord', HOTLAP_PODIUM_SETTLE_S: '1' },
    prepareProblems: writeLabProblems,
    log: createLog({ level: 'info', format: 'json' }, destination),
  });
  ({ first: mira, second: tomas, admin: olga } = running.users);
  kenji = playgroundUser(running.playground, 'kenji');
  await Promise.all([mira, tomas, kenji, olga].map((user) => user.watch()));
}

async function stop(): Promise<void> {
  kenji.close();
  await running.stop();
}

beforeAll(async () => {
  database = await testDatabase();
  boxId = (await makeBox(database.sql, ['CPU', 'H100'])).id;
  await start();
});
afterAll(async () => {
  await stop();
  await database.drop();
  expect(errors).toEqual([]);
});

async function board(name = 'lab'): Promise<LeaderboardWithTask> {
  const found = await findLeaderboard(database.sql, name);
  if (!found) throw new Error(`no board ${name}`);
  return found;
}

const ranked = async (user: PlaygroundUser, score: number, name = 'lab', gpus = ['CPU']) =>
  rankedSubmission(database.sql, boxId, await board(name), {
    user: { id: user.id, name: user.name },
    gpus,
    score,
  });

/** The thread of a board as it is now. */
async function threadOf(name: string, user = tomas): Promise<{ id: string; messages: APIMessage[] } | null> {
  const { channels, messages } = await user.state();
  const thread = channels.find((channel) => channel.kind === 'thread' && channel.name === name);
  return thread ? { id: thread.id, messages: messages[thread.id] ?? [] } : null;
}

const inThread = (name: string, words: string) =>
  vi.waitFor(async () => {
    const message = (await threadOf(name))?.messages.findLast((item) => textOf(item).includes(words));
    if (!message) throw new Error(`"${words}" is not in the thread of ${name}`);
    return message;
  }, SOON);

async function asAdmin(command: string, options: Record<string, string>): Promise<string> {
  return textOf(await (await olga.slash(`/admin ${command}`, options)).answer(TIMEOUT));
}

/** Everything that was noticed is owed, and everything that was owed and due is delivered. */
const settled = () =>
  vi.waitFor(async () => {
    const [row] = await database.sql<{ open: number; changing: number }[]>`
      select (select count(*) from hotlap.outbox where status = 'owed' and not_before <= now() + interval '1 minute') as open,
        (select count(*) from hotlap.leaderboard_gpus g
         left join hotlap.podiums p on p.leaderboard_id = g.leaderboard_id and p.gpu_type = g.gpu_type
         where p.changed_at is not null or coalesce(p.announced, '[]') <> hotlap.podium_of(g.leaderboard_id, g.gpu_type))
         as changing`;
    expect(row).toEqual({ open: 0, changing: 0 });
  }, SOON);

async function discord(method: string, path: string): Promise<number> {
  const headers = { authorization: `Bot ${running.playground.token}` };
  return (await fetch(`${running.playground.restApi}/v10${path}`, { method, headers })).status;
}

async function podiumMessages(): Promise<APIMessage[]> {
  const { messages } = await tomas.state();
  return Object.values(messages)
    .flat()
    .filter((message) => message.embeds[0]?.title?.startsWith('🏆'));
}

async function choose(user: PlaygroundUser, kinds: string[]): Promise<string> {
  const message = await (await user.slash('/notify')).answer(TIMEOUT);
  const handle = await user.select(message, kinds);
  const bells = (item: APIMessage) => textOf(item).split('🔔').length - 1;
  return textOf(await handle.waitFor((item) => bells(item) === kinds.length, TIMEOUT));
}

const dmTitles = async (user: PlaygroundUser) =>
  (await user.directMessages()).map((message) => message.embeds[0]?.title ?? '');

describe('the thread of a board', () => {
  it('is there from the start with what a participant needs, for boards that are open', async () => {
    const first = await inThread('lab', 'Return the double');
    const text = textOf(first);
    expect(text).toContain('None: it stays open');
    expect(text).toContain('`CPU`');
    expect(text).toContain('/submit leaderboard:lab');
    expect(text).toContain('Lower is better');
    await inThread('lab-two-gpus', 'Return the double');
    await settled();
    expect(await threadOf('lab-over')).toBeNull();
  });

  it('is told what changes, and its first message says what holds now', async () => {
    await asAdmin('leaderboard deadline', { leaderboard: 'lab', deadline: '3d' });
    const seconds = Math.floor(((await board()).deadline?.getTime() ?? 0) / 1000);
    const told = textOf(await inThread('lab', 'The deadline is set'));
    expect(told).toContain(`<t:${seconds}:F>, <t:${seconds}:R>`);
    await asAdmin('leaderboard close', { leaderboard: 'lab' });
    await inThread('lab', 'Nothing new is taken');
    await asAdmin('leaderboard open', { leaderboard: 'lab' });
    await inThread('lab', 'Submissions are taken');
    await settled();
    const thread = await threadOf('lab');
    expect(thread?.messages).toHaveLength(4);
    expect(textOf(thread?.messages[0] as APIMessage)).toContain(`<t:${seconds}:F>`);
  });

  it('is made for a board that a command makes, and told when its problem changes', async () => {
    const name = 'made-here';
    const wanted = { directory: 'lab/doubling', name };
    expect(await asAdmin('leaderboard create', wanted)).toContain('No gpus specified');
    expect(await asAdmin('leaderboard create', { ...wanted, gpus: 'CPU, cpu,' })).toContain(
      '**Runs on** `CPU`',
    );
    await inThread(name, 'Return the double');
    await appendFile(join(running.problemsDir, 'lab', 'doubling', 'reference.py'), '\n# Changed.\n');
    await asAdmin('leaderboard update', { leaderboard: name });
    const told = textOf(await inThread(name, 'The task has changed'));
    expect(told).toContain('to version 2: `files.reference.py`. New submissions are judged by it.');
    expect((await board(name)).gpus).toEqual(['CPU']);
  });

  it('that was made before its number could be noted is found again', async () => {
    const { id: leaderboardId } = await board();
    const before = await threadOf('lab');
    await database.sql.begin(async (tx) => {
      await tx`update hotlap.leaderboards set thread_id = null, thread_told = null where id = ${leaderboardId}`;
      await tx`
        insert into hotlap.outbox (kind, dedupe_key, payload, attempts)
        values ('board-thread', 'a process that died', ${tx.json({ leaderboardId })}, 1)`;
    });
    await vi.waitFor(async () => {
      const [row] =
        await database.sql`select thread_id as id from hotlap.leaderboards where id = ${leaderboardId}`;
      expect(row?.id).toBe(before?.id);
    }, SOON);
    const { channels } = await tomas.state();
    expect(channels.filter((channel) => channel.name === 'lab')).toHaveLength(1);
  });

  it('is ended for everybody who was not invited when the board is closed to them', async () => {
    await asAdmin('leaderboard visibility', { leaderboard: 'lab-two-gpus', to: 'closed' });
    await inThread('lab-two-gpus', 'For invited people');
    await asAdmin('leaderboard deadline', { leaderboard: 'lab-two-gpus', deadline: '9d' });
    await settled();
    expect((await threadOf('lab-two-gpus'))?.messages).toHaveLength(2);
  });
});

describe('a podium', () => {
  it('that changes twice in a short time is announced once, with who passed whom and by how much', async () => {
    const { id } = await board();
    // The time that it has to stand begins when the test says so, however slow the machine is.
    await database.sql.begin(async (tx) => {
      await tx`select pg_advisory_xact_lock(hashtextextended('podiums', 0))`;
      await tx`
        insert into hotlap.podiums (leaderboard_id, gpu_type, changed_at)
        values (${id}, 'CPU', now() + interval '1 hour')`;
      await ranked(mira, 2);
    });
    await ranked(tomas, 1);
    await database.sql`update hotlap.podiums set changed_at = now() where leaderboard_id = ${id}`;
    await database.sql`select pg_notify('hotlap_news', '')`;
    const message = await inThread('lab', '🏆');
    expect(message.embeds[0]?.title).toBe('🏆 tomas opens lab · CPU');
    const text = textOf(message);
    expect(text).toContain(`🥇 <@${tomas.id}> **1.000 s**`);
    expect(text).toContain(`🥈 <@${mira.id}> **2.000 s**`);
    await ranked(kenji, 0.5);
    const next = textOf(await inThread('lab', 'kenji leads'));
    expect(next).toContain(`new here, past <@${tomas.id}> by 500.0 ms (50 %)`);
    expect(next).toContain('▼ from 1st');
    await settled();
    expect(await podiumMessages()).toHaveLength(2);
  });

  it('is announced for no board that is closed, ranks by secret scores or has it turned off', async () => {
    const before = await podiumMessages();
    const closed = await board('lab-two-gpus');
    const invite = { leaderboardIds: [closed.id], count: 1 };
    const [code = ''] = await createInvites(database.sql, invite, testRecord());
    await claimInvite(database.sql, code, { id: mira.id, name: mira.name }, testRecord());
    await ranked(mira, 3, closed.name, ['H100']);
    await setRule(database.sql, await board(), { score: 'secret' });
    await ranked(mira, 0.1);
    await settled();
    await setRule(database.sql, await board(), {});
    await settled();
    expect(await asAdmin('leaderboard podium', { leaderboard: 'lab', to: 'off' })).toContain('nowhere');
    await ranked(tomas, 0.05);
    await settled();
    expect(await podiumMessages()).toEqual(before);
    // What happened meanwhile is no news.
    await asAdmin('leaderboard podium', { leaderboard: 'lab', to: 'channel' });
    await ranked(kenji, 0.01);
    await settled();
    const known = before.map((message) => message.id);
    const fresh = (await podiumMessages()).filter((message) => !known.includes(message.id));
    expect(fresh.map((message) => message.channel_id)).toEqual([running.playground.channelId]);
    expect(textOf(fresh[0] as APIMessage)).toContain(`past <@${tomas.id}>`);
    const audit = await database.sql<{ before: object; after: object }[]>`
      select before, after from hotlap.audit_log where action = 'admin leaderboard podium' order by id`;
    expect(audit.map((row) => ({ ...row }))).toEqual([
      { before: { podium: 'thread' }, after: { podium: 'off' } },
      { before: { podium: 'off' }, after: { podium: 'channel' } },
    ]);
  });
});

describe('a notice', () => {
  it('comes to whoever asked for it, and to nobody else', async () => {
    expect(await choose(tomas, ['overtaken', 'finished'])).toContain('🔕 **Deadline near**');
    await ranked(mira, 0.02);
    const told = await tomas.waitForMessage((item) => textOf(item).includes('You were overtaken'), TIMEOUT);
    expect(textOf(told)).toContain('Your entry was 1st and is **3rd** now.');
    expect(textOf(told)).toContain(`Right ahead of you is <@${mira.id}>`);
    await ranked(tomas, 0.005);
    await tomas.waitForMessage(
      (item) => textOf(item).includes('Ranked') && textOf(item).includes('asked'),
      TIMEOUT,
    );
    await settled();
    expect(await dmTitles(kenji)).toEqual([]);
    expect(await dmTitles(mira)).toEqual([]);
    await choose(tomas, []);
    await ranked(kenji, 0.004);
    await settled();
    expect(await dmTitles(tomas)).toHaveLength(2);
    const [audit] = await database.sql`
      select before, after from hotlap.audit_log where action = 'notify kinds' order by id desc limit 1`;
    expect(audit).toEqual({ before: { notices: ['finished', 'overtaken'] }, after: { notices: [] } });
  });

  it('that waited says nothing of a board that was closed to them meanwhile', async () => {
    await choose(tomas, ['overtaken']);
    await ranked(mira, 0.0035);
    await asAdmin('leaderboard visibility', { leaderboard: 'lab', to: 'closed' });
    const announced = async () =>
      (await tomas.visibleMessages()).filter((item) => textOf(item).includes('is ranked on **lab**')).length;
    const before = await announced();
    expect(before).toBeGreaterThan(0);
    const waited = await database.sql<{ id: number }[]>`
      update hotlap.outbox set not_before = now(), status = 'owed', dedupe_key = dedupe_key || ' again'
      where kind = 'notice' and status = 'owed'
        or id = (select max(id) from hotlap.outbox where kind = 'announcement') returning id`;
    expect(waited).toHaveLength(2);
    await database.sql`select pg_notify('hotlap_outbox', '')`;
    await settled();
    expect(await dmTitles(tomas)).toHaveLength(2);
    expect(await announced()).toBe(before);
    await asAdmin('leaderboard visibility', { leaderboard: 'lab', to: 'public' });
    await ranked(tomas, 0.0032);
  });

  it('of a deadline comes once to those who take part, also over a restart', async () => {
    await choose(tomas, ['deadline']);
    await choose(olga, ['deadline']);
    await asAdmin('leaderboard deadline', { leaderboard: 'lab', deadline: '40m' });
    const told = await tomas.waitForMessage((item) => textOf(item).includes('lab ends soon'), TIMEOUT);
    expect(textOf(told)).toContain('**CPU** 1st');
    await settled();
    expect(await dmTitles(olga)).toEqual([]);
    await stop();
    await start();
    // The people of the new stand-in have no messages of before, and its forum is filled anew.
    await inThread('lab', 'Return the double');
    await asAdmin('leaderboard late', { leaderboard: 'lab', are: 'unofficial' });
    await inThread('lab', 'ranked nowhere');
    expect(textOf(await inThread('lab', 'then unofficial entries alone'))).toContain('Return the double');
    await settled();
    expect(await dmTitles(tomas)).toEqual([]);
    const notices = await database.sql<{ status: string }[]>`
      select status from hotlap.outbox where payload ->> 'notice' = 'deadline'`;
    expect(notices.map((row) => row.status)).toEqual(['sent']);
  });

  it('to somebody who takes no messages is a sentence in /notify until they do', async () => {
    await choose(tomas, ['overtaken']);
    // Nobody is told of the same board again within ten minutes.
    await database.sql`update hotlap.outbox set sent_at = sent_at - interval '1 hour' where kind = 'notice'`;
    const block = (blocked: boolean) =>
      causeFault(running.playground, { kind: 'block-dms', userId: tomas.id, blocked });
    await block(true);
    await ranked(mira, 0.003);
    await settled();
    const message = await (await tomas.slash('/notify')).answer(TIMEOUT);
    expect(textOf(message)).toContain('Discord takes no message from Hotlap to you');
    await tomas.press(message, 'Try again');
    await tomas.waitForMessage((item) => textOf(item).includes('Discord still takes no message'), TIMEOUT);
    await ranked(kenji, 0.002);
    await settled();
    await block(false);
    await tomas.press(message, 'Try again');
    await tomas.waitForMessage((item) => textOf(item).includes('Messages reach you'), TIMEOUT);
    expect(await dmTitles(tomas)).toEqual(['This is how a notice looks']);
    await vi.waitFor(async () => {
      const now = textOf(await (await tomas.slash('/notify')).answer(TIMEOUT));
      expect(now).not.toContain('Discord takes no message');
    }, SOON);
  });
});

describe('a channel that is gone', () => {
  it('is made anew where it was a thread, and told to organisers where it was ours to use', async () => {
    const old = await threadOf('lab');
    expect(await discord('DELETE', `/channels/${old?.id}`)).toBe(200);
    await asAdmin('leaderboard deadline', { leaderboard: 'lab', deadline: '5d' });
    await inThread('lab', 'Return the double');
    expect((await threadOf('lab'))?.id).not.toBe(old?.id);
    await settled();

    const { channelId, forumChannelId } = running.playground;
    expect(await discord('DELETE', `/channels/${forumChannelId}`)).toBe(200);
    await asAdmin('leaderboard deadline', { leaderboard: 'lab', deadline: '6d' });
    const told = await olga.waitForMessage(
      (item) => textOf(item).includes('The forum cannot be used'),
      TIMEOUT,
    );
    expect(textOf(told)).toContain('Unknown Channel');
    expect(told.channel_id).toBe(running.playground.adminChannelId);

    const elsewhere = olga.in(running.playground.adminChannelId);
    expect(await discord('DELETE', `/channels/${channelId}`)).toBe(200);
    await ranked(tomas, 0.001);
    await olga.waitForMessage((item) => textOf(item).includes('An announcement could not be made'), TIMEOUT);
    await settled();
    const answer = await (await elsewhere.slash('/leaderboard show', { name: 'lab' })).answer(TIMEOUT);
    expect(textOf(answer)).toContain(`🥇 <@${tomas.id}>`);
    // Known to be given up, and said: the one thing that is logged as an error is the announcement of the result.
    expect(errors.splice(0).every((line) => line.includes('message given up'))).toBe(true);
  });

  it('leaves a deleted board its last word, where there is still a thread for it', async () => {
    const leaderboard = 'window-sums';
    const before = await database.sql`select 1 from hotlap.outbox where kind = 'thread-end'`;
    await database.sql`delete from hotlap.leaderboards where name = ${leaderboard}`;
    await vi.waitFor(async () => {
      const rows = await database.sql<{ status: string }[]>`
        select status from hotlap.outbox where kind = 'thread-end'`;
      expect(rows.slice(before.length).map((row) => row.status)).toEqual(['sent']);
    }, SOON);
  });
});
