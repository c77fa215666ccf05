/**
 * Runs over HTTP and by organisers, for real: a file on a box without a board, an answer that is known already, a
 * known-good run on boxes of which two are broken, who sees what of a run, and what judges think of it.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertBox, notifyBoxes } from '../../src/db/boxes.ts';
import { insertToken } from '../../src/db/tokens.ts';
import { saveUser } from '../../src/db/users.ts';
import { makeToken, tokenHash } from '../../src/domain/account.ts';
import { evenLanes } from '../../src/domain/box.ts';
import type { ApiClient } from '../support/api-client.ts';
import { type ApiStage, apiStage, cliUpload } from '../support/api-stage.ts';
import { labSubmissions, writeLabProblems } from '../support/lab-problems.ts';
import { textOf } from '../support/playground-message.ts';

const DEADLINE_MS = 120_000;
const JUDITH = '1100000000000000406';

describe('runs', () => {
  let stage: ApiStage;
  beforeAll(async () => {
    stage = await apiStage({
      env: { HOTLAP_LOCAL_BOX: 'on', HOTLAP_LOCAL_GPU: 'CPU' },
      prepareProblems: async (directory) => {
        await writeLabProblems(directory);
        await mkdir(join(directory, 'lab/doubling/solutions'));
        await writeFile(join(directory, 'lab/doubling/solutions/plain.py'), labSubmissions.good);
      },
    });
  });
  afterAll(() => stage.stop());

  const run = (text: string, query = '', name = 'a.py') =>
    stage.admin.call('POST', `/admin/runs?${query}`, cliUpload(name, text));
  /** The run as the client sees it, once it has ended. */
  async function ended(id: number, client: ApiClient = stage.admin) {
    for (const end = Date.now() + DEADLINE_MS; Date.now() < end; ) {
      const detail = (await client.get(`/runs/${id}`)).json();
      if (detail.finished_at) return detail;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`run ${id} did not end`);
  }
  const refusal = async (call: Promise<{ status: number; json(): { detail: string } }>) => {
    const answer = await call;
    return [answer.status, answer.json().detail] as const;
  };
  const audited = async (action: string) =>
    (await stage.admin.get(`/admin/audit?action=${encodeURIComponent(action)}`)).json().entries;

  it('of a program on its own show what it wrote, and how it ended', async () => {
    const greeting = await run('import sys\nprint("hello", __name__)\nprint("oh", file=sys.stderr)\n');
    expect(greeting.json()).toMatchObject({ status: 'accepted', answered_from: null });
    const good = await ended(greeting.json().id);
    expect(good).toMatchObject({ status: 'done', leaderboard: null, mode: 'test', gpus: ['CPU'] });
    // It runs once: no warm-up.
    expect(good.stages.map((item: { stage: string }) => item.stage)).toEqual(['test']);
    expect(good.stages[0]).toMatchObject({ stdout: 'hello __main__\n', stderr: 'oh\n', passed: true });

    // What is run where no problem has a known-good file.
    const known = await readFile('deploy/box/program/known_good.py', 'utf8');
    expect(await ended((await run(known)).json().id)).toMatchObject({ status: 'done' });

    const bad = await ended((await run('raise SystemExit(3)\n')).json().id);
    expect(bad.status).toBe('failed');
    expect(JSON.stringify(bad.stages[0].failure)).toContain('exit code 3');
    const [entry] = await audited('admin run');
    expect(entry).toMatchObject({ subject: `run ${bad.id}`, actor: { id: 'HOTLAP_ADMIN_TOKEN' } });
  });

  it('are refused with a sentence where nothing could run them', async () => {
    expect(await refusal(run('x', 'gpu=B300'))).toEqual([
      400,
      'No box serves the GPU type `B300`. Boxes serve: CPU.',
    ]);
    expect((await refusal(run('x', 'mode=leaderboard')))[1]).toContain('ranks nothing: use test');
    expect((await refusal(run('', '')))[1]).toContain('is empty');
    expect((await refusal(run('x', 'problem=nowhere')))[0]).toBe(404);
    expect((await run('x', 'fresh=perhaps')).status).toBe(422);
  });

  it('that are known already are answered from the store with their age, unless they are to be fresh', async () => {
    const first = (await run(labSubmissions.good, 'problem=lab&mode=test')).json();
    const detail = await ended(first.id);
    expect(
      detail.stages.map((item: { stage: string; passed: boolean }) => [item.stage, item.passed]),
    ).toEqual([
      ['warm-up', true],
      ['test', true],
    ]);
    expect(detail.organiser.jobs).toEqual([
      {
        gpu: 'CPU',
        secret: false,
        box: expect.any(String),
        configuration: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    ]);
    const again = (await run(labSubmissions.good, 'problem=LAB', 'b.py')).json();
    expect(again).toEqual({
      status: 'stored',
      id: first.id,
      answered_from: {
        id: first.id,
        finished_at: detail.finished_at,
        age_seconds: expect.any(Number),
        label: `answered from run #${first.id}, less than a minute ago`,
      },
    });
    const other = (await run(`${labSubmissions.good}#\n`, 'problem=lab')).json();
    expect(other.status).toBe('accepted');
    const fresh = (await run(labSubmissions.good, 'problem=lab&fresh=true')).json();
    expect(fresh.status).toBe('accepted');
    expect(fresh.id).not.toBe(first.id);
    await ended(fresh.id);
    // Whatever is timed runs every time.
    expect((await run(labSubmissions.good, 'problem=lab&mode=benchmark')).json().status).toBe('accepted');

    const { admin } = stage.running.users;
    const file = { name: 'a.py', bytes: labSubmissions.good };
    const told = await (await admin.slash('/admin run', { file, problem: 'lab' })).answer();
    expect(told.content).toContain(`Answered from run #${fresh.id}`);
    expect(told.embeds[0]?.title).toBe(`Passed · #${fresh.id}`);
    const handle = await admin.slash('/admin run', { file, problem: 'lab', fresh: true });
    const result = await handle.waitFor((message) => (message.embeds[0]?.title ?? '').startsWith('Passed'), {
      timeoutMs: DEADLINE_MS,
    });
    expect(textOf(result)).toContain('on **no board**');
  });

  it('of participants always run, and answer organisers; the same code is told to organisers alone', async () => {
    const code = `${labSubmissions.good}# of alice\n`;
    const send = async () =>
      (await stage.alice.call('POST', '/submission/lab/CPU/test', cliUpload('mine.py', code))).json().details
        .id;
    const [one, two] = [await send(), await send()];
    expect(two).not.toBe(one);
    await ended(one);
    const detail = await ended(two);
    expect((await run(code, 'problem=lab')).json()).toMatchObject({ status: 'stored', id: two });
    expect(detail.organiser.same_code).toMatchObject({ total: 1, runs: [{ id: one, leaderboard: 'lab' }] });

    const own = (await stage.alice.get(`/runs/${two}`)).json();
    expect([own.own.code, own.organiser]).toEqual([code, null]);
    expect(own.stages.at(-1).result['test-count']).toBe('2');
    for (const client of [stage.bob, stage.anyone]) {
      const others = (await client.get(`/runs/${two}`)).json();
      expect(others).toMatchObject({
        id: two,
        user_name: 'alice',
        status: 'done',
        own: null,
        organiser: null,
      });
      expect(others.stages.at(-1)).toMatchObject({ stage: 'test', passed: true, stdout: null, result: null });
      expect(JSON.stringify(others)).not.toContain('of alice');
    }
    const list = (await stage.anyone.get('/runs?leaderboard=lab&mode=test')).json();
    expect(list).toMatchObject({ total: 2, next: null });
    expect(list.items.map((item: { id: number }) => item.id)).toEqual([two, one]);
    const page = (await stage.anyone.get('/runs?leaderboard=lab&mode=test&limit=1')).json();
    expect(page).toMatchObject({ total: 2, items: [{ id: two }] });
    const rest = (
      await stage.anyone.get(`/runs?leaderboard=lab&mode=test&limit=1&cursor=${page.next}`)
    ).json();
    expect(rest).toMatchObject({ total: 2, items: [{ id: one }], next: null });
    // Runs without a board are of organisers.
    expect((await stage.bob.get('/runs')).json().total).toBe(2);
    expect((await stage.admin.get('/runs')).json().total).toBeGreaterThan(5);
    const [unknown] = (await stage.admin.get('/runs?limit=1&order=finished')).json().items;
    expect((await stage.bob.get(`/runs/${unknown.id}`)).status).toBe(unknown.leaderboard ? 200 : 404);
  });

  it.each([
    ['limit=0', 400],
    ['limit=101', 400],
    ['cursor=bogus', 400],
    [`cursor=${Buffer.from('["x",{"id":1,"finishedAt":null}]').toString('base64url')}`, 400],
    ['min_score=NaN', 400],
    ['max_score=quick', 400],
    ['since=yesterday', 400],
    ['since=2026-02-31', 400],
    ['status=asleep', 422],
    ['leaderboard=nowhere', 404],
  ])('asked for by %s are refused with %d', async (query, status) => {
    const [found, detail] = await refusal(stage.anyone.get(`/runs?${query}`));
    expect(found).toBe(status);
    expect(detail.length).toBeGreaterThan(10);
  });

  it('are scored by judges alone, under their own names, and a score of 0 is one', async () => {
    const { sql } = stage.running.app;
    const judge = await personOf({ id: JUDITH, name: 'judith' });
    const rule = { scorers: [{ name: 'style', required: false }] };
    await stage.running.app.sql`
      update hotlap.leaderboards set ranking = ${sql.json(rule)} where name = 'lab-two-gpus'`;
    const send = async (client: ApiClient, mode: string) =>
      (
        await client.call(
          'POST',
          `/submission/lab-two-gpus/CPU/${mode}`,
          cliUpload('s.py', labSubmissions.good),
        )
      ).json().details.id as number;
    const id = await send(stage.alice, 'leaderboard');
    const score = (client: ApiClient, value: unknown, more: object = {}, run = id) =>
      client.send('POST', `/runs/${run}/score`, { scorer: 'style', value, reason: 'neat', ...more });
    expect((await refusal(score(judge, 0.5)))[0]).toBe(409);
    await ended(id);

    expect((await refusal(score(stage.alice, 0.5)))[1]).toContain('Judges give scores');
    expect((await refusal(score(stage.anyone, 0.5)))[0]).toBe(400);
    expect((await refusal(score(stage.admin, 0.5)))[0]).toBe(400);
    for (const value of ['NaN', 'Infinity', null, undefined, '0.5', 1.01, -0.01, [0.5]]) {
      const [status, detail] = await refusal(score(judge, value));
      expect([value, status, detail]).toEqual([value, 400, expect.stringContaining('Give a number from 0')]);
    }
    expect((await refusal(score(judge, 0.5, { scorer: 'beauty' })))[1]).toContain('It has: style');
    expect((await refusal(score(judge, 0.5, { reason: ' ' })))[0]).toBe(400);
    expect((await refusal(score(judge, 0.5, {}, 999_999)))[0]).toBe(404);

    // Whoever is named in the body judges nothing.
    const named = { judge_id: 'bob', judgeId: 'bob', user_id: 'bob', judge: { id: 'bob', name: 'bob' } };
    expect((await score(judge, 0.75, named)).json()).toMatchObject({ status: 'ok', replaced: null });
    const zero = (await score(judge, 0)).json();
    expect(zero.replaced).toBe(0.75);
    const given = zero.human_scores.map((item: Record<string, unknown>) => [
      item.value,
      (item.judge as { id: string }).id,
      item.superseded_at === null,
    ]);
    expect(given).toEqual([
      [0, JUDITH, true],
      [0.75, JUDITH, false],
    ]);
    expect((await score(judge, 0)).json().replaced).toBe(0);
    const own = (await stage.alice.get(`/runs/${id}`)).json();
    expect(own.own.human_scores[0]).toMatchObject({ scorer: 'style', value: 0, reason: 'neat' });
    // Of secret runs even the owner sees no output, and others not that there were any.
    const secret = own.stages.filter((item: { secret: boolean }) => item.secret);
    expect(secret.length).toBe(3);
    for (const item of secret) expect(item).toMatchObject({ stdout: null, stderr: null, result: null });
    expect(own.own.scores[0].secret_score).toBeGreaterThan(0);
    const others = (await stage.bob.get(`/runs/${id}`)).json();
    expect(others.stages.some((item: { secret: boolean }) => item.secret)).toBe(false);
    expect(others.scores).toEqual([{ gpu: 'CPU', score: own.own.scores[0].public_score }]);
    expect(JSON.stringify(others)).not.toContain('neat');
    const [entry] = await audited('judge score');
    expect(entry).toMatchObject({ actor: { id: JUDITH, door: 'api' }, after: { value: 0 }, reason: 'neat' });

    const mine = await send(judge, 'test');
    await ended(mine);
    expect((await refusal(score(judge, 1, {}, mine)))[0]).toBe(409);
  });

  async function personOf(user: { id: string; name: string }): Promise<ApiClient> {
    const { sql } = stage.running.app;
    const token = makeToken();
    await saveUser(sql, user);
    await insertToken(sql, { kind: 'personal', sha256: tokenHash(token), userId: user.id, name: 'test' });
    return stage.anyone.as({ 'x-popcorn-cli-id': token });
  }

  it('that are known to be good tell which box is in order and which is not, in one message', async () => {
    const { sql } = stage.running.app;
    const lanes = { lanes: evenLanes(['CPU'], 1), wholeTypes: [], probe: null };
    const nowhere = { host: '127.0.0.1', port: 1, username: 'nobody', hostKey: 'SHA256:x' };
    const here = { host: null, port: null, username: null, hostKey: null };
    await insertBox(sql, { name: 'away', kind: 'ssh', ...nowhere, ...lanes });
    // An engine that this machine lacks, or an image that it does not have.
    const sandbox = { engine: 'podman', image: 'hotlap.invalid/none:1' } as const;
    await insertBox(sql, { name: 'bare', kind: 'local', ...here, ...lanes, sandbox });
    await insertBox(sql, { name: 'parked', kind: 'ssh', ...nowhere, ...lanes });
    await sql`update hotlap.boxes set state = 'draining' where name = 'parked'`;
    await notifyBoxes(sql);

    const { admin } = stage.running.users;
    const handle = await admin.slash('/admin verify', { problem: 'lab' });
    const last = await handle.waitFor((message) => /in order|failed/.test(message.embeds[0]?.title ?? ''), {
      timeoutMs: DEADLINE_MS,
    });
    expect(last.embeds[0]?.title).toBe('2 failed, 1 in order');
    const lines = (last.embeds[0]?.description ?? '').split('\n');
    const line = (name: string) => lines.find((text) => text.includes(`**${name}**`)) ?? '';
    const reason = (name: string) => lines[lines.indexOf(line(name)) + 1];
    expect(line('away')).toMatch(/^❌ \*\*away\*\* · CPU · lab/);
    expect(reason('away')).toMatch(/^> .*127\.0\.0\.1/);
    expect(line('bare')).toMatch(/^❌ \*\*bare\*\* · CPU · lab · #\d+ · /);
    expect(reason('bare')).toMatch(/^> .*podman/);
    expect(line('local')).toMatch(
      /^✅ \*\*local\*\* · CPU · lab · #\d+ · \S+ m?s in all · \*\*\S+ [mµ]?s\*\* a call$/,
    );
    expect(line('parked')).toMatch(/^➖ \*\*parked\*\* · CPU · lab · gets no jobs: draining$/);
    // One message, edited while it went on.
    const titles = handle.history().map((message) => message.embeds[0]?.title);
    expect(titles).toContain('A known-good run on each box');
    const [entry] = await audited('admin verify');
    expect(entry.after.runs.length).toBeGreaterThan(0);

    const started = await stage.admin.call('POST', '/admin/verify?box=local&problem=lab');
    expect(started.status).toBe(202);
    const [{ id }] = started.json().runs;
    expect(await ended(id)).toMatchObject({ status: 'done', door: 'verify', mode: 'benchmark' });
    expect((await refusal(stage.admin.call('POST', '/admin/verify?problem=nowhere')))[0]).toBe(404);
    expect((await refusal(stage.admin.call('POST', '/admin/verify?box=nowhere')))[0]).toBe(404);
  });
});
