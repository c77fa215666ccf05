/** A board's rule for organisers: as it stands, what is wrong with a new one, and what it would move. */
import type { APIEmbed } from 'discord-api-types/v10';
import { stringify } from 'yaml';
import { type RankingRule, ruleKeys } from '../domain/ranking-rule.ts';
import type { Task } from '../domain/task.ts';
import { colours } from './colours.ts';
import { codeBlock, cut } from './markdown.ts';
import { formatScore } from './measure.ts';
import { rankingSentences } from './ranking-words.ts';

const FIELD = 1024;
const MAX_FAULTS = 12;
const MAX_MOVES = 12;
const MAX_TRACKS = 4;

interface RankedBoard {
  name: string;
  task: Task;
  rule: RankingRule;
}

/** How far a board has moved, by track. */
export interface Move {
  track: string;
  userId: string;
  before: { rank: number; score: number | null } | null;
  after: { rank: number; score: number | null } | null;
}

function ruleText(rule: RankingRule): string {
  return Object.keys(rule).length === 0 ? 'default' : stringify(rule, { flowCollectionPadding: false });
}

function words(rule: RankingRule, task: Task): string {
  return cut(
    rankingSentences(rule, task)
      .map((line) => `• ${line}`)
      .join('\n'),
    3000,
  );
}

export interface DriftLine {
  gpuType: string;
  submissionId: number;
  userName: string;
  first: number;
  latest: number;
  repetitions: number;
  failed: number;
}

export function ruleEmbed(board: RankedBoard, drift: DriftLine[]): APIEmbed {
  const lines = drift.map((item) => {
    const percent = ((item.latest / item.first - 1) * 100).toFixed(1);
    const sign = item.latest >= item.first ? '+' : '';
    const failed = item.failed > 0 ? `, ${item.failed} failed` : '';
    return `#${item.submissionId} on ${item.gpuType}: ${formatScore(item.first)} → ${formatScore(item.latest)} (${sign}${percent} %, ${item.repetitions} times${failed})`;
  });
  return {
    title: cut(`How ${board.name} ranks`, 256),
    color: colours.running,
    description: words(board.rule, board.task),
    fields: [
      { name: 'As data', value: codeBlock(ruleText(board.rule), FIELD) },
      ...(lines.length > 0 ? [{ name: 'Measured again: drift', value: cut(lines.join('\n'), FIELD) }] : []),
      {
        name: 'To change it',
        value: cut(
          `\`/admin leaderboard ranking\` with \`rule\` (YAML or JSON in one line) or \`file\`; \`rule:default\` for the default. You see what would move before anything does. Keys: ${ruleKeys.join(', ')}.`,
          FIELD,
        ),
      },
    ],
  };
}

export function faultsEmbed(board: { name: string }, faults: string[]): APIEmbed {
  const shown = faults.slice(0, MAX_FAULTS).map((fault) => `• ${cut(fault, 400)}`);
  if (faults.length > MAX_FAULTS) shown.push(`and ${faults.length - MAX_FAULTS} more`);
  return {
    title: cut(`The rule does not fit ${board.name}`, 256),
    color: colours.bad,
    description: cut(`Nothing was changed.\n${shown.join('\n')}`, 4096),
  };
}

export function previewEmbed(board: RankedBoard, rule: RankingRule, moves: Move[], unit: string): APIEmbed {
  const tracks = [...new Set(moves.map((move) => move.track))];
  const fields = tracks.slice(0, MAX_TRACKS).map((track) => {
    const all = moves.filter((move) => move.track === track);
    const lines = all.slice(0, MAX_MOVES).map((move) => moveLine(move, unit));
    if (all.length > MAX_MOVES) lines.push(`and ${all.length - MAX_MOVES} more`);
    return {
      name: cut(`${track}: ${all.length} ${all.length === 1 ? 'change' : 'changes'}`, 256),
      value: cut(lines.join('\n'), 700),
    };
  });
  const more = tracks.length > MAX_TRACKS ? `\nand ${tracks.length - MAX_TRACKS} more tracks` : '';
  const summary =
    moves.length === 0
      ? 'Nobody’s place or score changes.'
      : `${new Set(moves.map((move) => move.userId)).size} people are concerned:${more}`;
  return {
    title: cut(`A new rule for ${board.name}?`, 256),
    color: colours.waiting,
    description: `${cut(words(rule, board.task), 2000)}\n\n**What would move** ${summary}`,
    fields,
  };
}

function moveLine(move: Move, unit: string): string {
  const place = (at: Move['before']) => (at === null ? 'not ranked' : `place ${at.rank}`);
  const score = move.after === null ? '' : `, ${formatScore(move.after.score, unit)}`;
  return `<@${move.userId}> ${place(move.before)} → ${place(move.after)}${score}`;
}
