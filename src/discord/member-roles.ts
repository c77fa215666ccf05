/** What somebody may do in the contest, asked of Discord where no interaction says it: for the HTTP API. */
import { DiscordAPIError, REST, Routes } from 'discord.js';
import { type ContestRole, type RoleIds, rolesHeld } from '../domain/access.ts';

export type RolesOf = (userId: string) => Promise<readonly ContestRole[]>;

/** A role that was given or taken counts after this time. */
const KEPT_MS = 30_000;
const MAX_KEPT = 10_000;
const UNKNOWN_MEMBER = 10007;
const UNKNOWN_USER = 10013;

export function memberRoles(discord: {
  apiUrl: string;
  token: string;
  guildId: string;
  roleIds: RoleIds;
}): RolesOf {
  const rest = new REST({ api: discord.apiUrl }).setToken(discord.token);
  const kept = new Map<string, { until: number; roles: Promise<readonly ContestRole[]> }>();

  async function ask(userId: string): Promise<readonly ContestRole[]> {
    try {
      const member = (await rest.get(Routes.guildMember(discord.guildId, userId))) as { roles: string[] };
      return rolesHeld(member.roles, discord.roleIds);
    } catch (error) {
      if (error instanceof DiscordAPIError && [UNKNOWN_MEMBER, UNKNOWN_USER].includes(Number(error.code)))
        return [];
      throw error;
    }
  }

  return async (userId) => {
    // Accounts of other providers are no members.
    if (!/^\d{17,20}$/.test(userId)) return [];
    const known = kept.get(userId);
    if (known && known.until > Date.now()) return known.roles;
    if (kept.size >= MAX_KEPT) kept.clear();
    const roles = ask(userId);
    kept.set(userId, { until: Date.now() + KEPT_MS, roles });
    // A failure is nobody's role: the next one asks again.
    roles.catch(() => kept.delete(userId));
    return roles;
  };
}
