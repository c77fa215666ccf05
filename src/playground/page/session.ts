/** One person's live session: what they see, kept current over the WebSocket, and what they do. */
import type { APIMessage } from 'discord-api-types/v10';
import type { PlayAction, PlayCommand, PlayEvent, PlayOutcome, PlayState } from '../play-protocol.ts';

/** The stand-in would not take an action, for a reason that the person can read. */
export class Refused extends Error {}

/** Something shown in a channel that is no message: a command under way, or one that failed. */
export interface Notice {
  key: number;
  channelId: string;
  /** The words after the slash. */
  command: string;
  sentAtMs: number;
  error: string | undefined;
}

export class Session {
  /** An id; until the first `hello`, perhaps the name from the address bar. */
  userId: string;
  state: PlayState | undefined;
  commands: PlayCommand[] = [];
  channelId: string;
  readonly unread = new Map<string, number>();
  readonly notices: Notice[] = [];
  /** Messages whose button or menu the bot failed to answer. */
  readonly failed = new Map<string, string>();
  readonly typingUntil = new Map<string, number>();
  connected = false;
  readonly #changed: (event: PlayEvent | undefined) => void;
  #socket: WebSocket | undefined;
  #closed = false;
  #nextKey = 1;

  constructor(userId: string, channelId: string, changed: (event: PlayEvent | undefined) => void) {
    this.userId = userId;
    this.channelId = channelId;
    this.#changed = changed;
    this.#connect();
  }

  close(): void {
    this.#closed = true;
    this.#socket?.close();
  }

  messages(channelId: string): APIMessage[] {
    return this.state?.messages[channelId] ?? [];
  }

  openChannel(channelId: string): void {
    this.channelId = channelId;
    this.unread.delete(channelId);
    this.#loadCommands();
    this.#changed(undefined);
  }

  /** Sends a slash command and shows it as under way until the bot answers. @throws Refused */
  async runCommand(path: string[], action: PlayAction, files: Map<string, File>): Promise<PlayOutcome> {
    const command = path.join(' ');
    const { channelId } = this;
    const notice: Notice = {
      key: this.#nextKey++,
      channelId,
      command,
      sentAtMs: Date.now(),
      error: undefined,
    };
    this.notices.push(notice);
    this.#changed(undefined);
    try {
      const outcome = await this.act(action, files);
      if (outcome.state === 'failed') notice.error = outcome.error;
      else this.dropNotice(notice);
      return outcome;
    } catch (error) {
      this.dropNotice(notice);
      throw error;
    } finally {
      this.#changed(undefined);
    }
  }

  dropNotice(notice: Notice): void {
    const at = this.notices.indexOf(notice);
    if (at >= 0) this.notices.splice(at, 1);
    this.#changed(undefined);
  }

  /** @throws Refused with a sentence for the person */
  async act(action: PlayAction, files: Map<string, File> = new Map()): Promise<PlayOutcome> {
    const form = new FormData();
    form.set('payload_json', JSON.stringify(action));
    for (const [name, file] of files) form.set(name, file, file.name);
    const response = await fetch(`/play/act?user=${this.userId}`, { method: 'POST', body: form }).catch(
      () => undefined,
    );
    if (response === undefined) throw new Refused('The playground does not answer. Is it still running?');
    const body = (await response.json()) as PlayOutcome & { error?: string };
    if (!response.ok) throw new Refused(body.error ?? 'That did not work');
    return body;
  }

  #connect(): void {
    const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/play/live?user=${this.userId}`);
    this.#socket = socket;
    socket.addEventListener('message', (message) =>
      this.#take(JSON.parse(String(message.data)) as PlayEvent),
    );
    socket.addEventListener('close', () => {
      if (this.#closed) return;
      this.connected = false;
      this.#changed(undefined);
      setTimeout(() => this.#closed || this.#connect(), 1000);
    });
  }

  #take(event: PlayEvent): void {
    switch (event.type) {
      case 'hello':
        this.state = event.state;
        this.userId = event.state.me.id;
        this.connected = true;
        this.#settleChannel();
        this.#loadCommands();
        break;
      case 'message-create':
        this.#put(event.channelId, event.message);
        this.typingUntil.delete(event.channelId);
        if (event.channelId !== this.channelId && event.message.author.id !== this.userId) {
          this.unread.set(event.channelId, (this.unread.get(event.channelId) ?? 0) + 1);
        }
        break;
      case 'message-update':
        this.failed.delete(event.message.id);
        this.#put(event.channelId, event.message);
        break;
      case 'message-delete':
        this.#lists()[event.channelId] = this.messages(event.channelId).filter(
          ({ id }) => id !== event.messageId,
        );
        break;
      case 'channel': {
        const channels = this.state?.channels ?? [];
        const at = channels.findIndex(({ id }) => id === event.channel.id);
        if (at < 0) channels.push(event.channel);
        else channels[at] = event.channel;
        break;
      }
      case 'channel-delete':
        if (this.state) this.state.channels = this.state.channels.filter(({ id }) => id !== event.channelId);
        this.#settleChannel();
        break;
      case 'typing':
        this.typingUntil.set(event.channelId, Date.now() + 10_000);
        break;
      case 'commands':
        this.#loadCommands();
        break;
      case 'bot':
        if (this.state) this.state.bot.online = event.online;
        break;
    }
    this.#changed(event);
  }

  #put(channelId: string, message: APIMessage): void {
    const list = this.messages(channelId);
    const at = list.findIndex(({ id }) => id === message.id);
    this.#lists()[channelId] = at < 0 ? [...list, message] : list.with(at, message);
  }

  #lists(): Record<string, APIMessage[]> {
    return this.state?.messages ?? {};
  }

  // The channel of the address bar or of another user may not exist for this one.
  #settleChannel(): void {
    const channels = this.state?.channels ?? [];
    if (!channels.some(({ id }) => id === this.channelId)) this.channelId = channels[0]?.id ?? '';
  }

  #loadCommands(): void {
    const { channelId } = this;
    const query = new URLSearchParams({ user: this.userId, channel: channelId });
    fetch(`/play/commands?${query}`)
      .then(async (response) => {
        if (response.ok && channelId === this.channelId)
          this.commands = (await response.json()) as PlayCommand[];
      })
      .catch(() => {
        // The socket notices a playground that went away, and says so.
      });
  }
}
