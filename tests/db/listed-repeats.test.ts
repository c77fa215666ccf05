/**
 * What the HTTP API and the website show of a submission that is judged or measured again: the runs that its score comes
 * from, and no others. And why one that passed is not ranked.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fullResult } from '../../src/api/full-result.ts';
import { listExportRows } from '../../src/db/export.ts';
import { listGpuQueues } from '../../src/db/gpu-queues.ts';
import { setSubmissionInvalid, setUserInvalid } from '../../src/db/invalidations.ts';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { storeJobResult } from '../../src/db/results.ts';
import { listGpuTotals } from '../../src/db/stats.ts';
import { findOwnSubmission, listBoardSubmissions, readSubmissionPage } from '../../src/db/submission-list.ts';
import { findSubmissionView, listRuns } from '../../src/db/submissions.ts';
import { beginRejudge, confirmRejudge } from '../../src/intake/rejudge.ts';
import { changeTask, judge, type RejudgeStage, rejudgeOf, rejudgeStage, stricter } from './rejudge-stage.ts';
import { failedWith, leaseJob, makeBoard, makeUser, passedWith, submit } from './scene.ts';

let stage: RejudgeStage;
beforeAll(async () => {
  stage = await rejudgeStage();
});
afterAll(() => stage.drop());

const first = { limit: 10, offset: 0 };

async function listed(userId: string) {
  const [item] = JSON.parse(await readSubmissionPage(stage.sql, { userId, leaderboard: null }, first));
  return item;
}

/** By every way on which somebody looks at runs. */
async function shown(id: number, board: LeaderboardWithTask, userId: string) {
  const { sql } = stage;
  const view = await findSubmissionView(sql, id, true);
  if (!view) throw new Error('the submission is gone');
  const streamed = fullResult(view, await listRuns(sql, id, true));
  const detail = await findOwnSubmission(sql, id, userId);
  return {
    listed: await listed(userId),
    board: (await listBoardSubmissions(sql, board.id, first)).map(({ shownRuns, secretScore, reason }) => ({
      shownRuns,
      secretScore,
      reason,
    })),
    detail: { runs: detail?.runs, gpus: detail?.gpus, failures: detail?.failures, reason: detail?.reason },
    streamed: streamed.results,
    exported: await listExportRows(sql, {
      leaderboardIds: [board.id],
      after: 0,
      submissions: 10,
      secretScores: true,
    }),
    website: await sql`
      select mode, passed, score, result from leaderboard.runs where submission_id = ${id} order by id`,
    totals: await listGpuTotals(sql, { lastDay: true, leaderboardId: board.id }),
  };
}

describe('a submission that is judged and measured again', () => {
  it('shows its own runs until a rejudge is applied, and then those of the rejudge', async () => {
    const { sql, box } = stage;
    const user = makeUser();
    let board = await makeBoard(sql);
    const id = await submit(sql, board, { user });
    await judge(stage, id, passedWith(2));
    const before = await shown(id, board, user.id);
    expect(before.listed.runs.map((run: { score: number | null }) => run.score)).toEqual([null, null, 2]);
    expect(before.detail.runs).toHaveLength(6);
    expect(before.website).toHaveLength(3);

    board = await changeTask(sql, board, stricter);
    const rejudgeId = await rejudgeOf(sql, board);
    await beginRejudge(sql, rejudgeId);
    await sql`
      insert into hotlap.jobs (submission_id, user_id, leaderboard_id, mode, gpu_type, secret, priority, multi_gpu, remeasure)
      select submission_id, user_id, leaderboard_id, mode, gpu_type, secret, 0, multi_gpu, 1
      from hotlap.jobs where submission_id = ${id} and rejudge_id is null and not secret`;
    expect(await shown(id, board, user.id)).toEqual(before);
    // They wait for idle times: nobody is behind them.
    const cpu = (await listGpuQueues(sql)).find((queue) => queue.gpu === 'CPU');
    expect(cpu).toMatchObject({ queued: 0, oldestSeconds: 0 });

    const again = await leaseJob(sql, box.id, { submissionId: id });
    expect(again.remeasure).toBe(1);
    expect(await storeJobResult(sql, again, failedWith('once'), null)).toBe(true);
    await judge(stage, id, passedWith(1), { rejudgeId });
    expect(await shown(id, board, user.id)).toEqual(before);

    await confirmRejudge(sql, rejudgeId, 'organiser');
    const after = await shown(id, board, user.id);
    expect(after.listed).toMatchObject({
      status: 'done',
      reason: null,
      secret_score: 1,
      secret_scores: { CPU: 1 },
    });
    expect(after.listed.runs.map((run: { score: number | null }) => run.score)).toEqual([null, null, 1]);
    expect(after.detail.runs?.map((run) => run.score)).toEqual([null, null, 1, null, null, 1]);
    expect(after.website.map((run) => Number(run.score ?? 0))).toEqual([0, 0, 1]);
    expect(after.exported.map((row) => [row.publicScore, row.secretScore, row.passed])).toEqual([
      [1, 1, true],
    ]);
    expect(after.totals).toEqual(before.totals);
  });
});

describe('a submission that passed and is not ranked', () => {
  it('has the reason in the list, in the detail and in the organisers’ list, and is exported as not ranked', async () => {
    const { sql } = stage;
    const user = makeUser();
    const board = await makeBoard(sql);
    const id = await submit(sql, board, { user });
    await judge(stage, id, passedWith(2));
    const reasons = async () => {
      const { listed: item, detail, board: items, exported } = await shown(id, board, user.id);
      expect([detail.reason, items[0]?.reason]).toEqual([item.reason, item.reason]);
      expect(item.status).toBe('done');
      return [item.reason, exported[0]?.eligible];
    };
    expect(await reasons()).toEqual([null, true]);

    await setSubmissionInvalid(sql, id, { by: 'organiser', reason: 'reads the clock' });
    expect(await reasons()).toEqual(['an organiser has taken this submission out: reads the clock', false]);
    await setSubmissionInvalid(sql, id, null);
    await setUserInvalid(sql, user.id, { by: 'organiser', reason: 'two accounts' });
    expect(await reasons()).toEqual(['an organiser has taken all submissions of this account out', false]);
    await setUserInvalid(sql, user.id, null);
    await sql`update hotlap.submissions set official = false where id = ${id}`;
    expect(await reasons()).toEqual(['it came after the deadline', false]);
    await sql`update hotlap.submissions set official = true where id = ${id}`;

    await sql`update hotlap.leaderboards set ranking = '{"metric": "throughput"}' where id = ${board.id}`;
    await sql`select hotlap.refresh_entries(${board.id}, ${['CPU']}, ${[user.id]})`;
    expect(await reasons()).toEqual(['CPU: the run reported no metric throughput', false]);
  });
});
