/** A running Hotlap with its HTTP API, the lab boards, and people with tokens: for the tests of the API. */
import { insertToken } from '../../src/db/tokens.ts';
import { saveUser } from '../../src/db/users.ts';
import { makeToken, tokenHash } from '../../src/domain/account.ts';
import type { Log } from '../../src/log.ts';
import { ApiClient } from './api-client.ts';
import { writeLabProblems } from './lab-problems.ts';
import { type RunningApp, runningApp } from './running-app.ts';

export interface ApiStage {
  running: RunningApp;
  url: string;
  /** Without any header. */
  anyone: ApiClient;
  alice: ApiClient;
  bob: ApiClient;
  aliceToken: string;
  bobToken: string;
  admin: ApiClient;
  adminToken: string;
  /** alice by the website's header. */
  website: ApiClient;
  /** A new person. */
  person(name: string): Promise<ApiClient>;
  stop(): Promise<void>;
}

const ADMIN_TOKEN = 'organiser-organiser-organiser';

/** Without the role of the scheduler: nothing runs, and a test that looks at rules alone is quick. */
export const withoutScheduler = { HOTLAP_ROLES: 'discord,api' };

export async function apiStage(
  options: {
    env?: Record<string, string>;
    log?: Log;
    /** Instead of the lab boards. */
    prepareProblems?: (directory: string) => Promise<void>;
  } = {},
): Promise<ApiStage> {
  const running = await runningApp({
    env: { HOTLAP_ADMIN_TOKEN: ADMIN_TOKEN, ...options.env },
    prepareProblems: options.prepareProblems ?? writeLabProblems,
    ...(options.log && { log: options.log }),
  });
  const { sql, api } = running.app;
  if (!api) throw new Error('the app runs without its API');
  const anyone = new ApiClient(api.url);
  let made = 0;
  const person = async (name: string) => {
    const user = { id: `${700_000_000_000_000_000n + BigInt(++made)}`, name };
    const token = makeToken();
    await saveUser(sql, user);
    await insertToken(sql, { kind: 'personal', sha256: tokenHash(token), userId: user.id, name: 'test' });
    return { user, token, client: anyone.as({ 'x-popcorn-cli-id': token }) };
  };
  const alice = await person('alice');
  const bob = await person('bob');
  // As the website gives it to somebody who signs in there.
  const web = makeToken();
  await sql`update leaderboard.user_info set web_auth_id = ${web} where id = ${alice.user.id}`;
  return {
    running,
    url: api.url,
    anyone,
    alice: alice.client,
    bob: bob.client,
    aliceToken: alice.token,
    bobToken: bob.token,
    website: anyone.as({ 'x-web-auth-id': web }),
    admin: anyone.as({ authorization: `Bearer ${ADMIN_TOKEN}` }),
    adminToken: ADMIN_TOKEN,
    person: async (name) => (await person(name)).client,
    async stop() {
      anyone.close();
      await running.stop();
    },
  };
}

/** A body as the command-line client sends it: one part, no type of its own, the name in raw UTF-8. */
export function cliUpload(
  name: string,
  bytes: string | Buffer,
): { headers: Record<string, string>; body: Buffer } {
  const boundary = '5f4dcc3b5aa765d6-1d8327deb882cf99-5f4dcc3b5aa765d6-1d8327deb882cf99';
  const quoted = name.replace(/["\\]/g, (mark) => `\\${mark}`);
  return {
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    body: Buffer.concat([
      Buffer.from(
        `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${quoted}"\r\n\r\n`,
      ),
      Buffer.from(bytes),
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]),
  };
}
