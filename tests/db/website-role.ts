/** The website's own role in the database, with what docs/operators.md grants it. */
import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import type { TestDatabase } from '../support/database.ts';

export interface WebsiteRole {
  sql: postgres.Sql;
  /** Before the database itself. */
  drop(): Promise<void>;
}

export async function websiteRole(database: TestDatabase): Promise<WebsiteRole> {
  const name = `website_${randomBytes(4).toString('hex')}`;
  await database.sql.unsafe(`
    create role ${name} login password 'of-the-website';
    grant usage on schema leaderboard to ${name};
    grant select on all tables in schema leaderboard to ${name};
    grant insert, update on leaderboard.user_info to ${name}`);
  const url = new URL(database.databaseUrl);
  url.username = name;
  url.password = 'of-the-website';
  const sql = postgres(url.href, { max: 2, onnotice: () => {} });
  return {
    sql,
    async drop() {
      await sql.end();
      await database.sql.unsafe(`drop owned by ${name}; drop role ${name}`);
    },
  };
}
