import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadRunnerArchive } from '../../src/boxes/runner-archive.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hotlap-archive-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function fill(root: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await mkdir(join(root, name, '..'), { recursive: true });
    await writeFile(join(root, name), `# ${name}\n`);
  }
}

describe('the runner archive', () => {
  it('is the same bytes for the same files, whatever their age and order', async () => {
    await fill(join(folder, 'a'), ['__main__.py', 'b.py', 'sub/c.py']);
    await fill(join(folder, 'b'), ['sub/c.py', 'b.py', '__main__.py']);
    await utimes(join(folder, 'b', 'b.py'), 1, 1);
    const one = await loadRunnerArchive(join(folder, 'a'));
    const other = await loadRunnerArchive(join(folder, 'b'));
    expect(other).toEqual(one);
    expect(one.hash).toBe(createHash('sha256').update(one.bytes).digest('hex'));
  });

  it('holds the Python files and nothing that Python left beside them', async () => {
    await fill(folder, ['__main__.py', '__pycache__/b.cpython-311.pyc', 'README.md', 'sub/c.py']);
    expect(Object.keys(unzipSync((await loadRunnerArchive(folder)).bytes))).toEqual([
      '__main__.py',
      'sub/c.py',
    ]);
  });

  it('has another hash when a file changes', async () => {
    await fill(folder, ['__main__.py']);
    const before = await loadRunnerArchive(folder);
    await writeFile(join(folder, '__main__.py'), '# changed\n');
    expect((await loadRunnerArchive(folder)).hash).not.toBe(before.hash);
  });

  it('is refused for a folder that is not the runner', async () => {
    await expect(loadRunnerArchive(folder)).rejects.toThrow('__main__.py');
  });
});
