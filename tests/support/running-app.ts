/** The whole of Hotlap for an end-to-end test: real database, real discord.js client over the stand-in, real problems. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type App, startApp } from '../../src/app.ts';
import { parseConfig } from '../../src/config.ts';
import type { Log } from '../../src/log.ts';
import type { Playground } from '../../src/playground/playground.ts';
import { type TestDatabase, testDatabase } from './database.ts';
import { type PlaygroundUser, playgroundUser } from './playground-user.ts';
import { quietLog } from './quiet-log.ts';

export interface RunningApp {
  app: App;
  playground: Playground;
  database: TestDatabase;
  problemsDir: string;
  dataDir: string;
  /** The participants and the admin, as the playground names them. */
  users: { first: PlaygroundUser; second: PlaygroundUser; admin: PlaygroundUser };
  stop(): Promise<void>;
}

/** `prepareProblems` may add sets to a copy of `problems/` before Hotlap reads it. */
export async function runningApp(options: {
  env?: Record<string, string>;
  prepareProblems?: (directory: string) => Promise<void>;
  /** Instead of a fresh one; it is the caller's to remove. */
  database?: TestDatabase;
  /** Instead of silence. */
  log?: Log;
}): Promise<RunningApp> {
  const scratch = await mkdtemp(join(tmpdir(), 'hotlap-e2e-'));
  const problemsDir = join(scratch, 'problems');
  await cp('problems', problemsDir, { recursive: true });
  await options.prepareProblems?.(problemsDir);
  const database = options.database ?? (await testDatabase());
  const dataDir = join(scratch, 'data');
  const config = parseConfig({
    DATABASE_URL: database.databaseUrl,
    HOTLAP_DATA_DIR: dataDir,
    HOTLAP_PROBLEMS_DIR: problemsDir,
    HOTLAP_PLAYGROUND_PORT: '0',
    HOTLAP_API_PORT: '0',
    ...options.env,
  });
  const app = await startApp(config, options.log ?? quietLog);
  const { playground } = app;
  if (!playground) throw new Error('without a token there is a playground');
  const [first, second, admin] = playground.users.map((user) => playgroundUser(playground, user.id));
  if (!first || !second || !admin) throw new Error('the playground has three users');
  return {
    app,
    playground,
    database,
    problemsDir,
    dataDir,
    users: { first, second, admin },
    async stop() {
      for (const user of [first, second, admin]) user.close();
      await app.stop();
      if (!options.database) await database.drop();
      await rm(scratch, { recursive: true, force: true });
    },
  };
}
