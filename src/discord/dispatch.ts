/**
 * From an interaction to its command, and from whatever goes wrong to an answer.
 *
 * Discord waits 3 s for a first answer, so every command is deferred before it does anything, but for those that open a
 * form: a form has to be the first answer. Whoever asks is held against the rule of what they ask for (domain/rules.ts)
 * before the command hears of it, and a change ends in the audit log, whatever else the command does. A UserError becomes a refusal that says what to do; anything else is a bug: the user
 * gets a reference, the log the cause.
 */
import { randomBytes } from 'node:crypto';
import {
  type AutocompleteInteraction,
  type ChatInputCommandInteraction,
  type Client,
  DiscordAPIError,
  type Interaction,
  type MessageComponentInteraction,
  MessageFlags,
  type ModalSubmitInteraction,
} from 'discord.js';
import { ChangeRecord } from '../db/audit.ts';
import { checkRole } from '../domain/access.ts';
import type { AuditState } from '../domain/audit.ts';
import { UserError } from '../domain/errors.ts';
import { type Deed, deedOfCommand, deedOfComponent } from '../domain/rules.ts';
import { internalFailureEmbed, refusalEmbed } from '../reports/notice-embed.ts';
import {
  type Asking,
  type Command,
  type CommandContext,
  type CommandParts,
  findRoles,
  type ReadContext,
} from './command.ts';

const MAX_CHOICES = 25;
/** Unknown channel, message, webhook and interaction; a token that has expired. */
const GONE = [10003, 10008, 10015, 10062, 50027];
/** Options whose words may stand in the audit log; others can be codes or texts. */
const TOLD_OPTIONS = ['leaderboard', 'name', 'gpu', 'mode', 'set', 'directory'];

export function dispatchInteractions(client: Client, commands: Command[], parts: CommandParts): void {
  const byName = new Map(commands.map((command) => [command.data.name, command]));
  client.on('interactionCreate', (interaction) => {
    void handle(interaction, byName, parts).catch((error: unknown) => {
      const { id } = interaction;
      if (isGone(error)) parts.log.info({ error, interaction: id }, 'nobody waits for this answer any more');
      else parts.log.error({ error, interaction: id }, 'an interaction was not answered');
    });
  });
}

async function handle(
  interaction: Interaction,
  commands: Map<string, Command>,
  parts: CommandParts,
): Promise<void> {
  if (interaction.isChatInputCommand()) {
    await runCommand(interaction, commands.get(interaction.commandName), parts);
  } else if (interaction.isAutocomplete()) {
    await complete(interaction, commands.get(interaction.commandName), parts);
  } else if (interaction.isMessageComponent() || interaction.isModalSubmit()) {
    const [name = '', ...args] = interaction.customId.split(':');
    const command = commands.get(name);
    if (interaction.isModalSubmit()) await fill(interaction, command, args, parts);
    else await press(interaction, command, args, parts);
  }
}

/**
 * What is about to be done, and by whom. Throws UserError where the rule speaks against it. What has no rule is of another
 * version of Hotlap.
 */
async function check(
  interaction: Asking,
  deed: Deed | null,
  parts: CommandParts,
): Promise<{ deed: Deed; context: ReadContext }> {
  if (deed === null) throw new UserError('choice-expired');
  const roles = await findRoles(interaction, parts);
  checkRole(deed.rule, roles, parts.roleIds);
  return { deed, context: { ...parts, roles } };
}

/** Does it, and sees to it that a change has its entry, also one that failed half-way. */
async function perform(
  interaction: Exclude<Asking, AutocompleteInteraction>,
  { deed: { action, rule }, context }: { deed: Deed; context: ReadContext },
  work: (context: CommandContext) => Promise<void>,
): Promise<void> {
  const { user } = interaction;
  const actor = { id: user.id, name: user.displayName, door: 'discord' } as const;
  const record = new ChangeRecord(actor, action, context.log);
  const close = async (end: 'done' | 'refused' | 'failed') => {
    const after = { ...askedFor(interaction), ...(end === 'failed' && { failed: true }) };
    await record
      .close(context.sql, rule.changes && end !== 'refused' ? { after } : null)
      .catch((error: unknown) => context.log.error({ error, action, user: user.id }, 'no audit entry'));
  };
  try {
    await work({ ...context, record });
  } catch (error) {
    await close(error instanceof UserError ? 'refused' : 'failed');
    throw error;
  }
  await close('done');
}

function askedFor(interaction: Exclude<Asking, AutocompleteInteraction>): AuditState {
  if (!interaction.isChatInputCommand()) return { args: interaction.customId.split(':').slice(1) };
  let given = interaction.options.data;
  // Below a group and a subcommand, where there are such.
  while (given[0]?.options) given = given[0].options;
  const options = given.filter(
    ({ name, value }) => value !== undefined && (typeof value !== 'string' || TOLD_OPTIONS.includes(name)),
  );
  return Object.fromEntries(options.map(({ name, value = null }) => [name, value]));
}

/** `admin box add` */
function wordsOf({ commandName, options }: ChatInputCommandInteraction | AutocompleteInteraction): string {
  const words = [commandName, options.getSubcommandGroup(false), options.getSubcommand(false)];
  return words.filter((word) => word !== null).join(' ');
}

async function runCommand(
  interaction: ChatInputCommandInteraction,
  command: Command | undefined,
  parts: CommandParts,
): Promise<void> {
  let ephemeral = true;
  try {
    const checked = await check(interaction, deedOfCommand(wordsOf(interaction)), parts);
    if (!command) throw new UserError('choice-expired');
    if (await showForm(interaction, command, null, checked.context)) return;
    ephemeral = command.ephemeral(interaction);
    await interaction.deferReply(ephemeral ? { flags: MessageFlags.Ephemeral } : {});
    await perform(interaction, checked, (own) => command.run(interaction, own));
  } catch (error) {
    if (isGone(error)) throw error;
    await answerFailure(interaction, ephemeral, answerTo(error, interaction, parts));
  }
}

/** The message or its channel was deleted or dismissed meanwhile, or Discord has given the interaction up. */
function isGone(error: unknown): boolean {
  return error instanceof DiscordAPIError && GONE.includes(Number(error.code));
}

/** False where nothing opens. A form changes nothing before it is filled in. */
async function showForm(
  interaction: ChatInputCommandInteraction | MessageComponentInteraction,
  command: Command,
  args: string[] | null,
  context: ReadContext,
): Promise<boolean> {
  const form = (await command.open?.(interaction, args, context)) ?? null;
  if (form !== null) await interaction.showModal(form);
  return form !== null;
}

/** A refusal is nobody's business but its user's, also where the answer would have been everybody's. */
async function answerFailure(
  interaction: ChatInputCommandInteraction | ModalSubmitInteraction,
  ephemeral: boolean,
  answer: ReturnType<typeof answerTo>,
): Promise<void> {
  if (!interaction.deferred && !interaction.replied) {
    await interaction.reply({ ...answer, flags: MessageFlags.Ephemeral });
  } else if (ephemeral) {
    await interaction.editReply({ content: '', ...answer, components: [] });
  } else {
    // The first follow-up after a deferral would take its place and be as public as that.
    await interaction.deleteReply();
    await interaction.followUp({ ...answer, flags: MessageFlags.Ephemeral });
  }
}

async function press(
  interaction: MessageComponentInteraction,
  command: Command | undefined,
  args: string[],
  parts: CommandParts,
): Promise<void> {
  try {
    const checked = await check(interaction, deedOfComponent(interaction.customId), parts);
    if (command && (await showForm(interaction, command, args, checked.context))) return;
    if (!command?.press) throw new UserError('choice-expired');
    await interaction.deferUpdate();
    await perform(interaction, checked, async (own) => command.press?.(interaction, args, own));
  } catch (error) {
    if (isGone(error)) throw error;
    // The message stays as it is: it may be somebody else's.
    const answer = { ...answerTo(error, interaction, parts), flags: MessageFlags.Ephemeral } as const;
    if (interaction.deferred || interaction.replied) await interaction.followUp(answer);
    else await interaction.reply(answer);
  }
}

async function fill(
  interaction: ModalSubmitInteraction,
  command: Command | undefined,
  args: string[],
  parts: CommandParts,
): Promise<void> {
  await interaction.deferReply({ flags: MessageFlags.Ephemeral });
  try {
    const checked = await check(interaction, deedOfComponent(interaction.customId), parts);
    if (!command?.fill) throw new UserError('choice-expired');
    await perform(interaction, checked, async (own) => command.fill?.(interaction, args, own));
  } catch (error) {
    if (isGone(error)) throw error;
    await answerFailure(interaction, true, answerTo(error, interaction, parts));
  }
}

async function complete(
  interaction: AutocompleteInteraction,
  command: Command | undefined,
  parts: CommandParts,
): Promise<void> {
  try {
    const { context } = await check(interaction, deedOfCommand(wordsOf(interaction)), parts);
    const choices = (await command?.complete?.(interaction, context)) ?? [];
    await interaction.respond(choices.slice(0, MAX_CHOICES));
  } catch (error) {
    // Typing goes on without suggestions.
    if (error instanceof UserError) await interaction.respond([]);
    else parts.log.warn({ error, command: interaction.commandName }, 'autocomplete failed');
  }
}

function answerTo(error: unknown, interaction: { id: string; user: { id: string } }, parts: CommandParts) {
  if (error instanceof UserError) return { embeds: [refusalEmbed(error)], files: [] };
  const reference = randomBytes(4).toString('hex');
  parts.log.error(
    { error, reference, interaction: interaction.id, user: interaction.user.id },
    'a command failed',
  );
  return { embeds: [internalFailureEmbed(reference)], files: [] };
}
