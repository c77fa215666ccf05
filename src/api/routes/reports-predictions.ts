/** Reports: every observation of one entry as it was made, failures included. */
import { z } from 'zod';
import { listMeasurements, type Measurement } from '../../db/measurements.ts';
import { readReport } from '../../db/report-reading.ts';
import { failureKinds } from '../../domain/stage-failure.ts';
import { pageOf } from '../board-access.ts';
import { cursorQuery, readCursor, writeCursor } from '../cursor.ts';
import { security } from '../document.ts';
import { enterEntry, measureOf, reportedGpu } from '../report-access.ts';
import {
  emptyBody,
  gpuQuery,
  measureBody,
  metricQuery,
  nextCursor,
  shapeBody,
  totalBody,
} from '../report-bodies.ts';
import { emptyMetric, emptyRuns } from '../report-empty.ts';
import { loadParams, type ParamsByVersion, shapeValues } from '../report-shapes.ts';
import type { RouteParts, Server } from '../route.ts';
import { failures, flagQuery, limitQuery, time, wholeNumber } from '../schemas.ts';

const PAGE = 50;
const MAX_PAGE = 200;

const observationBody = z
  .object({
    id: z.int(),
    gpu: z.string(),
    measured_at: time,
    kind: z.enum(['own', 'rejudge', 'repetition']),
    secret: z.boolean(),
    counts: z.boolean().describe('The score comes from this run; repetitions count in windows alone'),
    version: z.int().nullable().describe('Of the task that judged it'),
    passed: z.boolean(),
    value: z.number().nullable().describe('The metric that was asked for, or what the board measures'),
    shapes: z.array(shapeBody).describe('None of secret runs'),
    metrics: z.record(z.string(), z.number()).describe('All that it reported; none of secret runs'),
    failure: z
      .object({
        kind: z.enum(failureKinds),
        stage: z.string(),
        summary: z.string().nullable(),
        detail: z.string().nullable(),
      })
      .nullable()
      .describe('Of public runs; its words are for its owner and organisers'),
  })
  .meta({ id: 'Observation' });

const place = z.object({ measuredAt: z.string().max(40), id: z.int(), total: z.int() });

export function reportPredictionRoutes(
  server: Server,
  { sql, guards, limits, reportReads }: RouteParts,
): void {
  server.get(
    '/reports/predictions',
    {
      onRequest: [guards.viewer, limits.read],
      schema: {
        summary: 'Every observation of one entry, newest first, failures included',
        tags: ['reports'],
        security: security.viewer,
        querystring: z.object({
          id: wholeNumber.describe('A submission number'),
          gpu: gpuQuery.describe('All where it is not given'),
          metric: metricQuery,
          passed: flagQuery.describe('Only those that passed, or only those that did not'),
          limit: limitQuery.describe(`1 to ${MAX_PAGE}; ${PAGE} where it is not given`),
          cursor: cursorQuery,
        }),
        response: {
          200: z.object({
            submission_id: z.int(),
            leaderboard: z.string(),
            ...measureBody,
            total: totalBody,
            observations: z.array(observationBody),
            next_cursor: nextCursor,
            empty: emptyBody,
          }),
          ...failures,
        },
      },
    },
    (request) => {
      const { metric, passed } = request.query;
      const { limit } = pageOf(request.query, { fallback: PAGE, most: MAX_PAGE });
      return reportReads(() =>
        readReport(sql, async (tx) => {
          const reported = await enterEntry(tx, request.query.id, request);
          const { entry, board, viewer } = reported;
          const wish = request.query.gpu;
          const gpuType =
            wish === undefined ? undefined : reportedGpu(`of submission ${entry.id}`, entry.gpus, wish);
          const asked = ['predictions', entry.id, gpuType ?? null, passed ?? null];
          const after = readCursor(asked, place, request.query.cursor);
          const of = { submissionId: entry.id, viewer, gpuType, passed, metric };
          const read = await listMeasurements(tx, of, { limit: limit + 1, after });
          const total = after?.total ?? read.total;
          const page = read.items.slice(0, limit);
          const last = page.at(-1);
          const next = read.items.length > limit && last ? { ...last.cursor, total } : null;
          const params = await loadParams(
            tx,
            page.map((item) => item.taskVersionId),
          );
          const measure = measureOf(board, metric);
          return {
            submission_id: entry.id,
            leaderboard: board.name,
            unit: measure.unit,
            lower_is_better: measure.lowerIsBetter,
            total,
            observations: page.map((item) => observationOf(item, metric, params)),
            next_cursor: writeCursor(asked, next),
            empty: total > 0 ? await emptyMetric(tx, board, metric) : await emptyRuns(tx, reported, passed),
          };
        }),
      );
    },
  );
}

function observationOf(
  item: Measurement,
  metric: string | undefined,
  params: ParamsByVersion,
): z.infer<typeof observationBody> {
  const { id, secret, counts, version, passed, value, metrics, failure } = item;
  const repeated = item.remeasure !== null;
  return {
    id,
    gpu: item.gpuType,
    measured_at: item.measuredAt.toISOString(),
    kind: repeated ? 'repetition' : item.rejudgeId === null ? 'own' : 'rejudge',
    secret,
    counts,
    version,
    passed,
    value,
    shapes: shapeValues(item, metric, params),
    metrics,
    failure: failure && { ...failure, summary: failure.summary ?? null, detail: failure.detail ?? null },
  };
}
