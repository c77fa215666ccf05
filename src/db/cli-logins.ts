/**
 * The registration of a command-line client, from the id that it asks for to the token that the id becomes.
 *
 * Each step takes the row away (or out of the state it was in) in the statement that reads it: of two browsers, or of
 * one that sends a page twice, only the first gets on.
 */
import { type Identity, type Provider, userIdOf } from '../domain/account.ts';
import type { ChangeRecord } from './audit.ts';
import type { Db, Sql } from './client.ts';
import { hasRoomForToken, insertToken, revokeTokens, type TokenOwner } from './tokens.ts';
import { saveUser } from './users.ts';

const LIFETIME_MINUTES = 10;
const lifetime = (db: Db) => db`make_interval(mins => ${LIFETIME_MINUTES})`;
export const CLI_TOKEN_NAME = 'registered command line';

/** asked. Clears away what nobody came back for. */
export async function openCliLogin(db: Db, login: { sha256: string; provider: Provider }): Promise<void> {
  await db`delete from hotlap.cli_logins where expires_at < now()`;
  await db`
    insert into hotlap.cli_logins (sha256, provider, expires_at)
    values (${login.sha256}, ${login.provider}, now() + ${lifetime(db)})`;
}

/** asked -> gone. False where the id is unknown, too old, of another provider or was used. */
export async function takeCliLogin(db: Db, login: { sha256: string; provider: Provider }): Promise<boolean> {
  const rows = await db`
    delete from hotlap.cli_logins
    where sha256 = ${login.sha256} and provider = ${login.provider} and ticket_sha256 is null and expires_at > now()
    returning sha256`;
  return rows.length === 1;
}

export interface SignedIn {
  /** Of the client's id. */
  sha256: string;
  identity: Identity;
  isReset: boolean;
}

/** gone -> signed in: the owner of the identity is asked whether the client is theirs. */
export async function holdCliLogin(db: Db, login: SignedIn & { ticketSha256: string }): Promise<void> {
  const { provider, subject, name } = login.identity;
  await db`
    insert into hotlap.cli_logins (sha256, provider, expires_at, ticket_sha256, subject, name, is_reset)
    values (${login.sha256}, ${provider}, now() + ${lifetime(db)}, ${login.ticketSha256}, ${subject}, ${name},
      ${login.isReset})`;
}

/** signed in -> gone. Null where the ticket is unknown, too old or was used. */
export async function takeHeldLogin(db: Db, ticketSha256: string): Promise<SignedIn | null> {
  const [row] = await db<(Identity & Omit<SignedIn, 'identity'>)[]>`
    delete from hotlap.cli_logins where ticket_sha256 = ${ticketSha256} and expires_at > now()
    returning sha256, provider, subject, name, is_reset as "isReset"`;
  if (!row) return null;
  const { provider, subject, name, ...login } = row;
  return { ...login, identity: { provider, subject, name } };
}

/**
 * The client's id becomes a token of the identity's user. A first registration is for those who have none, a reset for
 * those who are known: it revokes what was registered before.
 */
export async function linkCli(
  sql: Sql,
  login: SignedIn,
  record?: ChangeRecord,
): Promise<TokenOwner | 'registered-already' | 'unknown-user'> {
  const { identity, isReset } = login;
  return sql.begin(async (tx) => {
    const userId = (await findIdentity(tx, identity)) ?? userIdOf(identity);
    // Two registrations at once are looked at one after the other.
    await tx`select pg_advisory_xact_lock(hashtextextended(${`cli:${userId}`}, 0))`;
    const [known] = await tx<{ registered: boolean }[]>`
      select exists (
        select from hotlap.api_tokens t where t.user_id = u.id and t.kind = 'cli' and t.revoked_at is null
      ) as registered
      from hotlap.users u where u.id = ${userId}`;
    if (isReset && !known) return 'unknown-user';
    if (!isReset && known?.registered) return 'registered-already';
    await saveUser(tx, { id: userId, name: identity.name });
    await saveIdentity(tx, identity, userId);
    if (isReset) await revokeTokens(tx, { kinds: ['cli'], userId });
    await insertToken(tx, { kind: 'cli', sha256: login.sha256, userId, name: CLI_TOKEN_NAME });
    if (record) {
      record.actor = { ...record.actor, id: userId, name: identity.name };
      const after = { kind: 'cli', provider: identity.provider, reset: isReset };
      await record.note(tx, { subject: `user ${userId}`, after });
    }
    return { userId, userName: identity.name };
  });
}

/**
 * The same without a provider's sign-in: Discord has told us who it is. Where they have as many tokens as one may have,
 * the id stays open.
 */
export async function linkCliByDiscord(
  sql: Sql,
  user: { id: string; name: string },
  sha256: string,
  record?: ChangeRecord,
): Promise<'linked' | 'unknown-id' | 'full'> {
  return sql.begin(async (tx) => {
    if (!(await hasRoomForToken(tx, user))) return 'full';
    const taken = await tx`
      delete from hotlap.cli_logins
      where sha256 = ${sha256} and ticket_sha256 is null and expires_at > now() returning sha256`;
    if (taken.length === 0) return 'unknown-id';
    await saveIdentity(tx, { provider: 'discord', subject: user.id, name: user.name }, user.id);
    await insertToken(tx, { kind: 'cli', sha256, userId: user.id, name: CLI_TOKEN_NAME });
    await record?.note(tx, { subject: `user ${user.id}`, after: { kind: 'cli' } });
    return 'linked';
  });
}

async function findIdentity(db: Db, identity: Identity): Promise<string | null> {
  const [row] = await db<{ userId: string }[]>`
    select user_id as "userId" from hotlap.identities
    where provider = ${identity.provider} and subject = ${identity.subject}`;
  return row?.userId ?? null;
}

async function saveIdentity(db: Db, identity: Identity, userId: string): Promise<void> {
  await db`
    insert into hotlap.identities (provider, subject, user_id, name)
    values (${identity.provider}, ${identity.subject}, ${userId}, ${identity.name})
    on conflict (provider, subject) do update set name = excluded.name, last_sign_in_at = now()`;
}
