import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { syncProblems } from '../../src/catalog/sync.ts';
import { loadJobWork } from '../../src/db/jobs.ts';
import { findLeaderboard, listLeaderboards } from '../../src/db/leaderboards.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { leaseJob, makeBox, submit } from './scene.ts';

let database: TestDatabase;
let root: string;
beforeAll(async () => {
  database = await testDatabase({ maxConnections: 8 });
  root = await mkdtemp(path.join(tmpdir(), 'hotlap-test-sync-'));
  await cp(path.resolve(import.meta.dirname, '../../problems'), root, { recursive: true });
});
afterAll(async () => {
  await database.drop();
  await rm(root, { recursive: true, force: true });
});

async function change(name: string, from: string | RegExp, to: string): Promise<void> {
  const file = path.join(root, name);
  const before = await readFile(file, 'utf8');
  const after = before.replace(from, to);
  expect(after).not.toBe(before);
  await writeFile(file, after);
}

const versions = async () => (await database.sql`select id from hotlap.task_versions`).length;
const board = async (name: string) => {
  const found = await findLeaderboard(database.sql, name);
  if (!found) throw new Error(`no board ${name}`);
  return found;
};

describe('bringing the problems into the database', () => {
  it('creates every board once, also when two processes start at once', async () => {
    const reports = await Promise.all([syncProblems(database.sql, root), syncProblems(database.sql, root)]);
    const [creating, other] = reports.toSorted((a, b) => b.created.length - a.created.length);
    expect(creating?.refused).toEqual([]);
    expect(creating?.created.length).toBeGreaterThanOrEqual(9);
    expect(other).toMatchObject({ created: [], updated: [], unchanged: creating?.created });
    expect((await listLeaderboards(database.sql)).map((item) => item.name).sort()).toEqual(
      creating?.created.sort(),
    );
  });

  it('changes nothing when nothing changed', async () => {
    const before = await database.sql`select * from hotlap.leaderboards order by id`;
    const known = await versions();
    const report = await syncProblems(database.sql, root);
    expect(report).toMatchObject({ created: [], updated: [], refused: [], warnings: [] });
    expect(await database.sql`select * from hotlap.leaderboards order by id`).toEqual(before);
    expect(await versions()).toBe(known);
  });

  it('makes a new version of a changed task, and an old submission keeps its own', async () => {
    const { sql } = database;
    const old = await board('window-sums');
    const submissionId = await submit(sql, old);
    const known = await versions();
    await change('starter/window_sums/task.yml', /test_timeout: \d+/, 'test_timeout: 77');
    const report = await syncProblems(sql, root);
    expect(report.updated).toEqual(['window-sums']);
    const now = await board('window-sums');
    expect(now.id).toBe(old.id);
    expect(now.taskVersionId).not.toBe(old.taskVersionId);
    expect(now.task.testTimeoutS).toBe(77);
    expect(await versions()).toBe(known + 1);
    const lease = await leaseJob(sql, (await makeBox(sql, ['CPU'])).id, { submissionId });
    expect((await loadJobWork(sql, lease.jobId)).task).toEqual(old.task);
  });

  it('goes back to an old version without making it again', async () => {
    const changed = await board('window-sums');
    const known = await versions();
    await cp(path.resolve(import.meta.dirname, '../../problems/starter'), path.join(root, 'starter'), {
      recursive: true,
    });
    expect((await syncProblems(database.sql, root)).updated).toEqual(['window-sums']);
    expect((await board('window-sums')).taskVersionId).toBeLessThan(changed.taskVersionId);
    expect(await versions()).toBe(known);
  });

  it('takes over deadline and GPU types, in the order in which they are written', async () => {
    await change(
      'starter.yaml',
      /(name: prime-range\n\s+deadline: )"[^"]*"\n(\s+gpus: )\[[^\]]*\]/,
      '$1"2027-03-04 5:06"\n$2["H100", "CPU", "A100"]',
    );
    expect((await syncProblems(database.sql, root)).updated).toEqual(['prime-range']);
    expect(await board('prime-range')).toMatchObject({
      deadline: new Date('2027-03-04T05:06:00Z'),
      gpus: ['H100', 'CPU', 'A100'],
    });
    await change('starter.yaml', '["H100", "CPU", "A100"]', '["CPU", "H100"]');
    expect((await syncProblems(database.sql, root)).updated).toEqual(['prime-range']);
    expect((await board('PRIME-range')).gpus).toEqual(['CPU', 'H100']);
  });

  it('leaves out what is faulty, and a board whose problem is faulty or gone stays as it was', async () => {
    const before = await board('word-count');
    await change('starter/word_count/task.yml', 'lang:', 'long:');
    const report = await syncProblems(database.sql, root);
    expect(report).toMatchObject({ created: [], updated: [] });
    expect(report.refused).toEqual([expect.stringContaining('starter/word_count/task.yml')]);
    expect(await board('word-count')).toEqual(before);
    await rm(path.join(root, 'starter.yaml'));
    expect((await syncProblems(database.sql, root)).updated).toEqual([]);
    expect(await board('word-count')).toEqual(before);
  });
});

describe('a stored task version', () => {
  it('cannot be changed', async () => {
    const { sql } = database;
    await expect(sql`update hotlap.task_versions set definition = '{}'`).rejects.toThrow('immutable');
    await expect(sql`update hotlap.task_versions set content_hash = 'x'`).rejects.toThrow('immutable');
  });

  it('cannot be removed while a board or a submission refers to it', async () => {
    await expect(database.sql`delete from hotlap.task_versions`).rejects.toThrow('violates foreign key');
  });
});
