/**
 * From the path that a person typed to the problems that are meant, loaded as Hotlap loads them.
 *
 *   a folder with sets            all of them
 *   a set file                    its problems
 *   a folder below such a folder  the problems in it, under the names that the sets give them
 *   a problem that no set names   that one, under the name of its folder
 */
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { loadCatalog } from '../catalog/load.ts';
import type { ProblemEntry } from '../domain/task.ts';
import { eachOnce, type Finding, findingOf } from './finding.ts';
import { loadLoneProblem } from './lone-problem.ts';
import { readSetOutline, type SetOutline } from './set-outline.ts';
import { UsageError } from './usage.ts';

export interface Selection {
  /** The problems folder, absolute; files of findings and directories of entries are relative to it. */
  root: string;
  entries: ProblemEntry[];
  /** What the catalog says, as far as it is about this selection. */
  findings: Finding[];
  /** True: no set names the problem. */
  alone: boolean;
  /** False: nobody says which GPU types it is for. */
  namesGpus: boolean;
}

/** Folders of problems are not nested deeper below their root in any set that is known. */
const LEVELS_UP = 4;
const SET = /\.yaml$/;

/** Throws UsageError for a path that leads to no problem. */
export async function findProblems(given: string): Promise<Selection> {
  const path = await realpath(given).catch(() => {
    throw new UsageError(
      `${given} is not there.`,
      'Give a problems folder, a set file or the folder of a problem.',
    );
  });
  if ((await stat(path)).isFile()) {
    if (basename(path) === 'task.yml') return findProblems(dirname(path));
    if (SET.test(path)) return ofSet(path);
    throw new UsageError(
      `${given} is neither a set (<set>.yaml) nor a task.yml.`,
      'Give a problems folder, a set file or the folder of a problem.',
    );
  }
  const names = await readdir(path);
  const isProblem = names.includes('task.yml');
  if (!isProblem && names.some((name) => SET.test(name))) {
    return selectFrom(
      path,
      () => true,
      () => true,
    );
  }
  const root = await findRootOf(path);
  if (root !== null) {
    const isBelow = (directory: string) => inside(path, directory);
    return selectFrom(root, isBelow, () => false);
  }
  if (isProblem) return aloneAt(path);
  throw new UsageError(
    `${given} has no set (<set>.yaml) and no task.yml, and no set above it names a problem in it.`,
    'Give a problems folder, a set file or the folder of a problem.',
  );
}

async function ofSet(path: string): Promise<Selection> {
  const name = basename(path);
  const outline = await readSetOutline(path);
  const directories = outline?.problems.map((problem) => problem.directory) ?? [];
  return selectFrom(
    dirname(path),
    (directory) => directories.includes(directory),
    (set) => set === name,
  );
}

async function aloneAt(directory: string): Promise<Selection> {
  const { root, catalog, namesGpus } = await loadLoneProblem(directory);
  const findings = [
    ...catalog.faults.map((text) => findingOf('fault', text)),
    ...catalog.warnings.map((text) => findingOf('warning', text)),
  ];
  return { root, entries: catalog.entries, findings: eachOnce(findings), alone: true, namesGpus };
}

/** The nearest folder above with a set that names a problem in this one; null where there is none. */
async function findRootOf(path: string): Promise<string | null> {
  let folder = path;
  for (let level = 0; level <= LEVELS_UP; level += 1) {
    for (const outline of (await readOutlines(folder)).values()) {
      if (outline?.problems.some((problem) => inside(path, problem.directory))) return folder;
    }
    if (dirname(folder) === folder) break;
    folder = dirname(folder);
  }
  return null;
}

async function readOutlines(folder: string): Promise<Map<string, SetOutline | null>> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => SET.test(name));
  const pairs = names.map(async (name) => [name, await readSetOutline(join(folder, name))] as const);
  return new Map(await Promise.all(pairs));
}

/** `isMeant` is asked for absolute problem folders, `isWholeSet` for set files all of whose faults are of interest. */
async function selectFrom(
  root: string,
  isMeant: (directory: string) => boolean,
  isWholeSet: (set: string) => boolean,
): Promise<Selection> {
  const [catalog, outlines] = await Promise.all([loadCatalog(root), readOutlines(root)]);
  const concerns = (finding: Finding): boolean => {
    const { file, line } = finding;
    if (!SET.test(file)) return isMeant(join(root, dirname(file)));
    if (isWholeSet(file)) return true;
    const problems = outlines.get(file)?.problems ?? [];
    const about = problems.filter(
      (problem) => line !== null && problem.firstLine <= line && line <= problem.lastLine,
    );
    // Outside of every problem it is about the set as a whole, and so about each of them.
    return (about.length > 0 ? about : problems).some((problem) => isMeant(problem.directory));
  };
  const findings = [
    ...catalog.faults.map((text) => findingOf('fault', text)),
    ...catalog.warnings.map((text) => findingOf('warning', text)),
  ];
  return {
    root,
    entries: catalog.entries.filter(
      (entry) => isMeant(join(root, entry.directory)) && isOfSet(entry, outlines, isWholeSet),
    ),
    findings: eachOnce(findings).filter(concerns),
    alone: false,
    namesGpus: true,
  };
}

/** Two sets may name the same folder; where one set is meant, the other's leaderboard is not. */
function isOfSet(
  entry: ProblemEntry,
  outlines: Map<string, SetOutline | null>,
  isWholeSet: (set: string) => boolean,
): boolean {
  const wanted = [...outlines.keys()].filter(isWholeSet);
  return wanted.length === 0 || wanted.includes(`${entry.set}.yaml`);
}

function inside(folder: string, path: string): boolean {
  return relative(folder, path) === '' || path.startsWith(folder + sep);
}
