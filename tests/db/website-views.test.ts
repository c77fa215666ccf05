/**
 * The schema `leaderboard`, asked as the existing website asks: by a role that may use nothing else, with the shapes of
 * its queries (window functions, jsonb builders, correlated aggregates, an upsert), and held to the types that it reads.
 */
import type postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { storeJobResult } from '../../src/db/results.ts';
import { type Outcome, readOutcome } from '../../src/domain/outcome.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { jobResult, stageReport } from '../unit/stage-report.ts';
import { failedWith, leaseJob, makeBoard, makeBox, makeUser, passedIn, passedWith, submit } from './scene.ts';
import { boardQuery, codeQuery, ownQuery, summaryQuery, trendQuery, usersQuery } from './website-queries.ts';
import { type WebsiteRole, websiteRole } from './website-role.ts';

let database: TestDatabase;
let role: WebsiteRole;
let website: postgres.Sql;
let boxId: number;

beforeAll(async () => {
  database = await testDatabase();
  boxId = (await makeBox(database.sql, ['CPU', 'H100'])).id;
  role = await websiteRole(database);
  website = role.sql;
});
afterAll(async () => {
  await role.drop();
  await database.drop();
});

async function end(
  part: { submissionId: number; secret?: boolean; gpuType?: string },
  outcome: Outcome,
  score: number | null = null,
): Promise<void> {
  const lease = await leaseJob(database.sql, boxId, part);
  expect(await storeJobResult(database.sql, lease, outcome, score)).toBe(true);
}

/** A ranked submission on CPU; `secret` null: its secret run fails. */
async function ranked(
  board: LeaderboardWithTask,
  user: { id: string; name: string },
  seconds: number,
  secret: number | null = seconds * 2,
): Promise<number> {
  const submissionId = await submit(database.sql, board, { user, code: `# ${seconds}\n` });
  await end({ submissionId }, passedWith(seconds), seconds);
  if (secret === null) await end({ submissionId, secret: true }, failedWith('TAINT-SECRET'));
  else await end({ submissionId, secret: true }, passedWith(secret), secret);
  return submissionId;
}

const boardOf = async (board: LeaderboardWithTask) => {
  const [row] = await website.unsafe(boardQuery, [board.id]);
  return row?.board;
};

describe('the columns of the schema', () => {
  it('have the names and types that the website reads', async () => {
    const columns = await website<{ view: string; columns: string[] }[]>`
      select table_name as view, array_agg(column_name || ' ' || udt_name order by ordinal_position) as columns
      from information_schema.columns where table_schema = 'leaderboard' group by 1`;
    expect(Object.fromEntries(columns.map((row) => [row.view, row.columns]))).toEqual({
      leaderboard: [
        'id int8',
        'name text',
        'deadline timestamptz',
        'task jsonb',
        'description text',
        'visibility text',
      ],
      gpu_type: ['leaderboard_id int8', 'gpu_type text'],
      user_info: ['id text', 'user_name text', 'web_auth_id text'],
      code_files: ['id int8', 'code bytea'],
      submission: [
        'id int8',
        'leaderboard_id int8',
        'user_id text',
        'file_name text',
        'submission_time timestamptz',
        'done bool',
        'code_id int8',
      ],
      submission_job_status: [
        'submission_id int8',
        'status text',
        'error text',
        'last_heartbeat timestamptz',
        'created_at timestamptz',
      ],
      runs: [
        'id int8',
        'submission_id int8',
        'runner text',
        'mode text',
        'secret bool',
        'passed bool',
        'score numeric',
        'start_time timestamptz',
        'end_time timestamptz',
        'meta jsonb',
        'result jsonb',
        'compilation jsonb',
      ],
    });
  });
});

describe('a board on the website', () => {
  it('shows what its page needs, with the cases as objects', async () => {
    const board = await makeBoard(database.sql, {
      gpus: ['H100', 'CPU'],
      task: {
        files: { 'reference.py': 'def ref(): ...\n', 'eval.py': '' },
        benchmarks: [
          'n: 10; seed: 2',
          'shape: (1, 2); scale: 0.5; big: 123456789012345678901; id: 007; name: a: b',
        ],
      },
    });
    expect(await boardOf(board)).toEqual({
      leaderboard: {
        name: board.name,
        deadline: '9999-12-31T00:00:00+00:00',
        lang: 'py',
        description: 'Do it.',
        reference: 'def ref(): ...\n',
        benchmarks: [
          { n: 10, seed: 2 },
          { shape: '(1, 2)', scale: 0.5, big: '123456789012345678901', id: '007', name: 'a: b' },
        ],
        visibility: 'public',
        gpu_types: expect.arrayContaining(['CPU', 'H100']),
      },
      rankings: { CPU: null, H100: null },
    });
  });

  it('ranks by our rule: a failed secret run, another mode and an unfinished submission have no score', async () => {
    const board = await makeBoard(database.sql);
    const [one, two, three] = [makeUser(), makeUser(), makeUser()];
    const best = await ranked(board, one, 0.001234567890123);
    await ranked(board, one, 0.5);
    const second = await ranked(board, two, 0.25);
    await ranked(board, two, 0.0001, null);
    const open = await submit(database.sql, board, { user: three });
    await end({ submissionId: open }, passedWith(0.0001), 0.0001);
    const tested = await submit(database.sql, board, { user: three, mode: 'benchmark' });
    await end({ submissionId: tested }, passedIn('benchmark'));
    const { rankings } = await boardOf(board);
    expect(rankings.CPU).toEqual([
      {
        user_name: one.name,
        score: 0.001234567890123,
        file_name: 'submission.py',
        submission_id: best,
        submissions: 2,
      },
      { user_name: two.name, score: 0.25, file_name: 'submission.py', submission_id: second, submissions: 1 },
    ]);
    const summaries = await website.unsafe(summaryQuery);
    expect(summaries.find((row) => row.id === String(board.id))).toEqual({
      id: String(board.id),
      ended: false,
      summary: {
        id: board.id,
        name: board.name,
        deadline: '9999-12-31T00:00:00+00:00',
        gpu_types: ['CPU'],
        priority_gpu_type: 'CPU',
        top_users: [
          { rank: 1, score: 0.001234567890123, user_name: one.name },
          { rank: 2, score: 0.25, user_name: two.name },
        ],
      },
    });
  });

  it('ranks nobody where the board goes by secret scores, which are their owners’, nor where more is better', async () => {
    const board = await makeBoard(database.sql);
    await database.sql`update hotlap.leaderboards set ranking = '{"score": "secret"}' where id = ${board.id}`;
    await ranked(board, makeUser(), 1, 9);
    await ranked(board, makeUser(), 2, 8);
    expect((await boardOf(board)).rankings.CPU).toBe(null);

    const upward = await makeBoard(database.sql, { scoreAscending: false });
    await ranked(upward, makeUser(), 1);
    expect((await boardOf(upward)).rankings.CPU).toBe(null);
  });

  it('shows nothing of judging again before it is applied, and nothing of the old verdict afterwards', async () => {
    const board = await makeBoard(database.sql);
    const user = makeUser();
    const submissionId = await ranked(board, user, 2);
    const sql = database.sql;
    const [rejudge] = await sql<{ id: number }[]>`
      insert into hotlap.rejudges (leaderboard_id, task_version_id, scope, requested_by)
      values (${board.id}, ${board.taskVersionId}, '{"kind": "all"}', 'test') returning id`;
    const rejudgeId = rejudge?.id ?? 0;
    await sql`
      with again as (
        insert into hotlap.jobs (submission_id, gpu_type, secret, status, priority, user_id, leaderboard_id, mode,
          passed, score, rejudge_id)
        values (${submissionId}, 'CPU', false, 'finished', 100, ${user.id}, ${board.id}, 'leaderboard', true, 1,
          ${rejudgeId})
        returning id
      )
      insert into hotlap.runs (job_id, submission_id, gpu_type, secret, stage, mode, passed, score, started_at,
        finished_at, result, stdout, stderr, system, sandbox)
      select again.id, submission_id, gpu_type, secret, stage, mode, passed, score / 2, started_at, finished_at, result,
        stdout, stderr, system, sandbox
      from hotlap.runs, again where submission_id = ${submissionId} and not secret`;
    const shown = async () => {
      const [own] = await website.unsafe(ownQuery, [board.id, user.id]);
      const scores = own?.runs.map((run: { score: number | null }) => run.score);
      return { board: (await boardOf(board)).rankings.CPU, scores };
    };
    expect(await shown()).toMatchObject({ board: [{ score: 2 }], scores: [null, null, 2] });
    const apply = (id: number | null, score: number) => sql`
      update hotlap.submission_scores set rejudge_id = ${id}, public_score = ${score}, eligible = true
      where submission_id = ${submissionId}`;
    await apply(rejudgeId, 1);
    expect(await shown()).toMatchObject({ board: [{ score: 1 }], scores: [null, null, 1] });
    await apply(null, 2);
    expect(await shown()).toMatchObject({ board: [{ score: 2 }], scores: [null, null, 2] });
  });

  it('draws trends of some users and of everybody, and finds users by their names', async () => {
    const board = await makeBoard(database.sql);
    const [one, two] = [makeUser(), makeUser()];
    const first = await ranked(board, one, 3);
    const better = await ranked(board, two, 2);
    await ranked(board, two, 1, null);
    const everybody = await website.unsafe(trendQuery(false), [board.id]);
    // numeric arrives as text, as it does in the website's driver.
    expect(everybody.map((row) => [row.id, row.user_id, row.score, row.runner, row.mode])).toEqual([
      [String(first), one.id, '3', 'CPU', 'leaderboard'],
      [String(better), two.id, '2', 'CPU', 'leaderboard'],
    ]);
    expect(everybody[0]?.submission_time).toBeInstanceOf(Date);
    const some = await website.unsafe(trendQuery(true), [board.id, two.id, '261278773']);
    expect(some.map((row) => row.user_name)).toEqual([two.name]);
    expect(await website.unsafe(usersQuery, [board.id, `%${one.name.toUpperCase()}%`])).toEqual([
      { id: one.id, user_name: one.name },
    ]);
  });
});

describe('a submission on the website', () => {
  it('moves from pending to its end, with its public runs and nothing of its secret ones', async () => {
    const board = await makeBoard(database.sql);
    const user = makeUser();
    const own = async () => (await website.unsafe(ownQuery, [board.id, user.id]))[0];
    const submissionId = await submit(database.sql, board, { user });
    expect(await own()).toMatchObject({
      id: String(submissionId),
      done: false,
      status: 'pending',
      error: null,
      runs: [],
    });
    expect((await own())?.last_heartbeat).toBeInstanceOf(Date);
    await end({ submissionId }, passedWith(0.5), 0.5);
    await end({ submissionId, secret: true }, failedWith('TAINT-SECRET'));
    const row = await own();
    expect(row).toMatchObject({ done: true, status: 'failed', error: 'CPU: the secret run failed' });
    expect(row?.runs.map((run: Record<string, unknown>) => [run.mode, run.passed, run.score])).toEqual([
      ['test', true, null],
      ['benchmark', true, null],
      ['leaderboard', true, null],
    ]);
    expect(row?.runs[1]).toMatchObject({
      compilation: {},
      meta: { success: true, exit_code: 0, duration: 1, stdout: '', stderr: '' },
      result: { 'benchmark-count': '1', 'benchmark.0.mean': String(0.5 * 1e9), check: 'pass' },
    });
    const everything = [
      await website`select * from leaderboard.runs`,
      await website`select * from leaderboard.submission_job_status`,
    ];
    expect(JSON.stringify(everything)).not.toContain('TAINT');
  });

  it('shows each run’s result under its keys, the last of two with one name, and profiles under their mode', async () => {
    const board = await makeBoard(database.sql);
    const user = makeUser();
    const submissionId = await submit(database.sql, board, { user, mode: 'profile' });
    const report = stageReport(
      'profile',
      'benchmark-count: 1\nbenchmark.0.report: TQ**\nnote: a\nnote: b\ncheck: pass',
    );
    await end(
      { submissionId },
      readOutcome(jobResult([{ ...report, name: 'profile.0' }]), [{ name: 'profile.0', cases: 'n: 1\n' }]),
    );
    const [row] = await website.unsafe(ownQuery, [board.id, user.id]);
    expect(row?.runs).toMatchObject([
      { mode: 'profile', result: { 'benchmark.0.report': 'TQ**', note: 'b' } },
    ]);
  });

  it('says done, cancelled and failed in the words that the website looks for', async () => {
    const board = await makeBoard(database.sql);
    const user = makeUser();
    const passed = await submit(database.sql, board, { user, mode: 'test' });
    await end({ submissionId: passed }, passedIn('test'));
    const cancelled = await submit(database.sql, board, { user, mode: 'test' });
    await database.sql`update hotlap.submissions set status = 'cancelled' where id = ${cancelled}`;
    const rows = await website.unsafe(ownQuery, [board.id, user.id]);
    expect(rows.map((row) => [row.done, row.status, row.error])).toEqual([
      [true, 'failed', 'cancelled'],
      [true, 'succeeded', null],
    ]);
  });

  it('shows a GitHub account’s submissions under its number', async () => {
    const board = await makeBoard(database.sql);
    const submissionId = await ranked(board, { id: 'github:700001', name: 'hubber' }, 1);
    expect(await website.unsafe(ownQuery, [board.id, '700001'])).toMatchObject([
      { id: String(submissionId) },
    ]);
    expect((await boardOf(board)).rankings.CPU).toMatchObject([{ user_name: 'hubber' }]);
  });

  it('brings its code as bytes, under a number', async () => {
    const board = await makeBoard(database.sql);
    const submissionId = await ranked(board, makeUser(), 4);
    expect(await website.unsafe(codeQuery, [board.id, [submissionId, 99_999_999]])).toEqual([
      {
        id: String(submissionId),
        leaderboard_id: String(board.id),
        code_id: expect.stringMatching(/^\d+$/),
        code: Buffer.from('# 4\n'),
      },
    ]);
  });
});
