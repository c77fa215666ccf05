/**
 * A database for a test file: a clone of one migrated template on the PostgreSQL server of this test run.
 * `database-setup.ts` starts that server before the first file and ends it after the last.
 */
import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { inject } from 'vitest';
import { connect, type Sql } from '../../src/db/client.ts';
import { quietLog } from './quiet-log.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** postgres:// address of the migrated template database. */
    templateUrl: string;
  }
}

export interface TestDatabase {
  sql: Sql;
  databaseUrl: string;
  /** Closes `sql` and removes the database, whoever else is still connected. */
  drop(): Promise<void>;
}

function databaseNamed(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

/** Runs one statement outside of any test database. */
async function administer(templateUrl: string, statement: string): Promise<void> {
  const sql = postgres(databaseNamed(templateUrl, 'postgres'), { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}

/** Makes a fresh database with all migrations applied. Call `drop` when done, in `afterAll` for example. */
export async function testDatabase(options: { maxConnections?: number } = {}): Promise<TestDatabase> {
  const templateUrl = inject('templateUrl');
  const template = new URL(templateUrl).pathname.slice(1);
  const name = `test_${randomBytes(6).toString('hex')}`;
  await administer(templateUrl, `create database ${name} template ${template}`);
  const databaseUrl = databaseNamed(templateUrl, name);
  const sql = connect(databaseUrl, { maxConnections: options.maxConnections ?? 5, log: quietLog });
  return {
    sql,
    databaseUrl,
    async drop() {
      await sql.end({ timeout: 1 });
      await administer(templateUrl, `drop database if exists ${name} with (force)`);
    },
  };
}
