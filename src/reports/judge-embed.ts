/** What judges see: what is left to score, and a submission with its scores so far. Never a secret score. */
import type { APIEmbed } from 'discord-api-types/v10';
import type { Scorer } from '../domain/ranking-rule.ts';
import { colours } from './colours.ts';
import { code, cut, plain } from './markdown.ts';
import { formatValue, timestamp } from './measure.ts';

export const JUDGE_PAGE = 10;

export interface PanelItem {
  id: number;
  userName: string;
  fileName: string;
  createdAt: Date;
  /** Scorers without a value by this judge; of those, the ones without any. */
  missing: string[];
  missingAtAll: string[];
}

export function judgePanelEmbed(panel: {
  leaderboard: string;
  scorers: Scorer[];
  items: PanelItem[];
  total: number;
  page: number;
}): APIEmbed {
  const lines = panel.items.map((item) => {
    const missing = item.missing
      .map((name) => (item.missingAtAll.includes(name) ? `**${name}**` : name))
      .join(', ');
    return cut(
      `**#${item.id}** ${plain(cut(item.userName, 60))} · ${code(cut(item.fileName, 60))}, ${timestamp(item.createdAt, 'R')} · ${missing}`,
      390,
    );
  });
  const pages = Math.max(1, Math.ceil(panel.total / JUDGE_PAGE));
  const empty = 'Nothing is left for you to score.';
  return {
    title: cut(`To judge on ${panel.leaderboard}`, 256),
    color: colours.running,
    description: cut(lines.join('\n') || empty, 4000),
    fields: [{ name: 'Scorers', value: cut(panel.scorers.map(scorerLine).join('\n'), 1024) }],
    footer: {
      text: [
        `${panel.total} left for you`,
        'bold: nobody has given a value yet',
        ...(pages > 1 ? [`page ${panel.page + 1} of ${pages}`] : []),
      ].join(' · '),
    },
  };
}

function scorerLine(scorer: Scorer): string {
  const about = scorer.about === undefined ? '' : `: ${plain(scorer.about)}`;
  return `${code(scorer.name)}${scorer.required ? '' : ' (optional)'}${about}`;
}

export interface GivenScore {
  scorer: string;
  judgeId: string;
  value: number;
  reason: string;
  createdAt: Date;
  /** Null: it counts. */
  supersededAt: Date | null;
}

export function judgedEmbed(judged: {
  id: number;
  userName: string;
  leaderboard: string;
  scorers: Scorer[];
  given: GivenScore[];
}): APIEmbed {
  const fields = judged.scorers.slice(0, 20).map((scorer) => {
    const lines = judged.given
      .filter((item) => item.scorer === scorer.name)
      .map((item) => {
        const value =
          item.supersededAt === null ? `**${formatValue(item.value)}**` : `~~${formatValue(item.value)}~~`;
        return `${value} by <@${item.judgeId}> ${timestamp(item.createdAt, 'R')}: ${plain(cut(item.reason, 120))}`;
      });
    const text =
      lines.length > 0
        ? lines.join('\n')
        : scorer.required
          ? 'no value yet: not ranked without'
          : 'no value yet';
    return { name: scorer.name, value: cut(text, 240) };
  });
  return {
    title: `#${judged.id} on ${cut(judged.leaderboard, 100)}`,
    color: colours.running,
    description: `By ${plain(cut(judged.userName, 100))}. \`/judge score\` gives it a value from 0 to 1.`,
    fields,
  };
}
