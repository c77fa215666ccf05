/** Rules in force: metrics, languages, benchmarks, combinations and windows, and the ways in which such things go wrong. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findOwnEntry, listBoardEntries, listTracks } from '../../src/db/board.ts';
import { setDeadline } from '../../src/db/board-settings.ts';
import { deleteSubmission } from '../../src/db/deletion.ts';
import { setVisibility } from '../../src/db/invites.ts';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { listMeasurements } from '../../src/db/measurements.ts';
import { findTrackUnit, isTrackAscending, refreshEntries } from '../../src/db/ranking.ts';
import { refreshTurnedWindows } from '../../src/db/remeasure.ts';
import { findReason, listStandings, listUnranked } from '../../src/db/standings.ts';
import { findSubmissionView } from '../../src/db/submissions.ts';
import { draftRule } from '../../src/intake/ranking.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { ageMeasurements, boardLines, rankedSubmission, setRule } from './ranking-scene.ts';
import { makeBoard, makeBox, makeUser, testRecord } from './scene.ts';

let database: TestDatabase;
let boxId: number;
beforeAll(async () => {
  database = await testDatabase({ maxConnections: 12 });
  boxId = (await makeBox(database.sql, ['CPU', 'H100'])).id;
});
afterAll(() => database.drop());

type Options = Parameters<typeof rankedSubmission>[3];
const ranked = (board: LeaderboardWithTask, options: Options = {}) =>
  rankedSubmission(database.sql, boxId, board, options);
const linesOf = (board: LeaderboardWithTask, track?: string, asOf?: Date) =>
  boardLines(database.sql, board, track, asOf);

const twoShapes = { task: { benchmarks: ['n: 10; seed: 2', 'n: 20; seed: 2'] } };

describe('a rule', () => {
  it('ranks by a metric that runs report, in its own direction', async () => {
    const board = await makeBoard(database.sql);
    const slow = await ranked(board, { meansS: [1], metrics: { throughput: 500 } });
    const fast = await ranked(board, { meansS: [2], metrics: { throughput: 900 } });
    const none = await ranked(board, { meansS: [0.5] });
    expect(await linesOf(board)).toEqual([
      [1, none, 0.5],
      [2, slow, 1],
      [3, fast, 2],
    ]);
    const changed = await setRule(database.sql, board, {
      metric: 'throughput',
      direction: 'higher',
      unit: 'tokens/s',
    });
    expect(changed.scoreAscending).toBe(false);
    expect(await linesOf(board)).toEqual([
      [1, fast, 900],
      [2, slow, 500],
    ]);
    const [standing] = await listStandings(database.sql, none, false);
    expect(standing?.notRanked).toMatchObject({
      code: 'metric-missing',
      cause: 'the run reported no metric throughput',
      phase: 'timing',
    });
    const view = await findSubmissionView(database.sql, fast, false);
    expect(view?.gpus[0]).toMatchObject({
      rank: 1,
      boardScore: { score: 900, unit: 'tokens/s' },
      publicScore: 2,
    });
    await setRule(database.sql, board, {});
    expect((await linesOf(board)).map((line) => line[1])).toEqual([none, slow, fast]);
  });

  it('that no run fits is refused with the metrics that there are, and changes nothing', async () => {
    const board = await makeBoard(database.sql);
    await ranked(board, { metrics: { throughput: 1 } });
    const before = await linesOf(board);
    const draft = await draftRule(database.sql, board.name, '{metric: latency, direction: lower}');
    expect('faults' in draft && draft.faults.join()).toContain('They report: throughput.');
    const broken = await draftRule(database.sql, board.name, '{metric: ');
    expect('faults' in broken && broken.faults.join()).toContain('neither YAML nor JSON');
    const aliased = await draftRule(database.sql, board.name, 'a: &a [1]\nb: [*a, *a]');
    expect('faults' in aliased).toBe(true);
    expect(await linesOf(board)).toEqual(before);
  });

  it('shows what it would move, exactly, without moving it', async () => {
    const board = await makeBoard(database.sql, twoShapes);
    const a = await ranked(board, { meansS: [1, 9], score: 3 });
    const b = await ranked(board, { meansS: [5, 2], score: 4 });
    const before = await linesOf(board);
    const draft = await draftRule(database.sql, board.name, 'aggregation: last');
    if ('faults' in draft) throw new Error(draft.faults.join());
    expect(
      draft.changes.map((change) => [change.before?.rank, change.after?.rank, change.after?.submissionId]),
    ).toEqual([
      [2, 1, b],
      [1, 2, a],
    ]);
    expect(await linesOf(board)).toEqual(before);
    await setRule(database.sql, board, { aggregation: 'last' });
    expect((await linesOf(board)).map(([rank, id]) => [rank, id])).toEqual([
      [1, b],
      [2, a],
    ]);
  });

  it('on the secret run keeps its scores from everybody but their owner', async () => {
    const board = await setRule(database.sql, await makeBoard(database.sql, twoShapes), {
      score: 'secret',
      aggregation: 'mean',
    });
    const submissionId = await ranked(board, { meansS: [1, 3], score: 1, secretScore: 7 });
    expect(await linesOf(board)).toEqual([[1, submissionId, null]]);
    const own = await listStandings(database.sql, submissionId, true);
    const other = await listStandings(database.sql, submissionId, false);
    expect(own[0]?.boardScore).toEqual({ score: 2, unit: 's' });
    expect(other[0]?.boardScore).toBe(null);
    const top = await listTracks(database.sql, board.id);
    expect(top).toEqual([{ track: 'CPU', entries: 1, bestScore: null }]);
  });

  it('adds boards for languages, benchmarks and combinations', async () => {
    const board = await makeBoard(database.sql, { gpus: ['CPU', 'H100'], ...twoShapes });
    const other = await makeBoard(database.sql);
    const [one, two] = [makeUser(), makeUser()];
    await setRule(database.sql, board, {
      categories: ['language', 'shape'],
      composites: [
        {
          name: 'both',
          members: [
            { gpu: 'cpu', weight: 0.5 },
            { gpu: 'H100', weight: 0.5 },
          ],
        },
        {
          name: 'series',
          combine: 'mean',
          members: [
            { gpu: 'CPU', weight: 0.25 },
            { leaderboard: other.name, gpu: 'CPU', weight: 0.75 },
          ],
        },
      ],
    });
    const all = ['CPU', 'H100'];
    const first = await ranked(board, {
      user: one,
      gpus: all,
      meansS: [4, 1],
      score: 4,
      code: 'import triton\n',
    });
    const second = await ranked(board, { user: two, gpus: all, meansS: [1, 2], score: 9 });
    expect(await linesOf(board, 'CPU / Triton')).toEqual([[1, first, 4]]);
    expect(await linesOf(board, 'H100 / shape 1')).toEqual([
      [1, second, 1],
      [2, first, 4],
    ]);
    expect(await linesOf(board, 'both')).toEqual([
      [1, first, 4],
      [2, second, 9],
    ]);
    expect(await linesOf(board, 'series')).toEqual([]);
    const reason = async (track: string, user: string) =>
      (await findReason(database.sql, { leaderboardId: board.id, track }, user))?.cause;
    expect(await reason('CPU / Triton', one.id)).toBe(undefined);
    expect(await reason('CPU / Triton', two.id)).toBe('no ranked submission of yours is in Triton');
    expect(await reason('CPU / shape 7', two.id)).toContain('has timed benchmark 7 of the task');
    expect(await reason('CPU', makeUser().id)).toBe('nothing was sent in mode ranked');
    const others = { leaderboardId: board.id, track: 'CPU / shape 7', isComposite: false };
    const listed = await listUnranked(database.sql, others, { limit: 5, upTo: second, before: second + 1 });
    expect(listed.people.map((person) => person.reason.code)).toEqual(['shape-untimed', 'shape-untimed']);
    const key = { leaderboardId: board.id, track: 'series' };
    expect((await findReason(database.sql, key, one.id))?.cause).toBe(
      `there is no ranked entry on CPU of ${other.name}`,
    );
    const there = await ranked(other, { user: one, score: 8 });
    expect(await linesOf(board, 'series')).toEqual([[1, there, 7]]);
    expect(await findReason(database.sql, key, one.id)).toBe(null);
    // Nor does a closed board show its entries by way of one that everybody sees.
    const close = (name: string) => setVisibility(database.sql, name, 'closed', testRecord());
    await expect(close(other.name)).rejects.toMatchObject({ code: 'closed-in-composite' });
    await close(board.name);
    await close(other.name);
    const open = setVisibility(database.sql, board.name, 'public', testRecord());
    await expect(open).rejects.toMatchObject({ code: 'closed-in-composite' });
    const turned = await draftRule(database.sql, other.name, '{direction: higher}');
    expect('faults' in turned && turned.faults.join()).toContain(
      `The composite \`series\` of \`${board.name}\``,
    );
    const unit = await findTrackUnit(
      database.sql,
      { id: board.id, rule: { composites: [] }, taskUnit: 's' },
      'CPU / shape 1',
    );
    expect(unit).toBe('s');
    // Boards of the other direction may be combined elsewhere, which is another direction than that of the board there.
    const members = [board, other].map((of) => ({ leaderboard: of.name, gpu: 'CPU', weight: 0.5 }));
    const opposed = await makeBoard(database.sql);
    await setVisibility(database.sql, opposed.name, 'closed', testRecord());
    const host = await setRule(database.sql, opposed, {
      direction: 'higher',
      composites: [{ name: 'others', members }],
    });
    const tracksThere = ['CPU', 'CPU / shape 1', 'others'];
    const ascending = tracksThere.map((track) => isTrackAscending(database.sql, host, track));
    expect(await Promise.all(ascending)).toEqual([false, true, true]);
    // What the rule no longer names is gone.
    await setRule(database.sql, board, { categories: ['language'] });
    const tracks = (await listTracks(database.sql, board.id)).map((item) => item.track);
    expect(tracks).toEqual(['CPU', 'H100', 'CPU / Python', 'CPU / Triton', 'H100 / Python', 'H100 / Triton']);
    await deleteSubmission(database.sql, first, testRecord());
    expect(await linesOf(board, 'CPU / Triton')).toEqual([]);
  });

  it('marks who has too few ranked runs, and counts repetitions among them', async () => {
    const board = await setRule(database.sql, await makeBoard(database.sql), { minimumRuns: 2 });
    const user = makeUser();
    await ranked(board, { user, score: 2 });
    const provisional = async () =>
      (await findOwnEntry(database.sql, { leaderboardId: board.id, gpuType: 'CPU' }, user.id))?.provisional;
    expect(await provisional()).toBe(true);
    await ranked(board, { user, score: 3 });
    expect(await provisional()).toBe(false);
  });
});

describe('windows', () => {
  const windows = { windows: true, remeasure: { top: 5, everyHours: 6 } };
  const windowsOf = async (board: LeaderboardWithTask) => {
    const key = { leaderboardId: board.id, gpuType: 'CPU' };
    const { entries } = await listBoardEntries(database.sql, key, { limit: 100, offset: 0 });
    return entries.map(({ submissionId, recent, steady, anchor, score }) => ({
      submissionId,
      recent,
      steady,
      anchor,
      score,
    }));
  };
  const rerank = (board: LeaderboardWithTask) =>
    refreshEntries(database.sql, { leaderboardId: board.id, gpuTypes: null, userIds: null });

  it('are empty until they are covered, and a missing one is last, not zero', async () => {
    const board = await setRule(database.sql, await makeBoard(database.sql), windows);
    const old = await ranked(board, { score: 5 });
    const fresh = await ranked(board, { score: 1 });
    expect(await windowsOf(board)).toEqual([
      { submissionId: fresh, recent: null, steady: null, anchor: null, score: 1 },
      { submissionId: old, recent: null, steady: null, anchor: null, score: 5 },
    ]);
    await ageMeasurements(database.sql, old, 80);
    await rerank(board);
    // Its one measurement is out of the last day, and within four of the last seven; the week is not over.
    expect((await windowsOf(board))[0]).toEqual({
      submissionId: fresh,
      recent: null,
      steady: null,
      anchor: null,
      score: 1,
    });
    await database.sql`
      insert into hotlap.measurements (submission_id, leaderboard_id, user_id, gpu_type, secret, task_version_id, remeasure, passed,
        score, measured_at)
      select submission_id, leaderboard_id, user_id, gpu_type, false, task_version_id, 1, true, 6, now() - interval '2 hours'
      from hotlap.measurements where submission_id = ${old} and not secret`;
    await rerank(board);
    expect(await windowsOf(board)).toEqual([
      { submissionId: old, recent: 6, steady: 6, anchor: null, score: 6 },
      { submissionId: fresh, recent: null, steady: null, anchor: null, score: 1 },
    ]);
  });

  it('turn with time alone', async () => {
    const board = await setRule(database.sql, await makeBoard(database.sql), windows);
    const submissionId = await ranked(board, { score: 2 });
    expect(await refreshTurnedWindows(database.sql, 10)).toBe(0);
    const changes = async () =>
      (
        await database.sql`select changes_at from hotlap.submission_scores where submission_id = ${submissionId}`
      )[0]?.changes_at;
    const day = 24 * 3_600_000;
    expect(Math.abs((await changes()).getTime() - Date.now() - day)).toBeLessThan(3_600_000);
    await ageMeasurements(database.sql, submissionId, 23);
    await database.sql`
      insert into hotlap.measurements (submission_id, leaderboard_id, user_id, gpu_type, secret, task_version_id, remeasure, passed,
        score, measured_at)
      select submission_id, leaderboard_id, user_id, gpu_type, false, task_version_id, 1, true, 3, now() - interval '30 minutes'
      from hotlap.measurements where submission_id = ${submissionId} and not secret`;
    await rerank(board);
    expect((await windowsOf(board))[0]?.recent).toBe(null);
    await ageMeasurements(database.sql, submissionId, 2);
    await database.sql`update hotlap.submission_scores set changes_at = now() where submission_id = ${submissionId}`;
    expect(await refreshTurnedWindows(database.sql, 10)).toBe(1);
    expect((await windowsOf(board))[0]?.recent).toBe(3);
    expect(await changes()).not.toBe(null);
  });

  it('end with the board, wherever its deadline is moved to', async () => {
    const { sql } = database;
    const board = await setRule(sql, await makeBoard(sql), windows);
    const submissionId = await ranked(board, { score: 2 });
    await ageMeasurements(sql, submissionId, 30);
    await sql`
      insert into hotlap.measurements (submission_id, leaderboard_id, user_id, gpu_type, secret, task_version_id, remeasure, passed,
        score, measured_at)
      select submission_id, leaderboard_id, user_id, gpu_type, false, task_version_id, again.hours, true, again.score,
        now() - make_interval(hours => again.hours)
      from hotlap.measurements, (values (10, 3), (1, 9)) again (hours, score) where submission_id = ${submissionId} and not secret`;
    await rerank(board);
    const recent = async () => (await windowsOf(board))[0]?.recent;
    expect(await recent()).toBe(6);
    await setDeadline(sql, board.id, new Date(Date.now() - 2 * 3_600_000), testRecord());
    expect(await recent()).toBe(3);
    await setDeadline(sql, board.id, null, testRecord());
    expect(await recent()).toBe(6);
  });

  it('take the latest measurement by time, and by number where times are equal', async () => {
    const board = await setRule(database.sql, await makeBoard(database.sql), windows);
    const submissionId = await ranked(board, { score: 2 });
    const at = new Date(Date.now() + 1000);
    // Written in another order than they were measured in.
    for (const [score, when] of [
      [7, at],
      [8, at],
      [9, new Date(at.getTime() - 500)],
    ] as const) {
      await database.sql`
        insert into hotlap.measurements (submission_id, leaderboard_id, user_id, gpu_type, secret, task_version_id, remeasure,
          passed, score, measured_at)
        select submission_id, leaderboard_id, user_id, gpu_type, false, task_version_id, 1, true, ${score}, ${when}
        from hotlap.measurements where submission_id = ${submissionId} and not secret and remeasure is null`;
    }
    await rerank(board);
    expect((await windowsOf(board))[0]?.score).toBe(8);
    const of = { submissionId, viewer: null };
    const newest = await listMeasurements(database.sql, of, { limit: 2 });
    expect(newest.items.map((item) => item.value)).toEqual([8, 7]);
    expect(newest.total).toBe(4);
    const after = newest.items.at(-1)?.cursor;
    if (!after) throw new Error('there are four');
    const rest = await listMeasurements(database.sql, of, { limit: 5, after });
    expect(rest.items.map((item) => item.value)).toEqual([9, 2]);
  });
});
