/**
 * The ranking rule in plain loops, for tests alone: what the SQL functions must agree with. Written from the description
 * of the rules (docs/organisers.md), not from the SQL.
 */
import type { RankingRule } from '../../src/domain/ranking-rule.ts';

export interface Measured {
  id: number;
  gpu: string;
  secret: boolean;
  passed: boolean;
  hoursAgo: number;
  score: number | null;
  caseSeconds: number[];
  metrics: Record<string, number>;
  /** Null: of the submission's own job. */
  remeasure: number | null;
}

export interface Review {
  scorer: string;
  judge: string;
  value: number;
  live: boolean;
}

export interface Submitted {
  id: number;
  user: string;
  createdMinute: number;
  invalid: boolean;
  language: string;
  scores: { gpu: string; eligible: boolean; publicScore: number | null; secretScore: number | null }[];
  measured: Measured[];
  reviews: Review[];
}

export interface RandomBoard {
  id: number;
  name: string;
  taskAscending: boolean;
  /** Hours from now; negative: over. Null: none. */
  deadlineHours: number | null;
  rule: RankingRule;
  submissions: Submitted[];
}

/** In no team, or in one of this number, from so many hours ago until the next one begins. */
export interface Stay {
  team: number | null;
  hoursAgo: number;
}

/** Of each user in order; before the first nobody is in a team. */
export type Stays = Map<string, Stay[]>;

export interface Entry {
  user: string;
  team: number | null;
  submission: number;
  score: number;
  keys: number[];
  windows: (number | null)[];
  provisional: boolean;
  runs: number;
  created: number;
  rank: number;
}

export type Tracks = Map<string, Entry[]>;
/** By GPU type: the submissions that beat all before them, in order. */
export type Records = Map<string, number[]>;

const HOURS = { recent: 24, steady: 72, anchor: 168 };

const usable = (value: number | null | undefined): value is number =>
  typeof value === 'number' && Number.isFinite(value) && value > 0;

/** Values that are equal on paper. */
export function same(a: number, b: number): boolean {
  if (!Number.isFinite(a) || !Number.isFinite(b)) return a === b;
  return Math.abs(a - b) <= 1e-10 * Math.max(Math.abs(a), Math.abs(b));
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function valueBy(measured: Measured, rule: RankingRule): number | null {
  if (rule.metric !== undefined) return measured.metrics[rule.metric] ?? null;
  const times = measured.caseSeconds;
  if (rule.aggregation === undefined) return measured.score;
  if (times.length === 0 || !times.every(usable)) return null;
  switch (rule.aggregation) {
    case 'last':
      return times.at(-1) ?? null;
    case 'mean':
      return mean(times);
    case 'geom':
      return times.reduce((product, time) => product * time, 1) ** (1 / times.length);
    case 'weighted': {
      const weights = rule.shapeWeights ?? [];
      if (weights.length !== times.length) return null;
      return times.reduce((sum, time, i) => sum + time * (weights[i] ?? 0), 0);
    }
  }
}

interface Verdict {
  score: number;
  keys: number[];
  windows: (number | null)[];
}

/** What one submission is worth on one GPU type; null: not ranked. */
function verdictOf(
  board: RandomBoard,
  submission: Submitted,
  gpu: string,
  ascending: boolean,
): Verdict | null {
  const { rule } = board;
  const score = submission.scores.find((item) => item.gpu === gpu);
  if (!score?.eligible || submission.invalid) return null;
  const secret = rule.score === 'secret';
  const needsMore =
    rule.metric !== undefined || rule.aggregation !== undefined || rule.windows || rule.weights;
  if (!needsMore) {
    const value = secret ? score.secretScore : score.publicScore;
    return usable(value)
      ? { score: value, keys: [ascending ? value : -value], windows: [null, null, null] }
      : null;
  }

  const momentHoursAgo = Math.max(0, -(board.deadlineHours ?? 1e9));
  const values = submission.measured
    .filter((item) => item.gpu === gpu && item.secret === secret && item.passed)
    .map((item) => ({ ...item, value: valueBy(item, rule) }))
    .filter((item) => usable(item.value)) as (Measured & { value: number })[];
  const newest = (list: (Measured & { value: number })[]) =>
    [...list].sort((a, b) => a.hoursAgo - b.hoursAgo || b.id - a.id)[0]?.value ?? null;
  const latest = rule.windows ? newest(values) : newest(values.filter((item) => item.remeasure === null));
  const first = Math.max(...values.map((item) => item.hoursAgo));
  const windowOf = (hours: number): number | null => {
    if (!(first >= momentHoursAgo + hours)) return null;
    const inside = values.filter(
      (item) => item.hoursAgo >= momentHoursAgo && item.hoursAgo < momentHoursAgo + hours,
    );
    return inside.length > 0 ? mean(inside.map((item) => item.value)) : null;
  };

  const points = pointsOf(board, submission);
  if (points === null) return null;
  const make = (value: number | null): number | null => {
    if (!rule.weights) return value;
    const weight = rule.weights.measured;
    if (weight === undefined) return points;
    if (value === null) return null;
    const reference = rule.reference ?? Number.NaN;
    const lower = rule.direction === undefined ? board.taskAscending : rule.direction === 'lower';
    return points + weight * (lower ? reference / (reference + value) : value / (reference + value));
  };
  const sortable = (value: number | null) =>
    value === null ? Number.POSITIVE_INFINITY : ascending ? value : -value;
  const now = make(latest);
  if (!usable(now)) return null;
  if (!rule.windows) return { score: now, keys: [sortable(now)], windows: [null, null, null] };
  const windows = [HOURS.anchor, HOURS.steady, HOURS.recent].map((hours) => {
    const value = windowOf(hours);
    return value === null ? null : make(value);
  });
  return {
    score: windows.find((value) => value !== null) ?? now,
    keys: [...windows, now].map(sortable),
    windows,
  };
}

/** What judges give, weighed; null where a required scorer has nothing. */
function pointsOf(board: RandomBoard, submission: Submitted): number | null {
  let sum = 0;
  for (const [name, weight] of Object.entries(board.rule.weights ?? {})) {
    if (name === 'measured') continue;
    const given = submission.reviews.filter((item) => item.live && item.scorer === name);
    const scorer = board.rule.scorers?.find((item) => item.name === name);
    if (given.length === 0 && scorer?.required !== false) return null;
    sum += weight * (given.length === 0 ? 0.5 : mean(given.map((item) => item.value)));
  }
  return sum;
}

export function isBoardAscending(board: RandomBoard): boolean {
  if (board.rule.weights) return false;
  return board.rule.direction === undefined ? board.taskAscending : board.rule.direction === 'lower';
}

function compareKeys(a: number[], b: number[]): number {
  for (let i = 0; i < a.length; i++) {
    const [x = 0, y = 0] = [a[i], b[i]];
    if (!same(x, y)) return x < y ? -1 : 1;
  }
  return 0;
}

const inOrder = (a: Entry, b: Entry) =>
  compareKeys(a.keys, b.keys) || a.created - b.created || a.submission - b.submission;

/** The team for which somebody's entries count on a board: the one of its deadline, or of now while that is to come. */
function teamOn(board: RandomBoard, user: string, stays: Stays): number | null {
  const deadlineHoursAgo = -(board.deadlineHours ?? 1e9);
  return stays.get(user)?.findLast((stay) => stay.hoursAgo >= deadlineHoursAgo)?.team ?? null;
}

const partyOf = (entry: Pick<Entry, 'user' | 'team'>) => entry.team ?? entry.user;

/** The best of each team and of each user without, in order, with ranks. */
function rankAll(candidates: Entry[]): Entry[] {
  const best = new Map<string | number, Entry>();
  for (const entry of candidates) {
    const known = best.get(partyOf(entry));
    if (!known || inOrder(entry, known) < 0) best.set(partyOf(entry), entry);
  }
  const sorted = [...best.values()].sort(inOrder);
  return sorted.map((entry) => ({
    ...entry,
    rank: 1 + sorted.filter((other) => compareKeys(other.keys, entry.keys) < 0).length,
  }));
}

/** Every track of every board but the composites. */
function rankBoard(
  board: RandomBoard,
  gpus: string[],
  { invalidUsers, stays }: { invalidUsers: Set<string>; stays: Stays },
  shapeCount: number,
): { tracks: Tracks; records: Records } {
  const tracks: Tracks = new Map();
  const records: Records = new Map();
  const ascending = isBoardAscending(board);
  const secret = board.rule.score === 'secret';
  for (const gpu of gpus) {
    const main: Entry[] = [];
    const languages = new Map<string, Entry[]>();
    const shapes = new Map<number, Entry[]>();
    for (const submission of board.submissions) {
      if (invalidUsers.has(submission.user)) continue;
      const verdict = verdictOf(board, submission, gpu, ascending);
      if (!verdict) continue;
      const { user } = submission;
      const team = teamOn(board, user, stays);
      const isOurs = (other: string) =>
        team === null ? other === user : teamOn(board, other, stays) === team;
      const runs = board.submissions
        .filter((item) => isOurs(item.user) && !item.invalid)
        .flatMap((item) => item.measured)
        .filter((item) => item.gpu === gpu && item.secret === secret && item.passed).length;
      const entry: Entry = {
        user,
        team,
        submission: submission.id,
        ...verdict,
        provisional: board.rule.minimumRuns !== undefined && runs < board.rule.minimumRuns,
        runs: board.rule.minimumRuns === undefined ? 0 : runs,
        created: submission.createdMinute,
        rank: 0,
      };
      main.push(entry);
      const aside = { ...entry, provisional: false, runs: 0 };
      if (board.rule.categories?.includes('language')) {
        languages.set(submission.language, [...(languages.get(submission.language) ?? []), aside]);
      }
      if (!board.rule.categories?.includes('shape')) continue;
      const own = submission.measured
        .filter(
          (item) => item.gpu === gpu && item.secret === secret && item.passed && item.remeasure === null,
        )
        .sort((a, b) => a.hoursAgo - b.hoursAgo || b.id - a.id)[0];
      if (own?.caseSeconds.length !== shapeCount) continue;
      for (const [index, seconds] of own.caseSeconds.entries()) {
        if (!usable(seconds)) continue;
        const shaped = { ...aside, score: seconds, keys: [seconds], windows: [null, null, null] };
        shapes.set(index + 1, [...(shapes.get(index + 1) ?? []), shaped]);
      }
    }
    tracks.set(gpu, rankAll(main));
    records.set(gpu, board.rule.windows ? [] : recordsOf(main));
    for (const [language, list] of languages) tracks.set(`${gpu} / ${language}`, rankAll(list));
    for (const [shape, list] of shapes) tracks.set(`${gpu} / shape ${shape}`, rankAll(list));
  }
  return { tracks, records };
}

function recordsOf(entries: Entry[]): number[] {
  const line: Entry[] = [];
  for (const entry of [...entries].sort((a, b) => a.created - b.created || a.submission - b.submission)) {
    const best = line.at(-1);
    if (!best || compareKeys(entry.keys, best.keys) < 0) line.push(entry);
  }
  return line.map((entry) => entry.submission);
}

/** All boards with their composites, by board id. Tracks without entries are left out. */
export function referenceRanking(
  contest: { boards: RandomBoard[]; invalidUsers: Set<string>; stays: Stays },
  gpus: string[],
  shapeCount: number,
): { ranked: Map<number, Tracks>; records: Map<number, Records> } {
  const { boards, stays } = contest;
  const made = boards.map((board) => ({ id: board.id, ...rankBoard(board, gpus, contest, shapeCount) }));
  const ranked = new Map(made.map(({ id, tracks }) => [id, tracks]));
  const records = new Map(made.map((item) => [item.id, item.records]));
  const composites: [number, string, Entry[]][] = [];
  for (const board of boards) {
    for (const composite of board.rule.composites ?? []) {
      const members = composite.members.map((member) => {
        const host = boards.find((item) => item.name === (member.leaderboard ?? board.name));
        const found = (host && ranked.get(host.id)?.get(member.gpu)) ?? [];
        // In the order of their board: the first of a team is its best.
        const entries = found.map((entry) => ({ ...entry, team: teamOn(board, entry.user, stays) }));
        return { weight: member.weight, entries, ascending: host ? isBoardAscending(host) : true };
      });
      const parties = new Set(members[0]?.entries.map(partyOf));
      const list: Entry[] = [];
      for (const party of parties) {
        const parts = members.map((member) => member.entries.find((entry) => partyOf(entry) === party));
        if (parts.some((part) => part === undefined)) continue;
        const present = parts as Entry[];
        const weights = members.map((member) => member.weight);
        const score =
          composite.combine === 'geom'
            ? present.reduce((product, part, i) => product * part.score ** (weights[i] ?? 0), 1)
            : present.reduce((sum, part, i) => sum + part.score * (weights[i] ?? 0), 0);
        const last = [...present].sort(
          (a, b) => b.created - a.created || b.submission - a.submission,
        )[0] as Entry;
        list.push({
          user: last.user,
          team: last.team,
          submission: last.submission,
          score,
          keys: [members[0]?.ascending ? score : -score],
          windows: [null, null, null],
          provisional: present.some((part) => part.provisional),
          runs: Math.min(...present.map((part) => part.runs)),
          created: last.created,
          rank: 0,
        });
      }
      composites.push([board.id, composite.name, rankAll(list)]);
    }
  }
  for (const [id, name, entries] of composites) ranked.get(id)?.set(name, entries);
  for (const tracks of ranked.values()) {
    for (const [track, entries] of tracks) if (entries.length === 0) tracks.delete(track);
  }
  return { ranked, records };
}
