/** Bans: whoever has one in force cannot submit, by any door. Ended ones stay as a record. */
import type { Db, Sql } from './client.ts';

export interface Ban {
  userId: string;
  reason: string | null;
  bannedBy: string;
  bannedAt: Date;
  /** null: until it is lifted. */
  endsAt: Date | null;
}

/** Puts a new ban in the place of one in force. False when there is no such user. */
export async function banUser(
  sql: Sql,
  ban: { userId: string; reason: string | null; bannedBy: string; endsAt: Date | null },
): Promise<boolean> {
  return sql.begin(async (tx) => {
    // The user's row keeps two bans at once apart.
    const known = await tx`select id from hotlap.users where id = ${ban.userId} for update`;
    if (known.length === 0) return false;
    await liftBan(tx, ban.userId, ban.bannedBy);
    await tx`
      insert into hotlap.bans (user_id, reason, banned_by, ends_at)
      values (${ban.userId}, ${ban.reason}, ${ban.bannedBy}, ${ban.endsAt})`;
    return true;
  });
}

/** False when no ban was in force. */
export async function liftBan(db: Db, userId: string, liftedBy: string): Promise<boolean> {
  const rows = await db`
    update hotlap.bans set lifted_by = ${liftedBy}, lifted_at = now()
    where user_id = ${userId} and lifted_at is null and (ends_at is null or ends_at > now()) returning id`;
  return rows.length > 0;
}

export async function findBan(db: Db, userId: string): Promise<Ban | null> {
  const [row] = await db<Ban[]>`
    select user_id as "userId", reason, banned_by as "bannedBy", banned_at as "bannedAt", ends_at as "endsAt"
    from hotlap.active_bans where user_id = ${userId} order by id desc limit 1`;
  return row ?? null;
}
