/** Bans: whoever has one in force cannot submit, by any door. Ended ones stay as a record. */
import type { AuditState } from '../domain/audit.ts';
import type { ChangeRecord } from './audit.ts';
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
  ban: { userId: string; reason: string | null; endsAt: Date | null },
  record: ChangeRecord,
): Promise<boolean> {
  return sql.begin(async (tx) => {
    // The user's row keeps two bans at once apart.
    const known = await tx`select id from hotlap.users where id = ${ban.userId} for update`;
    if (known.length === 0) return false;
    const before = await findBan(tx, ban.userId);
    await endBan(tx, ban.userId, record.actor.name);
    await tx`
      insert into hotlap.bans (user_id, reason, banned_by, ends_at)
      values (${ban.userId}, ${ban.reason}, ${record.actor.name}, ${ban.endsAt})`;
    const after = { banned: true, until: ban.endsAt?.toISOString() ?? null };
    await record.note(tx, {
      subject: `user ${ban.userId}`,
      before: stateOf(before),
      after,
      reason: ban.reason,
    });
    return true;
  });
}

/** False when no ban was in force. */
export async function liftBan(
  sql: Sql,
  userId: string,
  record: ChangeRecord,
  reason: string | null = null,
): Promise<boolean> {
  return sql.begin(async (tx) => {
    const before = await findBan(tx, userId);
    if (!(await endBan(tx, userId, record.actor.name))) return false;
    await record.note(tx, {
      subject: `user ${userId}`,
      before: stateOf(before),
      after: { banned: false },
      reason,
    });
    return true;
  });
}

function stateOf(ban: Ban | null): AuditState {
  return ban === null
    ? { banned: false }
    : { banned: true, until: ban.endsAt?.toISOString() ?? null, because: ban.reason };
}

async function endBan(db: Db, userId: string, liftedBy: string): Promise<boolean> {
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

/** In force, newest first, with the names of those whom they concern. */
export async function listBans(db: Db): Promise<(Ban & { userName: string })[]> {
  return db<(Ban & { userName: string })[]>`
    select b.user_id as "userId", u.name as "userName", b.reason, b.banned_by as "bannedBy", b.banned_at as "bannedAt",
      b.ends_at as "endsAt"
    from hotlap.active_bans b join hotlap.users u on u.id = b.user_id order by b.id desc`;
}
