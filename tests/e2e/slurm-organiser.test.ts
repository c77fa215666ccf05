/** A Slurm cluster in an organiser's hands: added in one message, used for a ranked submission, and across a restart of Hotlap. */
import type { APIMessage } from 'discord-api-types/v10';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findBox } from '../../src/db/boxes.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { labSubmissions, writeLabProblems } from '../support/lab-problems.ts';
import { type RunningApp, runningApp } from '../support/running-app.ts';
import { type SlurmCluster, startSlurm } from '../support/slurm.ts';
import { slurmBoxMissing } from '../support/slurm-box.ts';
import { type Sshd, startSshd } from '../support/sshd.ts';

const missing = slurmBoxMissing();
const TIMEOUT = { timeoutMs: 120_000 };
let cluster: SlurmCluster;
let sshd: Sshd;
let database: TestDatabase;
let running: RunningApp;

const text = (message: APIMessage) => JSON.stringify([message.content, message.embeds]);
const title = (message: APIMessage) => message.embeds[0]?.title ?? '';
const start = () =>
  runningApp({
    env: { HOTLAP_SSH_KEY: sshd.privateKeyPath, HOTLAP_LOCAL_BOX: 'off' },
    prepareProblems: writeLabProblems,
    database,
  });

beforeAll(async () => {
  if (missing !== null) return;
  cluster = await startSlurm();
  sshd = await startSshd({ env: { SLURM_CONF: cluster.configFile } });
  database = await testDatabase();
  running = await start();
});
afterAll(async () => {
  if (missing !== null) return;
  await running?.stop();
  await sshd?.remove();
  await cluster?.remove();
  await database?.drop();
});
beforeEach(({ skip }) => skip(missing !== null, missing ?? ''));

async function add(name: string, options: Record<string, string | number | boolean>): Promise<APIMessage> {
  const { admin } = running.users;
  const at = { name, host: sshd.host, user: sshd.user, port: sshd.port, kind: 'slurm', ...options };
  const asked = await (await admin.slash('/admin box add', at)).answer();
  if (!/^Is this/.test(title(asked))) return asked;
  const handle = await admin.press(asked, 'It is this key: add the box');
  return handle.waitFor((message) => /is ready for|was not added/.test(title(message)), TIMEOUT);
}
const submit = (mode: string) => {
  const file = { name: 'submission.py', bytes: labSubmissions.good };
  return running.users.first.slash('/submit', { file, leaderboard: 'lab-two-gpus', gpu: 'H100', mode });
};
const hotlapJobs = async () => {
  const names = (await cluster.run('squeue', '--noheader', '--format=%j')).split('\n');
  return names.filter((name) => name.startsWith('hotlap.'));
};

describe('a cluster in an organiser’s hands', () => {
  it('is not added with options that do not fit, and the refusal says what does', async () => {
    expect(text(await add('lost', { partition: 'nowhere' }))).toMatch(
      /no partition 'nowhere'; the cluster has gpus.*What to do/,
    );
    expect(text(await add('lost', { gres: 'gpu:h100' }))).toMatch(
      /Requested node configuration is not available/,
    );
    expect(text(await add('lost', { sbatch: '--array=1-9' }))).toContain('--array=1-9 is for Hotlap to set');
    expect(text(await add('lost', { account: 'a, b' }))).toContain('account is not as Slurm writes it');
    expect(text(await add('lost', { kind: 'ssh', gres: 'gpu:h100' }))).toContain('gres is for a cluster');
    expect(await findBox(running.app.sql, 'lost')).toBeNull();
    expect(await hotlapJobs()).toEqual([]);
  });

  it('is added in one message, and takes sixteen jobs at once for its GPU type', async () => {
    const added = await add('cluster', { partition: 'gpus', gres: 'gpu:testcard', gpu: 'H100' });
    expect(title(added)).toBe('cluster is ready for H100');
    expect(text(added)).toMatch(/\*\*Cluster\*\* gpus: 1 node with gpu:testcard:2/);
    expect(text(added)).toMatch(/\*\*Lanes\*\* 16 jobs at once for H100/);
    const row = await findBox(running.app.sql, 'cluster');
    expect(row).toMatchObject({ kind: 'slurm', slurm: { partition: 'gpus', gres: 'gpu:testcard' } });
    const handle = await running.users.admin.slash('/admin box doctor', { name: 'cluster' });
    const report = await handle.waitFor((message) => /: (trouble|in order)$/.test(title(message)), TIMEOUT);
    expect(title(report)).toBe('cluster: in order');
    expect(text(report)).toMatch(/➖ \*\*Canary\*\*/);
  });

  it('runs a ranked submission, public and secret', async () => {
    const handle = await submit('ranked');
    const passed = await handle.waitFor(
      (message) => /^(Passed|Failed|Our fault|Ranked)/.test(title(message)),
      TIMEOUT,
    );
    expect(text(passed)).toMatch(/place 1/);
  });

  it('keeps a job that waits while Hotlap is restarted, and people read why it waits', async () => {
    const blocker = await cluster.run(
      'sbatch',
      '--parsable',
      '--gres=gpu:2',
      '--output=/dev/null',
      '--wrap=sleep 600',
    );
    const handle = await submit('test');
    await handle.waitFor(
      (message) => /waiting in the cluster \((Resources|Priority)\)/.test(text(message)),
      TIMEOUT,
    );
    const [job, ...others] = await hotlapJobs();
    expect(job).toBeDefined();
    expect(others).toEqual([]);
    await running.stop();
    running = await start();
    expect(await hotlapJobs()).toEqual([job]);
    await cluster.run('scancel', blocker.trim());
    const done = async () => {
      const [row] = await running.app.sql<{ status: string; attempt: number; passed: boolean }[]>`
        select status, attempt, passed from hotlap.jobs order by id desc limit 1`;
      return row;
    };
    await expect
      .poll(done, { timeout: 120_000, interval: 100 })
      .toEqual({ status: 'finished', attempt: 1, passed: true });
  });
});
