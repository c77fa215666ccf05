/** Leaderboards as embeds: one board, the list of all, and one task. */
import type { APIEmbed, APIEmbedField } from 'discord-api-types/v10';
import { type RankingRule, windowDays, windowNames } from '../domain/ranking-rule.ts';
import type { BoardEntry, RankChange } from '../domain/submission.ts';
import type { Task } from '../domain/task.ts';
import { colours } from './colours.ts';
import { code, codeBlock, cut, plain } from './markdown.ts';
import { formatScore, timestamp } from './measure.ts';
import { rankingHeadline, rankingSentences } from './ranking-words.ts';
import { servingFields } from './serving-fields.ts';

export const BOARD_PAGE = 15;

export interface BoardPage {
  leaderboard: string;
  /** Or another track of the board. */
  gpuType: string;
  deadline: Date | null;
  scoreAscending: boolean;
  rule: RankingRule;
  /** What scores of this track are measured in (domain/ranking-rule.ts). */
  unit: string;
  /** The board as it was then; null: as it is. */
  asOf: Date | null;
  entries: BoardEntry[];
  /** Places gained in the 24 hours before, by user. */
  changes: Map<string, RankChange>;
  total: number;
  /** Of the board's task now. */
  version: number;
  /** Entries of all pages that an earlier version judged by something else. */
  outdated: number;
  /** From 0. */
  page: number;
}

const medals = ['🥇', '🥈', '🥉'];

export function boardEmbed(board: BoardPage): APIEmbed {
  const lines = board.entries.map((entry) => entryLine(board, entry));
  const empty = board.asOf
    ? 'Nobody was ranked here then.'
    : 'Nobody is ranked here yet. `/submit` with mode `ranked` sends an entry; `My place` says what a sent one lacks.';
  const pages = Math.max(1, Math.ceil(board.total / BOARD_PAGE));
  return {
    title: cut(`${board.leaderboard} · ${board.gpuType}`, 256),
    color: colours.running,
    description: [
      ...(board.asOf ? [`As it was ${timestamp(board.asOf, 'f')}.`, ''] : []),
      ...deadlineLine(board.deadline),
      ...versionLine(board),
      ...ruleLines(board),
      ...(lines.length > 0 ? lines : [empty]),
    ].join('\n'),
    footer: {
      text: [
        `${board.total} ranked`,
        `${board.scoreAscending ? 'lower' : 'higher'} is better`,
        ...(showsChanges(board) ? [`▲ ▼ places in the ${board.asOf ? '24 h before' : 'last 24 h'}`] : []),
        ...(board.asOf ? [] : [`version ${board.version} of the task`]),
        ...(pages > 1 ? [`page ${board.page + 1} of ${pages}`] : []),
      ].join(' · '),
    },
  };
}

function entryLine(board: BoardPage, entry: BoardEntry): string {
  const place = medals[entry.rank - 1] ?? `**${entry.rank}.**`;
  const change = showsChanges(board) ? changeText(board.changes.get(entry.userId)) : '';
  return [
    `${place} ${holderText(entry)} **${formatScore(entry.score, board.unit)}**${change}`,
    ...(board.rule.windows && board.unit !== '' ? [windowText(board, entry)] : []),
    `#${entry.submissionId}, ${timestamp(entry.achievedAt, 'R')}`,
    ...(entry.provisional ? ['provisional'] : []),
    ...(entry.oldVersion === null ? [] : [`version ${entry.oldVersion}`]),
  ].join(' · ');
}

/** Of a team: its name, and who made the entry. */
function holderText({ team, userId }: BoardEntry): string {
  return team ? `**${plain(team.name)}** (<@${userId}>)` : `<@${userId}>`;
}

/** On a board that nobody was on a day ago, everybody is new, and it says nothing. */
function showsChanges(board: BoardPage): boolean {
  return [...board.changes.values()].some((change) => change !== 'new');
}

function changeText(change: RankChange | undefined): string {
  if (change === undefined || change === 0) return '';
  if (change === 'new') return ' · new';
  return change > 0 ? ` ▲${change}` : ` ▼${-change}`;
}

function windowText(board: BoardPage, entry: BoardEntry): string {
  return windowNames
    .map((name) => `${windowDays[name]} d ${formatScore(entry[name], board.unit)}`)
    .join(', ');
}

/** What one has to know to read the lines below. */
function ruleLines(board: BoardPage): string[] {
  const lines: string[] = [];
  if (board.rule.score === 'secret')
    lines.push(
      board.rule.metric === undefined && !board.rule.weights && !board.rule.windows && !board.rule.aggregation
        ? 'Ranked by the secret run. The scores below are those of the public one.'
        : 'Ranked by the secret run, whose scores are their owners’ alone.',
    );
  if (board.rule.windows)
    lines.push('Ranked by means over 7, 3 and 1 days; — is a window that is not covered yet.');
  return lines.length > 0 ? [...lines, ''] : [];
}

/** Scores of two versions in one order: said before anybody compares them. */
function versionLine(board: BoardPage): string[] {
  if (board.outdated === 0) return [];
  const entries = `${board.outdated} of ${board.total} ${board.total === 1 ? 'entry' : 'entries'}`;
  return [
    `⚠️ The task has changed: ${entries} ${board.outdated === 1 ? 'was' : 'were'} judged by an earlier version, as marked.`,
    '',
  ];
}

export interface BoardSummary {
  name: string;
  unit: string;
  deadline: Date | null;
  gpus: { gpuType: string; entries: number; bestScore: number | null }[];
}

const LIST_CHARS = 4000;

export function boardListEmbed(boards: BoardSummary[]): APIEmbed {
  const blocks = boards.map((board) => {
    const gpus = board.gpus.map((gpu) =>
      gpu.entries > 0
        ? `${gpu.gpuType}: ${gpu.entries} ranked, best ${formatScore(gpu.bestScore, board.unit)}`
        : `${gpu.gpuType}: nobody yet`,
    );
    const shown =
      gpus.length > 3 && board.gpus.every((gpu) => gpu.entries === 0)
        ? [`${board.gpus.map((gpu) => gpu.gpuType).join(', ')}: nobody yet`]
        : gpus;
    return cut(
      [`**${plain(board.name)}** · ${deadlineText(board.deadline)}`, ...shown].join('\n'),
      LIST_CHARS,
    );
  });
  let text = '';
  let left = blocks.length;
  for (const block of blocks) {
    if (text.length + block.length > LIST_CHARS) break;
    text += `${text === '' ? '' : '\n'}${block}\n`;
    left--;
  }
  const empty = 'There are no leaderboards yet. An organiser adds them with `/admin problems sync`.';
  return {
    title: 'Leaderboards',
    color: colours.running,
    description: text === '' ? empty : text,
    ...(left > 0 && { footer: { text: `and ${left} more: the names come up as you type` } }),
  };
}

/** Problem sets write the year 2100 for "never". */
export function isReal(deadline: Date | null): deadline is Date {
  return deadline !== null && deadline.getUTCFullYear() < 2100;
}

function deadlineLine(deadline: Date | null): string[] {
  if (!isReal(deadline)) return [];
  return [
    deadline > new Date() ? `Open ${deadlineText(deadline)}` : 'Closed: these are the final places',
    '',
  ];
}

function deadlineText(deadline: Date | null): string {
  if (!isReal(deadline)) return 'open';
  const at = `${timestamp(deadline, 'f')} (${timestamp(deadline, 'R')})`;
  return deadline > new Date() ? `until ${at}` : `closed since ${at}`;
}

/** All parts of the embed together may have 6000 characters. */
const STATEMENT_CHARS = 2200;

/** The task as far as an embed holds it; the rest is in the attached files. */
export function taskEmbed(board: {
  name: string;
  deadline: Date | null;
  gpus: string[];
  version: number;
  task: Task;
  rule: RankingRule;
}): APIEmbed {
  const { task, rule } = board;
  return {
    title: board.name,
    color: colours.running,
    description: cut(task.description, STATEMENT_CHARS),
    fields: [
      { name: 'GPU types', value: cut(board.gpus.map(code).join(' '), 300), inline: true },
      { name: 'Deadline', value: deadlineText(board.deadline), inline: true },
      { name: 'Score', value: cut(rankingHeadline(rule, task), 300), inline: true },
      { name: 'How it ranks', value: rankingText(rule, task) },
      ...(task.serving ? servingFields(task.serving) : caseFields(task)),
    ],
    footer: { text: `version ${board.version} of the task` },
  };
}

function caseFields(task: Task): APIEmbedField[] {
  return [
    { name: `Tests (${task.tests.length})`, value: caseBlock(task.tests) },
    { name: `Benchmarks (${task.benchmarks.length})`, value: caseBlock(task.benchmarks) },
    {
      name: 'Limits',
      value: `test ${task.testTimeoutS} s, benchmark ${task.benchmarkTimeoutS} s, ranked ${task.rankedTimeoutS} s`,
      inline: true,
    },
    {
      name: 'Templates',
      value: cut(Object.keys(task.templates).map(code).join(' ') || 'none', 200),
      inline: true,
    },
    {
      name: 'Files of a run, attached',
      value: cut(
        [task.submissionFile, ...Object.keys(task.files)]
          .map((name) => code(name === task.submissionFile ? `${name} (yours)` : name))
          .join(' '),
        400,
      ),
    },
  ];
}

const RULE_CHARS = 900;

/** Whole sentences, as many as fit. */
export function rankingText(rule: RankingRule, task: Task): string {
  const shown: string[] = [];
  for (const sentence of rankingSentences(rule, task)) {
    if ([...shown, sentence].join('\n').length > RULE_CHARS) return [...shown, '…'].join('\n');
    shown.push(sentence);
  }
  return shown.join('\n');
}

const CASE_CHARS = 700;

/** Whole lines, as many as fit, and how many do not. */
function caseBlock(lines: string[]): string {
  if (lines.length === 0) return 'none';
  let shown = 0;
  for (let chars = 0; shown < lines.length; shown++) {
    chars += (lines[shown]?.length ?? 0) + 1;
    if (chars > CASE_CHARS) break;
  }
  const first = shown === 0 ? [cut(lines[0] ?? '', CASE_CHARS)] : lines.slice(0, shown);
  const left = lines.length - first.length;
  const more = left > 0 ? [`and ${left} more in the files`] : [];
  return codeBlock([...first, ...more].join('\n'), 1000);
}
