/** The boards that a person may see: closed ones for members and admins alone, archived ones by their name alone. */
import type { Sql } from '../db/client.ts';
import { findBoardAccess } from '../db/invites.ts';
import {
  findLeaderboard,
  type Leaderboard,
  type LeaderboardWithTask,
  listLeaderboards,
  listLeaderboardsFor,
} from '../db/leaderboards.ts';
import { UserError } from '../domain/errors.ts';
import type { Viewer } from '../domain/submission.ts';

/** By name, without those that are archived. */
export async function listVisibleBoards(sql: Sql, viewer: Viewer): Promise<Leaderboard[]> {
  const boards = viewer.isAdmin ? await listLeaderboards(sql) : await listLeaderboardsFor(sql, viewer.userId);
  return boards.filter((board) => board.stage !== 'archived');
}

/** Throws UserError: there is none, or it is closed to the person. */
export async function getVisibleBoard(sql: Sql, viewer: Viewer, name: string): Promise<LeaderboardWithTask> {
  const board = await findLeaderboard(sql, name);
  if (!board) {
    const open = (await listVisibleBoards(sql, viewer)).map((item) => item.name).join(', ') || 'none';
    throw new UserError('unknown-leaderboard', { leaderboard: name, open });
  }
  if (viewer.isAdmin || board.visibility === 'public') return board;
  const access = await findBoardAccess(sql, board.name, viewer.userId);
  if (!access?.mayEnter) throw new UserError('closed-leaderboard', { leaderboard: board.name });
  return board;
}

/** The same by its number, from a button that may be old. */
export async function getVisibleBoardById(
  sql: Sql,
  viewer: Viewer,
  id: number,
): Promise<LeaderboardWithTask> {
  const named = (await listLeaderboards(sql)).find((item) => item.id === id);
  if (!named) throw new UserError('choice-expired');
  return getVisibleBoard(sql, viewer, named.name);
}
