/** `/quota`. */
import type { APIEmbed } from 'discord-api-types/v10';
import { colours } from './colours.ts';
import { cut, plain } from './markdown.ts';
import { timestamp } from './measure.ts';

const SHOWN = 30;

export interface QuotaLine {
  leaderboard: string;
  category: 'test' | 'leaderboard';
  used: number;
  maxPerHour: number;
  /** When the next one is free; null while some quota is left. */
  freeAt: Date | null;
}

/** `only`: the leaderboard that was asked for; null: all that have limits. */
export function quotaEmbed(lines: QuotaLine[], only: string | null): APIEmbed {
  const none =
    only === null
      ? 'No leaderboard has a limit: submit as often as you like.'
      : `**${plain(only)}** has no limit: submit as often as you like.`;
  const shown = lines.slice(0, SHOWN).map((line) => {
    const left = Math.max(0, line.maxPerHour - line.used);
    const mode = line.category === 'leaderboard' ? 'ranked' : 'test, benchmark, profile';
    const wait = line.freeAt ? `, the next ${timestamp(line.freeAt, 'R')}` : '';
    return `${left > 0 ? '🟢' : '🔴'} **${plain(line.leaderboard)}** ${mode}: **${left}** of ${line.maxPerHour} left${wait}`;
  });
  if (lines.length > SHOWN) shown.push(`and ${lines.length - SHOWN} more: name a leaderboard`);
  return {
    title: 'Your quota of this hour',
    color: colours.running,
    description: cut(shown.join('\n') || none, 4096),
    footer: { text: 'An hour counts back from now. What failed by our fault costs nothing.' },
  };
}
