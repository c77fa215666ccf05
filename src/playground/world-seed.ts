import type { APIOverwrite, APIRole, APIUser } from 'discord-api-types/v10';
import { ChannelType, OverwriteType, PermissionFlagsBits, type RoleFlags } from 'discord-api-types/v10';

// The ids are fixed: the bot's database outlives a restart of the stand-in and must find the same people again.
export const guildId = '1100000000000000100';
export const applicationId = '1100000000000000001';
export const contestChannelId = '1100000000000000201';
export const organisersChannelId = '1100000000000000202';
export const forumChannelId = '1100000000000000203';
export const adminRoleId = '1100000000000000301';
const participantRoleId = '1100000000000000302';
const botRoleId = '1100000000000000303';
const creatorRoleId = '1100000000000000304';
const judgeRoleId = '1100000000000000305';

export const roleIds = {
  admin: adminRoleId,
  creator: creatorRoleId,
  judge: judgeRoleId,
  participant: participantRoleId,
};

export const guildName = 'Kernel Contest';

const memberPermissions =
  PermissionFlagsBits.ViewChannel |
  PermissionFlagsBits.SendMessages |
  PermissionFlagsBits.ReadMessageHistory |
  PermissionFlagsBits.AttachFiles |
  PermissionFlagsBits.EmbedLinks |
  PermissionFlagsBits.UseApplicationCommands |
  PermissionFlagsBits.SendMessagesInThreads;

const botPermissions =
  memberPermissions |
  PermissionFlagsBits.ManageMessages |
  PermissionFlagsBits.CreatePublicThreads |
  PermissionFlagsBits.CreatePrivateThreads |
  PermissionFlagsBits.ManageThreads |
  PermissionFlagsBits.ManageChannels |
  PermissionFlagsBits.MentionEveryone;

function role(id: string, name: string, colour: number, position: number, permissions: bigint): APIRole {
  return {
    id,
    name,
    color: colour,
    colors: { primary_color: colour, secondary_color: null, tertiary_color: null },
    hoist: position > 0,
    position,
    permissions: permissions.toString(),
    managed: false,
    mentionable: true,
    flags: 0 as RoleFlags,
  };
}

export const roles: APIRole[] = [
  role(guildId, '@everyone', 0, 0, memberPermissions),
  role(adminRoleId, 'organiser', 0xf0b232, 5, PermissionFlagsBits.Administrator),
  role(creatorRoleId, 'creator', 0x3fbf8f, 4, PermissionFlagsBits.ManageEvents),
  role(judgeRoleId, 'judge', 0xc58af9, 3, PermissionFlagsBits.ManageEvents),
  role(participantRoleId, 'participant', 0x57a6ff, 1, 0n),
  {
    ...role(botRoleId, 'Hotlap', 0xff6b4a, 2, botPermissions),
    managed: true,
    tags: { bot_id: applicationId },
  },
];

function user(id: string, username: string): APIUser {
  return { id, username, discriminator: '0', global_name: username, avatar: null };
}

/** Whose server it is. */
export const ownerId = '1100000000000000403';

export const people: { user: APIUser; title: string; roleIds: string[] }[] = [
  { user: user('1100000000000000401', 'mira'), title: 'participant', roleIds: [participantRoleId] },
  { user: user('1100000000000000402', 'tomas'), title: 'participant', roleIds: [participantRoleId] },
  { user: user(ownerId, 'olga'), title: 'organiser', roleIds: [adminRoleId] },
  { user: user('1100000000000000404', 'kenji'), title: 'participant', roleIds: [participantRoleId] },
  { user: user('1100000000000000405', 'carla'), title: 'creator', roleIds: [creatorRoleId] },
  { user: user('1100000000000000406', 'judith'), title: 'judge', roleIds: [judgeRoleId] },
  { user: user('1100000000000000407', 'sam'), title: 'visitor', roleIds: [] },
];

const nobodyElse: APIOverwrite[] = [
  { id: guildId, type: OverwriteType.Role, allow: '0', deny: PermissionFlagsBits.ViewChannel.toString() },
  { id: botRoleId, type: OverwriteType.Role, allow: PermissionFlagsBits.ViewChannel.toString(), deny: '0' },
];

export const firstChannels = [
  {
    id: contestChannelId,
    type: ChannelType.GuildText as const,
    name: 'contest',
    topic: 'Submit kernels, follow your runs, see who leads',
  },
  {
    id: forumChannelId,
    type: ChannelType.GuildForum as const,
    name: 'leaderboards',
    topic: 'A thread for each leaderboard: the statement, the deadline, and what changes',
  },
  {
    id: organisersChannelId,
    type: ChannelType.GuildText as const,
    name: 'organisers',
    topic: 'Boxes, reviews and notices',
    overwrites: nobodyElse,
  },
];

export function botUser(name: string): APIUser {
  return { ...user(applicationId, name), discriminator: '4242', global_name: null, bot: true };
}
