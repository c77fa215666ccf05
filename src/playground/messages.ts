/**
 * Turning what the bot (or a person) sends into messages, the way Discord does: files become attachments with an
 * address, `attachment://name` in an embed points at one of them, mentions are resolved under `allowed_mentions`, and an
 * edit changes only what its body names.
 */
import type {
  APIAttachment,
  APIEmbed,
  APIMessage,
  APIMessageInteractionMetadata,
  APIUser,
} from 'discord-api-types/v10';
import { MessageFlags, MessageType } from 'discord-api-types/v10';
import { checkMessage } from './check-message.ts';
import { refusals } from './discord-error.ts';
import type { FileStore, UploadedFile } from './files.ts';
import { isJson, type Json, objectsOf } from './form-check.ts';
import { nextSnowflake } from './snowflake.ts';
import type { StoredChannel, StoredMessage, World } from './world.ts';

export interface Draft {
  author: APIUser;
  payload: Json;
  files: UploadedFile[];
  /** The only reader, for an ephemeral message. */
  visibleTo?: string;
  type?: MessageType;
  /** Extra fields that tie an answer to its interaction. */
  origin?: { metadata: APIMessageInteractionMetadata; commandName: string | undefined; user: APIUser };
  /** The first message of a thread in a forum has the thread's own id. */
  id?: string;
  /** The bot is still thinking: an empty message is allowed. */
  loading?: boolean;
}

/** Builds, stores and announces a message. @throws DiscordError 50035, 50006 */
export function createMessage(
  world: World,
  files: FileStore,
  channel: StoredChannel,
  draft: Draft,
): StoredMessage {
  const { payload } = draft;
  checkMessage(payload);
  const ephemeral = draft.visibleTo !== undefined;
  const attachments = keepFiles(files, channel.id, payload, draft.files, ephemeral);
  const message: APIMessage = {
    id: draft.id ?? nextSnowflake(),
    channel_id: channel.id,
    author: draft.author,
    content: '',
    timestamp: new Date().toISOString(),
    edited_timestamp: null,
    tts: false,
    mention_everyone: false,
    mentions: [],
    mention_roles: [],
    attachments,
    embeds: [],
    components: [],
    pinned: false,
    type: draft.type ?? MessageType.Default,
    flags: flagsOf(payload, ephemeral, draft.loading === true),
  };
  if (payload.nonce !== undefined) message.nonce = payload.nonce as string;
  if (draft.author.bot) message.application_id = draft.author.id;
  addOrigin(message, draft);
  addReference(world, channel, message, payload);
  applyBody(world, message, payload);
  if (!draft.loading && isEmpty(message)) throw refusals.emptyMessage();
  const stored = { message, visibleTo: draft.visibleTo };
  world.addMessage(channel, stored);
  return stored;
}

/** Changes what the body names, and announces it. @throws DiscordError 50035, 50006 */
export function editMessage(
  world: World,
  files: FileStore,
  channel: StoredChannel,
  stored: StoredMessage,
  payload: Json,
  uploads: UploadedFile[],
  options: { markEdited: boolean } = { markEdited: true },
): void {
  checkMessage(payload);
  const before = stored.message;
  const fresh = keepFiles(files, channel.id, payload, uploads, stored.visibleTo !== undefined);
  const message: APIMessage = { ...before, attachments: keptAttachments(before, payload, fresh) };
  message.flags = (before.flags ?? 0) & ~MessageFlags.Loading;
  applyBody(world, message, payload);
  if (isEmpty(message)) throw refusals.emptyMessage();
  if (options.markEdited) message.edited_timestamp = new Date().toISOString();
  // A new object for each version: whoever holds an older one keeps seeing what was true then.
  stored.message = message;
  world.changes.emit('message-update', channel, stored);
}

function keepFiles(
  files: FileStore,
  channelId: string,
  payload: Json,
  uploads: UploadedFile[],
  ephemeral: boolean,
): APIAttachment[] {
  const described = new Map(objectsOf(payload.attachments).map((entry) => [String(entry.id), entry]));
  return uploads.map((upload) => {
    const entry = described.get(/\[(\d+)\]$/.exec(upload.field)?.[1] ?? '');
    const filename = typeof entry?.filename === 'string' ? entry.filename : upload.filename;
    const description = entry?.description;
    return files.keep(
      channelId,
      { ...upload, filename },
      { ephemeral, ...(typeof description === 'string' ? { description } : {}) },
    );
  });
}

// With an `attachments` array, an edit keeps exactly those named in it and adds the new files; without, it keeps all.
function keptAttachments(before: APIMessage, payload: Json, fresh: APIAttachment[]): APIAttachment[] {
  if (payload.attachments === undefined) return [...before.attachments, ...fresh];
  const named = new Set(objectsOf(payload.attachments).map((entry) => String(entry.id)));
  return [...before.attachments.filter((attachment) => named.has(attachment.id)), ...fresh];
}

function applyBody(world: World, message: APIMessage, payload: Json): void {
  if (payload.content !== undefined) {
    message.content = typeof payload.content === 'string' ? payload.content.trim() : '';
    resolveMentions(world, message, payload.allowed_mentions);
  }
  if (payload.components !== undefined) {
    message.components = numbered(objectsOf(payload.components)) as unknown as NonNullable<
      APIMessage['components']
    >;
  }
  if (payload.embeds !== undefined) {
    const embeds = objectsOf(payload.embeds).map((embed) => withMedia(embed, message.attachments));
    const used = new Set(embeds.flatMap((embed) => [embed.image?.url, embed.thumbnail?.url]));
    message.embeds = embeds;
    message.attachments = message.attachments.filter((attachment) => !used.has(attachment.url));
  }
}

function numbered(rows: Json[]): Json[] {
  let next = 1;
  return rows.map((row) => ({
    ...row,
    id: next++,
    components: objectsOf(row.components).map((component) => ({ ...component, id: next++ })),
  }));
}

function withMedia(embed: Json, attachments: APIAttachment[]): APIEmbed {
  const resolved: Json = { ...embed, type: 'rich' };
  for (const key of ['image', 'thumbnail']) {
    const media = embed[key];
    if (!isJson(media)) continue;
    const name = /^attachment:\/\/(.+)$/.exec(String(media.url))?.[1];
    const attachment = attachments.find((candidate) => candidate.filename === name);
    resolved[key] =
      attachment === undefined ? media : { ...media, url: attachment.url, proxy_url: attachment.url };
  }
  for (const key of Object.keys(resolved)) if (resolved[key] === null) delete resolved[key];
  return resolved as APIEmbed;
}

function resolveMentions(world: World, message: APIMessage, allowed: unknown): void {
  const rules = isJson(allowed) ? allowed : undefined;
  const parse = rules === undefined ? ['users', 'roles', 'everyone'] : stringsOf(rules.parse);
  const listed = (key: string) => new Set(stringsOf(rules?.[key]));
  const idsOf = (pattern: RegExp) => [...message.content.matchAll(pattern)].map((match) => match[1] ?? '');
  const permitted = (key: 'users' | 'roles') => (id: string) => parse.includes(key) || listed(key).has(id);
  const userIds = new Set(idsOf(/<@!?(\d+)>/g).filter(permitted('users')));
  message.mentions = [...userIds].flatMap((id) =>
    id === world.botUser.id ? world.botUser : (world.people.get(id)?.user ?? []),
  );
  message.mention_roles = [...new Set(idsOf(/<@&(\d+)>/g).filter(permitted('roles')))];
  message.mention_everyone = parse.includes('everyone') && /@(everyone|here)/.test(message.content);
}

function stringsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function flagsOf(payload: Json, ephemeral: boolean, loading: boolean): MessageFlags {
  const wanted =
    Number(payload.flags ?? 0) & (MessageFlags.SuppressEmbeds | MessageFlags.SuppressNotifications);
  return wanted | (ephemeral ? MessageFlags.Ephemeral : 0) | (loading ? MessageFlags.Loading : 0);
}

function addOrigin(message: APIMessage, draft: Draft): void {
  if (draft.origin === undefined) return;
  const { metadata, commandName, user } = draft.origin;
  message.interaction_metadata = metadata;
  if (commandName === undefined) return;
  message.interaction = { id: metadata.id, type: metadata.type, name: commandName, user };
}

function addReference(world: World, channel: StoredChannel, message: APIMessage, payload: Json): void {
  const reference = payload.message_reference;
  if (!isJson(reference)) return;
  const target = channel.messages.get(String(reference.message_id));
  if (target === undefined) {
    if (reference.fail_if_not_exists === false) return;
    throw refusals.unknownMessage();
  }
  message.type = MessageType.Reply;
  message.message_reference = { type: 0, channel_id: channel.id, message_id: target.message.id };
  if (channel.recipientId === undefined) message.message_reference.guild_id = world.guildId;
  message.referenced_message = target.message;
}

function isEmpty(message: APIMessage): boolean {
  return (
    message.content === '' &&
    message.embeds.length === 0 &&
    message.attachments.length === 0 &&
    (message.components ?? []).length === 0
  );
}
