/**
 * A real PostgreSQL server of our own, for when DATABASE_URL is unset.
 *
 * How it works. The server is a process apart, in a session of its own (a Ctrl-C in the terminal does not reach it),
 * shared by every Hotlap process with the same data folder.
 *
 *   start   find a running server through `postmaster.pid`, else start one. Two that start one at once are sorted
 *           out by PostgreSQL itself: it locks its data folder, the loser exits and its starter uses the winner's.
 *   hold    each process keeps one connection that holds a shared advisory lock. Should the connection break,
 *           it is made anew, and so is the server if it has died (on the same port, which clients know).
 *   stop    give up the shared lock and try for the exclusive one. Whoever gets it is the last and ends the server.
 *           A process that arrives in that moment cannot get the shared lock, waits, and starts a new server.
 *
 * No lock outlives its process: after a kill -9 the server keeps running and the next start uses it.
 */
import { spawn } from 'node:child_process';
import { mkdir, open, readFile, realpath, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import postgres from 'postgres';
import type { Log } from '../log.ts';
import { cleanEnvironment, programsFor, runningAsRoot, serverIdentity } from './embedded-account.ts';
import { ensureCluster, loadPassword, ROLE } from './embedded-cluster.ts';

export interface Embedded {
  /** postgres:// address with the password, of a database for Hotlap alone. */
  databaseUrl: string;
  /** Gives the server up, and ends it unless another process uses it. */
  stop(): Promise<void>;
}

interface Options {
  dataDir: string;
  log: Log;
  /** Settings of the server beside ours, such as `fsync: 'off'` for tests. */
  settings?: Record<string, string>;
}

/** Any constant number; it only has to differ from other advisory locks in the database `postgres`. */
const HOLD_LOCK = 4_077_001;
const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 60_000;
const POLL_MS = 25;

const defaultSettings: Record<string, string> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '128MB',
  fsync: 'on',
};

interface Server {
  pid: number;
  port: number;
}

/** What the server says of itself in `postmaster.pid`: pid in line 1, port in line 4. */
async function findServer(cluster: string): Promise<Server | null> {
  const { pid, port } = await readPidFile(cluster);
  return pid > 0 && port > 0 && (await isServer(pid)) ? { pid, port } : null;
}

async function readPidFile(cluster: string): Promise<Server> {
  const text = await readFile(path.join(cluster, 'postmaster.pid'), 'utf8').catch(() => '');
  const lines = text.split('\n');
  return { pid: Number(lines[0] ?? 0), port: Number(lines[3] ?? 0) };
}

/** PostgreSQL refuses to start while the pid in the file is alive, even as another program or as a zombie. */
async function removeStalePidFile(cluster: string): Promise<void> {
  const { pid } = await readPidFile(cluster);
  if (pid > 0 && !(await isServer(pid))) await rm(path.join(cluster, 'postmaster.pid'), { force: true });
}

/** After a reboot the pid in the file may belong to any other process; a zombie has no command line. */
async function isServer(pid: number): Promise<boolean> {
  if (process.platform === 'linux') {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    return path.basename(commandLine.split('\0')[0] ?? '') === 'postgres';
  }
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function isFree(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(null));
    probe.listen(port, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : null));
    });
  });
}

/** The port of last time if nobody took it, because people keep it in their tools; else any free one. */
async function choosePort(cluster: string): Promise<number> {
  const options = await readFile(path.join(cluster, 'postmaster.opts'), 'utf8').catch(() => '');
  const last = Number(/port=(\d+)/.exec(options)?.[1] ?? 0);
  const port = (await isFree(last)) ?? (await isFree(0));
  if (port === null) throw new Error('No free TCP port was found on 127.0.0.1 for PostgreSQL.');
  return port;
}

async function readTail(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').slice(-15).join('\n').trim();
}

class EmbeddedServer {
  readonly #options: Options;
  #cluster = '';
  #password = '';
  #holder: postgres.Sql | null = null;
  #port = 0;
  #stopping = false;
  #reviving: Promise<void> | null = null;

  constructor(options: Options) {
    this.#options = options;
  }

  get databaseUrl(): string {
    return this.#url(ROLE);
  }

  #url(database: string): string {
    return `postgres://${ROLE}:${this.#password}@127.0.0.1:${this.#port}/${database}`;
  }

  async start(): Promise<void> {
    const deadline = Date.now() + START_DEADLINE_MS;
    for (;;) {
      await this.#ensureRunning(deadline);
      if (await this.#hold()) break;
      if (Date.now() > deadline)
        throw new Error('The embedded PostgreSQL neither stops nor accepts connections.');
      await delay(POLL_MS);
    }
  }

  /** Returns when a server of our cluster accepts connections; starts one if there is none. */
  async #ensureRunning(deadline: number): Promise<void> {
    const { dataDir, log } = this.#options;
    await mkdir(dataDir, { recursive: true, mode: runningAsRoot() ? 0o711 : 0o700 });
    const entry = path.join(dataDir, 'postgres');
    this.#password = await loadPassword(dataDir);
    let cluster = await realpath(entry).catch(() => null);
    const running = cluster === null ? null : await findServer(cluster);
    if (cluster === null || running === null) {
      const identity = await serverIdentity(entry);
      const programs = await programsFor(identity);
      await ensureCluster({ dataDir, programs, identity, password: this.#password, log });
      cluster = await realpath(entry);
      await this.#launch(cluster, programs, identity, deadline);
    } else {
      this.#port = running.port;
    }
    this.#cluster = cluster;
  }

  async #launch(cluster: string, programs: string, identity: object, deadline: number): Promise<void> {
    const { dataDir, log } = this.#options;
    const port = await choosePort(cluster);
    const settings = { ...defaultSettings, ...this.#options.settings, port: String(port) };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const logFile = path.join(dataDir, 'postgres.log');
    const output = await open(logFile, 'a', 0o600);
    await removeStalePidFile(cluster);
    const child = spawn(path.join(programs, 'bin', 'postgres'), ['-D', cluster, ...flags], {
      ...identity,
      cwd: '/',
      env: cleanEnvironment,
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
    });
    let ended: string | null = null;
    child.once('error', (error) => {
      ended = error.message;
    });
    child.once('exit', (code, signal) => {
      ended = `exit ${code ?? signal}`;
    });
    child.unref();
    await output.close();
    for (;;) {
      const running = await findServer(cluster);
      if (running && (running.pid !== child.pid || (await this.#accepts(running.port)))) {
        this.#port = running.port;
        if (running.pid === child.pid) log.info({ port: running.port, cluster }, 'PostgreSQL started');
        return;
      }
      if (ended !== null && running === null) {
        throw new Error(
          `PostgreSQL did not start (${ended}). The end of ${logFile}:\n${await readTail(logFile)}`,
        );
      }
      if (Date.now() > deadline) throw new Error(`PostgreSQL was not ready in time; see ${logFile}.`);
      await delay(POLL_MS);
    }
  }

  #openOne(database: string, onclose?: () => void): postgres.Sql {
    return postgres(this.#url(database), {
      max: 1,
      connection: { application_name: 'hotlap-holder' },
      connect_timeout: 10,
      // The library's default closes a connection after half an hour or so, and the lock with it.
      max_lifetime: null,
      onnotice: () => {},
      ...(onclose ? { onclose } : {}),
    });
  }

  async #accepts(port: number): Promise<boolean> {
    this.#port = port;
    const sql = this.#openOne('postgres');
    try {
      await sql`select 1`;
      return true;
    } catch {
      return false;
    } finally {
      await sql.end({ timeout: 1 });
    }
  }

  /** Takes the shared lock and sees to the database. False: the server is about to stop, or not up yet. */
  async #hold(): Promise<boolean> {
    const holder = this.#openOne('postgres', () => this.#lost(holder));
    try {
      const [row] = await holder<
        { held: boolean; directory: string }[]
      >`select pg_try_advisory_lock_shared(${HOLD_LOCK}) as held,
        current_setting('data_directory') as directory`;
      if (row?.held === true) {
        if (row.directory !== this.#cluster) throw new Error(`Port ${this.#port} serves another cluster.`);
        await this.#createDatabase(holder);
        this.#holder = holder;
        return true;
      }
    } catch (error) {
      await holder.end({ timeout: 1 });
      if (isPassing(error)) return false;
      throw error;
    }
    await holder.end({ timeout: 1 });
    return false;
  }

  async #createDatabase(sql: postgres.Sql): Promise<void> {
    const found = await sql`select 1 from pg_database where datname = ${ROLE}`;
    if (found.length > 0) return;
    await sql`create database ${sql(ROLE)}`.catch((error: unknown) => {
      // Another process created it in the same moment: seen as a duplicate name or a duplicate catalogue row.
      if (!['42P04', '23505'].includes((error as postgres.PostgresError).code)) throw error;
    });
  }

  #lost(holder: postgres.Sql): void {
    if (this.#stopping || this.#holder !== holder) return;
    this.#holder = null;
    this.#options.log.warn('the connection to the embedded PostgreSQL broke; making sure that it runs');
    this.#reviving = this.#revive(holder);
  }

  async #revive(broken: postgres.Sql): Promise<void> {
    await broken.end({ timeout: 1 }).catch(() => {});
    const port = this.#port;
    while (!this.#stopping) {
      try {
        await this.start();
        if (this.#port !== port) {
          this.#options.log.error({ port }, 'the old port of PostgreSQL was taken meanwhile; restart Hotlap');
        }
        return;
      } catch (error) {
        this.#options.log.error({ err: error }, 'the embedded PostgreSQL could not be started again');
        await delay(2_000);
      }
    }
  }

  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    await this.#reviving;
    const holder = this.#holder;
    if (holder === null) return;
    try {
      await holder`select pg_advisory_unlock_shared(${HOLD_LOCK})`;
      const [row] = await holder<{ alone: boolean }[]>`select pg_try_advisory_lock(${HOLD_LOCK}) as alone`;
      const server = await findServer(this.#cluster);
      // The lock stays ours until the server ends, so that nobody begins to use it now.
      if (row?.alone === true && server) await this.#end(server);
    } finally {
      await holder.end({ timeout: 1 });
    }
  }

  async #end(server: Server): Promise<void> {
    const deadline = Date.now() + STOP_DEADLINE_MS;
    process.kill(server.pid, 'SIGINT');
    // Its process alone tells: the pid file may already be that of the server which another user starts next.
    while (await isServer(server.pid)) {
      if (Date.now() > deadline) throw new Error(`PostgreSQL (pid ${server.pid}) did not stop in time.`);
      await delay(POLL_MS);
    }
    this.#options.log.info('PostgreSQL stopped');
  }
}

/** Refusals that end by themselves: starting up, shutting down, not listening yet or any more. */
const passingCodes = [
  ...['57P01', '57P02', '57P03', 'ECONNREFUSED', 'ECONNRESET'],
  ...['CONNECT_TIMEOUT', 'CONNECTION_CLOSED', 'CONNECTION_ENDED'],
];

function isPassing(error: unknown): boolean {
  const { code } = error as { code?: string };
  return passingCodes.includes(code ?? '');
}

/**
 * Starts or finds the server of `dataDir` and keeps it running until `stop`.
 *
 * @throws Error with a sentence for the operator when PostgreSQL cannot run here
 */
export async function startEmbedded(options: Options): Promise<Embedded> {
  const server = new EmbeddedServer(options);
  await server.start();
  return { databaseUrl: server.databaseUrl, stop: () => server.stop() };
}
