/** A person on the playground, for tests: types commands, presses buttons, reads what Discord would show them. */
import type {
  APIApplicationCommandOptionChoice,
  APIMessage,
  APIModalInteractionResponseCallbackData,
} from 'discord-api-types/v10';
import type {
  PlayAction,
  PlayCommand,
  PlayFault,
  PlayOutcome,
  PlayState,
  PlayValue,
} from '../../src/playground/play-protocol.ts';
import type { Playground } from '../../src/playground/playground.ts';
import { PlaygroundFeed, type WaitOptions } from './playground-feed.ts';
import { describeMessage, findComponent, findMenu, isThinking } from './playground-message.ts';

/** A file to attach. */
export interface TestFile {
  name: string;
  bytes: Uint8Array | string;
}

export type SlashOptions = Record<string, PlayValue | TestFile>;

/** Discord's client would not have let the person do this: a missing option, a hidden command, a disabled button. */
export class RefusedByClient extends Error {}

/** What became of one action: the bot's answer to it. */
export class InteractionHandle {
  readonly outcome: PlayOutcome;
  readonly #feed: PlaygroundFeed;

  constructor(outcome: PlayOutcome, feed: PlaygroundFeed) {
    this.outcome = outcome;
    this.#feed = feed;
  }

  /** What Discord shows when the bot did not answer within three seconds; undefined when it did. */
  get failure(): string | undefined {
    return this.outcome.state === 'failed' ? this.outcome.error : undefined;
  }

  /** The form the bot opened. @throws when it answered otherwise */
  get modal(): APIModalInteractionResponseCallbackData {
    if (this.outcome.state === 'answered' && this.outcome.modal !== undefined) return this.outcome.modal;
    throw new Error(`the bot opened no form: ${JSON.stringify(this.outcome)}`);
  }

  /** The message that the answer made or changed, in its newest version; deferred or not. */
  async reply(options?: WaitOptions): Promise<APIMessage> {
    const id = this.#messageId();
    return this.#feed.waitFor(`the reply ${id}`, () => this.#feed.message(id), options);
  }

  /** The reply as soon as it says something: past "the bot is thinking". */
  async answer(options?: WaitOptions): Promise<APIMessage> {
    return this.waitFor((message) => !isThinking(message), options);
  }

  /** The reply in the first version, from the current one on, for which this holds. */
  async waitFor(predicate: (message: APIMessage) => boolean, options?: WaitOptions): Promise<APIMessage> {
    const id = this.#messageId();
    await this.reply(options);
    let next = Math.max(0, this.#feed.versions(id).length - 1);
    return this.#feed.waitFor(
      'a version of the reply that fits',
      () => {
        // Each version in turn: two edits may arrive before this looks again.
        for (const versions = this.#feed.versions(id); next < versions.length; next += 1) {
          const version = versions[next];
          if (version !== undefined && predicate(version)) return version;
        }
        return undefined;
      },
      options,
    );
  }

  /** Every version of the reply so far, oldest first. */
  history(): APIMessage[] {
    return this.#feed.versions(this.#messageId());
  }

  /** Resolves when the reply was deleted. */
  async disappears(options?: WaitOptions): Promise<void> {
    const id = this.#messageId();
    await this.#feed.waitFor(
      `the reply ${id} to go away`,
      () => (this.#feed.message(id) === undefined ? true : undefined),
      options,
    );
  }

  #messageId(): string {
    if (this.outcome.state === 'answered' && this.outcome.messageId !== undefined)
      return this.outcome.messageId;
    throw new Error(`there is no reply: ${JSON.stringify(this.outcome)}`);
  }
}

export class PlaygroundUser {
  readonly id: string;
  readonly name: string;
  readonly #playground: Playground;
  readonly #feed: PlaygroundFeed;
  #channelId: string;

  constructor(playground: Playground, id: string, name: string) {
    this.#playground = playground;
    this.#feed = new PlaygroundFeed(playground.url, id);
    this.#channelId = playground.channelId;
    this.id = id;
    this.name = name;
  }

  /** The same person in another channel; actions and `visibleMessages` then happen there. */
  in(channelId: string): PlaygroundUser {
    const elsewhere = new PlaygroundUser(this.#playground, this.id, this.name);
    elsewhere.#channelId = channelId;
    return elsewhere;
  }

  /** Runs `/leaderboard show` and the like. Resolves when the bot has answered or failed to. @throws RefusedByClient */
  async slash(command: string, options: SlashOptions = {}): Promise<InteractionHandle> {
    const { values, files } = split(options);
    return this.#handle(
      { kind: 'command', channelId: this.#channelId, path: pathOf(command), options: values },
      files,
    );
  }

  /** The choices offered while the option `focused` holds `value`; `given` are the options filled in before. */
  async autocomplete(
    command: string,
    typing: { focused: string; value: PlayValue; given?: SlashOptions },
  ): Promise<APIApplicationCommandOptionChoice[]> {
    const { values, files } = split(typing.given ?? {});
    const options = { ...values, [typing.focused]: typing.value };
    const action: PlayAction = {
      kind: 'autocomplete',
      channelId: this.#channelId,
      path: pathOf(command),
      options,
      focused: typing.focused,
    };
    const outcome = await this.#act(action, files);
    if (outcome.state === 'answered' && outcome.choices !== undefined) return outcome.choices;
    throw new Error(`no choices: ${JSON.stringify(outcome)}`);
  }

  /** Presses the button with this custom id or label. @throws RefusedByClient when it is disabled */
  async press(message: APIMessage, customIdOrLabel: string): Promise<InteractionHandle> {
    const current = await this.#current(message);
    const { customId } = findComponent(current, customIdOrLabel);
    if (customId === undefined)
      throw new Error(`"${customIdOrLabel}" is a link\n${describeMessage(current)}`);
    return this.#handle({ kind: 'press', channelId: message.channel_id, messageId: message.id, customId });
  }

  /** Chooses in a menu, by values or labels; the message's only menu unless a custom id is given. */
  async select(message: APIMessage, choices: string[], customId?: string): Promise<InteractionHandle> {
    const current = await this.#current(message);
    const menu = customId === undefined ? findMenu(current) : findComponent(current, customId);
    const values = choices.map(
      (choice) => menu.options.find(({ label }) => label === choice)?.value ?? choice,
    );
    const id = menu.customId ?? '';
    return this.#handle({
      kind: 'select',
      channelId: message.channel_id,
      messageId: message.id,
      customId: id,
      values,
    });
  }

  /** Fills in and sends the form that `opened` brought; fields by custom id. */
  async modal(
    opened: InteractionHandle,
    fields: Record<string, string | string[]>,
  ): Promise<InteractionHandle> {
    if (opened.outcome.state === 'done') throw new Error('that was no interaction');
    return this.#handle({ kind: 'modal', interactionId: opened.outcome.interactionId, fields });
  }

  /** Writes an ordinary message. */
  async say(content: string): Promise<void> {
    await this.#act({ kind: 'say', channelId: this.#channelId, content });
  }

  async dismiss(message: APIMessage): Promise<void> {
    await this.#act({ kind: 'dismiss', channelId: message.channel_id, messageId: message.id });
  }

  /** The slash commands this person is shown. */
  async commands(): Promise<PlayCommand[]> {
    const response = await fetch(this.#address('commands', { channel: this.#channelId }));
    return refuseOr<PlayCommand[]>(response);
  }

  async state(): Promise<PlayState> {
    return refuseOr<PlayState>(await fetch(this.#address('state')));
  }

  /** The channel as this person sees it, own ephemeral messages included, oldest first. */
  async visibleMessages(): Promise<APIMessage[]> {
    return (await this.state()).messages[this.#channelId] ?? [];
  }

  /** The direct messages with the bot, oldest first. */
  async directMessages(): Promise<APIMessage[]> {
    const { channels, messages } = await this.state();
    return channels.filter(({ kind }) => kind === 'dm').flatMap(({ id }) => messages[id] ?? []);
  }

  /** The first message anywhere that this person sees and that fits. Messages from before count. */
  waitForMessage(predicate: (message: APIMessage) => boolean, options?: WaitOptions): Promise<APIMessage> {
    return this.#feed.waitFor('a message that fits', () => this.#feed.messages().find(predicate), options);
  }

  /** A file of a message, fetched from its address. */
  async attachment(message: APIMessage, name: string): Promise<Buffer> {
    const found = message.attachments.find((attachment) => attachment.filename === name);
    if (found === undefined) throw new Error(`no file ${name}\n${describeMessage(message)}`);
    const response = await fetch(found.url);
    if (!response.ok) throw new Error(`${found.url} answered ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  }

  /** Connects the live feed, so that everything from now on is remembered. Actions do it by themselves. */
  watch(): Promise<void> {
    return this.#feed.open();
  }

  close(): void {
    this.#feed.close();
  }

  async #current(message: APIMessage): Promise<APIMessage> {
    await this.#feed.open();
    return this.#feed.message(message.id) ?? message;
  }

  async #handle(action: PlayAction, files: [string, TestFile][] = []): Promise<InteractionHandle> {
    await this.#feed.open();
    return new InteractionHandle(await this.#act(action, files), this.#feed);
  }

  async #act(action: PlayAction, files: [string, TestFile][] = []): Promise<PlayOutcome> {
    const form = new FormData();
    form.set('payload_json', JSON.stringify(action));
    for (const [option, file] of files) form.set(option, new Blob([bytesOf(file)]), file.name);
    return refuseOr<PlayOutcome>(await fetch(this.#address('act'), { method: 'POST', body: form }));
  }

  #address(what: string, query: Record<string, string> = {}): string {
    return `${this.#playground.url}play/${what}?${new URLSearchParams({ ...query, user: this.id })}`;
  }
}

/** One of the playground's users, by name or id. @throws when there is no such user */
export function playgroundUser(playground: Playground, nameOrId: string): PlaygroundUser {
  const found = playground.users.find(({ id, name }) => id === nameOrId || name === nameOrId);
  if (found === undefined) {
    throw new Error(`no user ${nameOrId}; there are ${playground.users.map(({ name }) => name).join(', ')}`);
  }
  return new PlaygroundUser(playground, found.id, found.name);
}

/** Makes the playground misbehave; see PlayFault. */
export async function causeFault(playground: Playground, fault: PlayFault): Promise<void> {
  const body = JSON.stringify(fault);
  const response = await fetch(`${playground.url}play/faults`, { method: 'POST', body });
  if (!response.ok) throw new Error(`the fault was refused: ${await response.text()}`);
}

async function refuseOr<T>(response: Response): Promise<T> {
  const body = (await response.json()) as T & { error?: string };
  if (response.ok) return body;
  if (response.status >= 500) throw new Error(`the playground broke: ${JSON.stringify(body)}`);
  throw new RefusedByClient(body.error ?? JSON.stringify(body));
}

function pathOf(command: string): string[] {
  return command.replace(/^\//, '').split(' ');
}

function split(options: SlashOptions): { values: Record<string, PlayValue>; files: [string, TestFile][] } {
  const values: Record<string, PlayValue> = {};
  const files: [string, TestFile][] = [];
  for (const [name, value] of Object.entries(options)) {
    if (typeof value === 'object') files.push([name, value]);
    else values[name] = value;
  }
  return { values, files };
}

function bytesOf(file: TestFile): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(typeof file.bytes === 'string' ? Buffer.from(file.bytes) : file.bytes);
}
