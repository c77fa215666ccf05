/** Tokens by which people and organisers come in through HTTP: looked up by their hash, never stored themselves. */
import {
  MAX_OWN_TOKENS,
  ownTokenKinds,
  type TokenKind,
  type TokenView,
  tokenHash,
} from '../domain/account.ts';
import type { ChangeRecord } from './audit.ts';
import type { Db, Sql } from './client.ts';
import { saveUser } from './users.ts';

export interface TokenOwner {
  userId: string;
  userName: string;
}

/** Whose command-line id or personal token it is. */
export async function findUserByToken(db: Db, token: string): Promise<TokenOwner | null> {
  const row = await useToken(db, token, ownTokenKinds);
  return row && { userId: row.userId, userName: row.userName };
}

/** Whose token of the website it is; the website gives those out itself (migration 0007). */
export async function findUserByWebToken(db: Db, token: string): Promise<TokenOwner | null> {
  const [row] = await db<TokenOwner[]>`
    select id as "userId", name as "userName" from hotlap.users where web_auth_sha256 = ${tokenHash(token)}`;
  return row ?? null;
}

export async function findAdminByToken(
  db: Db,
  token: string,
): Promise<(TokenOwner & { name: string }) | null> {
  return useToken(db, token, ['admin']);
}

/** The use is noted every few minutes only: a client that polls should not write. */
async function useToken(
  db: Db,
  token: string,
  kinds: TokenKind[],
): Promise<(TokenOwner & { name: string }) | null> {
  const [row] = await db<(TokenOwner & { name: string })[]>`
    with found as (
      select t.id, t.name, t.user_id, t.last_used_at
      from hotlap.api_tokens t
      where t.sha256 = ${tokenHash(token)} and t.kind = any(${kinds}) and t.revoked_at is null
    ), noted as (
      update hotlap.api_tokens set last_used_at = now()
      where id in (select id from found where last_used_at is null or last_used_at < now() - interval '5 minutes')
    )
    select f.name, f.user_id as "userId", u.name as "userName" from found f join hotlap.users u on u.id = f.user_id`;
  return row ?? null;
}

/** The token's number. */
export async function insertToken(
  db: Db,
  token: { kind: TokenKind; sha256: string; userId: string; name: string },
): Promise<number> {
  const [row] = await db<{ id: number }[]>`
    insert into hotlap.api_tokens (kind, sha256, user_id, name)
    values (${token.kind}, ${token.sha256}, ${token.userId}, ${token.name}) returning id`;
  if (!row) throw new Error('inserting a token returned no row');
  return row.id;
}

/**
 * In a transaction, before a token of somebody's own is inserted: remembers them, and says whether they may have one more.
 * Holds their row until the end of it, so that two at once are counted one after the other.
 */
export async function hasRoomForToken(tx: Db, user: { id: string; name: string }): Promise<boolean> {
  await saveUser(tx, user);
  await tx`select from hotlap.users where id = ${user.id} for update`;
  const [live] = await tx<{ count: number }[]>`
    select count(*) as count from hotlap.api_tokens
    where user_id = ${user.id} and kind = any(${ownTokenKinds}) and revoked_at is null`;
  return (live?.count ?? 0) < MAX_OWN_TOKENS;
}

/** Its number; null where the person has as many as one may have. */
export async function insertPersonalToken(
  sql: Sql,
  user: { id: string; name: string },
  token: { sha256: string; name: string },
  record?: ChangeRecord,
): Promise<number | null> {
  return sql.begin(async (tx) => {
    if (!(await hasRoomForToken(tx, user))) return null;
    const id = await insertToken(tx, { kind: 'personal', userId: user.id, ...token });
    const after = { kind: 'personal', name: token.name, for: user.id };
    await record?.note(tx, { subject: `token ${id}`, after });
    return id;
  });
}

/** Those that work, oldest first. `userId` undefined: everybody's. */
export async function listTokens(
  db: Db,
  filter: { kinds: TokenKind[]; userId?: string },
): Promise<TokenView[]> {
  return db<TokenView[]>`
    select t.id, t.kind, t.name, t.user_id as "userId", u.name as "userName", t.created_at as "createdAt",
      t.last_used_at as "lastUsedAt"
    from hotlap.api_tokens t join hotlap.users u on u.id = t.user_id
    where t.kind = any(${filter.kinds}) and t.revoked_at is null
      ${filter.userId === undefined ? db`` : db`and t.user_id = ${filter.userId}`}
    order by t.id`;
}

/** From now on nobody comes in with them. Returns how many worked until now. */
export async function revokeTokens(
  db: Db,
  filter: { kinds: TokenKind[]; userId?: string; id?: number },
): Promise<number> {
  const rows = await db`
    update hotlap.api_tokens set revoked_at = now()
    where kind = any(${filter.kinds}) and revoked_at is null
      ${filter.userId === undefined ? db`` : db`and user_id = ${filter.userId}`}
      ${filter.id === undefined ? db`` : db`and id = ${filter.id}`}
    returning id`;
  return rows.length;
}
