/** What is taken away on a box in mid-life: its root folder, the runner, a process. The next job runs all the same. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, type TestContext } from 'vitest';
import { BoxConnection, type ConnectionOptions } from '../../src/boxes/connection.ts';
import { JobMayStillRun, runOnBox } from '../../src/boxes/run-on-box.ts';
import { loadRunnerArchive, type RunnerArchive } from '../../src/boxes/runner-archive.ts';
import type { JobSpec } from '../../src/domain/protocol.ts';
import { type Sshd, sshdMissing, startSshd } from '../support/sshd.ts';

type Kind = 'ssh' | 'local';

const missing = sshdMissing();
let folder: string;
let archive: RunnerArchive;
let sshd: Sshd | undefined;
let lastId = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hotlap-healing-'));
  archive = await loadRunnerArchive();
  if (missing === null) sshd = await startSshd();
});
afterAll(async () => {
  await sshd?.remove();
  await rm(folder, { recursive: true, force: true });
});

function rootOf(kind: Kind): string {
  return join(folder, `root-${kind}`);
}

async function connectionTo(
  kind: Kind,
  context: TestContext,
  options: Partial<ConnectionOptions> = {},
): Promise<BoxConnection> {
  if (kind === 'ssh' && missing !== null) context.skip(missing);
  const far = kind === 'ssh' ? sshd : undefined;
  const address = {
    id: '1',
    name: kind,
    kind,
    host: far?.host ?? null,
    port: far?.port ?? null,
    username: far?.user ?? null,
    hostKeyFingerprint: far?.hostKeyFingerprint ?? null,
  };
  const connection = new BoxConnection(address, {
    archive,
    instance: 'test',
    dataDir: folder,
    root: rootOf(kind),
    ...(far !== undefined && { privateKey: await readFile(far.privateKeyPath, 'utf8') }),
    ...options,
  });
  onTestFinished(() => connection.close());
  return connection;
}

const evalProgram = `
import os, sys
import submission
with os.fdopen(int(os.environ["POPCORN_FD"]), "w") as out:
    print("check:", submission.custom_kernel(), file=out, flush=True)
`;
const quick = 'def custom_kernel():\n    return "pass"\n';
/** Starts a process that gets out of its session and its process group, and never ends. */
const endless = `
import os, time
def custom_kernel():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(3600)
        os._exit(0)
    time.sleep(3600)
`;
/** The evaluation program and the one that got away from it. */
const submittedProcesses = 2;
const patient = `import time\n\ndef custom_kernel():\n    time.sleep(2)\n    return "pass"\n`;

/** Each job carries a word of its own in its environment, by which `processesOf` finds what is left of it. */
function newJob(submission: string, sandbox: JobSpec['sandbox'] = 'auto'): JobSpec {
  lastId += 1;
  return {
    protocol: 1,
    job_key: `${lastId}.1`,
    lang: 'py',
    files: { 'eval.py': evalProgram, 'submission.py': submission },
    main: 'eval.py',
    warmup: null,
    stages: [{ name: 'test', mode: 'test', timeout_s: 100, cases: 'size: 1\n' }],
    env: { HEALING_TEST: `${folder}.${lastId}` },
    world_size: null,
    sandbox,
  };
}

function secondAttempt(job: JobSpec, submission: string): JobSpec {
  const files = { ...job.files, 'submission.py': submission };
  return { ...job, job_key: job.job_key.replace('.1', '.2'), files };
}

async function ended(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return text === '' || /\) [ZX] /.test(text);
}

async function processesOf(job: JobSpec): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const entry = `HEALING_TEST=${job.env.HEALING_TEST}`;
  const marked = await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      return environment.split('\0').includes(entry) && !(await ended(pid));
    }),
  );
  return pids.filter((_, index) => marked[index]);
}

/** The process of the agent that starts jobs. */
async function forkerOf(agentPid: number): Promise<number> {
  const children = await readFile(`/proc/${agentPid}/task/${agentPid}/children`, 'utf8');
  return Number(children.trim().split(' ')[0]);
}

/** Runs the job and waits until its code runs. `failure` resolves with what the run fails with, or undefined. */
async function underWay(connection: BoxConnection, job: JobSpec) {
  const started = Promise.withResolvers<number>();
  const failure = runOnBox(connection, job, {
    seed: null,
    onEvent: (event) => {
      if (event.type === 'started') started.resolve(event.pid);
    },
  }).then(
    () => undefined,
    (error: unknown) => error,
  );
  const supervisor = await started.promise;
  onTestFinished(async () => {
    const left = [...(await processesOf(job)), ...((await ended(supervisor)) ? [] : [supervisor])];
    for (const pid of left) process.kill(pid, 'SIGKILL');
  });
  await expect
    .poll(async () => (await processesOf(job)).length, { timeout: 20_000 })
    .toBeGreaterThanOrEqual(submittedProcesses);
  return { supervisor, failure };
}

async function expectToPass(connection: BoxConnection, job: JobSpec): Promise<void> {
  const result = await runOnBox(connection, job, { seed: null, onEvent: () => {} });
  expect(result).toMatchObject({ job_key: job.job_key, outcome: 'finished', error: null });
  expect(result.stages[0]?.lines).toContainEqual(['check', 'pass']);
}

describe.each(['ssh', 'local'] as const)('a box of the kind %s', (kind) => {
  it('whose root folder is removed between two jobs runs the second like the first', async (context) => {
    const connection = await connectionTo(kind, context);
    await expectToPass(connection, newJob(quick));
    const before = await connection.agent();
    await rm(rootOf(kind), { recursive: true });
    await expectToPass(connection, newJob(quick));
    expect(await before.closed).toMatchObject({ message: expect.stringContaining('was removed') });
    expect(await readdir(join(rootOf(kind), 'runner'))).toEqual([`${archive.hash}.zip`]);
  });

  it.for(['auto', 'off'] as const)(
    'whose root folder is removed in mid-run ends the job, says so, and runs it again (sandbox %s)',
    async (sandbox, context) => {
      const connection = await connectionTo(kind, context);
      const job = newJob(endless, sandbox);
      const { supervisor, failure } = await underWay(connection, job);
      await rm(rootOf(kind), { recursive: true });
      expect(await failure).toMatchObject({ kind: 'unknown-job' });
      expect(await failure).not.toBeInstanceOf(JobMayStillRun);
      expect(await processesOf(job)).toEqual([]);
      expect(await ended(supervisor)).toBe(true);
      await expectToPass(connection, secondAttempt(job, quick));
    },
  );

  it('whose runner alone is removed in mid-run finishes the job and starts the next', async (context) => {
    const connection = await connectionTo(kind, context);
    const job = newJob(patient);
    const running = Promise.withResolvers<void>();
    const run = runOnBox(connection, job, {
      seed: null,
      onEvent: (event) => {
        if (event.type === 'stage' && event.state === 'running') running.resolve();
      },
    });
    await running.promise;
    await rm(join(rootOf(kind), 'runner'), { recursive: true });
    await expectToPass(connection, newJob(quick));
    expect(await run).toMatchObject({ job_key: job.job_key, outcome: 'finished', error: null });
  });

  it('whose starting process is killed fails one job and runs the next', async (context) => {
    const connection = await connectionTo(kind, context);
    await expectToPass(connection, newJob(quick));
    process.kill(await forkerOf((await connection.agent()).hello.pid), 'SIGKILL');
    const job = newJob(quick);
    await expect(runOnBox(connection, job, { seed: null, onEvent: () => {} })).rejects.toMatchObject({
      kind: 'runner-crashed',
    });
    await expectToPass(connection, secondAttempt(job, quick));
  });
});

describe('a job whose folder is gone', () => {
  it.for(['auto', 'off'] as const)(
    'is ended even when its supervisor hangs (sandbox %s)',
    async (sandbox, context) => {
      const connection = await connectionTo('local', context);
      const job = newJob(endless, sandbox);
      const { supervisor, failure } = await underWay(connection, job);
      process.kill(supervisor, 'SIGSTOP');
      await rm(rootOf('local'), { recursive: true });
      expect(await failure).toMatchObject({ kind: 'unknown-job' });
      expect(await processesOf(job)).toEqual([]);
      expect(await ended(supervisor)).toBe(true);
    },
  );

  it('is ended when only the folder’s content is removed, file by file', async (context) => {
    const connection = await connectionTo('local', context);
    const job = newJob(endless);
    const { supervisor, failure } = await underWay(connection, job);
    const jobFolder = join(rootOf('local'), 'test', 'jobs', job.job_key);
    for (const name of await readdir(jobFolder)) await rm(join(jobFolder, name), { recursive: true });
    const agent = await connection.agent();
    expect(await agent.status(job.job_key)).toBe('running');
    expect(await agent.cancel(job.job_key)).toEqual({ found: true });
    expect(await processesOf(job)).toEqual([]);
    expect(await ended(supervisor)).toBe(true);
    await failure;
  });

  it('is ended before the same job is started again by a later Hotlap', async (context) => {
    const earlier = await connectionTo('local', context);
    const job = newJob(endless);
    const { supervisor, failure } = await underWay(earlier, job);
    await earlier.close();
    expect(await failure).toBeInstanceOf(JobMayStillRun);
    await rm(rootOf('local'), { recursive: true });
    const later = await connectionTo('local', context);
    expect(await ended(supervisor)).toBe(false);
    await expectToPass(later, { ...secondAttempt(job, quick), job_key: job.job_key });
    expect(await processesOf(job)).toEqual([]);
    expect(await ended(supervisor)).toBe(true);
  });

  it('is found by a sweep, unless it is to be kept', async (context) => {
    const earlier = await connectionTo('local', context);
    const job = newJob(endless);
    const { supervisor } = await underWay(earlier, job);
    await earlier.close();
    await rm(rootOf('local'), { recursive: true });
    const agent = await (await connectionTo('local', context)).agent();
    expect(await agent.status(job.job_key)).toBe('running');
    expect(await agent.sweep([job.job_key])).toEqual({ removed: [] });
    expect(await ended(supervisor)).toBe(false);
    expect(await agent.sweep([])).toEqual({ removed: [job.job_key] });
    expect(await processesOf(job)).toEqual([]);
    expect(await ended(supervisor)).toBe(true);
    expect(await agent.status(job.job_key)).toBe('unknown');
  });
});

describe('a box on which a job crashes', () => {
  it('is asked by another agent afterwards, and does the next job', async (context) => {
    const connection = await connectionTo('local', context);
    const before = await connection.agent();
    const { supervisor, failure } = await underWay(connection, newJob(endless));
    process.kill(supervisor, 'SIGKILL');
    expect(await failure).toMatchObject({ kind: 'runner-crashed' });
    await before.closed;
    expect(await connection.agent()).not.toBe(before);
    await expectToPass(connection, newJob(quick));
  });
});
