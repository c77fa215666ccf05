/** The whole box side: real OpenSSH, the real runner, jobs that run. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, type TestContext } from 'vitest';
import { BoxAgent } from '../../src/boxes/agent.ts';
import { type BoxAddress, BoxConnection, type ConnectionOptions } from '../../src/boxes/connection.ts';
import { localTransport } from '../../src/boxes/local.ts';
import { forgetJob, JobMayStillRun, runOnBox } from '../../src/boxes/run-on-box.ts';
import { loadRunnerArchive, type RunnerArchive } from '../../src/boxes/runner-archive.ts';
import type { JobEvent, JobResult, JobSpec } from '../../src/domain/protocol.ts';
import { type Sshd, sshdMissing, startSshd } from '../support/sshd.ts';

const missing = sshdMissing();
let folder: string;
let archive: RunnerArchive;
let shared: Sshd | undefined;
let lastKey = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hotlap-boxes-'));
  archive = await loadRunnerArchive();
  if (missing === null) shared = await startSshd();
});
afterAll(async () => {
  await shared?.remove();
  await rm(folder, { recursive: true });
});

/** A connection to this machine over its SSH server, or without one; its jobs are gone when the test is. */
async function connectionTo(
  kind: BoxAddress['kind'],
  context: TestContext,
  own?: Sshd,
  options: Partial<ConnectionOptions> = {},
): Promise<BoxConnection> {
  const sshd = own ?? shared;
  if (kind === 'ssh' && sshd === undefined) context.skip(missing ?? 'the SSH server did not start');
  const far = kind === 'ssh' && sshd !== undefined ? sshd : null;
  const connection = new BoxConnection(
    {
      id: '1',
      name: kind,
      kind,
      host: far?.host ?? null,
      port: far?.port ?? null,
      username: far?.user ?? null,
      hostKeyFingerprint: far?.hostKeyFingerprint ?? null,
    },
    {
      archive,
      instance: 'test',
      dataDir: folder,
      keepaliveMs: 300,
      ...(far !== null && {
        privateKey: await readFile(far.privateKeyPath, 'utf8'),
        root: join(folder, 'ssh'),
      }),
      ...options,
    },
  );
  onTestFinished(async () => {
    await connection.close();
    const sweeper = await BoxAgent.connect(localTransport(), archive, {
      root: join(folder, kind === 'ssh' ? 'ssh' : 'box'),
      instance: 'test',
    });
    await sweeper.sweep([]);
    await sweeper.close();
  });
  return connection;
}

async function sshdOfItsOwn(context: TestContext): Promise<Sshd> {
  if (missing !== null) context.skip(missing);
  const sshd = await startSshd();
  onTestFinished(() => sshd.remove());
  return sshd;
}

/** Squares numbers; speaks the public protocol of evaluation programs. */
const evalProgram = `
import os, sys
from submission import custom_kernel
with open(sys.argv[2]) as file:
    cases = [line.strip() for line in file if line.strip()]
passed = True
with os.fdopen(int(os.environ["POPCORN_FD"]), "w") as out:
    def say(key, value):
        print(f"{key}: {value}", file=out, flush=True)
    say("test-count", len(cases))
    for index, case in enumerate(cases):
        number = int(case.split(":")[1])
        right = custom_kernel(number) == number * number
        passed = passed and right
        say(f"test.{index}.spec", case)
        say(f"test.{index}.status", "pass" if right else "fail")
    say("check", "pass" if passed else "fail")
sys.exit(0 if passed else 112)
`;

const fast = 'def custom_kernel(number):\n    return number * number\n';
const slow = `import time\n\ndef custom_kernel(number):\n    time.sleep(0.1)\n    return number * number\n`;
const endless = 'import time\n\ndef custom_kernel(number):\n    time.sleep(600)\n';

function squares(submission: string, cases: number): JobSpec {
  lastKey += 1;
  const lines = Array.from({ length: cases }, (_, index) => `size: ${index + 2}\n`);
  return {
    protocol: 1,
    job_key: `${lastKey}.1`,
    lang: 'py',
    files: { 'eval.py': evalProgram, 'submission.py': submission },
    main: 'eval.py',
    warmup: null,
    stages: [{ name: 'test', mode: 'test', timeout_s: 60, cases: lines.join('') }],
    env: {},
    world_size: null,
    sandbox: 'auto',
  };
}

/** A run whose events are kept, with the moment at which one of them meets a condition. */
function watch() {
  const events: JobEvent[] = [];
  const waiting: (() => void)[] = [];
  return {
    events,
    onEvent(event: JobEvent) {
      events.push(event);
      for (const look of waiting) look();
    },
    seen(condition: (event: JobEvent) => boolean): Promise<JobEvent> {
      return new Promise((resolve) => {
        const look = () => {
          const found = events.find(condition);
          if (found !== undefined) resolve(found);
        };
        waiting.push(look);
        look();
      });
    },
  };
}

const progressed = (event: JobEvent) => event.type === 'progress';
const running = (event: JobEvent) => event.type === 'stage' && event.state === 'running';

function expectWhole(events: readonly JobEvent[], result: JobResult, cases: number): void {
  expect(events.map((event) => event.n)).toEqual(events.map((_, index) => index));
  expect(events.filter(progressed)).toHaveLength(cases);
  expect(events.at(0)).toMatchObject({ type: 'started' });
  expect(events.at(-1)).toMatchObject({ type: 'finished', outcome: result.outcome });
  expect(result).toMatchObject({ outcome: 'finished', error: null });
  expect(result.stages).toHaveLength(1);
  expect(result.stages[0]?.lines).toContainEqual(['test-count', String(cases)]);
  expect(result.stages[0]?.lines.at(-1)).toEqual(['check', 'pass']);
}

async function ended(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return text === '' || /\) [ZX] /.test(text);
}

describe.each(['ssh', 'local'] as const)('a box of the kind %s', (kind) => {
  it('tells what it is', async (context) => {
    const agent = await (await connectionTo(kind, context)).agent();
    expect(agent.hello).toMatchObject({ protocol: 1, runner: archive.hash });
    const report = await agent.probe();
    expect(report.cpu_count).toBeGreaterThan(0);
    expect(report.python_path).toMatch(/^\//);
  });

  it('runs a job, keeps it until it is forgotten and then knows it no more', async (context) => {
    const connection = await connectionTo(kind, context);
    const job = squares(fast, 3);
    const { events, onEvent } = watch();
    const result = await runOnBox(connection, job, { seed: null, onEvent });
    expectWhole(events, result, 3);
    const agent = await connection.agent();
    expect(await agent.status(job.job_key)).toBe('finished');
    expect(await runOnBox(connection, job, { seed: null, onEvent: () => {} })).toEqual(result);
    await forgetJob(connection, job.job_key);
    expect(await agent.status(job.job_key)).toBe('unknown');
    await expect(agent.follow(job.job_key, 0, () => {})).rejects.toMatchObject({ kind: 'unknown-job' });
  });

  it('gives a wrong submission’s result as a result, not as an error', async (context) => {
    const job = squares('def custom_kernel(number):\n    return 0\n', 2);
    const run = runOnBox(await connectionTo(kind, context), job, { seed: null, onEvent: () => {} });
    const result = await run;
    expect(result.outcome).toBe('finished');
    expect(result.stages[0]).toMatchObject({ exit_code: 112 });
    expect(result.stages[0]?.lines).toContainEqual(['check', 'fail']);
  });

  it('ends a job whose run is aborted, and says so', async (context) => {
    const abort = new AbortController();
    const { seen, onEvent } = watch();
    const connection = await connectionTo(kind, context);
    const job = squares(endless, 1);
    const run = runOnBox(connection, job, { seed: null, onEvent, signal: abort.signal });
    const started = await seen((event) => event.type === 'started');
    await seen(running);
    abort.abort();
    expect((await run).outcome).toBe('cancelled');
    const pid = started.type === 'started' ? started.pid : 0;
    await expect.poll(() => ended(pid), { timeout: 10_000 }).toBe(true);
    expect(await (await connection.agent()).status(job.job_key)).toBe('finished');
  });

  it('carries a job on when its agent is killed', async (context) => {
    const connection = await connectionTo(kind, context);
    const { events, seen, onEvent } = watch();
    const run = runOnBox(connection, squares(slow, 10), { seed: null, onEvent });
    const first = await connection.agent();
    await seen(progressed);
    process.kill(first.hello.pid, 'SIGKILL');
    expect(await first.closed).toMatchObject({ kind: 'channel-lost' });
    expectWhole(events, await run, 10);
    expect((await connection.agent()).hello.pid).not.toBe(first.hello.pid);
  });

  it('carries a job on when its agent hangs', async (context) => {
    const connection = await connectionTo(kind, context, undefined, { silenceMs: 1_000 });
    const { events, seen, onEvent } = watch();
    const run = runOnBox(connection, squares(slow, 10), { seed: null, onEvent });
    const first = await connection.agent();
    await seen(progressed);
    process.kill(first.hello.pid, 'SIGSTOP');
    expect(await first.closed).toMatchObject({ kind: 'channel-lost' });
    expectWhole(events, await run, 10);
    await expect.poll(() => ended(first.hello.pid), { timeout: 20_000 }).toBe(true);
  });

  it('lets a later Hotlap attach to a job that an earlier one started', async (context) => {
    const job = squares(slow, 10);
    const earlier = await connectionTo(kind, context);
    const agent = await earlier.agent();
    expect(await agent.start(job, null)).toEqual({ attached: false });
    await earlier.close();
    const later = await connectionTo(kind, context);
    const { events, onEvent } = watch();
    const result = await runOnBox(later, job, { seed: null, onEvent });
    expectWhole(events, result, 10);
    expect(await (await later.agent()).start(job, null)).toEqual({ attached: true });
  });

  it('reports a job whose supervisor was killed as the box’s failure', async (context) => {
    const { seen, onEvent } = watch();
    const run = runOnBox(await connectionTo(kind, context), squares(endless, 1), { seed: null, onEvent });
    const failure = run.catch((error: unknown) => error);
    const started = await seen((event) => event.type === 'started');
    await seen(running);
    if (started.type === 'started') process.kill(started.pid, 'SIGKILL');
    expect(await failure).toMatchObject({ kind: 'runner-crashed' });
    expect(await failure).not.toBeInstanceOf(JobMayStillRun);
  });

  it('lets go of a run at once when its connection is closed, and the job goes on', async (context) => {
    const connection = await connectionTo(kind, context);
    const { seen, onEvent } = watch();
    const job = squares(endless, 1);
    const failure = runOnBox(connection, job, { seed: null, onEvent }).catch((error: unknown) => error);
    await seen(running);
    await connection.close();
    expect(await failure).toBeInstanceOf(JobMayStillRun);
    const later = await (await connectionTo(kind, context)).agent();
    expect(await later.status(job.job_key)).toBe('running');
  });

  it('starts nothing for a run that was aborted before', async (context) => {
    const connection = await connectionTo(kind, context);
    const job = squares(endless, 1);
    const signal = AbortSignal.abort(new Error('called off'));
    await expect(runOnBox(connection, job, { seed: null, onEvent: () => {}, signal })).rejects.toThrow(
      'called off',
    );
    expect(await (await connection.agent()).status(job.job_key)).toBe('unknown');
  });
});

describe('a box over SSH', () => {
  it('gives a job’s result in the same shape as this machine does', async (context) => {
    const [far, near] = await Promise.all(
      (['ssh', 'local'] as const).map(async (kind) =>
        runOnBox(await connectionTo(kind, context), squares(fast, 3), { seed: 7, onEvent: () => {} }),
      ),
    );
    const shape = (result: JobResult | undefined) => ({
      keys: result?.stages.map((stage) => Object.keys(stage).sort()),
      lines: result?.stages.map((stage) => stage.lines),
      system: result?.system,
      sandbox: result?.sandbox,
    });
    expect(shape(far)).toEqual(shape(near));
  });

  it.for(['dropConnections', 'freezeConnections'] as const)(
    'loses no event and repeats none after %s in mid-run',
    async (how, context) => {
      const sshd = await sshdOfItsOwn(context);
      const connection = await connectionTo('ssh', context, sshd);
      const { events, seen, onEvent } = watch();
      const run = runOnBox(connection, squares(slow, 15), { seed: null, onEvent });
      const first = await connection.agent();
      await seen(progressed);
      await sshd[how]();
      expect(await first.closed).toMatchObject({ kind: 'channel-lost' });
      expectWhole(events, await run, 15);
      expect((await connection.agent()).hello.pid).not.toBe(first.hello.pid);
    },
  );

  it('that stays away is given up with the warning that the job may still run', async (context) => {
    const sshd = await sshdOfItsOwn(context);
    const connection = await connectionTo('ssh', context, sshd);
    const { seen, onEvent } = watch();
    const job = squares(endless, 1);
    const failure = runOnBox(connection, job, { seed: null, onEvent, patienceMs: 300 }).catch(
      (error) => error,
    );
    await seen(running);
    await sshd.stop();
    expect(await failure).toBeInstanceOf(JobMayStillRun);
    expect(await failure).toMatchObject({ kind: 'unreachable' });
    await sshd.start();
    expect(await (await connection.agent()).cancel(job.job_key)).toEqual({ found: true });
  });

  it('that was never reached leaves no doubt about the job', async (context) => {
    const sshd = await sshdOfItsOwn(context);
    await sshd.stop();
    const connection = await connectionTo('ssh', context, sshd);
    const run = runOnBox(connection, squares(fast, 1), { seed: null, onEvent: () => {}, patienceMs: 0 });
    const failure = await run.catch((error: unknown) => error);
    expect(failure).toMatchObject({ kind: 'unreachable' });
    expect(failure).not.toBeInstanceOf(JobMayStillRun);
  });

  it('runs twenty jobs at once over one connection', async (context) => {
    const connection = await connectionTo('ssh', context);
    const before = await connection.agent();
    const runs = Array.from({ length: 20 }, async () => {
      const { events, onEvent } = watch();
      const job = squares(fast, 2);
      const result = await runOnBox(connection, job, { seed: null, onEvent });
      expect(result.job_key).toBe(job.job_key);
      expectWhole(events, result, 2);
    });
    await Promise.all(runs);
    expect(await connection.agent()).toBe(before);
  });

  it('is connected to once for many that ask at once, and no more after close', async (context) => {
    const connection = await connectionTo('ssh', context);
    expect(connection.connected).toBe(false);
    const agents = await Promise.all([connection.agent(), connection.agent(), connection.agent()]);
    expect(new Set(agents).size).toBe(1);
    await connection.close();
    await expect(connection.agent()).rejects.toMatchObject({ kind: 'channel-lost' });
    await expect(agents[0]?.status('1.1')).rejects.toMatchObject({ kind: 'channel-lost' });
  });
});
