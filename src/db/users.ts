import type { Db } from './client.ts';

/** Remembers a person as they are called now. */
export async function saveUser(db: Db, user: { id: string; name: string }): Promise<void> {
  const known = await db`
    update hotlap.users set name = ${user.name}, last_seen_at = now() where id = ${user.id} returning id`;
  if (known.length > 0) return;
  // Whatever it conflicts on: of two that come at once, either unique index may be the one that notices.
  await db`insert into hotlap.users (id, name) values (${user.id}, ${user.name}) on conflict do nothing`;
}

/** Null for one who is not known. */
export async function findUserName(db: Db, id: string): Promise<string | null> {
  const [row] = await db<{ name: string }[]>`select name from hotlap.users where id = ${id}`;
  return row?.name ?? null;
}
