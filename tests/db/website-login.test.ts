/** What the website writes, an account and its token at a login, and what its role may not do. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findUserByWebToken } from '../../src/db/tokens.ts';
import { saveUser } from '../../src/db/users.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { loginQuery } from './website-queries.ts';
import { type WebsiteRole, websiteRole } from './website-role.ts';

let database: TestDatabase;
let role: WebsiteRole;

beforeAll(async () => {
  database = await testDatabase();
  role = await websiteRole(database);
});
afterAll(async () => {
  await role.drop();
  await database.drop();
});

describe('a login on the website', () => {
  const login = async (id: string, name: string, token: string) =>
    (await role.sql.unsafe(loginQuery, [id, name, token]))[0];
  const user = async (id: string) =>
    (await database.sql`select id, name, web_auth_id from hotlap.users where bare_id = ${id}`)[0];

  it('makes an account with its token, once', async () => {
    const id = '112233445566778899';
    const token = randomBytes(16).toString('hex');
    expect(await login(id, 'ada', token)).toEqual({ id, user_name: 'ada', web_auth_id: token });
    expect(await login(id, 'eve', randomBytes(16).toString('hex'))).toBeUndefined();
    expect(await user(id)).toEqual({ id, name: 'ada', web_auth_id: token });
    expect(await findUserByWebToken(database.sql, token)).toEqual({ userId: id, userName: 'ada' });
  });

  it('gives an account that we made its token, and knows GitHub and Google accounts by their numbers', async () => {
    await saveUser(database.sql, { id: 'github:583231', name: 'octo' });
    const token = randomBytes(16).toString('hex');
    expect(await login('583231', 'other', token)).toEqual({
      id: '583231',
      user_name: 'octo',
      web_auth_id: token,
    });
    expect(await user('583231')).toMatchObject({ id: 'github:583231' });
    await login('583232', 'hub', randomBytes(16).toString('hex'));
    await login('123456789012345678901', 'goo', randomBytes(16).toString('hex'));
    expect(await user('583232')).toMatchObject({ id: 'github:583232' });
    expect(await user('123456789012345678901')).toMatchObject({ id: 'google:123456789012345678901' });
  });

  it('refuses an account without a number and a token that could be guessed', async () => {
    await expect(login('github:1; drop', 'x', randomBytes(16).toString('hex'))).rejects.toThrow(/account id/);
    await expect(login('112233445566778800', 'x', 'short')).rejects.toThrow(/web_auth_id/);
  });
});

describe('the role of the website', () => {
  it.each([
    'select * from hotlap.submissions',
    'select secret_seed from hotlap.submissions',
    'select * from hotlap.runs where secret',
    'select * from hotlap.api_tokens',
    'delete from leaderboard.user_info',
    "update leaderboard.submission set file_name = 'x'",
    'insert into leaderboard.gpu_type values (1, $$x$$)',
  ])('may not: %s', async (statement) => {
    await expect(role.sql.unsafe(statement)).rejects.toThrow(/permission denied|cannot update view/);
  });
});
