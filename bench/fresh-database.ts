/** A server of its own with all migrations and nothing in it, as the product starts one. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect, type Sql } from '../src/db/client.ts';
import { startEmbedded } from '../src/db/embedded.ts';
import { migrate } from '../src/db/migrate.ts';
import { createLog } from '../src/log.ts';

/** What ends it is added to `closers`, to be called from the last to the first. */
export async function freshDatabase(closers: (() => Promise<unknown>)[]): Promise<Sql> {
  const log = createLog({ level: 'error', format: 'json' });
  const folder = await mkdtemp(path.join(tmpdir(), 'hotlap-bench-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  // The server runs as another account where this one is root.
  await chmod(folder, 0o711);
  const embedded = await startEmbedded({ dataDir: path.join(folder, 'database'), log });
  closers.push(() => embedded.stop());
  const directory = path.resolve(import.meta.dirname, '../migrations');
  await migrate(embedded.databaseUrl, { directory, log });
  const sql = connect(embedded.databaseUrl, { maxConnections: 4, log });
  closers.push(() => sql.end({ timeout: 1 }));
  return sql;
}
