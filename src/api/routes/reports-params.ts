/** Reports: how the benchmarks of entries moved between two times, a series for each parameter set. */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { listBoardEntries } from '../../db/board.ts';
import type { Db } from '../../db/client.ts';
import type { LeaderboardWithTask } from '../../db/leaderboards.ts';
import { readReport } from '../../db/report-reading.ts';
import { findRunTimes, listShapeSeries, type ShapePoint } from '../../db/report-series.ts';
import { security } from '../document.ts';
import { enterEntry, enterReported, measureOf, reportedGpu, viewerOf } from '../report-access.ts';
import {
  emptyBody,
  gpuQuery,
  leaderboardQuery,
  measureBody,
  metricQuery,
  numberWithin,
  paramsBody,
} from '../report-bodies.ts';
import { empty, emptyBoard, emptyShapeMetric, emptySpan } from '../report-empty.ts';
import { loadParams, type ParamsByVersion, paramsOf } from '../report-shapes.ts';
import { pointBody, pointOf, spanBody, spanBodyOf, spanOf, spanQuery } from '../report-span.ts';
import type { RouteParts, Server } from '../route.ts';
import { bad, failures, wholeNumber } from '../schemas.ts';

const TOP = { from: 1, to: 20, fallback: 5 };

const seriesBody = z
  .object({
    submission_id: z.int(),
    user_id: z.string(),
    user_name: z.string(),
    shape: z.int().describe('The number of the benchmark, from 1'),
    params: paramsBody,
    points: z.array(pointBody),
  })
  .meta({ id: 'ShapeSeries' });

interface Entry {
  submissionId: number;
  userId: string;
  userName: string;
}

export function reportParamRoutes(server: Server, { sql, guards, limits, reportReads }: RouteParts): void {
  server.get(
    '/reports/models/params',
    {
      onRequest: [guards.viewer, limits.read],
      schema: {
        summary: 'How the benchmarks of entries moved between two times: a series for each parameter set',
        tags: ['reports'],
        security: security.viewer,
        querystring: z.object({
          leaderboard: leaderboardQuery,
          gpu: gpuQuery,
          id: wholeNumber.optional().describe('Of this submission alone'),
          top: wholeNumber
            .optional()
            .describe(`Of the first so many now, 1 to ${TOP.to}; ${TOP.fallback} where it is not given`),
          metric: metricQuery.describe('In place of seconds: what runs report by shape, `shape_0_<metric>`'),
          ...spanQuery,
        }),
        response: {
          200: z.object({
            leaderboard: z.string(),
            gpu: z.string(),
            ...measureBody,
            ...spanBody,
            series: z.array(seriesBody),
            empty: emptyBody,
          }),
          ...failures,
        },
      },
    },
    (request) => {
      const { id, metric } = request.query;
      const top = numberWithin('top', request.query.top, TOP);
      return reportReads(() =>
        readReport(sql, async (tx, now) => {
          const span = spanOf(request.query, now);
          const board = await enterReported(tx, request.query.leaderboard, request);
          const gpu = reportedGpu(`on leaderboard '${board.name}'`, board.gpus, request.query.gpu);
          const key = { leaderboardId: board.id, gpuType: gpu };
          const entries: Entry[] =
            id === undefined
              ? (await listBoardEntries(tx, key, { limit: top, offset: 0 })).entries
              : [await entryOf(tx, board, id, request)];
          const submissionIds = entries.map((entry) => entry.submissionId);
          const of = { ...key, viewer: viewerOf(request), submissionIds };
          const points = await listShapeSeries(tx, { ...of, metric: metric ?? null }, span);
          const versions = points.map((point) => point.taskVersionId);
          const params = await loadParams(tx, versions);
          const seconds = { unit: 's', lowerIsBetter: true };
          const measure = metric === undefined ? seconds : measureOf(board, metric);
          const whyEmpty = async () => {
            const times = await findRunTimes(tx, of);
            const isWithin = times && times.first <= span.to && times.last >= span.from;
            if (isWithin)
              return empty('no-values', 'The runs of these entries have no value for any benchmark.');
            const nobody =
              id === undefined
                ? await emptyBoard(tx, board, { name: gpu, gpuType: gpu })
                : empty(
                    'no-runs',
                    `No run of submission ${id} on ${gpu} is shown; \`/reports/models/${id}/stats\` says why.`,
                  );
            return emptySpan(times, span, nobody);
          };
          return {
            leaderboard: board.name,
            gpu,
            unit: measure.unit,
            lower_is_better: measure.lowerIsBetter,
            ...spanBodyOf(span, points),
            series: seriesOf(entries, points, params),
            empty:
              points.length > 0 ? null : ((await emptyShapeMetric(tx, board, metric)) ?? (await whyEmpty())),
          };
        }),
      );
    },
  );
}

async function entryOf(
  tx: Db,
  board: LeaderboardWithTask,
  id: number,
  request: FastifyRequest,
): Promise<Entry> {
  const { entry } = await enterEntry(tx, id, request);
  if (entry.leaderboard !== board.name)
    throw bad(`id: submission ${id} is one of leaderboard '${entry.leaderboard}', not of '${board.name}'`);
  return { submissionId: entry.id, userId: entry.userId, userName: entry.userName };
}

/** In the order of the entries. A submission that was judged by several versions has series of each. */
function seriesOf(
  entries: Entry[],
  points: ShapePoint[],
  params: ParamsByVersion,
): z.infer<typeof seriesBody>[] {
  return entries.flatMap((entry) => {
    const own = points.filter((point) => point.submissionId === entry.submissionId);
    const groups = Map.groupBy(own, (point) => `${point.taskVersionId} ${point.shape}`);
    return [...groups.values()].flatMap((group) => {
      const [first] = group;
      if (!first) return [];
      return {
        submission_id: entry.submissionId,
        user_id: entry.userId,
        user_name: entry.userName,
        shape: first.shape,
        params: paramsOf(params, first.taskVersionId, first.shape),
        points: group.map(pointOf),
      };
    });
  });
}
