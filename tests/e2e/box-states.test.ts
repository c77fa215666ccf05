/**
 * Boxes as an organiser handles them, over a real OpenSSH server: added live in one message, looked over, drained,
 * quarantined with the evidence and back by themselves. A stand-in for the driver's tool gives the machine a GPU.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { APIMessage } from 'discord-api-types/v10';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findBox } from '../../src/db/boxes.ts';
import { installFakeGpus, setFakeGpus } from '../support/fake-gpus.ts';
import { labSubmissions, writeLabProblems } from '../support/lab-problems.ts';
import type { PlaygroundUser } from '../support/playground-user.ts';
import { type RunningApp, runningApp } from '../support/running-app.ts';
import { type Sshd, sshdMissing, startSshd } from '../support/sshd.ts';

const TIMEOUT = { timeoutMs: 120_000 };
const POLL = { timeout: 120_000, interval: 100 };

function text(message: APIMessage): string {
  return JSON.stringify([message.content, message.embeds]);
}

describe.skipIf(sshdMissing() !== null)('a box in an organiser’s hands', () => {
  let tools: string;
  let sshd: Sshd;
  let running: RunningApp;
  let first: PlaygroundUser;
  let admin: PlaygroundUser;
  let engine: ChildProcess | null = null;

  beforeAll(async () => {
    tools = await mkdtemp(path.join(tmpdir(), 'hotlap-tools-'));
    await installFakeGpus(tools, [{}]);
    const env = { PATH: `${tools}:/usr/local/bin:/usr/bin:/bin`, DOCKER_STAND_IN: tools };
    sshd = await startSshd({ env });
    running = await runningApp({
      env: { HOTLAP_SSH_KEY: sshd.privateKeyPath, HOTLAP_LOCAL_BOX: 'off' },
      prepareProblems: writeLabProblems,
    });
    ({ first, admin } = running.users);
  });

  afterAll(async () => {
    await running?.stop();
    engine?.kill('SIGKILL');
    await sshd?.remove();
    await rm(tools, { recursive: true, force: true });
  });

  const add = async (name: string, options: Record<string, string | number | boolean> = {}) => {
    const at = { name, host: sshd.host, user: sshd.user, port: sshd.port, ...options };
    const asked = await (await admin.slash('/admin box add', at)).answer();
    const handle = await admin.press(asked, 'It is this key: add the box');
    return handle.waitFor(
      (message) => /is ready for|was not added/.test(message.embeds[0]?.title ?? ''),
      TIMEOUT,
    );
  };
  const stateOf = async (name: string) => (await findBox(running.app.sql, name))?.state;
  const doctor = async (name: string) => {
    const handle = await admin.slash('/admin box doctor', { name });
    return handle.waitFor((message) => /: (trouble|in order)$/.test(message.embeds[0]?.title ?? ''), TIMEOUT);
  };
  const submit = async () => {
    const file = { name: 'submission.py', bytes: labSubmissions.good };
    const handle = await first.slash('/submit', {
      file,
      leaderboard: 'lab-two-gpus',
      gpu: 'H100',
      mode: 'test',
    });
    return handle.waitFor(
      (message) => /^(Passed|Failed|Our fault)/.test(message.embeds[0]?.title ?? ''),
      TIMEOUT,
    );
  };

  it('is added in one message that tells each step, after the canary ran', async () => {
    const added = await add('alpha');
    expect(added.embeds[0]?.title).toBe('alpha is ready for H100');
    const steps = (added.embeds[0]?.description ?? '').split('\n').map((line) => line.slice(0, 24));
    expect(steps.join('\n')).toMatch(
      /✅ \*\*Host key\*\*.*\n✅ \*\*Login\*\*.*\n(.*\n)+✅ \*\*Lanes\*\*.*\n\S+ \*\*Canary\*\*/,
    );
    expect((await submit()).embeds[0]?.title).toMatch(/^Passed/);
  });

  it('is in order, says the doctor, and what was looked at', async () => {
    const report = await doctor('alpha');
    expect(report.embeds[0]?.title).toBe('alpha: in order');
    for (const name of ['Login', 'GPUs', 'Sandbox', 'Disk', 'Clock', 'Idle', 'Canary']) {
      expect(text(report)).toContain(`**${name}**`);
    }
  });

  it('gets nothing new while it is drained, and what waits runs when it is resumed', async () => {
    const drained = await (await admin.slash('/admin box drain', { name: 'alpha' })).answer();
    expect(text(drained)).toContain('nothing new is started');
    expect(text(await (await admin.slash('/admin box list')).answer())).toMatch(/🟠 \*\*alpha\*\*.*drained/);
    const file = { name: 'submission.py', bytes: labSubmissions.good };
    const handle = await first.slash('/submit', {
      file,
      leaderboard: 'lab-two-gpus',
      gpu: 'H100',
      mode: 'test',
    });
    await handle.waitFor((message) => text(message).includes('position 1'), TIMEOUT);
    await admin.slash('/admin box resume', { name: 'alpha' });
    await handle.waitFor((message) => (message.embeds[0]?.title ?? '').startsWith('Passed'), TIMEOUT);
    const again = await (await admin.slash('/admin box resume', { name: 'alpha' })).answer();
    expect(text(again)).toContain('neither drained nor in quarantine');
  });

  it('goes into quarantine while somebody else uses its GPU, says who, and comes back by itself', async () => {
    const busy = {
      utilization: 88,
      memoryUsedMib: 30_500,
      process: { name: 'python3', pid: 1, memoryMib: 30_000 },
    };
    await setFakeGpus(tools, [busy]);
    const waiting = submit();
    await expect.poll(() => stateOf('alpha'), POLL).toBe('quarantined');
    const notice = await admin.waitForMessage(
      (message) => text(message).includes('alpha is in quarantine'),
      TIMEOUT,
    );
    expect(text(notice)).toContain('88 % busy, 30500 MiB in use by python3 (pid 1, root, 30000 MiB)');
    expect(text(await doctor('alpha'))).toContain('is not idle');
    expect(await stateOf('alpha')).toBe('quarantined');
    await setFakeGpus(tools, [{}]);
    await running.app.sql`update hotlap.boxes set check_after = now() where name = 'alpha'`;
    // It may have been let in on the strength of the look after the job before, and have passed by now.
    expect((await waiting).embeds[0]?.title).toMatch(/^Passed/);
    await expect.poll(() => stateOf('alpha'), POLL).toBe('ready');
    await admin.waitForMessage((message) => text(message).includes('alpha is back'), TIMEOUT);
  });

  it('comes back at once when the doctor finds it in order', async () => {
    await running.app.sql`
      update hotlap.boxes set state = 'quarantined', check_after = now() + interval '1 hour' where name = 'alpha'`;
    expect((await doctor('alpha')).embeds[0]?.title).toBe('alpha: in order');
    expect(await stateOf('alpha')).toBe('ready');
  });

  it('goes into quarantine when its canary got slow', async () => {
    const { sql } = running.app;
    await sql`
      update hotlap.boxes set baseline = jsonb_set(baseline, '{cpu_ns}', '1000'), checked_at = now() - interval '7 hours'
      where name = 'alpha'`;
    await expect.poll(() => stateOf('alpha'), POLL).toBe('quarantined');
    expect((await findBox(sql, 'alpha'))?.problem).toMatch(/Canary: the CPU part takes [\d.]+ times as long/);
    await admin.slash('/admin box remove', { name: 'alpha' });
  });

  it('without a working sandbox is refused, unless the admin says unsafe, and then every result says so', async () => {
    const broken = '#!/bin/sh\necho "bwrap: no permissions" >&2\nexit 1\n';
    await mkdir(tools, { recursive: true });
    await writeFile(path.join(tools, 'bwrap'), broken, { mode: 0o755 });
    const refused = await add('beta');
    expect(refused.embeds[0]?.title).toBe('beta was not added');
    expect(text(refused)).toContain('offers no sandbox');
    expect(text(refused)).toContain('deploy/box/install.sh');
    expect(await findBox(running.app.sql, 'beta')).toBe(null);

    expect((await add('beta', { unsafe: true })).embeds[0]?.title).toBe('beta is ready for H100');
    const result = await submit();
    expect(text(result)).toContain('Run without a sandbox');
    expect(text(await (await admin.slash('/admin box list')).answer())).toContain('without a sandbox');
    await rm(path.join(tools, 'bwrap'));
    await admin.slash('/admin box remove', { name: 'beta' });
  });

  it('with a container for a sandbox runs submissions in it, and is refused where the image is missing', async () => {
    await copyFile('tests/fixtures/runner/docker_stand_in.py', path.join(tools, 'docker'));
    await chmod(path.join(tools, 'docker'), 0o755);
    engine = spawn('python3', [path.join(tools, 'docker'), 'serve'], {
      env: { ...process.env, DOCKER_STAND_IN: tools },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((ready) => engine?.stdout?.once('data', ready));
    expect(text(await add('delta', { container: 'docker:gone:1' }))).toContain(
      'docker has no image gone:1 here',
    );
    expect((await add('delta', { container: 'docker:stand-in:1' })).embeds[0]?.title).toBe(
      'delta is ready for H100',
    );
    const result = await submit();
    expect(result.embeds[0]?.title).toMatch(/^Passed/);
    const [run] = await running.app.sql`select sandbox from hotlap.runs order by id desc limit 1`;
    expect(run).toEqual({ sandbox: 'docker' });
    await (await admin.slash('/admin box remove', { name: 'delta' })).answer();
    const at = { name: 'epsilon', host: sshd.host, user: sshd.user, port: sshd.port, container: 'lxc:image' };
    const refused = await (await admin.slash('/admin box add', at)).answer();
    expect(text(refused)).toContain('names no container');
    const { container: _, ...plain } = at;
    const strange = await (await admin.slash('/admin box add', { ...plain, gpu: 'H100, big one!' })).answer();
    expect(text(strange)).toContain('one! is not a usable GPU type');
    const deaf = await (await admin.slash('/admin box add', { ...plain, port: 1 })).answer();
    const [, place] = text(deaf).split('could not be used: ');
    expect(place).toMatch(/^nothing listens on that port/);
  });

  it('with fewer GPUs than slots is not added', async () => {
    expect(text(await add('gamma', { slots: 2 }))).toContain('2 slots were asked for, and there are 1 GPUs');
    expect(await findBox(running.app.sql, 'gamma')).toBe(null);
  });
});
