/** A PostgreSQL server of a test's own, that it may end and start again as it likes. */
import { chmod, mkdtemp, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import postgres from 'postgres';
import { type Embedded, startEmbedded } from '../../src/db/embedded.ts';
import { migrate } from '../../src/db/migrate.ts';
import { quietLog } from './quiet-log.ts';

export interface OwnDatabase {
  databaseUrl: string;
  /** Ends the server in order, every connection is told; it stays away until `startAgain`. */
  shutDown(): Promise<void>;
  /** On the same port. */
  startAgain(): Promise<void>;
  /** Ends the server at once, as a crash would; resolves when it is back, with its recovery done. */
  crash(): Promise<void>;
  remove(): Promise<void>;
}

const DEADLINE_MS = 30_000;

/** With all migrations applied. Call `remove` when done. */
export async function ownDatabase(): Promise<OwnDatabase> {
  const scratch = await mkdtemp(path.join(tmpdir(), 'hotlap-own-database-'));
  await chmod(scratch, 0o711);
  const dataDir = path.join(scratch, 'data');
  let embedded: Embedded | null = null;

  async function start(): Promise<void> {
    embedded = await startEmbedded({ dataDir, log: quietLog, settings: { shared_buffers: '16MB' } });
  }

  async function serverPid(): Promise<number> {
    const text = await readFile(path.join(dataDir, 'postgres', 'postmaster.pid'), 'utf8').catch(() => '');
    return Number.parseInt(text, 10) || 0;
  }

  await start();
  const databaseUrl = (embedded as Embedded | null)?.databaseUrl ?? '';
  await migrate(databaseUrl, {
    directory: path.resolve(import.meta.dirname, '../../migrations'),
    log: quietLog,
  });
  return {
    databaseUrl,
    async shutDown() {
      await embedded?.stop();
      embedded = null;
    },
    async startAgain() {
      await start();
      if (embedded?.databaseUrl !== databaseUrl) throw new Error('the server is on another port now');
    },
    async crash() {
      const pid = await serverPid();
      process.kill(pid, 'SIGQUIT');
      const deadline = Date.now() + DEADLINE_MS;
      // Its holder, in this process, starts it again.
      while ((await serverPid()) === pid || !(await answers(databaseUrl))) {
        if (Date.now() > deadline) throw new Error('the server did not come back');
        await delay(20);
      }
    },
    async remove() {
      await embedded?.stop();
      const home = await readlink(path.join(dataDir, 'postgres')).catch(() => null);
      if (home) await rm(home, { recursive: true, force: true });
      await rm(scratch, { recursive: true, force: true });
    },
  };
}

async function answers(databaseUrl: string): Promise<boolean> {
  const sql = postgres(databaseUrl, { max: 1, connect_timeout: 5, onnotice: () => {} });
  try {
    await sql`select 1`;
    return true;
  } catch {
    return false;
  } finally {
    await sql.end({ timeout: 1 });
  }
}
