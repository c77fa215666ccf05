/** A team in Discord, from its making to somebody leaving it; and what an outsider learns of it meanwhile. */
import { randomBytes } from 'node:crypto';
import type { APIMessage } from 'discord-api-types/v10';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertToken } from '../../src/db/tokens.ts';
import { makeToken, tokenHash } from '../../src/domain/account.ts';
import { ApiClient } from '../support/api-client.ts';
import { writeLabProblems } from '../support/lab-problems.ts';
import { componentsOf, textOf } from '../support/playground-message.ts';
import { type PlaygroundUser, playgroundUser, type SlashOptions } from '../support/playground-user.ts';
import { type RunningApp, runningApp } from '../support/running-app.ts';

const TIMEOUT = { timeoutMs: 90_000 };
const MARK = `taint-code-${randomBytes(8).toString('hex')}`;

/** Each takes so long for a list that its place is certain. */
const kernel = (milliseconds: number) => ({
  name: `in_${milliseconds}_ms.py`,
  bytes: `# ${MARK}\nimport time\n\ndef custom_kernel(data):\n    time.sleep(${milliseconds / 1000})\n    return [2 * x for x in data]\n`,
});

describe('a team', () => {
  let running: RunningApp;
  let mira: PlaygroundUser;
  let tomas: PlaygroundUser;
  let kenji: PlaygroundUser;
  const clients = new Map<PlaygroundUser, ApiClient>();

  beforeAll(async () => {
    running = await runningApp({ env: { HOTLAP_LOCAL_SLOTS: '2' }, prepareProblems: writeLabProblems });
    ({ first: mira, second: tomas } = running.users);
    kenji = playgroundUser(running.playground, 'kenji');
    await Promise.all([mira, tomas, kenji].map((user) => user.watch()));
  });
  afterAll(async () => {
    for (const client of clients.values()) client.close();
    kenji?.close();
    await running?.stop();
  });

  const say = async (user: PlaygroundUser, command: string, options: SlashOptions = {}) =>
    (await user.slash(command, options)).answer(TIMEOUT);
  const read = async (user: PlaygroundUser, command: string, options: SlashOptions = {}) =>
    textOf(await say(user, command, options));
  /** A refusal stands in a message of its own. */
  const refusal = async (user: PlaygroundUser, work: Promise<unknown>, text: string) => {
    await work;
    return user.waitForMessage((message) => textOf(message).includes(text), TIMEOUT);
  };
  const board = () => read(kenji, '/leaderboard show', { name: 'lab' });

  async function submit(user: PlaygroundUser, milliseconds: number): Promise<{ id: number; text: string }> {
    const options = { file: kernel(milliseconds), leaderboard: 'lab', mode: 'ranked' };
    const handle = await user.slash('/submit', options);
    const text = textOf(
      await handle.waitFor((message) => /^Ranked/.test(message.embeds[0]?.title ?? ''), TIMEOUT),
    );
    return { id: Number(/#(\d+)/.exec(text)?.[1]), text };
  }

  async function api(user: PlaygroundUser, path: string) {
    if (!clients.has(user)) {
      const { api, sql } = running.app;
      const token = makeToken();
      await insertToken(sql, { kind: 'personal', sha256: tokenHash(token), userId: user.id, name: 'test' });
      clients.set(user, new ApiClient(api?.url ?? '').as({ 'x-popcorn-cli-id': token }));
    }
    return (clients.get(user) as ApiClient).get(path);
  }

  const ofMira = { id: 0, text: '' };
  const ofTomas = { id: 0, text: '' };
  let ofKenji = 0;

  it('begins with a name, and an invitation that is one person’s alone', async () => {
    expect(await read(mira, '/team create', { name: '@everyone' })).toContain('is no usable name for a team');
    expect(await read(mira, '/team create', { name: 'Warp Drive', share: true })).toContain(
      'Warp Drive is there',
    );
    expect(await read(kenji, '/team create', { name: 'warp drive' })).toContain('a team Warp Drive already');
    expect(await read(mira, '/team invite', { user: mira.id })).toContain('nobody whom you can invite');
    expect(await read(mira, '/team invite', { user: tomas.id })).toContain('tomas is invited');
    const isInvitation = (message: APIMessage) =>
      componentsOf(message).some(({ label }) => label === 'Join Warp Drive');
    const asked = await kenji.waitForMessage(isInvitation, TIMEOUT);
    expect(textOf(asked)).toContain('Members see each other’s submissions');
    await refusal(kenji, kenji.press(asked, 'Join Warp Drive'), 'belongs to somebody else’s command');
    expect(await read(kenji, '/team join', { team: 'Warp Drive' })).toContain('You have no invitation');
    const suggested = async (user: PlaygroundUser, command: string) =>
      (await user.autocomplete(command, { focused: 'team', value: 'wa' })).map(({ value }) => value);
    expect(await suggested(kenji, '/team join')).toEqual([]);
    expect(await suggested(tomas, '/team join')).toEqual(['Warp Drive']);
    expect(await suggested(kenji, '/team show')).toEqual(['Warp Drive']);
    const joined = await (await tomas.press(asked, 'Join Warp Drive')).waitFor(
      (message) => textOf(message).includes('Welcome to Warp Drive'),
      TIMEOUT,
    );
    expect(componentsOf(joined)).toEqual([]);
    expect(await read(tomas, '/team join', { team: 'warp drive' })).toContain(
      'in the team Warp Drive already',
    );
  });

  it('takes one place with the better entry of two', async () => {
    const sent = await Promise.all([submit(mira, 24), submit(tomas, 4)]);
    Object.assign(ofMira, sent[0]);
    Object.assign(ofTomas, sent[1]);
    ofKenji = (await submit(kenji, 12)).id;
    expect(ofTomas.text).toContain('place 1');
    const shown = await board();
    expect([...shown.matchAll(/<@(\d+)>/g)].map((match) => match[1])).toEqual([tomas.id, kenji.id]);
    expect(shown).toContain(`**Warp Drive** (<@${tomas.id}>)`);
    expect(await read(mira, '/submissions show', { id: ofMira.id })).toContain(
      `submission #${ofTomas.id} of a team mate is better`,
    );
    await mira.press(await say(mira, '/leaderboard show', { name: 'lab' }), 'My place');
    const mine = await mira.waitForMessage(
      (message) => textOf(message).includes('Your place on lab'),
      TIMEOUT,
    );
    expect(textOf(mine)).toContain(`by #${ofTomas.id} of <@${tomas.id}> for **Warp Drive**`);
    const page = (await api(kenji, '/submissions/lab/CPU')).json();
    expect(page).toMatchObject([
      { rank: 1, user_id: tomas.id, user_name: 'Warp Drive (tomas)', submission_id: ofTomas.id },
      { rank: 2, user_id: kenji.id, submission_id: ofKenji },
    ]);
    expect(await read(kenji, '/team show', { team: 'warp drive' })).toMatch(
      /Members \(2 of 4\)[\s\S]*\*\*1\.\*\* on lab · CPU/,
    );
  });

  it('shows its members what the others sent, with the code', async () => {
    const list = await read(mira, '/team submissions', { leaderboard: 'lab' });
    expect(list).toContain(`**#${ofTomas.id}** <@${tomas.id}>`);
    expect(list).not.toContain(`#${ofMira.id}`);
    const detail = await say(mira, '/submissions show', { id: ofTomas.id });
    expect(detail.attachments.map((file) => file.filename)).toContain('in_4_ms.py');
    const compared = await say(tomas, '/submissions compare', { a: ofMira.id, b: ofTomas.id });
    expect(compared.attachments.map((file) => file.filename)).toContain(
      `compare-${ofMira.id}-${ofTomas.id}.diff`,
    );
    expect((await api(tomas, `/user/submissions/${ofMira.id}`)).json()).toMatchObject({ id: ofMira.id });
    expect((await api(tomas, `/runs/${ofMira.id}`)).json().own.code).toContain(MARK);
    // Seeing is not doing.
    expect(await read(mira, '/submissions cancel', { id: ofTomas.id })).toContain('belongs to somebody else');
  });

  it('shows an outsider nothing of that', async () => {
    expect(await read(kenji, '/team submissions')).toContain('You are in no team');
    expect(await read(kenji, '/submissions show', { id: ofMira.id })).toContain('belongs to somebody else');
    expect(await read(kenji, '/submissions compare', { a: ofMira.id, b: ofKenji })).toContain(
      'somebody else',
    );
    expect((await api(kenji, `/user/submissions/${ofMira.id}`)).status).toBe(403);
    expect((await api(kenji, `/runs/${ofMira.id}`)).json().own).toBeNull();
    const [{ secret } = { secret: 0 }] = await running.app.sql<{ secret: number }[]>`
      select secret_score as secret from hotlap.submission_scores where submission_id = ${ofMira.id}`;
    const own = /in_12_ms/;
    const said = (await kenji.visibleMessages()).filter((message) => !own.test(JSON.stringify(message)));
    expect(said.length).toBeGreaterThan(8);
    expect(JSON.stringify(said)).not.toContain(MARK);
    expect(JSON.stringify(said)).not.toContain(String(secret).slice(0, 8));
    for (const { attachments } of said)
      expect(attachments.map((file) => file.filename).filter((name) => /^in_|\.diff$/.test(name))).toEqual(
        [],
      );
  });

  it('tells its members when it begins to share, once', async () => {
    const told = () => running.users.second.visibleMessages();
    const count = async () =>
      (await told()).filter((message) => textOf(message).includes('Warp Drive shares from now on')).length;
    await read(mira, '/team share', { on: true });
    expect(await count()).toBe(0);
    await read(mira, '/team share', { on: false });
    await read(mira, '/team share', { on: true });
    const message = await tomas.waitForMessage(
      (item) => textOf(item).includes('shares from now on'),
      TIMEOUT,
    );
    expect(message.content).toBe(`<@${tomas.id}>`);
    await read(mira, '/team share', { on: true });
    expect(await count()).toBe(1);
  });

  it('is two people again when one leaves, who see nothing of each other any more', async () => {
    expect(await read(tomas, '/team leave')).toContain('You have left Warp Drive');
    expect(await read(running.users.admin, '/admin audit show', { action: 'team leave' })).toContain(
      `member: <@${tomas.id}> → –`,
    );
    expect([...(await board()).matchAll(/<@(\d+)>/g)].map((match) => match[1])).toEqual([
      tomas.id,
      kenji.id,
      mira.id,
    ]);
    expect(await read(mira, '/submissions show', { id: ofTomas.id })).toContain('belongs to somebody else');
    expect((await api(tomas, `/user/submissions/${ofMira.id}`)).status).toBe(403);
    expect(await read(tomas, '/team create', { name: 'Solo' })).toContain('can be in another one from');
    expect(await read(running.users.admin, '/admin team list')).toContain('1 member');
    await read(running.users.admin, '/admin team disband', { team: 'Warp Drive', reason: 'over' });
    expect(await read(mira, '/team show')).toContain('You are in no team');
    expect(await board()).not.toContain('Warp Drive');
  });
});
