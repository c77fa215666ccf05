/** What a token means, for the guards: rows of the database, and the one token that the configuration may name. */
import { timingSafeEqual } from 'node:crypto';
import type { Db } from '../db/client.ts';
import { findAdminByToken, findUserByToken, findUserByWebToken } from '../db/tokens.ts';
import { tokenHash } from '../domain/account.ts';
import type { Accounts } from './auth.ts';

const SETTING = 'HOTLAP_ADMIN_TOKEN';

/**
 * `adminToken` null: only those of `/admin token create` open the admin routes. `participantsOnly`: the role of participants
 * is set, so that an account needs it; those that organisers made themselves (`local:`) do not.
 */
export function databaseAccounts(
  db: Db,
  adminToken: string | null,
  rolesOf: Accounts['rolesOf'] = async () => [],
  participantsOnly = false,
): Accounts {
  const configured = adminToken === null ? null : Buffer.from(tokenHash(adminToken));
  return {
    rolesOf,
    async takesPart(userId) {
      if (!participantsOnly || userId.startsWith('local:')) return true;
      return (await rolesOf(userId)).includes('participant');
    },
    findByCliId: (token) => findUserByToken(db, token),
    findByWebId: (token) => findUserByWebToken(db, token),
    async findAdmin(token) {
      const given = Buffer.from(tokenHash(token));
      if (configured && timingSafeEqual(given, configured)) return { id: SETTING, name: SETTING };
      const found = await findAdminByToken(db, token);
      return found && { id: found.userId, name: `${found.name} (${found.userName}, ${found.userId})` };
    },
  };
}
