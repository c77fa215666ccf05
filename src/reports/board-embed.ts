/** Leaderboards as embeds: one board, the list of all, and one task. */
import type { APIEmbed } from 'discord-api-types/v10';
import type { BoardEntry } from '../domain/submission.ts';
import type { Task } from '../domain/task.ts';
import { colours } from './colours.ts';
import { code, codeBlock, cut, plain } from './markdown.ts';
import { formatScore, timestamp } from './measure.ts';

export const BOARD_PAGE = 15;

export interface BoardPage {
  leaderboard: string;
  gpuType: string;
  deadline: Date | null;
  scoreAscending: boolean;
  entries: BoardEntry[];
  total: number;
  /** From 0. */
  page: number;
}

const medals = ['🥇', '🥈', '🥉'];

export function boardEmbed(board: BoardPage): APIEmbed {
  const lines = board.entries.map((entry) => {
    const place = medals[entry.rank - 1] ?? `**${entry.rank}.**`;
    return `${place} <@${entry.userId}> **${formatScore(entry.score)}** · #${entry.submissionId}, ${timestamp(entry.achievedAt, 'R')}`;
  });
  const empty = 'Nobody is ranked here yet. `/submit` with mode `ranked` makes you the first.';
  const pages = Math.max(1, Math.ceil(board.total / BOARD_PAGE));
  return {
    title: cut(`${board.leaderboard} · ${board.gpuType}`, 256),
    color: colours.running,
    description: [...deadlineLine(board.deadline), ...(lines.length > 0 ? lines : [empty])].join('\n'),
    footer: {
      text: [
        `${board.total} ranked`,
        `${board.scoreAscending ? 'lower' : 'higher'} is better`,
        ...(pages > 1 ? [`page ${board.page + 1} of ${pages}`] : []),
      ].join(' · '),
    },
  };
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
  return deadline > new Date() ? `until ${timestamp(deadline, 'f')} (${timestamp(deadline, 'R')})` : 'closed';
}

export function taskEmbed(board: {
  name: string;
  deadline: Date | null;
  gpus: string[];
  task: Task;
}): APIEmbed {
  const { task } = board;
  const how = {
    last: 'the last benchmark',
    mean: 'the mean of all benchmarks',
    geom: 'the geometric mean of all benchmarks',
  };
  const cases = (lines: string[]) => codeBlock(cut(lines.join('\n') || 'none', 900), 1000);
  return {
    title: board.name,
    color: colours.running,
    // All parts together may have 6000 characters.
    description: cut(task.description, 3000),
    fields: [
      { name: 'GPU types', value: cut(board.gpus.map(code).join(' '), 300), inline: true },
      { name: 'Deadline', value: deadlineText(board.deadline), inline: true },
      {
        name: 'Score',
        value: `time, ${how[task.rankingBy]}; ${task.scoreAscending ? 'lower' : 'higher'} is better`,
        inline: true,
      },
      { name: `Tests (${task.tests.length})`, value: cases(task.tests) },
      { name: `Benchmarks (${task.benchmarks.length})`, value: cases(task.benchmarks) },
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
    ],
  };
}
