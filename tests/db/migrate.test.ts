import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { migrate } from '../../src/db/migrate.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { quietLog } from '../support/quiet-log.ts';

let database: TestDatabase;
let directory: string;

beforeEach(async () => {
  database = await testDatabase();
  await database.sql`drop schema hotlap cascade`;
  directory = await mkdtemp(path.join(tmpdir(), 'hotlap-test-migrations-'));
});

afterEach(async () => {
  await database.drop();
  await rm(directory, { recursive: true, force: true });
});

async function write(files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(directory, name), text);
}

const run = () => migrate(database.sql, { directory, log: quietLog });
const tables = async () =>
  (await database.sql`select tablename as name from pg_tables where schemaname = 'hotlap' order by 1`).map(
    (row) => row.name,
  );

describe('migrate', () => {
  it('applies plain numbered files in order, into the schema hotlap, once', async () => {
    await write({
      '0001_first.sql': 'create table one (id bigint); insert into one values (1);',
      '0002_second.sql': 'alter table one add name text',
    });
    expect(await run()).toEqual(['0001_first.sql', '0002_second.sql']);
    expect(await run()).toEqual([]);
    await write({ '0003_third.sql': 'create table three (id bigint)' });
    expect(await run()).toEqual(['0003_third.sql']);
    expect(await tables()).toEqual(['one', 'schema_version', 'three']);
    const noted =
      await database.sql`select version, name from schema_version where version > 0 order by version`;
    expect(noted.map((row) => [row.version, row.name])).toEqual([
      [1, 'first'],
      [2, 'second'],
      [3, 'third'],
    ]);
  });

  it('keeps nothing of a script that fails, keeps those before it, and can go on after the repair', async () => {
    await write({
      '0001_good.sql': 'create table good (id bigint)',
      '0002_bad.sql': 'create table half (id bigint); select 1/0;',
    });
    await expect(run()).rejects.toThrow('0002_bad.sql failed');
    expect(await tables()).toEqual(['good', 'schema_version']);
    await write({ '0002_bad.sql': 'create table whole (id bigint)' });
    expect(await run()).toEqual(['0002_bad.sql']);
    expect(await tables()).toEqual(['good', 'schema_version', 'whole']);
  });

  it('refuses an applied file that was changed, but not one with other line ends', async () => {
    await write({ '0001_first.sql': 'create table one (\n  id bigint\n);\n' });
    await run();
    await write({ '0001_first.sql': 'create table one (\r\n  id bigint\r\n);\r\n' });
    expect(await run()).toEqual([]);
    await write({ '0001_first.sql': 'create table one (id integer);\n' });
    await expect(run()).rejects.toThrow(/checksum failed for migration \[1\]/);
  });

  it('applies each file once when several processes start at the same time', async () => {
    await write({
      '0001_first.sql': 'create table one (id bigint); select pg_sleep(0.2);',
      '0002_second.sql': 'create table two (id bigint)',
    });
    const { databaseUrl } = database;
    const applied = await Promise.all(
      [1, 2, 3].map(() => migrate(databaseUrl, { directory, log: quietLog })),
    );
    expect(applied.filter((names) => names.length === 2)).toHaveLength(1);
    expect(applied.flat()).toHaveLength(2);
  });

  it('gives the lock back after a failure', async () => {
    await write({ '0001_bad.sql': 'nonsense' });
    await expect(run()).rejects.toThrow('0001_bad.sql');
    const held = await database.sql`select 1 from pg_locks where locktype = 'advisory'
      and database = (select oid from pg_database where datname = current_database())`;
    expect(held).toHaveLength(0);
  });

  it('refuses a database that a newer version has migrated', async () => {
    await write({ '0001_first.sql': 'select 1', '0002_second.sql': 'select 1' });
    await run();
    await rm(path.join(directory, '0002_second.sql'));
    await expect(run()).rejects.toThrow('schema version 2, newer than this version of Hotlap (1)');
  });

  it.each([
    [['0001_first.sql', '0003_third.sql'], '0003_third.sql should have the number 2'],
    [['0001_first.sql', '0001_other.sql'], '0001_other.sql should have the number 2'],
    [['0001_first.sql', 'second.sql'], 'second.sql should be named like'],
  ])('refuses the folder %j before it touches the database', async (names, message) => {
    await write(Object.fromEntries(names.map((name) => [name, 'select 1'])));
    await expect(run()).rejects.toThrow(message);
    expect(await database.sql`select 1 from pg_namespace where nspname = 'hotlap'`).toHaveLength(0);
  });
});
