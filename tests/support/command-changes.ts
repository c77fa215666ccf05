/** A sample for every slash command that changes something. One without is named by tests/e2e/audit-walk.test.ts. */
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { banUser } from '../../src/db/bans.ts';
import { setStage } from '../../src/db/board-settings.ts';
import { drainBox } from '../../src/db/boxes.ts';
import { createInvites, setVisibility } from '../../src/db/invites.ts';
import { setRateLimit } from '../../src/db/quota.ts';
import { invalidateSubmission } from '../../src/db/rulings.ts';
import { insertToken } from '../../src/db/tokens.ts';
import { saveUser } from '../../src/db/users.ts';
import { makeToken, tokenHash } from '../../src/domain/account.ts';
import { setRule } from '../db/ranking-scene.ts';
import { makeBox, makeUser, submit, testRecord } from '../db/scene.ts';
import type { ChangeScene, Sample, Trace } from './change-scene.ts';
import { labSubmissions } from './lab-problems.ts';
import { textOf } from './playground-message.ts';
import type { SlashOptions } from './playground-user.ts';
import { teamChanges } from './team-changes.ts';

const numberIn = (text: string) => Number(/#(\d+)/.exec(text)?.[1]);

/** A setting of a board that an admin changes by one command. */
function boardSetting(
  action: string,
  options: SlashOptions,
  change: Pick<Trace, 'before' | 'after'>,
  prepare: (scene: ChangeScene, board: { id: number; name: string }) => Promise<unknown> = async () => {},
): Sample {
  return async (scene) => {
    const board = await scene.board();
    await prepare(scene, board);
    await scene.say(scene.admin, `/admin leaderboard ${action}`, { leaderboard: board.name, ...options });
    return { by: scene.admin.id, subject: `leaderboard ${board.name}`, ...change };
  };
}

async function ofMira(scene: ChangeScene) {
  const board = await scene.board();
  const id = await submit(scene.sql, board, { user: { id: scene.mira.id, name: 'mira' } });
  return { board, id };
}

/** A machine that is there in name alone. */
async function box(scene: ChangeScene, action: string, before: string, after: string): Promise<Trace> {
  const { name, id } = await makeBox(scene.sql, ['CPU']);
  if (before === 'draining') await drainBox(scene.sql, id, 'for a test');
  await scene.say(scene.admin, `/admin box ${action}`, { name });
  return {
    by: scene.admin.id,
    subject: `box ${name}`,
    before: { state: before },
    after: { state: after },
  };
}

/** On which nothing is run, so that a look at it is over at once. */
export async function drainedBox({ sql }: ChangeScene): Promise<string> {
  const { id, name } = await makeBox(sql, ['CPU']);
  await sql`update hotlap.boxes set state = 'draining' where id = ${id}`;
  return name;
}

export const commandChanges: Record<string, Sample> = {
  ...teamChanges,

  async submit({ say, mira }) {
    const file = { name: 'a.py', bytes: labSubmissions.good };
    const answer = await say(mira, '/submit', { file, leaderboard: 'lab', mode: 'test' });
    const after = { leaderboard: 'lab', mode: 'test', gpus: ['CPU'] };
    return { by: mira.id, subject: `submission ${numberIn(textOf(answer))}`, after };
  },

  async 'submissions cancel'(scene) {
    const { id } = await ofMira(scene);
    await scene.say(scene.mira, '/submissions cancel', { id });
    return { by: scene.mira.id, subject: `submission ${id}`, after: { cancelled: true } };
  },

  async join(scene) {
    const board = await scene.board();
    const [code = ''] = await createInvites(
      scene.sql,
      { leaderboardIds: [board.id], count: 1 },
      testRecord(),
    );
    await scene.say(scene.mira, '/join', { code });
    const after = { leaderboards: [board.name] };
    return { by: scene.mira.id, subject: `invite ${code.slice(0, 6)}…`, after };
  },

  async 'account link'({ say, mira, sql }) {
    await say(mira, '/account link', { name: 'laptop' });
    const [row] = await sql<{ id: number }[]>`select max(id) as id from hotlap.api_tokens`;
    return { by: mira.id, subject: `token ${row?.id}`, after: { kind: 'personal', name: 'laptop' } };
  },

  async 'account revoke'({ say, mira, sql }) {
    const user = { id: mira.id, name: 'mira' };
    await saveUser(sql, user);
    const sha256 = tokenHash(makeToken());
    const id = await insertToken(sql, { kind: 'personal', sha256, userId: user.id, name: 'lost' });
    await say(mira, '/account revoke', { token: String(id) });
    return { by: mira.id, subject: `token ${id}`, after: { revoked: 1 } };
  },

  async 'judge score'(scene) {
    const board = await setRule(scene.sql, await scene.board(), {
      scorers: [{ name: 'clarity' }],
      weights: { measured: 0.5, clarity: 0.5 },
      reference: 1,
    });
    const id = await scene.ranked(board);
    const reason = 'It reads well.';
    await scene.say(scene.judge, '/judge score', { id, scorer: 'clarity', value: 0.5, reason });
    const after = { scorer: 'clarity', value: 0.5 };
    return { by: scene.judge.id, subject: `submission ${id}`, before: { value: null }, after, reason };
  },

  async 'admin leaderboard create'({ say, admin }) {
    const options = { directory: 'lab/trial', name: 'made-here', closed: true };
    await say(admin, '/admin leaderboard create', options);
    return { by: admin.id, subject: 'leaderboard made-here', after: { visibility: 'closed' } };
  },

  async 'admin leaderboard update'({ say, admin, stage }) {
    const options = { directory: 'lab/trial', name: 'updated-here' };
    await say(admin, '/admin leaderboard create', options);
    await appendFile(join(stage.running.problemsDir, 'lab', 'trial', 'reference.py'), '\n# Changed.\n');
    await say(admin, '/admin leaderboard update', { leaderboard: 'updated-here' });
    return { by: admin.id, subject: 'leaderboard updated-here', after: { changed: ['files.reference.py'] } };
  },

  'admin leaderboard deadline': boardSetting(
    'deadline',
    { deadline: '2099-01-01 12:00' },
    { before: { deadline: 'none' }, after: { deadline: '2099-01-01T12:00:00.000Z' } },
  ),
  'admin leaderboard open': boardSetting(
    'open',
    {},
    { before: { stage: 'closed' }, after: { stage: 'open' } },
    ({ sql }, board) => setStage(sql, board.id, 'closed', testRecord()),
  ),
  'admin leaderboard close': boardSetting(
    'close',
    {},
    { before: { stage: 'open' }, after: { stage: 'closed' } },
  ),
  'admin leaderboard archive': boardSetting(
    'archive',
    {},
    { before: { stage: 'open' }, after: { stage: 'archived' } },
  ),
  'admin leaderboard visibility': boardSetting(
    'visibility',
    { to: 'public' },
    { before: { visibility: 'closed' }, after: { visibility: 'public' } },
    ({ sql }, board) => setVisibility(sql, board.name, 'closed', testRecord()),
  ),
  'admin leaderboard late': boardSetting(
    'late',
    { are: 'unofficial' },
    { before: { late: 'refused' }, after: { late: 'unofficial' } },
  ),

  'admin leaderboard podium': boardSetting(
    'podium',
    { to: 'off' },
    { before: { podium: 'thread' }, after: { podium: 'off' } },
  ),

  async 'admin leaderboard delete'(scene) {
    const board = await scene.board();
    await scene.ranked(board);
    const form = await scene.admin.slash('/admin leaderboard delete', {
      leaderboard: board.name,
      force: true,
    });
    const fields = { name: board.name, reason: 'a trial' };
    await (await scene.admin.modal(form, fields)).answer();
    const before = { submissions: 1, forced: true };
    return { by: scene.admin.id, subject: `leaderboard ${board.name}`, before, reason: 'a trial' };
  },

  async 'admin invites create'(scene) {
    const board = await scene.board();
    await scene.say(scene.admin, '/admin invites create', { leaderboard: board.name, count: 3 });
    const after = { invites: 3, leaderboards: [board.name] };
    return { by: scene.admin.id, subject: `leaderboard ${board.name}`, after };
  },

  async 'admin invites revoke'(scene) {
    const board = await scene.board();
    const wish = { leaderboardIds: [board.id], count: 1 };
    const [code = ''] = await createInvites(scene.sql, wish, testRecord());
    await scene.say(scene.admin, '/admin invites revoke', { code });
    const before = { claimed_by: null, leaderboards: [board.name] };
    return { by: scene.admin.id, subject: `invite ${code.slice(0, 6)}…`, before };
  },

  async 'admin limit set'(scene) {
    const board = await scene.board();
    const options = { leaderboard: board.name, mode: 'leaderboard', per_hour: 4 };
    await scene.say(scene.admin, '/admin limit set', options);
    const [before, after] = [null, 4].map((perHour) => ({ mode: 'leaderboard', per_hour: perHour }));
    return { by: scene.admin.id, subject: `leaderboard ${board.name}`, ...{ before, after } } as Trace;
  },

  async 'admin limit remove'(scene) {
    const board = await scene.board();
    await setRateLimit(scene.sql, { board, category: 'test', maxPerHour: 4 }, testRecord());
    await scene.say(scene.admin, '/admin limit remove', { leaderboard: board.name, mode: 'test' });
    const [before, after] = [4, null].map((perHour) => ({ mode: 'test', per_hour: perHour }));
    return { by: scene.admin.id, subject: `leaderboard ${board.name}`, ...{ before, after } } as Trace;
  },

  async 'admin submission invalidate'(scene) {
    const { id } = await ofMira(scene);
    await scene.say(scene.admin, '/admin submission invalidate', { id, reason: 'It times nothing.' });
    return {
      by: scene.admin.id,
      subject: `submission ${id}`,
      before: { valid: true },
      after: { valid: false },
      reason: 'It times nothing.',
    };
  },

  async 'admin submission restore'(scene) {
    const { id } = await ofMira(scene);
    const ruling = { submissionId: id, reason: 'a mistake', evidence: null };
    await invalidateSubmission(scene.sql, ruling, testRecord());
    await scene.say(scene.admin, '/admin submission restore', { id, reason: 'We were wrong.' });
    return {
      by: scene.admin.id,
      subject: `submission ${id}`,
      before: { valid: false },
      after: { valid: true },
      reason: 'We were wrong.',
    };
  },

  async 'admin user ban'({ say, admin, sql }) {
    const user = makeUser();
    await saveUser(sql, user);
    await say(admin, '/admin user ban', { account: user.id, reason: 'two accounts' });
    const [before, after] = [{ banned: false }, { banned: true, until: null }];
    return { by: admin.id, subject: `user ${user.id}`, before, after, reason: 'two accounts' };
  },

  async 'admin user unban'({ say, admin, sql }) {
    const user = makeUser();
    await saveUser(sql, user);
    await banUser(sql, { userId: user.id, reason: 'once', endsAt: null }, testRecord());
    await say(admin, '/admin user unban', { account: user.id, reason: 'time served' });
    const before = { banned: true, because: 'once' };
    return {
      by: admin.id,
      subject: `user ${user.id}`,
      before,
      after: { banned: false },
      reason: 'time served',
    };
  },

  async 'admin contest accept'({ say, admin, sql }) {
    await sql`delete from hotlap.settings where key = 'acceptance'`;
    await say(admin, '/admin contest accept', { on: false, message: 'Moving house.' });
    await sql`delete from hotlap.settings where key = 'acceptance'`;
    const after = { open: false, message: 'Moving house.' };
    return { by: admin.id, subject: 'contest', before: { open: true }, after };
  },

  async 'admin contest export'(scene) {
    const board = await scene.board();
    await scene.ranked(board);
    await scene.say(scene.admin, '/admin contest export', { leaderboard: board.name, secrets: true });
    const after = { format: 'parquet', secrets: true, submissions: 1, runs: 6, scores: 1, code: 1 };
    return { by: scene.admin.id, subject: `leaderboard ${board.name}`, after };
  },

  async 'admin box add'({ say, admin, sshd }) {
    if (!sshd) return null;
    await say(admin, '/admin box add', { name: 'asked', host: sshd.host, user: sshd.user, port: sshd.port });
    // Its button adds.
    return null;
  },
  'admin box doctor': (scene) => box(scene, 'doctor', 'draining', 'draining'),
  async 'admin run'(scene) {
    const { name } = await makeBox(scene.sql, ['CPU']);
    const file = { name: 'a.py', bytes: `print('${name}')` };
    const answer = await scene.say(scene.admin, '/admin run', { file, box: name });
    const after = { problem: null, mode: 'test', gpu: 'CPU', box: name };
    return { by: scene.admin.id, subject: `run ${numberIn(textOf(answer))}`, after };
  },

  async 'admin verify'(scene) {
    const name = await drainedBox(scene);
    await scene.say(scene.admin, '/admin verify', { box: name });
    return { by: scene.admin.id, subject: `box ${name}`, after: { problem: null, box: name, runs: [] } };
  },

  'admin box drain': (scene) => box(scene, 'drain', 'ready', 'draining'),
  'admin box resume': (scene) => box(scene, 'resume', 'draining', 'ready'),
  'admin box remove': (scene) => box(scene, 'remove', 'ready', 'removed'),

  async 'admin rejudge start'(scene) {
    const board = await scene.board();
    await scene.ranked(board);
    const answer = await scene.say(scene.admin, '/admin rejudge start', { leaderboard: board.name, top: 3 });
    const after = { leaderboard: board.name, top: 3 };
    return { by: scene.admin.id, subject: `rejudge ${numberIn(textOf(answer))}`, after };
  },

  async 'admin rejudge apply'(scene) {
    const id = await readyRejudge(scene);
    await scene.say(scene.admin, '/admin rejudge apply', { id });
    return rejudgeTrace(scene, id, 'ready', 'applied');
  },

  async 'admin rejudge cancel'(scene) {
    const id = await readyRejudge(scene);
    await scene.say(scene.admin, '/admin rejudge cancel', { id });
    return rejudgeTrace(scene, id, 'ready', 'cancelled');
  },

  async 'admin token create'({ say, admin, sql }) {
    await say(admin, '/admin token create', { name: 'nightly' });
    const [row] = await sql<{ id: number }[]>`select max(id) as id from hotlap.api_tokens`;
    return { by: admin.id, subject: `token ${row?.id}`, after: { kind: 'admin', name: 'nightly' } };
  },

  async 'admin token revoke'({ say, admin, sql }) {
    const user = makeUser();
    await saveUser(sql, user);
    const sha256 = tokenHash(makeToken());
    const id = await insertToken(sql, { kind: 'personal', sha256, userId: user.id, name: 'seen in public' });
    await say(admin, '/admin token revoke', { token: String(id) });
    return { by: admin.id, subject: `token ${id}`, after: { revoked: true } };
  },
};

export function rejudgeTrace({ admin }: ChangeScene, id: number, before: string, after: string): Trace {
  return { by: admin.id, subject: `rejudge ${id}`, before: { status: before }, after: { status: after } };
}

/** Whose jobs have all run. */
export async function readyRejudge(scene: ChangeScene): Promise<number> {
  const board = await scene.board();
  const submissionId = await scene.ranked(board);
  const asked = await scene.say(scene.admin, '/admin rejudge start', { leaderboard: board.name });
  const id = numberIn(textOf(asked));
  await (await scene.admin.press(asked, 'Start')).waitFor((message) => textOf(message).includes('Refresh'));
  await scene.judgeAgain(submissionId, id);
  return id;
}
