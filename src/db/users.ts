import type { Db } from './client.ts';

/** Remembers a person as they are called now. */
export async function saveUser(db: Db, user: { id: string; name: string }): Promise<void> {
  await db`
    insert into hotlap.users (id, name) values (${user.id}, ${user.name})
    on conflict (id) do update set name = excluded.name, last_seen_at = now()`;
}

export async function isUser(db: Db, id: string): Promise<boolean> {
  const rows = await db`select 1 from hotlap.users where id = ${id}`;
  return rows.length > 0;
}
