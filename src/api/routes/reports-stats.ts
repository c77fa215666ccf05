/** Reports: one entry in figures. */
import { z } from 'zod';
import { readReport } from '../../db/report-reading.ts';
import { listRunStats, listShapeStats, type RunStats, type ShapeStats } from '../../db/report-stats.ts';
import { listStandingsOn } from '../../db/standings.ts';
import { security } from '../document.ts';
import { enterEntry, type Measure, measureOf, reportedGpu } from '../report-access.ts';
import { emptyBody, gpuQuery, measureBody, metricQuery, paramsBody, reasonBody } from '../report-bodies.ts';
import { emptyMetric, emptyRuns } from '../report-empty.ts';
import { loadParams, type ParamsByVersion, paramsOf } from '../report-shapes.ts';
import type { RouteParts, Server } from '../route.ts';
import { failures, idParam, time } from '../schemas.ts';

const runBody = {
  runs: z.int().describe('Observations: its own, rejudges that were applied, and repetitions'),
  successful: z.int(),
  repetitions: z.int(),
  first_at: time,
  last_at: time,
  values: z
    .int()
    .describe('Runs behind the figures below: those that passed, judged by what the score was judged by'),
  mean: z.number().nullable(),
  deviation: z.number().nullable().describe('Of single runs; null below two'),
  low: z.number().nullable(),
  high: z.number().nullable(),
  latest: z.number().nullable().describe('By time, and by number where times are equal'),
};

const shapeStats = z
  .object({
    shape: z.int().describe('The number of the benchmark, from 1'),
    params: paramsBody,
    values: z.int(),
    mean: z.number(),
    low: z.number(),
    high: z.number(),
  })
  .meta({ id: 'ShapeStats' });

const gpuStats = z
  .object({
    gpu: z.string(),
    rank: z.int().nullable(),
    reason: reasonBody.nullable().describe('Why it is not its owner’s entry there'),
    ...runBody,
    failures: z.record(z.string(), z.int()).describe('Runs that failed, by kind'),
    shapes: z.array(shapeStats),
    best_shape: z
      .int()
      .nullable()
      .describe('Of the best mean; null where nobody has said which way is better'),
    worst_shape: z.int().nullable(),
    secret: z.object(runBody).nullable().describe('The secret runs, for its owner and organisers'),
  })
  .meta({ id: 'ModelStats' });

export function reportStatsRoutes(server: Server, { sql, guards, limits, reportReads }: RouteParts): void {
  server.get(
    '/reports/models/:id/stats',
    {
      onRequest: [guards.viewer, limits.read],
      schema: {
        summary: 'One entry in figures: runs, mean, best and worst benchmark',
        tags: ['reports'],
        security: security.viewer,
        params: z.object({ id: idParam }),
        querystring: z.object({
          gpu: gpuQuery.describe('All where it is not given'),
          metric: metricQuery,
        }),
        response: {
          200: z.object({
            submission_id: z.int(),
            leaderboard: z.string(),
            user_id: z.string(),
            user_name: z.string(),
            ...measureBody,
            shape_unit: z.string(),
            gpus: z.array(gpuStats),
            empty: emptyBody,
          }),
          ...failures,
        },
      },
    },
    (request) => {
      const { metric } = request.query;
      return reportReads(() =>
        readReport(sql, async (tx) => {
          const reported = await enterEntry(tx, request.params.id, request);
          const { entry, board, viewer } = reported;
          const wish = request.query.gpu;
          const gpuType =
            wish === undefined ? null : reportedGpu(`of submission ${entry.id}`, entry.gpus, wish);
          const of = { submissionId: entry.id, gpuType, viewer, metric: metric ?? null };
          const runs = await listRunStats(tx, of);
          const shapes = await listShapeStats(tx, of);
          const params = await loadParams(
            tx,
            shapes.map((shape) => shape.taskVersionId),
          );
          const measure = measureOf(board, metric);
          const shapeMeasure: Measure = metric === undefined ? { unit: 's', lowerIsBetter: true } : measure;
          const gpus = [];
          for (const open of runs.filter((item) => !item.secret)) {
            const standing = (await listStandingsOn(tx, open.gpuType, [entry.id])).get(entry.id);
            const secret = runs.find((item) => item.secret && item.gpuType === open.gpuType);
            const own = shapes.filter((shape) => shape.gpuType === open.gpuType);
            gpus.push({
              gpu: open.gpuType,
              rank: standing?.rank ?? null,
              reason: standing?.notRanked ?? null,
              ...runBodyOf(open),
              failures: open.failures,
              shapes: own.map((shape) => shapeBodyOf(shape, params)),
              ...extremes(own, shapeMeasure.lowerIsBetter),
              secret: secret ? runBodyOf(secret) : null,
            });
          }
          return {
            submission_id: entry.id,
            leaderboard: board.name,
            user_id: entry.userId,
            user_name: entry.userName,
            unit: measure.unit,
            lower_is_better: measure.lowerIsBetter,
            shape_unit: shapeMeasure.unit,
            gpus,
            empty: gpus.length > 0 ? await emptyMetric(tx, board, metric) : await emptyRuns(tx, reported),
          };
        }),
      );
    },
  );
}

function runBodyOf(stats: RunStats) {
  const { runs, successful, repetitions, values, mean, deviation, low, high, latest } = stats;
  return {
    runs,
    successful,
    repetitions,
    first_at: stats.firstAt.toISOString(),
    last_at: stats.lastAt.toISOString(),
    values,
    mean,
    deviation,
    low,
    high,
    latest,
  };
}

function shapeBodyOf(stats: ShapeStats, params: ParamsByVersion): z.infer<typeof shapeStats> {
  const { shape, values, mean, low, high } = stats;
  return { shape, params: paramsOf(params, stats.taskVersionId, shape), values, mean, low, high };
}

/** By their means; of equal ones the first. */
function extremes(shapes: ShapeStats[], lowerIsBetter: boolean | null) {
  if (lowerIsBetter === null) return { best_shape: null, worst_shape: null };
  const upwards = [...shapes].sort(
    (a, b) => (lowerIsBetter ? a.mean - b.mean : b.mean - a.mean) || a.shape - b.shape,
  );
  return { best_shape: upwards[0]?.shape ?? null, worst_shape: upwards.at(-1)?.shape ?? null };
}
