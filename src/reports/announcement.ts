/** What a channel reads about a ranked success. Built from a view without secrets. */
import type { APIEmbed } from 'discord-api-types/v10';
import type { SubmissionView } from '../domain/submission.ts';
import { colours } from './colours.ts';
import { cut, plain } from './markdown.ts';
import { formatScore } from './measure.ts';

export function announcementEmbed(view: SubmissionView): APIEmbed {
  const lines = view.gpus
    .filter((gpu) => gpu.eligible)
    .map((gpu) => {
      const before = gpu.notRanked?.code === 'behind-mate' ? 'the entry of their team' : 'their best entry';
      const place = gpu.rank === null ? `behind ${before}` : placeText(gpu.rank);
      const unsafe = gpu.publicJob.sandbox === 'none' ? ' · run without a sandbox' : '';
      const score = gpu.boardScore
        ? formatScore(gpu.boardScore.score, gpu.boardScore.unit)
        : formatScore(gpu.publicScore, view.scoreUnit);
      return `**${gpu.gpuType}** ${score} · ${place}${unsafe}`;
    });
  const team = view.teamName ? ` for **${plain(view.teamName)}**` : '';
  return {
    color: colours.good,
    description: cut(
      [
        `<@${view.userId}> is ranked on **${plain(view.leaderboard)}**${team} with submission #${view.id}`,
        ...lines,
      ].join('\n'),
      4096,
    ),
  };
}

function placeText(rank: number): string {
  const medal = ['🥇 ', '🥈 ', '🥉 '][rank - 1] ?? '';
  return `${medal}place ${rank}`;
}
