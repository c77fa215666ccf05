/** `/account` and `/admin token` on the playground: a token is seen by its owner alone, once, and works until revoked. */
import type { APIMessage } from 'discord-api-types/v10';
import { MessageFlags } from 'discord-api-types/v10';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findAdminByToken, findUserByToken } from '../../src/db/tokens.ts';
import { createLog } from '../../src/log.ts';
import { ApiClient } from '../support/api-client.ts';
import type { PlaygroundUser, SlashOptions } from '../support/playground-user.ts';
import { type RunningApp, runningApp } from '../support/running-app.ts';

let running: RunningApp;
let client: ApiClient;
let first: PlaygroundUser;
let second: PlaygroundUser;
let admin: PlaygroundUser;
const logged: string[] = [];
const tokens: string[] = [];

beforeAll(async () => {
  running = await runningApp({
    env: { HOTLAP_ROLES: 'discord,api', HOTLAP_PUBLIC_URL: 'https://hotlap.example/api/' },
    log: createLog({ level: 'trace', format: 'json' }, { write: (line) => logged.push(line) }),
  });
  client = new ApiClient(running.app.api?.url ?? '');
  ({ first, second, admin } = running.users);
});
afterAll(async () => {
  client.close();
  await running.stop();
});

const textOf = (message: APIMessage) =>
  message.embeds.map((embed) => `${embed.title}\n${embed.description}`).join('\n');

/** The answer's text; every answer of these commands is for its user alone. */
async function say(user: PlaygroundUser, command: string, options: SlashOptions = {}): Promise<string> {
  const message = await (await user.slash(command, options)).answer();
  expect((message.flags ?? 0) & MessageFlags.Ephemeral).toBe(MessageFlags.Ephemeral);
  return textOf(message);
}

function tokenIn(text: string): string {
  const found = text.match(/hotlap_[\w-]{43}/g) ?? [];
  expect(found).toHaveLength(1);
  tokens.push(found[0] ?? '');
  return found[0] ?? '';
}

const owner = (token: string) => findUserByToken(running.app.sql, token);
const choices = (user: PlaygroundUser, command: string, value = '') =>
  user.autocomplete(command, { focused: 'token', value });

describe('/account', () => {
  it('gives a token with what to do with it, lists it without it, and takes it back', async () => {
    expect(await say(first, '/account show')).toContain('`/account link` gives you one');
    const given = await say(first, '/account link', { name: 'lap`top' });
    const token = tokenIn(given);
    expect(given).toContain(`cli_id: ${token}`);
    expect(given).toContain('export POPCORN_API_URL=https://hotlap.example/api\n');
    expect(await owner(token)).toEqual({ userId: first.id, userName: first.name });

    const shown = await say(first, '/account show');
    expect(shown).toMatch(/#\d+\*\* `lapˋtop` · token · made <t:\d+:d> · used <t:\d+:R>/);
    expect(shown).not.toContain(token);
    expect(await say(second, '/account show')).not.toContain('top');
    expect(await choices(second, '/account revoke')).toEqual([]);
    const [choice] = await choices(first, '/account revoke', 'lap');
    expect(choice?.name).toMatch(/^#\d+ lap`top \(token\)$/);

    const number = String(choice?.value);
    expect(await say(second, '/account revoke', { token: number })).toContain(`There is no token ${number}`);
    expect(await owner(token)).not.toBe(null);
    expect(await say(first, '/account revoke', { token: number })).toContain('stopped working');
    expect(await owner(token)).toBe(null);
    expect(await say(first, '/account revoke', { token: number })).toContain('There is no token');
    expect(await say(first, '/account revoke', { token: '1; drop' })).toContain('There is no token');
  });

  it('takes all of one’s tokens back at once, and nobody else’s', async () => {
    const mine = [tokenIn(await say(first, '/account link')), tokenIn(await say(first, '/account link'))];
    const other = tokenIn(await say(second, '/account link'));
    expect((await choices(first, '/account revoke')).at(-1)).toEqual({ name: 'All 2', value: 'all' });
    expect(await say(first, '/account revoke', { token: 'all' })).toContain('All 2 tokens stopped working');
    expect(await Promise.all(mine.map(owner))).toEqual([null, null]);
    expect(await owner(other)).toMatchObject({ userId: second.id });
  });

  it('links the id of a command line that has registered, once, and no other', async () => {
    const { state } = (await client.get('/auth/init?provider=github')).json();
    tokens.push(state);
    expect(await say(first, '/account link', { cli_id: ` ${state.toUpperCase()} ` })).toContain('is linked');
    expect(await owner(state)).toMatchObject({ userId: first.id });
    expect(await say(first, '/account show')).toContain('registered command line');
    for (const cliId of [state, 'abc', '3e5c2a1b-0c1d-4f6e-9a7b-123456789abc']) {
      expect(await say(second, '/account link', { cli_id: cliId })).toContain(
        'No command line with this id waits',
      );
    }
    expect(await owner(state)).toMatchObject({ userId: first.id });
  });

  it('gives no more than ten', async () => {
    await say(second, '/account revoke', { token: 'all' });
    for (let i = 0; i < 10; i++) tokenIn(await say(second, '/account link', { name: `t${i}` }));
    expect(await say(second, '/account link')).toContain('You have 10 tokens, and more are not given');
    expect((await say(second, '/account show')).split('\n')).toHaveLength(11);
  });
});

describe('/admin token', () => {
  it('is for organisers: makes, lists and revokes tokens of the admin routes', async () => {
    await expect(first.slash('/admin token create', { name: 'x' })).rejects.toThrow();
    expect(await say(admin, '/admin token list')).toContain('There is none');
    const given = await say(admin, '/admin token create', { name: 'nightly' });
    const token = tokenIn(given);
    expect(given).toContain(
      `export POPCORN_API_URL=https://hotlap.example/api\nexport POPCORN_ADMIN_TOKEN=${token}`,
    );
    expect(await findAdminByToken(running.app.sql, token)).toMatchObject({
      name: 'nightly',
      userId: admin.id,
    });
    expect(await owner(token)).toBe(null);
    const listed = await say(admin, '/admin token list');
    expect(listed).toContain(`\`nightly\` · admin token · made by ${admin.name}`);
    expect(listed).not.toContain(token);
    // It is no token of the organiser as a participant.
    expect(await say(admin, '/account show')).toContain('You have none');
    const [choice] = await choices(admin, '/admin token revoke', 'night');
    expect(await say(admin, '/admin token revoke', { token: String(choice?.value) })).toContain(
      'stopped working',
    );
    expect(await findAdminByToken(running.app.sql, token)).toBe(null);
    expect(await say(admin, '/admin token revoke', { token: 'nightly' })).toContain('/admin token list');
  });

  it('shows whose tokens work and ends one that leaked', async () => {
    const token = tokenIn(await say(first, '/account link', { name: 'leaked' }));
    const listed = await say(admin, '/admin token list', { user: first.id });
    const number = /#(\d+)\*\* `leaked`/.exec(listed)?.[1] ?? '';
    expect(listed).not.toContain(token);
    expect(await say(admin, '/admin token revoke', { token: `#${number}` })).toContain('stopped working');
    expect(await owner(token)).toBe(null);
  });
});

describe('a token', () => {
  it('is in no log line, and nobody but its owner ever saw it', async () => {
    expect(logged.join('')).toContain('"action":"account link"');
    expect(tokens.length).toBeGreaterThan(14);
    const [atFirst, atSecond] = await Promise.all(
      [first, second].map(async (user) => JSON.stringify(await user.state())),
    );
    for (const token of tokens) {
      expect(logged.join('')).not.toContain(token);
      const byFirst = (atFirst ?? '').includes(token);
      const bySecond = (atSecond ?? '').includes(token);
      expect(byFirst && bySecond).toBe(false);
    }
  });
});
