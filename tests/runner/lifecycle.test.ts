import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { JobSpec } from '../../src/domain/protocol.ts';
import { verbValue } from '../../src/domain/protocol.ts';
import { type Agent, HONEST, lastLine, listProcesses, onlyStage, TestBox, waitFor } from './runner-client.ts';

let box: TestBox;
let agent: Agent;
beforeAll(async () => {
  box = new TestBox();
  agent = await box.agent();
});
afterAll(() => box.close());

/** Runs until it is ended, with a child that carries `token` in its command line. */
const endless = (token: string): string => `
import subprocess, sys
def custom_kernel(data):
    code = "import os, time; os.setsid(); time.sleep(3600)"
    subprocess.run([sys.executable, "-c", code, "${token}"])
`;
const endlessJob = (token: string, change: Partial<JobSpec> = {}): JobSpec =>
  box.job({ submission: endless(token), harness: 'pool', timeoutS: 3600, change });
const isRunning = (token: string): boolean => listProcesses(token).length > 0;
const supervisorPid = (job: JobSpec): number =>
  Number(readFileSync(join(box.jobFolder(job.job_key), 'supervisor.pid'), 'utf8'));

describe('start', () => {
  it('attaches to a job that exists, while it runs and after it, from any agent', async () => {
    const job = box.job({ submission: HONEST });
    const other = await box.agent();
    const started = await Promise.all([
      agent.start(job),
      other.start(job),
      agent.start(job),
      other.start(job),
    ]);
    expect(started.filter(({ attached }) => !attached)).toHaveLength(1);
    const first = await agent.follow(job.job_key);
    expect(await other.start(job)).toEqual({ attached: true });
    expect(await other.follow(job.job_key)).toEqual(first);
    expect(first.events.filter((event) => event.type === 'started')).toHaveLength(1);
  });

  it('refuses what is no job and names the field', async () => {
    const job = box.job({ submission: HONEST });
    const cases: [object, string, RegExp][] = [
      [{ ...job, protocol: 2 }, 'protocol-error', /protocol/],
      [{ ...job, job_key: '../x' }, 'bad-request', /job_key/],
      [{ ...job, files: { ...job.files, '../x': '' } }, 'bad-request', /files/],
      [{ ...job, files: { ...job.files, '/etc/x': '' } }, 'bad-request', /files/],
      [{ ...job, main: 'other.py' }, 'bad-request', /main/],
      [{ ...job, stages: [] }, 'bad-request', /stages/],
      [{ ...job, surprise: 1 }, 'bad-request', /surprise/],
      [{ ...job, world_size: '2' }, 'bad-request', /world_size/],
    ];
    for (const [value, kind, message] of cases) {
      const refusal = expect(agent.request('start', { job: value, seed: null })).rejects;
      await refusal.toMatchObject({ kind, message: expect.stringMatching(message) });
    }
    await expect(agent.request('start', { job, seed: 'x' })).rejects.toMatchObject({ kind: 'bad-request' });
    await expect(agent.request('dance' as 'start', {})).rejects.toMatchObject({ kind: 'bad-request' });
    expect(await agent.request('status', { job_key: job.job_key })).toEqual({ state: 'unknown' });
  });

  it('runs jobs side by side and keeps their replies apart', async () => {
    const jobs = [1, 2, 3].map(() => box.job({ submission: HONEST }));
    const runs = await Promise.all(jobs.map((job) => agent.run(job)));
    expect(runs.map(({ result }) => result.job_key)).toEqual(jobs.map((job) => job.job_key));
    expect(runs.map(({ result }) => lastLine(onlyStage(result), 'check'))).toEqual(['pass', 'pass', 'pass']);
  });

  it('runs files in nested folders', async () => {
    const files = { 'kernels/__init__.py': '', 'kernels/deep/sorting.py': HONEST };
    const submission = 'from kernels.deep.sorting import custom_kernel\n';
    for (const sandbox of ['auto', 'off'] as const) {
      const { result } = await agent.run(
        box.job({ submission, files, harness: 'pool', change: { sandbox } }),
      );
      expect(lastLine(onlyStage(result), 'check')).toBe('pass');
    }
  });
});

describe('follow', () => {
  it('refuses a job that nobody knows', async () => {
    await expect(agent.follow('999.9')).rejects.toMatchObject({ kind: 'unknown-job' });
  });

  it('goes on from an event number after the agent was killed, and the job never noticed', async () => {
    const submission = 'import time\ndef custom_kernel(data):\n    time.sleep(1)\n    return sorted(data)\n';
    const job = box.job({ submission, timeoutS: 60 });
    const mortal = await box.agent();
    await mortal.start(job);
    const seen: number[] = [];
    const cut = mortal.follow(job.job_key, 0, (event) => {
      seen.push(event.n);
      if (event.type === 'stage') mortal.kill();
    });
    await expect(cut).rejects.toThrow('the agent ended');
    const heir = await box.agent();
    expect(await heir.request('status', { job_key: job.job_key })).toEqual({ state: 'running' });
    const { result, events } = await heir.follow(job.job_key, seen.length);
    expect([...seen, ...events.map((event) => event.n)]).toEqual(
      Array.from({ length: seen.length + events.length }, (_, index) => index),
    );
    expect(events.at(-1)).toMatchObject({ type: 'finished' });
    expect(lastLine(onlyStage(result), 'check')).toBe('pass');
  });
});

describe.each(['auto', 'off'] as const)('cancel with sandbox %s', (sandbox) => {
  it('ends everything from another agent before it answers, and leaves a result', async () => {
    const token = `hotlap-cancel-${sandbox}`;
    const job = endlessJob(token, { sandbox });
    await agent.start(job);
    const following = agent.follow(job.job_key);
    await waitFor('the job to run', () => isRunning(token));
    const other = await box.agent();
    expect(await other.request('cancel', { job_key: job.job_key })).toEqual({ found: true });
    expect(listProcesses(token)).toEqual([]);
    const { result, events } = await following;
    expect(result).toMatchObject({ outcome: 'cancelled', error: null });
    expect(result.stages[0]?.lines[0]).toEqual(['test-count', '2']);
    expect(events.at(-1)).toMatchObject({ type: 'finished', outcome: 'cancelled' });
    expect(await other.request('cancel', { job_key: job.job_key })).toEqual({ found: false });
  });

  it('ends what a killed supervisor left behind', async () => {
    const token = `hotlap-left-${sandbox}`;
    const job = endlessJob(token, { sandbox });
    await agent.start(job);
    await waitFor('the job to run', () => isRunning(token));
    process.kill(supervisorPid(job), 'SIGKILL');
    await agent.request('cancel', { job_key: job.job_key });
    expect(listProcesses(token)).toEqual([]);
    expect((await agent.follow(job.job_key)).result.outcome).toBe('cancelled');
  });

  it('says runner-crashed for a killed supervisor, with its processes dead', async () => {
    const token = `hotlap-crash-${sandbox}`;
    const job = endlessJob(token, { sandbox });
    await agent.start(job);
    const following = expect(agent.follow(job.job_key)).rejects.toMatchObject({ kind: 'runner-crashed' });
    await waitFor('the job to run', () => isRunning(token));
    process.kill(supervisorPid(job), 'SIGKILL');
    await following;
    expect(listProcesses(token)).toEqual([]);
    expect(await agent.request('status', { job_key: job.job_key })).toEqual({ state: 'dead' });
  });

  it('kills a supervisor that does not react, and does its work', async () => {
    const token = `hotlap-stopped-${sandbox}`;
    const job = endlessJob(token, { sandbox });
    await agent.start(job);
    await waitFor('the job to run', () => isRunning(token));
    process.kill(supervisorPid(job), 'SIGSTOP');
    expect(await agent.request('cancel', { job_key: job.job_key })).toEqual({ found: true });
    expect(listProcesses(token)).toEqual([]);
    expect((await agent.follow(job.job_key)).result.outcome).toBe('cancelled');
  });
});

describe('forget and sweep', () => {
  it('forgets a finished job and no other', async () => {
    const job = box.job({ submission: HONEST });
    await agent.run(job);
    expect(await agent.request('forget', { job_key: job.job_key })).toEqual({ removed: true });
    expect(existsSync(box.jobFolder(job.job_key))).toBe(false);
    expect(await agent.request('forget', { job_key: job.job_key })).toEqual({ removed: false });
    const running = endlessJob('hotlap-unforgettable');
    await agent.start(running);
    expect(await agent.request('forget', { job_key: running.job_key })).toEqual({ removed: false });
    await agent.request('cancel', { job_key: running.job_key });
  });

  it('ends and removes what is not kept, and nothing of another instance', async () => {
    const foreign = await box.agent('neighbour');
    const [kept, gone, done, far] = [
      endlessJob('hotlap-kept'),
      endlessJob('hotlap-gone'),
      box.job({ submission: HONEST }),
      endlessJob('hotlap-far'),
    ];
    await Promise.all([agent.start(kept), agent.start(gone), agent.run(done), foreign.start(far)]);
    await waitFor('all to run', () => ['hotlap-kept', 'hotlap-gone', 'hotlap-far'].every(isRunning));
    const { removed } = await agent.request('sweep', { keep: [kept.job_key] });
    expect(removed).toEqual(expect.arrayContaining([gone.job_key, done.job_key]));
    expect(removed).not.toContain(kept.job_key);
    expect(['hotlap-kept', 'hotlap-gone', 'hotlap-far'].map(isRunning)).toEqual([true, false, true]);
    expect(existsSync(box.jobFolder(done.job_key))).toBe(false);
    await foreign.request('sweep', { keep: [] });
    await agent.request('sweep', { keep: [] });
    expect(isRunning('hotlap-kept') || isRunning('hotlap-far')).toBe(false);
  });
});

describe('probe', () => {
  it('describes this machine, and a result carries the same facts', async () => {
    const report = await agent.request('probe', {});
    expect(report.cpu_count).toBeGreaterThan(0);
    expect(report.disk_free_mib).toBeGreaterThan(0);
    expect(Math.abs(Date.parse(report.clock_utc) - Date.now())).toBeLessThan(60_000);
    expect(execFileSync(report.python_path, ['-V'], { encoding: 'utf8' })).toBe(`Python ${report.python}\n`);
    expect(report.sandbox_problem === null).toBe(report.sandbox === 'bwrap');
    const { result } = await agent.run(box.job({ submission: HONEST }));
    expect(result.sandbox).toBe(report.sandbox);
    expect(result.system).toMatchObject({
      hostname: report.hostname,
      cpu: report.cpu,
      platform: report.platform,
    });
  });

  it('says why there is no sandbox', () => {
    const empty = mkdtempSync(join(tmpdir(), 'hotlap-empty-'));
    chmodSync(empty, 0o755);
    writeFileSync(join(empty, 'bwrap'), '#!/bin/sh\necho "bwrap: no namespaces for you" >&2\nexit 1\n', {
      mode: 0o755,
    });
    const python = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], {
      encoding: 'utf8',
    }).trim();
    const text = execFileSync(python, [box.archive, 'probe', '--root', empty], {
      encoding: 'utf8',
      env: { ...process.env, PATH: empty },
    });
    rmSync(empty, { recursive: true });
    expect(verbValue.probe.parse(JSON.parse(text))).toMatchObject({
      sandbox: 'none',
      sandbox_problem: expect.stringContaining('no namespaces for you'),
    });
  });
});

describe('the command line', () => {
  it('starts, follows, shows, cancels and sweeps as the agent does', async () => {
    const job = box.job({ submission: HONEST });
    const path = join(box.root, 'job.json');
    writeFileSync(path, JSON.stringify(job));
    expect(box.cli('start', [path, '--seed-stdin'], '77\n')).toEqual([{ attached: false }]);
    const lines = box.cli('follow', [job.job_key]);
    expect(lines.at(-1)).toEqual({ result: (await agent.follow(job.job_key)).result });
    expect(box.cli('follow', [job.job_key, '--from', '2'])).toEqual(lines.slice(2));
    expect(box.cli('status', [job.job_key])).toEqual([{ state: 'finished' }]);
    expect(box.cli('cancel', [job.job_key])).toEqual([{ found: false }]);
    expect(box.cli('sweep', [])).toEqual([{ removed: expect.arrayContaining([job.job_key]) }]);
  });
});

const canMount = process.platform === 'linux' && process.getuid?.() === 0;
describe.skipIf(!canMount)(
  `a full disk${canMount ? '' : ' (skipped: only root can mount a small one)'}`,
  () => {
    let small: TestBox;
    let root: string;
    beforeEach(({ skip }) => skip(!canMount, 'only root on Linux can mount a small disk'));
    beforeAll(() => {
      if (!canMount) return;
      root = mkdtempSync(join(tmpdir(), 'hotlap-small-'));
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', root]);
      small = new TestBox(root);
    });
    afterAll(() => {
      if (!canMount) return;
      execFileSync('umount', ['-l', root]);
      rmSync(root, { recursive: true });
      rmSync(join(small.archive, '..'), { recursive: true });
    });

    it('in the middle of a job is reported as the box’s fault', async () => {
      const submission = `${HONEST}import os, time
while os.path.exists(os.path.join("${root}", "room")):
    time.sleep(0.01)
for _ in range(200):
    os.write(int(os.environ["POPCORN_FD"]), b"note: " + b"x" * 1000 + b"\\n")
`;
      writeFileSync(join(root, 'room'), '');
      const agentThere = await small.agent();
      const job = small.job({ submission, change: { sandbox: 'off' } });
      await agentThere.start(job);
      const following = agentThere.follow(job.job_key, 0, (event) => {
        if (event.type !== 'stage' || event.state !== 'running') return;
        execFileSync('sh', ['-c', `dd if=/dev/zero of=${root}/ballast bs=1k 2>&1; rm ${root}/room`]);
      });
      const { result } = await following;
      expect(result).toMatchObject({ outcome: 'box-error', error: { kind: 'disk-full' }, stages: [] });
    });

    it('before a job refuses the start, and a job can start when there is room again', async () => {
      const agentThere = await small.agent();
      const job = small.job({ submission: HONEST });
      await expect(agentThere.start(job)).rejects.toMatchObject({ kind: 'disk-full' });
      rmSync(join(root, 'ballast'));
      expect((await agentThere.run(job)).result.outcome).toBe('finished');
      await agentThere.request('sweep', { keep: [] });
      agentThere.kill();
    });
  },
);
