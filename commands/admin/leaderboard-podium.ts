/** `/admin leaderboard podium`: where it is announced that the first three of a board are others. */
import type { ChatInputCommandInteraction, SlashCommandSubcommandBuilder } from 'discord.js';
import { setPodiumTarget } from '../../src/db/podiums.ts';
import { type CommandContext, viewerOf } from '../../src/discord/command.ts';
import { UserError } from '../../src/domain/errors.ts';
import { type PodiumTarget, podiumTargets } from '../../src/domain/podium.ts';
import { getManagedBoard } from '../../src/intake/manage-board.ts';
import { noticeEmbed } from '../../src/reports/notice-embed.ts';
import { boardOption } from './board-options.ts';

const choices: Record<PodiumTarget, string> = {
  thread: 'in its thread',
  channel: 'in the channel for announcements',
  off: 'nowhere',
};

export function podiumOptions(sub: SlashCommandSubcommandBuilder): SlashCommandSubcommandBuilder {
  return boardOption(
    sub.setName('podium').setDescription('Where it is announced that the first three have changed'),
  ).addStringOption((option) =>
    option
      .setName('to')
      .setDescription('Where')
      .setRequired(true)
      .addChoices(podiumTargets.map((value) => ({ name: choices[value], value }))),
  );
}

export async function changePodium(
  interaction: ChatInputCommandInteraction,
  context: CommandContext,
): Promise<void> {
  const name = interaction.options.getString('leaderboard', true);
  const board = await getManagedBoard(context.sql, viewerOf(interaction, context), name);
  const wanted = interaction.options.getString('to', true);
  const target = podiumTargets.find((value) => value === wanted) ?? 'off';
  const change = await setPodiumTarget(context.sql, board.id, target, context.record);
  if (!change) throw new UserError('changed-meanwhile');
  await interaction.editReply({
    embeds: [
      noticeEmbed(
        `New podiums of ${board.name} are announced ${choices[target]}${change.changed ? '' : ' already'}`,
        textOf(target, board),
      ),
    ],
  });
}

function textOf(
  target: PodiumTarget,
  board: { visibility: string; rule: { score?: 'public' | 'secret' | undefined } },
): string {
  if (target === 'off') return 'What happens until that changes is not announced later.';
  if (board.visibility === 'closed')
    return 'While only invited people see the board, none is announced anywhere.';
  if (board.rule.score === 'secret') return 'While it ranks by secret scores, none is announced anywhere.';
  return target === 'thread'
    ? 'Where it has no thread, in the channel for announcements.'
    : 'Where there is no such channel, in its thread.';
}
