/** A sample for every button, menu and form that changes something, by the beginning of its custom id. */
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { APIMessage } from 'discord-api-types/v10';
import { findLeaderboard } from '../../src/db/leaderboards.ts';
import { noteReachable, saveNoticeSettings } from '../../src/db/notices.ts';
import { storeBoxFailure } from '../../src/db/results.ts';
import { appealRuling, invalidateSubmission } from '../../src/db/rulings.ts';
import { saveUser } from '../../src/db/users.ts';
import { leaseJob, makeBox, submit, testRecord } from '../db/scene.ts';
import type { ChangeScene, Sample, Trace } from './change-scene.ts';
import { commandChanges, readyRejudge, rejudgeTrace } from './command-changes.ts';
import { labSubmissions } from './lab-problems.ts';
import { componentsOf, findComponent, textOf } from './playground-message.ts';
import type { PlaygroundUser } from './playground-user.ts';
import { freshTeam } from './team-changes.ts';

const TIMEOUT = { timeoutMs: 60_000 };
const file = { name: 'a.py', bytes: labSubmissions.good };
const numberIn = (text: string) => Number(/#(\d+)/.exec(text)?.[1]);

/** A message that this person was sent and that has such a button. */
function withButton(user: PlaygroundUser, customId: string): Promise<APIMessage> {
  const has = (message: APIMessage) => {
    try {
      return findComponent(message, customId).customId === customId;
    } catch {
      return false;
    }
  };
  return user.waitForMessage(has, TIMEOUT);
}

/** A ruling about a submission of mira, who is told of it. */
async function ruled({ sql, board, mira }: ChangeScene) {
  const id = await submit(sql, await board(), { user: { id: mira.id, name: 'mira' } });
  const made = await invalidateSubmission(
    sql,
    { submissionId: id, reason: 'It times nothing.', evidence: null },
    testRecord(),
  );
  if (typeof made === 'string') throw new Error(made);
  return { submissionId: id, rulingId: made.id };
}

async function appealed(scene: ChangeScene) {
  const ruling = await ruled(scene);
  const appeal = { userId: scene.mira.id, text: 'It does time.' };
  await appealRuling(scene.sql, ruling.rulingId, appeal, testRecord());
  return ruling;
}

export const componentChanges: Record<string, Sample> = {
  async 'team:join'(scene) {
    const { say, admin, mira } = scene;
    const name = await freshTeam(scene);
    await say(mira, '/team invite', { user: admin.id });
    const hasButton = (message: APIMessage) =>
      componentsOf(message).some(({ label }) => label === `Join ${name}`);
    const asked = await admin.waitForMessage(hasButton, TIMEOUT);
    await (await admin.press(asked, `Join ${name}`)).waitFor((message) =>
      textOf(message).includes('Welcome'),
    );
    return { by: admin.id, subject: `team ${name}`, after: { joined: admin.id, members: 2 } };
  },

  async submit({ say, mira }) {
    const asked = await say(mira, '/submit', { file, leaderboard: 'lab-two-gpus', mode: 'test' });
    const handle = await mira.select(asked, ['H100']);
    const answer = await handle.waitFor((message) => /#\d+/.test(textOf(message)), TIMEOUT);
    const after = { leaderboard: 'lab-two-gpus', mode: 'test', gpus: ['H100'] };
    return { by: mira.id, subject: `submission ${numberIn(textOf(answer))}`, after };
  },

  async 'notify:kinds'({ say, mira }) {
    await mira.select(await say(mira, '/notify'), ['quota', 'overtaken']);
    const after = { notices: ['overtaken', 'quota'] };
    return { by: mira.id, subject: `user ${mira.id}`, before: { notices: [] }, after };
  },

  async 'notify:again'({ say, mira, sql }) {
    await saveUser(sql, { id: mira.id, name: 'mira' });
    await saveNoticeSettings(sql, mira.id, ['quota'], testRecord());
    await noteReachable(sql, mira.id, false);
    await mira.press(await say(mira, '/notify'), 'Try again');
    const [before, after] = [false, true].map((reachable) => ({ reachable }));
    return { by: mira.id, subject: `user ${mira.id}`, ...{ before, after } } as Trace;
  },

  async 'submissions:cancel'({ say, mira }) {
    const answer = await say(mira, '/submit', { file, leaderboard: 'lab', mode: 'test' });
    await mira.press(answer, 'Cancel');
    return { by: mira.id, subject: `submission ${numberIn(textOf(answer))}`, after: { cancelled: true } };
  },

  async 'submissions:rerun'(scene) {
    const { sql, say, mira } = scene;
    const answer = await say(mira, '/submit', { file, leaderboard: 'lab', mode: 'test' });
    const submissionId = numberIn(textOf(answer));
    const { id: boxId } = await makeBox(sql, ['CPU']);
    const lease = await leaseJob(sql, boxId, { submissionId });
    await storeBoxFailure(sql, lease, { kind: 'disk-full', message: 'full' });
    await mira.press(await withButton(mira, `submissions:rerun:${submissionId}`), 'Run it again');
    return { by: mira.id, subject: `submission ${submissionId}`, after: { queued_again: true } };
  },

  async 'submissions:appealed'(scene) {
    const { submissionId, rulingId } = await ruled(scene);
    const { mira } = scene;
    const form = await mira.press(await withButton(mira, `submissions:appeal:${rulingId}`), 'Appeal');
    await (await mira.modal(form, { text: 'It does time.' })).answer();
    return { by: mira.id, subject: `submission ${submissionId}`, after: { appealed: rulingId } };
  },

  'admin:leaderboard:delete': (scene) =>
    // The form of the command; both leave the same words.
    commandChanges['admin leaderboard delete']?.(scene) ?? Promise.resolve(null),

  async 'admin:submission:grant'(scene) {
    const { submissionId, rulingId } = await appealed(scene);
    const { admin } = scene;
    const customId = `admin:submission:grant:${rulingId}`;
    await admin.press(await withButton(admin, customId), customId);
    const [before, after] = [{ valid: false }, { valid: true, ruling: rulingId }];
    const reason = 'Your appeal was granted.';
    return { by: admin.id, subject: `submission ${submissionId}`, before, after, reason };
  },

  async 'admin:submission:rejected'(scene) {
    const { submissionId, rulingId } = await appealed(scene);
    const { admin } = scene;
    const customId = `admin:submission:reject:${rulingId}`;
    const form = await admin.press(await withButton(admin, customId), customId);
    await (await admin.modal(form, { answer: 'It does not.' })).answer();
    const after = { valid: false, ruling: rulingId };
    return { by: admin.id, subject: `submission ${submissionId}`, after, reason: 'It does not.' };
  },

  async 'admin:submission:delete'({ sql, board, say, admin, mira }) {
    const { name, ...rest } = await board();
    const id = await submit(sql, { name, ...rest }, { user: { id: mira.id, name: 'mira' } });
    const asked = await say(admin, '/admin submission delete', { id, reason: 'a double' });
    await admin.press(asked, 'Delete it for good');
    const before = { leaderboard: name, userId: mira.id, status: 'queued' };
    return { by: admin.id, subject: `submission ${id}`, before, reason: 'a double' };
  },

  async 'admin:contest:announce'({ admin, stage }) {
    const channel = stage.running.playground.channelId;
    const form = await admin.slash('/admin contest announce', { channel });
    await (await admin.modal(form, { title: 'Lunch', text: 'Back at one.' })).answer();
    const after = { title: 'Lunch', text: 'Back at one.' };
    return { by: admin.id, subject: `channel ${channel}`, after };
  },

  async 'admin:box:confirm'({ say, admin, sshd }) {
    if (!sshd) return null;
    const at = { name: 'confirmed', host: sshd.host, user: sshd.user, port: sshd.port };
    const handle = await admin.press(await say(admin, '/admin box add', at), 'It is this key: add the box');
    await handle.waitFor((message) => /is ready for/.test(textOf(message)), TIMEOUT);
    const after = { host: sshd.host, port: sshd.port, gpuTypes: ['CPU'] };
    return { by: admin.id, subject: 'box confirmed', after };
  },

  async 'admin:leaderboard:apply'({ board, say, admin }) {
    const { name } = await board();
    const rule = '{"minimumRuns":2}';
    const asked = await say(admin, '/admin leaderboard ranking', { leaderboard: name, rule });
    await admin.press(asked, 'Rank by this rule');
    return {
      by: admin.id,
      subject: `leaderboard ${name}`,
      before: { ranking: '{}' },
      after: { ranking: rule },
    };
  },

  async 'admin:problems:apply'({ say, admin, stage }) {
    const { problemsDir } = stage.running;
    await appendFile(join(problemsDir, 'lab', 'doubling', 'reference.py'), '\n# Changed.\n');
    await admin.press(await say(admin, '/admin problems sync'), 'Apply');
    const after = { updated: ['lab', 'lab-two-gpus', 'lab-over'] };
    return { by: admin.id, subject: 'problems of the problems folder', after };
  },

  async 'admin:rejudge:plan'(scene) {
    const { say, admin, stage, sql } = scene;
    const lab = await findLeaderboard(sql, 'lab');
    if (!lab) throw new Error('there is no board lab');
    await scene.ranked(lab);
    const { problemsDir } = stage.running;
    await appendFile(join(problemsDir, 'lab', 'doubling', 'reference.py'), '\n# Changed once more.\n');
    const asked = await say(admin, '/admin problems sync');
    const handle = await admin.press(asked, 'Apply');
    const synced = await handle.waitFor((message) => textOf(message).includes('[Rejudge lab]'), TIMEOUT);
    await admin.press(synced, 'Rejudge lab');
    const isPlan = (message: APIMessage) => textOf(message).includes('of lab: start it?');
    const planned = await admin.waitForMessage(isPlan, TIMEOUT);
    const after = { leaderboard: 'lab', outdatedOnly: true };
    return { by: admin.id, subject: `rejudge ${numberIn(textOf(planned))}`, after };
  },

  async 'admin:rejudge:begin'(scene) {
    const { board, say, admin } = scene;
    const own = await board();
    await scene.ranked(own);
    const asked = await say(admin, '/admin rejudge start', { leaderboard: own.name });
    await admin.press(asked, 'Start');
    return rejudgeTrace(scene, numberIn(textOf(asked)), 'planned', 'running');
  },

  async 'admin:rejudge:apply'(scene) {
    const id = await readyRejudge(scene);
    await scene.admin.press(await scene.say(scene.admin, '/admin rejudge show', { id }), 'Apply');
    return rejudgeTrace(scene, id, 'ready', 'applied');
  },

  async 'admin:rejudge:cancel'(scene) {
    const id = await readyRejudge(scene);
    const shown = await scene.say(scene.admin, '/admin rejudge show', { id });
    await scene.admin.press(shown, `admin:rejudge:cancel:${id}`);
    return rejudgeTrace(scene, id, 'ready', 'cancelled');
  },
};
