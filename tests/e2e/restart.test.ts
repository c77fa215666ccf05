/** A restart of the bot in mid-job: the job on the box does not notice, and its owner gets the result. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type App, startApp } from '../../src/app.ts';
import { parseConfig } from '../../src/config.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { writeLabProblems } from '../support/lab-problems.ts';
import { playgroundUser } from '../support/playground-user.ts';
import { quietLog } from '../support/quiet-log.ts';

const run = promisify(execFile);

const SLOW_TEST = `import time

def custom_kernel(data):
    time.sleep(1.5)
    return [2 * x for x in data]
`;

describe('a restart in mid-job', () => {
  let scratch: string;
  let database: TestDatabase;
  const apps: App[] = [];

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'hotlap-restart-'));
    await cp('problems', join(scratch, 'problems'), { recursive: true });
    await writeLabProblems(join(scratch, 'problems'));
    database = await testDatabase();
  });

  afterAll(async () => {
    for (const app of apps) await app.stop();
    await database.drop();
    await rm(scratch, { recursive: true, force: true });
  });

  async function start(): Promise<App> {
    const config = parseConfig({
      DATABASE_URL: database.databaseUrl,
      HOTLAP_DATA_DIR: join(scratch, 'data'),
      HOTLAP_PROBLEMS_DIR: join(scratch, 'problems'),
      HOTLAP_PLAYGROUND_PORT: '0',
      HOTLAP_API_PORT: '0',
    });
    const app = await startApp(config, quietLog);
    apps.push(app);
    return app;
  }

  it('attaches to the running job instead of starting it again, and delivers by direct message', async () => {
    const before = await start();
    if (!before.playground) throw new Error('no playground');
    const user = playgroundUser(before.playground, before.playground.users[0]?.id ?? '');
    const file = { name: 'slow.py', bytes: SLOW_TEST };
    const handle = await user.slash('/submit', { file, leaderboard: 'lab', mode: 'test' });
    await handle.waitFor((message) => JSON.stringify(message.embeds).includes('on `local`: test'), {
      timeoutMs: 30_000,
    });
    user.close();
    apps.splice(apps.indexOf(before), 1);
    await before.stop();
    const [left] = await database.sql`select status, attempt from hotlap.jobs`;
    expect(left).toMatchObject({ status: 'running', attempt: 1 });

    const after = await start();
    if (!after.playground) throw new Error('no playground');
    // The new stand-in does not know the old interaction, as Discord does not after 15 minutes.
    const again = playgroundUser(after.playground, after.playground.users[0]?.id ?? '');
    await again.watch();
    const message = await again.waitForMessage(
      (item) => JSON.stringify(item.embeds).includes('Passed · #1'),
      {
        timeoutMs: 60_000,
      },
    );
    expect((await again.directMessages()).map((item) => item.id)).toContain(message.id);
    again.close();
    apps.splice(apps.indexOf(after), 1);
    await after.stop();
    const [job] = await database.sql`select status, attempt, passed from hotlap.jobs`;
    expect(job).toEqual({ status: 'finished', attempt: 1, passed: true });
    const runs = await database.sql`select stage from hotlap.runs`;
    expect(runs).toHaveLength(1);
  });

  it('after Ctrl-C starts anew what ran on this machine, and no process is left meanwhile', async () => {
    const before = await start();
    if (!before.playground) throw new Error('no playground');
    const user = playgroundUser(before.playground, before.playground.users[0]?.id ?? '');
    const file = { name: 'slow.py', bytes: SLOW_TEST };
    const handle = await user.slash('/submit', { file, leaderboard: 'lab', mode: 'test' });
    await handle.waitFor((message) => JSON.stringify(message.embeds).includes('on `local`: test'), {
      timeoutMs: 30_000,
    });
    user.close();
    apps.splice(apps.indexOf(before), 1);
    await before.stop({ endLocalJobs: true });
    const [left] = await database.sql`
      select j.id, j.status, j.failures, a.ended_by from hotlap.jobs j
      join hotlap.job_attempts a on a.job_id = j.id order by j.id desc limit 1`;
    expect(left).toMatchObject({ status: 'queued', failures: 0, ended_by: 'stopped' });
    const { stdout } = await run('ps', ['-eo', 'args']);
    expect(stdout.split('\n').filter((line) => line.includes(scratch))).toEqual([]);

    await start();
    await vi.waitFor(
      async () => {
        const [job] =
          await database.sql`select status, attempt, passed from hotlap.jobs where id = ${left?.id}`;
        expect(job).toEqual({ status: 'finished', attempt: 2, passed: true });
      },
      { timeout: 60_000, interval: 100 },
    );
  });
});
