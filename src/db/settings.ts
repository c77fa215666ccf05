import { randomUUID } from 'node:crypto';
import type { Db } from './client.ts';

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
