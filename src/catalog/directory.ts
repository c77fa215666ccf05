/** One problem by its directory, without a set: for trying it out on a board of its own. */
import { realpath } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import type { Db } from '../db/client.ts';
import { UserError } from '../domain/errors.ts';
import type { SyncPlan } from '../domain/sync-plan.ts';
import type { ProblemEntry } from '../domain/task.ts';
import { eachOnce } from './load.ts';
import { loadTask } from './load-task.ts';
import { planEntries } from './plan.ts';
import { isInside } from './source-file.ts';
import { CatalogFault, readYaml } from './yaml-file.ts';

/** The set that such boards belong to; no file has its name. */
const SET = 'dev';

/**
 * What the board `name`, else `<directory>-dev`, would become: a new one or a change of the one that is there. `applySync`
 * carries it out. The board has no deadline and runs on the GPU types of the task, or on `gpus` where that names none.
 * Throws UserError `problem-directory`.
 */
export async function planDirectory(
  db: Db,
  root: string,
  directory: string,
  { name = null, gpus = [] }: { name?: string | null; gpus?: string[] } = {},
): Promise<SyncPlan> {
  const top = await realpath(root);
  const folder = resolve(top, directory);
  const leaderboard = name ?? `${basename(folder)}-dev`;
  const refuse = (problem: string) => new UserError('problem-directory', { directory, problem });
  if (!isInside(top, folder) || folder === top) throw refuse('it is not below the problems folder.');
  if (!/^[A-Za-z0-9_.-]{1,100}$/.test(leaderboard)) throw refuse('its name makes no leaderboard name.');
  const entry = await loadEntry(top, folder, { leaderboard, gpus }, refuse);
  const problems = await planEntries(db, [entry], { kind: 'directory' });
  return {
    origin: { kind: 'directory' },
    commit: null,
    problems,
    refused: [],
    warnings: [],
    gone: [],
    kept: [],
    fingerprint: problems.map((problem) => problem.fingerprint).join(),
  };
}

async function loadEntry(
  root: string,
  folder: string,
  board: { leaderboard: string; gpus: string[] },
  refuse: (problem: string) => UserError,
): Promise<ProblemEntry> {
  const taskPath = join(folder, 'task.yml');
  try {
    const file = await readYaml(root, taskPath, relative(root, taskPath));
    const loaded = await loadTask(root, folder, file);
    const gpus = loaded.gpus.length > 0 ? loaded.gpus : board.gpus;
    if (gpus.length === 0) {
      throw refuse("No gpus specified in task.yml. Add 'gpus:' field with list of GPU types.");
    }
    const { leaderboard } = board;
    return {
      set: SET,
      directory: relative(root, folder),
      leaderboard,
      deadline: null,
      gpus: eachOnce(gpus),
      task: loaded.task,
    };
  } catch (error) {
    throw error instanceof CatalogFault ? refuse(error.message) : error;
  }
}
