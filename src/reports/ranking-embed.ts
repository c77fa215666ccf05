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
/** Of a board that is new. */
const MAX_NEW = 3;
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
    const times = item.repetitions === 1 ? 'once' : `${item.repetitions} times`;
    return `#${item.submissionId} on ${item.gpuType}: ${formatScore(item.first)} → ${formatScore(item.latest)} (${sign}${percent} %, ${times}${failed})`;
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
  // Boards that are there already come first: who moves on them is what one asks.
  const isNew = (track: string) => moves.every((move) => move.track !== track || move.before === null);
  const order = [...tracks.filter((track) => !isNew(track)), ...tracks.filter(isNew)];
  const fields = order.slice(0, MAX_TRACKS).map((track) => {
    const all = moves.filter((move) => move.track === track);
    const lines = all.slice(0, isNew(track) ? MAX_NEW : MAX_MOVES).map((move) => moveLine(move, unit));
    if (all.length > lines.length) lines.push(`and ${all.length - lines.length} more`);
    const what = isNew(track)
      ? `new, ${all.length} ranked`
      : `${all.length} ${all.length === 1 ? 'change' : 'changes'}`;
    return { name: cut(`${track}: ${what}`, 256), value: cut(lines.join('\n'), 700) };
  });
  const left = order.length - fields.length;
  const people = new Set(moves.map((move) => move.userId)).size;
  const summary =
    moves.length === 0
      ? 'Nobody’s place or score changes.'
      : `**What would change** for ${people === 1 ? '1 person' : `${people} people`}${left > 0 ? `, with ${left} more boards than are shown here` : ''}:`;
  return {
    title: cut(`A new rule for ${board.name}?`, 256),
    color: colours.waiting,
    description: `${cut(words(rule, board.task), 2000)}\n\n${summary}`,
    fields,
  };
}

function moveLine(move: Move, unit: string): string {
  const { before, after } = move;
  const who = `<@${move.userId}>`;
  if (after === null) return `${who} place ${before?.rank} → not ranked`;
  const score = formatScore(after.score, / \/ shape \d+$/.test(move.track) ? 's' : unit);
  if (before === null) return `${who} place ${after.rank}, ${score}`;
  if (before.rank === after.rank) return `${who} stays at place ${after.rank}, ${score}`;
  return `${who} place ${before.rank} → place ${after.rank}, ${score}`;
}
