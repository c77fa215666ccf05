/** Boards with rules and ranked submissions for the ranking tests, by the product's own functions. */
import { expect } from 'vitest';
import { listBoardEntries } from '../../src/db/board.ts';
import type { Sql } from '../../src/db/client.ts';
import { findLeaderboard, type LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { storeJobResult } from '../../src/db/results.ts';
import { applyRule, draftRule } from '../../src/intake/ranking.ts';
import { outcomeOfJob, passedTests, stageReport, timedBenchmarks } from '../unit/stage-report.ts';
import { leaseJob, makeUser, submit } from './scene.ts';

export type Person = { id: string; name: string };

/** Through the same door as an organiser; throws what is wrong with it. */
export async function setRule(
  sql: Sql,
  board: LeaderboardWithTask,
  rule: object,
): Promise<LeaderboardWithTask> {
  const draft = await draftRule(sql, board.name, JSON.stringify(rule));
  if ('faults' in draft) throw new Error(draft.faults.join('\n'));
  await applyRule(sql, draft);
  const changed = await findLeaderboard(sql, board.name);
  if (!changed) throw new Error('the board is gone');
  return changed;
}

/** A job that passed with these mean times of its benchmarks, and what else it reports. */
export function passedRun(meansS: number[], metrics: Record<string, number> = {}) {
  const means = meansS.map((seconds) => seconds * 1e9);
  const lines = Object.entries(metrics).map(([name, value]) => `metric.${name}: ${value}\n`);
  const ranked = timedBenchmarks(means).replace('check: pass', `${lines.join('')}check: pass`);
  return outcomeOfJob([
    stageReport('test', passedTests(1)),
    stageReport('benchmark', timedBenchmarks(means)),
    stageReport('leaderboard', ranked),
  ]);
}

/** A ranked submission that passed on these GPU types; the score is the first time unless it is given. */
export async function rankedSubmission(
  sql: Sql,
  boxId: number,
  board: LeaderboardWithTask,
  options: {
    user?: Person;
    gpus?: string[];
    meansS?: number[];
    metrics?: Record<string, number>;
    score?: number;
    secretScore?: number;
    code?: string;
  } = {},
): Promise<number> {
  const { user = makeUser(), gpus = ['CPU'], meansS = [1], metrics = {}, code } = options;
  const score = options.score ?? meansS[0] ?? 1;
  const submissionId = await submit(sql, board, { user, gpus, ...(code !== undefined && { code }) });
  for (const gpuType of gpus) {
    for (const secret of [false, true]) {
      const lease = await leaseJob(sql, boxId, { submissionId, gpuType, secret });
      const value = secret ? (options.secretScore ?? score * 2) : score;
      if (!(await storeJobResult(sql, lease, passedRun(meansS, metrics), value)))
        throw new Error('lease lost');
    }
  }
  return submissionId;
}

/** Moves everything that was measured of a submission so far into the past. */
export async function ageMeasurements(sql: Sql, submissionId: number, hours: number): Promise<void> {
  await sql`
    update hotlap.measurements set measured_at = measured_at - make_interval(hours => ${hours})
    where submission_id = ${submissionId}`;
}

/** Moves the whole history of a board into the past, as if nothing had happened since. */
export async function ageHistory(sql: Sql, leaderboardId: number, hours: number): Promise<void> {
  await sql`
    update hotlap.board_history set since = since - make_interval(secs => ${hours * 3600}),
      until = until - make_interval(secs => ${hours * 3600})
    where leaderboard_id = ${leaderboardId}`;
}

export const yesterday = (hours = 24) => new Date(Date.now() - hours * 3_600_000);

/** Rank, submission and shown score of every line of a board. */
export async function boardLines(
  sql: Sql,
  board: LeaderboardWithTask,
  track = 'CPU',
  asOf: Date | null = null,
): Promise<[number, number, number | null][]> {
  const key = { leaderboardId: board.id, gpuType: track };
  const page = await listBoardEntries(sql, key, { limit: 100, offset: 0 }, asOf);
  expect(page.total).toBe(page.entries.length);
  return page.entries.map((entry) => [entry.rank, entry.submissionId, entry.score]);
}
