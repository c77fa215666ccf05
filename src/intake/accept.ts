/**
 * From a file in somebody's hand to stored jobs. Every door (Discord, HTTP, re-measuring) comes in here.
 *
 *   examine   read the file and its header lines, find the leaderboard, refuse what is wrong     nothing is stored
 *   accept    one transaction: person, code, submission, one public job per GPU type, and one
 *             secret job beside it in ranked mode; then the schedulers are woken
 *
 * "Accepted" is said to a person only after `accept` has returned: the row is committed then, and nothing accepted is
 * lost.
 */
import { randomInt } from 'node:crypto';
import type { ChangeRecord } from '../db/audit.ts';
import { cancelQueuedSubmissions } from '../db/cancel.ts';
import type { Db, Sql } from '../db/client.ts';
import { insertJob, notifyJobs, notifyProgress } from '../db/jobs.ts';
import { findLeaderboard, type LeaderboardWithTask, listLeaderboards } from '../db/leaderboards.ts';
import { useQuota } from '../db/quota.ts';
import { insertSubmission, saveReplyTarget, storeCode } from '../db/submissions.ts';
import { saveUser } from '../db/users.ts';
import { UserError } from '../domain/errors.ts';
import { hasCases, jobPriorities } from '../domain/job.ts';
import { languageOf } from '../domain/language.ts';
import { type Door, type Mode, modeLabels } from '../domain/submission.ts';
import { admit, refuseContainers } from './admission.ts';
import { isArchiveName, listArchive } from './archive.ts';
import { readDirectives } from './directives.ts';
import {
  checkAgainstBoard,
  checkFileName,
  chooseGpus,
  chooseLeaderboard,
  chooseMode,
  type GpuChoice,
  listOrNone,
  readSource,
  type SourceFile,
  type Wishes,
} from './validate.ts';

/** A draft that nothing speaks against. `gpus` may still have to be asked for. */
export interface Draft {
  file: SourceFile;
  board: LeaderboardWithTask;
  mode: Mode;
  gpus: GpuChoice;
  /** An organiser lets it in after the deadline. */
  afterDeadline?: boolean;
  /** Of an archive: what is in it. */
  listing?: string | null;
}

/** Reads and checks; throws UserError; stores nothing. */
export async function examine(db: Db, file: SourceFile, wishes: Wishes): Promise<Draft> {
  const isArchive = isArchiveName(file.name);
  if (isArchive) checkFileName(file.name);
  // An archive has no header lines, and is not looked into before it is known that the board takes it.
  const directives = readDirectives(isArchive ? '' : readSource(file));
  const mode = chooseMode(wishes);

  const now = new Date();
  const name = chooseLeaderboard(wishes, directives, await listOpenNames(db));
  const board = await findLeaderboard(db, name);
  if (board === null) throw await unknownLeaderboard(db, name);

  checkAgainstBoard(file.name, board, now, wishes);
  if (!hasCases(board.task, mode)) {
    throw new UserError('mode-without-cases', { leaderboard: board.name, mode: modeLabels[mode] });
  }
  const { afterDeadline = false } = wishes;
  const gpus = chooseGpus(wishes, directives, board);
  const listing = isArchive ? await listArchive(file, board.task) : null;
  return { file, board, mode, gpus, afterDeadline, listing };
}

/** The refusal that names what there is instead. */
export async function unknownLeaderboard(db: Db, name: string): Promise<UserError> {
  return new UserError('unknown-leaderboard', {
    leaderboard: name,
    open: listOrNone(await listOpenNames(db)),
  });
}

/** Of the boards that everybody may enter. */
async function listOpenNames(db: Db): Promise<string[]> {
  const now = new Date();
  const boards = await listLeaderboards(db);
  return boards
    .filter(
      (board) =>
        board.visibility === 'public' &&
        board.stage === 'open' &&
        (board.deadline === null || board.deadline > now || board.late === 'unofficial'),
    )
    .map((board) => board.name);
}

export interface Sender {
  user: { id: string; name: string };
  door: Door;
  /** Where the person waits for the result, if they do. */
  reply: { channelId: string; interactionToken: string; expiresAt: Date } | null;
  /** Cancels the sender's own submissions to the same leaderboard and mode of which nothing has started yet. */
  supersede?: boolean;
  /** Where a person's submission is noted, in the transaction that stores it. */
  record?: ChangeRecord;
}

/** Stores a draft whose GPU types are settled and returns the submission's number. It is committed on return. */
export async function accept(sql: Sql, draft: Draft, gpus: string[], sender: Sender): Promise<number> {
  const { board, mode, afterDeadline = false } = draft;
  return sql.begin(async (tx) => {
    await saveUser(tx, sender.user);
    // The choice may have taken minutes; the board and its deadline count as they are at the moment of storing.
    const { quota, official } = await admit(tx, { user: sender.user, board, mode, afterDeadline });
    await refuseContainers(tx, board.task.lang, gpus);
    if (sender.supersede)
      await cancelQueuedSubmissions(tx, { userId: sender.user.id, leaderboardId: board.id, mode });
    const submissionId = await insertSubmission(tx, {
      userId: sender.user.id,
      leaderboardId: board.id,
      taskVersionId: board.taskVersionId,
      codeSha256: await storeCode(tx, draft.file.bytes, draft.listing),
      fileName: draft.file.name,
      mode,
      door: sender.door,
      language: languageOf(draft.file.name, draft.file.bytes),
      official,
      secretSeed: mode === 'leaderboard' ? freshSeed() : null,
    });
    await useQuota(tx, submissionId, quota);
    for (const gpuType of gpus) {
      const job = {
        submissionId,
        userId: sender.user.id,
        leaderboardId: board.id,
        mode,
        gpuType,
        priority: jobPriorities[mode],
        multiGpu: board.task.multiGpu,
      };
      await insertJob(tx, { ...job, secret: false });
      if (mode === 'leaderboard') await insertJob(tx, { ...job, secret: true });
    }
    if (sender.reply) await saveReplyTarget(tx, { submissionId, ...sender.reply });
    await notifyJobs(tx);
    await notifyProgress(tx, submissionId);
    const { user, supersede = false } = sender;
    const after = { leaderboard: board.name, mode, gpus, for: user.id, ...(supersede && { supersede }) };
    await sender.record?.note(tx, { subject: `submission ${submissionId}`, after });
    return submissionId;
  });
}

/** Below 2^31: the public harnesses hand it to numpy and combine it with the case's own seed (problem-format 2.3). */
function freshSeed(): number {
  return randomInt(1, 2 ** 31);
}
