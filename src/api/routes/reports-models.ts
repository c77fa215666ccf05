/** Reports: the entries of a board, newest first, each with what it measured of every benchmark. */
import { z } from 'zod';
import { countModels, listModels, type ReportModel } from '../../db/report-models.ts';
import { readReport } from '../../db/report-reading.ts';
import { listStandingsOn, type Standing } from '../../db/standings.ts';
import { pageOf } from '../board-access.ts';
import { cursorQuery, readCursor, writeCursor } from '../cursor.ts';
import { security } from '../document.ts';
import { enterReported, measureOf, reportedGpu, viewerOf } from '../report-access.ts';
import {
  emptyBody,
  gpuQuery,
  leaderboardQuery,
  measureBody,
  metricQuery,
  nextCursor,
  reasonBody,
  shapeBody,
  totalBody,
  userQuery,
  windowBodies,
} from '../report-bodies.ts';
import { empty, emptyBoard, emptyMetric } from '../report-empty.ts';
import { loadParams, type ParamsByVersion, shapeValues } from '../report-shapes.ts';
import type { RouteParts, Server } from '../route.ts';
import { failures, limitQuery, time } from '../schemas.ts';

const PAGE = 20;
const MAX_PAGE = 100;
/** Above every submission. */
const NEWEST = Number.MAX_SAFE_INTEGER;

const modelBody = z
  .object({
    submission_id: z.int(),
    user_id: z.string(),
    user_name: z.string(),
    file_name: z.string(),
    language: z.string().nullable(),
    submitted_at: time,
    status: z.enum(['pending', 'done', 'failed']),
    rank: z.int().nullable().describe('While it is its owner’s entry'),
    reason: reasonBody.nullable().describe('Why it is not'),
    score: z
      .number()
      .nullable()
      .describe('By the rule of the board; null where it has none, or it is not yours to see'),
    ...windowBodies,
    value: z
      .number()
      .nullable()
      .describe('Of the run that counts: the metric that was asked for, or what the board measures'),
    secret_score: z.number().nullable().describe('For its owner and organisers'),
    runs: z.int().describe('Observations: its own, rejudges that were applied, and repetitions'),
    successful: z.int(),
    shapes: z.array(shapeBody).describe('Of the run that counts'),
  })
  .meta({ id: 'ReportModel' });

const place = z.object({ before: z.int(), total: z.int() });

export function reportModelRoutes(server: Server, { sql, guards, limits, reportReads }: RouteParts): void {
  server.get(
    '/reports/models',
    {
      onRequest: [guards.viewer, limits.read],
      schema: {
        summary:
          'The ranked submissions of a board on one GPU type, newest first, with their scores by benchmark',
        tags: ['reports'],
        security: security.viewer,
        querystring: z.object({
          leaderboard: leaderboardQuery,
          gpu: gpuQuery,
          user: userQuery,
          metric: metricQuery,
          limit: limitQuery.describe(`1 to ${MAX_PAGE}; ${PAGE} where it is not given`),
          cursor: cursorQuery,
        }),
        response: {
          200: z.object({
            leaderboard: z.string(),
            gpu: z.string(),
            ...measureBody,
            total: totalBody,
            models: z.array(modelBody),
            next_cursor: nextCursor,
            empty: emptyBody,
          }),
          ...failures,
        },
      },
    },
    (request) => {
      const { user = null, metric } = request.query;
      const { limit } = pageOf(request.query, { fallback: PAGE, most: MAX_PAGE });
      return reportReads(() =>
        readReport(sql, async (tx) => {
          const board = await enterReported(tx, request.query.leaderboard, request);
          const gpuType = reportedGpu(`on leaderboard '${board.name}'`, board.gpus, request.query.gpu);
          const asked = ['models', board.id, gpuType, user];
          const from = readCursor(asked, place, request.query.cursor);
          const filter = { leaderboardId: board.id, gpuType, userId: user };
          const total = from?.total ?? (await countModels(tx, filter));
          const rows = await listModels(
            tx,
            { ...filter, viewer: viewerOf(request), metric: metric ?? null },
            { limit: limit + 1, before: from?.before ?? NEWEST },
          );
          const page = rows.slice(0, limit);
          const last = page.at(-1);
          const next = rows.length > limit && last ? { before: last.submissionId, total } : null;
          const ids = page.map((row) => row.submissionId);
          const standings = await listStandingsOn(tx, gpuType, ids);
          const params = await loadParams(
            tx,
            page.map((row) => row.taskVersionId),
          );
          const measure = measureOf(board, metric);
          return {
            leaderboard: board.name,
            gpu: gpuType,
            unit: measure.unit,
            lower_is_better: measure.lowerIsBetter,
            total,
            models: page.map((row) => body(row, standings.get(row.submissionId), metric, params)),
            next_cursor: writeCursor(asked, next),
            empty:
              total > 0
                ? await emptyMetric(tx, board, metric)
                : user === null
                  ? await emptyBoard(tx, board, { name: gpuType, gpuType })
                  : empty('no-submissions', `Account ${user} has sent no ranked submission there.`),
          };
        }),
      );
    },
  );
}

type StandingThere = Pick<Standing, 'rank' | 'notRanked'> | undefined;

function body(
  row: ReportModel,
  standing: StandingThere,
  metric: string | undefined,
  params: ParamsByVersion,
): z.infer<typeof modelBody> {
  const { recent, steady, anchor, value, runs, successful } = row;
  const waits = row.status === 'queued' || row.status === 'running';
  return {
    submission_id: row.submissionId,
    user_id: row.userId,
    user_name: row.userName,
    file_name: row.fileName,
    language: row.language,
    submitted_at: row.submittedAt.toISOString(),
    status: waits ? 'pending' : row.status === 'done' ? 'done' : 'failed',
    rank: standing?.rank ?? null,
    reason: standing?.notRanked ?? null,
    score: row.score,
    recent,
    steady,
    anchor,
    value,
    secret_score: row.secretScore,
    runs,
    successful,
    shapes: shapeValues(row, metric, params),
  };
}
