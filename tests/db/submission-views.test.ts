/** What people may see of a submission, by every query that a door uses. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setBoxState } from '../../src/db/boxes.ts';
import { claimJob, requeueJob, saveProgress } from '../../src/db/jobs.ts';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { loadQueue } from '../../src/db/queue.ts';
import { storeJobResult } from '../../src/db/results.ts';
import {
  findReplyTarget,
  findSubmissionCode,
  findSubmissionOwner,
  findSubmissionView,
  listAwaitedSubmissions,
  listOwnSubmissions,
  listRuns,
} from '../../src/db/submissions.ts';
import { forecast } from '../../src/domain/eta.ts';
import type { Outcome } from '../../src/domain/outcome.ts';
import { withPlaces } from '../../src/domain/submission.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { failedWith, leaseJob, makeBoard, makeBox, makeUser, passedIn, passedWith, submit } from './scene.ts';

let database: TestDatabase;
let boxId: number;
beforeAll(async () => {
  database = await testDatabase();
  boxId = (await makeBox(database.sql, ['none'])).id;
});
afterAll(() => database.drop());

async function end(
  part: { submissionId: number; secret?: boolean; gpuType?: string },
  outcome: Outcome,
  score: number | null = null,
): Promise<void> {
  const lease = await leaseJob(database.sql, boxId, part);
  expect(await storeJobResult(database.sql, lease, outcome, score)).toBe(true);
}

async function ranked(board: LeaderboardWithTask, user = makeUser(), seconds = 1.25, secret = 7.654321) {
  const submissionId = await submit(database.sql, board, { user });
  await end({ submissionId }, passedWith(seconds), seconds);
  await end({ submissionId, secret: true }, passedWith(secret), secret);
  return submissionId;
}

const view = async (id: number, withSecrets: boolean) => {
  const found = await findSubmissionView(database.sql, id, withSecrets);
  if (!found) throw new Error(`submission ${id} is not there`);
  return found;
};

describe('a view without secrets', () => {
  it('holds no secret score, while the owner’s holds it', async () => {
    const id = await ranked(await makeBoard(database.sql));
    const mine = await view(id, true);
    expect(mine.gpus[0]).toMatchObject({ publicScore: 1.25, secretScore: 7.654321, eligible: true, rank: 1 });
    expect(mine.gpus[0]?.secretJob?.score).toBe(7.654321);
    const theirs = await view(id, false);
    expect(theirs.gpus[0]).toMatchObject({ publicScore: 1.25, secretScore: null, eligible: true, rank: 1 });
    expect(theirs.gpus[0]?.secretJob).toMatchObject({ status: 'finished', passed: true, score: null });
    expect(JSON.stringify(theirs)).not.toContain('7.6543');
  });

  it('is the owner’s too in this: nobody reads why a secret run failed', async () => {
    const id = await submit(database.sql, await makeBoard(database.sql));
    await end({ submissionId: id, secret: true }, failedWith('secret input 424242'));
    await end({ submissionId: id }, passedWith(1), 1);
    for (const withSecrets of [true, false]) {
      const shown = JSON.stringify([
        await view(id, withSecrets),
        await listRuns(database.sql, id, withSecrets),
        (
          await listOwnSubmissions(
            database.sql,
            { userId: (await view(id, true)).userId },
            { limit: 9, offset: 0 },
          )
        ).items,
      ]);
      expect(shown).toContain('the secret run failed');
      expect(shown).not.toContain('424242');
    }
  });

  it('shows why a public run failed', async () => {
    const id = await submit(database.sql, await makeBoard(database.sql));
    await end({ submissionId: id }, failedWith('expected 1'));
    expect((await view(id, false)).gpus[0]?.publicJob.failure).toMatchObject({
      kind: 'wrong',
      detail: 'expected 1',
    });
    expect((await view(id, false)).gpus[0]).toMatchObject({
      eligible: false,
      reason: 'wrong result (test)',
      rank: null,
    });
  });

  it('names our trouble with a box by its kind alone', async () => {
    const { sql } = database;
    const id = await submit(sql, await makeBoard(sql), { mode: 'test' });
    const lease = await leaseJob(sql, boxId, { submissionId: id });
    await requeueJob(sql, lease, { kind: 'unreachable', message: 'root@10.0.0.7: refused', delayMs: 0 });
    const shown = await view(id, true);
    expect(shown.gpus[0]?.publicJob).toMatchObject({
      status: 'queued',
      boxErrorKind: 'unreachable',
      attempt: 1,
    });
    expect(JSON.stringify(shown)).not.toContain('10.0.0.7');
  });
});

describe('the runs of a submission', () => {
  it('of a secret job come without what they wrote, for everybody', async () => {
    const id = await ranked(await makeBoard(database.sql));
    for (const withSecrets of [true, false]) {
      const runs = await listRuns(database.sql, id, withSecrets);
      expect(runs.map((run) => [run.secret, run.stage])).toEqual([
        [false, 'test'],
        [false, 'benchmark'],
        [false, 'leaderboard'],
        [true, 'test'],
        [true, 'benchmark'],
        [true, 'leaderboard'],
      ]);
      for (const run of runs.filter((item) => item.secret)) {
        expect(run).toMatchObject({ result: [], stdout: '', stderr: '', failure: null, exitCode: null });
      }
      expect(runs[2]?.result.length).toBeGreaterThan(5);
      expect(runs.map((run) => run.score)).toEqual([
        null,
        null,
        1.25,
        null,
        null,
        withSecrets ? 7.654321 : null,
      ]);
    }
    expect(JSON.stringify(await listRuns(database.sql, id, false))).not.toContain('7.6543');
  });

  it('keep what a public job wrote', async () => {
    const id = await submit(database.sql, await makeBoard(database.sql));
    await end({ submissionId: id }, failedWith('expected 1'));
    const [run] = await listRuns(database.sql, id, false);
    expect(run).toMatchObject({ passed: false, exitCode: 0, stdout: 'expected 1', sandbox: 'bwrap' });
    expect(run?.failure).toMatchObject({ kind: 'wrong' });
    expect(run?.system.gpu).toBe('NVIDIA H100 80GB HBM3');
  });
});

describe('a queued job', () => {
  it('knows how many come first on its GPU type, in the order of claims', async () => {
    const { sql } = database;
    const board = await makeBoard(sql, { gpus: ['Q1', 'Q2'] });
    const lower = await makeBoard(sql, { gpus: ['q1'] });
    const first = await submit(sql, board, { mode: 'test' });
    const second = await submit(sql, lower);
    const third = await submit(sql, board, { mode: 'test', gpus: ['Q1'] });
    const ahead = async (id: number) => {
      const placed = withPlaces(await view(id, true), forecast(await loadQueue(sql)));
      return placed.gpus.map((gpu) => [
        gpu.gpuType,
        gpu.publicJob.place?.ahead ?? null,
        gpu.secretJob?.place?.ahead ?? null,
      ]);
    };
    expect(await ahead(first)).toEqual([
      ['Q1', 0, null],
      ['Q2', 0, null],
    ]);
    // The test that came later goes first.
    expect(await ahead(second)).toEqual([['q1', 2, 3]]);
    expect(await ahead(third)).toEqual([['Q1', 1, null]]);

    const box = await makeBox(sql, ['Q1']);
    const lease = await claimJob(sql, box);
    expect(lease?.submissionId).toBe(first);
    expect(await ahead(third)).toEqual([['Q1', 0, null]]);
    expect((await ahead(first))[0]).toEqual(['Q1', null, null]);
    if (lease) await saveProgress(sql, lease, { stage: 'test', state: 'running', done: 3, of: 5 });
    expect((await view(first, false)).gpus[0]?.publicJob).toMatchObject({
      status: 'leased',
      box: box.name,
      progress: { stage: 'test', state: 'running', done: 3, of: 5 },
    });
  });

  it('knows which boxes could run it, in whatever case their GPU types are written', async () => {
    const { sql } = database;
    const id = await submit(sql, await makeBoard(sql, { gpus: ['W1'] }), { mode: 'test' });
    const counts = async () => {
      const job = (await view(id, true)).gpus[0]?.publicJob;
      return [job?.boxesReady, job?.boxesOffline];
    };
    expect(await counts()).toEqual([0, 0]);
    const box = await makeBox(sql, ['w1', 'H100']);
    await makeBox(sql, ['W1']);
    expect(await counts()).toEqual([2, 0]);
    await setBoxState(sql, box.id, 'offline', 'no route');
    expect(await counts()).toEqual([1, 1]);
  });
});

describe('the rank of a submission', () => {
  it('is that of its owner’s entry as long as it is the one on the board', async () => {
    const board = await makeBoard(database.sql);
    const user = makeUser();
    const old = await ranked(board, user, 3);
    await ranked(board, makeUser(), 2);
    expect((await view(old, false)).gpus[0]?.rank).toBe(2);
    const better = await ranked(board, user, 1);
    expect((await view(old, false)).gpus[0]).toMatchObject({ eligible: true, rank: null });
    expect((await view(better, false)).gpus[0]?.rank).toBe(1);
  });

  it('is shared in a tie', async () => {
    const board = await makeBoard(database.sql, { scoreAscending: false });
    const ids = [
      await ranked(board, makeUser(), 5),
      await ranked(board, makeUser(), 5),
      await ranked(board, makeUser(), 4),
    ];
    const ranks = await Promise.all(ids.map(async (id) => (await view(id, false)).gpus[0]?.rank));
    expect(ranks).toEqual([1, 1, 3]);
  });
});

describe('the list of one’s own submissions', () => {
  it('holds nobody else’s, newest first, filtered and in pages whose total counts all', async () => {
    const { sql } = database;
    const [board, other] = [await makeBoard(sql, { gpus: ['CPU', 'H100'] }), await makeBoard(sql)];
    const [me, you] = [makeUser(), makeUser()];
    const mine = [];
    for (let i = 0; i < 5; i++) mine.push(await submit(sql, board, { user: me, mode: 'test' }));
    const elsewhere = await ranked(other, me, 1.5, 2.5);
    await ranked(other, you);
    const list = (filter: object, limit = 100, offset = 0) =>
      listOwnSubmissions(sql, { userId: me.id, ...filter }, { limit, offset });
    const ids = async (filter: object, limit?: number, offset?: number) => {
      const { items, total } = await list(filter, limit, offset);
      return [items.map((item) => item.id), total];
    };
    const all = [...mine, elsewhere].toReversed();
    expect(await ids({})).toEqual([all, 6]);
    expect(await ids({}, 4)).toEqual([all.slice(0, 4), 6]);
    expect(await ids({}, 4, 4)).toEqual([all.slice(4), 6]);
    expect(await ids({}, 4, 8)).toEqual([[], 6]);
    expect(await ids({ leaderboardId: other.id })).toEqual([[elsewhere], 1]);
    expect(await ids({ status: 'queued' })).toEqual([mine.toReversed(), 5]);
    expect(await ids({ status: 'done', leaderboardId: board.id })).toEqual([[], 0]);

    const { items } = await list({});
    expect(items[0]).toMatchObject({
      leaderboard: other.name,
      fileName: 'submission.py',
      mode: 'leaderboard',
      status: 'done',
      gpus: [{ gpuType: 'CPU', publicScore: 1.5, secretScore: 2.5, eligible: true }],
    });
    expect(items[1]?.gpus).toEqual([
      { gpuType: 'CPU', publicScore: null, secretScore: null, eligible: false },
      { gpuType: 'H100', publicScore: null, secretScore: null, eligible: false },
    ]);
    expect((await listOwnSubmissions(sql, { userId: 'nobody' }, { limit: 5, offset: 0 })).total).toBe(0);
  });
});

describe('a stored submission', () => {
  it('keeps its file byte for byte, and equal files once', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    const code = '\ufeffprint("naïve ✓")\r\n';
    const user = makeUser();
    const ids = [await submit(sql, board, { code, user }), await submit(sql, board, { code })];
    for (const id of ids) {
      expect((await findSubmissionCode(sql, id))?.content.equals(Buffer.from(code))).toBe(true);
    }
    const [count] = await sql`
      select count(distinct code_sha256) as files from hotlap.submissions where id in ${sql(ids)}`;
    expect(count?.files).toBe(1);
    expect(await findSubmissionOwner(sql, ids[0] ?? 0)).toBe(user.id);
  });

  it('has a secret seed of its own when it is ranked, and none otherwise', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    for (let i = 0; i < 4; i++) await submit(sql, board);
    await submit(sql, board, { mode: 'benchmark' });
    const rows = await sql<{ mode: string; seed: number | null }[]>`
      select mode, secret_seed as seed from hotlap.submissions where leaderboard_id = ${board.id} order by id`;
    const seeds = rows.slice(0, 4).map((row) => row.seed);
    expect(new Set(seeds).size).toBe(4);
    expect(seeds).not.toContain(null);
    expect(rows[4]?.seed).toBe(null);
  });

  it('that is not there is null everywhere', async () => {
    const { sql } = database;
    expect(await findSubmissionView(sql, 999_999_999, true)).toBe(null);
    expect(await findSubmissionCode(sql, 999_999_999)).toBe(null);
    expect(await findSubmissionOwner(sql, 999_999_999)).toBe(null);
    expect(await findReplyTarget(sql, 999_999_999)).toBe(null);
    expect(await listRuns(sql, 999_999_999, true)).toEqual([]);
  });

  it('is awaited while it is open and its reply can be edited', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    const reply = (seconds: number) => ({
      channelId: '77',
      interactionToken: 'token',
      expiresAt: new Date(Date.now() + seconds * 1000),
    });
    const alive = await submit(sql, board, { mode: 'test', reply: reply(600) });
    const expired = await submit(sql, board, { mode: 'test', reply: reply(-1) });
    const silent = await submit(sql, board, { mode: 'test' });
    const ended = await submit(sql, board, { mode: 'test', reply: reply(600) });
    await end({ submissionId: ended }, passedIn('test'));
    const awaited = await listAwaitedSubmissions(sql);
    expect([alive, expired, silent, ended].map((id) => awaited.includes(id))).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect(await findReplyTarget(sql, alive)).toEqual({
      channelId: '77',
      interactionToken: 'token',
      alive: true,
    });
    expect((await findReplyTarget(sql, expired))?.alive).toBe(false);
    expect(await findReplyTarget(sql, silent)).toBe(null);
  });
});
