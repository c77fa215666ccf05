import type { APIOverwrite, APIRole } from 'discord-api-types/v10';
import { OverwriteType, PermissionFlagsBits } from 'discord-api-types/v10';

const everything = Object.values(PermissionFlagsBits).reduce((all, bit) => all | bit, 0n);

/** A member's permissions in the guild: the union of the roles, or everything for an administrator. */
export function guildPermissions(roles: APIRole[]): bigint {
  const union = roles.reduce((all, role) => all | BigInt(role.permissions), 0n);
  return (union & PermissionFlagsBits.Administrator) !== 0n ? everything : union;
}

/** The same in one channel, after its overwrites (`@everyone` first, then roles, then the member's own). */
export function channelPermissions(
  member: { userId: string; guildId: string; roles: APIRole[] },
  overwrites: APIOverwrite[],
): bigint {
  const base = guildPermissions(member.roles);
  if ((base & PermissionFlagsBits.Administrator) !== 0n) return everything;
  const roleIds = new Set(member.roles.map((role) => role.id));
  const layers: ((overwrite: APIOverwrite) => boolean)[] = [
    (overwrite) => overwrite.id === member.guildId,
    (overwrite) =>
      overwrite.type === OverwriteType.Role && overwrite.id !== member.guildId && roleIds.has(overwrite.id),
    (overwrite) => overwrite.type === OverwriteType.Member && overwrite.id === member.userId,
  ];
  let permissions = base;
  for (const belongs of layers) {
    const layer = overwrites.filter(belongs);
    for (const overwrite of layer) permissions &= ~BigInt(overwrite.deny);
    for (const overwrite of layer) permissions |= BigInt(overwrite.allow);
  }
  return permissions;
}

/** Whether a command is shown to and may be run by someone with these permissions. */
export function mayUseCommand(
  defaultMemberPermissions: string | null | undefined,
  permissions: bigint,
): boolean {
  if (defaultMemberPermissions === null || defaultMemberPermissions === undefined) return true;
  if ((permissions & PermissionFlagsBits.Administrator) !== 0n) return true;
  const needed = BigInt(defaultMemberPermissions);
  // "0" means nobody but administrators.
  return needed !== 0n && (permissions & needed) === needed;
}
