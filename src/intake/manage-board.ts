/** Which boards somebody runs: an admin all of them, a creator those that they made. */
import type { Db } from '../db/client.ts';
import {
  findLeaderboard,
  type Leaderboard,
  type LeaderboardWithTask,
  listLeaderboards,
} from '../db/leaderboards.ts';
import { UserError } from '../domain/errors.ts';
import type { Viewer } from '../domain/submission.ts';

/** By name, archived ones among them. */
export async function listManagedBoards(db: Db, viewer: Viewer): Promise<Leaderboard[]> {
  const boards = await listLeaderboards(db);
  return viewer.isAdmin ? boards : boards.filter((board) => board.createdBy === viewer.userId);
}

/** Throws UserError: there is none, or it is not theirs to run. */
export async function getManagedBoard(db: Db, viewer: Viewer, name: string): Promise<LeaderboardWithTask> {
  const board = await findLeaderboard(db, name);
  if (board && (viewer.isAdmin || board.createdBy === viewer.userId)) return board;
  const own = (await listManagedBoards(db, viewer)).map((item) => item.name).join(', ') || 'none';
  if (board) throw new UserError('not-your-leaderboard', { leaderboard: board.name, own });
  throw new UserError('no-such-leaderboard', { leaderboard: name, own });
}

/** The same by its number, from a button or form that may be old. */
export async function getManagedBoardById(db: Db, viewer: Viewer, id: number): Promise<Leaderboard> {
  const board = (await listManagedBoards(db, viewer)).find((item) => item.id === id);
  if (!board) throw new UserError('choice-expired');
  return board;
}
