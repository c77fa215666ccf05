/**
 * Who may do what in a contest. Roles are Discord's, by their ids; rules.ts has one rule for each command. Pure: whoever
 * opens a door asks here and says the refusal.
 */
import { UserError } from './errors.ts';

/** An admin may do whatever the others may. */
export const contestRoles = ['admin', 'creator', 'judge', 'participant'] as const;
export type ContestRole = (typeof contestRoles)[number];

/** Discord's ids. A role without one is held by nobody but admins; participants, without one, are everybody. */
export type RoleIds = { admin: string } & Record<Exclude<ContestRole, 'admin'>, string | null>;

/** What somebody holds, from the Discord roles that they carry. */
export function rolesHeld(carried: readonly string[], ids: RoleIds): ContestRole[] {
  if (carried.includes(ids.admin)) return [...contestRoles];
  return contestRoles.filter((role) => {
    const id = ids[role];
    return id === null ? role === 'participant' : carried.includes(id);
  });
}

export interface Rule {
  /** Any one of them will do; an admin always may. */
  for: 'everybody' | readonly ContestRole[];
  /** It changes what is stored, and stands in the audit log. */
  changes: boolean;
}

/** Throws UserError `role-needed`, which names the roles. */
export function checkRole(rule: Rule, held: readonly ContestRole[], ids: RoleIds): void {
  if (rule.for === 'everybody' || held.includes('admin')) return;
  if (rule.for.some((role) => held.includes(role))) return;
  const wanted = [...rule.for, 'admin' as const].flatMap((role) => ids[role] ?? []);
  throw new UserError('role-needed', { roles: [...new Set(wanted)].map((id) => `<@&${id}>`).join(' or ') });
}
