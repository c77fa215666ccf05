/**
 * Brings the schema up to date: `migrations/0001_name.sql`, `0002_...`, forward only.
 *
 * Postgrator keeps the table of what was applied and checks that no applied file was changed since. Ours are the
 * plain file names, one transaction per migration, and the advisory lock under which all of it happens: a second
 * process waits for the first and then finds nothing to do.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import Postgrator from 'postgrator';
import type { Log } from '../log.ts';
import { connect, type Sql } from './client.ts';

type Migration = Postgrator.Migration;
type RunSql = (text: string) => Promise<{ rows: Record<string, unknown>[] }>;

/** Any constant number; it only has to differ from other advisory locks in this database. */
const MIGRATION_LOCK = 4_077_002;
const FILE_NAME = /^(\d{4})_([a-z0-9_]+)\.sql$/;
const VERSION_TABLE = 'hotlap.schema_version';

/** Reads the migrations of a folder in order. Throws on other `.sql` names, and on a missing or doubled number. */
async function loadMigrations(directory: string): Promise<Migration[]> {
  const files = (await readdir(directory)).filter((file) => file.endsWith('.sql')).sort();
  return Promise.all(
    files.map(async (file, index) => {
      const match = FILE_NAME.exec(file);
      if (!match) throw new Error(`migrations: ${file} should be named like 0001_what_it_does.sql`);
      const version = Number(match[1]);
      if (version !== index + 1) {
        throw new Error(
          `migrations: ${file} should have the number ${index + 1}; none may be missing or used twice`,
        );
      }
      const filename = path.join(directory, file);
      const text = await readFile(filename, 'utf8');
      // A checkout with other line ends is the same migration.
      const md5 = createHash('md5').update(text.replaceAll('\r\n', '\n')).digest('hex');
      return { version, action: 'do', filename, name: match[2] ?? '', md5, getSql: () => text } as const;
    }),
  );
}

class Migrator extends Postgrator {
  readonly #all: Migration[];
  readonly #runSql: RunSql;

  constructor(all: Migration[], runSql: RunSql) {
    super({ driver: 'pg', schemaTable: VERSION_TABLE, validateChecksums: true, execQuery: runSql });
    this.#all = all;
    this.#runSql = runSql;
  }

  override async getMigrations(): Promise<Migration[]> {
    // The base class selects from this field, which its types do not mention.
    Object.assign(this, { migrations: this.#all });
    return this.#all;
  }

  /** The base class would apply a script and note it as two separate steps. */
  override async runMigrations(pending: Migration[] = []): Promise<Migration[]> {
    for (const migration of pending) {
      await this.#runSql('begin');
      try {
        await super.runMigrations([migration]);
        await this.#runSql('commit');
      } catch (cause) {
        await this.#runSql('rollback');
        throw new Error(`migrations: ${path.basename(migration.filename)} failed; nothing of it was kept`, {
          cause,
        });
      }
    }
    return pending;
  }
}

/**
 * Applies what is missing and returns the names of what was applied, in order.
 *
 * @param database a pool, or an address to connect to for the time being
 * @throws Error when a file is misnamed, an applied one was changed, a script fails, or the database is newer than
 *   the folder; everything before the failing script stays applied
 */
export async function migrate(
  database: Sql | string,
  options: { directory: string; log: Log },
): Promise<string[]> {
  if (typeof database !== 'string') return migrateWith(database, options);
  const sql = connect(database, { maxConnections: 1, log: options.log });
  try {
    return await migrateWith(sql, options);
  } finally {
    await sql.end();
  }
}

async function migrateWith(sql: Sql, options: { directory: string; log: Log }): Promise<string[]> {
  const all = await loadMigrations(options.directory);
  const connection = await sql.reserve();
  // Text without parameters goes out in the simple protocol, which takes several statements at once.
  const runSql: RunSql = async (text) => ({ rows: await connection.unsafe(text) });
  try {
    await connection`select pg_advisory_lock(${MIGRATION_LOCK})`;
    try {
      await runSql('create schema if not exists hotlap');
      const migrator = new Migrator(all, runSql);
      const version = await migrator.getDatabaseVersion();
      if (version > all.length) {
        throw new Error(
          `The database is at schema version ${version}, newer than this version of Hotlap (${all.length}). ` +
            'Start the newer Hotlap, or use another database.',
        );
      }
      const applied = all.length === 0 ? [] : await migrator.migrate();
      const names = applied.map((migration) => path.basename(migration.filename));
      if (names.length > 0) options.log.info({ applied: names }, 'database schema brought up to date');
      return names;
    } finally {
      await connection`select pg_advisory_unlock(${MIGRATION_LOCK})`;
    }
  } finally {
    connection.release();
  }
}
