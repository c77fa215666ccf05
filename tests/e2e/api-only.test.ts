/** Hotlap without Discord, and Discord without the API: each as its own process, as an operator starts it. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiClient } from '../support/api-client.ts';
import { cliUpload } from '../support/api-stage.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { labSubmissions, writeLabProblems } from '../support/lab-problems.ts';
import { type RunningProgram, startProgram } from '../support/program.ts';

const ADMIN_TOKEN = 'organiser-organiser-organiser';

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

  it('is one or the other', async () => {
    const program = startProgram(['--api-only', '--discord-only'], { cwd: scratch, env: { HOME: scratch } });
    let said = '';
    program.child.stderr?.on('data', (data: Buffer) => {
      said += data;
    });
    expect((await program.ended).code).toBe(2);
    expect(said).toMatch(/^--api-only stands alone\./);
  });

  function start(flag: string): { program: RunningProgram; output: () => string } {
    const program = startProgram([flag], {
      cwd: scratch,
      env: {
        DATABASE_URL: database.databaseUrl,
        HOTLAP_DATA_DIR: join(scratch, flag),
        HOTLAP_PROBLEMS_DIR: join(scratch, 'problems'),
        HOTLAP_API_PORT: '0',
        HOTLAP_ADMIN_TOKEN: ADMIN_TOKEN,
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
    // Nobody can ask for a token in Discord here, nor sign in.
    const admin = new ApiClient(url, { authorization: `Bearer ${ADMIN_TOKEN}` });
    const give = async (body: object) => (await admin.send('POST', '/admin/tokens', body)).json();
    expect(await give({ user_id: '1', user_name: 'solo' })).toMatchObject({ code: 'invalid' });
    expect((await give({ user_id: 'local:solo' })).detail).toMatch(/^Missing required field: user_name/);
    const { token } = await give({ user_id: 'local:solo', user_name: 'solo', name: 'laptop' });
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

    await give({ user_id: 'local:solo' });
    const revoked = await admin.call('DELETE', '/admin/tokens/local:solo');
    expect(revoked.json()).toEqual({ status: 'ok', user_id: 'local:solo', revoked: 2 });
    expect((await client.get('/user/submissions')).status).toBe(401);
    expect((await admin.call('DELETE', '/admin/tokens/local:nobody')).status).toBe(404);
    const { entries } = (await admin.get('/admin/audit?limit=3')).json();
    expect(entries.map((entry: { action: string }) => entry.action)).toEqual([
      'DELETE /admin/tokens/:user',
      'POST /admin/tokens',
      'submit',
    ]);
    expect(JSON.stringify(entries)).not.toContain(token);
    admin.close();
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
