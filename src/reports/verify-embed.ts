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
const MOST_TEXT = 400;
const LEAST_TEXT = 60;

export function verifyEmbed(rows: VerifyRow[]): APIEmbed {
  const count = (state: Verdict['state']) => rows.filter((row) => row.verdict.state === state).length;
  const isOver = count('waiting') + count('running') === 0;
  const bad = count('failed');
  // With many boxes each gets less, rather than the last ones nothing.
  const chars = Math.min(MOST_TEXT, Math.max(LEAST_TEXT, Math.floor(DESCRIPTION_CHARS / rows.length) - 160));
  return {
    title: isOver ? overTitle(count('ok'), bad) : 'A known-good run on each box',
    color: isOver ? (bad > 0 ? colours.ours : colours.good) : colours.running,
    description: cut(
      [...rows.map((row) => line(row, chars)), ...ending(isOver, bad)].join('\n'),
      DESCRIPTION_CHARS,
    ),
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

function line({ box, gpuType, problem, runId, verdict }: VerifyRow, chars: number): string {
  const what = [problem === null ? 'program' : plain(problem), runId === null ? null : `#${runId}`];
  const facts = [gpuType, ...what].filter((part) => part !== null).join(' · ');
  const { state, seconds, meanSeconds, text } = verdict;
  const times = [
    seconds === null ? null : `${formatSeconds(seconds)} in all`,
    meanSeconds === null ? null : `**${formatSeconds(meanSeconds)}** a call`,
  ].filter((part) => part !== null);
  const words = [...times, ...(text === '' ? [] : [cut(plain(text), chars)])].join(', ');
  return `${marks[state]} **${plain(box)}** · ${facts}${words === '' ? '' : ` · ${words}`}`;
}
