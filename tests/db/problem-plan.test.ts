/** Plans of what a sync would change, and what becomes of them. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { applySync } from '../../src/catalog/apply.ts';
import { planSync } from '../../src/catalog/plan.ts';
import { syncProblems } from '../../src/catalog/sync.ts';
import { findLeaderboard } from '../../src/db/leaderboards.ts';
import type { SyncPlan } from '../../src/domain/sync-plan.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { zipOf } from '../support/zip-archive.ts';
import { submit } from './scene.ts';

let database: TestDatabase;
let root: string;
beforeAll(async () => {
  database = await testDatabase({ maxConnections: 8 });
});
afterAll(() => database.drop());
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'hotlap-test-plan-'));
  await writeFile(path.join(root, 'a.yaml'), set(['one', 'two']));
  await writeFile(path.join(root, 'b.yaml'), set(['three']));
  for (const name of ['one', 'two', 'three'])
    await cp(path.resolve(import.meta.dirname, '../../problems/starter/word_count'), path.join(root, name), {
      recursive: true,
    });
  for (const shared of ['eval.py', 'utils.py'])
    await cp(path.resolve(import.meta.dirname, `../../problems/starter/${shared}`), path.join(root, shared));
  await cp(path.resolve(import.meta.dirname, '../../problems/harness'), path.join(root, 'harness'), {
    recursive: true,
  });
  for (const name of ['one', 'two', 'three'])
    await change(`${name}/task.yml`, /\.\.\/\.\.\/harness/g, '../harness');
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
  await database.sql`truncate hotlap.leaderboards, hotlap.task_versions cascade`;
});

function set(names: string[]): string {
  const lines = names.map((name) => `  - {directory: ${name}, name: ${name}, deadline: "", gpus: ["CPU"]}\n`);
  return `name: A set\ndeadline: ""\ndescription: ""\nproblems:\n${lines.join('')}`;
}

async function change(name: string, from: string | RegExp, to: string): Promise<void> {
  const file = path.join(root, name);
  const before = await readFile(file, 'utf8');
  expect(before.replace(from, to)).not.toBe(before);
  await writeFile(file, before.replace(from, to));
}

const plan = (options?: { set?: string }) =>
  planSync(database.sql, { kind: 'directory', path: root }, options);
const apply = (made: SyncPlan) => applySync(database.sql, made);
const board = async (name: string) => {
  const found = await findLeaderboard(database.sql, name);
  if (!found) throw new Error(`no board ${name}`);
  return found;
};
const kinds = (made: SyncPlan) =>
  Object.fromEntries(made.problems.map((problem) => [problem.entry.leaderboard, problem.change]));
const everything = () => database.sql`
  select l.*, (select count(*) from hotlap.task_versions) as versions from hotlap.leaderboards l order by id`;

describe('a plan', () => {
  it('writes nothing, and what is applied is what it said', async () => {
    const made = await plan();
    expect(kinds(made)).toEqual({ one: 'created', two: 'created', three: 'created' });
    expect(await everything()).toEqual([]);
    expect(await apply(made)).toMatchObject({ created: ['one', 'two', 'three'], updated: [], refused: [] });
    expect((await board('one')).version).toBe(1);
    const again = await plan();
    expect(kinds(again)).toEqual({ one: 'unchanged', two: 'unchanged', three: 'unchanged' });
    const before = await everything();
    await apply(again);
    expect(await everything()).toEqual(before);
  });

  it('can be of one set alone', async () => {
    expect(kinds(await plan({ set: 'b' }))).toEqual({ three: 'created' });
  });

  it('has the same mark as another one of the same content, and another mark otherwise', async () => {
    const [first, second] = [await plan(), await plan()];
    expect(second.fingerprint).toBe(first.fingerprint);
    await change('one/task.yml', /test_timeout: \d+/, 'test_timeout: 77');
    expect((await plan()).fingerprint).not.toBe(first.fingerprint);
    await apply(second);
    expect((await plan()).fingerprint).not.toBe(second.fingerprint);
  });

  it('leaves a set as it is as a whole when one of its boards has changed since', async () => {
    await apply(await plan());
    for (const name of ['one', 'two', 'three'])
      await change(`${name}/task.yml`, /test_timeout: \d+/, 'test_timeout: 77');
    const stale = await plan();
    await database.sql`update hotlap.leaderboards set set_deadline = '2030-01-01' where name = 'two'`;
    const report = await apply(stale);
    expect(report).toMatchObject({ created: [], updated: ['three'] });
    expect(report.refused).toEqual([expect.stringContaining('a.yaml')]);
    expect((await board('one')).task.testTimeoutS).not.toBe(77);
    expect((await board('three')).task.testTimeoutS).toBe(77);
  });

  it('refuses what is faulty with file, line and key, and goes on with the rest of the set', async () => {
    await change('two/task.yml', /test_timeout: \d+/, 'test_timeout: soon');
    const made = await plan();
    expect(made.refused).toEqual([expect.stringMatching(/^two\/task\.yml:\d+: test_timeout: must be/)]);
    expect(await apply(made)).toMatchObject({ created: ['one', 'three'], refused: made.refused });
  });

  it('names the boards that are no longer in their set, and leaves them', async () => {
    await apply(await plan());
    await writeFile(path.join(root, 'a.yaml'), set(['one']));
    const made = await plan();
    expect(made.gone).toEqual(['two']);
    await apply(made);
    expect((await board('two')).version).toBe(1);
  });

  it('offers a rejudge only for what judges, and only where somebody is ranked', async () => {
    const { sql } = database;
    await apply(await plan());
    const id = await submit(sql, await board('one'));
    await sql`update hotlap.submissions set status = 'done' where id = ${id}`;
    for (const name of ['one', 'two']) await change(`${name}/reference.py`, /^/, '# changed\n');
    await change('three/task.yml', /(description: \|\n)(\s+)/, '$1$2Well.\n$2');
    const made = await plan();
    const asked = Object.fromEntries(
      made.problems.map((problem) => [problem.entry.leaderboard, [problem.asksForRejudge, problem.ranked]]),
    );
    expect(asked).toEqual({ one: [true, 1], two: [true, 0], three: [false, 0] });
    const { rejudge } = await apply(made);
    expect(rejudge).toEqual([{ leaderboardId: (await board('one')).id, leaderboard: 'one', ranked: 1 }]);
    expect((await board('one')).version).toBe(2);
  });
});

describe('the versions of a board', () => {
  it('are counted from 1, and one that comes back has its old number', async () => {
    await apply(await plan());
    const text = await readFile(path.join(root, 'one/task.yml'), 'utf8');
    const numbers = async () => {
      const made = await plan({ set: 'a' });
      await apply(made);
      const [one] = made.problems;
      return [one?.versionBefore, one?.versionAfter, (await board('one')).version];
    };
    await writeFile(
      path.join(root, 'one/task.yml'),
      `${text}test_timeout: 61\n`.replace(/test_timeout: \d+\n/, ''),
    );
    expect(await numbers()).toEqual([1, 2, 2]);
    await writeFile(
      path.join(root, 'one/task.yml'),
      `${text}test_timeout: 62\n`.replace(/test_timeout: \d+\n/, ''),
    );
    expect(await numbers()).toEqual([2, 3, 3]);
    await writeFile(path.join(root, 'one/task.yml'), text);
    expect(await numbers()).toEqual([3, 1, 1]);
    expect((await board('two')).version).toBe(1);
    const kept = await database.sql`
      select number from hotlap.leaderboard_versions v join hotlap.leaderboards l on l.id = v.leaderboard_id
      where l.name = 'one' order by number`;
    expect(kept.map((row) => row.number)).toEqual([1, 2, 3]);
  });

  it('do not change by a restart over a task that was stored before it had all its keys', async () => {
    await apply(await plan());
    const { sql } = database;
    // As an older Hotlap would have stored it: the same task under another hash.
    await sql`alter table hotlap.task_versions disable trigger task_versions_immutable`;
    await sql`update hotlap.task_versions set content_hash = 'old-' || id`;
    await sql`alter table hotlap.task_versions enable trigger task_versions_immutable`;
    const before = await everything();
    expect(await syncProblems(sql, root)).toMatchObject({ updated: [], created: [] });
    expect(await everything()).toEqual(before);
  });
});

describe('a restart', () => {
  it('takes nothing back that was confirmed from elsewhere, until somebody asks for it', async () => {
    const { sql } = database;
    await apply(await plan());
    const files = ['one/task.yml', 'one/task.py', 'one/reference.py', 'one/template.py'];
    const shared = ['eval.py', 'utils.py', 'harness/judge.py', 'harness/worker.py'];
    const content = await Promise.all(
      [...files, ...shared].map(
        async (name) => [name, await readFile(path.join(root, name), 'utf8')] as const,
      ),
    );
    const archive = Object.fromEntries(content);
    archive['one/task.yml'] = archive['one/task.yml']?.replace(/test_timeout: \d+/, 'test_timeout: 99') ?? '';
    const bytes = zipOf({ ...archive, 'a.yaml': set(['one']) });
    const uploaded = await planSync(sql, { kind: 'archive', name: 'a.zip', bytes });
    expect(uploaded.refused).toEqual([]);
    expect(await apply(uploaded)).toMatchObject({ updated: ['one'] });
    const origin = async () =>
      (await sql`select origin from hotlap.leaderboards where name = 'one'`)[0]?.origin as unknown;
    expect(await origin()).toMatchObject({ kind: 'archive', name: 'a.zip' });

    const restarted = await syncProblems(sql, root);
    expect(restarted).toMatchObject({ kept: ['one'], updated: [], unchanged: ['two', 'three'] });
    expect((await board('one')).task.testTimeoutS).toBe(99);

    const back = await plan();
    expect(back.problems[0]?.changes.map((item) => item.key)).toEqual(['from', 'test_timeout']);
    await apply(back);
    expect(await origin()).toEqual({ kind: 'directory' });
    expect((await board('one')).version).toBe(1);
  });
});
