/**
 * Runs without a board, for organisers: a file, judged by the problem of some board or run as a program on its own, on one
 * box or on any of a GPU type. From here on it is a submission like any other, with the same queue behind it; having no
 * board, it is in no list, ranking or quota.
 *
 * In test mode nothing but the answer counts, and the same run gives the same one: where it is known, it is given without
 * running anything.
 */
import { readFile } from 'node:fs/promises';
import { type BoxRow, listBoxes } from '../db/boxes.ts';
import type { Db, Sql } from '../db/client.ts';
import { findStoredRun, type StoredRun } from '../db/free-runs.ts';
import { insertJob, notifyJobs, notifyProgress } from '../db/jobs.ts';
import { findLeaderboard, storeTaskVersion } from '../db/leaderboards.ts';
import { insertSubmission, saveReplyTarget, storeCode } from '../db/submissions.ts';
import { findUserName, saveUser } from '../db/users.ts';
import { CPU_TYPE } from '../domain/box.ts';
import { UserError } from '../domain/errors.ts';
import { hasCases, jobPriorities } from '../domain/job.ts';
import { languageOf } from '../domain/language.ts';
import { configurationHash } from '../domain/run-configuration.ts';
import { type Mode, modeLabels } from '../domain/submission.ts';
import { allowedExtensions, type Task, taskHash } from '../domain/task.ts';
import { type Sender, unknownLeaderboard } from './accept.ts';
import { refuseContainers } from './admission.ts';
import { isArchiveName, listArchive } from './archive.ts';
import { checkFileName, chooseMode, listOrNone, readSource, type SourceFile } from './validate.ts';

const HARNESS = new URL('../../deploy/box/program/run_program.py', import.meta.url);
const PROGRAM_TIMEOUT_S = 300;

export interface FreeRunWishes {
  /** The leaderboard by whose problem it is judged; null: it is a program on its own. */
  problem: string | null;
  /** Null: test. */
  mode: string | null;
  gpu: string | null;
  /** The only box that may run it; null: any that serves the GPU type. */
  box: string | null;
}

/** One that nothing speaks against. */
export interface FreeRun {
  file: SourceFile;
  task: Task;
  mode: Mode;
  gpuType: string;
  box: { id: number; name: string } | null;
  /** Of an archive: what is in it. */
  listing: string | null;
}

/** Reads and checks; throws UserError; stores nothing. Header lines of the file say nothing here. */
export async function examineRun(db: Db, file: SourceFile, wishes: FreeRunWishes): Promise<FreeRun> {
  checkFileName(file.name);
  const board = wishes.problem === null ? null : await findLeaderboard(db, wishes.problem);
  if (wishes.problem !== null && board === null) throw await unknownLeaderboard(db, wishes.problem);
  const task = board?.task ?? (await programTask());
  const extensions = allowedExtensions(task);
  if (!extensions.some((extension) => file.name.toLowerCase().endsWith(extension)))
    throw new UserError('run-extension', { file: file.name, allowed: extensions.join(' or ') });
  const mode = chooseMode({ leaderboard: null, gpus: [], mode: wishes.mode ?? 'test' });
  const possible = task.standalone ? (['test'] as const) : (['test', 'benchmark', 'profile'] as const);
  if (!possible.some((each) => each === mode))
    throw new UserError('run-mode', { mode: modeLabels[mode], modes: possible.join(', ') });
  if (!hasCases(task, mode))
    throw new UserError('mode-without-cases', { leaderboard: board?.name ?? '', mode: modeLabels[mode] });
  const place = choosePlace(await listBoxes(db), wishes, { gpus: board?.gpus ?? [], task });
  await refuseContainers(db, task.lang, [place.gpuType]);
  let listing: string | null = null;
  if (isArchiveName(file.name)) listing = await listArchive(file, task);
  else readSource(file);
  return { file, task, mode, ...place, listing };
}

/** Where it runs. Boxes may serve other GPU types than those of the problem. */
function choosePlace(
  boxes: BoxRow[],
  wishes: Pick<FreeRunWishes, 'gpu' | 'box'>,
  problem: { gpus: string[]; task: Task },
): Pick<FreeRun, 'gpuType' | 'box'> {
  if (boxes.length === 0) throw new UserError('no-boxes');
  const named = (types: string[], gpu: string) =>
    types.find((type) => type.toLowerCase() === gpu.toLowerCase());
  const { gpu } = wishes;
  if (wishes.box === null) {
    const served = [...new Set(boxes.flatMap((item) => item.gpuTypes))];
    const gpus = listOrNone(served);
    const fitting = problem.gpus.filter((type) => named(served, type) !== undefined);
    const only = fitting.length === 1 ? fitting[0] : served.length === 1 ? served[0] : undefined;
    const gpuType = gpu === null ? only : named(served, gpu);
    if (gpuType === undefined)
      throw gpu === null ? new UserError('run-where', { gpus }) : new UserError('run-gpu', { gpu, gpus });
    return { gpuType, box: null };
  }
  const box = boxes.find((item) => item.name.toLowerCase() === wishes.box?.toLowerCase());
  if (!box) throw new UserError('unknown-box', { box: wishes.box });
  const gpuType =
    gpu === null
      ? (box.gpuTypes.find((type) => named(problem.gpus, type) !== undefined) ?? mainTypes(box)[0])
      : named(box.gpuTypes, gpu);
  if (gpuType === undefined)
    throw new UserError('box-gpu-unserved', {
      box: box.name,
      gpu: gpu ?? '',
      gpus: listOrNone(box.gpuTypes),
    });
  // A job that the box never takes would wait for ever.
  if (problem.task.serving && box.sandbox.engine !== 'bubblewrap')
    throw new UserError('box-without-models', { box: box.name, engine: box.sandbox.engine });
  return { gpuType, box: { id: box.id, name: box.name } };
}

/** Its GPUs; the CPU only where it has none. */
export function mainTypes(box: Pick<BoxRow, 'gpuTypes'>): string[] {
  const gpus = box.gpuTypes.filter((type) => type.toUpperCase() !== CPU_TYPE);
  return gpus.length > 0 ? gpus : box.gpuTypes;
}

/** The task of a program on its own: it passes when it ends with 0. */
async function programTask(): Promise<Task> {
  return {
    lang: 'py',
    description: 'A program on its own.',
    files: { 'run_program.py': await readFile(HARNESS, 'utf8') },
    submissionFile: 'program.py',
    main: 'run_program.py',
    standalone: true,
    templates: {},
    tests: ['program: 1'],
    benchmarks: [],
    rankingBy: 'last',
    testTimeoutS: PROGRAM_TIMEOUT_S,
    benchmarkTimeoutS: PROGRAM_TIMEOUT_S,
    rankedTimeoutS: PROGRAM_TIMEOUT_S,
    multiGpu: false,
    worldSize: null,
    scoreAscending: true,
  };
}

/** `stored`: the answer was known already, and nothing was queued. */
export type AcceptedRun = { id: number; stored: StoredRun | null };

/** Stores it, or finds the answer in the store. It is committed on return. */
export async function acceptRun(
  sql: Sql,
  run: FreeRun,
  sender: Omit<Sender, 'supersede'>,
  options: { fresh: boolean; runnerHash: string },
): Promise<AcceptedRun> {
  const { file, task, mode, gpuType } = run;
  return sql.begin(async (tx) => {
    const codeSha256 = await storeCode(tx, file.bytes, run.listing);
    const hash = taskHash(task);
    if (mode === 'test' && !options.fresh) {
      const { runnerHash } = options;
      const configuration = configurationHash({ codeSha256, taskHash: hash, mode, gpuType, runnerHash });
      const stored = await findStoredRun(tx, configuration, run.box?.id ?? null);
      if (stored) return { id: stored.id, stored };
    }
    // Somebody who is known already is not renamed after their token.
    if ((await findUserName(tx, sender.user.id)) === null) await saveUser(tx, sender.user);
    const id = await insertSubmission(tx, {
      userId: sender.user.id,
      leaderboardId: null,
      taskVersionId: await storeTaskVersion(tx, hash, task),
      codeSha256,
      fileName: file.name,
      mode,
      door: sender.door,
      language: languageOf(file.name, file.bytes),
      official: true,
      secretSeed: null,
    });
    await insertJob(tx, {
      submissionId: id,
      userId: sender.user.id,
      leaderboardId: null,
      mode,
      gpuType,
      secret: false,
      priority: jobPriorities[mode],
      multiGpu: task.multiGpu,
      onlyBoxId: run.box?.id ?? null,
    });
    if (sender.reply) await saveReplyTarget(tx, { submissionId: id, ...sender.reply });
    await notifyJobs(tx);
    await notifyProgress(tx, id);
    return { id, stored: null };
  });
}
