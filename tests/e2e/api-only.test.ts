/** Hotlap without Discord, and Discord without the API: each as its own process, as an operator starts it. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertToken } from '../../src/db/tokens.ts';
import { saveUser } from '../../src/db/users.ts';
import { makeToken, tokenHash } from '../../src/domain/account.ts';
import { ApiClient } from '../support/api-client.ts';
import { cliUpload } from '../support/api-stage.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { labSubmissions, writeLabProblems } from '../support/lab-problems.ts';
import { type RunningProgram, startProgram } from '../support/program.ts';

describe('one half of Hotlap', () => {
  let database: TestDatabase;
  let scratch: string;
  const programs: RunningProgram[] = [];
  beforeAll(async () => {
    database = await testDatabase();
    scratch = await mkdtemp(join(tmpdir(), 'hotlap-half-'));
    await cp('problems', join(scratch, 'problems'), { recursive: true });
    await writeLabProblems(join(scratch, 'problems'));
  });
  afterAll(async () => {
    for (const { child, ended } of programs) {
      child.kill('SIGINT');
      await ended;
    }
    await database.drop();
    await rm(scratch, { recursive: true, force: true });
  });

  function start(flag: string): { program: RunningProgram; output: () => string } {
    const program = startProgram([flag], {
      cwd: scratch,
      env: {
        DATABASE_URL: database.databaseUrl,
        HOTLAP_DATA_DIR: join(scratch, flag),
        HOTLAP_PROBLEMS_DIR: join(scratch, 'problems'),
        HOTLAP_API_PORT: '0',
        HOTLAP_PLAYGROUND_PORT: '0',
        HOTLAP_LOG_FORMAT: 'json',
        HOME: scratch,
      },
    });
    programs.push(program);
    let text = '';
    program.child.stdout?.on('data', (data: Buffer) => {
      text += data;
    });
    return { program, output: () => text };
  }

  it('--api-only takes, runs and answers submissions, and has no bot and no playground', async () => {
    const { program, output } = start('--api-only');
    await expect.poll(output, { timeout: 60_000 }).toContain('"Hotlap runs"');
    const url = /"url":"(http:[^"]+)"/.exec(output())?.[1] ?? '';
    expect(output()).not.toMatch(/playground|Discord/);
    const token = makeToken();
    await saveUser(database.sql, { id: '1', name: 'solo' });
    await insertToken(database.sql, {
      kind: 'personal',
      sha256: tokenHash(token),
      userId: '1',
      name: 'test',
    });
    const client = new ApiClient(url, { 'x-popcorn-cli-id': token });
    const sent = await client.call(
      'POST',
      '/submission/lab/CPU/test',
      cliUpload('a.py', labSubmissions.good),
    );
    expect(sent.status).toBe(202);
    const read = async () =>
      (await client.get(`/user/submissions/${sent.json().details.id}`)).json().job.status;
    await expect.poll(read, { timeout: 90_000, interval: 250 }).toBe('succeeded');
    client.close();
    program.child.kill('SIGINT');
    expect((await program.ended).code).toBe(0);
  });

  it('--discord-only opens the playground and no port for the API', async () => {
    const { output } = start('--discord-only');
    await expect.poll(output, { timeout: 60_000 }).toContain('Open the playground');
    expect(output()).not.toContain('HTTP API');
  });
});
