/**
 * This machine as a box for one run: the runner, the agent and the sandbox of every other box, with a folder of its own
 * that goes when the run is over.
 */
import { randomInt } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BoxConnection } from '../boxes/connection.ts';
import { BoxPool } from '../boxes/pool.ts';
import { forgetJob, runOnBox } from '../boxes/run-on-box.ts';
import { loadRunnerArchive } from '../boxes/runner-archive.ts';
import { CPU_TYPE } from '../domain/box.ts';
import { gpuTypeOf } from '../domain/gpu-type.ts';
import { jobSpecFor } from '../domain/job.ts';
import { type Outcome, readOutcome } from '../domain/outcome.ts';
import type { JobEvent, JobSpec, ProbeReport } from '../domain/protocol.ts';
import { leaderboardScore } from '../domain/score.ts';
import type { Mode } from '../domain/submission.ts';
import type { Task } from '../domain/task.ts';

const ADDRESS = {
  id: '0',
  name: 'this machine',
  kind: 'local',
  host: null,
  port: null,
  username: null,
  hostKeyFingerprint: null,
} as const;

export interface Work {
  task: Task;
  mode: Mode;
  /** The submission’s text; empty where it is an archive. */
  code: string;
  archive: Buffer | null;
  /** The GPU type to run as. */
  gpu: string;
}

export interface RunResult {
  /** Null for the public run. */
  seed: number | null;
  outcome: Outcome;
  /** As the board would have it; null outside ranked mode, and where the run did not pass. */
  score: number | null;
}

export class ThisMachine {
  readonly probe: ProbeReport;
  readonly #pool: BoxPool;
  readonly #connection: BoxConnection;
  readonly #folder: string;
  #jobs = 0;

  /** Throws BoxError: no Python, no disk. `signal` gives up; its reason is thrown then. */
  static async open(signal: AbortSignal): Promise<ThisMachine> {
    const folder = await mkdtemp(join(tmpdir(), 'hotlap-problem-run-'));
    const pool = new BoxPool({ archive: await loadRunnerArchive(), instance: 'problem', dataDir: folder });
    const giveUp = () => void pool.close();
    signal.addEventListener('abort', giveUp);
    try {
      // Run by root, jobs have users of their own, who pass through to their files.
      await chmod(folder, 0o711);
      const connection = pool.connection(ADDRESS);
      const probe = await (await connection.agent()).probe();
      signal.throwIfAborted();
      return new ThisMachine(probe, pool, connection, folder);
    } catch (error) {
      await pool.close();
      await rm(folder, { recursive: true, force: true });
      throw signal.aborted ? signal.reason : error;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  private constructor(probe: ProbeReport, pool: BoxPool, connection: BoxConnection, folder: string) {
    this.probe = probe;
    this.#pool = pool;
    this.#connection = connection;
    this.#folder = folder;
  }

  /** The types of its GPUs, and `CPU`: a machine with a GPU runs CPU problems too. */
  get gpuTypes(): string[] {
    const found = this.probe.gpus.map((gpu) => gpuTypeOf(gpu.model)).filter((type) => type !== null);
    return [...new Set([...found, CPU_TYPE])];
  }

  /** The order of the work that `run` will do. */
  orderFor(work: Work): JobSpec {
    this.#jobs += 1;
    const { gpus, sandbox } = this.probe;
    // One of its type and no other, as in a lane of a box; where there is none of it, whatever there is.
    const type = work.gpu.toLowerCase();
    const meant = gpus.find(({ model }) => gpuTypeOf(model)?.toLowerCase() === type);
    const alone = type === CPU_TYPE.toLowerCase() ? [] : meant && [meant.index];
    return jobSpecFor({
      id: this.#jobs,
      attempt: 0,
      ...work,
      gpuType: work.gpu,
      gpus: work.task.multiGpu ? null : (alone ?? null),
      lane: null,
      // Its owner's own machine: it works where there is no sandbox, and the report says so.
      sandbox: sandbox === 'none' ? 'auto' : 'required',
    });
  }

  /** An abort of `signal` ends the job; the outcome says `cancelled` then. Throws BoxError. */
  async run(
    order: JobSpec,
    { task, seed, archive }: { task: Task; seed: number | null; archive?: Buffer | null },
    onEvent: (event: JobEvent) => void,
    signal: AbortSignal,
  ): Promise<RunResult> {
    const result = await runOnBox(this.#connection, order, {
      seed,
      archive: archive ?? null,
      onEvent,
      signal,
    });
    await forgetJob(this.#connection, order.job_key);
    const outcome = readOutcome(result, order.stages);
    return { seed, outcome, score: leaderboardScore(outcome, task) };
  }

  /** Ends whatever still runs and removes everything. Throws BoxError when that cannot be made sure of. */
  async close(): Promise<void> {
    try {
      await (await this.#connection.agent()).sweep([]);
    } finally {
      await this.#pool.close();
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** As a ranked submission gets one: below 2^31, which the public harnesses expect. */
export function freshSeed(): number {
  return randomInt(1, 2 ** 31);
}
