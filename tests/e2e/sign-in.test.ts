/**
 * Registration of a command-line client over the wire: the client's own steps (client-contract 1.11), a stand-in of both
 * providers, browsers and programs, and everything that must be refused.
 */
import { Agent } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findUserByToken } from '../../src/db/tokens.ts';
import type { Provider } from '../../src/domain/account.ts';
import { createLog } from '../../src/log.ts';
import { ApiClient } from '../support/api-client.ts';
import { OAuthProvider, type ProviderFault } from '../support/oauth-provider.ts';
import { type RunningApp, runningApp } from '../support/running-app.ts';

const PUBLIC_URL = 'https://hotlap.example';
const browserHeaders = { accept: 'text/html,application/xhtml+xml', 'sec-fetch-site': 'cross-site' };

let running: RunningApp;
let client: ApiClient;
let provider: OAuthProvider;
const logged: string[] = [];
/** Ids and tickets that were given out: no log, no table and no page may hold them. */
const givenOut: string[] = [];

beforeAll(async () => {
  provider = new OAuthProvider(PUBLIC_URL);
  await provider.start();
  running = await runningApp({
    env: { HOTLAP_ROLES: 'discord,api', ...provider.env },
    log: createLog({ level: 'trace', format: 'json' }, { write: (line) => logged.push(line) }),
  });
  client = new ApiClient(running.app.api?.url ?? '');
});
afterEach(() => {
  provider.fault = null;
  provider.denies = false;
});
afterAll(async () => {
  client.close();
  await running.stop();
  await provider.stop();
});

async function init(name: Provider): Promise<string> {
  const answer = await client.get(`/auth/init?provider=${name}`);
  expect(answer.status).toBe(200);
  const { state } = answer.json();
  expect(state).toMatch(/^[0-9a-f-]{36}$/);
  givenOut.push(state);
  return state;
}

/** As the client makes it: compact JSON, base64url without padding. */
function stateOf(cliId: string, isReset = false): string {
  return Buffer.from(`{"cli_id":"${cliId}","is_reset":${isReset}}`).toString('base64url');
}

/** The provider's page as the client opens it; where the browser is sent from there. */
function signIn(name: Provider, state: string): Promise<string> {
  const redirect = encodeURIComponent(`${PUBLIC_URL}/auth/cli/${name}`);
  const start =
    name === 'discord'
      ? `/oauth2/authorize?client_id=${provider.clientId}&response_type=code&redirect_uri=${redirect}&scope=identify&state=${state}`
      : `/login/oauth/authorize?client_id=${provider.clientId}&state=${state}&redirect_uri=${redirect}`;
  return provider.visit(provider.url + start);
}

/** A whole registration by a program; its answer and the client's id. */
async function register(name: Provider, isReset = false) {
  const cliId = await init(name);
  const answer = await client.get(await signIn(name, stateOf(cliId, isReset)));
  return { cliId, answer };
}

const owner = (cliId: string) => findUserByToken(running.app.sql, cliId);
const visitAs = (path: string, method = 'GET', body?: string) =>
  client.call(method, path, {
    headers: {
      ...browserHeaders,
      ...(body !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
    },
    ...(body !== undefined && { body }),
  });
const ticketOf = (page: string) => {
  const ticket = /name="ticket" value="([\w-]{43})"/.exec(page)?.[1] ?? '';
  givenOut.push(ticket);
  return ticket;
};

describe('a registration', () => {
  it('by Discord gives the plain id, by GitHub one with its provider; neither works before', async () => {
    const cliId = await init('discord');
    expect(await owner(cliId)).toBe(null);
    const answer = await client.get(await signIn('discord', stateOf(cliId)));
    expect([answer.status, answer.json()]).toEqual([
      200,
      {
        status: 'success',
        message: 'The command line is linked to Ada.',
        user_id: '112233445566778899',
        user_name: 'Ada',
        is_reset: false,
      },
    ]);
    expect(await owner(cliId)).toEqual({ userId: '112233445566778899', userName: 'Ada' });

    const other = await register('github');
    expect(other.answer.json()).toMatchObject({ user_id: 'github:583231', user_name: 'octo' });
    expect(await owner(other.cliId)).toEqual({ userId: 'github:583231', userName: 'octo' });
  });

  it('is refused to those who have one; a reset replaces it, and is refused to those who have none', async () => {
    provider.account.github = { id: 42, login: 'forty-two' };
    const unknown = await register('github', true);
    expect([unknown.answer.status, unknown.answer.json().detail]).toEqual([
      400,
      'There is no account of this GitHub user yet. Use "register" to create it.',
    ]);
    const first = await register('github');
    expect(first.answer.status).toBe(200);
    const again = await register('github');
    expect([again.answer.status, again.answer.json().code]).toEqual([400, 'registered-already']);
    expect(await owner(again.cliId)).toBe(null);
    expect(await owner(first.cliId)).toMatchObject({ userId: 'github:42' });
    const reset = await register('github', true);
    expect(reset.answer.json()).toMatchObject({ status: 'success', is_reset: true });
    expect(await owner(first.cliId)).toBe(null);
    expect(await owner(reset.cliId)).toMatchObject({ userId: 'github:42' });
  });

  it('works once: the same address again, or twice at once, links nothing more', async () => {
    provider.account.github = { id: 43, login: 'once' };
    const cliId = await init('github');
    const [one, two] = [await signIn('github', stateOf(cliId)), await signIn('github', stateOf(cliId))];
    const answers = await Promise.all([client.get(one), client.get(two)]);
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 400]);
    const again = await client.get(one);
    expect([again.status, again.json().code]).toEqual([400, 'unknown-login']);
  });

  it('is bound to its provider, and is over after ten minutes', async () => {
    const cliId = await init('github');
    const wrong = await client.get(await signIn('discord', stateOf(cliId)));
    expect([wrong.status, wrong.json().code]).toEqual([400, 'unknown-login']);
    await running.app.sql`update hotlap.cli_logins set expires_at = now() - interval '1 second'`;
    const late = await client.get(await signIn('github', stateOf(cliId)));
    expect([late.status, late.json().code]).toEqual([400, 'unknown-login']);
    await init('github');
    const [left] = await running.app.sql`select count(*) as count from hotlap.cli_logins`;
    expect(left?.count).toBe(1);
  });

  it.each<[string, string, number]>([
    ['', 'Missing authorization code or state', 400],
    ['?code=x', 'Missing authorization code or state', 400],
    ['?state=x', 'Missing authorization code or state', 400],
    ['?code=x&state=x', 'Invalid state parameter: it is not one that a command line makes.', 400],
    [
      `?code=x&state=${stateOf('../../x')}`,
      'Invalid state parameter: it is not one that a command line makes.',
      400,
    ],
    [
      `?code=x&state=${Buffer.from('{"cli_id":["a"],"is_reset":0}').toString('base64url')}`,
      'Invalid state parameter: it is not one that a command line makes.',
      400,
    ],
    [
      `?code=x&state=${'A'.repeat(1900)}`,
      'Invalid state parameter: it is not one that a command line makes.',
      400,
    ],
    ['?error=access_denied&error_description=%3Cb%3E', 'The sign-in with GitHub was not completed.', 401],
  ])('refuses /auth/cli/github%s', async (query, detail, status) => {
    const answer = await client.get(`/auth/cli/github${query}`);
    expect(answer.json().detail).toContain(detail);
    expect(answer.status).toBe(status);
  });

  it('refuses other providers, repeated parameters and an id that nobody was given', async () => {
    for (const path of [
      '/auth/init?provider=gitlab',
      '/auth/cli/google?code=a&state=b',
      '/auth/cli/confirm',
    ]) {
      const answer = await client.get(path);
      expect([answer.status, answer.json().detail]).toEqual([
        400,
        "Invalid provider, must be 'discord' or 'github'",
      ]);
    }
    for (const path of [
      '/auth/init',
      '/auth/init?provider=a&provider=b',
      '/auth/cli/github?code=a&code=b&state=c',
    ]) {
      const answer = await client.get(path);
      expect([answer.status, typeof answer.json().detail]).toEqual([422, 'string']);
    }
    const stranger = await client.get(
      await signIn('github', stateOf('3e5c2a1b-0c1d-4f6e-9a7b-123456789abc')),
    );
    expect([stranger.status, stranger.json().code]).toEqual([400, 'unknown-login']);
  });

  it('fails in words when the person says no, the code is wrong or the provider misbehaves; then starts anew', async () => {
    provider.account.github = { id: 44, login: 'patient' };
    provider.denies = true;
    expect((await register('github')).answer.status).toBe(401);
    provider.denies = false;
    for (const name of ['discord', 'github'] as const) {
      const path = `/auth/cli/${name}?code=wrong&state=${stateOf(await init(name))}`;
      const answer = await client.get(path);
      const reason = name === 'github' ? 'bad_verification_code' : 'invalid_grant';
      expect([answer.status, answer.json().detail]).toEqual([
        401,
        expect.stringContaining(`(${reason}). Nothing was linked`),
      ]);
      expect(answer.text).not.toContain('wrong');
    }
    const faults: [ProviderFault, number][] = [
      ['hangs-up', 502],
      ['breaks', 502],
      ['speaks-html', 502],
      ['redirects', 502],
      ['floods', 502],
      ['forgets-who', 401],
    ];
    for (const [fault, status] of faults) {
      provider.fault = fault;
      const { cliId, answer } = await register('github');
      expect([fault, answer.status]).toEqual([fault, status]);
      expect(answer.json().detail).toContain('Nothing was linked');
      expect(await owner(cliId)).toBe(null);
    }
    expect(provider.strayRequests).toBe(0);
    provider.fault = null;
    expect((await register('github')).answer.status).toBe(200);
  });
});

describe('a browser', () => {
  // From another address: so many registrations from one are too many in a minute.
  const elsewhere = new Agent({ keepAlive: true, localAddress: '127.0.0.2' });
  beforeAll(() => {
    client.close();
    client = client.on(elsewhere);
  });

  it('is asked first, and links with its button, once', async () => {
    provider.account.discord = { id: '112233445566778811', username: 'eve', global_name: '<img src=x>&"' };
    const cliId = await init('discord');
    const page = await visitAs(await signIn('discord', stateOf(cliId)));
    expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.headers).toMatchObject({
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    expect(page.headers['content-security-policy']).toMatch(
      /default-src 'none'.*form-action 'self'.*frame-ancestors 'none'/,
    );
    expect(page.text).toContain(cliId.slice(0, 8));
    expect(page.text).not.toContain(cliId);
    expect(page.text).not.toContain('<img');
    expect(page.text).toContain('&#60;img src=x&#62;&#38;&#34;');
    expect(await owner(cliId)).toBe(null);

    const ticket = ticketOf(page.text);
    const forged = await visitAs('/auth/cli/confirm', 'POST', `ticket=${'x'.repeat(43)}&answer=yes`);
    expect([forged.status, forged.text]).toEqual([
      400,
      expect.stringContaining('used already or is too old'),
    ]);
    const done = await visitAs('/auth/cli/confirm', 'POST', `ticket=${ticket}&answer=yes`);
    expect([done.status, done.text]).toEqual([200, expect.stringContaining('Your command line is linked')]);
    expect(await owner(cliId)).toMatchObject({ userId: '112233445566778811' });
    const again = await visitAs('/auth/cli/confirm', 'POST', `ticket=${ticket}&answer=yes`);
    expect(again.status).toBe(400);
  });

  it('that loads the address as a picture or as part of a page links nothing', async () => {
    provider.account.discord = { id: '112233445566778813', username: 'lured', global_name: null };
    for (const headers of [
      { accept: 'image/avif,image/webp,*/*;q=0.8' },
      { accept: '*/*', 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
      { accept: 'text/html' },
    ]) {
      const cliId = await init('discord');
      const path = await signIn('discord', stateOf(cliId));
      expect((await client.call('GET', path, { headers })).text).toContain('Is this your command line?');
      expect(await owner(cliId)).toBe(null);
    }
  });

  it('that says no, or never answers, links nothing', async () => {
    provider.account.discord = { id: '112233445566778812', username: 'no', global_name: null };
    const cliId = await init('discord');
    const page = await visitAs(await signIn('discord', stateOf(cliId)));
    const ticket = ticketOf(page.text);
    const no = await visitAs('/auth/cli/confirm', 'POST', `ticket=${ticket}&answer=no`);
    expect(no.text).toContain('Nothing was linked');
    expect((await visitAs('/auth/cli/confirm', 'POST', `ticket=${ticket}&answer=yes`)).status).toBe(400);
    expect(await owner(cliId)).toBe(null);
    const slow = await init('discord');
    const late = ticketOf((await visitAs(await signIn('discord', stateOf(slow)))).text);
    await running.app.sql`update hotlap.cli_logins set expires_at = now() - interval '1 second'`;
    expect((await visitAs('/auth/cli/confirm', 'POST', `ticket=${late}&answer=yes`)).status).toBe(400);
    expect(await owner(slow)).toBe(null);
  });

  it('reads refusals as pages, with nothing of the address in them', async () => {
    const page = await visitAs('/auth/cli/github?code=%3Cscript%3E&state=%3Cscript%3E');
    expect([page.status, page.headers['content-type']]).toEqual([400, 'text/html; charset=utf-8']);
    expect(page.text).toContain('Invalid state parameter');
    expect(page.text).not.toContain('script');
    const bad = await visitAs('/auth/cli/confirm', 'POST', 'ticket=a&answer=maybe');
    expect(bad.status).toBe(422);
    expect((await visitAs('/auth/cli/confirm', 'POST', `ticket=${'a'.repeat(5000)}&answer=yes`)).status).toBe(
      413,
    );
  });

  it('is sent to the provider’s page by this server, and nowhere else', async () => {
    provider.account.github = { id: 45, login: 'selfhosted' };
    const cliId = await init('github');
    const start = await client.call(
      'GET',
      `/auth/start/github?cli_id=${cliId}&redirect_uri=https://evil.example&next=//evil.example`,
      { headers: { host: 'evil.example', 'x-forwarded-host': 'evil.example' } },
    );
    expect(start.status).toBe(302);
    const location = new URL(start.headers.location ?? '');
    expect(location.origin + location.pathname).toBe(`${provider.url}/login/oauth/authorize`);
    expect(Object.fromEntries(location.searchParams)).toEqual({
      client_id: provider.clientId,
      response_type: 'code',
      redirect_uri: `${PUBLIC_URL}/auth/cli/github`,
      state: stateOf(cliId),
    });
    const answer = await client.get(await provider.visit(location.href));
    expect(answer.json()).toMatchObject({ user_id: 'github:45' });
    const reset = await client.get(`/auth/start/discord?cli_id=${await init('discord')}&reset=true`);
    expect(new URL(reset.headers.location ?? '').searchParams.get('scope')).toBe('identify');
    for (const path of ['/auth/start/gitlab?cli_id=', '/auth/start/github', '/auth/start/github?cli_id=x']) {
      const refused = await client.get(path);
      expect([400, 422]).toContain(refused.status);
      expect(refused.headers.location).toBeUndefined();
    }
  });
});

describe('what was given out', () => {
  it('is in no log line and in no table', async () => {
    expect(logged.join('')).toContain('"action":"GET /auth/cli/:provider"');
    expect(logged.join('')).toContain('a sign-in provider refused');
    const tables = await running.app.sql<{ name: string }[]>`
      select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'hotlap'`;
    const rows = await Promise.all(
      tables.map(({ name }) => running.app.sql.unsafe(`select to_jsonb(t)::text as row from ${name} t`)),
    );
    const kept = JSON.stringify(rows);
    expect(kept).toContain('112233445566778811');
    const secrets = [...givenOut, ...provider.secrets];
    expect(secrets.length).toBeGreaterThan(40);
    for (const secret of secrets) {
      expect(kept).not.toContain(secret);
      expect(logged.join('')).not.toContain(secret);
    }
  });
});
