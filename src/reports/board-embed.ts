/** Leaderboards as embeds: one board, the list of all, and one task. */
import type { APIEmbed, APIEmbedField } from 'discord-api-types/v10';
import type { BoardEntry } from '../domain/submission.ts';
import type { Task } from '../domain/task.ts';
import { colours } from './colours.ts';
import { code, codeBlock, cut, plain } from './markdown.ts';
import { formatScore, timestamp } from './measure.ts';
import { rankingHeadline } from './ranking-words.ts';
import { servingFields } from './serving-fields.ts';

export const BOARD_PAGE = 15;

export interface BoardPage {
  leaderboard: string;
  gpuType: string;
  deadline: Date | null;
  scoreAscending: boolean;
  entries: BoardEntry[];
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
  const lines = board.entries.map((entry) => {
    const place = medals[entry.rank - 1] ?? `**${entry.rank}.**`;
    return `${place} <@${entry.userId}> **${formatScore(entry.score)}** · #${entry.submissionId}, ${timestamp(entry.achievedAt, 'R')}${entry.oldVersion === null ? '' : ` · version ${entry.oldVersion}`}`;
  });
  const empty = 'Nobody is ranked here yet. `/submit` with mode `ranked` makes you the first.';
  const pages = Math.max(1, Math.ceil(board.total / BOARD_PAGE));
  return {
    title: cut(`${board.leaderboard} · ${board.gpuType}`, 256),
    color: colours.running,
    description: [
      ...deadlineLine(board.deadline),
      ...versionLine(board),
      ...(lines.length > 0 ? lines : [empty]),
    ].join('\n'),
    footer: {
      text: [
        `${board.total} ranked`,
        `${board.scoreAscending ? 'lower' : 'higher'} is better`,
        `version ${board.version} of the task`,
        ...(pages > 1 ? [`page ${board.page + 1} of ${pages}`] : []),
      ].join(' · '),
    },
  };
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
  deadline: Date | null;
  gpus: { gpuType: string; entries: number; bestScore: number | null }[];
}

const LIST_CHARS = 4000;

export function boardListEmbed(boards: BoardSummary[]): APIEmbed {
  const blocks = boards.map((board) => {
    const gpus = board.gpus.map((gpu) =>
      gpu.entries > 0
        ? `${gpu.gpuType}: ${gpu.entries} ranked, best ${formatScore(gpu.bestScore)}`
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
function isReal(deadline: Date | null): deadline is Date {
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
const STATEMENT_CHARS = 3000;

/** The task as far as an embed holds it; the rest is in the attached files. */
export function taskEmbed(board: {
  name: string;
  deadline: Date | null;
  gpus: string[];
  version: number;
  task: Task;
}): APIEmbed {
  const { task } = board;
  return {
    title: board.name,
    color: colours.running,
    description: cut(task.description, STATEMENT_CHARS),
    fields: [
      { name: 'GPU types', value: cut(board.gpus.map(code).join(' '), 300), inline: true },
      { name: 'Deadline', value: deadlineText(board.deadline), inline: true },
      { name: 'Score', value: cut(rankingHeadline({}, task), 300), inline: true },
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
