/**
 * The PostgreSQL server of one test run, in a process of its own: prints `ready <url>` of the migrated template
 * database and serves until its standard input ends. That is how it learns that the run is over, also when the run
 * was interrupted or killed; then it ends the server and removes its files.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startEmbedded } from '../../src/db/embedded.ts';
import { migrate } from '../../src/db/migrate.ts';
import { quietLog } from './quiet-log.ts';

/** No test looks at durability on this server, and without it a clone is several times faster. */
const settings = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  wal_level: 'minimal',
  max_wal_senders: '0',
  shared_buffers: '64MB',
};

// The one that is interrupted is the test run; we end after it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
const runEnded = new Promise<void>((resolve) => process.stdin.once('end', resolve).resume());

const dataDir = await mkdtemp(path.join(tmpdir(), 'hotlap-test-database-'));
// The account of the server must be able to pass through, where that is another one.
await chmod(dataDir, 0o711);
try {
  const embedded = await startEmbedded({ dataDir, log: quietLog, settings });
  try {
    const directory = path.resolve(import.meta.dirname, '../../migrations');
    await migrate(embedded.databaseUrl, { directory, log: quietLog });
    process.stdout.write(`ready ${embedded.databaseUrl}\n`);
    await runEnded;
  } finally {
    await embedded.stop();
  }
} finally {
  await rm(dataDir, { recursive: true, force: true });
}
