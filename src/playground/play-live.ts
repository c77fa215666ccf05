import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { PlayEvent } from './play-protocol.ts';
import { playChannel, viewOf } from './play-view.ts';
import type { StoredChannel, StoredMessage, World } from './world.ts';

/** The live feed: one WebSocket per open page or test user, which hears only what its user may see. */
export class PlayLive {
  readonly #server = new WebSocketServer({ noServer: true });
  readonly #readers = new Map<WebSocket, string>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    const { changes } = world;
    const forMessage = (make: (channel: StoredChannel, stored: StoredMessage) => PlayEvent) => {
      return (channel: StoredChannel, stored: StoredMessage) =>
        this.#tell(make(channel, stored), (userId) => world.canSee(userId, channel, stored));
    };
    const written = (type: 'message-create' | 'message-update') =>
      forMessage((channel, stored) => ({ type, channelId: channel.id, message: stored.message }));
    changes.on('message-create', written('message-create'));
    changes.on('message-update', written('message-update'));
    changes.on(
      'message-delete',
      forMessage((channel, stored) => ({
        type: 'message-delete',
        channelId: channel.id,
        messageId: stored.message.id,
      })),
    );
    const channelChanged = (channel: StoredChannel) =>
      this.#tell({ type: 'channel', channel: playChannel(world, channel) }, (userId) =>
        world.canSeeChannel(userId, channel),
      );
    changes.on('channel-create', channelChanged);
    changes.on('channel-update', channelChanged);
    changes.on('channel-delete', (channel) => {
      this.#tell({ type: 'channel-delete', channelId: channel.id }, (userId) =>
        world.canSeeChannel(userId, channel),
      );
    });
    changes.on('typing', (channel, userId) => {
      this.#tell({ type: 'typing', channelId: channel.id, userId }, (reader) =>
        world.canSeeChannel(reader, channel),
      );
    });
    changes.on('commands', () => this.#tell({ type: 'commands' }));
    changes.on('bot', (online) => this.#tell({ type: 'bot', online }));
    // New roles can open or close channels, so the whole view is sent again.
    changes.on('member-update', (person) => {
      this.#tell(
        { type: 'hello', state: viewOf(world, person.user.id) },
        (userId) => userId === person.user.id,
      );
    });
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, userId: string): void {
    this.#server.handleUpgrade(request, socket, head, (connection) => {
      connection.on('error', () => connection.terminate());
      connection.on('close', () => this.#readers.delete(connection));
      const hello: PlayEvent = { type: 'hello', state: viewOf(this.#world, userId) };
      connection.send(JSON.stringify(hello));
      this.#readers.set(connection, userId);
    });
  }

  close(): void {
    for (const connection of this.#readers.keys()) connection.terminate();
    this.#server.close();
  }

  #tell(event: PlayEvent, mayHear: (userId: string) => boolean = () => true): void {
    const text = JSON.stringify(event);
    for (const [connection, userId] of this.#readers) if (mayHear(userId)) connection.send(text);
  }
}
