/** What the tests of reports do on a running API: ranked and failing submissions, observations, questions. */
import { expect } from 'vitest';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { refreshEntries } from '../../src/db/ranking.ts';
import { storeJobResult } from '../../src/db/results.ts';
import type { Outcome } from '../../src/domain/outcome.ts';
import { type Person, rankedSubmission } from '../db/ranking-scene.ts';
import { failedWith, leaseJob, makeBox, submit } from '../db/scene.ts';
import type { ApiClient } from '../support/api-client.ts';
import type { ApiStage } from '../support/api-stage.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers are foreign JSON
export type Json = any;
export type Query = Record<string, string | number>;

export const ago = (hours: number) => new Date(Date.now() - hours * 3_600_000);

export const reportPath = (report: string, query: Query) =>
  `/reports/${report}?${Object.entries(query)
    .map(([key, value]) => `${key}=${encodeURIComponent(value)}`)
    .join('&')}`;

/** `stage`: asked when something is done, because it starts after this was called. */
export function reportScene(stage: () => ApiStage) {
  const sql = () => stage().running.app.sql;
  let box: Promise<number> | null = null;
  const boxId = () => {
    box ??= makeBox(sql(), ['CPU', 'H100']).then((row) => row.id);
    return box;
  };
  const answer = async (report: string, query: Query = {}, client?: ApiClient): Promise<Json> => {
    const got = await (client ?? stage().anyone).get(reportPath(report, query));
    expect([got.status, got.text]).toEqual([200, expect.anything()]);
    return got.json();
  };
  /** One job of a submission ends like this. */
  const end = async (submissionId: number, secret: boolean, outcome: Outcome, score: number | null) => {
    const lease = await leaseJob(sql(), await boxId(), { submissionId, secret });
    if (!(await storeJobResult(sql(), lease, outcome, score))) throw new Error('lease lost');
  };
  return {
    sql,
    answer,
    end,
    board: (of: LeaderboardWithTask, query: Query = {}, client?: ApiClient) =>
      answer('leaderboard', { leaderboard: of.name, ...query }, client),
    ranked: async (of: LeaderboardWithTask, options: Parameters<typeof rankedSubmission>[3] = {}) =>
      rankedSubmission(sql(), await boxId(), of, options),
    rerank: (of: LeaderboardWithTask) =>
      refreshEntries(sql(), { leaderboardId: of.id, gpuTypes: null, userIds: null }),
    /** A public run that did not pass; it says so in these words. */
    failed: async (of: LeaderboardWithTask, user: Person, words = 'wrong') => {
      const submissionId = await submit(sql(), of, { user });
      await end(submissionId, false, failedWith(words), null);
      return submissionId;
    },
    /** Another observation, as a repetition leaves it. */
    observe: (submissionId: number, score: number, at: Date, metrics = {}) => sql()`
      insert into hotlap.measurements (submission_id, leaderboard_id, user_id, gpu_type, secret, task_version_id, remeasure,
        passed, score, case_seconds, metrics, measured_at)
      select submission_id, leaderboard_id, user_id, gpu_type, false, task_version_id, 1, true, ${score},
        array[${score}::float8], ${sql().json(metrics)}, ${at}
      from hotlap.measurements where submission_id = ${submissionId} and not secret and remeasure is null`,
  };
}
