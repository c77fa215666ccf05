/** How a report is read: it changes nothing, and does not take long. */
import type { Db, Sql } from './client.ts';

const STATEMENT_TIMEOUT_MS = 8000;

/** `now` by the clock of the database. */
export async function readReport<T>(sql: Sql, work: (tx: Db, now: Date) => Promise<T>): Promise<T> {
  return sql.begin(async (tx) => {
    await tx`set transaction read only`;
    const [row] = await tx<{ now: Date }[]>`
      select set_config('statement_timeout', ${String(STATEMENT_TIMEOUT_MS)}, true), now() as now`;
    if (!row) throw new Error('the database does not know the time');
    return work(tx, row.now);
  }) as Promise<T>;
}
