/** `/submissions mine` and what team mates share: lists with secret scores. Ephemeral, always. */
import type { APIEmbed } from 'discord-api-types/v10';
import { modeLabels, type SubmissionSummary } from '../domain/submission.ts';
import { colours } from './colours.ts';
import { code, cut, plain } from './markdown.ts';
import { formatScore, timestamp } from './measure.ts';

export const LIST_PAGE = 8;
/** A page of long items still fits an embed. */
const SHOWN_GPUS = 6;
/** So that a page of long ones still holds them all. */
const ITEM_CHARS = 4096 / LIST_PAGE - 2;

const marks = {
  queued: '🕓',
  running: '▶️',
  done: '✅',
  failed: '❌',
  cancelled: '🚫',
  rejected: '⛔',
} as const;

export function submissionListEmbed(list: {
  items: SubmissionSummary[];
  total: number;
  /** From 0. */
  page: number;
  filtered: boolean;
  /** The team whose members sent them; null: they are the reader's own. */
  team: string | null;
}): APIEmbed {
  const pages = Math.max(1, Math.ceil(list.total / LIST_PAGE));
  const empty = list.filtered
    ? 'None fits this filter.'
    : list.team === null
      ? 'You have not submitted anything yet: `/submit` starts it.'
      : 'Nothing yet: what your team mates send while you are all in the team, and the team shares, is listed here.';
  return {
    title: list.team === null ? 'Your submissions' : cut(`Submissions of ${list.team}`, 256),
    color: colours.running,
    description: cut(
      list.items.map((item) => cut(itemLines(item, list.team !== null), ITEM_CHARS)).join('\n\n') || empty,
      4096,
    ),
    footer: { text: `${list.total} in all${pages > 1 ? ` · page ${list.page + 1} of ${pages}` : ''}` },
  };
}

function itemLines(item: SubmissionSummary, withOwner: boolean): string {
  const owner = withOwner ? `<@${item.userId}> · ` : '';
  const head = `${marks[item.status]} **#${item.id}** ${owner}${plain(item.leaderboard)} · ${code(item.fileName)} · ${modeLabels[item.mode]} · ${timestamp(item.createdAt, 'R')}`;
  const status = [item.status, ...reasonOf(item)].join(': ');
  const gpus = item.gpus.slice(0, SHOWN_GPUS).map((gpu) => {
    if (gpu.publicScore === null && gpu.secretScore === null) return gpu.gpuType;
    return `${gpu.gpuType}: public **${formatScore(gpu.publicScore, item.scoreUnit)}**, secret **${formatScore(gpu.secretScore, item.scoreUnit)}**`;
  });
  if (item.gpus.length > SHOWN_GPUS)
    gpus.push(`and ${item.gpus.length - SHOWN_GPUS} more: /submissions show id:${item.id}`);
  return [head, status, gpus.join('\n')].join('\n');
}

/** What passed and is not ranked says where its next step is; a failure's is in its result. */
function reasonOf({ id, status, reason }: SubmissionSummary): string[] {
  if (!reason) return [];
  const cause = plain(cut(reason, 120));
  return status === 'done'
    ? [`not ranked: ${cause} (\`/submissions show id:${id}\` says what to do)`]
    : [cause];
}
