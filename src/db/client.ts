import postgres from 'postgres';
import type { Log } from '../log.ts';

/** int8 columns (our ids and counts) are numbers in this program, not strings. */
interface Types extends Record<string, unknown> {
  bigint: number;
}

/** A pool of connections: what opens transactions and is closed at the end. */
export type Sql = postgres.Sql<Types>;

/** What a query function takes first: the pool and the argument of `sql.begin` both fit. */
export type Db = postgres.ISql<Types>;

/** How long `end()` lets queries that are under way finish. */
const CLOSE_TIMEOUT_S = 2;

function parseBigint(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value))
    throw new RangeError(`int8 value ${text} does not fit a JavaScript number`);
  return value;
}

/** Codes of the postgres library for a connection that is gone, and of Node for one that cannot be made. */
const connectionCodes = [
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'CONNECTION_ENDED',
  'CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOENT',
];

/** True after an error that the connection does not survive. */
function closesConnection(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  // 57P: shutting down, crashed, starting up.
  return typeof code === 'string' && (connectionCodes.includes(code) || code.startsWith('57P'));
}

/**
 * True where the server was away, not where it refused: the statement may be tried again later. It may also have been
 * carried out, its answer lost; so only statements that name the state that they leave are worth trying again.
 */
export function isConnectionError(error: unknown): boolean {
  // 08: connection exception.
  return closesConnection(error) || String((error as { code?: unknown } | null)?.code).startsWith('08');
}

/**
 * Opens a pool. It connects on first use and again after the server went away: queries that were under way then
 * fail with an error, later ones wait for the new connection.
 *
 * int8 arrives as a number (one that is not exact throws), numeric as a string, timestamptz as a Date.
 */
export function connect(
  databaseUrl: string,
  /**
   * `keep`: connections are not replaced after a while, because a session's lock hangs on one. `statementTimeoutMs`: the
   * server gives up a statement that takes longer. `name`: as the server lists its connections.
   */
  options: { maxConnections: number; log: Log; keep?: boolean; statementTimeoutMs?: number; name?: string },
): Sql {
  const sql = postgres<{ bigint: postgres.PostgresType<number> }>(databaseUrl, {
    max: options.maxConnections,
    ...(options.keep && { max_lifetime: null }),
    types: { bigint: { to: 20, from: [20], serialize: String, parse: parseBigint } },
    connection: {
      application_name: options.name ?? 'hotlap',
      search_path: 'hotlap',
      // Days of 24 hours, wherever the server stands.
      TimeZone: 'UTC',
      ...(options.statementTimeoutMs && { statement_timeout: options.statementTimeoutMs }),
    },
    onnotice: (notice) => options.log.debug({ notice }, 'PostgreSQL notice'),
    // The library waits up to 20 s between attempts; a server that restarts is back much sooner.
    backoff: (attempt) => Math.min(2, 0.05 * 2 ** attempt),
  });
  // A pool that has ever lost a connection under a query waits for it for ever when it is closed without a limit.
  const end = sql.end.bind(sql);
  sql.end = (limit) => end({ timeout: CLOSE_TIMEOUT_S, ...limit });
  const begin = sql.begin.bind(sql);
  const beginUnlessBroken = (work: (tx: postgres.TransactionSql<Types>) => unknown) =>
    begin((tx) => unlessBroken(() => work(tx)));
  sql.begin = beginUnlessBroken as typeof sql.begin;
  return sql;
}

/**
 * The library answers the error of a transaction with a ROLLBACK, also where the connection is what failed: it writes
 * to a socket that is gone, which throws where nobody can catch it and ends the process. So such an error is kept from
 * it: it gives the transaction up by itself, with an error, when the connection has closed.
 */
async function unlessBroken<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (closesConnection(error)) return new Promise<never>(() => {});
    throw error;
  }
}

/** Throws where the database does not answer. */
export async function pingDatabase(db: Db): Promise<void> {
  await db`select 1`;
}
