/** One board through every door: who stands where is the same everywhere, and nobody's secret scores are in any of it. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { listBoardEntries } from '../../src/db/board.ts';
import type { Sql } from '../../src/db/client.ts';
import { findRankedBoard, setRankingRule } from '../../src/db/ranking.ts';
import { isRankable } from '../../src/domain/rank.ts';
import { GPUS, type RandomContest, randomContest, writeContest } from '../db/random-boards.ts';
import { boardQuery } from '../db/website-queries.ts';
import type { ApiClient } from '../support/api-client.ts';
import { type ApiStage, apiStage, withoutScheduler } from '../support/api-stage.ts';
import { type Json, type Query, reportPath } from './report-scene.ts';

const BOARDS = 20;
/** Added to everything that secret runs measured, and in no other number. */
const MARK = 0.000_000_731;
const marked = /\.\d*00073[01]/;

let stage: ApiStage;
let contest: RandomContest;
/** Somebody who has sent nothing; another one for each board, because nobody may ask too often. */
let outsider: ApiClient;
beforeAll(async () => {
  stage = await apiStage({ env: withoutScheduler });
  [contest] = fc.sample(randomContest(BOARDS), { numRuns: 1, seed: 77 }) as [RandomContest];
  for (const submission of contest.boards.flatMap((board) => board.submissions)) markSecrets(submission);
  await writeWithRuns(stage.running.app.sql, contest);
});
afterAll(() => stage.stop());

function markSecrets({ scores, measured }: RandomContest['boards'][number]['submissions'][number]): void {
  for (const score of scores) {
    score.eligible &&= isRankable(score.publicScore) && isRankable(score.secretScore);
    score.publicScore = isRankable(score.publicScore) ? score.publicScore : null;
    score.secretScore = isRankable(score.secretScore) ? score.secretScore + MARK : null;
  }
  for (const run of measured.filter((item) => item.secret)) {
    run.score = run.score === null ? null : run.score + MARK;
    run.caseSeconds = run.caseSeconds.map((seconds) => seconds + MARK);
  }
}

async function writeWithRuns(sql: Sql, { boards, ...rest }: RandomContest): Promise<void> {
  await sql.begin(async (tx) => {
    await writeContest(tx, { boards, ...rest });
    const ids = boards.map((board) => board.id);
    await tx`
      insert into hotlap.jobs (submission_id, user_id, leaderboard_id, mode, gpu_type, secret, status, priority, passed, score,
        started_at, finished_at)
      select s.id, s.user_id, s.leaderboard_id, s.mode, sc.gpu_type, secret, 'finished', 1, true,
        case when secret then sc.secret_score else sc.public_score end, now(), now()
      from hotlap.submissions s join hotlap.submission_scores sc on sc.submission_id = s.id
      cross join (values (true), (false)) runs (secret) where s.leaderboard_id = any(${ids})`;
    await tx`
      insert into hotlap.runs (job_id, submission_id, gpu_type, secret, stage, mode, passed, score, started_at, finished_at,
        result, stdout, stderr, system, sandbox)
      select id, submission_id, gpu_type, secret, mode, mode, true, score, now(), now(), '[]', '', '', '{}', 'none'
      from hotlap.jobs where leaderboard_id = any(${ids})`;
    for (const { name, rule } of boards) {
      const board = await findRankedBoard(tx, name);
      if (board) await setRankingRule(tx, board, rule);
    }
  });
}

async function get(path: string): Promise<Json> {
  const answer = await outsider.get(path);
  expect([path, answer.status, answer.text]).toEqual([path, 200, expect.not.stringMatching(marked)]);
  return answer.json();
}

const report = (name: string, query: Query) => get(reportPath(name, query));
const lineOf = (entry: Json) => [entry.rank, entry.submission_id, entry.user_id, entry.score];

it('shows the same order at every door', async () => {
  let seen = 0;
  for (const { id, name: leaderboard } of contest.boards) {
    outsider = await stage.person(`reader of ${leaderboard}`);
    const { tracks } = await report('leaderboard', { leaderboard });
    for (const track of tracks as string[]) {
      const whole = await report('leaderboard', { leaderboard, track });
      const lines = whole.entries.map(lineOf);
      seen += lines.length;
      expect(whole.total).toBe(lines.length);
      const key = { leaderboardId: id, gpuType: track };
      const { entries } = await listBoardEntries(stage.running.app.sql, key, { limit: 50, offset: 0 });
      expect(entries.map((e) => [e.rank, e.submissionId, e.userId, e.score])).toEqual(lines);
      const first = await report('leaderboard', { leaderboard, track, limit: 2 });
      const cursor = first.next_cursor as string | null;
      const rest = cursor
        ? (await report('leaderboard', { leaderboard, track, limit: 2, cursor })).entries
        : [];
      expect([...first.entries, ...rest].map(lineOf)).toEqual(lines.slice(0, 4));
      const others = (await report('leaderboard', { leaderboard, track, standing: 'not-ranked' })).entries;
      for (const other of others) {
        expect(other.reason.next).not.toBe('');
        expect(whole.entries.some((entry: Json) => entry.user_id === other.user_id)).toBe(false);
      }
    }
    const [web] = await stage.running.app.sql.unsafe(boardQuery, [id]);
    for (const gpu of GPUS) {
      const { entries, ...track } = await report('leaderboard', { leaderboard, track: gpu });
      const listed = await get(`/submissions/${leaderboard}/${gpu}`);
      expect(listed.map((e: Json) => lineOf({ ...e, score: e.submission_score }))).toEqual(
        entries.map(lineOf),
      );
      const isTime = track.unit === 's' && track.lower_is_better && !track.ranked_by_windows;
      if (!isTime || entries.some((entry: Json) => entry.score === null)) continue;
      const shown = (web?.board.rankings?.[gpu] ?? []).map((line: Json) => Number(line.score.toPrecision(9)));
      const isSecret = contest.boards.find((board) => board.id === id)?.rule.score === 'secret';
      expect(shown).toEqual(isSecret ? [] : entries.map((e: Json) => Number(e.score.toPrecision(9))));
    }
  }
  // There was something to compare.
  expect(seen).toBeGreaterThan(20);
}, 60_000);

it('has no secret score in what anybody may read of entries and runs', async () => {
  let known = 0;
  for (const { name: leaderboard, submissions } of contest.boards) {
    outsider = await stage.person(`other reader of ${leaderboard}`);
    for (const gpu of GPUS) {
      await report('models', { leaderboard, gpu });
      const full = await stage.admin.get(reportPath('models', { leaderboard, gpu }));
      known += Number(marked.test(full.text));
    }
    const { total, items } = await get(`/runs?leaderboard=${leaderboard}`);
    expect([total, items.length]).toEqual([submissions.length, submissions.length]);
    for (const { id } of submissions.slice(0, 3)) {
      for (const part of [`reports/models/${id}/stats`, `reports/predictions?id=${id}`, `runs/${id}`])
        await get(`/${part}`);
    }
  }
  // Organisers see them, so that they would be found.
  expect(known).toBeGreaterThan(5);
}, 60_000);
