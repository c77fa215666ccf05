/**
 * The main job, end to end: a real discord.js client over the stand-in's gateway, a real PostgreSQL, a real OpenSSH
 * server on loopback as the registered box, the real runner.
 */
import { readFile } from 'node:fs/promises';
import type { APIMessage } from 'discord-api-types/v10';
import { unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { labSubmissions, writeLabProblems } from '../support/lab-problems.ts';
import { type PlaygroundUser, RefusedByClient } from '../support/playground-user.ts';
import { type RunningApp, runningApp } from '../support/running-app.ts';
import { type Sshd, sshdMissing, startSshd } from '../support/sshd.ts';

const TIMEOUT = { timeoutMs: 90_000 };

function text(message: APIMessage): string {
  return JSON.stringify([message.content, message.embeds]);
}

function ended(message: APIMessage): boolean {
  return /^(Ranked|Passed|Failed|Our fault|Cancelled)/.test(message.embeds[0]?.title ?? '');
}

async function submitted(user: PlaygroundUser, options: Record<string, unknown>): Promise<APIMessage> {
  const handle = await user.slash('/submit', options as never);
  return handle.waitFor(ended, TIMEOUT);
}

function numberOf(message: APIMessage): number {
  return Number(/#(\d+)/.exec(message.embeds[0]?.title ?? '')?.[1]);
}

describe.skipIf(sshdMissing() !== null)('the straight line over an SSH box', () => {
  let sshd: Sshd;
  let running: RunningApp;
  let first: PlaygroundUser;
  let second: PlaygroundUser;
  let admin: PlaygroundUser;

  beforeAll(async () => {
    sshd = await startSshd();
    running = await runningApp({
      env: { HOTLAP_SSH_KEY: sshd.privateKeyPath, HOTLAP_LOCAL_BOX: 'off' },
      prepareProblems: writeLabProblems,
    });
    ({ first, second, admin } = running.users);
  });

  afterAll(async () => {
    await running?.stop();
    await sshd?.remove();
  });

  const good = (name = 'submission.py') => ({ name, bytes: labSubmissions.good });

  it('says that a job waits for a box while none is registered', async () => {
    const handle = await second.slash('/submit', { file: good(), leaderboard: 'lab', mode: 'test' });
    const queued = await handle.waitFor((message) => text(message).includes('position 1'));
    expect(text(queued)).toContain('no box of this GPU type is registered yet');
  });

  it('registers an SSH box by one command, after its host key was confirmed', async () => {
    const asked = await (
      await admin.slash('/admin box add', {
        name: 'alpha',
        host: sshd.host,
        user: sshd.user,
        port: sshd.port,
      })
    ).answer();
    expect(text(asked)).toContain(sshd.hostKeyFingerprint);
    const handle = await admin.press(asked, 'It is this key: add the box');
    const added = await handle.waitFor((message) => text(message).includes('is ready for'), TIMEOUT);
    expect(text(added)).toContain('alpha is ready for CPU');
    const list = await (await admin.slash('/admin box list')).answer();
    expect(text(list)).toContain('alpha');
    // What waited for a box runs now.
    const waiting = await second.waitForMessage((message) => text(message).includes('Passed'), TIMEOUT);
    expect(text(waiting)).toContain('All checks passed');
  });

  it('ranks a starter submission and shows its scores to their owner', async () => {
    const starter = await readFile('problems/starter/window_sums/submission.py');
    const result = await submitted(first, {
      file: { name: 'submission.py', bytes: starter },
      mode: 'ranked',
    });
    expect(result.embeds[0]?.title).toMatch(/^Ranked · #\d+/);
    const field = result.embeds[0]?.fields?.[0];
    expect(field?.name).toBe('CPU · done, place 1');
    expect(field?.value).toMatch(/Public score \*\*[\d.]+ (m|µ)s\*\*/);
    expect(field?.value).toMatch(/Secret score \*\*[\d.]+ (m|µ)s\*\*/);
    const id = numberOf(result);
    const report = (await first.attachment(result, `report-${id}.txt`)).toString();
    expect(report).toContain('CPU, public run, leaderboard: passed');
    expect(report).toContain('CPU, secret run, leaderboard: passed');

    const board = await (await second.slash('/leaderboard show', { name: 'window-sums' })).answer();
    expect(text(board)).toContain(first.id);
    expect(text(board)).toContain(`#${id}`);
    const mine = await (await first.slash('/submissions mine')).answer();
    expect(text(mine)).toMatch(/done/);
    expect(text(mine)).toMatch(/public \*\*[\d.]+ (m|µ)s\*\*, secret \*\*[\d.]+ (m|µ)s\*\*/);
  });

  it('puts a faster submission of somebody else in front, and announces it without anything secret', async () => {
    const faster = await readFile('problems/starter/window_sums/solutions/faster.py');
    const result = await submitted(second, {
      file: { name: 'faster.py', bytes: faster },
      leaderboard: 'window-sums',
    });
    expect(result.embeds[0]?.fields?.[0]?.name).toBe('CPU · done, place 1');
    const board = await (
      await first.slash('/leaderboard show', { name: 'window-sums', gpu: 'cpu' })
    ).answer();
    const lines = (board.embeds[0]?.description ?? '').split('\n').filter((line) => line.includes('<@'));
    expect(lines[0]).toContain(second.id);
    expect(lines[1]).toContain(first.id);

    const announced = await first.waitForMessage(
      (message) => text(message).includes(`is ranked on`) && text(message).includes(`#${numberOf(result)}`),
    );
    expect(text(announced)).toContain('place 1');
    expect(text(announced).toLowerCase()).not.toContain('secret');
  });

  it('keeps secret scores and code from the other participant, by every command', async () => {
    const starter = await readFile('problems/starter/prime_range/submission.py');
    const result = await submitted(first, { file: { name: 'submission.py', bytes: starter } });
    const id = numberOf(result);
    const [row] = await running.database.sql<{ secret: number }[]>`
      select secret_score as secret from hotlap.submission_scores where submission_id = ${id}`;
    expect(row?.secret).toBeGreaterThan(0);
    const shown = /Secret score \*\*([^*]+)\*\*/.exec(text(result))?.[1] ?? 'none';
    expect(text(result)).toContain(shown);

    const refused = await (await second.slash('/submissions show', { id })).answer();
    expect(text(refused)).toContain('belongs to somebody else');
    expect(refused.attachments).toHaveLength(0);
    await (await second.slash('/submissions mine')).answer();
    await (await second.slash('/leaderboard show', { name: 'prime-range' })).answer();
    await (await second.slash('/leaderboard list')).answer();
    await (await second.slash('/leaderboard task', { name: 'prime-range' })).answer();
    const seen = [...(await second.visibleMessages()), ...(await second.directMessages())];
    const ownSecrets = text(await (await second.slash('/submissions mine')).answer());
    expect(ownSecrets).not.toContain(shown);
    for (const message of seen) expect(text(message)).not.toContain(shown);

    const own = await (await first.slash('/submissions show', { id })).answer();
    expect((await first.attachment(own, 'submission.py')).equals(starter)).toBe(true);
    const asAdmin = await (await admin.slash('/submissions show', { id })).answer();
    expect(text(asAdmin)).toContain(shown);
  });

  it('draws boards and one’s own submissions, and compares only what the caller may see', async () => {
    const name = 'window-sums';
    const names = (message: APIMessage) => message.attachments.map((file) => file.filename);
    const isPng = async (user: PlaygroundUser, message: APIMessage) =>
      (await user.attachment(message, names(message)[0] ?? '')).subarray(1, 4).toString() === 'PNG';
    const pictures = [
      await (await second.slash('/leaderboard history', { name })).answer(),
      await (await second.slash('/leaderboard spread', { name, gpu: 'CPU' })).answer(),
      await (await second.slash('/submissions progress', { leaderboard: name })).answer(),
    ];
    for (const picture of pictures) expect(await isPng(second, picture)).toBe(true);
    const board = await (await second.slash('/leaderboard show', { name })).answer();
    const [best = 0, other = 0] = [...text(board).matchAll(/#(\d+)/g)].map((match) => Number(match[1]));
    const refused = await (await second.slash('/submissions compare', { a: best, b: other })).answer();
    expect(text(refused)).toContain('belongs to somebody else');
    expect(refused.attachments).toEqual([]);
    const compared = await (await admin.slash('/submissions compare', { a: other, b: best })).answer();
    expect(names(compared)).toEqual([`compare-${other}-${best}-CPU.png`, `compare-${other}-${best}.diff`]);
    const diff = (await admin.attachment(compared, `compare-${other}-${best}.diff`)).toString();
    expect(diff).toMatch(/^-.*\n/m);
    // The refusal of what would have been public is for its user alone.
    await second.slash('/leaderboard history', { name: 'lab-two-gpus' });
    await second.waitForMessage((message) => text(message).includes('Nobody is ranked'), TIMEOUT);
  });

  const failures: [keyof typeof labSubmissions, string, RegExp][] = [
    ['wrong', 'failed: wrong result', /Test 1 of 2 failed.*not the doubles/s],
    ['crashing', 'failed: crashed', /ValueError: no idea how.*line 2, in custom_kernel/s],
    ['dying', 'failed: crashed', /ended by signal 11 \(SIGSEGV\)/],
    ['hanging', 'failed: timed out', /limit of 6 s/],
    ['syntax', 'failed: does not compile', /SyntaxError/],
  ];
  it.each(failures)('ends a %s submission as failed, with the reason', async (kind, status, detail) => {
    const result = await submitted(first, {
      file: { name: `${kind}.py`, bytes: labSubmissions[kind] },
      leaderboard: 'lab',
      mode: 'ranked',
    });
    expect(result.embeds[0]?.title).toMatch(/^Failed/);
    expect(result.embeds[0]?.fields?.[0]?.name).toMatch(new RegExp(status));
    expect(result.embeds[0]?.fields?.[0]?.value).toMatch(detail);
    const mine = await (
      await first.slash('/submissions mine', { leaderboard: 'lab', status: 'failed' })
    ).answer();
    expect(text(mine)).toContain(`#${numberOf(result)}`);
    const [entry] = await running.database.sql`
      select 1 from hotlap.best_entries where submission_id = ${numberOf(result)}`;
    expect(entry).toBeUndefined();
  });

  it('does not rank what passes in public and fails the secret run, and tells no more than that', async () => {
    const result = await submitted(second, {
      file: { name: 'public.py', bytes: labSubmissions.publicOnly },
      leaderboard: 'lab',
      mode: 'ranked',
    });
    expect(result.embeds[0]?.fields?.[0]?.name).toBe('CPU · failed: the secret run');
    expect(text(result)).not.toContain('not the doubles');
    const report = (await second.attachment(result, `report-${numberOf(result)}.txt`)).toString();
    expect(report).toContain('CPU, secret run, test: failed');
    expect(report).not.toContain('not the doubles');
  });

  it.each(['test', 'benchmark'])('runs mode %s without ranking it', async (mode) => {
    const result = await submitted(second, { file: good(), leaderboard: 'lab', mode });
    expect(result.embeds[0]?.title).toMatch(/^Passed/);
    const report = (await second.attachment(result, `report-${numberOf(result)}.txt`)).toString();
    expect(report).toContain(`public run, ${mode}`);
    expect(report).not.toContain('secret run');
  });

  it('hands out what profile mode recorded, to its owner alone', async () => {
    const result = await submitted(second, { file: good(), leaderboard: 'lab', mode: 'profile' });
    const id = numberOf(result);
    const [report] = result.attachments;
    expect(text(result)).toContain('Profiled by the evaluation program');
    expect(result.attachments.map((file) => file.filename)).toEqual([
      `report-${id}.txt`,
      `trace-${id}-CPU-1.zip`,
      `trace-${id}-CPU-2.zip`,
    ]);
    expect((await second.attachment(result, report?.filename ?? '')).toString()).toContain(
      'Profiled by the evaluation program',
    );
    const shown = await (await second.slash('/submissions show', { id })).answer();
    expect(shown.attachments.map((file) => file.filename)).toContain(`trace-${id}-CPU-2.zip`);
    const fetched = await (await second.slash('/submissions trace', { id, benchmark: 2 })).answer();
    const files = unzipSync(await second.attachment(fetched, `trace-${id}-CPU-2.zip`));
    expect(Object.keys(files)).toEqual(['profile.pstats']);
    expect(files['profile.pstats']?.length).toBeGreaterThan(100);

    const missing = await (await second.slash('/submissions trace', { id, benchmark: 3 })).answer();
    expect(text(missing)).toContain('Nothing was recorded of benchmark 3');
    const stranger = await (await first.slash('/submissions trace', { id })).answer();
    expect(text(stranger)).toContain('belongs to somebody else');
    expect(stranger.attachments).toEqual([]);
  });

  it('asks for the GPU type when there are several, and submits once', async () => {
    const asked = await (
      await first.slash('/submit', { file: good(), leaderboard: 'lab-two-gpus', mode: 'test' })
    ).answer();
    expect(text(asked)).toContain('On which GPU types?');
    const before = await running.database.sql`select id from hotlap.submissions`;
    const handle = await first.select(asked, ['CPU']);
    const result = await handle.waitFor(ended, TIMEOUT);
    expect(result.embeds[0]?.fields).toHaveLength(1);
    const after = await running.database.sql`select id from hotlap.submissions`;
    expect(after.length).toBe(before.length + 1);
  });

  it('honours the header lines of the file', async () => {
    const bytes = `#!POPCORN leaderboard lab-two-gpus\n#!POPCORN gpus cpu\n${labSubmissions.good}`;
    const result = await submitted(first, { file: { name: 'header.py', bytes }, mode: 'test' });
    expect(text(result)).toContain('lab-two-gpus');
    expect(result.embeds[0]?.fields?.map((field) => field.name)).toEqual(['CPU · done']);
  });

  const refusals: [string, Record<string, unknown>, RegExp][] = [
    [
      'a file over 1 MB',
      { file: { name: 'big.py', bytes: `#${'x'.repeat(1_000_001)}` }, leaderboard: 'lab' },
      /at most 1000000 bytes/,
    ],
    [
      'another extension',
      { file: { name: 'kernel.ipynb', bytes: '{}' }, leaderboard: 'lab' },
      /does not end in .py/,
    ],
    ['an empty file', { file: { name: 'a.py', bytes: '  \n' }, leaderboard: 'lab' }, /is empty/],
    [
      'a file that is not UTF-8',
      { file: { name: 'a.py', bytes: Uint8Array.from([0x70, 0xff, 0xfe]) }, leaderboard: 'lab' },
      /not UTF-8/,
    ],
    ['an unknown leaderboard', { file: good(), leaderboard: 'nowhere' }, /no leaderboard nowhere/],
    ['no leaderboard at all', { file: good() }, /No leaderboard was named/],
    [
      'a GPU type that the leaderboard does not have',
      { file: good(), leaderboard: 'lab', gpu: 'B200' },
      /does not run on B200.*It runs on: CPU/s,
    ],
    [
      'a deadline that has passed',
      { file: good(), leaderboard: 'lab-over' },
      /passed on 2020-01-01 06:59 UTC/,
    ],
    [
      'a header that contradicts the option',
      {
        file: { name: 'a.py', bytes: `#!POPCORN leaderboard lab-over\n${labSubmissions.good}` },
        leaderboard: 'lab',
      },
      /The file says leaderboard lab-over, the option says lab/,
    ],
    [
      'a header line that nobody knows',
      { file: { name: 'a.py', bytes: '#!POPCORN gpuz A100\n' }, leaderboard: 'lab' },
      /Line 1/,
    ],
  ];
  it.each(refusals)('refuses %s in a sentence, and stores nothing', async (_, options, sentence) => {
    const before = await running.database.sql`select id from hotlap.submissions`;
    const refused = await (await first.slash('/submit', options as never)).answer();
    expect(`${refused.embeds[0]?.title} ${refused.embeds[0]?.description}`).toMatch(sentence);
    const after = await running.database.sql`select id from hotlap.submissions`;
    expect(after.length).toBe(before.length);
  });

  it('hides the admin commands from participants', async () => {
    expect((await first.commands()).map((command) => command.path[0])).not.toContain('admin');
    await expect(first.slash('/admin box list')).rejects.toThrow(RefusedByClient);
    expect((await admin.commands()).map((command) => command.path[0])).toContain('admin');
  });

  it('offers leaderboards, GPU types and template languages while one types', async () => {
    const boards = await first.autocomplete('/submit', { focused: 'leaderboard', value: 'lab' });
    expect(boards.map((choice) => choice.value)).toEqual(['lab', 'lab-two-gpus', 'lab-over']);
    const gpus = await first.autocomplete('/leaderboard show', {
      focused: 'gpu',
      value: '',
      given: { name: 'lab-two-gpus' },
    });
    expect(gpus.map((choice) => choice.value)).toEqual(['CPU', 'H100']);
  });

  it('gives the task with its files, and a template that names its leaderboard', async () => {
    const task = await (await first.slash('/leaderboard task', { name: 'window-sums' })).answer();
    expect(text(task)).toContain('size: 5000; width: 64; seed: 105');
    const files = unzipSync(await first.attachment(task, 'window-sums.zip'));
    expect(Object.keys(files)).toEqual(
      expect.arrayContaining(['reference.py', 'templates/Python/submission.py']),
    );
    const template = await (
      await first.slash('/leaderboard template', { name: 'window-sums', language: 'python' })
    ).answer();
    expect((await first.attachment(template, 'submission.py')).toString()).toMatch(
      /^#!POPCORN leaderboard window-sums/,
    );
  });

  it('pages through the own submissions by buttons', async () => {
    const firstPage = await (await first.slash('/submissions mine')).answer();
    expect(text(firstPage)).toContain('page 1 of 2');
    const handle = await first.press(firstPage, 'Next');
    const secondPage = await handle.waitFor((message) => text(message).includes('page 2 of 2'));
    expect(secondPage.embeds[0]?.description).not.toBe(firstPage.embeds[0]?.description);
  });

  it('waits for a box that is away, says so, and loses nothing', async () => {
    await sshd.stop();
    const handle = await second.slash('/submit', { file: good(), leaderboard: 'lab', mode: 'test' });
    await handle.waitFor((message) => text(message).includes('the box, not your code'), {
      timeoutMs: 45_000,
    });
    await sshd.start();
    const result = await handle.waitFor(ended, TIMEOUT);
    expect(result.embeds[0]?.title).toMatch(/^Passed/);
  });

  it('sends nothing to a box whose host key has changed, and says why', async () => {
    await sshd.rotateHostKey();
    const handle = await second.slash('/submit', { file: good(), leaderboard: 'lab', mode: 'test' });
    await handle.waitFor((message) => text(message).includes('no box of this GPU type can be used now'), {
      timeoutMs: 45_000,
    });
    const list = await (await admin.slash('/admin box list')).answer();
    expect(text(list)).toContain('host-key-changed');
    const notice = await admin.waitForMessage(
      (message) => text(message).includes('host-key-changed') && text(message).includes('cannot be used'),
    );
    expect(text(notice)).toContain('add it again to confirm the new key');
    expect(text(notice)).toContain('Jobs for it wait');
  });
});
