/** A whole contest, as its organisers and participants go through it in Discord, from the sync of its set to the export. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { APIMessage } from 'discord-api-types/v10';
import { unzipSync } from 'fflate';
import { parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeLabProblems } from '../support/lab-problems.ts';
import { componentsOf, textOf } from '../support/playground-message.ts';
import { type PlaygroundUser, playgroundUser, type SlashOptions } from '../support/playground-user.ts';
import { type RunningApp, runningApp } from '../support/running-app.ts';

const TIMEOUT = { timeoutMs: 90_000 };
const BOARD = 'finale';

/** Each takes so long for a list that its place is certain. */
const kernel = (milliseconds: number) => ({
  name: `in_${milliseconds}_ms.py`,
  bytes: `import time\n\ndef custom_kernel(data):\n    time.sleep(${milliseconds / 1000})\n    return [2 * x for x in data]\n`,
});

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

describe('a contest', () => {
  let running: RunningApp;
  let olga: PlaygroundUser;
  let mira: PlaygroundUser;
  let tomas: PlaygroundUser;
  let kenji: PlaygroundUser;
  let codes: string[] = [];
  /** By who made them and how fast they are. */
  const ids: Record<string, number> = {};

  beforeAll(async () => {
    running = await runningApp({ env: { HOTLAP_LOCAL_SLOTS: '2', HOTLAP_PODIUM_SETTLE_S: '1' } });
    olga = running.users.admin;
    mira = running.users.first;
    tomas = running.users.second;
    kenji = playgroundUser(running.playground, 'kenji');
    await Promise.all([olga, mira, tomas, kenji].map((user) => user.watch()));
  });
  afterAll(async () => {
    kenji?.close();
    await running?.stop();
  });

  const say = async (user: PlaygroundUser, command: string, options: SlashOptions = {}) =>
    (await user.slash(command, options)).answer(TIMEOUT);
  const read = async (user: PlaygroundUser, command: string, options: SlashOptions = {}) =>
    textOf(await say(user, command, options));
  const press = async (
    user: PlaygroundUser,
    message: APIMessage,
    button: string,
    until: (message: APIMessage) => boolean,
  ) => (await user.press(message, button)).waitFor(until, TIMEOUT);

  /** Who is on the board, best first. */
  const places = async () =>
    [...(await read(mira, '/leaderboard show', { name: BOARD })).matchAll(/<@(\d+)>/g)].map(
      (match) => match[1],
    );

  /** Of the thread in the forum. */
  const threadId = async () =>
    (await mira.state()).channels.find(({ kind, name }) => kind === 'thread' && name === BOARD)?.id;

  async function submit(
    user: PlaygroundUser,
    file: { name: string; bytes: string },
    options: SlashOptions = {},
  ): Promise<APIMessage> {
    const handle = await user.slash('/submit', { file, leaderboard: BOARD, mode: 'ranked', ...options });
    const message = await handle.waitFor(
      (version) =>
        /^(Ranked|Passed|Failed|Not taken|Not ranked|Unofficial)/m.test(version.embeds[0]?.title ?? ''),
      TIMEOUT,
    );
    const id = /#(\d+)/.exec(textOf(message))?.[1];
    if (id) ids[`${user.name} ${file.name}`] = Number(id);
    return message;
  }

  it('begins with a set that an organiser syncs, and a closed board with invites', async () => {
    await writeLabProblems(running.problemsDir);
    const set = join(running.problemsDir, 'lab.yaml');
    const text = (await readFile(set, 'utf8')).replace(/problems:[\s\S]*/, '');
    await writeFile(
      set,
      `${text}problems:\n  - {directory: lab/doubling, name: ${BOARD}, deadline: "", gpus: ["CPU"]}\n`,
    );
    const plan = await say(olga, '/admin problems sync');
    expect(textOf(plan)).toContain('1 new');
    await press(olga, plan, 'Apply', (message) => componentsOf(message).length === 0);
    expect(await read(olga, '/admin leaderboard visibility', { leaderboard: BOARD, to: 'closed' })).toContain(
      `${BOARD} is closed`,
    );
    const invites = await read(olga, '/admin invites create', { leaderboard: BOARD, count: 3 });
    codes = [...invites.matchAll(/`([\w-]{12,})`/g)].map((match) => match[1] ?? '');
    expect(codes).toHaveLength(3);
  });

  it('is nothing to those who are not invited', async () => {
    expect(await read(kenji, '/leaderboard list')).not.toContain(BOARD);
    await kenji.slash('/submit', { file: kernel(1), leaderboard: BOARD, mode: 'test' });
    await kenji.waitForMessage(
      (message) => textOf(message).includes(`You do not have access to ${BOARD}`),
      TIMEOUT,
    );
  });

  it('is open to three with codes, who overtake each other', async () => {
    for (const [index, user] of [mira, tomas, kenji].entries()) {
      expect(await read(user, '/join', { code: codes[index] ?? '' })).toContain(BOARD);
    }
    // From here on everybody may see it, and its podium is announced.
    await read(olga, '/admin leaderboard visibility', { leaderboard: BOARD, to: 'public' });
    await tomas.select(await say(tomas, '/notify'), ['overtaken']);
    for (const [user, milliseconds, place] of [
      [mira, 40, 1],
      [tomas, 16, 1],
      [kenji, 28, 2],
      [mira, 4, 1],
    ] as const) {
      expect(textOf(await submit(user, kernel(milliseconds)))).toContain(`place ${place}:`);
    }
    expect(await places()).toEqual([mira.id, tomas.id, kenji.id]);
    const told = await tomas.waitForMessage(
      (message) => textOf(message).includes('You were overtaken'),
      TIMEOUT,
    );
    expect(textOf(told)).toContain('1st and is **2nd** now');
    const podium = await kenji.waitForMessage(
      (message) => message.embeds[0]?.title?.startsWith('🏆 mira') === true && textOf(message).includes('🥉'),
      TIMEOUT,
    );
    expect(textOf(podium)).toContain(`🥈 <@${tomas.id}>`);
    expect(podium.channel_id).toBe(await threadId());
  });

  it('holds a limit for each person', async () => {
    await read(olga, '/admin limit set', { leaderboard: BOARD, mode: 'leaderboard', per_hour: 2 });
    await mira.slash('/submit', { file: kernel(1), leaderboard: BOARD, mode: 'ranked' });
    await mira.waitForMessage((message) => textOf(message).includes('Rate limit exceeded: 2/2'), TIMEOUT);
    expect(await read(mira, '/quota')).toContain('**0** of 2 left');
    expect(await read(tomas, '/quota')).toContain('**1** of 2 left');
    await read(olga, '/admin limit remove', { leaderboard: BOARD, mode: 'leaderboard' });
  });

  it('takes nothing more from somebody who is banned', async () => {
    expect(await read(olga, '/admin user ban', { user: kenji.id, reason: 'two accounts' })).toContain(
      'kenji is banned',
    );
    await kenji.slash('/submit', { file: kernel(1), leaderboard: BOARD, mode: 'ranked' });
    await kenji.waitForMessage((message) => textOf(message).includes('two accounts'), TIMEOUT);
    expect(await places()).toEqual([mira.id, tomas.id, kenji.id]);
  });

  it('takes a submission out, and in again on appeal', async () => {
    const id = ids['tomas in_16_ms.py'] ?? 0;
    await read(olga, '/admin submission invalidate', { id, reason: 'it sleeps' });
    expect(await places()).toEqual([mira.id, kenji.id]);
    const notice = await tomas.waitForMessage((message) => textOf(message).includes('it sleeps'), TIMEOUT);
    const form = await tomas.press(notice, 'Appeal');
    await (await tomas.modal(form, { text: 'All of us sleep.' })).answer(TIMEOUT);
    const appeal = await olga.waitForMessage(
      (message) => textOf(message).includes('All of us sleep.'),
      TIMEOUT,
    );
    await olga.press(appeal, 'Put it back');
    await tomas.waitForMessage((message) => textOf(message).includes('Your appeal was granted'), TIMEOUT);
    expect(await places()).toEqual([mira.id, tomas.id, kenji.id]);
  });

  it('ends at its deadline, after which a submission is unofficial', async () => {
    await read(olga, '/admin leaderboard late', { leaderboard: BOARD, are: 'unofficial' });
    const over = { leaderboard: BOARD, deadline: '2026-01-01 00:00' };
    expect(await read(olga, '/admin leaderboard deadline', over)).toContain('unofficial');
    expect(textOf(await submit(tomas, kernel(0)))).toContain('Unofficial');
    expect(await places()).toEqual([mira.id, tomas.id, kenji.id]);
    expect(await read(mira, '/leaderboard show', { name: BOARD })).toContain('these are the final places');
  });

  it('leaves numbers, a record without a gap and an export that another program reads', async () => {
    const stats = await read(olga, '/admin contest stats', { leaderboard: BOARD });
    expect(stats).toContain('**5** submissions');
    expect(stats).toContain('**3** people');
    expect(stats).toContain('`CPU` **10** runs, 100 % passed');
    const actions = (
      await running.database.sql<{ action: string }[]>`
      select action from hotlap.audit_log order by id`
    ).map((row) => row.action);
    expect(actions).toEqual([
      'admin problems apply',
      'admin leaderboard visibility',
      'admin invites create',
      ...['join', 'join', 'join'],
      'admin leaderboard visibility',
      'notify kinds',
      ...['submit', 'submit', 'submit', 'submit'],
      'admin limit set',
      'admin limit remove',
      'admin user ban',
      'admin submission invalidate',
      'submissions appealed',
      'admin submission grant',
      'admin leaderboard late',
      'admin leaderboard deadline',
      'submit',
    ]);
    expect(await read(olga, '/admin audit verify')).toContain(
      `${actions.length} entries follow on each other`,
    );
    const message = await say(olga, '/admin contest export', { leaderboard: BOARD });
    const zip = unzipSync(await olga.attachment(message, message.attachments[0]?.filename ?? ''));
    const table = (name: string) =>
      parquetReadObjects({ file: Uint8Array.from(zip[`${name}.parquet`] ?? []).buffer });
    const submissions = await table('submissions');
    expect(submissions.map((row) => [row.user_name, row.file_name, row.official])).toEqual([
      ['mira', 'in_40_ms.py', true],
      ['tomas', 'in_16_ms.py', true],
      ['kenji', 'in_28_ms.py', true],
      ['mira', 'in_4_ms.py', true],
      ['tomas', 'in_0_ms.py', false],
    ]);
    const runs = await table('runs');
    expect(new Set(runs.map((row) => row.secret))).toEqual(new Set([false]));
    const scores = await table('scores');
    expect(scores.filter((row) => row.is_entry).map((row) => Number(row.submission_id))).toEqual([2, 3, 4]);
    const written = await table('code');
    expect(written.map((row) => sha256(row.content)).sort()).toEqual(
      submissions.map((row) => row.code_sha256).sort(),
    );
  });
});
