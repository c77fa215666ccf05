/** What happens to a result in our hands while PostgreSQL is away. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, isConnectionError, type Sql } from '../../src/db/client.ts';
import { claimJob, type Lease } from '../../src/db/jobs.ts';
import { storeJobResult } from '../../src/db/results.ts';
import { createLog } from '../../src/log.ts';
import { persist } from '../../src/scheduler/persist.ts';
import { type OwnDatabase, ownDatabase } from '../support/own-database.ts';
import { quietLog } from '../support/quiet-log.ts';
import { makeBoard, makeBox, passedIn, submit } from './scene.ts';

let database: OwnDatabase;
let sql: Sql;
beforeAll(async () => {
  database = await ownDatabase();
  sql = connect(database.databaseUrl, { maxConnections: 3, log: quietLog });
});
afterAll(async () => {
  await sql.end();
  await database.remove();
});

const never = new AbortController().signal;

/** A log, and how often it was said that the database is away. */
function countingLog() {
  const lines: string[] = [];
  const log = createLog({ level: 'warn', format: 'json' }, { write: (line) => lines.push(line) });
  return { log, times: () => lines.filter((line) => line.includes('the database is away')).length };
}

async function leasedJob(): Promise<Lease> {
  await submit(sql, await makeBoard(sql), { mode: 'test' });
  const lease = await claimJob(sql, await makeBox(sql, ['CPU']));
  if (!lease) throw new Error('nothing to claim');
  return lease;
}

describe('a result', () => {
  it('is stored once, though PostgreSQL was shut down when it came', async () => {
    const lease = await leasedJob();
    await database.shutDown();
    const { log, times } = countingLog();
    const storing = persist(() => storeJobResult(sql, lease, passedIn('test'), null), never, log);
    await expect.poll(times, { timeout: 20_000 }).toBeGreaterThan(1);
    await database.startAgain();
    expect(await storing).toBe(true);
    expect(await sql`select stage from hotlap.runs where job_id = ${lease.jobId}`).toHaveLength(1);
    expect(await sql`select status from hotlap.jobs where id = ${lease.jobId}`).toEqual([
      { status: 'finished' },
    ]);
  });

  it('is stored once when PostgreSQL crashes in the middle of storing it', async () => {
    const lease = await leasedJob();
    const { log } = countingLog();
    let crashed: Promise<void> | null = null;
    const stored = await persist(
      async () => {
        const storing = storeJobResult(sql, lease, passedIn('test'), null);
        crashed ??= database.crash();
        return storing;
      },
      never,
      log,
    );
    await crashed;
    // Were it committed and its answer lost, the second attempt says that it was stored before.
    expect(typeof stored).toBe('boolean');
    expect(await sql`select stage from hotlap.runs where job_id = ${lease.jobId}`).toHaveLength(1);
    expect(await sql`select status from hotlap.jobs where id = ${lease.jobId}`).toEqual([
      { status: 'finished' },
    ]);
  });

  it('is given up when this process stops meanwhile: it is on the box still', async () => {
    const stopping = new AbortController();
    await database.shutDown();
    const { log, times } = countingLog();
    let attempts = 0;
    const write = () => {
      attempts += 1;
      return sql`select 1`;
    };
    const storing = persist(async () => await write(), stopping.signal, log).catch((error: unknown) => error);
    await expect.poll(times, { timeout: 20_000 }).toBeGreaterThan(0);
    stopping.abort();
    expect(isConnectionError(await storing)).toBe(true);
    const before = attempts;
    await database.startAgain();
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }]);
    expect(attempts).toBe(before);
  });

  it('that PostgreSQL refuses is not tried again', async () => {
    let attempts = 0;
    const write = async () => {
      attempts += 1;
      await sql`select 1 / 0`;
    };
    await expect(persist(write, never, quietLog)).rejects.toMatchObject({ code: '22012' });
    expect(attempts).toBe(1);
  });
});

describe('isConnectionError', () => {
  it('is true of what a query meets when the server ends, is away, or ends its connection', async () => {
    const pool = connect(database.databaseUrl, { maxConnections: 1, log: quietLog });
    const errorOf = (query: PromiseLike<unknown>) =>
      Promise.resolve(query).then(
        () => null,
        (error: unknown) => error,
      );
    await pool`select 1`;
    const underWay = errorOf(pool`select pg_sleep(60)`);
    const elsewhere = connect(database.databaseUrl, { maxConnections: 1, log: quietLog });
    await expect
      .poll(() => elsewhere`select 1 from pg_stat_activity where query like 'select pg_sleep%'`)
      .toHaveLength(1);
    await elsewhere.end();
    await database.shutDown();
    const seen = [await underWay, await errorOf(pool`select 1`)];
    await database.startAgain();
    seen.push(await errorOf(pool`select pg_terminate_backend(pg_backend_pid())`));
    await pool.end();
    seen.push(await errorOf(pool`select 1`));
    for (const error of seen) expect(isConnectionError(error), String(error)).toBe(true);
  });

  it.each(['08000', '08006', '57P01', '57P02', '57P03', 'ECONNREFUSED', 'ECONNRESET', 'CONNECT_TIMEOUT'])(
    'is true of %s',
    (code) => expect(isConnectionError(Object.assign(new Error('x'), { code }))).toBe(true),
  );

  it.each(['23505', '40001', '22012', '42P01', '57014', 'ERR_ABORTED', 8, null, undefined])(
    'is false of %s',
    (code) => expect(isConnectionError(Object.assign(new Error('x'), { code }))).toBe(false),
  );

  it('is false of what is no error at all', () => {
    for (const thing of [null, undefined, 'ECONNREFUSED', 3, {}])
      expect(isConnectionError(thing)).toBe(false);
  });
});
