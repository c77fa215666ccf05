/**
 * What a report is about, and who asks: a board that the caller may enter, one of its tracks, or one of its entries. Admins
 * may enter every board; owners may always read of their own.
 */
import type { FastifyRequest } from 'fastify';
import { listTracks } from '../db/board.ts';
import type { Db } from '../db/client.ts';
import { findBoardAccess } from '../db/invites.ts';
import { findLeaderboard, type LeaderboardWithTask } from '../db/leaderboards.ts';
import { findTrackUnit, isTrackAscending } from '../db/ranking.ts';
import { findReported, type ReportedSubmission } from '../db/report-models.ts';
import { measuredAscending, type RankingRule, unitOf } from '../domain/ranking-rule.ts';
import { servingMetric } from '../domain/serving-metrics.ts';
import { maySeePrivate, type Viewer } from '../domain/submission.ts';
import { unknownLeaderboard } from '../intake/accept.ts';
import { enterBoard } from './board-access.ts';
import { Refusal } from './errors.ts';
import { knownId } from './schemas.ts';

/** Null: nobody in particular. */
export function viewerOf({ caller, admin }: FastifyRequest): Viewer | null {
  if (admin) return { userId: admin.id, isAdmin: true };
  return caller && { userId: caller.userId, isAdmin: false };
}

/** By its name in any case. */
export async function enterReported(
  db: Db,
  name: string,
  request: FastifyRequest,
): Promise<LeaderboardWithTask> {
  if (!request.admin) await enterBoard(db, name, request.caller);
  const board = await findLeaderboard(db, name);
  if (!board) throw await unknownLeaderboard(db, name);
  return board;
}

export interface ReportedEntry {
  entry: ReportedSubmission;
  board: LeaderboardWithTask;
  viewer: Viewer | null;
  /** The viewer is the owner or an admin. */
  isPrivate: boolean;
}

/** The same answer to whoever may not know of it as where there is none. */
export async function enterEntry(db: Db, id: number, request: FastifyRequest): Promise<ReportedEntry> {
  const viewer = viewerOf(request);
  const entry = await findReported(db, knownId(id));
  if (entry) {
    const isPrivate = viewer !== null && maySeePrivate(viewer, entry.userId);
    const access = await findBoardAccess(db, entry.leaderboard, viewer?.userId ?? null);
    const board = await findLeaderboard(db, entry.leaderboard);
    if (board && (isPrivate || (access?.mayEnter && entry.mode === 'leaderboard')))
      return { entry, board, viewer, isPrivate };
  }
  throw new Refusal(
    404,
    'unknown-submission',
    'There is no such submission, or its leaderboard is closed to you. `/reports/models` lists those that there are.',
  );
}

/** The type as it is spelt there; without a wish the first. */
export function reportedGpu(where: string, gpus: string[], wish: string | undefined): string {
  const known = gpus.find((gpu) => wish === undefined || gpu.toLowerCase() === wish.toLowerCase());
  if (known !== undefined) return known;
  const wished = wish === undefined ? 'There is no GPU type' : `There is no GPU type '${wish}'`;
  throw new Refusal(404, 'unknown-gpu', `${wished} ${where}. There are: ${gpus.join(', ') || 'none'}`);
}

export interface ReportedTrack {
  name: string;
  isComposite: boolean;
  /** Null of a composite. */
  gpuType: string | null;
  unit: string;
  lowerIsBetter: boolean;
  /** Of the whole board. */
  all: string[];
}

/** A GPU type, a language or a benchmark of one, or a composite; without a wish the first GPU type. */
export async function reportedTrack(
  db: Db,
  board: LeaderboardWithTask,
  wish: string | undefined,
): Promise<ReportedTrack> {
  const composites = board.rule.composites ?? [];
  const names = [
    ...(await listTracks(db, board.id)).map((item) => item.track),
    ...composites.map((composite) => composite.name),
  ];
  const all = [...new Set([...board.gpus, ...names])];
  const name = all.find((track) => wish === undefined || track.toLowerCase() === wish.toLowerCase());
  if (name === undefined) {
    const detail = `There is no track '${wish ?? ''}' on leaderboard '${board.name}'. There are: ${all.join(', ') || 'none'}`;
    throw new Refusal(404, 'unknown-track', detail);
  }
  const composite = composites.find((item) => item.name === name);
  return {
    name,
    isComposite: composite !== undefined,
    gpuType: composite ? null : (name.split(' / ')[0] ?? name),
    unit: await findTrackUnit(db, board, name),
    lowerIsBetter: await isTrackAscending(db, board, name),
    all,
  };
}

export interface Measure {
  unit: string;
  /** Null: nobody has said so of this metric. */
  lowerIsBetter: boolean | null;
}

/** Of a metric, or of what the runs of a board measure before it becomes points. */
export function measureOf(board: LeaderboardWithTask, metric: string | undefined): Measure {
  const { weights: _points, ...measured }: RankingRule = board.rule;
  if (metric === undefined || metric === measured.metric) {
    return { unit: unitOf(measured, board.taskUnit), lowerIsBetter: measuredAscending(measured, board.task) };
  }
  const known = servingMetric(metric, Number.POSITIVE_INFINITY);
  return { unit: known?.unit ?? '', lowerIsBetter: known?.ascending ?? null };
}
