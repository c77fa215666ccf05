/** Two organisers at once, and double clicks: what both wanted happens once, and the other is told. */
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { verifyAudit } from '../../src/db/audit.ts';
import { createInvites } from '../../src/db/invites.ts';
import { storeBoxFailure } from '../../src/db/results.ts';
import { leaseJob, makeBoard, makeBox, testRecord } from '../db/scene.ts';
import { addDirectory } from '../support/change-scene.ts';
import { labSubmissions } from '../support/lab-problems.ts';
import type { LastingPlayground } from '../support/lasting-playground.ts';
import { textOf } from '../support/playground-message.ts';
import type { PlaygroundUser, SlashOptions } from '../support/playground-user.ts';
import {
  appealed,
  becomes,
  EXPIRED,
  entriesOf,
  everyMessage,
  follows,
  labelled,
  ranked,
  ruled,
  say,
  type TwoOrganisers,
  twoOrganisers,
  words,
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

/** Both say it in the same moment. */
const both = (command: string, first: SlashOptions, second: SlashOptions = first) =>
  Promise.all([words(olga, command, first), words(kenji, command, second)]);
const how = (texts: string[], pattern: RegExp) => texts.filter((text) => pattern.test(text)).length;

describe('two organisers at once', () => {
  it('who edit the same board both get an answer, and the record has it in order', async () => {
    const { name } = await makeBoard(stage.database.sql);
    const deadlines = await both(
      '/admin leaderboard deadline',
      { leaderboard: name, deadline: '2098-01-01' },
      { leaderboard: name, deadline: '2099-01-01' },
    );
    expect(how(deadlines, /has a new deadline/)).toBe(2);
    const [last, first] = await entriesOf(on, `leaderboard ${name}`);
    expect(last?.before).toEqual(first?.after);
    const closed = await both('/admin leaderboard close', { leaderboard: name });
    expect([how(closed, /is closed already/), how(closed, /is closed\n/)]).toEqual([1, 1]);
    const visible = await both('/admin leaderboard visibility', { leaderboard: name, to: 'closed' });
    expect(how(visible, /is closed already/)).toBe(1);
    const limit = { leaderboard: name, mode: 'test' };
    await both('/admin limit set', { ...limit, per_hour: 2 }, { ...limit, per_hour: 3 });
    const removed = await both('/admin limit remove', limit);
    expect(how(removed, /has no limit/)).toBe(1);
    expect(await entriesOf(on, `leaderboard ${name}`)).toHaveLength(7);
  });

  it('who make the same board make one', async () => {
    await addDirectory(stage.problemsDir, 'trial');
    const made = await both('/admin leaderboard create', { directory: 'lab/trial', name: 'made-twice' });
    expect(how(made, /made-twice is open/)).toBe(1);
    expect(how(made, /There is a leaderboard|Somebody else changed|have changed since/)).toBe(1);
  });

  it('who delete the same board, or one that the other edits, are told what became of it', async () => {
    const board = await makeBoard(stage.database.sql);
    await ranked(on, board);
    const { name } = board;
    const wish = { leaderboard: name, force: true };
    const forms = await Promise.all(
      [olga, kenji].map(async (user) => [user, await user.slash('/admin leaderboard delete', wish)] as const),
    );
    const answers = await Promise.all(
      forms.map(async ([user, form]) => textOf(await (await user.modal(form, { name })).answer())),
    );
    expect(how(answers, /is deleted/)).toBe(1);
    expect(how(answers, /There is no leaderboard|no longer open/)).toBe(1);
    expect(await entriesOf(on, `leaderboard ${name}`)).toHaveLength(1);
    // A form that was open meanwhile.
    const other = await makeBoard(stage.database.sql);
    const [first, second] = await Promise.all(
      [olga, kenji].map((user) => user.slash('/admin leaderboard delete', { leaderboard: other.name })),
    );
    if (!first || !second) throw new Error('no forms');
    await (await olga.modal(first, { name: other.name })).answer();
    expect(textOf(await (await kenji.modal(second, { name: other.name })).answer())).toContain(EXPIRED);
    expect(await words(kenji, '/admin leaderboard open', { leaderboard: other.name })).toContain(
      'There is no leaderboard',
    );
  });

  it('who rule on the same submission rule once, and its owner is told once', async () => {
    const id = await ranked(on, await makeBoard(stage.database.sql));
    const wish = { id, reason: 'Seen by both.' };
    const out = await both('/admin submission invalidate', wish);
    expect([how(out, /is out of the rankings\n/), how(out, /out of the rankings already/)]).toEqual([1, 1]);
    const back = await both('/admin submission restore', { id });
    expect([how(back, /counts again/), how(back, /counts already/)]).toEqual([1, 1]);
    await mira.waitForMessage((message) => textOf(message).includes('back in the rankings'), TIMEOUT);
    const told = (await mira.directMessages()).filter((item) => textOf(item).includes('Seen by both.'));
    expect(told).toHaveLength(1);
  });

  it('who decide on the same appeal decide once', async () => {
    const { id, rulingId } = await appealed(on);
    const [grant, reject] = ['grant', 'reject'].map((word) => `admin:submission:${word}:${rulingId}`);
    const asks = await labelled(olga, grant ?? '');
    const form = await kenji.press(asks, reject ?? '');
    await olga.press(asks, grant ?? '');
    await becomes(olga, asks, /Appeal granted/);
    const late = await (await kenji.modal(form, { answer: 'No.' })).answer();
    expect(textOf(late)).toContain(`The appeal about #${id} is decided`);
    expect((await entriesOf(on, `submission ${id}`)).filter((entry) => entry.action !== 'test')).toHaveLength(
      1,
    );

    const second = await appealed(on);
    const customId = `admin:submission:grant:${second.rulingId}`;
    const question = await labelled(olga, customId);
    const texts = Promise.any(
      [olga, kenji].map((user) =>
        user.waitForMessage(
          (message) => textOf(message).includes(`The appeal about #${second.id} is decided`),
          TIMEOUT,
        ),
      ),
    );
    await Promise.all([olga.press(question, customId), kenji.press(question, customId)]);
    await Promise.all([texts, becomes(olga, question, /Appeal granted/)]);
  });

  it('who ban, unban, revoke, announce or stop the contest get an answer each', async () => {
    const user = '1100000000000000402';
    expect(how(await both('/admin user ban', { user, reason: 'x' }), /is banned/)).toBe(2);
    const lifted = await both('/admin user unban', { user });
    expect([how(lifted, /may submit again/), how(lifted, /No ban of this person/)]).toEqual([1, 1]);
    const board = await makeBoard(stage.database.sql);
    const wish = { leaderboardIds: [board.id], count: 1 };
    const [code = ''] = await createInvites(stage.database.sql, wish, testRecord());
    const revoked = await both('/admin invites revoke', { code });
    expect([how(revoked, /is revoked/), how(revoked, /no such invite code/)]).toEqual([1, 1]);
    const off = await both('/admin contest accept', { on: false, message: 'Lunch.' });
    expect(how(off, /taken already/)).toBe(1);
    const on = await both('/admin contest accept', { on: true });
    expect(how(on, /taken already/)).toBe(1);
    const exports = await both('/admin contest export', { leaderboard: board.name });
    expect(how(exports, /The export is written/)).toBe(2);
  });

  it('who handle the same box do it once', async () => {
    const { name } = await makeBox(stage.database.sql, ['CPU']);
    const drained = await both('/admin box drain', { name });
    expect([how(drained, /is being drained\n/), how(drained, /is being drained already/)]).toEqual([1, 1]);
    const resumed = await both('/admin box resume', { name });
    expect([how(resumed, /is in use again/), how(resumed, /is ready/)]).toEqual([1, 1]);
    const removed = await both('/admin box remove', { name });
    expect([how(removed, /is taken out/), how(removed, /There is no box/)]).toEqual([1, 1]);
    expect((await entriesOf(on, `box ${name}`)).map((entry) => entry.after?.state)).toEqual([
      'removed',
      'ready',
      'draining',
    ]);
  });

  it('who judge a board again or change its problems do it once', async () => {
    const board = await makeBoard(stage.database.sql);
    await ranked(on, board);
    const planned = await both('/admin rejudge start', { leaderboard: board.name });
    // The later one takes the place of the earlier, which cannot be started any more.
    const numbers = planned.map((text) => Number(/#(\d+) of/.exec(text)?.[1]));
    const [old, id] = [Math.min(...numbers), Math.max(...numbers)];
    expect(await words(olga, '/admin rejudge show', { id: old })).toContain('was cancelled');
    const cancelled = await both('/admin rejudge cancel', { id });
    expect([how(cancelled, /was cancelled/), how(cancelled, /it cannot be cancelled/)]).toEqual([1, 1]);

    await appendFile(join(stage.problemsDir, 'lab', 'doubling', 'reference.py'), '\n# Changed.\n');
    const plans = await Promise.all([say(olga, '/admin problems sync'), say(kenji, '/admin problems sync')]);
    const [first, second] = plans;
    await (await olga.press(first, 'Apply')).waitFor((item) => textOf(item).includes('applied'), TIMEOUT);
    const late = await (await kenji.press(second, 'Apply')).waitFor(
      (item) => !textOf(item).includes('[Apply]'),
      TIMEOUT,
    );
    expect(textOf(late)).toContain('so plan it again');
  });
});

describe('a double click', () => {
  it('submits, cancels and runs again once', async () => {
    const { sql } = stage.database;
    const asked = await say(mira, '/submit', { file, leaderboard: 'lab-two-gpus', mode: 'test' });
    const count = async () => {
      const [row] = await sql<{ count: number }[]>`select count(*) as count from hotlap.submissions`;
      return row?.count ?? 0;
    };
    const before = await count();
    const choose = () => mira.select(asked, ['H100']);
    expect(await follows(mira, () => Promise.all([choose(), choose()]))).toContain(EXPIRED);
    await becomes(mira, asked, /#\d+/);
    expect(await count()).toBe(before + 1);
    const press = () => mira.press(asked, 'Cancel');
    expect(await follows(mira, () => Promise.all([press(), press()]))).toContain('nothing to cancel');

    const sent = await say(mira, '/submit', { file, leaderboard: 'lab', mode: 'test' });
    const id = Number(/#(\d+)/.exec(textOf(sent))?.[1]);
    const lease = await leaseJob(sql, on.boxId, { submissionId: id });
    await storeBoxFailure(sql, lease, { kind: 'disk-full', message: 'full' });
    const failed = await becomes(mira, sent, /Run it again/);
    const again = () => mira.press(failed, 'Run it again');
    expect(await follows(mira, () => Promise.all([again(), again()]))).toContain('it runs again already');
  });

  it('decides once, whatever is asked', async () => {
    const { sql } = stage.database;
    const board = await makeBoard(sql);
    const id = await ranked(on, board);
    const rule = { leaderboard: board.name, rule: '{"minimumRuns":2}' };
    for (const [command, options, label] of [
      ['/admin leaderboard ranking', rule, 'Rank by this rule'],
      ['/admin rejudge start', { leaderboard: board.name }, 'Start'],
      ['/admin submission delete', { id, reason: 'x' }, 'Delete it for good'],
    ] as const) {
      const before = (await verifyAudit(sql)).entries;
      const asked = await say(olga, command, options);
      const start = command.includes('rejudge') ? 1 : 0;
      const press = () => olga.press(asked, label);
      const said = await follows(olga, () => Promise.all([press(), press()]));
      expect(said).toMatch(/no longer open|it cannot be started/);
      await vi.waitFor(async () => expect((await verifyAudit(sql)).entries).toBe(before + start + 1), {
        timeout: 30_000,
        interval: 20,
      });
    }
  });

  it('on an appeal appeals once', async () => {
    const { rulingId } = await ruled(on);
    const notice = await labelled(mira, `submissions:appeal:${rulingId}`);
    const forms = await Promise.all([mira.press(notice, 'Appeal'), mira.press(notice, 'Appeal')]);
    const answers = await Promise.all(
      forms.map(async (form) => textOf(await (await mira.modal(form, { text: 'It does.' })).answer())),
    );
    expect([how(answers, /is with the organisers/), how(answers, /appealed already/)]).toEqual([1, 1]);
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
});
