import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, type Db, isConnectionError } from '../../src/db/client.ts';
import { createLog } from '../../src/log.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { quietLog } from '../support/quiet-log.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase({ maxConnections: 2 });
});
afterAll(() => database.drop());

/** Takes what every query function takes. */
async function countTo(db: Db, last: number): Promise<number> {
  const [row] = await db<
    { total: number }[]
  >`select count(*) as total from generate_series(1, ${last}::int8)`;
  return row?.total ?? -1;
}

describe('connect', () => {
  it('hands the same query function a pool, a transaction and a savepoint', async () => {
    expect(await countTo(database.sql, 3)).toBe(3);
    const inside = await database.sql.begin(async (tx) => [
      await countTo(tx, 4),
      await tx.savepoint((point) => countTo(point, 5)),
    ]);
    expect(inside).toEqual([4, 5]);
  });

  it('reads int8 as a number, alone and in arrays, and refuses one that would lose digits', async () => {
    const [row] = await database.sql`select 9007199254740991::int8 as most, array[1, -2]::int8[] as list,
      1.5::double precision as score`;
    expect(row).toEqual({ most: Number.MAX_SAFE_INTEGER, list: [1, -2], score: 1.5 });
    await expect(database.sql`select 9007199254740993::int8`).rejects.toThrow('9007199254740993');
    expect(await countTo(database.sql, 1)).toBe(1);
  });

  it('works in the schema hotlap under a name of its own', async () => {
    const [row] =
      await database.sql`select current_schema() as schema, current_setting('application_name') as name`;
    expect(row).toEqual({ schema: 'hotlap', name: 'hotlap' });
  });

  it('has days of 24 hours where the server’s clock is put forward and back', async () => {
    const name = new URL(database.databaseUrl).pathname.slice(1);
    await database.sql`alter database ${database.sql(name)} set timezone to 'America/New_York'`;
    const sql = connect(database.databaseUrl, { maxConnections: 1, log: quietLog });
    const [row] = await sql`
      select extract(epoch from timestamptz '2026-03-08 12:00Z' - (timestamptz '2026-03-08 12:00Z' - interval '1 day'))::int / 3600
        as hours`;
    expect(row).toEqual({ hours: 24 });
    await sql.end();
  });

  it('fails the query under way when the server ends its connection, and answers the next one', async () => {
    const cut = database.sql`select pg_terminate_backend(pg_backend_pid())`;
    await expect(cut).rejects.toThrow();
    expect(await countTo(database.sql, 2)).toBe(2);
  });

  it('ends a transaction whose connection breaks, and no other: the pool works on', async () => {
    const other = connect(database.databaseUrl, { maxConnections: 1, log: quietLog });
    const pool = connect(database.databaseUrl, { maxConnections: 2, log: quietLog });
    await pool`create table if not exists broken (round int)`;
    for (let round = 0; round < 8; round++) {
      let pid: number | undefined;
      const broken = pool
        .begin(async (tx) => {
          await tx`insert into broken values (${round})`;
          const [row] = await tx<{ pid: number }[]>`select pg_backend_pid() as pid`;
          pid = row?.pid;
          await tx`select pg_sleep(60)`;
        })
        .catch((error: unknown) => error);
      await expect.poll(() => pid).toBeDefined();
      await other`select pg_terminate_backend(${pid ?? 0})`;
      expect(isConnectionError(await broken)).toBe(true);
      // Both connections of the pool at once, the mended one among them: it may tell its old end once more.
      const count = (last: number) => pool.begin((tx) => countTo(tx, last));
      const after = await Promise.all(
        [1, 2].map((last) => count(last).catch((error) => (isConnectionError(error) ? count(last) : error))),
      );
      expect(after).toEqual([1, 2]);
    }
    expect(await pool`select round from broken`).toEqual([]);
    await pool.end();
    await other.end();
  });

  it('sends notices to the log', async () => {
    const lines: string[] = [];
    const log = createLog({ level: 'debug', format: 'json' }, { write: (line) => lines.push(line) });
    const sql = connect(database.databaseUrl, { maxConnections: 1, log });
    await sql`drop table if exists never_was`;
    await sql.end();
    expect(lines.join('')).toContain('never_was');
  });
});
