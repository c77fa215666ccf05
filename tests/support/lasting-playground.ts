/** A stand-in for Discord that outlives the Hotlap on it, so that messages of an earlier run are still there. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { App } from '../../src/app.ts';
import { parseConfig } from '../../src/config.ts';
import { createLog, type Log } from '../../src/log.ts';
import { type Playground, startPlayground } from '../../src/playground/playground.ts';
import { type TestDatabase, testDatabase } from './database.ts';
import { writeLabProblems } from './lab-problems.ts';

export interface LastingPlayground {
  playground: Playground;
  database: TestDatabase;
  /** What was logged as an error, by every Hotlap that ran here. */
  errors: { msg: string; error?: { message?: string } }[];
  log: Log;
  config: ReturnType<typeof parseConfig>;
  problemsDir: string;
  /** As the bot: `request('DELETE', '/channels/1')`. */
  request(method: string, path: string, body?: object): Promise<{ id: string }>;
  stop(app: App | null): Promise<void>;
}

export async function lastingPlayground(env: Record<string, string>): Promise<LastingPlayground> {
  const scratch = await mkdtemp(join(tmpdir(), 'hotlap-lasting-'));
  const problemsDir = join(scratch, 'problems');
  await cp('problems', problemsDir, { recursive: true });
  await writeLabProblems(problemsDir);
  const [playground, database] = await Promise.all([startPlayground({ port: 0 }), testDatabase()]);
  const { roleIds } = playground;
  const errors: LastingPlayground['errors'] = [];
  const log = createLog(
    { level: 'error', format: 'json' },
    { write: (line) => errors.push(JSON.parse(line)) },
  );
  return {
    playground,
    database,
    errors,
    log,
    problemsDir,
    config: parseConfig({
      DATABASE_URL: database.databaseUrl,
      DISCORD_TOKEN: playground.token,
      DISCORD_API_URL: playground.restApi,
      DISCORD_APPLICATION_ID: playground.applicationId,
      DISCORD_GUILD_ID: playground.guildId,
      DISCORD_ADMIN_ROLE_ID: roleIds.admin,
      DISCORD_CREATOR_ROLE_ID: roleIds.creator,
      DISCORD_JUDGE_ROLE_ID: roleIds.judge,
      DISCORD_PARTICIPANT_ROLE_ID: roleIds.participant,
      DISCORD_CHANNEL_ID: playground.channelId,
      DISCORD_ADMIN_CHANNEL_ID: playground.adminChannelId,
      HOTLAP_DATA_DIR: join(scratch, 'data'),
      HOTLAP_PROBLEMS_DIR: problemsDir,
      HOTLAP_API_PORT: '0',
      HOTLAP_LOCAL_BOX: 'off',
      ...env,
    }),
    async request(method, path, body) {
      const response = await fetch(`${playground.restApi}/v10${path}`, {
        method,
        headers: { authorization: `Bot ${playground.token}`, 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
      });
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
      return response.status === 204 ? { id: '' } : ((await response.json()) as { id: string });
    },
    async stop(app) {
      await app?.stop();
      await playground.close();
      await database.drop();
      await rm(scratch, { recursive: true, force: true });
    },
  };
}
