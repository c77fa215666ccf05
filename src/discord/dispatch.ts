/**
 * From an interaction to its command, and from whatever goes wrong to an answer.
 *
 * Discord waits 3 s for a first answer, so every command is deferred before it does anything. A UserError becomes a
 * refusal that says what to do; anything else is a bug: the user gets a reference, the log the cause.
 */
import { randomBytes } from 'node:crypto';
import {
  type AutocompleteInteraction,
  type ChatInputCommandInteraction,
  type Client,
  type Interaction,
  type MessageComponentInteraction,
  MessageFlags,
} from 'discord.js';
import { UserError } from '../domain/errors.ts';
import { internalFailureEmbed, refusalEmbed } from '../reports/notice-embed.ts';
import { type Command, type CommandContext, viewerOf } from './command.ts';

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
    const command = commands.get(interaction.commandName);
    if (command) await runCommand(interaction, command, context);
  } else if (interaction.isAutocomplete()) {
    const command = commands.get(interaction.commandName);
    if (command) await complete(interaction, command, context);
  } else if (interaction.isMessageComponent()) {
    const [name = '', ...args] = interaction.customId.split(':');
    const command = commands.get(name);
    if (command?.press) await press(interaction, command, args, context);
  }
}

async function runCommand(
  interaction: ChatInputCommandInteraction,
  command: Command,
  context: CommandContext,
): Promise<void> {
  const refused = command.adminOnly && !viewerOf(interaction, context).isAdmin;
  const ephemeral = refused || command.ephemeral(interaction);
  await interaction.deferReply(ephemeral ? { flags: MessageFlags.Ephemeral } : {});
  try {
    if (refused) throw adminOnly(context);
    await command.run(interaction, context);
  } catch (error) {
    await answerFailure(interaction, ephemeral, answerTo(error, interaction, context));
  }
}

/** A refusal is nobody's business but its user's, also where the answer would have been everybody's. */
async function answerFailure(
  interaction: ChatInputCommandInteraction,
  ephemeral: boolean,
  answer: ReturnType<typeof answerTo>,
): Promise<void> {
  if (ephemeral) {
    await interaction.editReply({ content: '', ...answer, components: [] });
    return;
  }
  // The first follow-up after a deferral would take its place and be as public as that.
  await interaction.deleteReply();
  await interaction.followUp({ ...answer, flags: MessageFlags.Ephemeral });
}

async function press(
  interaction: MessageComponentInteraction,
  command: Command,
  args: string[],
  context: CommandContext,
): Promise<void> {
  await interaction.deferUpdate();
  try {
    if (command.adminOnly && !viewerOf(interaction, context).isAdmin) throw adminOnly(context);
    await command.press?.(interaction, args, context);
  } catch (error) {
    // The message stays as it is: it may be somebody else's.
    await interaction.followUp({ ...answerTo(error, interaction, context), flags: MessageFlags.Ephemeral });
  }
}

async function complete(
  interaction: AutocompleteInteraction,
  command: Command,
  context: CommandContext,
): Promise<void> {
  const allowed = !command.adminOnly || viewerOf(interaction, context).isAdmin;
  try {
    const choices = allowed ? ((await command.complete?.(interaction, context)) ?? []) : [];
    await interaction.respond(choices.slice(0, MAX_CHOICES));
  } catch (error) {
    // Typing goes on without suggestions.
    context.log.warn({ error, command: interaction.commandName }, 'autocomplete failed');
  }
}

function adminOnly(context: CommandContext): UserError {
  return new UserError('admin-only', { role: `<@&${context.adminRoleId}>` });
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
