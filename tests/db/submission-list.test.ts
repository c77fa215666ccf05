/** What the HTTP API lists: kept columns against raw runs, and pages of boards in both directions. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { entryBody } from '../../src/api/routes/boards.ts';
import { listItem } from '../../src/api/submission-bodies.ts';
import { listBoardEntries, listBoardPage } from '../../src/db/board.ts';
import { readBoardPage } from '../../src/db/board-page.ts';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { storeBoxFailure, storeJobResult } from '../../src/db/results.ts';
import { findOwnSubmission, readSubmissionPage } from '../../src/db/submission-list.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { failedWith, leaseJob, makeBoard, makeBox, makeUser, passedIn, passedWith, submit } from './scene.ts';

let database: TestDatabase;
let boxId: number;
beforeAll(async () => {
  database = await testDatabase();
  boxId = (await makeBox(database.sql, ['none'])).id;
});
afterAll(() => database.drop());

type Verdict = 'passed' | 'failed' | 'box-failed' | 'open';
type Part = { gpuType: string; secret: boolean; verdict: Verdict; seconds: number };

async function end(submissionId: number, { gpuType, secret, verdict, seconds }: Part): Promise<void> {
  if (verdict === 'open') return;
  const { sql } = database;
  // A secret job whose public one failed is cancelled already.
  const lease = await leaseJob(sql, boxId, { submissionId, secret, gpuType }).catch(() => null);
  if (!lease) return;
  if (verdict === 'passed') await storeJobResult(sql, lease, passedWith(seconds), seconds);
  else if (verdict === 'failed') await storeJobResult(sql, lease, failedWith('no'), null);
  else await storeBoxFailure(sql, lease, { kind: 'disk-full', message: 'full' });
}

async function page(userId: string, leaderboard: string | null = null, limit = 100, offset = 0) {
  const text = await readSubmissionPage(database.sql, { userId, leaderboard }, { limit, offset });
  return listItem.strict().array().parse(JSON.parse(text));
}

describe('a page of somebody’s list', () => {
  it('is what raw runs say, whatever became of the jobs, in both directions', async () => {
    const { sql } = database;
    const user = makeUser();
    const verdicts: Verdict[] = ['passed', 'failed', 'box-failed', 'open'];
    const gpus = ['CPU', 'H100'];
    for (const scoreAscending of [true, false]) {
      const board = await makeBoard(sql, { gpus, scoreAscending });
      for (const first of verdicts) {
        for (const second of verdicts) {
          const id = await submit(sql, board, { user });
          const parts = gpus.flatMap((gpuType, index) => [
            {
              gpuType,
              secret: false,
              verdict: index === 0 ? first : ('passed' as const),
              seconds: 1 + index,
            },
            {
              gpuType,
              secret: true,
              verdict: index === 0 ? ('passed' as const) : second,
              seconds: 3 + index,
            },
          ]);
          for (const part of parts) await end(id, part);
        }
      }
    }
    await submit(sql, await makeBoard(sql), { user, mode: 'test' });

    const items = await page(user.id);
    const raw = await sql<
      {
        id: number;
        status: string;
        runs: object[];
        secretScores: Record<string, number>;
        ascending: boolean;
      }[]
    >`
      select s.id, s.status, l.score_ascending as ascending,
        case when s.mode <> 'leaderboard' or s.status in ('queued', 'running')
          or exists (select from hotlap.runs r where r.submission_id = s.id and r.secret and not r.passed) then '[]'
          else coalesce((
            select json_agg(json_build_object('gpu_type', r.gpu_type, 'score', r.score) order by r.gpu_type, r.id)
            from hotlap.runs r where r.submission_id = s.id and not r.secret and r.passed), '[]') end as runs,
        coalesce((select json_object_agg(r.gpu_type, r.score) from hotlap.runs r
          where r.submission_id = s.id and r.secret and r.score is not null), '{}') as "secretScores"
      from hotlap.submissions s join hotlap.leaderboards l on l.id = s.leaderboard_id
      where s.user_id = ${user.id} order by s.id desc`;
    expect(items.map((item) => item.id)).toEqual(raw.map((row) => row.id));
    const words: Record<string, string> = { queued: 'pending', running: 'pending', done: 'done' };
    for (const [index, row] of raw.entries()) {
      const item = items[index];
      expect(item?.runs).toEqual(row.runs);
      expect([item?.status, item?.done]).toEqual([
        words[row.status] ?? 'failed',
        !['queued', 'running'].includes(row.status),
      ]);
      const known = Object.entries(item?.secret_scores ?? {}).filter(([, score]) => score !== null);
      expect(Object.fromEntries(known)).toEqual(row.secretScores);
      const scores = Object.values(row.secretScores);
      const best = row.ascending ? Math.min(...scores) : Math.max(...scores);
      expect(item?.secret_score).toBe(scores.length > 0 ? best : null);
    }
    // All kinds of ends were among them.
    expect(new Set(raw.map((row) => row.status))).toEqual(new Set(['queued', 'done', 'failed']));
    expect(items.some((item) => item.status === 'failed' && item.runs.length > 0)).toBe(true);
    expect(items.some((item) => item.status === 'failed' && item.runs.length === 0)).toBe(true);
  });

  it('is one board’s, by a name in any case, and cut as it is asked for', async () => {
    const { sql } = database;
    const user = makeUser();
    const board = await makeBoard(sql);
    const other = await makeBoard(sql);
    const ids: number[] = [];
    for (let n = 0; n < 5; n++) ids.unshift(await submit(sql, board, { user, mode: 'test' }));
    await submit(sql, other, { user, mode: 'test' });
    await submit(sql, board, { mode: 'test' });
    const all = await page(user.id, board.name.toUpperCase());
    expect(all.map((item) => item.id)).toEqual(ids);
    expect(all[0]).toMatchObject({ leaderboard_name: board.name, mode: 'test', runs: [], secret_scores: {} });
    expect((await page(user.id, board.name, 2, 1)).map((item) => item.id)).toEqual(ids.slice(1, 3));
    expect(await page(user.id, 'nowhere')).toEqual([]);
    expect(await page(user.id, null, 100, 1000)).toEqual([]);
  });

  it('keeps no open question out of the detail: what failed in public is told, in secret not', async () => {
    const { sql } = database;
    const user = makeUser();
    const id = await submit(sql, await makeBoard(sql), { user });
    await end(id, { gpuType: 'CPU', secret: false, verdict: 'passed', seconds: 1 });
    const running = await leaseJob(sql, boxId, { submissionId: id, secret: true });
    expect(await findOwnSubmission(sql, id, user.id)).toMatchObject({
      heartbeatAt: expect.any(Date),
      failures: [],
      gpus: ['CPU'],
    });
    await storeJobResult(sql, running, failedWith('secret text'), null);
    const detail = await findOwnSubmission(sql, id, user.id);
    expect(detail).toMatchObject({ status: 'failed', reason: 'CPU: the secret run failed', failures: [] });
    expect(JSON.stringify(detail)).not.toContain('secret text');
    expect(await findOwnSubmission(sql, id, 'somebody else')).toBeNull();
  });
});

describe('a page of a board', () => {
  async function fill(board: LeaderboardWithTask): Promise<void> {
    // Ties in the middle and across the edge of a page.
    for (const seconds of [5, 3, 3, 1, 2, 3, 4]) {
      const id = await submit(database.sql, board);
      for (const secret of [false, true])
        await end(id, { gpuType: 'CPU', secret, verdict: 'passed', seconds });
    }
  }

  it.each([true, false])(
    'has the order and ranks of the board as people see it (lower is better: %s)',
    async (scoreAscending) => {
      const { sql } = database;
      const board = await makeBoard(sql, { scoreAscending });
      await fill(board);
      const key = { leaderboardId: board.id, gpuType: 'CPU', scoreAscending };
      const all = await listBoardEntries(sql, key, { limit: 100, offset: 0 });
      expect(all.entries.map((entry) => entry.rank)).toEqual(
        scoreAscending ? [1, 2, 3, 3, 3, 6, 7] : [1, 2, 3, 3, 3, 6, 7],
      );
      for (const [limit, offset] of [
        [100, 0],
        [2, 0],
        [2, 3],
        [3, 4],
        [5, 100],
      ] as const) {
        const wanted = { leaderboard: board.name.toUpperCase(), gpu: 'cpu', userId: null };
        const read = await readBoardPage(sql, wanted, { limit, offset });
        const entries = entryBody
          .strict()
          .array()
          .parse(JSON.parse(read?.text ?? ''));
        expect(entries.map((entry) => [entry.submission_id, entry.rank, entry.submission_score])).toEqual(
          all.entries
            .slice(offset, offset + limit)
            .map((entry) => [entry.submissionId, entry.rank, entry.score]),
        );
        // The same page as rows.
        const rows = await listBoardPage(sql, key, { limit, offset }, null);
        expect(
          rows.map(({ fileName, submittedAt, team: _team, ...row }) => [
            fileName,
            submittedAt.toISOString(),
            ...Object.values(row),
          ]),
        ).toEqual(
          entries.map((entry) => [
            entry.submission_name,
            entry.submission_time,
            ...[entry.rank, entry.user_id, entry.submission_id, entry.submission_score, entry.user_name],
          ]),
        );
      }
    },
  );

  it('of tests that passed holds nothing', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    const id = await submit(sql, board, { mode: 'test' });
    const lease = await leaseJob(sql, boxId, { submissionId: id });
    await storeJobResult(sql, lease, passedIn('test'), null);
    const wanted = { leaderboard: board.name, gpu: 'CPU', userId: null };
    const read = (of: Partial<typeof wanted>) =>
      readBoardPage(sql, { ...wanted, ...of }, { limit: 10, offset: 0 });
    expect(await read({})).toMatchObject({ text: '[]', mayEnter: true });
    expect(await read({ gpu: 'T4' })).toMatchObject({ gpu: null, text: null, mayEnter: true });
    expect(await read({ leaderboard: 'no' })).toBeNull();
    await sql`update hotlap.leaderboards set visibility = 'closed' where id = ${board.id}`;
    expect(await read({})).toMatchObject({ mayEnter: false, text: null });
  });
});
