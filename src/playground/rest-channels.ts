import { ChannelType, MessageFlags, PermissionFlagsBits } from 'discord-api-types/v10';
import { invalidForm, refusals } from './discord-error.ts';
import { channelObject } from './discord-objects.ts';
import type { FileStore } from './files.ts';
import { isJson, type Json } from './form-check.ts';
import { createMessage, editMessage } from './messages.ts';
import type { RestCall, RestRoutes } from './rest-router.ts';
import type { StoredChannel, StoredMessage, World } from './world.ts';

/** Channels, their messages, direct messages and threads, as the bot may use them. */
export function channelRoutes(world: World, files: FileStore): RestRoutes {
  // Which message each nonce of a channel made: with `enforce_nonce` a repeated request gets the first one again.
  const nonces = new Map<string, StoredMessage>();

  const channelOf = (params: Record<string, string>): StoredChannel => {
    const channel = world.channels.get(params.channelId ?? '');
    if (channel === undefined) throw refusals.unknownChannel();
    return channel;
  };
  // A bot finds no ephemeral message by the channel's own routes: those live behind the interaction's token.
  const messageOf = (channel: StoredChannel, id: string | undefined): StoredMessage => {
    const stored = channel.messages.get(id ?? '');
    if (stored === undefined || stored.visibleTo !== undefined) throw refusals.unknownMessage();
    return stored;
  };
  const post = (
    channel: StoredChannel,
    payload: Json,
    uploads: RestCall['files'],
    id?: string,
  ): StoredMessage => {
    const recipient = channel.recipientId === undefined ? undefined : world.people.get(channel.recipientId);
    if (recipient?.acceptsDirectMessages === false) throw refusals.cannotDirectMessage();
    if (channel.type === ChannelType.GuildForum) throw refusals.wrongChannelType();
    if (channel.thread?.archived === true) setThread(channel, { archived: false });
    const nonce = payload.enforce_nonce === true ? `${channel.id}:${String(payload.nonce)}` : undefined;
    const first = nonce === undefined ? undefined : nonces.get(nonce);
    if (first !== undefined) return first;
    const withoutEphemeral = { ...payload, flags: Number(payload.flags ?? 0) & ~MessageFlags.Ephemeral };
    const stored = createMessage(world, files, channel, {
      author: world.botUser,
      payload: withoutEphemeral,
      files: uploads,
      ...(id === undefined ? {} : { id }),
    });
    if (nonce !== undefined) nonces.set(nonce, stored);
    return stored;
  };
  const setThread = (channel: StoredChannel, changed: { archived?: unknown; locked?: unknown }) => {
    if (channel.thread === undefined) return;
    if (typeof changed.archived === 'boolean') channel.thread.archived = changed.archived;
    if (typeof changed.locked === 'boolean') channel.thread.locked = changed.locked;
    world.changes.emit('channel-update', channel);
  };
  const openThread = (parent: StoredChannel, body: Json, id?: string): StoredChannel => {
    const name = String(body.name ?? '');
    if (name === '' || [...name].length > 100) {
      const message = 'Must be between 1 and 100 in length.';
      throw invalidForm([{ path: 'name', code: 'BASE_TYPE_BAD_LENGTH', message }]);
    }
    const isPrivate = body.type === ChannelType.PrivateThread;
    return world.addChannel({
      ...(id === undefined ? {} : { id }),
      type: isPrivate ? ChannelType.PrivateThread : ChannelType.PublicThread,
      name,
      parentId: parent.id,
      thread: {
        ownerId: world.botUser.id,
        archived: false,
        locked: false,
        createdAt: new Date().toISOString(),
      },
    });
  };

  return {
    'GET /channels/:channelId': ({ params }) => channelObject(world, channelOf(params)),
    'PATCH /channels/:channelId': ({ params, body }) => {
      const channel = channelOf(params);
      if (typeof body.name === 'string') channel.name = body.name;
      if (typeof body.topic === 'string') channel.topic = body.topic;
      if (channel.thread === undefined) world.changes.emit('channel-update', channel);
      else setThread(channel, body);
      return channelObject(world, channel);
    },
    'DELETE /channels/:channelId': ({ params }) => {
      const channel = channelOf(params);
      // Its threads go with it.
      for (const thread of world.channels.values())
        if (thread.thread !== undefined && thread.parentId === channel.id) world.removeChannel(thread);
      world.removeChannel(channel);
      return channelObject(world, channel);
    },
    'GET /channels/:channelId/messages': ({ params, query }) => {
      const limit = Math.min(Math.max(Number(query.get('limit') ?? 50), 1), 100);
      const before = query.get('before');
      const after = query.get('after');
      return [...channelOf(params).messages.values()]
        .filter((stored) => stored.visibleTo === undefined)
        .map((stored) => stored.message)
        .filter((message) => before === null || BigInt(message.id) < BigInt(before))
        .filter((message) => after === null || BigInt(message.id) > BigInt(after))
        .slice(-limit)
        .reverse();
    },
    'GET /channels/:channelId/messages/:messageId': ({ params }) =>
      messageOf(channelOf(params), params.messageId).message,
    'POST /channels/:channelId/messages': ({ params, body, files: uploads }) =>
      post(channelOf(params), body, uploads).message,
    'PATCH /channels/:channelId/messages/:messageId': ({ params, body, files: uploads }) => {
      const channel = channelOf(params);
      const stored = messageOf(channel, params.messageId);
      if (stored.message.author.id !== world.botUser.id) throw refusals.notTheAuthor();
      editMessage(world, files, channel, stored, body, uploads);
      return stored.message;
    },
    'DELETE /channels/:channelId/messages/:messageId': ({ params }) => {
      const channel = channelOf(params);
      world.removeMessage(channel, messageOf(channel, params.messageId));
    },
    'POST /channels/:channelId/typing': ({ params }) => {
      world.changes.emit('typing', channelOf(params), world.botUser.id);
    },
    'POST /channels/:channelId/messages/:messageId/threads': ({ params, body }) => {
      const parent = channelOf(params);
      // A thread that starts at a message has that message's id.
      const thread = openThread(parent, body, messageOf(parent, params.messageId).message.id);
      return channelObject(world, thread);
    },
    'POST /channels/:channelId/threads': ({ params, body, files: uploads }) => {
      const parent = channelOf(params);
      if (parent.recipientId !== undefined || parent.thread !== undefined) throw refusals.wrongChannelType();
      const thread = openThread(parent, body);
      if (parent.type !== ChannelType.GuildForum) return channelObject(world, thread);
      const first = isJson(body.message) ? body.message : {};
      return { ...channelObject(world, thread), message: post(thread, first, uploads, thread.id).message };
    },
    'PUT /channels/:channelId/thread-members/:userId': () => undefined,
    'DELETE /channels/:channelId/thread-members/:userId': () => undefined,
    'POST /users/@me/channels': ({ body }) => {
      const userId = String(body.recipient_id);
      if (!world.people.has(userId)) throw refusals.unknownUser();
      return channelObject(world, world.directChannel(userId));
    },
    'POST /guilds/:guildId/channels': ({ params, body }) => {
      if (params.guildId !== world.guildId) throw refusals.unknownGuild();
      if ((world.permissionsOf(world.botUser.id) & PermissionFlagsBits.ManageChannels) === 0n) {
        throw refusals.unauthorized();
      }
      const channel = world.addChannel({
        type: body.type === ChannelType.GuildForum ? ChannelType.GuildForum : ChannelType.GuildText,
        name: String(body.name ?? 'channel'),
        topic: String(body.topic ?? ''),
        parentId: null,
      });
      return channelObject(world, channel);
    },
  };
}
