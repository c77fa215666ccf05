/** Files that are known to pass a problem: they lie in its folder and are no part of it (docs/problem-authors.md). */
import { readdir, readFile, realpath } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { listBoardStates } from '../db/board-states.ts';
import type { Db } from '../db/client.ts';
import { allowedExtensions } from '../domain/task.ts';
import { isInside } from './source-file.ts';

/** Of a submission's size, and no more. */
const MAX_BYTES = 1_000_000;

/**
 * The first of `solutions/`, by name, else `submission` with the extension of the task. Null where there is neither, and for
 * boards whose problem was not read from the problems folder `root`.
 */
export async function findKnownGood(
  db: Db,
  root: string,
  leaderboard: string,
): Promise<{ name: string; bytes: Uint8Array } | null> {
  const [board] = await listBoardStates(db, [leaderboard]);
  if (board?.origin.kind !== 'directory' || board.task.serving) return null;
  const top = await realpath(root);
  const folder = resolve(top, board.directory);
  if (!isInside(top, folder)) return null;
  const extensions = allowedExtensions(board.task);
  const fits = (name: string) => extensions.some((extension) => name.endsWith(extension));
  const solutions = await readdir(join(folder, 'solutions')).catch(() => []);
  const candidates = [
    ...solutions
      .filter(fits)
      .sort()
      .map((name) => join('solutions', name)),
    ...extensions.map((extension) => `submission${extension}`),
  ];
  for (const candidate of candidates) {
    // A link may lead out of the folder; such a file is none.
    const path = await realpath(join(folder, candidate)).catch(() => null);
    if (path === null || !isInside(top, path)) continue;
    const bytes = await readFile(path).catch(() => null);
    if (bytes && bytes.length <= MAX_BYTES) return { name: basename(candidate), bytes };
  }
  return null;
}
