/** Runs as the API lists them: filters, order, pages and who sees what; and runs for one box, and those without a board. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findStoredRun } from '../../src/db/free-runs.ts';
import { claimJob } from '../../src/db/jobs.ts';
import { storeJobResult } from '../../src/db/results.ts';
import {
  findRun,
  type ListedRun,
  listRunPage,
  listSameCode,
  type RunCursor,
  type RunFilter,
  type RunOrder,
  type RunViewer,
} from '../../src/db/runs.ts';
import { listOwnSubmissions } from '../../src/db/submissions.ts';
import { acceptRun, examineRun } from '../../src/intake/free-run.ts';
import { startVerify, watchVerify } from '../../src/intake/verify.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { failedWith, leaseJob, makeBoard, makeBox, makeUser, passedIn, passedWith, submit } from './scene.ts';

let database: TestDatabase;
let boxId: number;

beforeAll(async () => {
  database = await testDatabase();
  boxId = (await makeBox(database.sql, ['CPU', 'H100'])).id;
});
afterAll(() => database.drop());

const nobody: RunViewer = { userId: null, isAdmin: false };
const admin: RunViewer = { userId: null, isAdmin: true };
const any: RunFilter = {
  leaderboardId: null,
  status: null,
  mode: null,
  gpu: null,
  user: null,
  minScore: null,
  maxScore: null,
  since: null,
};

/** Ends both jobs of a ranked submission: with this score, or not passing. */
async function end(submissionId: number, seconds: number | null, gpuType = 'CPU'): Promise<void> {
  const { sql } = database;
  for (const secret of [false, true]) {
    if (secret && seconds === null) return;
    const lease = await leaseJob(sql, boxId, { submissionId, secret, gpuType });
    // The secret score is another one.
    const score = seconds === null ? null : secret ? seconds + 1000 : seconds;
    await storeJobResult(sql, lease, score === null ? failedWith('no') : passedWith(score), score);
  }
}

async function endTest(submissionId: number): Promise<void> {
  const lease = await leaseJob(database.sql, boxId, { submissionId });
  await storeJobResult(database.sql, lease, passedIn('test'), null);
}

const list = (filter: Partial<RunFilter>, viewer = nobody, order: RunOrder = 'created', limit = 100) =>
  listRunPage(database.sql, viewer, { ...any, ...filter }, { order, limit, after: null });
const ids = ({ items }: { items: ListedRun[] }) => items.map((item) => item.id);

describe('the list of runs', () => {
  it('finds by board, status, mode, GPU type, person, score and time', async () => {
    const { sql } = database;
    const board = await makeBoard(sql, { gpus: ['CPU', 'H100'] });
    const [ada, ben] = [makeUser(), makeUser()];
    const fast = await submit(sql, board, { user: ada, gpus: ['CPU'] });
    const slow = await submit(sql, board, { user: ben, gpus: ['CPU', 'H100'] });
    const wrong = await submit(sql, board, { user: ben, gpus: ['CPU'] });
    const tried = await submit(sql, board, { user: ada, gpus: ['CPU'], mode: 'test' });
    await end(fast, 1);
    await end(slow, 5);
    await end(slow, 2, 'H100');
    await end(wrong, null);
    const here = (filter: Partial<RunFilter>) => list({ leaderboardId: board.id, ...filter });
    expect(ids(await here({}))).toEqual([tried, wrong, slow, fast]);
    expect(ids(await here({ status: 'done' }))).toEqual([slow, fast]);
    expect(ids(await here({ status: 'failed' }))).toEqual([wrong]);
    expect(ids(await here({ status: 'queued' }))).toEqual([tried]);
    expect(ids(await here({ mode: 'test' }))).toEqual([tried]);
    expect(ids(await here({ gpu: 'h100' }))).toEqual([slow]);
    expect(ids(await here({ user: ada.id }))).toEqual([tried, fast]);
    expect(ids(await here({ user: ben.name.toUpperCase() }))).toEqual([wrong, slow]);
    expect(ids(await here({ user: 'nobody of this name' }))).toEqual([]);
    expect(ids(await here({ minScore: 2 }))).toEqual([slow]);
    expect(ids(await here({ maxScore: 2 }))).toEqual([slow, fast]);
    // Of that GPU type alone.
    expect(ids(await here({ maxScore: 2, gpu: 'CPU' }))).toEqual([fast]);
    expect(ids(await here({ minScore: 1, maxScore: 1 }))).toEqual([fast]);
    // No secret score is found by asking for it.
    expect(ids(await here({ minScore: 900 }))).toEqual([]);
    const [row] = await sql<{ at: Date }[]>`
      update hotlap.submissions set created_at = now() - interval '2 days' where id = ${fast}
      returning now() - interval '1 day' as at`;
    expect(ids(await here({ since: row?.at ?? null }))).toEqual([tried, wrong, slow]);
    const item = (await here({})).items.find(({ id }) => id === slow);
    expect(item).toMatchObject({
      userName: ben.name,
      leaderboard: board.name,
      gpus: ['CPU', 'H100'],
      scores: [
        { gpu: 'CPU', score: 5 },
        { gpu: 'H100', score: 2 },
      ],
      mode: 'leaderboard',
      status: 'done',
      scoreUnit: 's',
    });
  });

  it('says how many there are in all, whatever the page holds', async () => {
    const board = await makeBoard(database.sql);
    for (let i = 0; i < 5; i++) await submit(database.sql, board, { mode: 'test' });
    const page = await list({ leaderboardId: board.id }, nobody, 'created', 2);
    expect(page.items).toHaveLength(2);
    expect(page.total).toBe(5);
    const second = await listRunPage(
      database.sql,
      nobody,
      { ...any, leaderboardId: board.id },
      { order: 'created', limit: 2, after: page.items[1]?.cursor ?? null },
    );
    expect(second.total).toBe(5);
  });

  it('has what has not ended behind what has, and equal times in one order', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    const made = [];
    for (let i = 0; i < 6; i++) made.push(await submit(sql, board, { mode: 'test' }));
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = made;
    for (const id of [b, d, e]) await endTest(id);
    // d ended first; b and e at the same moment.
    await sql`update hotlap.submissions set finished_at = now() - interval '1 hour' where id = ${d}`;
    await sql`update hotlap.submissions set finished_at = date_trunc('hour', now()) where id = any(${[b, e]})`;
    await sql`update hotlap.submissions set finished_at = date_trunc('hour', now()) - interval '1 hour' where id = ${d}`;
    expect(ids(await list({ leaderboardId: board.id }, nobody, 'finished'))).toEqual([e, b, d, f, c, a]);
    expect(ids(await list({ leaderboardId: board.id }))).toEqual([f, e, d, c, b, a]);
  });

  it.each(['created', 'finished'] as const)(
    'by the order %s gives each run once on its pages, while others come in and end',
    async (order) => {
      const { sql } = database;
      const board = await makeBoard(sql);
      const before: number[] = [];
      for (let i = 0; i < 9; i++) before.push(await submit(sql, board, { mode: 'test' }));
      for (const id of before.slice(0, 4)) await endTest(id);
      const seen: number[] = [];
      let after: RunCursor | null = null;
      for (let page = 0; ; page++) {
        const filter = { ...any, leaderboardId: board.id };
        const { items, total } = await listRunPage(sql, nobody, filter, { order, limit: 2, after });
        seen.push(...ids({ items }));
        if (items.length < 2) break;
        after = items.at(-1)?.cursor ?? null;
        expect(total).toBe(9 + page);
        const late = await submit(sql, board, { mode: 'test' });
        if (page % 2 === 0) await endTest(late);
      }
      expect(new Set(seen).size).toBe(seen.length);
      expect(seen.filter((id) => before.includes(id)).sort()).toEqual([...before].sort());
    },
  );

  it('is of boards that the viewer may enter, of their own runs, and for organisers of all', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    const [owner, member] = [makeUser(), makeUser()];
    const id = await submit(sql, board, { user: owner, mode: 'test' });
    const other = await submit(sql, board, { user: member, mode: 'test' });
    await sql`update hotlap.leaderboards set visibility = 'closed' where id = ${board.id}`;
    await sql`insert into hotlap.invites (code, created_by, claimed_by, claimed_at) values ('runs', 'x', ${member.id}, now())`;
    await sql`insert into hotlap.invite_leaderboards (code, leaderboard_id) values ('runs', ${board.id})`;
    const as = (userId: string | null, isAdmin = false) =>
      list({ leaderboardId: board.id }, { userId, isAdmin }).then(ids);
    expect(await as(null)).toEqual([]);
    expect(await as(makeUser().id)).toEqual([]);
    expect(await as(owner.id)).toEqual([id]);
    expect(await as(member.id)).toEqual([other, id]);
    expect(await as(null, true)).toEqual([other, id]);
    expect(await findRun(sql, nobody, id)).toBeNull();
    expect(await findRun(sql, { userId: owner.id, isAdmin: false }, id)).toMatchObject({ id });
    expect(await findRun(sql, admin, 999_999)).toBeNull();
  });
});

describe('a run without a board', () => {
  const file = (text: string) => ({ name: 'a.py', bytes: Buffer.from(text) });
  const sender = { user: makeUser(), door: 'api', reply: null } as const;
  const options = { fresh: false, runnerHash: 'r' };

  it('is in no list but that of organisers and its owner', async () => {
    const { sql } = database;
    const run = await examineRun(sql, file('x = 1\n'), { problem: null, mode: null, gpu: 'h100', box: null });
    expect(run).toMatchObject({ gpuType: 'H100', mode: 'test', box: null });
    const { id } = await acceptRun(sql, run, sender, options);
    expect(await findRun(sql, nobody, id)).toBeNull();
    expect(await findRun(sql, admin, id)).toMatchObject({ id, leaderboard: null, gpus: ['H100'] });
    expect(await findRun(sql, { userId: sender.user.id, isAdmin: false }, id)).toMatchObject({ id });
    expect(await listOwnSubmissions(sql, { userId: sender.user.id }, { limit: 10, offset: 0 })).toEqual({
      items: [],
      total: 0,
    });
    expect(await sql`select 1 from leaderboard.submission where id = ${id}`).toHaveLength(0);
    await storeJobResult(
      sql,
      await leaseJob(sql, boxId, { submissionId: id, gpuType: 'H100' }),
      passedIn('test'),
      null,
    );
    expect(await findRun(sql, admin, id)).toMatchObject({ status: 'done' });
  });

  it('for one box is claimed by no other, and holds up nothing', async () => {
    const { sql } = database;
    const [wanted, other] = [await makeBox(sql, ['T4']), await makeBox(sql, ['T4'])];
    const wishes = { problem: null, mode: null, gpu: null, box: wanted.name.toUpperCase() };
    const run = await examineRun(sql, file('x = 2\n'), wishes);
    expect(run).toMatchObject({ gpuType: 'T4', box: { id: wanted.id } });
    const { id } = await acceptRun(sql, run, sender, options);
    expect(await claimJob(sql, other)).toBeNull();
    const behind = await submit(sql, await makeBoard(sql, { gpus: ['T4'] }), { mode: 'test' });
    expect(await claimJob(sql, other)).toMatchObject({ submissionId: behind });
    expect(await claimJob(sql, wanted)).toMatchObject({ submissionId: id });
  });

  it('that needs all of its box is not passed there by jobs that came later', async () => {
    const { sql } = database;
    const [other, wanted] = [await makeBox(sql, ['B200'], 2), await makeBox(sql, ['B200'], 2)];
    const small = await makeBoard(sql, { gpus: ['B200'] });
    const whole = await makeBoard(sql, { gpus: ['B200'], task: { multiGpu: true, worldSize: 2 } });
    const first = await submit(sql, small, { mode: 'test' });
    expect(await claimJob(sql, wanted)).toMatchObject({ submissionId: first });
    const wishes = { problem: whole.name, mode: null, gpu: null, box: wanted.name };
    await acceptRun(sql, await examineRun(sql, file('x = 3\n'), wishes), sender, options);
    const second = await submit(sql, small, { mode: 'test' });
    expect(await claimJob(sql, wanted)).toBeNull();
    expect(await claimJob(sql, other)).toMatchObject({ submissionId: second });
  });

  it('is refused with a sentence where it could not run', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    const asked = (wishes: object, name = 'a.py') =>
      examineRun(
        sql,
        { name, bytes: Buffer.from('x\n') },
        { problem: null, mode: null, gpu: 'CPU', box: null, ...wishes },
      );
    await expect(asked({ gpu: 'B300' })).rejects.toMatchObject({ code: 'run-gpu' });
    await expect(asked({ gpu: null })).rejects.toMatchObject({ code: 'run-where' });
    await expect(asked({ box: 'nowhere' })).rejects.toMatchObject({ code: 'unknown-box' });
    const box = await makeBox(sql, ['L4']);
    await expect(asked({ box: box.name })).rejects.toMatchObject({ code: 'box-gpu-unserved' });
    await expect(asked({ mode: 'benchmark' })).rejects.toMatchObject({ code: 'run-mode' });
    await expect(asked({ mode: 'ranked', problem: board.name })).rejects.toMatchObject({ code: 'run-mode' });
    await expect(asked({ problem: 'nowhere' })).rejects.toMatchObject({ code: 'unknown-leaderboard' });
    await expect(asked({}, 'a.cu')).rejects.toMatchObject({ code: 'run-extension' });
    const model = await makeBoard(sql, { gpus: ['P4'], task: { lang: 'model' } });
    const { id } = await makeBox(sql, ['P4']);
    await sql`update hotlap.boxes set sandbox = '{"engine":"docker","image":"runner:1"}' where id = ${id}`;
    await expect(asked({ gpu: 'P4', problem: model.name }, 'a.zip')).rejects.toMatchObject({
      code: 'gpu-without-models',
    });
    await expect(asked({ mode: 'quick' })).rejects.toMatchObject({ code: 'unknown-mode' });
    expect(await asked({ problem: board.name, mode: 'benchmark' })).toMatchObject({ gpuType: 'CPU' });
  });

  it('is answered from the newest of the same configuration, on the same box where one is named', async () => {
    const { sql } = database;
    const configuration = 'e'.repeat(64);
    const board = await makeBoard(sql);
    const endAs = async (onBox: number) => {
      const submissionId = await submit(sql, board, { mode: 'test' });
      const lease = await leaseJob(sql, onBox, { submissionId });
      await storeJobResult(sql, lease, passedIn('test'), null, { configuration });
      return submissionId;
    };
    expect(await findStoredRun(sql, configuration, null)).toBeNull();
    const other = (await makeBox(sql, ['CPU'])).id;
    const [first, second] = [await endAs(boxId), await endAs(other)];
    expect(await findStoredRun(sql, configuration, null)).toMatchObject({ id: second });
    expect(await findStoredRun(sql, configuration, boxId)).toMatchObject({ id: first });
    expect(await findStoredRun(sql, 'f'.repeat(64), null)).toBeNull();
  });
});

describe('a known-good run', () => {
  it('is of a problem that fits the GPU type and has a file at hand, else a program, and of no box that is away', async () => {
    const { sql } = database;
    const without = await makeBoard(sql, { gpus: ['MI300'] });
    const board = await makeBoard(sql, { gpus: ['mi300', 'L40'] });
    const two = await makeBox(sql, ['MI300', 'CPU']);
    const away = await makeBox(sql, ['L40']);
    await sql`update hotlap.boxes set state = 'offline', problem = 'unreachable: no route' where id = ${away.id}`;
    const desk = {
      runnerHash: 'r',
      findKnownGood: async (name: string) =>
        name === board.name ? { name: 'good.py', bytes: Buffer.from('pass\n') } : null,
    };
    const user = makeUser();
    const entries = await startVerify(sql, desk, { problem: null, box: null }, user);
    const of = (name: string) => entries.filter((entry) => entry.box === name);
    // Its GPUs alone; and the first board has no file.
    expect(of(two.name)).toMatchObject([
      { gpuType: 'MI300', problem: board.name, verdict: { state: 'waiting' } },
    ]);
    expect(of(away.name)).toMatchObject([{ runId: null, verdict: { state: 'failed', text: 'no route' } }]);
    const id = of(two.name)[0]?.runId ?? 0;
    expect(await findRun(sql, admin, id)).toMatchObject({
      door: 'verify',
      mode: 'benchmark',
      leaderboard: null,
    });

    await expect(startVerify(sql, desk, { problem: without.name, box: null }, user)).rejects.toMatchObject({
      code: 'no-known-good',
    });
    const none = { ...desk, findKnownGood: async () => null };
    const [only] = await startVerify(sql, none, { problem: null, box: two.name }, user);
    expect(only).toMatchObject({ problem: null, verdict: { state: 'waiting' } });
    expect(await findRun(sql, admin, only?.runId ?? 0)).toMatchObject({
      mode: 'test',
      fileName: 'known_good.py',
    });

    // What has not ended in time is ended.
    const last = await watchVerify(sql, only ? [only] : [], () => {}, 0);
    expect(last[0]?.verdict).toMatchObject({ state: 'failed', text: expect.stringContaining('cancelled') });
    expect(await findRun(sql, admin, only?.runId ?? 0)).toMatchObject({ status: 'cancelled' });
  });
});

describe('the same code', () => {
  it('is found whoever sent it and wherever, with the number of all', async () => {
    const { sql } = database;
    const [one, two] = [await makeBoard(sql), await makeBoard(sql)];
    const code = `# ${one.name}\n`;
    const first = await submit(sql, one, { mode: 'test', code });
    const second = await submit(sql, two, { mode: 'test', code });
    const third = await submit(sql, two, { mode: 'test', code });
    await submit(sql, two, { mode: 'test', code: `${code}#\n` });
    const { items, total } = await listSameCode(sql, second, 1);
    expect(items.map((item) => [item.id, item.leaderboard])).toEqual([[first, one.name]]);
    expect(total).toBe(2);
    expect((await listSameCode(sql, first, 9)).items.map((item) => item.id)).toEqual([second, third]);
  });
});
