/** `/queue`: what runs, what waits, and where one's own submissions stand. */
import { SlashCommandBuilder } from 'discord.js';
import { loadQueue } from '../src/db/queue.ts';
import type { Command } from '../src/discord/command.ts';
import { forecast } from '../src/domain/eta.ts';
import { queueEmbed } from '../src/reports/queue-embed.ts';

export const queue: Command = {
  data: new SlashCommandBuilder()
    .setName('queue')
    .setDescription('What runs, what waits, and when yours is done')
    .toJSON(),

  ephemeral: () => true,

  async run(interaction, context) {
    const snapshot = await loadQueue(context.sql);
    const embed = queueEmbed(snapshot, forecast(snapshot), interaction.user.id);
    await interaction.editReply({ embeds: [embed] });
  },
};
