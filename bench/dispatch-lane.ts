/**
 * The real thing for bench/dispatch.ts: PostgreSQL, an OpenSSH server on loopback with one lane, the scheduler in this
 * process, and a problem whose evaluation passes at once. Watches the scheduler's own connection to the box.
 */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { BoxAgent } from '../src/boxes/agent.ts';
import type { BoxAddress, BoxConnection, ConnectionOptions } from '../src/boxes/connection.ts';
import { BoxPool } from '../src/boxes/pool.ts';
import { loadRunnerArchive } from '../src/boxes/runner-archive.ts';
import { syncProblems } from '../src/catalog/sync.ts';
import { connect, type Sql } from '../src/db/client.ts';
import { startEmbedded } from '../src/db/embedded.ts';
import { migrate } from '../src/db/migrate.ts';
import { installationName } from '../src/db/settings.ts';
import { accept, examine } from '../src/intake/accept.ts';
import { createLog } from '../src/log.ts';
import { registerBox } from '../src/scheduler/register-box.ts';
import { Scheduler } from '../src/scheduler/scheduler.ts';
import { type Sshd, startSshd } from '../tests/support/sshd.ts';

export const BOARD = 'nothing';

const EVALUATION = `import os
os.write(int(os.environ["POPCORN_FD"]), b"test-count: 1\\ntest.0.spec: size: 1; seed: 1\\ntest.0.status: pass\\ncheck: pass\\n")
`;
const TASK = `lang: py
description: Passes at once.
files:
  - {name: submission.py, source: "@SUBMISSION@"}
  - {name: eval.py, source: eval.py}
config: {main: eval.py}
templates: {Python: template.py}
tests: [{size: 1, seed: 1}]
benchmarks: [{size: 1, seed: 1}]
`;
const SET = `name: Nothing
deadline: ""
description: For measuring.
problems: [{directory: ${BOARD}, name: ${BOARD}, deadline: "", gpus: [CPU]}]
`;

/** Moments of one job, in milliseconds since the epoch; \`started\` and \`finished\` are the box's, on the same clock. */
export interface JobTimes {
  jobId: number;
  startSent: number;
  /** The scheduler has the job's first event. */
  firstEvent: number;
  started: number;
  finished: number;
  resultRead: number;
}

export class DispatchLane {
  readonly sql: Sql;
  readonly sshd: Sshd;
  /** By job id. */
  readonly times = new Map<number, JobTimes>();
  readonly #pool: WatchedPool;
  #scheduler: Scheduler | null = null;
  readonly #closers: (() => Promise<unknown>)[];

  private constructor(sql: Sql, sshd: Sshd, pool: WatchedPool, closers: (() => Promise<unknown>)[]) {
    this.sql = sql;
    this.sshd = sshd;
    this.#pool = pool;
    this.#closers = closers;
  }

  /** One box with one slot is registered; the scheduler does not run yet. */
  static async open(): Promise<DispatchLane> {
    const closers: (() => Promise<unknown>)[] = [];
    try {
      const folder = await mkdtemp(path.join(tmpdir(), 'hotlap-bench-'));
      closers.push(() => rm(folder, { recursive: true, force: true }));
      await chmod(folder, 0o711);
      const embedded = await startEmbedded({ dataDir: path.join(folder, 'database'), log });
      closers.push(() => embedded.stop());
      await migrate(embedded.databaseUrl, {
        directory: path.resolve(import.meta.dirname, '../migrations'),
        log,
      });
      const sql = connect(embedded.databaseUrl, { maxConnections: 20, log });
      closers.push(() => sql.end({ timeout: 1 }));
      const sshd = await startSshd();
      closers.push(() => sshd.remove());
      await writeProblem(path.join(folder, 'problems'));
      const { refused } = await syncProblems(sql, path.join(folder, 'problems'));
      if (refused.length > 0) throw new Error(refused.join('\n'));
      const pool = new WatchedPool({
        archive: await loadRunnerArchive(),
        instance: await installationName(sql),
        dataDir: folder,
        privateKey: await readFile(sshd.privateKeyPath, 'utf8'),
      });
      await registerBox(sql, pool, {
        name: 'bench',
        host: sshd.host,
        port: sshd.port,
        username: sshd.user,
        hostKey: sshd.hostKeyFingerprint,
        gpuTypes: ['CPU'],
        slots: 1,
        unsafe: false,
        sandbox: { engine: 'bubblewrap' },
        slurm: null,
      });
      const lane = new DispatchLane(sql, sshd, pool, closers);
      pool.times = lane.times;
      return lane;
    } catch (error) {
      await closeAll(closers);
      throw error;
    }
  }

  async startScheduler(): Promise<void> {
    this.#scheduler = new Scheduler({ sql: this.sql, pool: this.#pool, log, localBox: 'off' });
    await this.#scheduler.start();
  }

  /** Through the front door, as a person's file would come. */
  async submit(user: string): Promise<{ jobId: number; committed: number }> {
    const file = { name: 'submission.py', bytes: Buffer.from('pass\n') };
    const draft = await examine(this.sql, file, { leaderboard: BOARD, mode: 'test', gpus: [] });
    const id = await accept(this.sql, draft, ['CPU'], {
      user: { id: user, name: user },
      door: 'discord',
      reply: null,
    });
    const committed = nowMs();
    const [job] = await this.sql<{ id: number }[]>`select id from hotlap.jobs where submission_id = ${id}`;
    if (!job) throw new Error('a submission without a job');
    return { jobId: job.id, committed };
  }

  async close(): Promise<void> {
    await this.#scheduler?.stop();
    await closeAll(this.#closers);
  }
}

const log = createLog({ level: 'silent', format: 'json' });

async function closeAll(closers: (() => Promise<unknown>)[]): Promise<void> {
  for (const close of closers.reverse().splice(0)) await close();
}

async function writeProblem(directory: string): Promise<void> {
  const folder = path.join(directory, BOARD);
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(directory, 'nothing.yaml'), SET);
  await writeFile(path.join(folder, 'task.yml'), TASK);
  await writeFile(path.join(folder, 'eval.py'), EVALUATION);
  await writeFile(path.join(folder, 'template.py'), 'pass\n');
}

export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** A pool whose agents note when a job is started and what comes back; they do nothing else than the others. */
class WatchedPool extends BoxPool {
  times = new Map<number, JobTimes>();
  readonly #watched = new WeakSet<BoxAgent>();

  constructor(options: ConnectionOptions) {
    super(options);
  }

  override connection(address: BoxAddress): BoxConnection {
    const connection = super.connection(address);
    const open = connection.agent.bind(connection);
    connection.agent = async () => this.#watch(await open());
    return connection;
  }

  #watch(agent: BoxAgent): BoxAgent {
    if (this.#watched.has(agent)) return agent;
    this.#watched.add(agent);
    const start = agent.start.bind(agent);
    const follow = agent.follow.bind(agent);
    agent.start = (job, seed) => {
      this.#timesOf(job.job_key).startSent = nowMs();
      return start(job, seed);
    };
    agent.follow = async (jobKey, from, onEvent, signal) => {
      const times = this.#timesOf(jobKey);
      const result = await follow(
        jobKey,
        from,
        (event) => {
          if (event.n === 0) times.firstEvent = nowMs();
          if (event.type === 'started') times.started = Date.parse(event.at);
          if (event.type === 'finished') times.finished = Date.parse(event.at);
          onEvent(event);
        },
        signal,
      );
      times.resultRead = nowMs();
      return result;
    };
    return agent;
  }

  #timesOf(jobKey: string): JobTimes {
    const jobId = Number.parseInt(jobKey, 10);
    const known = this.times.get(jobId);
    if (known) return known;
    const fresh = { jobId, startSent: 0, firstEvent: 0, started: 0, finished: 0, resultRead: 0 };
    this.times.set(jobId, fresh);
    return fresh;
  }
}
