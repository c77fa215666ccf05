/** The reports of the HTTP API: boards, entries and runs over time, page by page, and why there is nothing. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setSubmissionInvalid } from '../../src/db/invalidations.ts';
import { ageHistory, ageMeasurements, type Person, setRule } from '../db/ranking-scene.ts';
import { makeBoard, makeUser, submit } from '../db/scene.ts';
import { type ApiStage, apiStage, withoutScheduler } from '../support/api-stage.ts';
import { ago, type Json, type Query, reportPath, reportScene } from './report-scene.ts';

describe('reports', () => {
  let stage: ApiStage;
  const { sql, answer, board, ranked, rerank, failed, observe } = reportScene(() => stage);
  beforeAll(async () => {
    stage = await apiStage({ env: withoutScheduler });
  });
  afterAll(() => stage.stop());

  describe('a board', () => {
    it('says rank, score and moves of 24 hours and 7 days; who is new has not moved by 0', async () => {
      const of = await makeBoard(sql());
      const [a, b, c] = [makeUser(), makeUser(), makeUser()];
      await ranked(of, { user: a, score: 3 });
      await ranked(of, { user: b, score: 2 });
      await ageHistory(sql(), of.id, 160);
      await ranked(of, { user: a, score: 1 });
      await ageHistory(sql(), of.id, 2);
      await ranked(of, { user: c, score: 0.5 });
      await ageHistory(sql(), of.id, 23);
      const lines = (page: Json) =>
        page.entries.map((e: Json) => [e.user_id, e.rank, e.score, e.rank_change_24h, e.rank_change_7d]);
      const page = await board(of);
      expect(page).toMatchObject({
        total: 3,
        unit: 's',
        lower_is_better: true,
        next_cursor: null,
        empty: null,
      });
      expect(lines(page)).toEqual([
        [c.id, 1, 0.5, 'new', 'new'],
        [a.id, 2, 1, -1, 0],
        [b.id, 3, 2, -1, -2],
      ]);
      await ageHistory(sql(), of.id, 2);
      expect(lines(await board(of))[0]).toEqual([c.id, 1, 0.5, 0, 'new']);
      // As it was, with the moves of then.
      const then = ago(26).toISOString();
      const before = await board(of, { as_of: then });
      expect(lines(before)).toEqual([
        [a.id, 1, 1, 1, 'new'],
        [b.id, 2, 2, -1, 'new'],
      ]);
      expect(before).toMatchObject({ total: 2, as_of: then });
      // The page that existing clients ask for has the same of that time.
      const path = (asOf: string) => `/submissions/${of.name}/cpu?limit=5&as_of=${encodeURIComponent(asOf)}`;
      const past = (await stage.anyone.get(path(then))).json() as Json[];
      expect(past.map((e: Json) => [e.user_id, e.rank, e.submission_score])).toEqual([
        [a.id, 1, 1],
        [b.id, 2, 2],
      ]);
      const now = (await stage.anyone.get(`/submissions/${of.name}/cpu`)).json() as Json[];
      expect(now).toHaveLength(3);
      expect(Object.keys(past[0])).toEqual(Object.keys(now[0]));
      expect((await stage.anyone.get(path('2099-01-01T00:00:00Z'))).status).toBe(400);
      const older = await board(of, { as_of: ago(300).toISOString() });
      expect(older).toMatchObject({ total: 0, entries: [], empty: { code: 'nobody-ranked-then' } });
      expect(older.empty.detail).toMatch(/the first entry that is known came at 20\d\d-/);
    });

    it('is that of a midnight long ago, and that of a Monday before a year, without moves', async () => {
      const of = await makeBoard(sql());
      await ranked(of, { score: 3 });
      await ageHistory(sql(), of.id, 24 * 900);
      const then = async (days: number) => {
        const page = await board(of, { as_of: ago(24 * days).toISOString() });
        const [entry] = page.entries;
        return [new Date(page.as_of), entry.rank_change_24h, entry.rank_change_7d] as const;
      };
      const [day, ...moves] = await then(100);
      expect([day.getTime() % 86_400_000, ...moves]).toEqual([0, 0, 0]);
      const [monday, ...none] = await then(800);
      expect([monday.getTime() % 86_400_000, monday.getUTCDay(), ...none]).toEqual([0, 1, null, null]);
    });

    it('has windows that are null until they are covered, and not 0', async () => {
      const remeasure = { top: 5, everyHours: 1 };
      const of = await setRule(sql(), await makeBoard(sql()), { windows: true, remeasure, minimumRuns: 2 });
      const id = await ranked(of, { score: 4 });
      const windows = async () => {
        const [entry] = (await board(of)).entries;
        return [entry.score, entry.recent, entry.steady, entry.anchor, entry.provisional];
      };
      expect(await windows()).toEqual([4, null, null, null, true]);
      await ageMeasurements(sql(), id, 25);
      await observe(id, 2, ago(1));
      await rerank(of);
      expect(await windows()).toEqual([2, 2, null, null, false]);
      expect((await answer('models', { leaderboard: of.name })).models[0]).toMatchObject({
        recent: 2,
        steady: null,
        anchor: null,
      });
    });

    it('shows nobody twice and leaves nobody out while others come, and its total is that of all pages', async () => {
      const of = await makeBoard(sql());
      const people: Person[] = [];
      for (let i = 0; i < 5; i++) {
        people.push(makeUser());
        await ranked(of, { user: people.at(-1) as Person, score: i < 3 ? 2 : 3 + i });
      }
      const seen: [string, number, number][] = [];
      let cursor: string | null = null;
      do {
        const page: Json = await board(of, { limit: 2, ...(cursor && { cursor }) });
        seen.push(
          ...page.entries.map((e: Json): [string, number, number] => [e.user_id, e.rank, page.total]),
        );
        await ranked(of, { score: 1 });
        await ranked(of, { user: people[4] as Person, score: 0.9 });
        cursor = page.next_cursor;
      } while (cursor);
      expect(seen).toEqual(people.map((person, i) => [person.id, i < 3 ? 1 : i + 1, 5]));
    });

    it('names who is not ranked, newest first, with the cause and what to do', async () => {
      const of = await makeBoard(sql(), { gpus: ['CPU', 'H100'] });
      const [wrong, waits, out] = [makeUser(), makeUser(), makeUser()];
      await ranked(of, { score: 1 });
      const [first, last] = [await failed(of, wrong), await ranked(of, { user: out, score: 2 })];
      await setSubmissionInvalid(sql(), last, { by: 'olga', reason: 'copied from somewhere' });
      const second = await submit(sql(), of, { user: waits, gpus: ['CPU'] });
      const query = { standing: 'not-ranked', limit: 2 };
      const page = await board(of, query);
      const lines = (it: Json) =>
        it.entries.map((e: Json) => [e.submission_id, e.rank, e.score, e.reason.code]);
      expect(lines(page)).toEqual([
        [second, null, null, 'waiting'],
        [last, null, null, 'submission-invalid'],
      ]);
      expect(page.entries[1].reason).toMatchObject({ next: 'Ask an organiser why.', phase: 'ranking' });
      // One who is on this page, and one who is on the next, send something meanwhile.
      await failed(of, waits);
      await failed(of, wrong);
      const rest = await board(of, { ...query, cursor: page.next_cursor });
      expect(lines(rest)).toEqual([[first, null, null, 'wrong']]);
      expect([page.total, rest.total, rest.next_cursor]).toEqual([3, 3, null]);
      const refused = await stage.anyone.get(
        reportPath('leaderboard', {
          leaderboard: of.name,
          standing: 'not-ranked',
          as_of: '2026-01-01T00:00:00Z',
        }),
      );
      expect([refused.status, refused.json().detail]).toEqual([
        400,
        expect.stringContaining('known of now alone'),
      ]);
    });

    it('is one for every track: categories and composites, too', async () => {
      const plain = await makeBoard(sql(), {
        gpus: ['CPU', 'H100'],
        task: { benchmarks: ['n: 1; seed: 1', 'n: 2; seed: 1'] },
      });
      const of = await setRule(sql(), plain, {
        categories: ['language', 'shape'],
        composites: [
          {
            name: 'both',
            members: [
              { gpu: 'CPU', weight: 0.5 },
              { gpu: 'H100', weight: 0.5 },
            ],
          },
        ],
      });
      const [a, b] = [makeUser(), makeUser()];
      await ranked(of, { user: a, gpus: ['CPU', 'H100'], meansS: [4, 9], score: 4, code: 'import triton\n' });
      await ranked(of, { user: b, gpus: ['CPU'], meansS: [1, 2], score: 1 });
      const both = await board(of, { track: 'BOTH' });
      expect(both).toMatchObject({ track: 'both', total: 1, entries: [{ user_id: a.id, rank: 1 }] });
      expect(both.entries[0].score).toBeCloseTo(4, 9);
      expect(both.tracks).toEqual(
        expect.arrayContaining(['CPU', 'H100', 'both', 'CPU / Triton', 'CPU / shape 2']),
      );
      expect((await board(of, { track: 'both', standing: 'not-ranked' })).entries).toMatchObject([
        { user_id: b.id, reason: { code: 'member-missing', cause: 'there is no ranked entry on H100' } },
      ]);
      const shape = await board(of, { track: 'CPU / shape 2' });
      expect(shape.entries.map((e: Json) => [e.user_id, e.score])).toEqual([
        [b.id, 2],
        [a.id, 9],
      ]);
      expect((await board(of, { track: 'CPU / Triton' })).entries).toMatchObject([
        { user_id: a.id, rank: 1 },
      ]);
    });
  });

  describe('entries', () => {
    it('come newest first with the values of every benchmark, and their total is that of all pages', async () => {
      const of = await makeBoard(sql(), { task: { benchmarks: ['n: 10; seed: 2', 'n: 20; kind: odd'] } });
      const user = makeUser();
      const ids: number[] = [];
      for (const score of [3, 2, 4]) ids.push(await ranked(of, { user, meansS: [score, 2 * score] }));
      const lines = (page: Json) =>
        page.models.map((m: Json) => [m.submission_id, m.score, m.reason?.code ?? m.rank]);
      const first = await answer('models', { leaderboard: of.name, limit: 2 });
      expect(lines(first)).toEqual([
        [ids[2], 4, 'behind-own'],
        [ids[1], 2, 1],
      ]);
      await ranked(of, { user: makeUser(), score: 1 });
      const second = await answer('models', { leaderboard: of.name, limit: 2, cursor: first.next_cursor });
      expect(lines(second)).toEqual([[ids[0], 3, 'behind-own']]);
      expect([first.total, second.total, second.next_cursor]).toEqual([3, 3, null]);
      expect(first.models[1]).toMatchObject({
        runs: 1,
        successful: 1,
        value: 2,
        secret_score: null,
        status: 'done',
      });
      expect(first.models[1].shapes).toMatchObject([
        { shape: 1, params: { n: 10, seed: 2 }, value: 2 },
        { shape: 2, params: { n: 20, kind: 'odd' }, value: 4 },
      ]);
      expect((await answer('models', { leaderboard: of.name, user: user.id })).total).toBe(3);
    });

    it('have figures, in which 0 is a value and the latest is so by time and number', async () => {
      const of = await makeBoard(sql(), { task: { benchmarks: ['n: 1; seed: 1', 'n: 2; seed: 1'] } });
      const id = await ranked(of, { meansS: [2, 1], metrics: { stalls: 6 } });
      const at = ago(-1);
      for (const [score, stalls] of [
        [0, 0],
        [8, 3],
      ] as const)
        await observe(id, score, at, { stalls });
      // Written last, and measured before them.
      await observe(id, 5, ago(2));
      const [cpu] = (await answer(`models/${id}/stats`)).gpus;
      expect(cpu).toMatchObject({
        gpu: 'CPU',
        rank: 1,
        runs: 4,
        successful: 4,
        repetitions: 3,
        values: 4,
        secret: null,
      });
      expect(cpu).toMatchObject({ mean: 3.75, low: 0, high: 8, latest: 8, best_shape: 2, worst_shape: 1 });
      expect(cpu.shapes[1]).toMatchObject({ shape: 2, params: { n: 2, seed: 1 }, values: 1, mean: 1 });
      const metric = await answer(`models/${id}/stats`, { metric: 'stalls' });
      expect(metric.gpus[0]).toMatchObject({ runs: 4, values: 3, mean: 3, low: 0, high: 6, latest: 3 });
      expect(metric).toMatchObject({ lower_is_better: null, empty: null });
      const raw = await answer('predictions', { id, metric: 'stalls' });
      expect(raw.observations.map((o: Json) => [o.kind, o.value, o.counts])).toEqual([
        ['repetition', 3, false],
        ['repetition', 0, false],
        ['own', 6, true],
        ['repetition', null, false],
      ]);
      const zero = (await answer('predictions', { id })).observations[1];
      expect([zero.value, zero.shapes[0].value]).toEqual([0, 0]);
      const own = (await answer('models', { leaderboard: of.name, metric: 'stalls' })).models[0];
      expect([own.value, own.runs]).toEqual([6, 4]);
    });

    it('are seen over time, in no more points than were asked for, every observation counted', async () => {
      const of = await makeBoard(sql());
      const user = makeUser();
      const id = await ranked(of, { user, score: 2, metrics: { stalls: 1 } });
      await ageMeasurements(sql(), id, 100);
      await sql()`
        insert into hotlap.measurements (submission_id, leaderboard_id, user_id, gpu_type, secret, task_version_id, remeasure,
          passed, score, case_seconds, metrics, measured_at)
        select m.submission_id, m.leaderboard_id, m.user_id, m.gpu_type, false, m.task_version_id, n, true, n, array[n::float8],
          jsonb_build_object('stalls', n), now() - make_interval(mins => 301 - n)
        from hotlap.measurements m, generate_series(1, 300) n
        where m.submission_id = ${id} and not m.secret and m.remeasure is null`;
      const span = { from: ago(5).toISOString(), points: 10 };
      const params = await answer('models/params', { leaderboard: of.name, ...span });
      const [series] = params.series;
      expect(series).toMatchObject({
        submission_id: id,
        user_id: user.id,
        shape: 1,
        params: { n: 10, seed: 2 },
      });
      expect(series.points.length).toBeLessThanOrEqual(10);
      expect(series.points.length).toBeGreaterThan(8);
      const counted = series.points.reduce((sum: number, point: Json) => sum + point.samples, 0);
      expect([params.samples, counted]).toEqual([counted, params.samples]);
      expect(params.samples).toBeGreaterThan(290);
      for (const point of series.points) {
        expect(point.value).toBe(point.high);
        expect(point.high - point.low).toBe(point.samples - 1);
        expect(point.mean).toBeCloseTo((point.low + point.high) / 2, 9);
      }
      const metric = await answer('models/global', { leaderboard: of.name, metric: 'stalls', ...span });
      expect(metric.series[0].points.at(-1)).toMatchObject({ value: 300, submission_id: id });
      // What the board made of it: one score that has stood since it came.
      await ageHistory(sql(), of.id, 90);
      const better = await ranked(of, { user, score: 1 });
      const scores = await answer('models/global', { leaderboard: of.name, ...span });
      expect(scores.series[0].points.map((p: Json) => [p.value, p.submission_id, p.until === null])).toEqual([
        [2, id, false],
        [1, better, true],
      ]);
      expect(scores.series[0].points[0].at).toBe(scores.from);
      const history = await answer(`models/${id}/history`);
      expect(history).toMatchObject({ total: 1, states: [{ track: 'CPU', rank: 1, score: 2 }], empty: null });
      expect(history.states[0].until).not.toBe(null);
    });

    it('have observations page by page, those of repetitions and applied rejudges among them', async () => {
      const of = await makeBoard(sql());
      const id = await ranked(of, { score: 1 });
      for (let i = 0; i < 4; i++) await observe(id, 2 + i, ago(5 - i));
      const [rejudge] = await sql()<{ id: number }[]>`
        insert into hotlap.rejudges (leaderboard_id, task_version_id, scope, status, requested_by)
        values (${of.id}, ${of.taskVersionId}, '{"kind": "all"}', 'ready', 'olga') returning id`;
      await sql()`
        insert into hotlap.measurements (submission_id, leaderboard_id, user_id, gpu_type, secret, task_version_id, rejudge_id,
          passed, score, measured_at)
        select submission_id, leaderboard_id, user_id, gpu_type, false, task_version_id, ${rejudge?.id ?? 0}, true, 77, now()
        from hotlap.measurements where submission_id = ${id} and not secret and remeasure is null`;
      const kinds = async () =>
        (await answer('predictions', { id })).observations.map((o: Json) => `${o.kind} ${o.value}`);
      const before = ['own 1', 'repetition 5', 'repetition 4', 'repetition 3', 'repetition 2'];
      expect(await kinds()).toEqual(before);
      await sql()`update hotlap.rejudges set status = 'applied' where id = ${rejudge?.id ?? 0}`;
      expect((await kinds()).sort()).toEqual([...before, 'rejudge 77'].sort());
      const seen: number[] = [];
      let cursor: string | null = null;
      do {
        const page: Json = await answer('predictions', { id, limit: 2, ...(cursor && { cursor }) });
        seen.push(...page.observations.map((o: Json) => o.id));
        expect(page.total).toBe(6);
        if (seen.length < 4) await observe(id, 50, ago(-1));
        cursor = page.next_cursor;
      } while (cursor);
      expect([seen.length, new Set(seen).size]).toEqual([6, 6]);
    });
  });

  it('that are empty say why, and what there is', async () => {
    const of = await makeBoard(sql());
    const why = async (report: string, query: Query) => {
      const { empty } = await answer(report, { leaderboard: of.name, ...query });
      return [empty?.code, empty?.metrics];
    };
    for (const report of ['leaderboard', 'models', 'models/global', 'models/params']) {
      expect([report, ...(await why(report, {}))]).toEqual([report, 'no-submissions', undefined]);
    }
    const user = makeUser();
    const wrong = await failed(of, user);
    for (const report of ['leaderboard', 'models/global', 'models/params'])
      expect([report, ...(await why(report, {}))]).toEqual([report, 'nobody-ranked', undefined]);
    expect(await why('leaderboard', { standing: 'not-ranked' })).toEqual([undefined, undefined]);
    expect(await why(`models/${wrong}/history`, {})).toEqual(['never-ranked', undefined]);
    expect(await why('predictions', { id: wrong, passed: 'true' })).toEqual(['no-such-runs', undefined]);
    const id = await ranked(of, { user, metrics: { stalls: 1, shape_0_ttft: 2, shape_1_ttft: 3 } });
    expect(await why('leaderboard', { standing: 'not-ranked' })).toEqual(['all-ranked', undefined]);
    const metrics = ['shape_0_ttft', 'shape_1_ttft', 'stalls'];
    for (const report of ['models', 'models/global', `models/${id}/stats`])
      expect([report, ...(await why(report, { metric: 'speed' }))]).toEqual([
        report,
        'unknown-metric',
        metrics,
      ]);
    expect(await why('predictions', { id, metric: 'speed' })).toEqual(['unknown-metric', metrics]);
    expect(await why('models/params', { metric: 'stalls' })).toEqual(['unknown-metric', ['ttft']]);
    const shapes = await answer('models/params', { leaderboard: of.name, metric: 'ttft' });
    expect(shapes.series.map((s: Json) => [s.shape, s.points[0].value])).toEqual([
      [1, 2],
      [2, 3],
    ]);
    const past = { from: '2020-01-01T00:00:00Z', to: '2020-02-01T00:00:00Z' };
    for (const report of ['models/global', 'models/params'])
      expect([report, ...(await why(report, past))]).toEqual([report, 'window-not-covered', undefined]);
    expect(await why('models/global', { ...past, metric: 'stalls' })).toEqual([
      'window-not-covered',
      undefined,
    ]);
    expect(await why('models/global', { user: 'nobody' })).toEqual(['never-ranked', undefined]);
    expect(await why('models', { user: 'nobody' })).toEqual(['no-submissions', undefined]);
    const unknown = await stage.anyone.get(reportPath('leaderboard', { leaderboard: 'nowhere' }));
    expect([unknown.status, unknown.json().detail]).toEqual([
      404,
      expect.stringContaining('There is no leaderboard `nowhere`'),
    ]);
  });
});
