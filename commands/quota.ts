/** `/quota`: how much of the hour's limits is left. */
import { SlashCommandBuilder } from 'discord.js';
import { listQuotaOf } from '../src/db/quota.ts';
import { type Command, viewerOf } from '../src/discord/command.ts';
import { completeLeaderboard } from '../src/discord/leaderboard-choices.ts';
import { getVisibleBoard, listVisibleBoards } from '../src/discord/visible-board.ts';
import { quotaEmbed } from '../src/reports/quota-embed.ts';

export const quota: Command = {
  data: new SlashCommandBuilder()
    .setName('quota')
    .setDescription('How much you may submit within this hour')
    .addStringOption((option) =>
      option.setName('leaderboard').setDescription('Only this one').setAutocomplete(true),
    )
    .toJSON(),

  ephemeral: () => true,

  async run(interaction, context) {
    const viewer = viewerOf(interaction, context);
    const name = interaction.options.getString('leaderboard');
    const boards =
      name === null
        ? await listVisibleBoards(context.sql, viewer)
        : [await getVisibleBoard(context.sql, viewer, name)];
    const states = await listQuotaOf(
      context.sql,
      interaction.user.id,
      boards.map((board) => board.id),
    );
    await interaction.editReply({
      embeds: [quotaEmbed(states, name === null ? null : (boards[0]?.name ?? name))],
    });
  },

  complete: (interaction, context) =>
    completeLeaderboard(context.sql, viewerOf(interaction, context), interaction.options.getFocused()),
};
