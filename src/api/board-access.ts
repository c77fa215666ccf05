/** The way to a board: 404 where there is none, and for closed ones 401 or 403 to whoever is no member. */
import type { Db } from '../db/client.ts';
import { type BoardAccess, findBoardAccess } from '../db/invites.ts';
import { unknownLeaderboard } from '../intake/accept.ts';
import type { Caller } from './auth.ts';
import { Refusal } from './errors.ts';

export async function enterBoard(db: Db, name: string, caller: Caller | null): Promise<BoardAccess> {
  return entered(db, name, caller, await findBoardAccess(db, name, caller?.userId ?? null));
}

/** The same for a board that was read already. */
export async function entered<T extends BoardAccess>(
  db: Db,
  name: string,
  caller: Caller | null,
  board: T | null,
): Promise<T> {
  if (!board) throw await unknownLeaderboard(db, name);
  if (board.mayEnter) return board;
  if (caller) throw new Refusal(403, 'closed-leaderboard', 'You do not have access to this leaderboard');
  throw new Refusal(401, 'closed-leaderboard', 'Authentication required for closed leaderboard');
}

/** For organisers, who may enter every board. */
export async function findBoard(db: Db, name: string): Promise<BoardAccess> {
  const board = await findBoardAccess(db, name, null);
  if (!board) throw new Refusal(404, 'unknown-leaderboard', `Leaderboard \`${name}\` does not exist.`);
  return board;
}

/** The GPU type as the board spells it. */
export function gpuOf(board: BoardAccess, gpu: string): string {
  const known = board.gpus.find((item) => item.toLowerCase() === gpu.toLowerCase());
  if (known) return known;
  const supported = board.gpus.join(', ') || 'None';
  throw new Refusal(
    404,
    'unknown-gpu',
    `GPU type '${gpu}' is not supported for leaderboard '${board.name}'. Supported GPUs: ${supported}`,
  );
}

/** A page of a list, within its bounds. */
export function pageOf(
  query: { limit?: number | undefined; offset?: number | undefined },
  bounds: { fallback: number; most: number },
): { limit: number; offset: number } {
  const { limit = bounds.fallback, offset = 0 } = query;
  if (!Number.isInteger(limit) || limit < 1 || limit > bounds.most) {
    throw new Refusal(400, 'bad-page', `limit must be between 1 and ${bounds.most}`);
  }
  if (offset < 0) throw new Refusal(400, 'bad-page', 'offset must be >= 0');
  // Beyond every list, and beyond what the database counts to.
  return { limit, offset: Math.min(offset, Number.MAX_SAFE_INTEGER) };
}
