/** Tokens: who comes in with which, how they end, and that none of them can be read back. */
import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseAccounts } from '../../src/api/accounts.ts';
import { linkCli, linkCliByDiscord, openCliLogin } from '../../src/db/cli-logins.ts';
import {
  findAdminByToken,
  findUserByToken,
  findUserByWebToken,
  insertPersonalToken,
  insertToken,
  listTokens,
  revokeTokens,
} from '../../src/db/tokens.ts';
import { saveUser } from '../../src/db/users.ts';
import { MAX_OWN_TOKENS, makeToken, ownTokenKinds, tokenHash } from '../../src/domain/account.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { makeUser } from './scene.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase({ maxConnections: 12 });
});
afterAll(() => database.drop());

async function personal(user = makeUser()): Promise<{ token: string; id: number; user: typeof user }> {
  const token = makeToken();
  const id = await insertPersonalToken(database.sql, user, { sha256: tokenHash(token), name: 'laptop' });
  if (id === null) throw new Error('no room for a token');
  return { token, id, user };
}

async function adminToken(user = makeUser()): Promise<{ token: string; id: number }> {
  await saveUser(database.sql, user);
  const token = makeToken();
  const row = { kind: 'admin', sha256: tokenHash(token), userId: user.id, name: 'ci' } as const;
  return { token, id: await insertToken(database.sql, row) };
}

describe('a token', () => {
  it('can be sent in a header and written into YAML as it is, and no two are alike', () => {
    const tokens = Array.from({ length: 1000 }, makeToken);
    expect(new Set(tokens).size).toBe(1000);
    for (const token of tokens) expect(token).toMatch(/^hotlap_[\w-]{43}$/);
  });

  it('names its owner until it is revoked', async () => {
    const { token, id, user } = await personal();
    expect(await findUserByToken(database.sql, token)).toEqual({ userId: user.id, userName: user.name });
    expect(await revokeTokens(database.sql, { kinds: ownTokenKinds, userId: makeUser().id, id })).toBe(0);
    expect(await revokeTokens(database.sql, { kinds: ownTokenKinds, userId: user.id, id })).toBe(1);
    expect(await findUserByToken(database.sql, token)).toBe(null);
    expect(await revokeTokens(database.sql, { kinds: ownTokenKinds, userId: user.id, id })).toBe(0);
  });

  it('of one kind opens no other door', async () => {
    const { token, user } = await personal();
    const admin = await adminToken();
    const web = randomBytes(16).toString('hex');
    await database.sql`update hotlap.users set web_auth_id = ${web} where id = ${user.id}`;
    const owner = { userId: user.id, userName: user.name };
    const found = await Promise.all(
      [token, admin.token, web, tokenHash(token), ''].map(async (text) => [
        await findUserByToken(database.sql, text),
        await findUserByWebToken(database.sql, text),
        (await findAdminByToken(database.sql, text))?.name ?? null,
      ]),
    );
    expect(found).toEqual([
      [owner, null, null],
      [null, null, 'ci'],
      [null, owner, null],
      [null, null, null],
      [null, null, null],
    ]);
  });

  it('is used without a write each time', async () => {
    const { token, user } = await personal();
    const used = async () =>
      (await listTokens(database.sql, { kinds: ownTokenKinds, userId: user.id }))[0]?.lastUsedAt;
    expect(await used()).toBe(null);
    await findUserByToken(database.sql, token);
    const first = await used();
    expect(first).toBeInstanceOf(Date);
    await findUserByToken(database.sql, token);
    expect(await used()).toEqual(first);
    await database.sql`update hotlap.api_tokens set last_used_at = now() - interval '6 minutes' where user_id = ${user.id}`;
    await findUserByToken(database.sql, token);
    expect((await used())?.getTime()).toBeGreaterThanOrEqual(first?.getTime() ?? Number.NaN);
  });

  it('is given to a person up to a number, also where many are asked for at once', async () => {
    const user = makeUser();
    const asked = Array.from({ length: MAX_OWN_TOKENS + 5 }, () =>
      insertPersonalToken(database.sql, user, { sha256: tokenHash(makeToken()), name: 'x' }),
    );
    const given = (await Promise.all(asked)).filter((id) => id !== null);
    expect(given).toHaveLength(MAX_OWN_TOKENS);
    const cliId = randomUUID();
    await openCliLogin(database.sql, { sha256: tokenHash(cliId), provider: 'github' });
    expect(await linkCliByDiscord(database.sql, user, tokenHash(cliId))).toBe('full');
    await revokeTokens(database.sql, { kinds: ownTokenKinds, userId: user.id });
    expect(await linkCliByDiscord(database.sql, user, tokenHash(cliId))).toBe('linked');
    expect(await linkCliByDiscord(database.sql, user, tokenHash(cliId))).toBe('unknown-id');
    expect(await findUserByToken(database.sql, cliId)).toMatchObject({ userId: user.id });
  });
});

describe('an organiser', () => {
  it('comes in with a token of the database or the configured one, and with nothing where neither exists', async () => {
    const { token } = await adminToken();
    const configured = randomBytes(32).toString('hex');
    const none = databaseAccounts(database.sql, null);
    const one = databaseAccounts(database.sql, configured);
    expect(await none.findAdmin(token)).toMatchObject({ name: expect.stringMatching(/^ci \(user /) });
    expect(await one.findAdmin(configured)).toMatchObject({ name: 'HOTLAP_ADMIN_TOKEN' });
    for (const wrong of ['', 'None', 'null', 'undefined', configured.slice(1), `${configured}x`]) {
      expect(await none.findAdmin(wrong)).toBe(null);
      expect(await one.findAdmin(wrong)).toBe(null);
    }
    expect(await none.findAdmin(configured)).toBe(null);
  });
});

describe('a registration by sign-in', () => {
  it('of one account, many times at once, links one client', async () => {
    const identity = { provider: 'github', subject: '9001', name: 'racer' } as const;
    const ids = Array.from({ length: 8 }, () => randomUUID());
    const outcomes = await Promise.all(
      ids.map((cliId) => linkCli(database.sql, { sha256: tokenHash(cliId), identity, isReset: false })),
    );
    expect(outcomes.filter((outcome) => outcome === 'registered-already')).toHaveLength(7);
    expect(await listTokens(database.sql, { kinds: ['cli'], userId: 'github:9001' })).toHaveLength(1);
  });

  it('leaves personal tokens alone when it replaces the client', async () => {
    const { token, user } = await personal({ id: '112233445566770001', name: 'both' });
    const identity = { provider: 'discord', subject: user.id, name: 'Both' } as const;
    // Known from Discord, so a reset is taken without a registration before it.
    expect(await linkCli(database.sql, { sha256: tokenHash('a'), identity, isReset: true })).toMatchObject({
      userId: user.id,
    });
    expect(await linkCli(database.sql, { sha256: tokenHash('b'), identity, isReset: true })).toMatchObject({
      userName: 'Both',
    });
    expect(await findUserByToken(database.sql, 'a')).toBe(null);
    expect(await findUserByToken(database.sql, 'b')).toMatchObject({ userId: user.id });
    expect(await findUserByToken(database.sql, token)).toMatchObject({ userId: user.id });
  });
});
