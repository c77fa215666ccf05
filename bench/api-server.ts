/** The API in a process of its own, for bench/api.ts: prints `ready <url>`, and ends with its standard input. */

import { databaseAccounts } from '../src/api/accounts.ts';
import { startApi } from '../src/api/server.ts';
import { connect } from '../src/db/client.ts';
import { createLog } from '../src/log.ts';

const [databaseUrl = ''] = process.argv.slice(2);
const log = createLog({ level: 'warn', format: 'json' });
const sql = connect(databaseUrl, { maxConnections: 12, log });
const notHere = async () => {
  throw new Error('not measured');
};
const api = await startApi({
  sql,
  log,
  host: '127.0.0.1',
  port: 0,
  exportsDir: '',
  problems: { plan: notHere, planDirectory: notHere, apply: notHere },
  runs: { runnerHash: '', findKnownGood: notHere },
  accounts: databaseAccounts(sql, null),
  signIn: { publicUrl: null, apps: { discord: null, github: null } },
  rates: { read: 1e9 },
});
process.stdout.write(`ready ${api.url}\n`);
await new Promise<void>((resolve) => process.stdin.once('end', resolve).resume());
await api.close();
await sql.end();
