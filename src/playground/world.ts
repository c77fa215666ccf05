/**
 * The little world of the stand-in: one guild, some people, a bot, channels and their messages. It knows no HTTP and
 * no WebSocket; the gateway (for the bot) and the live feed (for people) listen to its changes.
 *
 * Who may see a message is decided here and nowhere else: `canSeeChannel` for the channel, `visibleTo` for an
 * ephemeral message, which has exactly one reader.
 */
import { EventEmitter } from 'node:events';
import type {
  APIApplicationCommand,
  APIMessage,
  APIOverwrite,
  APIRole,
  APIUser,
} from 'discord-api-types/v10';
import { ChannelType, PermissionFlagsBits } from 'discord-api-types/v10';
import { channelPermissions, guildPermissions } from './permissions.ts';
import { nextSnowflake } from './snowflake.ts';
import { firstChannels, guildId, people, roles } from './world-seed.ts';

export interface StoredMessage {
  message: APIMessage;
  /** The only reader of an ephemeral message; undefined for an ordinary one. */
  visibleTo: string | undefined;
  /** That reader put it away; the bot did not delete it. */
  dismissed?: boolean;
}

export interface StoredChannel {
  id: string;
  type:
    | ChannelType.GuildText
    | ChannelType.GuildForum
    | ChannelType.DM
    | ChannelType.PublicThread
    | ChannelType.PrivateThread;
  name: string;
  topic: string;
  parentId: string | null;
  overwrites: APIOverwrite[];
  /** The person on the other side of a direct message. */
  recipientId: string | undefined;
  thread: { ownerId: string; archived: boolean; locked: boolean; createdAt: string } | undefined;
  lastMessageId: string | null;
  messages: Map<string, StoredMessage>;
}

export interface Person {
  user: APIUser;
  title: string;
  roleIds: string[];
  acceptsDirectMessages: boolean;
}

export interface WorldEvents {
  'message-create': [channel: StoredChannel, stored: StoredMessage];
  'message-update': [channel: StoredChannel, stored: StoredMessage];
  'message-delete': [channel: StoredChannel, stored: StoredMessage];
  'channel-create': [channel: StoredChannel];
  'channel-update': [channel: StoredChannel];
  'channel-delete': [channel: StoredChannel];
  'member-update': [person: Person];
  typing: [channel: StoredChannel, userId: string];
  commands: [];
  bot: [online: boolean];
}

export class World {
  readonly changes = new EventEmitter<WorldEvents>();
  readonly guildId = guildId;
  readonly botUser: APIUser;
  readonly roles = new Map<string, APIRole>();
  readonly people = new Map<string, Person>();
  readonly channels = new Map<string, StoredChannel>();
  /** Commands of the guild and global ones, by `guild` or `global`, in order of registration. */
  readonly commands: Record<'guild' | 'global', APIApplicationCommand[]> = { guild: [], global: [] };
  readonly botRoleIds: string[];
  botOnline = false;

  constructor(botUser: APIUser) {
    this.botUser = botUser;
    for (const role of roles) this.roles.set(role.id, role);
    this.botRoleIds = roles.filter((role) => role.tags?.bot_id !== undefined).map((role) => role.id);
    for (const person of people) {
      this.people.set(person.user.id, {
        ...person,
        roleIds: [...person.roleIds],
        acceptsDirectMessages: true,
      });
    }
    for (const channel of firstChannels) this.addChannel(channel, { announce: false });
    this.changes.setMaxListeners(0);
  }

  addChannel(
    fields: Pick<StoredChannel, 'type' | 'name'> & Partial<StoredChannel>,
    options: { announce: boolean } = { announce: true },
  ): StoredChannel {
    const channel: StoredChannel = {
      id: nextSnowflake(),
      topic: '',
      parentId: null,
      overwrites: [],
      recipientId: undefined,
      thread: undefined,
      lastMessageId: null,
      messages: new Map(),
      ...fields,
    };
    this.channels.set(channel.id, channel);
    if (options.announce) this.changes.emit('channel-create', channel);
    return channel;
  }

  removeChannel(channel: StoredChannel): void {
    this.channels.delete(channel.id);
    this.changes.emit('channel-delete', channel);
  }

  /** The direct-message channel between the bot and one person, made on first use. */
  directChannel(userId: string): StoredChannel {
    for (const channel of this.channels.values()) if (channel.recipientId === userId) return channel;
    const name = this.people.get(userId)?.user.username ?? userId;
    return this.addChannel({ type: ChannelType.DM, name, recipientId: userId });
  }

  addMessage(channel: StoredChannel, stored: StoredMessage): void {
    channel.messages.set(stored.message.id, stored);
    if (stored.visibleTo === undefined) channel.lastMessageId = stored.message.id;
    this.changes.emit('message-create', channel, stored);
  }

  removeMessage(channel: StoredChannel, stored: StoredMessage): void {
    channel.messages.delete(stored.message.id);
    this.changes.emit('message-delete', channel, stored);
  }

  /** A person by id or user name. */
  findPerson(idOrName: string): Person | undefined {
    return (
      this.people.get(idOrName) ?? [...this.people.values()].find(({ user }) => user.username === idOrName)
    );
  }

  rolesOf(roleIds: string[]): APIRole[] {
    return [this.guildId, ...roleIds].flatMap((id) => this.roles.get(id) ?? []);
  }

  /** A person's permissions, in one channel or in the guild at large. */
  permissionsOf(userId: string, channel?: StoredChannel): bigint {
    const roleIds = userId === this.botUser.id ? this.botRoleIds : this.people.get(userId)?.roleIds;
    const memberRoles = this.rolesOf(roleIds ?? []);
    const home = channel?.thread === undefined ? channel : this.channels.get(channel.parentId ?? '');
    if (home === undefined) return guildPermissions(memberRoles);
    return channelPermissions({ userId, guildId: this.guildId, roles: memberRoles }, home.overwrites);
  }

  canSeeChannel(userId: string, channel: StoredChannel): boolean {
    if (channel.type === ChannelType.DM) return channel.recipientId === userId;
    return (this.permissionsOf(userId, channel) & PermissionFlagsBits.ViewChannel) !== 0n;
  }

  canSee(userId: string, channel: StoredChannel, stored: StoredMessage): boolean {
    if (stored.visibleTo !== undefined) return stored.visibleTo === userId;
    return this.canSeeChannel(userId, channel);
  }

  setBotOnline(online: boolean): void {
    if (this.botOnline === online) return;
    this.botOnline = online;
    this.changes.emit('bot', online);
  }
}
