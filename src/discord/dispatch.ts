/**
 * From an interaction to its command, and from whatever goes wrong to an answer.
 *
 * Discord waits 3 s for a first answer, so every command is deferred before it does anything, but for those that open a
 * form: a form has to be the first answer. Whoever asks is held against the rule of what they ask for (domain/rules.ts)
 * before the command hears of it. A UserError becomes a refusal that says what to do; anything else is a bug: the user
 * gets a reference, the log the cause.
 */
import { randomBytes } from 'node:crypto';
import {
  type AutocompleteInteraction,
  type ChatInputCommandInteraction,
  type Client,
  type Interaction,
  type MessageComponentInteraction,
  MessageFlags,
  type ModalSubmitInteraction,
} from 'discord.js';
import { checkRole, type Rule } from '../domain/access.ts';
import { UserError } from '../domain/errors.ts';
import { ruleOfCommand, ruleOfComponent } from '../domain/rules.ts';
import { internalFailureEmbed, refusalEmbed } from '../reports/notice-embed.ts';
import { type Command, type CommandContext, rolesOf } from './command.ts';

const MAX_CHOICES = 25;

export function dispatchInteractions(client: Client, commands: Command[], context: CommandContext): void {
  const byName = new Map(commands.map((command) => [command.data.name, command]));
  client.on('interactionCreate', (interaction) => {
    void handle(interaction, byName, context).catch((error: unknown) => {
      context.log.error({ error, interaction: interaction.id }, 'an interaction was not answered');
    });
  });
}

async function handle(
  interaction: Interaction,
  commands: Map<string, Command>,
  context: CommandContext,
): Promise<void> {
  if (interaction.isChatInputCommand()) {
    await runCommand(interaction, commands.get(interaction.commandName), context);
  } else if (interaction.isAutocomplete()) {
    await complete(interaction, commands.get(interaction.commandName), context);
  } else if (interaction.isMessageComponent() || interaction.isModalSubmit()) {
    const [name = '', ...args] = interaction.customId.split(':');
    const command = commands.get(name);
    if (interaction.isModalSubmit()) await fill(interaction, command, args, context);
    else await press(interaction, command, args, context);
  }
}

/** Throws UserError where the rule speaks against it. What has no rule is of another version of Hotlap. */
function checkRule(
  interaction: Parameters<typeof rolesOf>[0],
  rule: Rule | null,
  context: CommandContext,
): void {
  if (rule === null) throw new UserError('choice-expired');
  checkRole(rule, rolesOf(interaction, context), context.roleIds);
}

/** `admin box add` */
function wordsOf({ commandName, options }: ChatInputCommandInteraction | AutocompleteInteraction): string {
  const words = [commandName, options.getSubcommandGroup(false), options.getSubcommand(false)];
  return words.filter((word) => word !== null).join(' ');
}

async function runCommand(
  interaction: ChatInputCommandInteraction,
  command: Command | undefined,
  context: CommandContext,
): Promise<void> {
  let ephemeral = true;
  try {
    checkRule(interaction, ruleOfCommand(wordsOf(interaction)), context);
    if (!command) throw new UserError('choice-expired');
    const form = (await command.open?.(interaction, null, context)) ?? null;
    if (form !== null) {
      await interaction.showModal(form);
      return;
    }
    ephemeral = command.ephemeral(interaction);
    await interaction.deferReply(ephemeral ? { flags: MessageFlags.Ephemeral } : {});
    await command.run(interaction, context);
  } catch (error) {
    await answerFailure(interaction, ephemeral, answerTo(error, interaction, context));
  }
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
  context: CommandContext,
): Promise<void> {
  try {
    checkRule(interaction, ruleOfComponent(interaction.customId), context);
    if (!command?.press && !command?.open) throw new UserError('choice-expired');
    const form = (await command.open?.(interaction, args, context)) ?? null;
    if (form !== null) {
      await interaction.showModal(form);
      return;
    }
    await interaction.deferUpdate();
    if (!command.press) throw new UserError('choice-expired');
    await command.press(interaction, args, context);
  } catch (error) {
    // The message stays as it is: it may be somebody else's.
    const answer = { ...answerTo(error, interaction, context), flags: MessageFlags.Ephemeral } as const;
    if (interaction.deferred || interaction.replied) await interaction.followUp(answer);
    else await interaction.reply(answer);
  }
}

async function fill(
  interaction: ModalSubmitInteraction,
  command: Command | undefined,
  args: string[],
  context: CommandContext,
): Promise<void> {
  await interaction.deferReply({ flags: MessageFlags.Ephemeral });
  try {
    checkRule(interaction, ruleOfComponent(interaction.customId), context);
    if (!command?.fill) throw new UserError('choice-expired');
    await command.fill(interaction, args, context);
  } catch (error) {
    await answerFailure(interaction, true, answerTo(error, interaction, context));
  }
}

async function complete(
  interaction: AutocompleteInteraction,
  command: Command | undefined,
  context: CommandContext,
): Promise<void> {
  try {
    checkRule(interaction, ruleOfCommand(wordsOf(interaction)), context);
    const choices = (await command?.complete?.(interaction, context)) ?? [];
    await interaction.respond(choices.slice(0, MAX_CHOICES));
  } catch (error) {
    // Typing goes on without suggestions.
    if (error instanceof UserError) await interaction.respond([]);
    else context.log.warn({ error, command: interaction.commandName }, 'autocomplete failed');
  }
}

function answerTo(
  error: unknown,
  interaction: { id: string; user: { id: string } },
  context: CommandContext,
) {
  if (error instanceof UserError) return { embeds: [refusalEmbed(error)], files: [] };
  const reference = randomBytes(4).toString('hex');
  context.log.error(
    { error, reference, interaction: interaction.id, user: interaction.user.id },
    'a command failed',
  );
  return { embeds: [internalFailureEmbed(reference)], files: [] };
}
