/** What organisers do over HTTP, and what it means for everybody else. */
import { execFile } from 'node:child_process';
import { appendFile, cp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { judge } from '../db/rejudge-stage.ts';
import { makeBox, passedWith } from '../db/scene.ts';
import type { ApiClient } from '../support/api-client.ts';
import { type ApiStage, apiStage, cliUpload, withoutScheduler } from '../support/api-stage.ts';
import { labSubmissions } from '../support/lab-problems.ts';

const run = promisify(execFile);

describe('organisers over HTTP', () => {
  let stage: ApiStage;
  beforeAll(async () => {
    stage = await apiStage({ env: withoutScheduler });
  });
  afterAll(() => stage.stop());

  const good = cliUpload('a.py', labSubmissions.good);
  const submit = (client: ApiClient, path = 'lab-two-gpus/H100/test', upload = good) =>
    client.call('POST', `/submission/${path}`, upload);
  const refusal = async (call: Promise<{ status: number; json(): { detail: string } }>) => {
    const answer = await call;
    const { detail } = answer.json();
    expect(typeof detail).toBe('string');
    return [answer.status, detail] as const;
  };

  it.each([
    [{}, 'Missing Authorization header'],
    [{ authorization: 'Bearer wrong' }, 'Invalid admin token'],
    [{ authorization: 'bearer organiser-organiser-organiser' }, 'Invalid admin token'],
    [{ authorization: 'Bearer None' }, 'Invalid admin token'],
  ])('are known by their token alone: %j', async (headers, detail) => {
    const client = stage.anyone.as(headers as Record<string, string>);
    for (const [method, path] of [
      ['POST', '/admin/start'],
      ['GET', '/admin/stats'],
      ['DELETE', '/admin/leaderboards/lab'],
      ['POST', '/admin/invites'],
    ] as const) {
      expect(await refusal(client.call(method, path))).toEqual([401, detail]);
    }
  });

  it('stop and start the taking of submissions, which restarts remember', async () => {
    expect((await stage.admin.call('POST', '/admin/stop')).json()).toEqual({
      status: 'ok',
      accepts_jobs: false,
    });
    const refused = await submit(stage.bob);
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '300']);
    const [row] = await stage.running.app.sql`select value from hotlap.settings where key = 'acceptance'`;
    expect(row?.value).toMatchObject({ open: false });
    expect((await stage.admin.call('POST', '/admin/start')).json()).toEqual({
      status: 'ok',
      accepts_jobs: true,
    });
    expect((await submit(stage.bob)).status).toBe(202);
  });

  it('ban and unban, and a ban hinders nobody from reading', async () => {
    const mallory = await stage.person('mallory');
    const id = (await submit(mallory)).json().details.id;
    const userId = (await mallory.get(`/user/submissions/${id}`)).json().user_id;
    const ban = await stage.admin.send('POST', `/admin/ban/${userId}`, { reason: 'copied code' });
    expect(ban.json()).toEqual({ status: 'ok', user_id: userId, banned: true });
    expect(await refusal(submit(mallory))).toEqual([
      403,
      'You are banned from making submissions. The reason given: copied code. An organiser can tell you more.',
    ]);
    expect((await mallory.get('/user/submissions')).json()).toHaveLength(1);
    expect((await stage.admin.call('POST', `/admin/ban/${userId}`)).status).toBe(200);
    expect((await stage.admin.call('DELETE', `/admin/ban/${userId}`)).json().banned).toBe(false);
    expect((await submit(mallory)).status).toBe(202);
    expect(await refusal(stage.admin.call('POST', '/admin/ban/nobody'))).toEqual([
      404,
      'User nobody not found',
    ]);
  });

  it('limit a board per hour: atomically, with Retry-After, and deleting gives nothing back', async () => {
    const limits = '/admin/leaderboards/lab-two-gpus/rate-limits';
    const set = await stage.admin.send('PUT', limits, {
      mode_category: 'leaderboard',
      max_submissions_per_hour: 3,
    });
    expect(set.json().rate_limit).toMatchObject({
      mode_category: 'leaderboard',
      max_submissions_per_hour: 3,
    });
    const dave = await stage.person('dave');
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => submit(dave, 'lab-two-gpus/H100/leaderboard')),
    );
    const accepted = answers.filter((answer) => answer.status === 202);
    expect(accepted).toHaveLength(3);
    const refused = answers.find((answer) => answer.status === 429);
    expect(refused?.json().detail).toMatch(
      /^Rate limit exceeded: 3\/3 leaderboard submissions .* Try again in \d+s\.$/,
    );
    expect(Number(refused?.headers['retry-after'])).toBeGreaterThan(3000);
    await dave.call('DELETE', `/user/submissions/${accepted[0]?.json().details.id}`);
    expect((await submit(dave, 'lab-two-gpus/H100/leaderboard')).status).toBe(429);
    // Other modes and other people are not concerned.
    expect((await submit(dave, 'lab-two-gpus/H100/test')).status).toBe(202);
    expect((await submit(await stage.person('erin'), 'lab-two-gpus/H100/leaderboard')).status).toBe(202);
    expect((await stage.admin.get(limits)).json().rate_limits).toHaveLength(1);
    expect((await stage.admin.call('DELETE', `${limits}/leaderboard`)).status).toBe(200);
    expect((await stage.admin.call('DELETE', `${limits}/leaderboard`)).status).toBe(404);
    expect((await submit(dave, 'lab-two-gpus/H100/leaderboard')).status).toBe(202);
    for (const body of [{ mode_category: 'x' }, { mode_category: 'test', max_submissions_per_hour: 0 }]) {
      expect((await stage.admin.send('PUT', limits, body)).status).toBe(400);
    }
  });

  it('close a board: strangers see nothing of it, members enter by an invite, and leave with it', async () => {
    const board = 'lab-two-gpus';
    const visibility = `/admin/leaderboards/${board}/visibility`;
    expect(await refusal(stage.admin.send('POST', visibility, { visibility: 'private' }))).toEqual([
      400,
      "visibility must be 'public' or 'closed'",
    ]);
    expect((await stage.admin.send('POST', visibility, { visibility: 'closed' })).json()).toMatchObject({
      leaderboard: board,
      visibility: 'closed',
    });
    const frank = await stage.person('frank');
    const names = async (client: ApiClient) =>
      (await client.get('/leaderboards')).json().map((item: { name: string }) => item.name);
    expect(await names(stage.anyone)).not.toContain(board);
    expect(await names(frank)).not.toContain(board);
    for (const path of [`/gpus/${board}`, `/submissions/${board}/CPU`, `/submission_count/${board}/CPU`]) {
      expect(await refusal(stage.anyone.get(path))).toEqual([
        401,
        'Authentication required for closed leaderboard',
      ]);
      expect(await refusal(frank.get(path))).toEqual([403, 'You do not have access to this leaderboard']);
    }
    expect(await refusal(submit(frank, `${board}/H100/test`))).toEqual([
      403,
      'You do not have access to this leaderboard',
    ]);
    expect((await refusal(submit(frank, 'nowhere/CPU/test')))[1]).not.toContain(board);

    const made = await stage.admin.send('POST', '/admin/invites', { leaderboards: [board], count: 2 });
    const [code, spare] = made.json().codes;
    expect(code).toMatch(/^[\w-]{22}$/);
    const join = (client: ApiClient, value: unknown) => client.send('POST', '/user/join', { code: value });
    expect((await join(frank, code)).json()).toEqual({ status: 'ok', leaderboards: [board] });
    expect((await join(frank, code)).status).toBe(200);
    expect(await refusal(join(stage.bob, code))).toEqual([400, 'This invite code has already been claimed']);
    expect(await refusal(join(stage.bob, 'no-such-code'))).toEqual([400, 'Invalid invite code']);
    expect(await refusal(join(stage.bob, ''))).toEqual([400, 'Missing required field: code']);
    expect(await names(frank)).toContain(board);
    expect((await frank.get(`/gpus/${board}`)).status).toBe(200);
    expect((await submit(frank, `${board}/H100/test`)).status).toBe(202);

    const listed = (await stage.admin.get(`/admin/leaderboards/${board}/invites`)).json().invites;
    expect(listed.find((item: { code: string }) => item.code === code)).toMatchObject({
      user_name: 'frank',
    });
    expect(listed.find((item: { code: string }) => item.code === spare)).toMatchObject({ user_id: null });
    expect((await stage.admin.call('DELETE', `/admin/invites/${spare}`)).json().was_claimed).toBe(false);
    expect((await stage.admin.call('DELETE', `/admin/invites/${code}`)).json().was_claimed).toBe(true);
    expect((await stage.admin.call('DELETE', `/admin/invites/${code}`)).status).toBe(404);
    expect((await submit(frank, `${board}/H100/test`)).status).toBe(403);

    const own = await stage.admin.send('POST', '/admin/invites', { leaderboard: board, count: 1 });
    const aliceCode = own.json().codes[0];
    expect((await join(stage.alice, aliceCode)).status).toBe(200);
    expect(await refusal(submit(stage.website, `${board}/H100/test`))).toEqual([
      403,
      'Closed leaderboards only accept submissions via CLI',
    ]);
    for (const [body, status] of [
      [{ leaderboards: [board], count: 0 }, 400],
      [{ leaderboards: [board], count: '2' }, 400],
      [{ count: 5 }, 400],
      [{ leaderboards: ['nowhere'], count: 1 }, 404],
    ] as const) {
      expect((await stage.admin.send('POST', '/admin/invites', body)).status).toBe(status);
    }
    await stage.admin.send('POST', visibility, { visibility: 'public' });
  });

  it('submit past the deadline for somebody, with both headers', async () => {
    const both = stage.anyone.as({
      authorization: `Bearer ${stage.adminToken}`,
      'x-popcorn-cli-id': stage.bobToken,
    });
    const late = await both.call('POST', '/admin/submission/lab-over/CPU/test', good);
    expect(late.status).toBe(202);
    expect((await stage.admin.call('POST', '/admin/submission/lab-over/CPU/test', good)).status).toBe(400);
  });

  it('see, list, export and delete submissions, and never what a secret run wrote', async () => {
    const grace = await stage.person('grace');
    const id = (await submit(grace)).json().details.id;
    const shown = (await stage.admin.get(`/admin/submissions/${id}`)).json();
    expect(shown).toMatchObject({
      status: 'ok',
      submission: { submission_id: id, code: labSubmissions.good, job_status: 'pending', runs: [] },
    });
    const { leaderboard_id: board } = shown.submission;
    const page = (await stage.admin.get('/admin/leaderboards/lab-two-gpus/submissions?limit=1')).json();
    expect(page).toMatchObject({
      limit: 1,
      offset: 0,
      submissions: [{ submission_id: id, user_name: 'grace' }],
    });
    expect((await stage.admin.get('/admin/stats?last_day_only=true')).json().stats['total.grace']).toBe(1);
    const stats = (await stage.admin.get('/admin/stats?leaderboard_name=lab-two-gpus')).json().stats;
    expect(stats.num_unique_codes).toBeGreaterThan(0);
    expect((await stage.admin.get('/admin/stats?last_day_only=maybe')).status).toBe(422);

    const bulk = `/admin/submissions?leaderboard_id=${board}&user_name=grace`;
    expect((await stage.admin.call('DELETE', bulk)).json()).toMatchObject({
      deleted: 1,
      submission_ids: [id],
    });
    expect(await refusal(stage.admin.get(`/admin/submissions/${id}`))).toEqual([404, 'Submission not found']);
    const other = (await submit(grace)).json().details.id;
    expect((await stage.admin.call('DELETE', `/admin/submissions/${other}`)).json()).toEqual({
      status: 'ok',
      submission_id: other,
    });

    await stage.running.app
      .sql`update hotlap.submissions set status = 'done' where leaderboard_id = ${board}`;
    const request = { leaderboard_ids: [board], filename: 'set.parquet' };
    const written = (await stage.admin.send('POST', '/admin/export-hf', request)).json();
    expect(written).toMatchObject({ status: 'ok', path: '/admin/exports/set.parquet' });
    const file = (await stage.admin.get(written.path)).bytes;
    expect(file.length).toBe(written.bytes);
    const rows = await parquetReadObjects({ file: new Uint8Array(file).buffer });
    expect(rows).toHaveLength(written.rows);
    expect(rows[0]).toMatchObject({
      leaderboard_name: 'lab-two-gpus',
      code: expect.any(String),
      ranked: false,
    });
    for (const [body, detail] of [
      [{ ...request, leaderboard_ids: ['1'] }, /non-empty list of integers/],
      [{ ...request, filename: 123 }, /end with \.parquet/],
      [{ ...request, filename: '../x.parquet' }, /letters/],
      [{ ...request, private: false }, /Cannot export active leaderboards/],
    ] as const) {
      const [status, text] = await refusal(stage.admin.send('POST', '/admin/export-hf', body));
      expect([status, text]).toEqual([400, expect.stringMatching(detail)]);
    }
    expect((await stage.admin.get('/admin/exports/..%2f..%2fetc%2fpasswd')).status).toBe(404);
  });

  it('make a board of a directory, and bring it up to date in place', async () => {
    const create = (body: unknown) => refusal(stage.admin.send('POST', '/admin/leaderboards', body));
    expect(await create({})).toEqual([400, 'Missing required field: directory']);
    expect((await create({ directory: '../../../etc' }))[1]).toMatch(/^Invalid problem directory/);
    expect((await create({ directory: 'lab/nothing' }))[1]).toMatch(/^Invalid problem directory .*task\.yml/);
    expect((await create({ directory: 'lab/doubling' }))[1]).toContain('No gpus specified in task.yml.');
    expect((await create({ directory: 'lab/doubling', visibility: 'x' }))[1]).toBe(
      "visibility must be 'public' or 'closed'",
    );

    const folder = join(stage.running.problemsDir, 'lab', 'trial');
    await cp(join(stage.running.problemsDir, 'lab', 'doubling'), folder, { recursive: true });
    await appendFile(join(folder, 'task.yml'), 'gpus: [H100]\n');
    const made = await stage.admin.send('POST', '/admin/leaderboards', { directory: 'lab/trial' });
    expect(made.json()).toEqual({ status: 'ok', leaderboard: 'trial-dev' });
    const id = (await submit(stage.bob, 'trial-dev/H100/test')).json().details.id;
    await appendFile(join(folder, 'task.yml'), 'gpus: [H100, A100]\n'.replace('gpus', '# gpus'));
    const again = await stage.admin.send('POST', '/admin/leaderboards', { directory: 'lab/trial' });
    expect(again.status).toBe(200);
    expect((await stage.bob.get(`/user/submissions/${id}`)).status).toBe(200);
  });

  it('bring in the problem sets of a repository, and read what was skipped and refused', async () => {
    const repository = join(stage.running.dataDir, 'sets');
    const folder = join(repository, 'problems');
    await cp(stage.running.problemsDir, folder, { recursive: true });
    const set = (names: string[]) =>
      `name: R\ndeadline: ""\nproblems:\n${names.map((name) => `  - {directory: lab/doubling, name: ${name}, gpus: [H100]}\n`).join('')}`;
    await Promise.all(
      (await readdir(folder)).filter((name) => name.endsWith('.yaml')).map((name) => rm(join(folder, name))),
    );
    await writeFile(
      join(folder, 'round.yaml'),
      `${set(['round-1', 'round-2'])}  - {directory: lab/none, name: round-3}\n`,
    );
    const git = (...args: string[]) =>
      run('git', ['-C', repository, '-c', 'user.name=t', '-c', 'user.email=t@t', ...args]);
    await git('init', '--quiet', '--initial-branch', 'main');
    await git('add', '.');
    await git('commit', '--quiet', '-m', 'sets');
    const update = async (body: object) =>
      (
        await stage.admin.send('POST', '/admin/update-problems', {
          repository: `file://${repository}`,
          branch: 'main',
          force: false,
          ...body,
        })
      ).json();
    const trial = await update({ problem_set: 'round', dry_run: true });
    expect(trial).toMatchObject({ status: 'ok', created: ['round-1', 'round-2'], updated: [], skipped: [] });
    const here = await update({ repository: null, dry_run: true });
    expect(here).toMatchObject({ status: 'ok', created: [], updated: [], errors: [] });
    expect(here.skipped).toContainEqual({ name: 'lab', reason: 'no changes' });
    const first = await update({ problem_set: 'round', visibility: 'closed' });
    expect(first).toMatchObject({ status: 'ok', created: ['round-1', 'round-2'], updated: [], skipped: [] });
    expect(first.errors).toEqual([
      { name: 'lab/none/task.yml', error: expect.stringContaining('not there') },
    ]);
    expect((await stage.anyone.get('/gpus/round-1')).status).toBe(401);
    expect((await update({})).skipped).toEqual([
      { name: 'round-1', reason: 'no changes' },
      { name: 'round-2', reason: 'no changes' },
    ]);
    const failed = await update({ repository: `file://${repository}-not-there` });
    expect(failed).toMatchObject({ status: 'ok', created: [], errors: [{ error: expect.any(String) }] });
    expect((await stage.admin.send('POST', '/admin/update-problems', { visibility: 'x' })).status).toBe(400);
  });

  it('judge ranked submissions again: chosen, started, looked at, applied, each on record', async () => {
    const { sql } = stage.running.app;
    const box = { sql, box: await makeBox(sql, ['CPU']) };
    const frank = await stage.person('frank');
    const { id } = (await submit(frank, 'lab/CPU/leaderboard')).json().details;
    const { user_id: userId } = (await frank.get(`/user/submissions/${id}`)).json();
    await judge(box, id, passedWith(2));
    const begin = (body: object) => stage.admin.send('POST', '/admin/leaderboards/LAB/rejudges', body);
    expect((await refusal(begin({ top: 1, user_id: userId })))[1]).toMatch(/^More than one of/);
    expect(await refusal(begin({ top: 0 }))).toEqual([422, 'top: must be at least 1']);
    expect((await refusal(begin({ since: 'soon' })))[1]).toMatch(/^`soon` is no time/);
    const { rejudge, verdicts } = (await begin({ user_id: userId })).json();
    expect(rejudge).toMatchObject({ leaderboard: 'lab', status: 'planned', entries: 1, jobs: 0 });
    expect(verdicts).toMatchObject([
      { submission_id: id, before: { public_score: 2, secret_score: 2 }, after: null },
    ]);

    const path = `/admin/rejudges/${rejudge.id}`;
    expect(await refusal(stage.admin.call('POST', `${path}/apply`))).toEqual([
      409,
      `Rejudge #${rejudge.id} is planned: it cannot be applied. Look at it to see how it stands.`,
    ]);
    expect((await stage.admin.call('POST', `${path}/start`)).json().rejudge).toMatchObject({
      status: 'running',
      jobs: 2,
    });
    expect((await refusal(begin({})))[0]).toBe(409);
    await judge(box, id, passedWith(1), { rejudgeId: rejudge.id });
    const ready = (await stage.admin.get(path)).json();
    expect(ready.rejudge.status).toBe('ready');
    const [place] = ready.places;
    expect([place.user_name, place.before.score, place.after.score]).toEqual(['frank', 2, 1]);
    expect((await frank.get(`/user/submissions/${id}`)).json().secret_score).toBe(2);
    expect((await stage.admin.call('POST', `${path}/apply`)).json().rejudge.status).toBe('applied');
    expect((await frank.get(`/user/submissions/${id}`)).json().secret_score).toBe(1);
    expect((await stage.admin.get('/admin/rejudges')).json().rejudges).toMatchObject([
      { id: rejudge.id, judged: 1 },
    ]);
    expect((await stage.admin.call('POST', `${path}/cancel`)).status).toBe(409);
    expect((await stage.admin.get('/admin/rejudges/999999')).status).toBe(404);
    const log = await stage.admin.get(`/admin/audit?subject=rejudge%20${rejudge.id}`);
    const steps = log.json().entries.map((entry: { action: string }) => entry.action.split(' ').at(-1));
    expect(steps).toEqual(['apply', 'begin', 'start']);
  });

  it('delete a board only with force where there are submissions, and then all of it', async () => {
    const path = '/admin/leaderboards/LAB-two-gpus';
    const [status, detail] = await refusal(stage.admin.call('DELETE', path));
    expect([status, detail]).toEqual([
      400,
      expect.stringMatching(/^Could not delete leaderboard `lab-two-gpus` with existing submissions\./),
    ]);
    const gone = await stage.admin.call('DELETE', `${path}?force=true`);
    expect(gone.json()).toEqual({ status: 'ok', leaderboard: 'lab-two-gpus', force: true });
    expect((await stage.anyone.get('/gpus/lab-two-gpus')).status).toBe(404);
    expect((await stage.admin.call('DELETE', path)).status).toBe(404);
    const [left] = await stage.running.app.sql`
      select count(*)::int as rows from hotlap.jobs j left join hotlap.submissions s on s.id = j.submission_id
      where s.id is null`;
    expect(left).toEqual({ rows: 0 });
    const [kept] = await stage.running.app.sql`
      select count(*) > 10 as many from hotlap.deleted_submissions where leaderboard = 'lab-two-gpus'`;
    expect(kept).toEqual({ many: true });
  });
});
