import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import postgres from 'postgres';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect } from '../../src/db/client.ts';
import { type Embedded, startEmbedded } from '../../src/db/embedded.ts';
import { quietLog } from '../support/quiet-log.ts';

const DEADLINE = { timeout: 30_000, interval: 25 };
const asRoot = process.getuid?.() === 0;

let scratch: string;
let dataDir: string;
let started: Embedded[];
let children: ChildProcess[];

beforeEach(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), 'hotlap-test-embedded-'));
  await chmod(scratch, 0o711);
  dataDir = path.join(scratch, 'data');
  started = [];
  children = [];
});

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  // A server whose last user was killed runs on; the way to end it is to use it once more.
  await Promise.all(started.map((embedded) => embedded.stop()));
  if (await serverPid()) await (await start()).stop();
  const home = await readlink(path.join(dataDir, 'postgres')).catch(() => null);
  if (home) await rm(home, { recursive: true, force: true });
  await rm(scratch, { recursive: true, force: true });
});

async function start(directory = dataDir): Promise<Embedded> {
  const settings = { fsync: 'off', shared_buffers: '16MB' };
  const embedded = await startEmbedded({ dataDir: directory, log: quietLog, settings });
  started.push(embedded);
  return embedded;
}

/** pid of the living server of `dataDir`, else null. */
async function serverPid(): Promise<number | null> {
  const text = await readFile(path.join(dataDir, 'postgres', 'postmaster.pid'), 'utf8').catch(() => '');
  const pid = Number.parseInt(text, 10);
  if (!(pid > 0)) return null;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return commandLine.includes('postgres') ? pid : null;
}

async function ask<T>(url: string, question: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    return await question(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/** Starts a process of its own; resolves to it and the address that it printed. */
async function startProcess(): Promise<{ child: ChildProcess; url: string; lines: AsyncIterator<string> }> {
  const script = path.resolve(import.meta.dirname, '../support/embedded-process.ts');
  const child = spawn(process.execPath, [script, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { value } = await lines.next();
  expect(value).toMatch(/^ready postgres:/);
  return { child, url: String(value).slice('ready '.length), lines };
}

describe('the embedded server', () => {
  it('serves a database of ours and ends when its only user stops', async () => {
    const embedded = await start();
    const [row] = await ask(embedded.databaseUrl, (sql) => sql`select current_database() as name, version()`);
    expect(row).toMatchObject({ name: 'hotlap', version: expect.stringContaining('PostgreSQL 18') });
    expect(await serverPid()).not.toBeNull();
    await embedded.stop();
    expect(await serverPid()).toBeNull();
  });

  it('keeps data, address and password over a restart', async () => {
    const first = await start();
    await ask(first.databaseUrl, (sql) => sql`create table kept as select 42 as answer`);
    await first.stop();
    const second = await start();
    expect(second.databaseUrl).toBe(first.databaseUrl);
    expect(await ask(second.databaseUrl, (sql) => sql`select answer from kept`)).toEqual([{ answer: 42 }]);
  });

  it('is one server for processes that start at once on an empty folder, and the last to stop ends it', async () => {
    const processes = await Promise.all([startProcess(), startProcess(), startProcess()]);
    expect(new Set(processes.map((each) => each.url)).size).toBe(1);
    const pid = await serverPid();
    for (const each of processes) {
      expect(await serverPid()).toBe(pid);
      each.child.kill('SIGTERM');
      expect((await each.lines.next()).value).toBe('stopped');
    }
    expect(await serverPid()).toBeNull();
    expect((await readdir(dataDir)).filter((name) => name.startsWith('postgres-making'))).toEqual([]);
  });

  it('can be started while another user is stopping it', async () => {
    let current = await start();
    for (let round = 0; round < 5; round += 1) {
      const [next] = await Promise.all([start(), current.stop()]);
      expect(await ask(next.databaseUrl, (sql) => sql`select 1 as one`)).toEqual([{ one: 1 }]);
      current = next;
    }
  });

  it('is used again after every Hotlap process was killed', async () => {
    const { child, url } = await startProcess();
    await ask(url, (sql) => sql`create table kept as select 1 as one`);
    const pid = await serverPid();
    child.kill('SIGKILL');
    await once(child, 'exit');
    const embedded = await start();
    expect(embedded.databaseUrl).toBe(url);
    expect(await serverPid()).toBe(pid);
    await embedded.stop();
    expect(await serverPid()).toBeNull();
  });

  it('comes back on its port when it is killed; a query in between fails and later ones succeed', async () => {
    const embedded = await start();
    const sql = connect(embedded.databaseUrl, { maxConnections: 2, log: quietLog });
    const before = await serverPid();
    const running = sql`select pg_sleep(60)`.then(
      () => 'finished',
      () => 'failed',
    );
    await expect
      .poll(
        async () => (await sql`select 1 from pg_stat_activity where wait_event = 'PgSleep'`).length,
        DEADLINE,
      )
      .toBe(1);
    process.kill(before ?? 0, 'SIGKILL');
    expect(await running).toBe('failed');
    // For a moment the processes of the dead server still answer on open connections.
    await expect.poll(serverPid, DEADLINE).not.toBeOneOf([before, null]);
    const answer = () =>
      sql`select 1 as one`.then(
        (rows) => rows[0],
        () => null,
      );
    await expect.poll(answer, DEADLINE).toEqual({ one: 1 });
    await sql.end();
  });

  it('lets nobody in without the password, which only the owner of the data folder can read', async () => {
    const { databaseUrl } = await start();
    for (const password of ['', 'wrong']) {
      const url = new URL(databaseUrl);
      url.password = password;
      await expect(ask(url.href, (sql) => sql`select 1`)).rejects.toThrow(/password/);
    }
    const mode = (await stat(path.join(dataDir, 'postgres-password'))).mode & 0o777;
    expect(mode).toBe(0o600);
    const [row] = await ask(
      databaseUrl,
      (sql) => sql`select current_setting('listen_addresses') as tcp,
      current_setting('unix_socket_directories') as socket`,
    );
    expect(row).toEqual({ tcp: '127.0.0.1', socket: '' });
  });

  it('runs in a session of its own, which a Ctrl-C in the terminal does not reach', async () => {
    await start();
    const pid = await serverPid();
    const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? [];
    // After state and parent: process group, session.
    expect(fields.slice(2, 4)).toEqual([String(pid), String(pid)]);
  });

  it('starts although the pid in an old pid file belongs to another process by now', async () => {
    await (await start()).stop();
    const file = path.join(dataDir, 'postgres', 'postmaster.pid');
    await writeFile(file, `${process.pid}\n${dataDir}/postgres\n1700000000\n1\n\n127.0.0.1\n`);
    const embedded = await start();
    expect(await ask(embedded.databaseUrl, (sql) => sql`select 1 as one`)).toEqual([{ one: 1 }]);
  });

  it('says so when the data was written by another major version', async () => {
    await (await start()).stop();
    await writeFile(path.join(dataDir, 'postgres', 'PG_VERSION'), '17\n');
    await expect(start()).rejects.toThrow(/written by PostgreSQL 17, and this version of Hotlap brings 18/);
  });

  it('shows the end of the server log when the server does not start', async () => {
    await (await start()).stop();
    const settings = { work_mem: 'plenty' };
    await expect(startEmbedded({ dataDir, log: quietLog, settings })).rejects.toThrow(/work_mem.*plenty/s);
  });

  it('under root, keeps the data where the account of the server can reach it, and finds it again', async (context) => {
    if (!asRoot) context.skip('only root runs the server under another account');
    const closed = path.join(scratch, 'closed');
    await mkdir(closed, { mode: 0o700 });
    dataDir = path.join(closed, 'data');
    const first = await start();
    await ask(first.databaseUrl, (sql) => sql`create table kept as select 1 as one`);
    await first.stop();
    expect((await lstat(path.join(dataDir, 'postgres'))).isSymbolicLink()).toBe(true);
    const second = await start();
    expect(await ask(second.databaseUrl, (sql) => sql`select one from kept`)).toEqual([{ one: 1 }]);
  });
});
