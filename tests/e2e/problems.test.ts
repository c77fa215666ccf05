/** Problems as organisers handle them: a plan is shown, applied on a word, and what it changed is judged again. */
import { execFileSync } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { APIMessage } from 'discord-api-types/v10';
import { unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drainBox, listBoxes, resumeBox } from '../../src/db/boxes.ts';
import { findLeaderboard } from '../../src/db/leaderboards.ts';
import { storeJobResult } from '../../src/db/results.ts';
import { leaseJob, makeUser, passedWith, submit } from '../db/scene.ts';
import { componentsOf, isEphemeral, textOf } from '../support/playground-message.ts';
import { type PlaygroundUser, RefusedByClient } from '../support/playground-user.ts';
import { type RunningApp, runningApp } from '../support/running-app.ts';
import { tarGz } from '../support/tar-archive.ts';
import { rootWith, setTolerance, writeToleranceProblem } from '../support/tolerance-problem.ts';
import { zipOf } from '../support/zip-archive.ts';

const TIMEOUT = { timeoutMs: 60_000 };

describe('problems and rejudges', () => {
  let running: RunningApp;
  let admin: PlaygroundUser;
  let first: PlaygroundUser;
  let scratch: string;
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'hotlap-test-problems-'));
    running = await runningApp({ env: { HOTLAP_LOCAL_SLOTS: '2' }, prepareProblems: writeToleranceProblem });
    ({ admin, first } = running.users);
  });
  afterAll(async () => {
    await running?.stop();
    await rm(scratch, { recursive: true, force: true });
  });

  const labels = (message: APIMessage) => componentsOf(message).map((component) => component.label);
  const sync = async (options: object = {}) =>
    (await admin.slash('/admin problems sync', options as never)).answer(TIMEOUT);
  const problem = (name: string) => join(running.problemsDir, 'roots', 'square_root', name);
  const boards = () =>
    running.database.sql`
      select name, task_version_id, deadline, origin, updated_at from hotlap.leaderboards order by name`;
  const version = async () => (await findLeaderboard(running.database.sql, 'roots'))?.version;

  async function edit(name: string, from: string | RegExp, to: string): Promise<void> {
    const text = await readFile(name, 'utf8');
    expect(text.replace(from, to)).not.toBe(text);
    await writeFile(name, text.replace(from, to));
  }

  it('says that there is nothing to do, without a button', async () => {
    const plan = await sync();
    expect(textOf(plan)).toMatch(/Plan: \d+ unchanged\n/);
    expect(textOf(plan)).toContain('there is nothing to do');
    expect(labels(plan)).toEqual([]);
    expect(isEphemeral(plan)).toBe(true);
  });

  it('shows what is new, changed and refused before it changes anything, and nothing when it is dropped', async () => {
    await edit(problem('task.yml'), 'within the tolerance of task.py', 'as exactly as task.py asks');
    await edit(problem('task.yml'), 'test_timeout: 20', 'test_timeout: 25');
    await cp(problem('.'), join(running.problemsDir, 'roots', 'broken'), { recursive: true });
    await edit(join(running.problemsDir, 'roots', 'broken', 'task.yml'), 'main: eval.py', 'main: judge.py');
    await edit(
      join(running.problemsDir, 'roots.yaml'),
      'problems:\n',
      'problems:\n  - {directory: roots/square_root, name: roots-new, deadline: "", gpus: ["CPU"]}\n  - {directory: roots/broken, name: roots-broken, deadline: "", gpus: ["CPU"]}\n',
    );
    const before = await boards();
    const plan = await sync();
    const text = textOf(plan);
    expect(text).toMatch(/Plan: 1 new, 1 changed, \d+ unchanged, 1 refused/);
    expect(text).toContain('`test_timeout` `20` → `25`');
    expect(text).toContain('-Return the square root of a number, within the tolerance of task.py.');
    expect(text).toContain('+Return the square root of a number, as exactly as task.py asks.');
    expect(text).toMatch(/roots\/broken\/task\.yml:\d+: config\.main: .*judge\.py/);
    expect(text).toContain('roots · version 1 → 2');
    const file = (await admin.attachment(plan, 'plan.diff')).toString();
    expect(file).toContain('=== roots: version 1 -> 2');
    expect(await boards()).toEqual(before);

    const dropped = await (await admin.press(plan, 'Cancel')).waitFor(
      (message) => labels(message).length === 0,
    );
    expect(textOf(dropped)).toContain('Nothing was changed');
    expect(await boards()).toEqual(before);
  });

  it('applies what was shown, once, and nothing of a set that has changed since', async () => {
    const [plan, stale] = [await sync(), await sync()];
    const applied = await (await admin.press(plan, 'Apply')).waitFor((message) =>
      textOf(message).includes('Problems applied'),
    );
    expect(textOf(applied)).toMatch(/Created: `roots-new`\nChanged: `roots`/);
    expect(textOf(applied)).toContain('roots/broken/task.yml');
    expect(await version()).toBe(2);
    const after = await boards();
    const late = await (await admin.press(stale, 'Apply')).waitFor((message) => labels(message).length === 0);
    expect(textOf(late)).toContain('Nothing was changed');
    expect(textOf(late)).toContain('plan it again');
    expect(await boards()).toEqual(after);
  });

  it('reads a repository by its address, says which commit, and refuses in sentences', async () => {
    const repository = join(scratch, 'repository');
    const git = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], {
        cwd: repository,
      });
    execFileSync('git', ['init', '--quiet', '--initial-branch=main', repository]);
    await cp(running.problemsDir, join(repository, 'problems'), { recursive: true });
    await rm(join(repository, 'problems', 'roots', 'broken'), { recursive: true });
    await edit(join(repository, 'problems', 'roots.yaml'), /.*roots-broken.*\n/, '');
    await edit(join(repository, 'problems', 'roots.yaml'), 'roots-new', 'roots-from-git');
    git('add', '.');
    git('commit', '--quiet', '-m', 'Roots, from a repository');
    const hash = git('rev-parse', 'HEAD').toString().trim();

    const url = `file://${repository}`;
    const plan = await sync({ git: url, branch: 'main', folder: 'problems' });
    expect(textOf(plan)).toContain(`\`${hash.slice(0, 10)}\` Roots, from a repository`);
    expect(textOf(plan)).toMatch(/Plan: 1 new, \d+ from elsewhere, 0 unchanged/);
    expect(textOf(plan)).toContain('🆕 roots-from-git');
    expect(textOf(plan)).toContain('so far from the problems folder');
    const applied = await (await admin.press(plan, 'Apply')).waitFor((message) =>
      textOf(message).includes('Problems applied'),
    );
    expect(textOf(applied)).toContain('roots-from-git');
    const [row] = await running.database.sql`
      select origin from hotlap.leaderboards where name = 'roots-from-git'`;
    expect(row?.origin).toEqual({ kind: 'git', url, branch: 'main', folder: 'problems', commit: hash });

    const refusals: [object, RegExp][] = [
      [{ git: url, branch: 'nothing' }, /no such branch or tag/],
      [{ git: url, folder: 'nowhere' }, /no folder nowhere/],
      [{ git: `file://${scratch}/none` }, /does not exist, or is not open/],
      [{ git: 'https://user:secret-token@127.0.0.1/x' }, /password or a token in it/],
      [{ git: 'ext::sh -c touch% /tmp/x' }, /no address of a repository/],
      [{ git: '--upload-pack=/bin/true' }, /no address of a repository/],
      [{ git: 'http://127.0.0.1/x' }, /only https, ssh and file/],
      [{ git: 'https://127.0.0.1:9/x' }, /cannot be reached/],
      [{ folder: 'problems' }, /belong to a repository/],
      [
        { folder: 'x', archive: { name: 'a.zip', bytes: zipOf({ 'x/s.yaml': 'name: x\n' }) } },
        /belong to a repository/,
      ],
    ];
    for (const [options, sentence] of refusals) {
      const refused = await sync(options);
      expect(textOf(refused)).toMatch(sentence);
      expect(textOf(refused)).not.toContain('secret-token');
    }
  });

  it('reads an uploaded archive, and refuses one that climbs out or holds no set', async () => {
    const entries = { 'x/problems/s.yaml': 'name: x\nproblems: [{directory: nowhere, name: y}]\n' };
    const plan = await sync({ archive: { name: 'set.zip', bytes: zipOf(entries) } });
    expect(textOf(plan)).toContain('1 refused');
    expect(textOf(plan)).toContain('nowhere/task.yml');
    const climbing = tarGz([{ name: '../../evil.txt', content: 'x' }]);
    const refused = await sync({ archive: { name: 'evil.tar.gz', bytes: climbing } });
    expect(textOf(refused)).toMatch(/evil\.tar\.gz was not unpacked: "\.\.\/\.\.\/evil\.txt" leaves/);
    const empty = await sync({ archive: { name: 'e.zip', bytes: zipOf({ 'a.txt': 'a' }) } });
    expect(textOf(empty)).toContain('There is no problem set in e.zip');
  });

  it('shows a task with its statement, cases, limits, deadline and files, and gives a template to submit', async () => {
    const task = await (await first.slash('/leaderboard task', { name: 'roots' })).answer();
    const text = textOf(task);
    expect(text).toContain('Return the square root');
    expect(text).toContain('size: 16');
    expect(text).toContain('test 25 s, benchmark 20 s, ranked 20 s');
    expect(text).toContain(`<t:${Date.UTC(2090, 0, 2, 3, 4) / 1000}:f>`);
    expect(text).toContain('`submission.py (yours)` `eval.py` `task.py`');
    expect(text).toContain('version 2 of the task');
    const files = unzipSync(await first.attachment(task, 'roots.zip'));
    expect(Object.keys(files).sort()).toEqual([
      ...['cases/benchmarks.txt', 'cases/tests.txt', 'eval.py', 'statement.md', 'task.py'],
      'templates/Python/submission.py',
    ]);
    const given = await (
      await first.slash('/leaderboard template', { name: 'roots', language: 'Python' })
    ).answer();
    const template = (await first.attachment(given, 'submission.py')).toString();
    expect(template).toMatch(/^#!POPCORN leaderboard roots\n#!POPCORN gpus CPU\n# Fill it in\.\n/);
    expect(template).not.toContain('another-board');
  });

  describe('a tolerance that is changed on a board with 20 submissions', () => {
    /**
     * Far slower at first than they really are, each by far more than a busy machine adds. The first two are wrong by 1 %,
     * which the new tolerance does not allow.
     */
    const submissions: number[] = [];
    let noticed: Promise<APIMessage>;
    let ready: APIMessage;

    beforeAll(async () => {
      const { sql } = running.database;
      await admin.watch();
      const [box] = await listBoxes(sql);
      const board = await findLeaderboard(sql, 'roots');
      if (!box || !board) throw new Error('there should be a box and a board');
      // What they scored before is told to Hotlap, so that only the rejudge has to be waited for.
      await drainBox(sql, box.id, 'for the test');
      for (let index = 0; index < 20; index++) {
        const seconds = 10 * (index + 1);
        const code = rootWith(index < 2 ? 0.01 : 0, index === 2 ? 0.001 : 0.2);
        const user = index === 2 ? { id: first.id, name: first.name } : makeUser();
        const submissionId = await submit(sql, board, { user, code });
        submissions.push(submissionId);
        for (const secret of [false, true]) {
          const lease = await leaseJob(sql, box.id, { submissionId, secret });
          await storeJobResult(sql, lease, passedWith(seconds), seconds);
        }
      }
      await resumeBox(sql, box.id, 'for the test');
    });

    const places = async () => {
      const shown = await (await first.slash('/leaderboard show', { name: 'roots' })).answer();
      const lines = (shown.embeds[0]?.description ?? '').split('\n').filter((line) => line.includes('<@'));
      return { text: textOf(shown), ids: lines.map((line) => Number(/#(\d+)/.exec(line)?.[1])) };
    };

    async function rejudgeTop(count: number): Promise<APIMessage> {
      const plan = await (
        await admin.slash('/admin rejudge start', { leaderboard: 'roots', top: count })
      ).answer();
      expect(textOf(plan)).toContain(`${count} submissions** would be judged again by **version 3**`);
      expect(textOf(plan)).toContain(`${2 * count} jobs`);
      const id = Number(/Rejudge #(\d+)/.exec(textOf(plan))?.[1]);
      noticed = admin.waitForMessage(
        (message) => textOf(message).includes(`Rejudge #${id} of roots has run`),
        TIMEOUT,
      );
      const started = await admin.press(plan, 'Start');
      await started.waitFor((message) => labels(message).includes('Refresh'), TIMEOUT);
      await noticed;
      return (await admin.slash('/admin rejudge show', { id })).answer();
    }

    it('offers a rejudge where it is applied, and marks the entries of the earlier version', async () => {
      await setTolerance(running.problemsDir, 1e-3);
      await edit(join(running.problemsDir, 'roots.yaml'), /.*roots-broken.*\n/, '');
      const plan = await sync();
      expect(textOf(plan)).toContain('20 ranked submissions were judged otherwise: a rejudge is offered');
      expect(textOf(plan)).toContain('-TOLERANCE = 0.1\n+TOLERANCE = 0.001');
      const applied = await (await admin.press(plan, 'Apply')).waitFor((message) =>
        textOf(message).includes('Problems applied'),
      );
      expect(labels(applied)).toEqual(['Rejudge roots']);
      await admin.press(applied, 'Rejudge roots');
      const offer = await admin.waitForMessage((message) => textOf(message).includes('start it?'));
      expect(isEphemeral(offer)).toBe(true);
      expect(textOf(offer)).toContain('**20 submissions** would be judged again by **version 3**');
      await admin.press(offer, 'Cancel');
      expect((await places()).text).toContain('20 of 20 entries were judged by an earlier version');
    });

    it('shows who would move before it counts, and cancelled leaves the board as it was', async () => {
      const before = await places();
      ready = await rejudgeTop(4);
      const text = textOf(ready);
      expect(text).toContain('apply it?');
      expect(text).toContain('Nothing has changed yet');
      expect(text).toMatch(/\*\*\d+\*\* of 20 places move, \*\*2\*\* are lost/);
      expect(text).toMatch(/1 → – .*wrong result \(test\)/);
      expect(text).toMatch(new RegExp(`3 → 1 ▲ +${first.name}`));
      const table = (await admin.attachment(ready, 'rejudge-2.csv')).toString().split('\r\n');
      expect(table).toHaveLength(1 + 4 + 1);
      expect(table[1]).toMatch(new RegExp(`^CPU,${submissions[0]},.*,1,,10,.*,yes,no,,wrong result`));
      expect((await places()).ids).toEqual(before.ids);

      const dropped = await admin.press(ready, 'Cancel: leave the board as it is');
      await dropped.waitFor((message) => textOf(message).includes('was cancelled'));
      expect(await places()).toEqual(before);
    });

    it('moves the board when it is applied, and keeps the first runs', async () => {
      const { sql } = running.database;
      const runs = await sql`select id from hotlap.runs order by id`;
      ready = await rejudgeTop(4);
      const applied = await admin.press(ready, 'Apply');
      const done = await applied.waitFor((message) => textOf(message).includes('was applied'));
      expect(labels(done)).toEqual([]);
      const { ids, text } = await places();
      expect(ids.slice(0, 2)).toEqual([submissions[2], submissions[3]]);
      expect(text).toContain('16 of 18 entries were judged by an earlier version');
      expect(text).toContain('version 3 of the task');
      const kept =
        await sql`select id from hotlap.runs where id = any(${runs.map((run) => run.id as number)})`;
      expect(kept).toHaveLength(runs.length);
      const own = await (await first.slash('/submissions show', { id: submissions[2] ?? 0 })).answer();
      expect(textOf(own)).toContain('place 1');
      expect(textOf(own)).toContain('Judged again by version 3 of the task (rejudge #3)');
      const list = textOf(await (await admin.slash('/admin rejudge list')).answer());
      expect(list).toMatch(/✅ \*\*#3\*\* roots · version 3 · 4 submissions · applied/);
      const again = await (await admin.slash('/admin rejudge apply', { id: 3 })).answer();
      expect(textOf(again)).toContain('Rejudge #3 is applied: it cannot be applied');
    });

    it('is for organisers alone, and tells nobody else anything', async () => {
      await expect(first.slash('/admin rejudge show', { id: 3 })).rejects.toThrow(RefusedByClient);
      const seen = [...(await first.visibleMessages()), ...(await first.directMessages())];
      for (const message of seen) expect(textOf(message)).not.toMatch(/Rejudge #/);
    });
  });
});
