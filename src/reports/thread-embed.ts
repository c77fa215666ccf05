/** The thread of a board in the forum: its first message, and what is written below when something changes. */
import type { APIEmbed } from 'discord-api-types/v10';
import type { BoardNews, ChannelPurpose } from '../domain/board-news.ts';
import type { RankingRule } from '../domain/ranking-rule.ts';
import type { Task } from '../domain/task.ts';
import { asksForRejudge, type Change } from '../domain/task-changes.ts';
import { isReal, rankingText } from './board-embed.ts';
import { colours } from './colours.ts';
import { code, cut, FIELD_CHARS, plain } from './markdown.ts';
import { timestamp } from './measure.ts';
import { rankingHeadline } from './ranking-words.ts';

/** All parts of the embed together may have 6000 characters. */
const STATEMENT_CHARS = 3000;
const MAX_CHANGES = 10;

interface ThreadBoard {
  name: string;
  deadline: Date | null;
  stage: 'open' | 'closed' | 'archived';
  late: 'refused' | 'unofficial';
  gpus: string[];
  version: number;
  task: Task;
  rule: RankingRule;
}

/** Kept up to date: it is what people find first. */
export function threadEmbed(board: ThreadBoard): APIEmbed {
  const { task, rule } = board;
  return {
    title: board.name,
    color: board.stage === 'open' ? colours.running : colours.waiting,
    description: cut(task.description, STATEMENT_CHARS),
    fields: [
      { name: 'Deadline', value: deadlineField(board), inline: true },
      { name: 'GPU types', value: cut(board.gpus.map(code).join(' ') || 'none', 300), inline: true },
      { name: 'Score', value: cut(rankingHeadline(rule, task), 300), inline: true },
      { name: 'How to submit', value: submitText(board) },
      { name: 'How it ranks', value: rankingText(rule, task) },
    ],
    footer: { text: `version ${board.version} of the task · what changes is written below` },
  };
}

function deadlineField({ deadline, stage, late }: ThreadBoard): string {
  if (stage !== 'open') return stage === 'archived' ? 'Archived: it is over' : 'Closed: nothing is taken';
  if (!isReal(deadline)) return 'None: it stays open';
  const after = late === 'unofficial' ? ['then unofficial entries alone'] : [];
  return [timestamp(deadline, 'F'), timestamp(deadline, 'R'), ...after].join('\n');
}

function submitText({ name, stage, task }: ThreadBoard): string {
  if (stage !== 'open')
    return `Nothing is taken any more. \`/leaderboard show name:${name}\` has the places.`;
  const languages = Object.keys(task.templates);
  const template = languages.length > 0 ? ` \`/leaderboard template name:${name}\` gives you a start.` : '';
  const what = task.serving ? 'the archive of your fork' : 'your file';
  return [
    `1. \`/leaderboard task name:${name}\` has the cases, the limits and all files of a run.${template}`,
    `2. \`/submit leaderboard:${name} mode:test\` with ${what} checks it, \`mode:benchmark\` times it. Neither counts.`,
    `3. \`/submit leaderboard:${name}\` counts; \`/leaderboard show name:${name}\` says who leads.`,
  ].join('\n');
}

/** `task` null where it is the same one. Null: nothing that is worth a word. */
export function boardNewsEmbed(
  board: ThreadBoard,
  told: BoardNews | null,
  news: BoardNews,
  task: { changes: Change[] } | null,
): APIEmbed | null {
  const lines = newsLines(board, told, news, task);
  if (lines.length === 0) return null;
  return {
    title: cut(`News of ${board.name}`, 256),
    color: colours.running,
    description: cut(lines.join('\n\n'), 4096),
  };
}

function newsLines(
  board: ThreadBoard,
  told: BoardNews | null,
  news: BoardNews,
  task: { changes: Change[] } | null,
): string[] {
  if (news.visibility === 'closed')
    return ['🔒 **For invited people from now on.** What changes is no longer told here.'];
  if (told === null) return [];
  if (told.visibility === 'closed') return ['🔓 **Open to everybody again**, as it says at the top.'];
  return [
    ...(told.stage === news.stage ? [] : [stageLine(news.stage)]),
    ...(told.deadline === news.deadline ? [] : [deadlineLine(told.deadline, news.deadline)]),
    ...(told.late === news.late ? [] : [lateLine(news.late)]),
    ...(task === null ? [] : [taskLine(board.version, task.changes)]),
    ...(told.gpus.join() === news.gpus.join() ? [] : [gpuLine(told.gpus, news.gpus)]),
    ...(JSON.stringify(told.ranking) === JSON.stringify(news.ranking)
      ? []
      : [`📐 **It ranks by another rule.**\n${rankingText(board.rule, board.task)}`]),
  ];
}

const stageLines: Record<ThreadBoard['stage'], string> = {
  open: '🟢 **Open.** Submissions are taken.',
  closed:
    '⛔ **Closed.** Nothing new is taken; what is queued runs to its end, and the places stay to be read.',
  archived: '📦 **Archived.** It is over; `/leaderboard show` still has the places.',
};
const stageLine = (stage: ThreadBoard['stage']) => stageLines[stage];

function deadlineLine(before: string | null, after: string | null): string {
  const at = (iso: string | null) => (iso === null ? null : new Date(iso));
  const [old, now] = [at(before), at(after)];
  const was = isReal(old) ? ` It was ${timestamp(old, 'f')}.` : '';
  if (!isReal(now)) return `⏰ **No deadline any more.**${was}`;
  const verb = isReal(old) ? (now > old ? 'is later' : 'is earlier') : 'is set';
  return `⏰ **The deadline ${verb}**: ${timestamp(now, 'F')}, ${timestamp(now, 'R')}.${was}`;
}

function lateLine(late: ThreadBoard['late']): string {
  return late === 'unofficial'
    ? '🕓 **After the deadline** submissions still run, but are unofficial and ranked nowhere.'
    : '🕓 **After the deadline** nothing is taken.';
}

function taskLine(version: number, changes: Change[]): string {
  const keys = [...new Set(changes.map((change) => change.key))];
  const shown = keys.slice(0, MAX_CHANGES).map(code).join(' ');
  const more = keys.length > MAX_CHANGES ? ` and ${keys.length - MAX_CHANGES} more` : '';
  const effect = asksForRejudge(changes)
    ? 'New submissions are judged by it. Earlier entries keep their score and are marked, unless organisers have them judged again.'
    : 'Scores stay comparable.';
  return `📝 **The task has changed**, to version ${version}: ${shown}${more}. ${effect}`;
}

function gpuLine(before: string[], after: string[]): string {
  const added = after.filter((gpu) => !before.includes(gpu));
  const gone = before.filter((gpu) => !after.includes(gpu));
  const parts = [
    ...(added.length > 0 ? [`new: ${added.map(code).join(' ')}`] : []),
    ...(gone.length > 0 ? [`no longer: ${gone.map(code).join(' ')}`] : []),
  ];
  return `🖥️ **GPU types** ${cut(after.map(code).join(' '), 600)}${parts.length > 0 ? ` (${parts.join('; ')})` : ''}`;
}

export function threadEndEmbed(leaderboard: string): APIEmbed {
  return {
    title: cut(`${leaderboard} was deleted`, 256),
    color: colours.waiting,
    description: 'The leaderboard is gone, and nothing more is written here.',
  };
}

const purposes: Record<ChannelPurpose, { title: string; text: string }> = {
  forum: {
    title: 'The forum cannot be used',
    text: 'Each leaderboard has its thread there (`DISCORD_FORUM_CHANNEL_ID`). Give Hotlap *Create Posts* and *Send Messages in Threads* in it, or name another forum and restart. Nothing is lost meanwhile: it is tried again every ten minutes.',
  },
  thread: {
    title: 'The thread of a leaderboard cannot be written to',
    text: 'Unlock it and give Hotlap *Send Messages in Threads*, or delete it: then a new one is made. Until then what changes is not told there; it is tried again every ten minutes.',
  },
  announcements: {
    title: 'An announcement could not be made',
    text: 'Give Hotlap *Send Messages* in the channel, or name another one (`DISCORD_CHANNEL_ID`) and restart. What could not be said there is not said later.',
  },
};

/** To organisers. `words`: what is wrong, a sentence. */
export function channelTroubleEmbed(trouble: {
  channelId: string;
  purpose: ChannelPurpose;
  words: string;
}): APIEmbed {
  const { title, text } = purposes[trouble.purpose];
  return {
    title,
    color: colours.ours,
    description: cut(`<#${trouble.channelId}>: ${plain(trouble.words)}\n${text}`, FIELD_CHARS),
  };
}
