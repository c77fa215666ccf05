/** The command line: a process of its own over a database that others use, too. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listAudit } from '../../src/db/audit.ts';
import { listLeaderboards } from '../../src/db/leaderboards.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { writeToleranceProblem } from '../support/tolerance-problem.ts';
import { zipOf } from '../support/zip-archive.ts';

let database: TestDatabase;
let folder: string;
beforeAll(async () => {
  database = await testDatabase();
  folder = await mkdtemp(path.join(tmpdir(), 'hotlap-test-sync-command-'));
  await writeToleranceProblem(folder);
});
afterAll(async () => {
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

async function sync(...args: string[]) {
  const main = path.resolve(import.meta.dirname, '../../src/main.ts');
  const child = spawn(process.execPath, [main, 'sync', ...args], {
    env: { PATH: process.env.PATH, DATABASE_URL: database.databaseUrl, HOTLAP_DATA_DIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (out.stdout += chunk));
  child.stderr.on('data', (chunk) => (out.stderr += chunk));
  const code = await new Promise<number | null>((done) => child.once('close', done));
  return { code, ...out };
}

const boards = async () => (await listLeaderboards(database.sql)).map((board) => board.name);

describe('node src/main.ts sync', () => {
  it('shows a plan and changes nothing without a word', async () => {
    const shown = await sync(folder);
    expect(shown).toMatchObject({ code: 0, stderr: '' });
    expect(shown.stdout).toContain('Plan: 1 new, 0 unchanged\nFrom the problems folder');
    expect(shown.stdout).toContain('=== roots: new, from roots.yaml');
    expect(shown.stdout).toContain('Nothing was changed');
    expect(await boards()).toEqual([]);
  });

  it('applies it with --apply, and says by its exit code that something was refused', async () => {
    await writeFile(path.join(folder, 'bad.yaml'), 'name: 3\n');
    const applied = await sync(folder, '--apply');
    expect(applied.code).toBe(1);
    expect(applied.stdout).toContain('Created: roots');
    expect(applied.stdout).toMatch(/Not applied: bad\.yaml:1: name: must be the display name/);
    expect(await boards()).toEqual(['roots']);
    const entries = await listAudit(
      database.sql,
      { actor: null, action: null, subject: null },
      { limit: 9, before: null },
    );
    const { username } = userInfo();
    expect(entries).toMatchObject([
      {
        actor: { id: username, door: 'command-line' },
        action: 'sync',
        subject: 'problems of the problems folder',
        after: { created: ['roots'], updated: [], refused: 1 },
      },
    ]);
  });

  it('reads an archive, and refuses wrong use and a bad one with exit code 2', async () => {
    const archive = path.join(folder, 'evil.zip');
    await writeFile(archive, zipOf({ '../evil.txt': 'x' }));
    const refused = await sync('--archive', archive, '--apply');
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/evil\.zip.* was not unpacked: .*\nNothing of it was kept/);
    const wrong: [string[], RegExp][] = [
      [['--git', 'x', '--archive', archive], /Give one of/],
      [['--branch', 'x'], /belong to --git/],
      [['--nonsense'], /--help/],
      [['--archive', path.join(folder, 'none.zip')], /cannot be read/],
    ];
    const ends = await Promise.all(wrong.map(([args]) => sync(...args)));
    for (const [index, [, sentence]] of wrong.entries()) {
      expect(ends[index]).toMatchObject({ code: 2, stderr: expect.stringMatching(sentence) });
    }
    expect(await sync('--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('Usage:') });
  });
});
