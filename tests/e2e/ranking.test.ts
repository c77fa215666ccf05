/** How a board ranks, from the organiser's rule to the judge's word, as people see it in Discord. */
import type { APIMessage } from 'discord-api-types/v10';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setSubmissionInvalid } from '../../src/db/invalidations.ts';
import { findLeaderboard, type LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { ageHistory, rankedSubmission } from '../db/ranking-scene.ts';
import { makeBox } from '../db/scene.ts';
import { writeLabProblems } from '../support/lab-problems.ts';
import { componentsOf, isEphemeral, textOf } from '../support/playground-message.ts';
import { type PlaygroundUser, playgroundUser } from '../support/playground-user.ts';
import { type RunningApp, runningApp } from '../support/running-app.ts';

describe('a board with a rule', () => {
  let running: RunningApp;
  let admin: PlaygroundUser;
  let first: PlaygroundUser;
  let second: PlaygroundUser;
  let judge: PlaygroundUser;
  let board: LeaderboardWithTask;
  let boxId: number;
  let fast: number;
  let slow: number;

  beforeAll(async () => {
    running = await runningApp({ env: { HOTLAP_LOCAL_BOX: 'off' }, prepareProblems: writeLabProblems });
    ({ admin, first, second } = running.users);
    judge = playgroundUser(running.playground, 'judith');
    const { sql } = running.database;
    const found = await findLeaderboard(sql, 'lab');
    if (!found) throw new Error('the lab board is not there');
    board = found;
    // Their results are told to Hotlap, so that only the commands have to be waited for.
    boxId = (await makeBox(sql, ['CPU'], 4)).id;
    const of = (user: PlaygroundUser) => ({ user: { id: user.id, name: user.name } });
    fast = await rankedSubmission(sql, boxId, board, { ...of(first), meansS: [0.001, 0.004], score: 0.002 });
    slow = await rankedSubmission(sql, boxId, board, { ...of(second), meansS: [0.003, 0.003], score: 0.003 });
  });
  afterAll(async () => {
    judge?.close();
    await running?.stop();
  });

  const ask = async (user: PlaygroundUser, command: string, options: object) =>
    (await user.slash(command, options as never)).answer({ timeoutMs: 60_000 });
  const rule = (text: string) => ask(admin, '/admin leaderboard ranking', { leaderboard: 'lab', rule: text });
  const show = async (options: object = {}) =>
    textOf(await ask(first, '/leaderboard show', { name: 'lab', ...options }));
  const labels = (message: APIMessage) => componentsOf(message).map((component) => component.label);
  const apply = async (preview: APIMessage) =>
    (await admin.press(preview, 'Rank by this rule')).waitFor(
      (message) => textOf(message).includes('How lab ranks'),
      {
        timeoutMs: 60_000,
      },
    );

  it('says in words how it ranks, to organisers with the data, to everybody in the task', async () => {
    const now = await ask(admin, '/admin leaderboard ranking', { leaderboard: 'lab' });
    expect(isEphemeral(now)).toBe(true);
    expect(textOf(now)).toContain('Measured is time, the geometric mean of all benchmarks. Lower is better.');
    expect(textOf(now)).toContain('default');
    const task = textOf(await ask(first, '/leaderboard task', { name: 'lab' }));
    expect(task).toContain('The public run counts; the secret one has to pass as well.');
  });

  it('refuses a rule that does not fit, with every reason at once, and changes nothing', async () => {
    const before = await show();
    const refused = await rule('{windows: true, metric: throughput, weights: {measured: 0.5, charm: 0.2}}');
    expect(textOf(refused)).toContain('Nothing was changed.');
    for (const reason of [
      'No run on `lab` has reported the metric `throughput`',
      '`direction` is missing',
      'this board measures nothing again',
      '`weights` names `charm`, which is no scorer of this board',
      'sum up to 0.7, not to 1',
    ])
      expect(textOf(refused)).toContain(reason);
    expect(labels(refused)).toEqual([]);
    expect(textOf(await rule('{weights: ['))).toContain('neither YAML nor JSON');
    expect(textOf(await rule('# nothing yet'))).toContain('Write `default` alone for the default.');
    expect(await show()).toBe(before);
  });

  it('shows what a rule would move, moves it on a word, and has boards for what it adds', async () => {
    const preview = await rule('{aggregation: last, categories: [shape]}');
    expect(textOf(preview)).toContain(`<@${second.id}> place 2 → place 1`);
    expect(await show()).toMatch(new RegExp(`#${fast}.*#${slow}`, 's'));
    await apply(preview);
    expect(await show()).toMatch(new RegExp(`#${slow}.*#${fast}`, 's'));
    expect(await show({ gpu: 'cpu / shape 1' })).toMatch(
      new RegExp(`1\\.000 ms.*#${fast}.*3\\.000 ms.*#${slow}`, 's'),
    );
  });

  it('shows the board as it was, page by page, and refuses times that are none', async () => {
    const { sql } = running.database;
    await ageHistory(sql, board.id, 48);
    const newest = await rankedSubmission(sql, boxId, board, {
      user: { id: first.id, name: first.name },
      meansS: [0.0001, 0.0001],
      score: 0.0001,
    });
    expect(await show()).toMatch(new RegExp(`▲1 · #${newest}.*▼1 · #${slow}`, 's'));
    const then = await ask(first, '/leaderboard show', { name: 'lab', gpu: 'cpu', as_of: '30h' });
    expect(textOf(then)).toContain('As it was <t:');
    expect(textOf(then)).toMatch(new RegExp(`#${slow}.*#${fast}`, 's'));
    expect(textOf(then)).not.toContain(`#${newest}`);
    // Another board of it is that of the same time.
    const shape = await (await first.press(then, 'CPU / shape 2')).waitFor(
      (message) => textOf(message).includes('lab · CPU / shape 2'),
      { timeoutMs: 60_000 },
    );
    expect(textOf(shape)).toContain('As it was <t:');
    expect(textOf(shape)).not.toContain(`#${newest}`);
    // Of such a time a midnight is kept, and said to be what is shown.
    const old = textOf(await ask(first, '/leaderboard show', { name: 'lab', as_of: '60d' }));
    expect(old).toContain('Nobody was ranked here then.');
    expect(Number(/As it was <t:(\d+):f>/.exec(old)?.[1]) % 86_400).toBe(0);
    for (const asOf of ['2099-01-01', 'soon']) {
      await first.slash('/leaderboard show', { name: 'lab', as_of: asOf });
      const refused = (seen: APIMessage) => textOf(seen).includes(`${asOf} is no time in the past.`);
      expect(isEphemeral(await first.waitForMessage(refused, { timeoutMs: 60_000 }))).toBe(true);
    }
    await setSubmissionInvalid(sql, newest, { by: 'test', reason: 'test' });
  });

  it('tells everybody their own place, and whoever has none why, for their eyes', async () => {
    const message = await ask(second, '/leaderboard show', { name: 'lab' });
    const placeOf = async (user: PlaygroundUser) => {
      await user.press(message, 'My place');
      return user.waitForMessage((seen) => textOf(seen).includes('Your place on lab'), { timeoutMs: 60_000 });
    };
    const own = await placeOf(second);
    expect(isEphemeral(own)).toBe(true);
    expect(textOf(own)).toContain(`Number **1** of 2 with **3.000 ms**, by #${slow}.`);
    expect(textOf(own)).toContain('the same place since 24 hours ago, new since 7 days ago');
    // The message is somebody else's; the answer is not.
    const none = textOf(await placeOf(judge));
    expect(none).toContain('Not ranked: nothing was sent in mode ranked (sending).');
    expect(none).toContain('**Next** Send a file with mode `ranked`.');
    const picture = await ask(judge, '/leaderboard spread', { name: 'lab' });
    expect(textOf(picture)).toContain('Not ranked: nothing was sent in mode ranked (sending).');
    expect(textOf(picture)).toContain('(file spread-lab-');
  });

  it('ranks by judges’ scores under their own names, and says what is missing', async () => {
    const preview = await rule(
      '{scorers: [{name: clarity, about: Could somebody else keep it up?}], weights: {measured: 0.5, clarity: 0.5}, reference: 0.002}',
    );
    expect(textOf(preview)).toContain('place 1 → not ranked');
    await apply(preview);
    expect(await show()).toContain('Nobody is ranked here yet');
    const own = textOf(await ask(first, '/submissions show', { id: fast }));
    expect(own).toContain('Passed, not ranked');
    expect(own).toContain('no judge has given clarity a value yet (judging)');
    const listed = textOf(await ask(first, '/submissions mine', {}));
    expect(listed).toContain('done: not ranked: CPU: no judge has given clarity a value yet');
    expect(listed).toContain(`/submissions show id:${fast}`);

    const panel = textOf(await ask(judge, '/judge panel', { leaderboard: 'lab' }));
    expect(panel).toContain(`#${fast}`);
    expect(panel).toContain('2 left for you');
    const code = await ask(judge, '/judge show', { id: slow });
    expect(code.attachments.map((file) => file.filename)).toEqual(['submission.py']);
    const score = (id: number, value: number) =>
      ask(judge, '/judge score', { id, scorer: 'clarity', value, reason: 'Short and plain.' });
    expect(textOf(await score(fast, 0.2))).toContain('0.2');
    await score(slow, 1);
    expect(textOf(await score(slow, 0.9))).toContain('It was 1; the earlier one is kept as a revision.');

    // Whoever gave them is whom Discord says it was.
    const { sql } = running.database;
    expect(await sql`select distinct judge_id as id from hotlap.reviews`).toEqual([{ id: judge.id }]);
    const seen = textOf(await ask(judge, '/judge show', { id: slow }));
    expect(seen.match(new RegExp(`by <@${judge.id}>`, 'g'))).toHaveLength(2);

    const places = await show();
    expect(places).toContain('0.65 points');
    expect(places).toMatch(new RegExp(`#${slow}.*#${fast}`, 's'));
    expect(textOf(await ask(judge, '/judge panel', { leaderboard: 'lab' }))).toContain(
      'Nothing is left for you to score.',
    );
    expect(textOf(await ask(first, '/submissions show', { id: fast }))).toContain(
      'On the board **0.35 points**',
    );
  });

  it('goes back to the default in one word', async () => {
    await apply(await rule('default'));
    expect(await show()).toMatch(new RegExp(`#${fast}.*2\\.000 ms|2\\.000 ms.*#${fast}`, 's'));
  });
});
