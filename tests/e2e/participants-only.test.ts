/** Where participants have a role, HTTP is no way around it: Discord is asked what an account carries. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, startApp } from '../../src/app.ts';
import { createInvites } from '../../src/db/invites.ts';
import { insertToken } from '../../src/db/tokens.ts';
import { saveUser } from '../../src/db/users.ts';
import { makeToken, tokenHash } from '../../src/domain/account.ts';
import { makeBoard, testRecord } from '../db/scene.ts';
import { ApiClient } from '../support/api-client.ts';
import { cliUpload } from '../support/api-stage.ts';
import { labSubmissions } from '../support/lab-problems.ts';
import { type LastingPlayground, lastingPlayground } from '../support/lasting-playground.ts';
import { causeFault } from '../support/playground-user.ts';

const ADMIN_TOKEN = 'organiser-organiser-organiser';

let stage: LastingPlayground;
let app: App;
let anyone: ApiClient;
beforeAll(async () => {
  stage = await lastingPlayground({ HOTLAP_ROLES: 'api', HOTLAP_ADMIN_TOKEN: ADMIN_TOKEN });
  app = await startApp(stage.config, stage.log);
  anyone = new ApiClient(app.api?.url ?? '');
});
afterAll(async () => {
  anyone?.close();
  await stage.stop(app);
});

async function account(id: string, name: string) {
  const token = makeToken();
  await saveUser(app.sql, { id, name });
  await insertToken(app.sql, { kind: 'personal', sha256: tokenHash(token), userId: id, name: 'test' });
  return { token, client: anyone.as({ 'x-popcorn-cli-id': token }) };
}
const idOf = (name: string) => stage.playground.users.find((user) => user.name === name)?.id ?? '';
const upload = cliUpload('a.py', labSubmissions.good);
const submit = (client: ApiClient, path = '/submission/lab/CPU/test') => client.call('POST', path, upload);

describe('with a role of participants, over HTTP', () => {
  it('whoever carries it submits, and an admin, and whom an organiser gave a token', async () => {
    const accounts = [
      await account(idOf('mira'), 'mira'),
      await account(idOf('olga'), 'olga'),
      await account('local:lena', 'Lena'),
    ];
    for (const { client } of accounts) expect((await submit(client)).status).toBe(202);
  });

  it('nobody else does, by no path, but their own is theirs to read', async () => {
    const board = await makeBoard(app.sql);
    const wish = { leaderboardIds: [board.id], count: 1 };
    const [code = ''] = await createInvites(app.sql, wish, testRecord());
    const strangers = [
      await account(idOf('sam'), 'sam'),
      await account('github:583231', 'octo'),
      await account('900000000000000001', 'gone'),
    ];
    for (const { client } of strangers) {
      for (const path of ['/submission/lab/CPU/test', '/lab/CPU/test']) {
        const answer = await submit(client, path);
        expect([answer.status, answer.json()]).toEqual([
          403,
          {
            code: 'participants-only',
            detail: expect.stringMatching(
              /^Submissions are for participants.* `\/account link` in Discord\.$/,
            ),
          },
        ]);
      }
      expect((await client.send('POST', '/user/join', { code })).status).toBe(403);
      expect((await client.get('/user/submissions')).json()).toEqual([]);
    }
    const [row] =
      await app.sql`select count(*)::int as count from hotlap.submissions where user_id = ${idOf('sam')}`;
    expect(row).toEqual({ count: 0 });
    // An organiser vouches for whom they submit for.
    const both = anyone.as({
      authorization: `Bearer ${ADMIN_TOKEN}`,
      'x-popcorn-cli-id': strangers[0]?.token ?? '',
    });
    expect((await submit(both, '/admin/submission/lab/CPU/test')).status).toBe(202);
  });

  it('while Discord does not answer nobody gets in by that, and everybody is told to try again', async () => {
    const { client } = await account(idOf('tomas'), 'tomas');
    const route = '/guilds/*/members/*';
    await causeFault(stage.playground, { kind: 'respond', status: 500, times: 4, route });
    const answer = await submit(client);
    expect([answer.status, answer.json().code, answer.headers['retry-after']]).toEqual([
      503,
      'roles-unknown',
      '5',
    ]);
    await expect.poll(async () => (await submit(client)).status, { timeout: 30_000 }).toBe(202);
  });
});
