/**
 * A rejudge as organisers see it, with old and new places and scores beside each other. Where a board ranks by the
 * secret score these are secret: only for ephemeral answers. The notice alone has no score in it.
 */
import type { APIEmbed } from 'discord-api-types/v10';
import {
  isChange,
  movesRank,
  type PlaceChange,
  type RejudgeEntry,
  type RejudgeView,
  scopeText,
} from '../domain/rejudge.ts';
import { colours } from './colours.ts';
import { codeBlock, cut, plain } from './markdown.ts';
import { formatDuration, formatScore, timestamp } from './measure.ts';

/** For all tables of an embed together, headings not counted. */
const TABLE_CHARS = 3000;
const NAME_CHARS = 16;
const REASON_CHARS = 26;

export interface RejudgeReport {
  rejudge: RejudgeView;
  /** Before and after, or so far; empty while nothing has run. */
  changes: PlaceChange[];
  entries: RejudgeEntry[];
  /** Of box time, while it is only planned; null: nothing is known. */
  estimateSeconds: number | null;
}

export function rejudgeEmbed(report: RejudgeReport): APIEmbed {
  const { rejudge } = report;
  const { title, colour } = headline(rejudge);
  return {
    title: cut(title, 256),
    color: colour,
    description: [...facts(report), '', ...tables(report)].join('\n').trimEnd(),
  };
}

function headline(rejudge: RejudgeView): { title: string; colour: number } {
  const name = `Rejudge #${rejudge.id} of ${rejudge.leaderboard}`;
  const done = rejudge.jobs - rejudge.openJobs;
  switch (rejudge.status) {
    case 'planned':
      return { title: `${name}: start it?`, colour: colours.waiting };
    case 'running':
      return { title: `${name}: ${done} of ${rejudge.jobs} jobs done`, colour: colours.running };
    case 'ready':
      return { title: `${name}: apply it?`, colour: colours.ours };
    case 'applied':
      return { title: `${name} was applied`, colour: colours.good };
    case 'cancelled':
      return { title: `${name} was cancelled`, colour: colours.waiting };
  }
}

function facts(report: RejudgeReport): string[] {
  const { rejudge, changes, estimateSeconds } = report;
  const submissions = count(rejudge.submissions, 'submission');
  if (rejudge.status === 'planned') {
    const jobs = count(2 * rejudge.entries, 'job');
    const time =
      estimateSeconds === null ? '' : `, about ${formatDuration(1000 * estimateSeconds)} of box time`;
    return [
      `**${submissions}** would be judged again by **version ${rejudge.version}** of the task: ${jobs}${time}. They run when nobody else waits for the boxes.`,
      `It is for ${asked(rejudge)}`,
      'The board stays as it is until you have seen the result and applied it.',
    ];
  }
  const lines = [
    `**${submissions}** judged again by **version ${rejudge.version}** of the task: ${asked(rejudge)}`,
  ];
  if (rejudge.status === 'running' && rejudge.judged === 0)
    return [...lines, 'None of them has a new verdict yet. The board is as it was.'];
  if (rejudge.status === 'running')
    lines.push('So far it would change this. The board is as it was, and all of it may still move.');
  if (rejudge.status === 'ready') lines.push('**Nothing has changed yet.** This is what applying it does:');
  if (rejudge.status === 'applied')
    lines.push(
      `Applied ${timestamp(rejudge.endedAt ?? rejudge.createdAt, 'R')}. The earlier runs and scores are kept.`,
    );
  if (rejudge.status === 'cancelled') lines.push('The board is as it was.');
  if (!rejudge.isCurrent && ['running', 'ready'].includes(rejudge.status))
    lines.push(
      '⚠️ The task has changed again since: this can no longer be applied. Cancel it and start a new one.',
    );
  const left = rejudge.entries - rejudge.judged;
  if (['ready', 'applied'].includes(rejudge.status) && left > 0)
    lines.push(`⚠️ ${count(left, 'run')} failed by our fault: there the earlier verdict stays.`);
  if (changes.length > 0) lines.push(summary(changes));
  return lines;
}

function asked({ scope, requestedBy, createdAt }: RejudgeView): string {
  return `${scopeText(scope, mention)}, asked for by ${mention(requestedBy)} ${timestamp(createdAt, 'R')}.`;
}

/** An account of Discord, or the name of a door that has none. */
function mention(user: string): string {
  return /^\d+$/.test(user) ? `<@${user}>` : plain(user);
}

function summary(changes: PlaceChange[]): string {
  const moved = changes.filter((change) => change.before && change.after && movesRank(change)).length;
  const lost = changes.filter((change) => change.before && !change.after).length;
  const won = changes.filter((change) => !change.before && change.after).length;
  const parts = [
    `**${moved}** of ${count(changes.length, 'place')} ${moved === 1 ? 'moves' : 'move'}`,
    ...(lost > 0 ? [`**${lost}** ${lost === 1 ? 'is' : 'are'} lost`] : []),
    ...(won > 0 ? [`**${won}** ${won === 1 ? 'is' : 'are'} new`] : []),
  ];
  return `${parts.join(', ')}.`;
}

function tables(report: RejudgeReport): string[] {
  const { rejudge } = report;
  if (rejudge.status === 'running' && rejudge.judged === 0) return [];
  const gpus = [...new Set(report.changes.map((change) => change.gpuType))];
  const room = Math.floor(TABLE_CHARS / Math.max(1, gpus.length));
  return gpus.flatMap((gpu) => {
    const all = report.changes.filter((change) => change.gpuType === gpu);
    const shown = all.filter(isChange);
    if (shown.length === 0) return [`**${plain(gpu)}**: no place and no score changes.`];
    return [
      `**${plain(gpu)}**`,
      table(shown, report.entries, room),
      ...(all.length > shown.length
        ? [`${count(all.length - shown.length, 'entry', 'entries')} as before.`]
        : []),
    ];
  });
}

/** Those who move first get a line, should there not be room for all. */
function table(changes: PlaceChange[], entries: RejudgeEntry[], chars: number): string {
  const head = row(['place', 'who', 'before', 'after']);
  const lines = changes.map((change) => ({ change, text: changeLine(change, entries) }));
  const width = Math.max(...lines.map((line) => line.text.length)) + 1;
  const most = Math.max(1, Math.floor((chars - head.length - 40) / width));
  const kept = new Set(
    [...lines].sort((a, b) => Number(movesRank(b.change)) - Number(movesRank(a.change))).slice(0, most),
  );
  const left = lines.length - kept.size;
  const text = [head, ...lines.filter((line) => kept.has(line)).map((line) => line.text)];
  if (left > 0) text.push(`and ${left} more in the file`);
  return codeBlock(text.join('\n'), chars + 60);
}

function row([place = '', who = '', before = '', after = '']: string[]): string {
  return `${`${place} `.padEnd(12)}${who.padEnd(NAME_CHARS + 1)}${before.padStart(9)}  ${after}`.trimEnd();
}

function changeLine(change: PlaceChange, entries: RejudgeEntry[]): string {
  const { before, after, gpuType } = change;
  const entry = entries.find(
    (item) => item.submissionId === before?.submissionId && item.gpuType === gpuType,
  );
  const reason = after === null ? cut(entry?.after?.reason ?? 'not ranked', REASON_CHARS) : '';
  const percent =
    before && after && before.score !== after.score
      ? ` ${signed((100 * (after.score - before.score)) / Math.abs(before.score))}`
      : '';
  return row([
    placeText(change),
    cut(change.userName.replace(/\s+/g, ' '), NAME_CHARS),
    formatScore(before?.score ?? null),
    after === null ? reason : `${formatScore(after.score).padStart(9)}${percent}`,
  ]);
}

function placeText({ before, after }: PlaceChange): string {
  const text = `${before?.rank ?? '–'} → ${after?.rank ?? '–'}`;
  const mark =
    !before || !after ? '' : after.rank < before.rank ? ' ▲' : after.rank > before.rank ? ' ▼' : '';
  return text + mark;
}

function signed(percent: number): string {
  if (!Number.isFinite(percent)) return '';
  const text = Math.abs(percent).toFixed(Math.abs(percent) < 10 ? 1 : 0);
  return `${percent < 0 ? '−' : '+'}${text} %`;
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** For a channel that several read: numbers of places, no score. */
export function rejudgeNoticeEmbed(rejudge: RejudgeView, changes: PlaceChange[]): APIEmbed {
  return {
    title: cut(`Rejudge #${rejudge.id} of ${rejudge.leaderboard} has run`, 256),
    color: colours.ours,
    description: [
      summary(changes),
      `Nothing has changed yet: \`/admin rejudge show id:${rejudge.id}\` shows old and new beside each other, and applies it.`,
    ].join('\n'),
  };
}

const marks: Record<RejudgeView['status'], string> = {
  planned: '📝',
  running: '▶️',
  ready: '⚖️',
  applied: '✅',
  cancelled: '🚫',
};

export function rejudgeListEmbed(rejudges: RejudgeView[]): APIEmbed {
  const lines = rejudges.map((rejudge) => {
    const progress =
      rejudge.status === 'running' ? `, ${rejudge.jobs - rejudge.openJobs} of ${rejudge.jobs} jobs done` : '';
    return `${marks[rejudge.status]} **#${rejudge.id}** ${plain(rejudge.leaderboard)} · version ${rejudge.version} · ${count(rejudge.submissions, 'submission')} · ${rejudge.status}${progress} · ${timestamp(rejudge.createdAt, 'R')}`;
  });
  return {
    title: 'Rejudges',
    color: colours.running,
    description: cut(lines.join('\n') || 'There is none yet: `/admin rejudge start`.', 4096),
  };
}
