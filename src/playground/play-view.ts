/** What one person may see, in the page's words. Everything sent to a person goes through here. */
import type { APIMessage } from 'discord-api-types/v10';
import { ChannelType } from 'discord-api-types/v10';
import type { PlayChannel, PlayState, PlayUser } from './play-protocol.ts';
import type { Person, StoredChannel, World } from './world.ts';
import { guildName } from './world-seed.ts';

const kinds: Partial<Record<ChannelType, PlayChannel['kind']>> = {
  [ChannelType.DM]: 'dm',
  [ChannelType.GuildForum]: 'forum',
  [ChannelType.PublicThread]: 'thread',
  [ChannelType.PrivateThread]: 'thread',
};

export function viewOf(world: World, userId: string): PlayState {
  const person = world.people.get(userId);
  if (person === undefined) throw new Error(`no such person: ${userId}`);
  const channels = [...world.channels.values()].filter((channel) => world.canSeeChannel(userId, channel));
  return {
    me: playUser(world, person),
    users: [...world.people.values()].map((other) => playUser(world, other)),
    bot: { user: world.botUser, online: world.botOnline, colour: colourOf(world, world.botRoleIds) },
    guild: { id: world.guildId, name: guildName },
    roles: [...world.roles.values()].map((role) => ({
      id: role.id,
      name: role.name,
      colour: hex(role.color),
    })),
    channels: channels.map((channel) => playChannel(world, channel)),
    messages: Object.fromEntries(
      channels.map((channel) => [channel.id, messagesFor(world, userId, channel)]),
    ),
  };
}

function messagesFor(world: World, userId: string, channel: StoredChannel): APIMessage[] {
  return [...channel.messages.values()]
    .filter((stored) => world.canSee(userId, channel, stored))
    .map((stored) => stored.message);
}

export function playChannel(world: World, channel: StoredChannel): PlayChannel {
  const { id, topic, parentId } = channel;
  const kind = kinds[channel.type] ?? 'text';
  const name = kind === 'dm' ? world.botUser.username : channel.name;
  return { id, kind, name, topic, parentId, restricted: channel.overwrites.length > 0 };
}

function playUser(world: World, person: Person): PlayUser {
  const { user, title, roleIds } = person;
  return { id: user.id, name: user.username, title, roleIds, colour: colourOf(world, roleIds) };
}

function colourOf(world: World, roleIds: string[]): string {
  const coloured = world.rolesOf(roleIds).filter((role) => role.color !== 0);
  const top = coloured.sort((a, b) => b.position - a.position)[0];
  return hex(top?.color ?? 0);
}

function hex(colour: number): string {
  return colour === 0 ? '#dbdee1' : `#${colour.toString(16).padStart(6, '0')}`;
}
