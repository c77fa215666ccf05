/** A known-good run on each box, while it goes on and at its end. */
import type { APIEmbed } from 'discord-api-types/v10';
import type { Verdict } from '../domain/verify.ts';
import { colours } from './colours.ts';
import { cut, plain } from './markdown.ts';
import { formatSeconds } from './measure.ts';

export interface VerifyRow {
  box: string;
  gpuType: string;
  /** Null: a program on its own. */
  problem: string | null;
  runId: number | null;
  verdict: Verdict;
}

const marks: Record<Verdict['state'], string> = {
  waiting: '⏳',
  running: '▶️',
  ok: '✅',
  failed: '❌',
  'left-out': '➖',
};
const DESCRIPTION_CHARS = 4096;
/** How much is told of each box, from all to its name alone: with many of them less, rather than of the last ones nothing. */
const details = [
  { chars: 400, remedies: true },
  { chars: 150, remedies: true },
  { chars: 80, remedies: false },
  { chars: 0, remedies: false },
];
type Detail = (typeof details)[number];

export function verifyEmbed(rows: VerifyRow[]): APIEmbed {
  const count = (state: Verdict['state']) => rows.filter((row) => row.verdict.state === state).length;
  const isOver = count('waiting') + count('running') === 0;
  const bad = count('failed');
  const texts = details.map((detail) =>
    [...rows.map((row) => line(row, detail)), ...ending(isOver, bad)].join('\n'),
  );
  const fitting = texts.find((text) => text.length <= DESCRIPTION_CHARS) ?? texts.at(-1) ?? '';
  return {
    title: isOver ? overTitle(count('ok'), bad) : 'A known-good run on each box',
    color: isOver ? (bad > 0 ? colours.ours : colours.good) : colours.running,
    description: cut(fitting, DESCRIPTION_CHARS),
  };
}

function overTitle(good: number, bad: number): string {
  if (bad > 0) return good > 0 ? `${bad} failed, ${good} in order` : `${bad} failed`;
  return good > 0 ? `${good} in order` : 'Nothing was run';
}

function ending(isOver: boolean, bad: number): string[] {
  if (!isOver || bad === 0) return [];
  return [
    '',
    '**What to do** `/admin box doctor` looks a box over; `/submissions show` has all that a run wrote.',
  ];
}

function line({ box, gpuType, problem, runId, verdict }: VerifyRow, detail: Detail): string {
  const { state, seconds, meanSeconds, text, remedy } = verdict;
  const told = detail.chars > 0 ? cut(plain(text.replace(/\s+/g, ' ').trim()), detail.chars) : '';
  const isFailed = state === 'failed';
  const beside = [
    gpuType,
    problem === null ? 'program' : plain(problem),
    runId === null ? '' : `#${runId}`,
    seconds === null ? '' : `${formatSeconds(seconds)} in all`,
    meanSeconds === null ? '' : `**${formatSeconds(meanSeconds)}** a call`,
    isFailed ? '' : told,
  ];
  // Of a failure on lines of their own: what it is, and what helps.
  const below = isFailed ? [told, detail.remedies ? remedy : ''] : [];
  const some = (parts: string[]) => parts.filter((part) => part !== '');
  const head = [`${marks[state]} **${plain(box)}**`, ...some(beside)].join(' · ');
  return [head, ...some(below).map((part) => `> ${part}`)].join('\n');
}
