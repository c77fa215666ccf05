/** `/leaderboard history` and `/leaderboard spread`. */
import {
  AttachmentBuilder,
  type ChatInputCommandInteraction,
  type SlashCommandSubcommandBuilder,
} from 'discord.js';
import { loadBoardHistory, loadBoardSpread } from '../../src/db/history.ts';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { findReason } from '../../src/db/standings.ts';
import type { CommandContext } from '../../src/discord/command.ts';
import { UserError } from '../../src/domain/errors.ts';
import { unitOf } from '../../src/domain/ranking-rule.ts';
import { historyChart } from '../../src/reports/charts/history-chart.ts';
import { spreadChart } from '../../src/reports/charts/spread-chart.ts';
import { reasonLines } from '../../src/reports/own-place-embed.ts';

const TOP = 8;

/** The options of both: which board, on which GPU type. */
export function boardOptions(sub: SlashCommandSubcommandBuilder): SlashCommandSubcommandBuilder {
  return sub
    .addStringOption((option) =>
      option.setName('name').setDescription('The leaderboard').setRequired(true).setAutocomplete(true),
    )
    .addStringOption((option) => option.setName('gpu').setDescription('GPU type').setAutocomplete(true));
}

export async function history(
  interaction: ChatInputCommandInteraction,
  context: CommandContext,
  board: LeaderboardWithTask,
  gpuType: string,
): Promise<void> {
  checkShown(board);
  const key = { leaderboardId: board.id, gpuType, scoreAscending: board.scoreAscending };
  const { people, record } = await loadBoardHistory(context.sql, key, TOP);
  if (people.length === 0) throw new UserError('nothing-ranked', { leaderboard: board.name, gpu: gpuType });
  const now = new Date();
  const until = board.deadline !== null && board.deadline < now ? board.deadline : now;
  const { name: leaderboard, scoreAscending } = board;
  const unit = unitOf(board.rule, board.taskUnit);
  const picture = historyChart({ leaderboard, gpuType, scoreAscending, unit, people, record, until });
  await answer(interaction, picture, `history-${board.name}-${gpuType}.png`);
}

export async function spread(
  interaction: ChatInputCommandInteraction,
  context: CommandContext,
  board: LeaderboardWithTask,
  gpuType: string,
): Promise<void> {
  checkShown(board);
  const key = { leaderboardId: board.id, gpuType, scoreAscending: board.scoreAscending };
  const { scores, mine } = await loadBoardSpread(context.sql, key, interaction.user.id);
  if (scores.length === 0) throw new UserError('nothing-ranked', { leaderboard: board.name, gpu: gpuType });
  const { name: leaderboard, scoreAscending } = board;
  const unit = unitOf(board.rule, board.taskUnit);
  const picture = spreadChart({ leaderboard, gpuType, scoreAscending, unit, scores, mine });
  const track = { leaderboardId: board.id, track: gpuType };
  const reason = mine ? null : await findReason(context.sql, track, interaction.user.id);
  const content = reason ? reasonLines(reason).join('\n') : '';
  await answer(interaction, picture, `spread-${board.name}-${gpuType}.png`, content);
}

function checkShown(board: LeaderboardWithTask): void {
  if (board.rule.score === 'secret') throw new UserError('scores-not-shown', { leaderboard: board.name });
}

async function answer(
  interaction: ChatInputCommandInteraction,
  picture: Buffer,
  name: string,
  content = '',
): Promise<void> {
  await interaction.editReply({ content, files: [new AttachmentBuilder(picture, { name })] });
}
