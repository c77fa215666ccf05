/** A sample for every route of the HTTP API that changes something. */
import { execFile } from 'node:child_process';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { banUser } from '../../src/db/bans.ts';
import { createInvites, setVisibility } from '../../src/db/invites.ts';
import { setRateLimit } from '../../src/db/quota.ts';
import { setAcceptance } from '../../src/db/settings.ts';
import { insertToken } from '../../src/db/tokens.ts';
import { saveUser } from '../../src/db/users.ts';
import { makeToken, tokenHash } from '../../src/domain/account.ts';
import { setRule } from '../db/ranking-scene.ts';
import { makeBox, makeUser, submit, testRecord } from '../db/scene.ts';
import { cliUpload } from './api-stage.ts';
import { type ChangeScene, PUBLIC_URL, type Sample, type Trace } from './change-scene.ts';
import { drainedBox, readyRejudge, rejudgeTrace } from './command-changes.ts';
import { labSubmissions } from './lab-problems.ts';

const run = promisify(execFile);
const upload = cliUpload('a.py', labSubmissions.good);
/** What a browser sends along, where a program would not. */
const browser = { accept: 'text/html,application/xhtml+xml', 'sec-fetch-site': 'cross-site' };

/** As the environment names it. */
const TOKEN = 'HOTLAP_ADMIN_TOKEN';

async function alice({ sql }: ChangeScene): Promise<{ id: string; name: string }> {
  const [row] = await sql<{ id: string; name: string }[]>`
    select id, name from hotlap.users where name = 'alice'`;
  if (!row) throw new Error('there is no alice');
  return row;
}

async function newest({ sql }: ChangeScene): Promise<string> {
  const [row] = await sql<{ id: number }[]>`select max(id) as id from hotlap.submissions`;
  return `submission ${row?.id}`;
}

/** Whoever signs in comes back from the provider with this address. */
async function signedIn({ stage, provider }: ChangeScene): Promise<string> {
  const { state: cliId } = (await stage.anyone.get('/auth/init?provider=discord')).json();
  provider.account.discord = { id: `${Date.now()}00000`, username: 'ada', global_name: 'Ada' };
  const state = Buffer.from(`{"cli_id":"${cliId}","is_reset":false}`).toString('base64url');
  const query = new URLSearchParams({
    client_id: provider.clientId,
    response_type: 'code',
    redirect_uri: `${PUBLIC_URL}/auth/cli/discord`,
    scope: 'identify',
    state,
  });
  return provider.visit(`${provider.url}/oauth2/authorize?${query}`);
}

function linked({ provider }: ChangeScene): Trace {
  const { id } = provider.account.discord;
  return { by: id, subject: `user ${id}`, after: { kind: 'cli', provider: 'discord', reset: false } };
}

const submission = (path: string): Sample =>
  async function sample(scene) {
    const { id } = await alice(scene);
    const { stage } = scene;
    // One of them is a stream that lasts as long as the submission.
    await stage.alice.call('POST', path, { ...upload, endlessAfterMs: 30_000 });
    const after = { leaderboard: 'lab', mode: 'test', gpus: ['CPU'] };
    return { by: id, subject: await newest(scene), after };
  };

export const routeChanges: Record<string, Sample> = {
  async 'GET /auth/cli/:provider'(scene) {
    await scene.stage.anyone.get(await signedIn(scene));
    return linked(scene);
  },

  async 'POST /auth/cli/confirm'(scene) {
    const page = await scene.stage.anyone.call('GET', await signedIn(scene), { headers: browser });
    const ticket = /name="ticket" value="([\w-]+)"/.exec(page.text)?.[1] ?? '';
    await scene.stage.anyone.call('POST', '/auth/cli/confirm', {
      headers: { ...browser, 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ ticket, answer: 'yes' }).toString(),
    });
    return linked(scene);
  },

  'POST /submission/:leaderboard/:gpu/:mode': submission('/submission/lab/CPU/test'),
  'POST /:leaderboard/:gpu/:mode': submission('/lab/CPU/test'),

  async 'POST /admin/submission/:leaderboard/:gpu/:mode'(scene) {
    const { stage } = scene;
    const both = stage.anyone.as({
      authorization: `Bearer ${stage.adminToken}`,
      'x-popcorn-cli-id': stage.aliceToken,
    });
    await both.call('POST', '/admin/submission/lab-over/CPU/test', upload);
    const after = { leaderboard: 'lab-over', mode: 'test', for: (await alice(scene)).id };
    return { by: TOKEN, subject: await newest(scene), after };
  },

  async 'POST /runs/:id/score'(scene) {
    const { sql, stage, judge } = scene;
    const board = await setRule(sql, await scene.board(), { scorers: [{ name: 'clarity' }] });
    const id = await scene.ranked(board);
    const token = makeToken();
    await saveUser(sql, { id: judge.id, name: judge.name });
    await insertToken(sql, { kind: 'personal', sha256: tokenHash(token), userId: judge.id, name: 'judging' });
    const score = { scorer: 'clarity', value: 0, reason: 'It does not read at all.' };
    await stage.anyone.as({ 'x-popcorn-cli-id': token }).send('POST', `/runs/${id}/score`, score);
    const { reason, ...after } = score;
    return { by: judge.id, subject: `submission ${id}`, before: { value: null }, after, reason };
  },

  async 'POST /admin/runs'(scene) {
    const { name } = await makeBox(scene.sql, ['CPU']);
    await scene.stage.admin.call('POST', `/admin/runs?box=${name}`, cliUpload('a.py', `print('${name}')`));
    const after = { problem: null, mode: 'test', gpu: 'CPU', box: name };
    return { by: TOKEN, subject: (await newest(scene)).replace('submission', 'run'), after };
  },

  async 'POST /admin/verify'(scene) {
    const name = await drainedBox(scene);
    await scene.stage.admin.call('POST', `/admin/verify?box=${name}`);
    return { by: TOKEN, subject: `box ${name}`, after: { problem: null, box: name, runs: [] } };
  },

  async 'DELETE /user/submissions/:id'(scene) {
    const user = await alice(scene);
    const id = await submit(scene.sql, await scene.board(), { user });
    await scene.stage.alice.call('DELETE', `/user/submissions/${id}`);
    const before = { userId: user.id, status: 'queued', mode: 'leaderboard' };
    return { by: user.id, subject: `submission ${id}`, before };
  },

  async 'POST /user/join'(scene) {
    const board = await scene.board();
    const wish = { leaderboardIds: [board.id], count: 1 };
    const [code = ''] = await createInvites(scene.sql, wish, testRecord());
    await scene.stage.alice.send('POST', '/user/join', { code });
    const { id } = await alice(scene);
    return { by: id, subject: `invite ${code.slice(0, 6)}…`, after: { leaderboards: [board.name] } };
  },

  async 'POST /admin/start'({ sql, stage }) {
    await setAcceptance(sql, { open: false, message: 'Moving house.' }, testRecord());
    await stage.admin.call('POST', '/admin/start');
    const before = { open: false, message: 'Moving house.' };
    return { by: TOKEN, subject: 'contest', before, after: { open: true } };
  },

  async 'POST /admin/stop'({ sql, stage }) {
    await stage.admin.call('POST', '/admin/stop');
    await setAcceptance(sql, { open: true, message: null }, testRecord());
    return { by: TOKEN, subject: 'contest', before: { open: true }, after: { open: false } };
  },

  async 'DELETE /admin/submissions/:id'(scene) {
    const user = await alice(scene);
    const id = await submit(scene.sql, await scene.board(), { user });
    await scene.stage.admin.call('DELETE', `/admin/submissions/${id}`);
    return { by: TOKEN, subject: `submission ${id}`, before: { userId: user.id, status: 'queued' } };
  },

  async 'DELETE /admin/submissions'(scene) {
    const board = await scene.board();
    const id = await submit(scene.sql, board, { user: await alice(scene) });
    const query = new URLSearchParams({ leaderboard_id: String(board.id), user_name: 'alice' });
    await scene.stage.admin.call('DELETE', `/admin/submissions?${query}`);
    return { by: TOKEN, subject: `submission ${id}`, before: { leaderboard: board.name } };
  },

  async 'POST /admin/invites'(scene) {
    const { name } = await scene.board();
    await scene.stage.admin.send('POST', '/admin/invites', { leaderboard: name, count: 2 });
    return { by: TOKEN, subject: `leaderboard ${name}`, after: { invites: 2, leaderboards: [name] } };
  },

  async 'DELETE /admin/invites/:code'(scene) {
    const board = await scene.board();
    const wish = { leaderboardIds: [board.id], count: 1 };
    const [code = ''] = await createInvites(scene.sql, wish, testRecord());
    await scene.stage.admin.call('DELETE', `/admin/invites/${code}`);
    const before = { claimed_by: null, leaderboards: [board.name] };
    return { by: TOKEN, subject: `invite ${code.slice(0, 6)}…`, before };
  },

  async 'POST /admin/leaderboards/:leaderboard/visibility'(scene) {
    const { name } = await scene.board();
    await setVisibility(scene.sql, name, 'closed', testRecord());
    await scene.stage.admin.send('POST', `/admin/leaderboards/${name}/visibility`, { visibility: 'public' });
    const [before, after] = [{ visibility: 'closed' }, { visibility: 'public' }];
    return { by: TOKEN, subject: `leaderboard ${name}`, before, after };
  },

  async 'PUT /admin/leaderboards/:leaderboard/rate-limits'(scene) {
    const { name } = await scene.board();
    const body = { mode_category: 'leaderboard', max_submissions_per_hour: 3 };
    await scene.stage.admin.send('PUT', `/admin/leaderboards/${name}/rate-limits`, body);
    const [before, after] = [{ per_hour: null }, { mode: 'leaderboard', per_hour: 3 }];
    return { by: TOKEN, subject: `leaderboard ${name}`, before, after };
  },

  async 'DELETE /admin/leaderboards/:leaderboard/rate-limits/:category'(scene) {
    const board = await scene.board();
    await setRateLimit(scene.sql, { board, category: 'test', maxPerHour: 3 }, testRecord());
    await scene.stage.admin.call('DELETE', `/admin/leaderboards/${board.name}/rate-limits/test`);
    const [before, after] = [{ mode: 'test', per_hour: 3 }, { per_hour: null }];
    return { by: TOKEN, subject: `leaderboard ${board.name}`, before, after };
  },

  async 'POST /admin/ban/:user'({ sql, stage }) {
    const user = makeUser();
    await saveUser(sql, user);
    await stage.admin.send('POST', `/admin/ban/${user.id}`, { reason: 'copied code' });
    const [before, after] = [{ banned: false }, { banned: true, until: null }];
    return { by: TOKEN, subject: `user ${user.id}`, before, after, reason: 'copied code' };
  },

  async 'DELETE /admin/ban/:user'({ sql, stage }) {
    const user = makeUser();
    await saveUser(sql, user);
    await banUser(sql, { userId: user.id, reason: 'once', endsAt: null }, testRecord());
    await stage.admin.call('DELETE', `/admin/ban/${user.id}`);
    const [before, after] = [{ banned: true, because: 'once' }, { banned: false }];
    return { by: TOKEN, subject: `user ${user.id}`, before, after };
  },

  async 'POST /admin/export-hf'(scene) {
    const board = await scene.board();
    const id = await scene.ranked(board);
    await scene.sql`update hotlap.submissions set status = 'done' where id = ${id}`;
    const body = { leaderboard_ids: [board.id], filename: 'set.parquet', secret_scores: true };
    await scene.stage.admin.send('POST', '/admin/export-hf', body);
    const after = { file: 'set.parquet', leaderboards: [board.name], secrets: true, rows: 1 };
    return { by: TOKEN, subject: 'contest', after };
  },

  async 'POST /admin/leaderboards'({ stage }) {
    await stage.admin.send('POST', '/admin/leaderboards', { directory: 'lab/trial' });
    const after = { directory: 'lab/trial', created: ['trial-dev'] };
    return { by: TOKEN, subject: 'leaderboard trial-dev', after };
  },

  async 'POST /admin/update-problems'({ stage }) {
    const { problemsDir } = stage.running;
    await appendFile(join(problemsDir, 'lab', 'doubling', 'reference.py'), '\n# Of the repository.\n');
    const git = (...args: string[]) =>
      run('git', ['-C', problemsDir, '-c', 'user.name=t', '-c', 'user.email=t@t', ...args]);
    await git('init', '--quiet', '--initial-branch', 'main');
    await git('add', '.');
    await git('commit', '--quiet', '-m', 'sets');
    const repository = `file://${problemsDir}`;
    await stage.admin.send('POST', '/admin/update-problems', {
      repository,
      branch: 'main',
      problem_set: 'lab',
      force: true,
    });
    const after = { updated: ['lab', 'lab-two-gpus', 'lab-over'] };
    return { by: TOKEN, subject: `problems of ${repository}, branch main`, after };
  },

  async 'DELETE /admin/leaderboards/:leaderboard'(scene) {
    const board = await scene.board();
    await scene.ranked(board);
    await scene.stage.admin.call('DELETE', `/admin/leaderboards/${board.name}?force=true`);
    const before = { submissions: 1, forced: true };
    return { by: TOKEN, subject: `leaderboard ${board.name}`, before };
  },

  async 'POST /admin/tokens'({ stage, sql }) {
    const body = { user_id: 'local:lena', user_name: 'Lena' };
    await stage.admin.send('POST', '/admin/tokens', body);
    const [row] = await sql<{ id: number }[]>`select max(id) as id from hotlap.api_tokens`;
    const after = { kind: 'personal', for: body.user_id };
    return { by: TOKEN, subject: `token ${row?.id}`, after };
  },

  async 'DELETE /admin/tokens/:user'({ stage, sql }) {
    const user = makeUser();
    await saveUser(sql, user);
    const sha256 = tokenHash(makeToken());
    await insertToken(sql, { kind: 'personal', sha256, userId: user.id, name: 'seen in public' });
    await stage.admin.call('DELETE', `/admin/tokens/${user.id}`);
    return { by: TOKEN, subject: `user ${user.id}`, after: { revoked: 1 } };
  },

  async 'POST /admin/leaderboards/:leaderboard/rejudges'(scene) {
    const board = await scene.board();
    await scene.ranked(board);
    const planned = await scene.stage.admin.send('POST', `/admin/leaderboards/${board.name}/rejudges`, {});
    const after = { leaderboard: board.name, outdatedOnly: false };
    return { by: TOKEN, subject: `rejudge ${planned.json().rejudge.id}`, after };
  },

  async 'POST /admin/rejudges/:id/start'(scene) {
    const board = await scene.board();
    await scene.ranked(board);
    const { admin } = scene.stage;
    const planned = await admin.send('POST', `/admin/leaderboards/${board.name}/rejudges`, {});
    const { id } = planned.json().rejudge;
    await admin.call('POST', `/admin/rejudges/${id}/start`);
    return { ...rejudgeTrace(scene, id, 'planned', 'running'), by: TOKEN };
  },

  async 'POST /admin/rejudges/:id/apply'(scene) {
    const id = await readyRejudge(scene);
    await scene.stage.admin.call('POST', `/admin/rejudges/${id}/apply`);
    return { ...rejudgeTrace(scene, id, 'ready', 'applied'), by: TOKEN };
  },

  async 'POST /admin/rejudges/:id/cancel'(scene) {
    const id = await readyRejudge(scene);
    await scene.stage.admin.call('POST', `/admin/rejudges/${id}/cancel`);
    return { ...rejudgeTrace(scene, id, 'ready', 'cancelled'), by: TOKEN };
  },
};
