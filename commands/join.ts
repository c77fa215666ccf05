/** `/join <code>`: into a closed leaderboard. */
import { SlashCommandBuilder } from 'discord.js';
import { claimInvite } from '../src/db/invites.ts';
import type { Command } from '../src/discord/command.ts';
import { UserError } from '../src/domain/errors.ts';
import { refuseBanned } from '../src/intake/admission.ts';
import { plain } from '../src/reports/markdown.ts';
import { noticeEmbed } from '../src/reports/notice-embed.ts';

export const join: Command = {
  data: new SlashCommandBuilder()
    .setName('join')
    .setDescription('Enter a closed leaderboard with an invite code')
    .addStringOption((option) =>
      option.setName('code').setDescription('The code').setRequired(true).setMaxLength(200),
    )
    .toJSON(),

  // The code is nobody else's business.
  ephemeral: () => true,

  async run(interaction, { sql, record }) {
    const code = interaction.options.getString('code', true).trim();
    const user = { id: interaction.user.id, name: interaction.user.displayName };
    await refuseBanned(sql, user.id);
    const claim = await claimInvite(sql, code, user, record);
    if (claim === 'unknown') throw new UserError('unknown-invite');
    if (claim === 'taken') throw new UserError('invite-taken');
    const boards = claim.boards.map((name) => `**${plain(name)}**`).join(', ');
    await interaction.editReply({
      embeds: [
        noticeEmbed(
          'You are in',
          boards === ''
            ? 'The code is good, but its leaderboards are gone.'
            : `You see ${boards} now and may submit: \`/leaderboard task\` has the statement, \`/submit\` takes your file.`,
        ),
      ],
    });
  },
};
