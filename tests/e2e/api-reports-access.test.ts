/** Who may see what of reports, and how each refusal reads. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerTo } from '../../src/api/errors.ts';
import type { Db } from '../../src/db/client.ts';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { readReport } from '../../src/db/report-reading.ts';
import { type Person, passedRun, setRule } from '../db/ranking-scene.ts';
import { failedWith, makeBoard, submit } from '../db/scene.ts';
import { type ApiStage, apiStage, withoutScheduler } from '../support/api-stage.ts';
import { type Json, type Query, reportPath, reportScene } from './report-scene.ts';

describe('reports', () => {
  let stage: ApiStage;
  let alice: Person;
  const { sql, answer, board, ranked, failed, end } = reportScene(() => stage);
  beforeAll(async () => {
    stage = await apiStage({ env: withoutScheduler });
    const [row] = await sql()<Person[]>`select id, name from hotlap.users where name = 'alice'`;
    if (!row) throw new Error('the stage has alice');
    alice = row;
  });
  afterAll(() => stage.stop());

  describe('what is not for everybody', () => {
    const SECRET = 0.123456789;
    const WORDS = 'words-of-a-failing-run';
    const everything = (of: LeaderboardWithTask, ids: number[]) => [
      reportPath('leaderboard', { leaderboard: of.name }),
      reportPath('leaderboard', { leaderboard: of.name, standing: 'not-ranked' }),
      reportPath('models', { leaderboard: of.name }),
      reportPath('models/global', { leaderboard: of.name }),
      reportPath('models/params', { leaderboard: of.name }),
      ...ids.flatMap((id) => [
        reportPath(`models/${id}/stats`, {}),
        reportPath(`models/${id}/history`, {}),
        reportPath('predictions', { id }),
        reportPath('models/params', { leaderboard: of.name, id }),
      ]),
    ];

    it('stays with its owner and organisers: secret scores and runs, and the words of failures', async () => {
      const of = await setRule(sql(), await makeBoard(sql()), {
        score: 'secret',
        windows: true,
        remeasure: { top: 1, everyHours: 1 },
      });
      const good = await ranked(of, { user: alice, score: 3, secretScore: SECRET });
      await ranked(of, { score: 3, secretScore: SECRET + 1 });
      const bad = await failed(of, alice, WORDS);
      for (const client of [stage.anyone, stage.bob]) {
        for (const url of everything(of, [good, bad])) {
          const { status, text } = await client.get(url);
          expect([url, status]).toEqual([url, 200]);
          expect([url, /1\.?23456|words-of/.exec(text)]).toEqual([url, null]);
        }
      }
      // Nor is it in a cursor, which says to its reader where a page ended.
      const page = await board(of, { limit: 1 });
      expect(page.entries[0].score).toBe(null);
      expect(Buffer.from(page.next_cursor, 'base64url').toString()).not.toMatch(/23456/);
      const hidden = await answer('models/global', { leaderboard: of.name });
      expect(hidden).toMatchObject({ samples: 0, empty: { code: 'scores-hidden' } });
      for (const client of [stage.alice, stage.website, stage.admin]) {
        expect((await answer('models', { leaderboard: of.name }, client)).models).toMatchObject([
          { submission_id: bad, secret_score: null },
          {},
          { submission_id: good, secret_score: SECRET },
        ]);
        const [cpu] = (await answer(`models/${good}/stats`, {}, client)).gpus;
        expect(cpu.secret).toMatchObject({ runs: 1, successful: 1, mean: SECRET });
        const raw = await answer('predictions', { id: good }, client);
        expect(raw.observations.map((o: Json) => [o.secret, o.value, o.shapes.length])).toEqual([
          [true, SECRET, 0],
          [false, 3, 1],
        ]);
        const [failure] = (await answer('predictions', { id: bad, passed: 'false' }, client)).observations;
        expect(failure).toMatchObject({
          passed: false,
          value: null,
          failure: { kind: 'wrong', stage: 'test' },
        });
        expect(failure.failure.summary + failure.failure.detail).toContain(WORDS);
      }
      const [outside] = (await answer('predictions', { id: bad })).observations;
      expect(outside.failure).toEqual({ kind: 'wrong', stage: 'test', summary: null, detail: null });
    });

    it('hides the runs of a submission whose secret run failed, as its list does', async () => {
      const of = await makeBoard(sql());
      const id = await submit(sql(), of, { user: alice });
      await end(id, false, passedRun([3]), 3);
      expect(await answer('predictions', { id })).toMatchObject({ total: 0, empty: { code: 'no-runs' } });
      await end(id, true, failedWith(WORDS), null);
      const outside = await answer('predictions', { id });
      expect(outside.total).toBe(0);
      expect(outside.empty.detail).toContain('the secret run failed');
      expect((await answer('models', { leaderboard: of.name })).models).toMatchObject([
        { submission_id: id, runs: 0, value: null, shapes: [], reason: { code: 'secret-failed' } },
      ]);
      const inside = await answer('predictions', { id }, stage.alice);
      expect(inside.observations).toMatchObject([
        { secret: true, passed: false, failure: null },
        { secret: false, passed: true, value: 3 },
      ]);
    });

    it('keeps closed boards to their members and organisers, and other modes to their owners', async () => {
      const of = await makeBoard(sql());
      const [mine, test] = [
        await ranked(of, { user: alice }),
        await submit(sql(), of, { user: alice, mode: 'test' }),
      ];
      const other = await ranked(of);
      await sql()`update hotlap.leaderboards set visibility = 'closed' where id = ${of.id}`;
      for (const [client, refusal] of [
        [stage.anyone, 401],
        [stage.bob, 403],
      ] as const) {
        for (const url of everything(of, [mine, other, test, 9_999_999])) {
          const got = await client.get(url);
          expect([url, got.status]).toEqual([url, url.includes('leaderboard=') ? refusal : 404]);
          expect(typeof got.json().detail).toBe('string');
        }
      }
      for (const url of everything(of, [mine, other, test])) {
        expect([url, (await stage.admin.get(url)).status]).toEqual([url, 200]);
      }
      expect((await answer('predictions', { id: mine }, stage.alice)).total).toBe(2);
      expect((await answer('predictions', { id: test }, stage.alice)).empty.code).toBe('other-mode');
      expect((await stage.alice.get(reportPath('predictions', { id: other }))).status).toBe(404);
      await sql()`update hotlap.leaderboards set visibility = 'public' where id = ${of.id}`;
      expect((await stage.bob.get(reportPath('predictions', { id: test }))).status).toBe(404);
      const wrong = stage.anyone.as({ authorization: 'Bearer wrong' });
      expect((await wrong.get(reportPath('leaderboard', { leaderboard: of.name }))).status).toBe(401);
    });
  });

  it('say of a board the unit and direction of its rule, as every other door does', async () => {
    const of = await setRule(sql(), await makeBoard(sql()), { weights: { measured: 1 }, reference: 1 });
    await ranked(of, { score: 3 });
    const page = await board(of);
    expect(page).toMatchObject({ unit: 'points', lower_is_better: false, entries: [{ score: 0.25 }] });
    const get = async (path: string) => (await stage.anyone.get(path)).json() as Json;
    expect((await get(`/runs?leaderboard=${of.name}`)).items).toMatchObject([
      { score_unit: 'points', scores: [{ gpu: 'CPU', score: 0.25 }] },
    ]);
    expect(await get(`/submissions/${of.name}/CPU`)).toMatchObject([{ submission_score: 0.25 }]);
    const listed = (await get('/leaderboards')).find((item: Json) => item.name === of.name);
    expect(listed.task).toMatchObject({ score_unit: 'points', score_ascending: false });
  });

  it('refuse what does not fit with a sentence, and never with an error of ours', async () => {
    const of = await makeBoard(sql());
    const id = await ranked(of);
    await ranked(of, { score: 3 });
    const { next_cursor: cursor } = await board(of, { limit: 1 });
    const l = { leaderboard: of.name };
    const odd = [
      'NaN',
      'Infinity',
      '-Infinity',
      '-1',
      '0',
      '1.5',
      '1e99',
      '99999999999999999999',
      '',
      'x',
      '\u0000',
    ];
    const moments = [
      'NaN',
      '-1',
      '2026-13-01T00:00:00Z',
      '+275760-09-13T00:00:01Z',
      'yesterday',
      '2026-01-01',
      '9999-12-31T23:59:59Z',
    ];
    const wishes: [string, Query][] = [
      ...odd.flatMap((limit): [string, Query][] => [
        ['leaderboard', { ...l, limit }],
        ['models', { ...l, limit }],
        [`models/${id}/history`, { limit }],
        ['predictions', { id, limit }],
        ['models/global', { ...l, top: limit }],
        ['models/params', { ...l, top: limit }],
        ['models/global', { ...l, points: limit }],
        ['predictions', { id: limit }],
        ['models/params', { ...l, id: limit }],
        [`models/${encodeURIComponent(limit) || '%20'}/stats`, {}],
        ['leaderboard', { ...l, cursor: limit }],
        ['models', { ...l, metric: `${limit}%` }],
        ['leaderboard', { ...l, track: limit }],
        ['models', { ...l, gpu: limit }],
        ['leaderboard', { leaderboard: limit }],
      ]),
      ...moments.map((as_of): [string, Query] => ['leaderboard', { ...l, as_of }]),
      ...moments.slice(0, -1).map((from): [string, Query] => ['models/global', { ...l, from }]),
      ['models/params', { ...l, from: '2026-02-01T00:00:00Z', to: '2026-02-01T00:00:00Z' }],
      ['leaderboard', { ...l, standing: 'best' }],
      ['leaderboard', { ...l, cursor, track: 'CPU', as_of: '2026-01-01T00:00:00Z' }],
      ['models', { ...l, cursor }],
      ['predictions', { id, cursor }],
      ['predictions', { id, passed: 'perhaps' }],
      ['predictions', {}],
      ['leaderboard', {}],
    ];
    for (const [report, query] of wishes) {
      const got = await stage.anyone.get(reportPath(report, query));
      const said = `${report} ${JSON.stringify(query)}: ${got.text}`;
      expect([400, 404, 422], said).toContain(got.status);
      expect(got.json().detail, said).toMatch(/\S/);
    }
    const forged = (place: object) =>
      Buffer.from(
        JSON.stringify([JSON.parse(Buffer.from(cursor, 'base64url').toString())[0], place]),
      ).toString('base64url');
    const gone = forged({ at: new Date().toISOString(), total: 2, submissionId: 999_999, seen: 1, rank: 1 });
    expect((await stage.anyone.get(reportPath('leaderboard', { ...l, cursor: gone }))).status).toBe(400);
  });

  it('are read without changing anything, and given up when that takes long: with a refusal', async () => {
    const slow = (tx: Db) =>
      tx`select set_config('statement_timeout', '50', true), 1`.then(() => tx`select pg_sleep(60)`);
    const timeout = await readReport(sql(), slow).catch((error: unknown) => answerTo(error, 'x'));
    expect(timeout).toMatchObject({ status: 503, isBug: false, retryAfterS: 5 });
    const limit = await readReport(sql(), (tx) => tx`show statement_timeout`);
    expect(limit[0]).toEqual({ statement_timeout: '8s' });
    const write = readReport(sql(), (tx) => tx`update hotlap.users set name = 'x'`);
    await expect(write).rejects.toMatchObject({ code: '25006' });
  });
});
