/** Suggestions for options that name a leaderboard, a GPU type or a template language: of what the person may see. */
import { listTracks } from '../db/board.ts';
import type { Sql } from '../db/client.ts';
import type { Leaderboard, LeaderboardWithTask } from '../db/leaderboards.ts';
import { UserError } from '../domain/errors.ts';
import type { Viewer } from '../domain/submission.ts';
import type { Choice } from './command.ts';
import { getVisibleBoard, listVisibleBoards } from './visible-board.ts';

/** Open leaderboards first; what matches at its beginning before what matches inside. */
export async function completeLeaderboard(sql: Sql, viewer: Viewer, typed: string): Promise<Choice[]> {
  return boardChoices(await listVisibleBoards(sql, viewer), typed);
}

export function boardChoices(boards: Leaderboard[], typed: string): Choice[] {
  const now = new Date();
  const stateOf = ({ stage, deadline }: Leaderboard) => {
    if (stage !== 'open') return stage;
    return deadline === null || deadline > now ? null : 'over';
  };
  return boards
    .map((board) => {
      const state = stateOf(board);
      const fits = board.name.toLowerCase().startsWith(typed.toLowerCase()) ? 0 : 1;
      return {
        name: state === null ? board.name : `${board.name} (${state})`,
        value: board.name,
        order: (state === null ? 0 : 2) + fits,
      };
    })
    .filter((choice) => choice.value.toLowerCase().includes(typed.toLowerCase()))
    .sort((a, b) => a.order - b.order)
    .map(({ name, value }) => ({ name, value }));
}

/** The GPU types of one leaderboard, or of all when none is named yet. */
export async function completeGpu(
  sql: Sql,
  viewer: Viewer,
  leaderboard: string | null,
  typed: string,
): Promise<Choice[]> {
  const boards = await listVisibleBoards(sql, viewer);
  const named = boards.filter((board) => board.name.toLowerCase() === leaderboard?.toLowerCase());
  const gpus = (named.length > 0 ? named : boards).flatMap((board) => board.gpus);
  return matching([...new Set(gpus)], typed);
}

/** What a leaderboard can be shown by: GPU types, and whatever else its rule ranks. */
export async function completeTrack(
  sql: Sql,
  viewer: Viewer,
  leaderboard: string | null,
  typed: string,
): Promise<Choice[]> {
  const board = await findVisible(sql, viewer, leaderboard);
  if (!board) return completeGpu(sql, viewer, leaderboard, typed);
  const tracks = (await listTracks(sql, board.id)).map((item) => item.track);
  return matching([...new Set([...board.gpus, ...tracks])], typed);
}

export async function completeLanguage(
  sql: Sql,
  viewer: Viewer,
  leaderboard: string | null,
  typed: string,
): Promise<Choice[]> {
  const board = await findVisible(sql, viewer, leaderboard);
  return matching(Object.keys(board?.task.templates ?? {}), typed);
}

async function findVisible(
  sql: Sql,
  viewer: Viewer,
  name: string | null,
): Promise<LeaderboardWithTask | null> {
  if (name === null) return null;
  return getVisibleBoard(sql, viewer, name).catch((error: unknown) => {
    if (error instanceof UserError) return null;
    throw error;
  });
}

function matching(values: string[], typed: string): Choice[] {
  return values
    .filter((value) => value.toLowerCase().includes(typed.toLowerCase()))
    .map((value) => ({ name: value, value }));
}
