/**
 * One bot per database: two would answer the same interactions and deliver each other's messages.
 *
 * The lock is PostgreSQL's, held by a connection of its own: a process that dies lets go of it at once. A restart of the
 * database loses it; it is taken again, and should another process have been quicker, that is an error in the log.
 */
import type { Log } from '../log.ts';
import { connect, type Sql } from './client.ts';

const BOT_LOCK = 4_077_003;
/** A predecessor that is just ending is waited for. */
const PATIENCE_MS = 10_000;
const PAUSE_MS = 500;
const CHECK_MS = 15_000;

export interface BotLock {
  release(): Promise<void>;
}

/** Throws a sentence when another process holds it for longer than a restart takes. */
export async function takeBotLock(databaseUrl: string, log: Log): Promise<BotLock> {
  const sql = connect(databaseUrl, { maxConnections: 1, log, keep: true });
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await tryLock(sql))) {
    if (Date.now() > deadline) {
      await sql.end();
      throw new Error(
        'another Hotlap runs the bot on this database: stop it first, or start this one with HOTLAP_ROLES=scheduler',
      );
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  const check = setInterval(() => {
    tryLock(sql).then(
      (held) => {
        if (!held)
          log.error('another Hotlap took over the bot while the database was away: stop one of the two');
      },
      (error: unknown) => log.warn({ error }, 'the bot lock could not be checked'),
    );
  }, CHECK_MS);
  return {
    async release() {
      clearInterval(check);
      await sql.end();
    },
  };
}

/** True when this connection has it, from now on or already. */
async function tryLock(sql: Sql): Promise<boolean> {
  const [row] = await sql<{ held: boolean }[]>`
    select exists (
      select from pg_locks
      where locktype = 'advisory' and granted and pid = pg_backend_pid() and objid = ${BOT_LOCK}::bigint::oid
    ) or pg_try_advisory_lock(${BOT_LOCK}::bigint) as held`;
  return row?.held ?? false;
}
