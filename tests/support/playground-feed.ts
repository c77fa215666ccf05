/**
 * One user's live view of the playground: every message that user may see, with every version it has had since this
 * feed opened. Waits look at what is there and then at each change, until their deadline.
 */
import type { APIMessage } from 'discord-api-types/v10';
import { WebSocket } from 'ws';
import type { PlayEvent, PlayState } from '../../src/playground/play-protocol.ts';
import { describeMessages } from './playground-message.ts';

export interface WaitOptions {
  /** 10 seconds without it. */
  timeoutMs?: number;
}

export class PlaygroundFeed {
  readonly #url: string;
  readonly #versions = new Map<string, APIMessage[]>();
  readonly #messages = new Map<string, APIMessage>();
  readonly #checks = new Set<() => void>();
  #socket: WebSocket | undefined;
  #opened: Promise<void> | undefined;
  #state: PlayState | undefined;

  constructor(playgroundUrl: string, userId: string) {
    this.#url = `${playgroundUrl.replace('http', 'ws')}play/live?user=${userId}`;
  }

  /** Connects once; resolves when everything visible so far is known. */
  open(): Promise<void> {
    this.#opened ??= new Promise((resolve, reject) => {
      const socket = new WebSocket(this.#url);
      this.#socket = socket;
      socket.on('error', reject);
      socket.on('message', (raw) => {
        this.#take(JSON.parse(String(raw)) as PlayEvent);
        resolve();
        for (const check of this.#checks) check();
      });
    });
    return this.#opened;
  }

  close(): void {
    this.#socket?.terminate();
  }

  get state(): PlayState | undefined {
    return this.#state;
  }

  /** The newest version, undefined when it is gone or was never visible. */
  message(id: string): APIMessage | undefined {
    return this.#messages.get(id);
  }

  /** Every version seen, oldest first. */
  versions(id: string): APIMessage[] {
    return this.#versions.get(id) ?? [];
  }

  /** All visible messages, oldest first. */
  messages(): APIMessage[] {
    return [...this.#messages.values()].sort((a, b) => (BigInt(a.id) < BigInt(b.id) ? -1 : 1));
  }

  /** Resolves with the first value `look` gives. @throws with `what` and the last messages seen, at the deadline */
  async waitFor<T>(what: string, look: () => T | undefined, options: WaitOptions = {}): Promise<T> {
    await this.open();
    const timeoutMs = options.timeoutMs ?? 10_000;
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        clearTimeout(timer);
        this.#checks.delete(check);
        settle();
      };
      const check = () => {
        try {
          const found = look();
          if (found !== undefined) finish(() => resolve(found));
        } catch (error) {
          finish(() => reject(error));
        }
      };
      const timer = setTimeout(() => {
        const last = describeMessages(this.messages().slice(-5));
        finish(() =>
          reject(new Error(`waited ${timeoutMs} ms for ${what}; the last messages seen:\n${last}`)),
        );
      }, timeoutMs);
      this.#checks.add(check);
      check();
    });
  }

  #take(event: PlayEvent): void {
    switch (event.type) {
      case 'hello':
        this.#state = event.state;
        for (const list of Object.values(event.state.messages))
          for (const message of list) this.#keep(message);
        return;
      case 'message-create':
      case 'message-update':
        this.#keep(event.message);
        return;
      case 'message-delete':
        this.#messages.delete(event.messageId);
        return;
      default:
        return;
    }
  }

  #keep(message: APIMessage): void {
    this.#messages.set(message.id, message);
    this.#versions.set(message.id, [...this.versions(message.id), message]);
  }
}
