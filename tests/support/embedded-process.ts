/**
 * A process of its own that uses the embedded server of a data folder, for tests that kill it or race several.
 * Prints `ready <url>` once the server is up and `stopped` when it has let go, which SIGTERM asks for.
 */
import { startEmbedded } from '../../src/db/embedded.ts';
import { quietLog } from './quiet-log.ts';

const [dataDir] = process.argv.slice(2);
if (!dataDir) throw new Error('usage: embedded-process.ts <data folder>');
const embedded = await startEmbedded({
  dataDir,
  log: quietLog,
  settings: { fsync: 'off', shared_buffers: '16MB' },
});
process.once('SIGTERM', async () => {
  await embedded.stop();
  process.stdout.write('stopped\n');
});
process.stdout.write(`ready ${embedded.databaseUrl}\n`);
