/**
 * Interactions, from a person's action to the bot's answers.
 *
 *   waiting --callback within 3 s--> answered --webhook edits and follow-ups, 15 minutes--> token expired
 *      \--no callback------------> failed ("The application did not respond"); a late callback meets 10062
 *
 * A callback decides who may see the answer: a reply or a deferral with the ephemeral flag has one reader, and later
 * edits cannot change that. The first follow-up after a deferral fills the deferred message, as on Discord; once the bot
 * deleted that message, a follow-up is a message of its own, with readers of its own.
 */
import { randomBytes } from 'node:crypto';
import type { APIMessageInteractionMetadata } from 'discord-api-types/v10';
import { InteractionResponseType, InteractionType, MessageFlags, MessageType } from 'discord-api-types/v10';
import { checkChoices, checkModal } from './check-message.ts';
import { type DiscordError, invalidForm, refusals } from './discord-error.ts';
import type { FileStore, UploadedFile } from './files.ts';
import { isJson, type Json, objectsOf } from './form-check.ts';
import { createMessage, editMessage } from './messages.ts';
import type { PlayOutcome } from './play-protocol.ts';
import { nextSnowflake } from './snowflake.ts';
import type { StoredChannel, StoredMessage, World } from './world.ts';

const answerWithinMs = 3_000;
const tokenLivesMs = 15 * 60_000;
// Long after its token died nothing can refer to an interaction; this bounds what is kept in a long session.
const forgetAfterMs = 60 * 60_000;

export interface Interaction {
  id: string;
  token: string;
  type: InteractionType;
  userId: string;
  channel: StoredChannel;
  /** The words after the slash, for the line above the reply. */
  commandName: string | undefined;
  /** The message whose button, menu or modal this was. */
  source: StoredMessage | undefined;
  createdAtMs: number;
  expired: boolean;
  state: 'waiting' | 'answered' | 'failed';
  /** The message that `@original` names. */
  original: StoredMessage | undefined;
  modal: Json | undefined;
  settle: (outcome: PlayOutcome) => void;
}

type AnswerParts = Partial<Pick<Extract<PlayOutcome, { state: 'answered' }>, 'modal' | 'choices'>>;

type Spec = Pick<Interaction, 'type' | 'userId' | 'channel' | 'commandName' | 'source'>;

export class Interactions {
  readonly #world: World;
  readonly #files: FileStore;
  readonly #byId = new Map<string, Interaction>();
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(world: World, files: FileStore) {
    this.#world = world;
    this.#files = files;
  }

  /** Opens an interaction; `deliver` hands it to the bot. Resolves when it is answered or has failed, never rejects. */
  open(spec: Spec, deliver: (interaction: Interaction) => boolean): Promise<PlayOutcome> {
    this.#forgetOld();
    return new Promise((resolve) => {
      const id = nextSnowflake();
      const timer = setTimeout(() => this.#fail(interaction), answerWithinMs);
      this.#timers.add(timer);
      const interaction: Interaction = {
        ...spec,
        id,
        token: randomBytes(48).toString('base64url'),
        createdAtMs: Date.now(),
        expired: false,
        state: 'waiting',
        original: undefined,
        modal: undefined,
        settle: (outcome) => {
          clearTimeout(timer);
          this.#timers.delete(timer);
          resolve(outcome);
        },
      };
      this.#byId.set(id, interaction);
      if (!deliver(interaction)) this.#fail(interaction);
    });
  }

  find(id: string): Interaction | undefined {
    return this.#byId.get(id);
  }

  expireTokens(): void {
    for (const interaction of this.#byId.values()) interaction.expired = true;
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const interaction of this.#byId.values())
      if (interaction.state === 'waiting') this.#fail(interaction);
  }

  /** The bot's first answer. @throws DiscordError 10062 too late or unknown, 40060 answered before, 50035 */
  answer(id: string, token: string, body: unknown, files: UploadedFile[]): Interaction {
    const interaction = this.#byId.get(id);
    if (interaction === undefined || interaction.token !== token || interaction.state === 'failed') {
      throw refusals.unknownInteraction();
    }
    if (interaction.state === 'answered') throw refusals.alreadyAcknowledged();
    const { type, data } = isJson(body) ? body : {};
    const payload = isJson(data) ? data : {};
    const outcome = this.#apply(interaction, Number(type), payload, files);
    interaction.state = 'answered';
    interaction.settle({
      state: 'answered',
      interactionId: id,
      callbackType: Number(type),
      ...(interaction.original === undefined ? {} : { messageId: interaction.original.message.id }),
      ...outcome,
    });
    return interaction;
  }

  #apply(interaction: Interaction, type: number, payload: Json, files: UploadedFile[]): AnswerParts {
    const fromComponent = interaction.source !== undefined;
    const autocomplete = interaction.type === InteractionType.ApplicationCommandAutocomplete;
    if (autocomplete !== (type === InteractionResponseType.ApplicationCommandAutocompleteResult)) {
      throw wrongCallback(type);
    }
    switch (type) {
      case InteractionResponseType.ChannelMessageWithSource:
        interaction.original = this.#post(interaction, payload, files, false);
        return {};
      case InteractionResponseType.DeferredChannelMessageWithSource:
        interaction.original = this.#post(interaction, { flags: payload.flags }, [], true);
        return {};
      case InteractionResponseType.DeferredMessageUpdate:
        if (!fromComponent) throw wrongCallback(type);
        interaction.original = interaction.source;
        return {};
      case InteractionResponseType.UpdateMessage: {
        const { source, channel } = interaction;
        if (source === undefined) throw wrongCallback(type);
        editMessage(this.#world, this.#files, channel, source, payload, files);
        interaction.original = source;
        return {};
      }
      case InteractionResponseType.ApplicationCommandAutocompleteResult: {
        checkChoices(payload.choices);
        return { choices: objectsOf(payload.choices) } as unknown as AnswerParts;
      }
      case InteractionResponseType.Modal:
        if (interaction.type === InteractionType.ModalSubmit) throw wrongCallback(type);
        checkModal(payload);
        interaction.modal = payload;
        return { modal: payload } as unknown as AnswerParts;
      default:
        throw wrongCallback(type);
    }
  }

  /** The interaction of a webhook address. @throws DiscordError 10015 unknown, 50027 expired */
  withToken(applicationId: string, token: string): Interaction {
    const found = [...this.#byId.values()].find((interaction) => interaction.token === token);
    if (found === undefined || applicationId !== this.#world.botUser.id) throw refusals.unknownWebhook();
    if (found.expired || Date.now() - found.createdAtMs > tokenLivesMs) throw refusals.invalidWebhookToken();
    if (found.state !== 'answered') throw refusals.unknownWebhook();
    return found;
  }

  followUp(interaction: Interaction, payload: Json, files: UploadedFile[]): StoredMessage {
    const { original } = interaction;
    if (original !== undefined && isLoading(original) && !isDeleted(interaction.channel, original)) {
      editMessage(this.#world, this.#files, interaction.channel, original, payload, files, {
        markEdited: false,
      });
      return original;
    }
    const stored = this.#post(interaction, payload, files, false, original);
    interaction.original ??= stored;
    return stored;
  }

  /** `@original` or an id of a message this interaction made. @throws DiscordError 10008 */
  messageOf(interaction: Interaction, messageId: string): StoredMessage {
    const id = messageId === '@original' ? interaction.original?.message.id : messageId;
    const stored = id === undefined ? undefined : interaction.channel.messages.get(id);
    if (stored === undefined || stored.message.author.id !== this.#world.botUser.id)
      throw refusals.unknownMessage();
    return stored;
  }

  edit(interaction: Interaction, stored: StoredMessage, payload: Json, files: UploadedFile[]): void {
    // Filling a deferred reply is its first content, which Discord does not mark as an edit.
    const markEdited = !isLoading(stored);
    editMessage(this.#world, this.#files, interaction.channel, stored, payload, files, { markEdited });
  }

  #post(
    interaction: Interaction,
    payload: Json,
    files: UploadedFile[],
    loading: boolean,
    original?: StoredMessage,
  ): StoredMessage {
    const ephemeral = (Number(payload.flags ?? 0) & MessageFlags.Ephemeral) !== 0;
    // A follow-up is a reply to the first answer; only that one stands under "used /command".
    const isCommand = interaction.type === InteractionType.ApplicationCommand && original === undefined;
    const reference = { message_id: original?.message.id, fail_if_not_exists: false };
    const replies = original !== undefined && original.visibleTo === undefined;
    const user = this.#world.people.get(interaction.userId)?.user;
    if (user === undefined) throw refusals.unknownUser();
    const metadata = {
      id: interaction.id,
      type: interaction.type,
      user,
      authorizing_integration_owners: { '0': this.#world.guildId },
      ...(interaction.source === undefined ? {} : { interacted_message_id: interaction.source.message.id }),
      ...(original === undefined ? {} : { original_response_message_id: original.message.id }),
    } as APIMessageInteractionMetadata;
    return createMessage(this.#world, this.#files, interaction.channel, {
      author: this.#world.botUser,
      payload: replies ? { ...payload, message_reference: reference } : payload,
      files,
      loading,
      ...(isCommand ? { type: MessageType.ChatInputCommand } : {}),
      ...(ephemeral ? { visibleTo: interaction.userId } : {}),
      origin: { metadata, commandName: isCommand ? interaction.commandName : undefined, user },
    });
  }

  #fail(interaction: Interaction): void {
    interaction.state = 'failed';
    const error =
      interaction.source === undefined ? 'The application did not respond' : 'This interaction failed';
    interaction.settle({ state: 'failed', interactionId: interaction.id, error });
  }

  #forgetOld(): void {
    const before = Date.now() - forgetAfterMs;
    for (const [id, interaction] of this.#byId) if (interaction.createdAtMs < before) this.#byId.delete(id);
  }
}

// A reader who dismissed a message deleted it for nobody else: on Discord the bot goes on writing to it.
function isDeleted(channel: StoredChannel, { message, dismissed }: StoredMessage): boolean {
  return dismissed !== true && !channel.messages.has(message.id);
}

function isLoading(stored: StoredMessage): boolean {
  return ((stored.message.flags ?? 0) & MessageFlags.Loading) !== 0;
}

function wrongCallback(type: number): DiscordError {
  return invalidForm([
    {
      path: 'type',
      code: 'UNION_TYPE_CHOICES',
      message: `Callback type ${type} does not fit this interaction.`,
    },
  ]);
}
