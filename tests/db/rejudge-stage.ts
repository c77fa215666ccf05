/** A database with a box, and what the tests of judging again do on it. */
import { listBoardEntries } from '../../src/db/board.ts';
import type { BoxRow } from '../../src/db/boxes.ts';
import type { Sql } from '../../src/db/client.ts';
import {
  findLeaderboard,
  type LeaderboardWithTask,
  saveLeaderboard,
  storeTaskVersion,
} from '../../src/db/leaderboards.ts';
import { storeJobResult } from '../../src/db/results.ts';
import type { Outcome } from '../../src/domain/outcome.ts';
import { leaderboardScore } from '../../src/domain/score.ts';
import { type Task, taskHash } from '../../src/domain/task.ts';
import { type RejudgeWish, requestRejudge } from '../../src/intake/rejudge.ts';
import { testDatabase } from '../support/database.ts';
import { leaseJob, makeBox, plainTask } from './scene.ts';

export const ORGANISER = 'organiser';

/** Another tolerance, as a file of the run has it. */
export const stricter: Partial<Task> = { files: { 'eval.py': 'evaluate(tolerance=1e-6)' } };

export interface RejudgeStage {
  sql: Sql;
  box: BoxRow;
  drop(): Promise<void>;
}

export async function rejudgeStage(): Promise<RejudgeStage> {
  const { sql, drop } = await testDatabase({ maxConnections: 12 });
  return { sql, drop, box: await makeBox(sql, ['CPU', 'GPU']) };
}

/** Runs both jobs of a submission, its own or those of a rejudge. A public failure ends the secret one. */
export async function judge(
  { sql, box }: Pick<RejudgeStage, 'sql' | 'box'>,
  submissionId: number,
  outcome: Outcome,
  options: { rejudgeId?: number; gpuType?: string } = {},
): Promise<void> {
  for (const secret of [false, true]) {
    const lease = await leaseJob(sql, box.id, { submissionId, secret, ...options });
    const stored = await storeJobResult(sql, lease, outcome, leaderboardScore(outcome, plainTask));
    if (!stored) throw new Error('the result was not stored');
    if (!outcome.passed) return;
  }
}

/** Another version of the board's task. */
export async function changeTask(
  sql: Sql,
  board: LeaderboardWithTask,
  change: Partial<Task>,
): Promise<LeaderboardWithTask> {
  const task = { ...board.task, ...change };
  const taskVersionId = await storeTaskVersion(sql, taskHash(task), task);
  await saveLeaderboard(sql, { ...board, directory: 'set/x', taskVersionId });
  const changed = await findLeaderboard(sql, board.name);
  if (!changed) throw new Error('the board is gone');
  return changed;
}

/** Planned, not started. */
export function rejudgeOf(
  sql: Sql,
  board: LeaderboardWithTask,
  wish: Partial<RejudgeWish> = {},
): Promise<number> {
  const all = { leaderboard: board.name, top: null, userId: null, since: null, outdatedOnly: false };
  return requestRejudge(sql, { ...all, ...wish }, ORGANISER);
}

/** Rank, submission and score of every line. */
export async function boardOf(sql: Sql, board: LeaderboardWithTask): Promise<[number, number, number][]> {
  const key = { leaderboardId: board.id, gpuType: 'CPU', scoreAscending: board.scoreAscending };
  const page = await listBoardEntries(sql, key, { limit: 100, offset: 0 });
  // The geometric mean of one number may differ from it in the last digit.
  return page.entries.map((entry) => [entry.rank, entry.submissionId, Number(entry.score?.toPrecision(9))]);
}

/** Everything that anybody can see of a board and its submissions, and everything that is kept of them. */
export async function stateOf(sql: Sql, board: LeaderboardWithTask) {
  const own = sql`submission_id in (select id from hotlap.submissions where leaderboard_id = ${board.id})`;
  return {
    entries:
      await sql`select * from hotlap.best_entries where leaderboard_id = ${board.id} order by gpu_type, user_id`,
    submissions: await sql`select * from hotlap.submissions where leaderboard_id = ${board.id} order by id`,
    scores: await sql`select * from hotlap.submission_scores where ${own} order by submission_id, gpu_type`,
    jobs: await sql`select * from hotlap.jobs where ${own} and rejudge_id is null order by id`,
    // Which of a submission's runs count is no part of what they were.
    runs: await sql`
      select to_jsonb(r) - 'counts' as run from hotlap.runs r join hotlap.jobs j on j.id = r.job_id
      where j.leaderboard_id = ${board.id} and j.rejudge_id is null order by r.id`,
    owed: await sql`select dedupe_key from hotlap.outbox where ${own} order by id`,
  };
}
