/** Where somebody stands on a board, or why nowhere: the answer to them alone. */
import type { APIEmbed } from 'discord-api-types/v10';
import type { NotRanked } from '../domain/not-ranked.ts';
import type { RankChange } from '../domain/submission.ts';
import { colours } from './colours.ts';
import { cut, plain } from './markdown.ts';
import { formatScore } from './measure.ts';

export interface OwnPlace {
  leaderboard: string;
  track: string;
  /** Below it an entry is provisional. */
  minimumRuns: number;
  entry: {
    rank: number;
    total: number;
    submissionId: number;
    userId: string;
    /** Whose place it is; null or left out: one's own. */
    team?: { name: string } | null;
    /** Null where scores are not shown. */
    score: number | null;
    unit: string;
    provisional: boolean;
    day: RankChange;
    week: RankChange;
  } | null;
  /** Null for whoever has an entry. */
  reason: NotRanked | null;
}

export function ownPlaceEmbed({ leaderboard, track, minimumRuns, entry, reason }: OwnPlace): APIEmbed {
  const title = cut(`Your place on ${leaderboard} · ${track}`, 256);
  if (entry === null) {
    const lines = reason ? reasonLines(reason) : ['You have just come onto it: ask again.'];
    return { title, color: colours.waiting, description: lines.join('\n') };
  }
  const { team, userId } = entry;
  const [by, whose] = team ? [` of <@${userId}> for **${plain(team.name)}**`, 'your team’s'] : ['', 'yours'];
  const score = entry.score === null ? '' : ` with **${formatScore(entry.score, entry.unit)}**`;
  return {
    title,
    color: colours.running,
    description: [
      `Number **${entry.rank}** of ${entry.total}${score}, by #${entry.submissionId}${by}.`,
      `${changeText(entry.day)} since 24 hours ago, ${changeText(entry.week)} since 7 days ago.`,
      ...(entry.provisional
        ? [`Provisional until there are ${minimumRuns} ranked runs of ${whose} there: send the file again.`]
        : []),
    ].join('\n'),
  };
}

/** Cause, phase and next step. */
export function reasonLines({ cause, phase, next }: NotRanked): string[] {
  return [`Not ranked: ${plain(cause)} (${phase}).`, `**Next** ${next}`];
}

function changeText(change: RankChange): string {
  if (change === 'new') return 'new';
  if (change === 0) return 'the same place';
  const places = Math.abs(change) === 1 ? '1 place' : `${Math.abs(change)} places`;
  return `${change > 0 ? '▲' : '▼'} ${places}`;
}
