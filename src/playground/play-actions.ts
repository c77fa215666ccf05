/** What people do: commands, buttons, menus, modals and plain messages, turned into interactions for the bot. */
import type {
  APIMessageComponent,
  APIMessageStringSelectInteractionData,
  APIStringSelectComponent,
} from 'discord-api-types/v10';
import { ComponentType, GatewayDispatchEvents, InteractionType, MessageFlags } from 'discord-api-types/v10';
import { modalInputs } from './check-message.ts';
import { commandData, listRunnable, PlayRefusal } from './command-options.ts';
import type { FileStore, UploadedFile } from './files.ts';
import { type Json, objectsOf } from './form-check.ts';
import type { Gateway } from './gateway.ts';
import { interactionPayload } from './interaction-payload.ts';
import type { Interaction, Interactions } from './interactions.ts';
import { createMessage } from './messages.ts';
import type { PlayAction, PlayOutcome } from './play-protocol.ts';
import type { StoredChannel, StoredMessage, World } from './world.ts';

type ActionOf<Kind extends PlayAction['kind']> = Extract<PlayAction, { kind: Kind }>;

export class PlayActions {
  readonly #world: World;
  readonly #files: FileStore;
  readonly #interactions: Interactions;
  readonly #gateway: Gateway;

  constructor(world: World, files: FileStore, interactions: Interactions, gateway: Gateway) {
    this.#world = world;
    this.#files = files;
    this.#interactions = interactions;
    this.#gateway = gateway;
  }

  /** Does it as that person. @throws PlayRefusal for what Discord's client would not let them do */
  async act(userId: string, action: PlayAction, uploads: UploadedFile[]): Promise<PlayOutcome> {
    switch (action.kind) {
      case 'command':
      case 'autocomplete':
        return this.#command(userId, action, uploads);
      case 'press':
        return this.#press(userId, action);
      case 'select':
        return this.#select(userId, action);
      case 'modal':
        return this.#modal(userId, action);
      case 'say':
        return this.#say(userId, action, uploads);
      case 'dismiss':
        return this.#dismiss(userId, action);
      default:
        throw new PlayRefusal('no such action');
    }
  }

  #command(
    userId: string,
    action: ActionOf<'command'> | ActionOf<'autocomplete'>,
    uploads: UploadedFile[],
  ): Promise<PlayOutcome> {
    const channel = this.#channel(userId, action.channelId);
    const words = action.path.join(' ');
    const runnable = listRunnable(this.#world, userId, channel).find(({ path }) => path.join(' ') === words);
    if (runnable === undefined) throw new PlayRefusal(`there is no command /${words}`);
    const keep = (file: UploadedFile) =>
      [file.field, this.#files.keep(channel.id, file, { ephemeral: true })] as const;
    const filled = { values: action.options, attachments: Object.fromEntries(uploads.map(keep)) };
    const typing = action.kind === 'autocomplete';
    const data = commandData(this.#world, runnable, typing ? { ...filled, focused: action.focused } : filled);
    const type = typing ? InteractionType.ApplicationCommandAutocomplete : InteractionType.ApplicationCommand;
    return this.#open({ type, userId, channel, commandName: words, source: undefined }, data);
  }

  #press(userId: string, action: ActionOf<'press'>): Promise<PlayOutcome> {
    const { channel, source, component } = this.#component(userId, action);
    if (component.type !== ComponentType.Button) throw new PlayRefusal(`${action.customId} is not a button`);
    const data = { component_type: ComponentType.Button, custom_id: action.customId, id: component.id };
    return this.#open(
      { type: InteractionType.MessageComponent, userId, channel, commandName: undefined, source },
      data,
    );
  }

  #select(userId: string, action: ActionOf<'select'>): Promise<PlayOutcome> {
    const { channel, source, component } = this.#component(userId, action);
    if (component.type !== ComponentType.StringSelect)
      throw new PlayRefusal(`${action.customId} is not a menu`);
    checkSelection(component, action.values);
    const data: APIMessageStringSelectInteractionData & Json = {
      component_type: ComponentType.StringSelect,
      custom_id: action.customId,
      values: action.values,
      id: component.id,
    };
    return this.#open(
      { type: InteractionType.MessageComponent, userId, channel, commandName: undefined, source },
      data,
    );
  }

  #modal(userId: string, action: ActionOf<'modal'>): Promise<PlayOutcome> {
    const opener = this.#interactions.find(action.interactionId);
    if (opener?.modal === undefined || opener.userId !== userId)
      throw new PlayRefusal('that form is not open');
    const { modal, channel, source } = opener;
    const filled = new Map<Json, Json>();
    for (const { input, label } of modalInputs(modal)) {
      filled.set(input, filledInput(input, label, action.fields[String(input.custom_id)]));
    }
    const components = objectsOf(modal.components).map((wrapper) => {
      const single = filled.get(wrapper.component as Json);
      if (single !== undefined) return { type: wrapper.type, id: 1, component: single };
      const inner = objectsOf(wrapper.components).flatMap((input) => filled.get(input) ?? []);
      return { type: wrapper.type, id: 1, components: inner };
    });
    opener.modal = undefined;
    const data = { custom_id: modal.custom_id, components };
    return this.#open(
      { type: InteractionType.ModalSubmit, userId, channel, commandName: undefined, source },
      data,
    );
  }

  #say(userId: string, action: ActionOf<'say'>, uploads: UploadedFile[]): PlayOutcome {
    const channel = this.#channel(userId, action.channelId);
    const author = this.#world.people.get(userId)?.user;
    if (author === undefined) throw new PlayRefusal('there is no such user');
    const payload = { content: action.content };
    const stored = createMessage(this.#world, this.#files, channel, { author, payload, files: uploads });
    return { state: 'done', messageId: stored.message.id };
  }

  // Only the reader's own copy goes away; the bot is not told and may still edit it, as on Discord.
  #dismiss(userId: string, action: ActionOf<'dismiss'>): PlayOutcome {
    const { channel, stored } = this.#message(userId, action);
    if (stored.visibleTo !== userId)
      throw new PlayRefusal('only a message that you alone see can be dismissed');
    stored.dismissed = true;
    this.#world.removeMessage(channel, stored);
    return { state: 'done' };
  }

  #open(
    spec: Pick<Interaction, 'type' | 'userId' | 'channel' | 'commandName' | 'source'>,
    data: Json,
  ): Promise<PlayOutcome> {
    return this.#interactions.open(spec, (interaction) =>
      this.#gateway.dispatch(
        GatewayDispatchEvents.InteractionCreate,
        interactionPayload(this.#world, interaction, data),
      ),
    );
  }

  #channel(userId: string, channelId: string): StoredChannel {
    const channel = this.#world.channels.get(channelId);
    if (channel === undefined || !this.#world.canSeeChannel(userId, channel)) {
      throw new PlayRefusal('there is no such channel');
    }
    return channel;
  }

  #message(
    userId: string,
    at: { channelId: string; messageId: string },
  ): { channel: StoredChannel; stored: StoredMessage } {
    const channel = this.#channel(userId, at.channelId);
    const stored = channel.messages.get(at.messageId);
    if (stored === undefined || !this.#world.canSee(userId, channel, stored)) {
      throw new PlayRefusal('there is no such message');
    }
    return { channel, stored };
  }

  #component(
    userId: string,
    at: { channelId: string; messageId: string; customId: string },
  ): { channel: StoredChannel; source: StoredMessage; component: APIMessageComponent } {
    const { channel, stored } = this.#message(userId, at);
    const rows = (stored.message.components ?? []) as unknown as Json[];
    const all = rows.flatMap((row) => objectsOf(row.components));
    const component = all.find((one) => one.custom_id === at.customId);
    if (component === undefined) throw new PlayRefusal(`the message has no component ${at.customId}`);
    if (component.disabled === true) throw new PlayRefusal(`${at.customId} is disabled`);
    if (((stored.message.flags ?? 0) & MessageFlags.Loading) !== 0)
      throw new PlayRefusal('the bot is thinking');
    return { channel, source: stored, component: component as unknown as APIMessageComponent };
  }
}

function checkSelection(menu: APIStringSelectComponent, values: string[]): void {
  const { min_values: min = 1, max_values: max = 1 } = menu;
  if (values.length < min || values.length > max) {
    throw new PlayRefusal(min === max ? `choose ${min}` : `choose between ${min} and ${max}`);
  }
  const stranger = values.find((value) => !menu.options.some((option) => option.value === value));
  if (stranger !== undefined) throw new PlayRefusal(`the menu has no option ${stranger}`);
}

function filledInput(input: Json, label: string, given: string | string[] | undefined): Json {
  const base = { type: input.type, id: 1, custom_id: input.custom_id };
  const required = input.required !== false;
  if (input.type === ComponentType.StringSelect) {
    const values = given === undefined ? [] : [given].flat();
    if (required || values.length > 0) checkSelection(input as unknown as APIStringSelectComponent, values);
    return { ...base, values };
  }
  const value = typeof given === 'string' ? given : String(input.value ?? '');
  if (value === '' && required) throw new PlayRefusal(`${label}: this field is required`);
  const { min_length: min = 0, max_length: max = 4000 } = input as {
    min_length?: number;
    max_length?: number;
  };
  if (value !== '' && (value.length < min || value.length > max)) {
    throw new PlayRefusal(`${label}: must be between ${min} and ${max} characters long`);
  }
  return { ...base, value };
}
