/** Whether somebody may submit to a board at all, by whatever door: asked in the transaction that stores the submission. */
import { findBan } from '../db/bans.ts';
import { listContainerTypes } from '../db/boxes.ts';
import type { Db } from '../db/client.ts';
import { findBoardAccess, holdBoard } from '../db/invites.ts';
import { lockQuota, type QuotaKey, quotaCategory } from '../db/quota.ts';
import { findAcceptance } from '../db/settings.ts';
import { UserError } from '../domain/errors.ts';
import type { Mode } from '../domain/submission.ts';
import type { Task } from '../domain/task.ts';
import { checkBoardTakes } from './validate.ts';

export interface Admission {
  /** What the submission is to be charged to. */
  quota: QuotaKey;
  /** False: it came after the deadline. */
  official: boolean;
}

/** Throws UserError. The board stays as it was found until the transaction ends. */
export async function admit(
  tx: Db,
  attempt: { user: { id: string }; board: { id: number; name: string }; mode: Mode; afterDeadline: boolean },
): Promise<Admission> {
  const { user, board, mode } = attempt;
  const acceptance = await findAcceptance(tx);
  if (!acceptance.open) throw new UserError('not-accepting', { message: afterBlank(acceptance.message) });

  await refuseBanned(tx, user.id);
  await holdBoard(tx, board.id);
  const access = await findBoardAccess(tx, board.name, user.id);
  if (!access?.mayEnter) throw new UserError('closed-leaderboard', { leaderboard: board.name });

  const official = checkBoardTakes(access, new Date(), attempt.afterDeadline);

  const key = { userId: user.id, leaderboardId: board.id, category: quotaCategory(mode) };
  const quota = await lockQuota(tx, key);
  if (quota && quota.used >= quota.maxPerHour) {
    throw new UserError('rate-limited', {
      used: quota.used,
      max: quota.maxPerHour,
      category: key.category,
      leaderboard: board.name,
      seconds: quota.waitSeconds,
    });
  }
  return { quota: key, official };
}

/** Throws UserError where a model is to be served, and boxes that could do so there are none. */
export async function refuseContainers(db: Db, lang: Task['lang'], gpus: string[]): Promise<void> {
  const types = lang === 'model' ? await listContainerTypes(db, gpus) : [];
  if (types.length > 0) throw new UserError('gpu-without-models', { gpus: types.join(', ') });
}

function afterBlank(text: string | null): string {
  return text ? ` ${text}` : '';
}

/** Throws UserError for whoever is banned, with the reason that was given. */
export async function refuseBanned(db: Db, userId: string): Promise<void> {
  const ban = await findBan(db, userId);
  if (!ban) return;
  const until = ban.endsAt ? ` until ${ban.endsAt.toISOString().slice(0, 16).replace('T', ' ')} UTC` : '';
  throw new UserError('banned', {
    until,
    reason: afterBlank(ban.reason && `The reason given: ${ban.reason.replace(/[.!?]?$/, '.')}`),
  });
}
