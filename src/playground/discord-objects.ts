/** The world's things in the shapes of Discord's API. */
import type { APIGuildMember, APIUser, GuildMemberFlags } from 'discord-api-types/v10';
import { ChannelType } from 'discord-api-types/v10';
import type { StoredChannel, World } from './world.ts';
import { guildName, ownerId } from './world-seed.ts';

const startedAt = new Date(1_700_000_000_000).toISOString();

export function channelObject(world: World, channel: StoredChannel): Record<string, unknown> {
  const base = { id: channel.id, type: channel.type, last_message_id: channel.lastMessageId, flags: 0 };
  if (channel.type === ChannelType.DM) {
    const recipient = world.people.get(channel.recipientId ?? '')?.user;
    return { ...base, recipients: recipient === undefined ? [] : [recipient] };
  }
  const inGuild = {
    ...base,
    guild_id: world.guildId,
    name: channel.name,
    parent_id: channel.parentId,
    rate_limit_per_user: 0,
  };
  if (channel.thread !== undefined) {
    return {
      ...inGuild,
      owner_id: channel.thread.ownerId,
      message_count: channel.messages.size,
      total_message_sent: channel.messages.size,
      member_count: 1,
      thread_metadata: {
        archived: channel.thread.archived,
        locked: channel.thread.locked,
        auto_archive_duration: 1440,
        archive_timestamp: channel.thread.createdAt,
        create_timestamp: channel.thread.createdAt,
      },
    };
  }
  return {
    ...inGuild,
    position: [...world.channels.keys()].indexOf(channel.id),
    permission_overwrites: channel.overwrites,
    nsfw: false,
    topic: channel.topic,
    ...(channel.type === ChannelType.GuildForum ? { available_tags: [], default_sort_order: null } : {}),
  };
}

/** A member without its user, as messages and interactions carry it. */
function memberCore(roleIds: string[]): Omit<APIGuildMember, 'user'> {
  return {
    roles: roleIds,
    joined_at: startedAt,
    deaf: false,
    mute: false,
    flags: 0 as GuildMemberFlags,
    nick: null,
    avatar: null,
    premium_since: null,
    pending: false,
    communication_disabled_until: null,
  };
}

export function memberObject(world: World, userId: string): (APIGuildMember & { user: APIUser }) | undefined {
  if (userId === world.botUser.id) return { ...memberCore(world.botRoleIds), user: world.botUser };
  const person = world.people.get(userId);
  return person === undefined ? undefined : { ...memberCore(person.roleIds), user: person.user };
}

export function allMembers(world: World): (APIGuildMember & { user: APIUser })[] {
  return [world.botUser.id, ...world.people.keys()].flatMap((id) => memberObject(world, id) ?? []);
}

export function guildObject(world: World): Record<string, unknown> {
  return {
    id: world.guildId,
    name: guildName,
    icon: null,
    description: null,
    splash: null,
    discovery_splash: null,
    banner: null,
    owner_id: ownerId,
    afk_channel_id: null,
    afk_timeout: 300,
    verification_level: 0,
    default_message_notifications: 1,
    explicit_content_filter: 0,
    mfa_level: 0,
    nsfw_level: 0,
    system_channel_id: null,
    system_channel_flags: 0,
    rules_channel_id: null,
    public_updates_channel_id: null,
    safety_alerts_channel_id: null,
    application_id: null,
    vanity_url_code: null,
    premium_tier: 0,
    premium_subscription_count: 0,
    premium_progress_bar_enabled: false,
    preferred_locale: 'en-US',
    features: [],
    emojis: [],
    stickers: [],
    roles: [...world.roles.values()],
  };
}

/** The guild as GUILD_CREATE carries it: with its channels and members. */
export function fullGuildObject(world: World): Record<string, unknown> {
  const own = [...world.channels.values()].filter((channel) => channel.type !== ChannelType.DM);
  const asObject = (channel: StoredChannel) => channelObject(world, channel);
  return {
    ...guildObject(world),
    joined_at: startedAt,
    large: false,
    unavailable: false,
    member_count: world.people.size + 1,
    members: allMembers(world),
    channels: own.filter((channel) => channel.thread === undefined).map(asObject),
    threads: own.filter((channel) => channel.thread !== undefined).map(asObject),
    presences: [],
    voice_states: [],
    stage_instances: [],
    guild_scheduled_events: [],
    soundboard_sounds: [],
  };
}
