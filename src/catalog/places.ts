/** What there is in a problems folder, by name alone: for suggestions while somebody types. */
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';

/** Sets lie at the top, problems no deeper than this. */
const MAX_DEPTH = 4;

export interface ProblemPlaces {
  /** Names of set files, without `.yaml`. */
  sets: string[];
  /** Folders with a task.yml, as set files name them. */
  directories: string[];
}

export async function listProblemPlaces(root: string): Promise<ProblemPlaces> {
  const top = await readdir(root, { withFileTypes: true });
  const sets = top
    .filter((entry) => entry.isFile() && entry.name.endsWith('.yaml'))
    .map((entry) => entry.name.slice(0, -'.yaml'.length));
  return { sets: sets.sort(), directories: (await directoriesBelow(root, root, MAX_DEPTH)).sort() };
}

async function directoriesBelow(root: string, folder: string, depth: number): Promise<string[]> {
  if (depth === 0) return [];
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const here = entries.some((entry) => entry.isFile() && entry.name === 'task.yml');
  const below = await Promise.all(
    entries
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map((entry) => directoriesBelow(root, join(folder, entry.name), depth - 1)),
  );
  return [...(here ? [relative(root, folder)] : []), ...below.flat()];
}
