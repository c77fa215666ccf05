/**
 * The runner (deploy/box/runner) as one Python zip archive. The same files make the same bytes on every machine, so
 * that its hash names the version: a box that has the file needs no upload.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Zippable, zipSync } from 'fflate';

export interface RunnerArchive {
  bytes: Uint8Array;
  /** SHA-256 of `bytes`, hexadecimal. */
  hash: string;
}

const RUNNER_FOLDER = fileURLToPath(new URL('../../deploy/box/runner', import.meta.url));

/** Zips every `.py` file below `folder`. Throws an Error when there is no `__main__.py` in it. */
export async function loadRunnerArchive(folder: string = RUNNER_FOLDER): Promise<RunnerArchive> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.py'))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
  if (!names.includes('__main__.py')) throw new Error(`${folder} holds no __main__.py: it is not the runner`);
  const files: Zippable = {};
  for (const name of names) {
    // Local noon on a fixed day: zip times are local ones, and the library writes the local fields of a Date.
    const options = { mtime: new Date(2020, 0, 1, 12), os: 3, attrs: 0o644 << 16, level: 6 } as const;
    files[name] = [new Uint8Array(await readFile(join(folder, ...name.split('/')))), options];
  }
  const bytes = zipSync(files);
  return { bytes, hash: createHash('sha256').update(bytes).digest('hex') };
}
