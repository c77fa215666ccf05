/** `/admin limit`: how much somebody may submit to a board within an hour. */
import type { ChatInputCommandInteraction, SlashCommandSubcommandBuilder } from 'discord.js';
import { deleteRateLimit, listRateLimits, type QuotaCategory, setRateLimit } from '../../src/db/quota.ts';
import { type CommandContext, viewerOf } from '../../src/discord/command.ts';
import { UserError } from '../../src/domain/errors.ts';
import { getManagedBoard } from '../../src/intake/manage-board.ts';
import { plain } from '../../src/reports/markdown.ts';
import { noticeEmbed } from '../../src/reports/notice-embed.ts';
import { boardOption, completeManagedBoard } from './board-options.ts';
import type { AdminGroup } from './group.ts';

const modeNames: Record<QuotaCategory, string> = {
  leaderboard: 'ranked',
  test: 'test, benchmark and profile together',
};

function modeOption(sub: SlashCommandSubcommandBuilder): SlashCommandSubcommandBuilder {
  return sub.addStringOption((option) =>
    option
      .setName('mode')
      .setDescription('Of which submissions')
      .setRequired(true)
      .addChoices(...Object.entries(modeNames).map(([value, name]) => ({ name, value }))),
  );
}

export const limitGroup: AdminGroup = {
  name: 'limit',

  build: (group) =>
    group
      .setDescription('How much somebody may submit within an hour')
      .addSubcommand((sub) =>
        modeOption(boardOption(sub.setName('set').setDescription('Limit a leaderboard'))).addIntegerOption(
          (option) =>
            option
              .setName('per_hour')
              .setDescription('How many of each person')
              .setRequired(true)
              .setMinValue(1)
              .setMaxValue(1_000_000),
        ),
      )
      .addSubcommand((sub) =>
        modeOption(boardOption(sub.setName('remove').setDescription('Take a limit away'))),
      )
      .addSubcommand((sub) => boardOption(sub.setName('show').setDescription('The limits of a leaderboard'))),

  run: { set, remove, show },

  complete: (interaction, context) =>
    completeManagedBoard(interaction, context, interaction.options.getFocused()),
};

async function boardAndMode(interaction: ChatInputCommandInteraction, context: CommandContext) {
  const name = interaction.options.getString('leaderboard', true);
  const board = await getManagedBoard(context.sql, viewerOf(interaction, context), name);
  const category: QuotaCategory =
    interaction.options.getString('mode', true) === 'leaderboard' ? 'leaderboard' : 'test';
  return { board, category };
}

async function set(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const { board, category } = await boardAndMode(interaction, context);
  const maxPerHour = interaction.options.getInteger('per_hour', true);
  await setRateLimit(context.sql, { board, category, maxPerHour }, context.record);
  await show(interaction, context);
}

async function remove(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const { board, category } = await boardAndMode(interaction, context);
  if (!(await deleteRateLimit(context.sql, board, category, context.record)))
    throw new UserError('no-limit', { leaderboard: board.name, mode: modeNames[category] });
  await show(interaction, context);
}

async function show(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const name = interaction.options.getString('leaderboard', true);
  const board = await getManagedBoard(context.sql, viewerOf(interaction, context), name);
  const limits = await listRateLimits(context.sql, board.id);
  const lines = limits.map(({ category, maxPerHour }) => `**${modeNames[category]}** ${maxPerHour} an hour`);
  await interaction.editReply({
    embeds: [
      noticeEmbed(
        `Limits of ${plain(board.name)}`,
        [
          ...(lines.length > 0 ? lines : ['None: everybody may submit as often as they like.']),
          '',
          'They hold for each person. What was sent within the last hour counts, deleted or not; what failed by our fault does not. `/quota` shows people how they stand.',
        ].join('\n'),
      ),
    ],
  });
}
