/**
 * From a place that problems come from to a folder on this machine that `load.ts` can read.
 *
 * A directory is read where it is. A repository and an archive are unpacked into a scratch folder of their own, which
 * `close` removes; nothing is written outside it, and nothing of a refused archive stays.
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ArchiveError, type ArchiveRules, readArchive, readTar } from '../domain/archive.ts';
import { UserError } from '../domain/errors.ts';
import type { Commit, Origin, ProblemSource } from '../domain/problem-source.ts';
import { cloneNewest, readCommit } from './git.ts';

export interface OpenSource {
  /** The folder with the set files. */
  root: string;
  origin: Origin;
  commit: Commit | null;
  warnings: string[];
  close(): Promise<void>;
}

/** What is uploaded; unpacked it may be this much and no more. */
export const MAX_ARCHIVE_BYTES = 25_000_000;
const limits = { maxEntries: 10_000, maxBytes: 100_000_000 };
const MAX_NAMED_LINKS = 5;

/** Throws UserError `archive-refused`, `git-refused` or `no-problem-sets`. */
export async function openSource(source: ProblemSource): Promise<OpenSource> {
  if (source.kind === 'directory') {
    const close = async () => {};
    return { root: source.path, origin: { kind: 'directory' }, commit: null, warnings: [], close };
  }
  const scratch = await mkdtemp(join(tmpdir(), 'hotlap-problems-'));
  const close = () => rm(scratch, { recursive: true, force: true });
  try {
    const open = source.kind === 'git' ? await openGit(source, scratch) : await openArchive(source, scratch);
    return { ...open, close };
  } catch (error) {
    await close();
    throw error;
  }
}

type Unpacked = Omit<OpenSource, 'close'>;

async function openGit(source: Extract<ProblemSource, { kind: 'git' }>, scratch: string): Promise<Unpacked> {
  const { url, branch, folder } = source;
  const commit = await cloneNewest(source, scratch);
  const files = new Map<string, Buffer>();
  const rules: ArchiveRules = { ...limits, links: 'skip' };
  let skipped: string[];
  try {
    ({ skipped } = await readCommit(source, scratch, (tar) =>
      readTar(tar, rules, (path, bytes) => files.set(path, bytes)),
    ));
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    const remedy = 'Name the folder with the problems, so that only that one is read.';
    throw new UserError('git-refused', { url, problem: error.message, remedy });
  }
  const top = join(scratch, 'files');
  await writeFiles(top, files);
  const more = skipped.length > MAX_NAMED_LINKS ? ', …' : '';
  if (folder !== null && !(await hasSets(top)))
    throw new UserError('no-problem-sets', { source: `the folder ${folder} of ${url}` });
  return {
    root: folder === null ? await findSets(top, url) : top,
    origin: { kind: 'git', url, branch, folder, commit: commit.hash },
    commit,
    warnings:
      skipped.length > 0
        ? [
            `symbolic links are not followed and were left out: ${skipped.slice(0, MAX_NAMED_LINKS).join(', ')}${more}`,
          ]
        : [],
  };
}

async function openArchive(
  source: Extract<ProblemSource, { kind: 'archive' }>,
  scratch: string,
): Promise<Unpacked> {
  const { name, bytes } = source;
  const files = new Map<string, Buffer>();
  try {
    await readArchive(bytes, { ...limits, links: 'refuse' }, (path, content) => files.set(path, content));
    if (files.size === 0) throw new ArchiveError('there is no file in it');
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    throw new UserError('archive-refused', { file: name, problem: error.message });
  }
  const top = join(scratch, 'files');
  await writeFiles(top, files);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return {
    root: await findSets(top, name),
    origin: { kind: 'archive', name, sha256 },
    commit: null,
    warnings: [],
  };
}

/** Every path was checked when it was read, and no two of them are the same or stand in each other's way. */
async function writeFiles(top: string, files: Map<string, Buffer>): Promise<void> {
  await mkdir(top);
  for (const [path, bytes] of files) {
    const target = join(top, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, bytes, { flag: 'wx' });
  }
}

/**
 * The folder with the set files: `problems/` of a repository, the top itself, or the one folder that many archives have
 * at their top.
 */
async function findSets(top: string, name: string): Promise<string> {
  for (let folder = top, depth = 0; depth < 3; depth++) {
    const entries = await readdir(folder, { withFileTypes: true });
    const problems = join(folder, 'problems');
    if (
      entries.some((entry) => entry.isDirectory() && entry.name === 'problems') &&
      (await hasSets(problems))
    )
      return problems;
    if (await hasSets(folder)) return folder;
    const folders = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'));
    const [only] = folders;
    if (!only || folders.length > 1) break;
    folder = join(folder, only.name);
  }
  throw new UserError('no-problem-sets', { source: name });
}

async function hasSets(folder: string): Promise<boolean> {
  return (await readdir(folder)).some((name) => name.endsWith('.yaml') && !name.startsWith('.'));
}
