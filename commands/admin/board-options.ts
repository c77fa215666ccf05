/** What subcommands about leaderboards share: the option that names one, and its suggestions. */
import type { AutocompleteInteraction, SlashCommandSubcommandBuilder } from 'discord.js';
import { type Choice, type ReadContext, viewerOf } from '../../src/discord/command.ts';
import { boardChoices } from '../../src/discord/leaderboard-choices.ts';
import { listManagedBoards } from '../../src/intake/manage-board.ts';

export function boardOption(
  sub: SlashCommandSubcommandBuilder,
  isRequired = true,
): SlashCommandSubcommandBuilder {
  return sub.addStringOption((option) =>
    option
      .setName('leaderboard')
      .setDescription('Which one')
      .setRequired(isRequired)
      .setMaxLength(100)
      .setAutocomplete(true),
  );
}

/** Those that the person runs. */
export async function completeManagedBoard(
  interaction: AutocompleteInteraction,
  context: ReadContext,
  typed: string,
): Promise<Choice[]> {
  return boardChoices(await listManagedBoards(context.sql, viewerOf(interaction, context)), typed);
}

/** Of a list of words, those that fit what is typed. */
export function choicesFrom(words: readonly string[], typed: string): Choice[] {
  return words
    .filter((word) => word.toLowerCase().includes(typed.toLowerCase()))
    .map((word) => ({ name: word.slice(0, 100), value: word }))
    .filter((choice) => choice.value.length <= 100);
}
