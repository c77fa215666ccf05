/**
 * The bot's side of Discord's gateway (version 10, JSON, no compression), one shard.
 *
 *   connect -> Hello -> Identify -> READY, GUILD_CREATE -> events
 *                    -> Resume   -> missed events, RESUMED -> events
 *
 * A session outlives its connection: while nobody is connected its events are kept, numbered, and a Resume with the last
 * number seen gets the rest. An unknown session is told Invalid Session, after which the client identifies anew.
 */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { GatewayDispatchEvents, GatewayIntentBits, GatewayOpcodes } from 'discord-api-types/v10';
import { type WebSocket, WebSocketServer } from 'ws';
import { allMembers, channelObject, fullGuildObject, memberObject } from './discord-objects.ts';
import { isJson, type Json } from './form-check.ts';
import type { StoredChannel, StoredMessage, World } from './world.ts';

const keptEvents = 1000;
const heartbeatIntervalMs = 41_250;

interface Session {
  id: string;
  intents: number;
  seq: number;
  sent: { seq: number; frame: string }[];
  socket: WebSocket | undefined;
}

export class Gateway {
  readonly #server = new WebSocketServer({ noServer: true });
  readonly #sessions = new Map<string, Session>();
  readonly #world: World;
  readonly #token: string;
  readonly #url: () => string;

  constructor(world: World, token: string, url: () => string) {
    this.#world = world;
    this.#token = token;
    this.#url = url;
    this.#listen();
  }

  /** Takes over an HTTP connection that asked to become the bot's gateway. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#server.handleUpgrade(request, socket, head, (connection) => this.#welcome(connection));
  }

  /** Sends an event to every session whose intents include it (0: always). Returns whether any session exists. */
  dispatch(event: string, data: unknown, intent = 0): boolean {
    for (const session of this.#sessions.values()) {
      if (intent === 0 || (session.intents & intent) !== 0) this.#send(session, event, data);
    }
    return this.#sessions.size > 0;
  }

  /** Cuts every connection without a goodbye; with `resumable` false the sessions are forgotten too. */
  drop(resumable: boolean): void {
    const sockets = [...this.#sessions.values()].flatMap((session) => session.socket ?? []);
    if (!resumable) this.#sessions.clear();
    for (const socket of sockets) socket.terminate();
  }

  close(): void {
    for (const client of this.#server.clients) client.terminate();
    this.#sessions.clear();
    this.#server.close();
  }

  #welcome(socket: WebSocket): void {
    let session: Session | undefined;
    const hello = { heartbeat_interval: heartbeatIntervalMs, _trace: [] };
    socket.send(JSON.stringify({ op: GatewayOpcodes.Hello, d: hello, s: null, t: null }));
    socket.on('error', () => socket.terminate());
    socket.on('message', (raw) => {
      const frame = parseFrame(String(raw));
      if (frame === undefined) return socket.close(4002, 'Decode error');
      const data = isJson(frame.d) ? frame.d : {};
      switch (frame.op) {
        case GatewayOpcodes.Heartbeat:
          return socket.send(JSON.stringify({ op: GatewayOpcodes.HeartbeatAck, d: null, s: null, t: null }));
        case GatewayOpcodes.Identify:
          session = this.#identify(socket, data);
          return;
        case GatewayOpcodes.Resume:
          session = this.#resume(socket, data);
          return;
        case GatewayOpcodes.RequestGuildMembers:
          return this.#sendMembers(session, data);
        default:
          return;
      }
    });
    socket.on('close', (code) => {
      if (session?.socket !== socket) return;
      session.socket = undefined;
      // A client that says goodbye (1000, 1001) gives up its session; any other end may be resumed.
      if (code === 1000 || code === 1001) this.#sessions.delete(session.id);
      this.#tellPresence();
    });
  }

  #identify(socket: WebSocket, data: Json): Session | undefined {
    if (String(data.token).replace(/^Bot /, '') !== this.#token) {
      socket.close(4004, 'Authentication failed.');
      return undefined;
    }
    const session: Session = {
      id: randomBytes(16).toString('hex'),
      intents: Number(data.intents ?? 0),
      seq: 0,
      sent: [],
      socket,
    };
    this.#sessions.set(session.id, session);
    this.#send(session, GatewayDispatchEvents.Ready, {
      v: 10,
      user: { ...this.#world.botUser, verified: true, mfa_enabled: true, flags: 0 },
      guilds: [{ id: this.#world.guildId, unavailable: true }],
      session_id: session.id,
      resume_gateway_url: this.#url(),
      shard: data.shard ?? [0, 1],
      application: { id: this.#world.botUser.id, flags: 0 },
    });
    if ((session.intents & GatewayIntentBits.Guilds) !== 0) {
      this.#send(session, GatewayDispatchEvents.GuildCreate, fullGuildObject(this.#world));
    }
    this.#tellPresence();
    return session;
  }

  #resume(socket: WebSocket, data: Json): Session | undefined {
    const session = this.#sessions.get(String(data.session_id));
    if (session === undefined || String(data.token).replace(/^Bot /, '') !== this.#token) {
      socket.send(JSON.stringify({ op: GatewayOpcodes.InvalidSession, d: false, s: null, t: null }));
      return undefined;
    }
    session.socket?.terminate();
    session.socket = socket;
    for (const event of session.sent.filter((one) => one.seq > Number(data.seq ?? 0)))
      socket.send(event.frame);
    this.#send(session, GatewayDispatchEvents.Resumed, { _trace: [] });
    this.#tellPresence();
    return session;
  }

  #sendMembers(session: Session | undefined, data: Json): void {
    if (session === undefined) return;
    const wanted = data.user_ids === undefined ? undefined : [data.user_ids].flat();
    const members = allMembers(this.#world).filter((member) => wanted?.includes(member.user.id) ?? true);
    this.#send(session, GatewayDispatchEvents.GuildMembersChunk, {
      guild_id: this.#world.guildId,
      members,
      chunk_index: 0,
      chunk_count: 1,
      not_found: [],
      ...(data.nonce === undefined ? {} : { nonce: data.nonce }),
    });
  }

  #send(session: Session, event: string, data: unknown): void {
    session.seq += 1;
    const frame = JSON.stringify({ op: GatewayOpcodes.Dispatch, s: session.seq, t: event, d: data });
    session.sent.push({ seq: session.seq, frame });
    if (session.sent.length > keptEvents) session.sent.shift();
    session.socket?.send(frame);
  }

  #tellPresence(): void {
    this.#world.setBotOnline([...this.#sessions.values()].some((session) => session.socket !== undefined));
  }

  #listen(): void {
    const { changes } = this.#world;
    const { MessageCreate, MessageUpdate, MessageDelete, ChannelDelete, ThreadDelete } =
      GatewayDispatchEvents;
    const forMessage = (event: string) => (channel: StoredChannel, stored: StoredMessage) => {
      if (stored.visibleTo !== undefined) return;
      const where = this.#place(channel);
      const data =
        event === MessageDelete
          ? { id: stored.message.id, channel_id: channel.id, ...where }
          : { ...stored.message, ...where, ...this.#memberOf(channel, stored) };
      const direct = channel.recipientId !== undefined;
      this.dispatch(event, data, direct ? GatewayIntentBits.DirectMessages : GatewayIntentBits.GuildMessages);
    };
    changes.on('message-create', forMessage(MessageCreate));
    changes.on('message-update', forMessage(MessageUpdate));
    changes.on('message-delete', forMessage(MessageDelete));
    const forChannel = (event: string, threadEvent: string) => (channel: StoredChannel) => {
      const data = channelObject(this.#world, channel);
      if (channel.recipientId !== undefined) return;
      this.dispatch(channel.thread === undefined ? event : threadEvent, data, GatewayIntentBits.Guilds);
    };
    changes.on(
      'channel-create',
      forChannel(GatewayDispatchEvents.ChannelCreate, GatewayDispatchEvents.ThreadCreate),
    );
    changes.on(
      'channel-update',
      forChannel(GatewayDispatchEvents.ChannelUpdate, GatewayDispatchEvents.ThreadUpdate),
    );
    changes.on('channel-delete', forChannel(ChannelDelete, ThreadDelete));
    changes.on('member-update', (person) => {
      const member = memberObject(this.#world, person.user.id);
      const data = { guild_id: this.#world.guildId, ...member };
      this.dispatch(GatewayDispatchEvents.GuildMemberUpdate, data, GatewayIntentBits.GuildMembers);
    });
  }

  #place(channel: StoredChannel): Json {
    return channel.recipientId === undefined ? { guild_id: this.#world.guildId } : {};
  }

  #memberOf(channel: StoredChannel, stored: StoredMessage): Json {
    const found =
      channel.recipientId === undefined ? memberObject(this.#world, stored.message.author.id) : undefined;
    if (found === undefined) return {};
    const { user: _user, ...member } = found;
    return { member };
  }
}

function parseFrame(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJson(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
