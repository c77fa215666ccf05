import { randomUUID } from 'node:crypto';
import type { ChangeRecord } from './audit.ts';
import type { Db, Sql } from './client.ts';

/**
 * The name of this installation, made once and kept: boxes keep each installation's jobs apart by it.
 */
export async function installationName(db: Db): Promise<string> {
  const made = `hotlap-${randomUUID().slice(0, 8)}`;
  await db`
    insert into hotlap.settings (key, value) values ('installation', ${db.json(made)})
    on conflict (key) do nothing`;
  const [row] = await db<{ value: string }[]>`select value from hotlap.settings where key = 'installation'`;
  if (!row) throw new Error('settings lost the row that was just written');
  return row.value;
}

/** Whether submissions are taken at all; `message` is for those who are refused. */
export interface Acceptance {
  open: boolean;
  message: string | null;
}

export async function findAcceptance(db: Db): Promise<Acceptance> {
  const [row] = await db<{ value: Acceptance }[]>`select value from hotlap.settings where key = 'acceptance'`;
  return row?.value ?? { open: true, message: null };
}

/** Kept until it is set again, restarts included. False where it was so already. */
export async function setAcceptance(
  sql: Sql,
  acceptance: Acceptance,
  record: ChangeRecord,
): Promise<boolean> {
  return sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtextextended('acceptance', 0))`;
    const before = await findAcceptance(tx);
    if (before.open === acceptance.open && before.message === acceptance.message) return false;
    await tx`
      insert into hotlap.settings (key, value) values ('acceptance', ${tx.json({ ...acceptance })})
      on conflict (key) do update set value = excluded.value, updated_at = now()`;
    await record.note(tx, { subject: 'contest', before: { ...before }, after: { ...acceptance } });
    return true;
  });
}
