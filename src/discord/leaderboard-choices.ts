/** Suggestions for options that name a leaderboard, a GPU type or a template language. */
import { listTracks } from '../db/board.ts';
import type { Sql } from '../db/client.ts';
import { findLeaderboard, listLeaderboards } from '../db/leaderboards.ts';
import type { Choice } from './command.ts';

/** Open leaderboards first; what matches at its beginning before what matches inside. */
export async function completeLeaderboard(sql: Sql, typed: string): Promise<Choice[]> {
  const now = new Date();
  const boards = await listLeaderboards(sql);
  const isOpen = (deadline: Date | null) => deadline === null || deadline > now;
  return boards
    .map((board) => ({
      name: isOpen(board.deadline) ? board.name : `${board.name} (closed)`,
      value: board.name,
      order:
        (isOpen(board.deadline) ? 0 : 2) + (board.name.toLowerCase().startsWith(typed.toLowerCase()) ? 0 : 1),
    }))
    .filter((choice) => choice.value.toLowerCase().includes(typed.toLowerCase()))
    .sort((a, b) => a.order - b.order)
    .map(({ name, value }) => ({ name, value }));
}

/** The GPU types of one leaderboard, or of all when none is named yet. */
export async function completeGpu(sql: Sql, leaderboard: string | null, typed: string): Promise<Choice[]> {
  const boards = await listLeaderboards(sql);
  const named = boards.filter((board) => board.name.toLowerCase() === leaderboard?.toLowerCase());
  const gpus = (named.length > 0 ? named : boards).flatMap((board) => board.gpus);
  return matching([...new Set(gpus)], typed);
}

/** What a leaderboard can be shown by: GPU types, and whatever else its rule ranks. */
export async function completeTrack(sql: Sql, leaderboard: string | null, typed: string): Promise<Choice[]> {
  const board = leaderboard === null ? null : await findLeaderboard(sql, leaderboard);
  if (!board) return completeGpu(sql, leaderboard, typed);
  const tracks = (await listTracks(sql, board.id)).map((item) => item.track);
  return matching([...new Set([...board.gpus, ...tracks])], typed);
}

export async function completeLanguage(
  sql: Sql,
  leaderboard: string | null,
  typed: string,
): Promise<Choice[]> {
  const board = leaderboard === null ? null : await findLeaderboard(sql, leaderboard);
  return matching(Object.keys(board?.task.templates ?? {}), typed);
}

function matching(values: string[], typed: string): Choice[] {
  return values
    .filter((value) => value.toLowerCase().includes(typed.toLowerCase()))
    .map((value) => ({ name: value, value }));
}
