/**
 * Vitest global set-up of the projects that use PostgreSQL: one embedded server, one migrated template database.
 * Several projects name this file; the first starts the server and the last to end stops it.
 */
import { chmod, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { connect } from '../../src/db/client.ts';
import { type Embedded, startEmbedded } from '../../src/db/embedded.ts';
import { migrate } from '../../src/db/migrate.ts';
import { quietLog } from './quiet-log.ts';

interface TestServer {
  users: number;
  ready: Promise<{ embedded: Embedded; dataDir: string }>;
}

// Vitest loads this file once per project, so that a variable of the module would not be shared.
const shared = globalThis as { hotlapTestServer?: TestServer | undefined };

const PREFIX = 'hotlap-test-database-';

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** A test run that was killed could not end its server. It is ended here, by being its last user. */
async function sweepKilledRuns(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const owner = Number(new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1] ?? Number.NaN);
    if (Number.isNaN(owner) || isAlive(owner)) continue;
    const dataDir = path.join(tmpdir(), name);
    const mine = (await stat(dataDir).catch(() => null))?.uid === process.getuid?.();
    if (!mine) continue;
    await startEmbedded({ dataDir, log: quietLog })
      .then((embedded) => embedded.stop())
      .catch(() => {});
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function startServer() {
  await sweepKilledRuns();
  const dataDir = await mkdtemp(path.join(tmpdir(), `${PREFIX}${process.pid}-`));
  await chmod(dataDir, 0o711);
  const settings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', wal_level: 'minimal' };
  const embedded = await startEmbedded({
    dataDir,
    log: quietLog,
    settings: { ...settings, max_wal_senders: '0', shared_buffers: '64MB' },
  });
  const sql = connect(embedded.databaseUrl, { maxConnections: 1, log: quietLog });
  await migrate(sql, { directory: path.resolve(import.meta.dirname, '../../migrations'), log: quietLog });
  await sql.end();
  return { embedded, dataDir };
}

export async function setup(project: TestProject): Promise<void> {
  shared.hotlapTestServer ??= { users: 0, ready: startServer() };
  shared.hotlapTestServer.users += 1;
  const { embedded } = await shared.hotlapTestServer.ready;
  project.provide('templateUrl', embedded.databaseUrl);
}

export async function teardown(): Promise<void> {
  const server = shared.hotlapTestServer;
  if (!server) return;
  server.users -= 1;
  if (server.users > 0) return;
  shared.hotlapTestServer = undefined;
  const { embedded, dataDir } = await server.ready;
  await embedded.stop();
  await rm(dataDir, { recursive: true, force: true });
}
