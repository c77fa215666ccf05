/** Series between two times: what asks for them, and the points that come back. */
import { z } from 'zod';
import type { SeriesPoint, SeriesSpan } from '../db/report-series.ts';
import { momentOf, momentQuery, numberWithin } from './report-bodies.ts';
import { bad, time, wholeNumber } from './schemas.ts';

const DAY_MS = 86_400_000;
const FALLBACK_DAYS = 7;
const POINTS = { from: 2, to: 1000, fallback: 200 };

export const spanQuery = {
  from: momentQuery.describe(`${FALLBACK_DAYS} days before the end where it is not given`),
  to: momentQuery.describe('Now where it is not given'),
  points: wholeNumber
    .optional()
    .describe(`At most so many of each series, 2 to 1000; ${POINTS.fallback} where it is not given`),
};

export const spanBody = {
  from: time,
  to: time,
  point_seconds: z.number().describe('What one point stands for'),
  samples: z.int().describe('Observations of all series, before they were thinned'),
};

export const pointBody = z.object({
  at: time.describe('Of the latest observation of this part of the time'),
  value: z.number().describe('The latest one'),
  mean: z.number(),
  low: z.number(),
  high: z.number(),
  samples: z.int().describe('Observations that this point stands for'),
  submission_id: z.int(),
});

/** Throws the refusal of times that leave nothing between them. */
export function spanOf(
  query: { from?: string | undefined; to?: string | undefined; points?: number | undefined },
  now: Date,
): SeriesSpan {
  const to = momentOf(query.to) ?? now;
  const from = momentOf(query.from) ?? new Date(to.getTime() - FALLBACK_DAYS * DAY_MS);
  if (from >= to) throw bad('from must be before to');
  return { from, to, points: numberWithin('points', query.points, POINTS) };
}

export function spanBodyOf({ from, to, points }: SeriesSpan, found: SeriesPoint[]) {
  return {
    from: from.toISOString(),
    to: to.toISOString(),
    point_seconds: (to.getTime() - from.getTime()) / 1000 / points,
    samples: found.reduce((sum, point) => sum + point.samples, 0),
  };
}

export function pointOf(point: SeriesPoint): z.infer<typeof pointBody> {
  const { value, mean, low, high, samples } = point;
  return { at: point.at.toISOString(), value, mean, low, high, samples, submission_id: point.submissionId };
}
