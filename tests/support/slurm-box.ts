/** A real Slurm cluster as a box: its login node over real OpenSSH or this machine itself, and a plain box beside it. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { BoxConnection } from '../../src/boxes/connection.ts';
import { runOnBox } from '../../src/boxes/run-on-box.ts';
import { loadRunnerArchive, type RunnerArchive } from '../../src/boxes/runner-archive.ts';
import type { JobEvent, JobResult, JobSpec } from '../../src/domain/protocol.ts';
import type { SlurmOptions } from '../../src/domain/slurm.ts';
import { installFakeGpus } from './fake-gpus.ts';
import { type SlurmCluster, slurmMissing, startSlurm } from './slurm.ts';
import { type Sshd, sshdMissing, startSshd } from './sshd.ts';

const DEADLINE_MS = 60_000;

const byType: SlurmOptions = {
  partition: 'gpus',
  account: null,
  qos: null,
  gres: 'gpu:testcard',
  options: ['--comment=hotlap'],
  root: null,
};
/** Jobs that ask for no GPU, so that tests need not wait for each other. */
export const anyNode = { gres: null };
/** And that wait until they are let go. */
export const held = { gres: null, options: ['--hold'] };

/** Why there is nothing to test with, or null. */
export function slurmBoxMissing(): string | null {
  return slurmMissing() ?? sshdMissing();
}

export class SlurmBox {
  readonly cluster: SlurmCluster;
  /** Holds the root folder of all boxes. */
  readonly folder: string;
  readonly #sshd: Sshd;
  readonly #archive: RunnerArchive;
  readonly #open: BoxConnection[] = [];

  private constructor(cluster: SlurmCluster, sshd: Sshd, folder: string, archive: RunnerArchive) {
    this.cluster = cluster;
    this.folder = folder;
    this.#sshd = sshd;
    this.#archive = archive;
  }

  static async start(): Promise<SlurmBox> {
    const cluster = await startSlurm();
    try {
      process.env.SLURM_CONF = cluster.configFile;
      const folder = await mkdtemp(join(tmpdir(), 'hotlap-slurm-'));
      const tools = join(folder, 'tools');
      await installFakeGpus(tools, [{}, {}]);
      const path = `${tools}:/usr/local/bin:/usr/bin:/bin`;
      const sshd = await startSshd({ env: { SLURM_CONF: cluster.configFile, PATH: path } });
      return new SlurmBox(cluster, sshd, folder, await loadRunnerArchive());
    } catch (error) {
      await cluster.remove();
      throw error;
    }
  }

  /** Ends all jobs and removes everything. */
  async remove(): Promise<void> {
    delete process.env.SLURM_CONF;
    await Promise.all(this.#open.map((connection) => connection.close()));
    await this.#sshd.remove();
    await this.cluster.remove();
    await rm(this.folder, { recursive: true });
  }

  /**
   * `ssh`: a plain box. `slurm`: the cluster by its login node; `slurm here`: with this machine as the login node. The first
   * two find a driver's tool that lists two GPUs, the last finds none.
   */
  async connectTo(
    kind: 'ssh' | 'slurm' | 'slurm here',
    options: Partial<SlurmOptions> = {},
    { id = '7', patienceS = 30 }: { id?: string; patienceS?: number } = {},
  ): Promise<BoxConnection> {
    const far = kind === 'slurm here' ? null : this.#sshd;
    const connection = new BoxConnection(
      {
        id,
        name: kind,
        kind: kind === 'ssh' ? 'ssh' : 'slurm',
        host: far?.host ?? null,
        port: far?.port ?? null,
        username: far?.user ?? null,
        hostKeyFingerprint: far?.hostKeyFingerprint ?? null,
        slurm: kind === 'ssh' ? null : { ...byType, ...options },
      },
      {
        archive: this.#archive,
        instance: 'test',
        dataDir: this.folder,
        root: join(this.folder, 'root'),
        privateKey: await readFile(this.#sshd.privateKeyPath, 'utf8'),
        slurmTimes: { poll_s: 0.3, settle_s: 1, patience_s: patienceS },
      },
    );
    this.#open.push(connection);
    return connection;
  }

  /** Where a job of the clusters of this class lies, unless they have another id. */
  jobFolder(job: JobSpec): string {
    return join(this.folder, 'root', 'test.7', 'jobs', job.job_key);
  }

  /** The cluster's jobs of this job that are not over. */
  async jobsOf(job: JobSpec): Promise<{ id: number; name: string }[]> {
    const text = await this.cluster.run('squeue', '--noheader', '--format=%A|%j');
    return text
      .split('\n')
      .map((line) => ({ id: Number(line.split('|')[0]), name: line.split('|')[1] ?? '' }))
      .filter(({ name }) => name.endsWith(`.${job.job_key}`));
  }

  /** Lets a job go that was held. */
  async release(job: JobSpec): Promise<void> {
    for (const { id } of await this.jobsOf(job)) await this.cluster.run('scontrol', 'release', String(id));
  }

  /** Takes both GPUs; returns how to give them back. */
  async occupyGpus(): Promise<() => Promise<void>> {
    const options = ['--parsable', '--gres=gpu:2', '--output=/dev/null', '--wrap=sleep 600'];
    const id = (await this.cluster.run('sbatch', ...options)).trim();
    const state = () => this.cluster.run('squeue', '-h', '-j', id, '-o', '%T');
    await until('the GPUs', async () => (await state()) === 'RUNNING\n');
    return async () => {
      await this.cluster.run('scancel', id);
    };
  }
}

/** Squares numbers; speaks the public protocol of evaluation programs, and tells what it was given. */
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
    say("seed-digits", sum(int(digit) for digit in os.environ.get("POPCORN_SEED", "0")))
    for index, case in enumerate(cases):
        number = int(case.split(":")[1])
        right = custom_kernel(number) == number * number
        passed = passed and right
        say(f"test.{index}.spec", case)
        say(f"test.{index}.status", "pass" if right else "fail")
    say("check", "pass" if passed else "fail")
sys.exit(0 if passed else 112)
`;

export const fast = 'def custom_kernel(number):\n    return number * number\n';
export const wrong = 'def custom_kernel(number):\n    return number + 2\n';
export const crashing = 'raise ValueError("nothing of worth")\n';
export const slow =
  'import time\n\ndef custom_kernel(number):\n    time.sleep(0.15)\n    return number * number\n';
export const endless = 'import time\n\ndef custom_kernel(number):\n    time.sleep(600)\n';

let lastKey = 0;

export function squares(submission: string, cases: number, change: Partial<JobSpec> = {}): JobSpec {
  lastKey += 1;
  const lines = Array.from({ length: cases }, (_, index) => `size: ${index + 2}\n`);
  return {
    protocol: 1,
    job_key: `${lastKey}.1`,
    lang: 'py',
    files: { 'eval.py': evalProgram, 'submission.py': submission },
    main: 'eval.py',
    warmup: { file: 'submission.py', timeout_s: 30 },
    stages: [{ name: 'test', mode: 'test', timeout_s: 60, cases: lines.join('') }],
    env: {},
    world_size: null,
    sandbox: 'auto',
    ...change,
  };
}

export async function until(what: string, isThere: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await isThere())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await delay(30);
  }
}

/** A run under way, with its events. */
export function begin(
  connection: BoxConnection,
  job: JobSpec,
  seed: number | null = null,
  archive: Buffer | null = null,
) {
  const events: JobEvent[] = [];
  const abort = new AbortController();
  const run = runOnBox(connection, job, {
    seed,
    archive,
    onEvent: (event) => events.push(event),
    signal: abort.signal,
  });
  run.catch(() => {});
  const seen = (isIt: (event: JobEvent) => boolean) => until('an event', () => events.some(isIt));
  return { job, events, run, seen, abort };
}

export const waiting = (event: JobEvent) => event.type === 'waiting' && event.reason !== '';
export const running = (event: JobEvent) => event.type === 'stage' && event.state === 'running';
export const progressed = (event: JobEvent) => event.type === 'progress';

export function expectWhole(events: readonly JobEvent[], result: JobResult, cases: number): void {
  const stored = events.filter((event) => event.type !== 'waiting');
  expect(stored.map((event) => event.n)).toEqual(stored.map((_, index) => index));
  expect(stored.filter(progressed)).toHaveLength(cases);
  expect(stored.at(-1)).toMatchObject({ type: 'finished', outcome: 'finished' });
  expect(result).toMatchObject({ outcome: 'finished', error: null });
  expect(result.stages[0]?.lines.at(-1)).toEqual(['check', 'pass']);
}
