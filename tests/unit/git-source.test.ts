/** Reading a repository: only its files, by nobody's configuration, and never outside a scratch folder. */
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openSource } from '../../src/catalog/source.ts';

let outer: string;
let repository: string;
const before = process.env.TMPDIR;
beforeAll(async () => {
  outer = await mkdtemp(path.join(tmpdir(), 'hotlap-test-git-'));
  await mkdir(path.join(outer, 'tmp'));
  process.env.TMPDIR = path.join(outer, 'tmp');
  repository = path.join(outer, 'repository');
  execFileSync('git', ['init', '--quiet', '--initial-branch=main', repository]);
});
afterAll(async () => {
  if (before === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = before;
  await rm(outer, { recursive: true, force: true });
});

function git(...args: string[]): string {
  const who = ['-c', 'user.name=t', '-c', 'user.email=t@example.org'];
  return execFileSync('git', [...who, ...args], { cwd: repository })
    .toString()
    .trim();
}

async function commit(files: Record<string, string | Uint8Array>, message = 'change'): Promise<string> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(repository, name)), { recursive: true });
    await writeFile(path.join(repository, name), content);
  }
  git('add', '-A');
  git('commit', '--quiet', '--allow-empty', '-m', message);
  return git('rev-parse', 'HEAD');
}

const read = (more: { branch?: string; folder?: string } = {}) =>
  openSource({
    ...{ kind: 'git', url: `file://${repository}`, branch: null, folder: null },
    ...more,
  });

describe('a repository', () => {
  it('that is empty is refused as such', async () => {
    await expect(read()).rejects.toMatchObject({
      code: 'git-refused',
      text: expect.stringMatching(/empty|branch/),
    });
    expect(await readdir(path.join(outer, 'tmp'))).toEqual([]);
  });

  it('is read at its newest commit, from the folder with the sets, and removed afterwards', async () => {
    await commit({ 'problems/s.yaml': 'name: old\n' });
    const hash = await commit(
      { 'problems/s.yaml': 'name: new\n', '.pre-commit.yaml': 'x: 1\n' },
      'The newest',
    );
    const source = await read();
    expect(source.commit).toMatchObject({ hash, subject: 'The newest' });
    expect(source.origin).toMatchObject({ kind: 'git', commit: hash, branch: null });
    expect(await readdir(source.root)).toEqual(['s.yaml']);
    expect(await readFile(path.join(source.root, 's.yaml'), 'utf8')).toBe('name: new\n');
    await source.close();
    expect(await readdir(path.join(outer, 'tmp'))).toEqual([]);
  });

  it('is read at a branch or a tag, and in a folder', async () => {
    git('tag', 'v1');
    git('switch', '--quiet', '-c', 'autumn/2026');
    await commit({ 'sets/deep/t.yaml': 'name: t\n' });
    git('switch', '--quiet', 'main');
    const branch = await read({ branch: 'autumn/2026', folder: 'sets/deep/' });
    expect(await readdir(branch.root)).toEqual(['t.yaml']);
    await branch.close();
    const tag = await read({ branch: 'v1' });
    expect(await readdir(tag.root)).toEqual(['s.yaml']);
    await tag.close();
    for (const folder of ['../..', 'problems/s.yaml', 'nowhere', '/etc'])
      await expect(read({ folder })).rejects.toMatchObject({ code: 'git-refused' });
    await expect(read({ branch: 'autumn/2026', folder: 'sets' })).rejects.toMatchObject({
      code: 'no-problem-sets',
      text: expect.stringContaining('the folder sets of file://'),
    });
  });

  it('has its links left out and named, wherever they lead', async () => {
    await symlink('/etc/passwd', path.join(repository, 'problems', 'secret.yaml'));
    await symlink('s.yaml', path.join(repository, 'problems', 'inner.yaml'));
    await commit({});
    const source = await read();
    expect(await readdir(source.root)).toEqual(['s.yaml']);
    expect(source.warnings).toEqual([expect.stringMatching(/inner\.yaml.*secret\.yaml/)]);
    await source.close();
    await rm(path.join(repository, 'problems', 'secret.yaml'));
    await rm(path.join(repository, 'problems', 'inner.yaml'));
    await commit({});
  });

  it('runs nothing: no hook, no filter, no command of its attributes or of this machine’s configuration', async () => {
    const mark = path.join(outer, 'ran');
    const script = `#!/bin/sh\ntouch ${mark}\n`;
    const home = path.join(outer, 'home');
    await mkdir(path.join(home, 'hooks'), { recursive: true });
    for (const hook of ['post-checkout', 'post-merge', 'reference-transaction', 'fsmonitor']) {
      for (const folder of [path.join(repository, '.git', 'hooks'), path.join(home, 'hooks')]) {
        await mkdir(folder, { recursive: true });
        await writeFile(path.join(folder, hook), script);
        await chmod(path.join(folder, hook), 0o755);
      }
    }
    await writeFile(
      path.join(home, '.gitconfig'),
      `[core]\n\thooksPath = ${home}/hooks\n\tfsmonitor = ${home}/hooks/fsmonitor\n[filter "x"]\n\tsmudge = touch ${mark}\n\trequired = true\n[tar "tar"]\n\tcommand = touch ${mark}\n`,
    );
    await rm(path.join(repository, '.git', 'hooks'), { recursive: true });
    await commit({ '.gitattributes': '* filter=x\n' });
    const homeBefore = process.env.HOME;
    process.env.HOME = home;
    onTestFinished(() => {
      process.env.HOME = homeBefore;
    });
    const source = await read();
    await source.close();
    expect(await readdir(outer)).not.toContain('ran');
    await rm(path.join(repository, '.gitattributes'));
    process.env.HOME = homeBefore;
    await commit({});
  });

  it('that unpacks to too much is refused, and its folder alone is read where that is named', async () => {
    await commit({ 'data/zeros.bin': new Uint8Array(101_000_000) });
    await expect(read()).rejects.toMatchObject({
      code: 'git-refused',
      text: expect.stringContaining('unpacks to more than 100 MB'),
    });
    const source = await read({ folder: 'problems' });
    expect(await readdir(source.root)).toEqual(['s.yaml']);
    await source.close();
    expect(await readdir(path.join(outer, 'tmp'))).toEqual([]);
    // Git packs and unpacks 100 MB several times over, on machines that are busy with other things.
  }, 120_000);
});
