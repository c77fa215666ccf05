/** What reports take and give, as far as several of them share it. */
import { z } from 'zod';
import { METRIC_NAME } from '../domain/result-lines.ts';
import { bad, nameParam } from './schemas.ts';

export const leaderboardQuery = nameParam.describe('Its name, in any case');
export const gpuQuery = nameParam.optional().describe('A GPU type; the first one where it is not given');
export const trackQuery = nameParam
  .optional()
  .describe(
    'A GPU type, `H100 / Triton`, `H100 / shape 2`, or a composite; the first GPU type where it is not given',
  );
export const userQuery = nameParam.optional().describe('Of this account alone');
export const metricQuery = z
  .string()
  .regex(METRIC_NAME, 'must be the name of a metric: a-z, 0-9 and _')
  .optional()
  .describe('A metric that runs report, in place of what the board measures');
export const momentQuery = z.iso
  .datetime({ offset: true, error: 'must be a time such as 2026-05-01T12:00:00Z, with its + written as %2B' })
  .optional();
const EARLIEST = Date.UTC(2000);
const CLOCKS_DIFFER_MS = 60_000;

/** No earlier than anything can be, which is also what the database can subtract from; null where it is not given. */
export function momentOf(text: string | undefined): Date | null {
  return text === undefined ? null : new Date(Math.max(EARLIEST, Date.parse(text)));
}

/** For questions about what was: a clock that is a little ahead is no fault. */
export function pastMoment(name: string, text: string | undefined, now: Date): Date | null {
  const moment = momentOf(text);
  if (moment !== null && moment.getTime() > now.getTime() + CLOCKS_DIFFER_MS)
    throw bad(`${name} must not be in the future`);
  return moment;
}

export function numberWithin(
  name: string,
  value: number | undefined,
  bounds: { from: number; to: number; fallback: number },
): number {
  const { from, to, fallback } = bounds;
  if (value === undefined) return fallback;
  if (!Number.isInteger(value) || value < from || value > to)
    throw bad(`${name} must be between ${from} and ${to}`);
  return value;
}

export const emptyBody = z
  .object({
    code: z.string(),
    detail: z.string().describe('Why there is nothing here, and what there is'),
    metrics: z.array(z.string()).optional().describe('That there are'),
  })
  .nullable()
  .describe('Null where there is something')
  .meta({ id: 'WhyEmpty' });
export type Empty = z.infer<typeof emptyBody>;

export const reasonBody = z
  .object({
    code: z.string(),
    cause: z.string(),
    next: z.string().describe('What to do'),
    phase: z.string(),
  })
  .meta({ id: 'NotRanked' });

export const measureBody = {
  unit: z.string().describe('Of the values: `s` for seconds; empty: a bare number'),
  lower_is_better: z.boolean().nullable().describe('Null: nobody has said so of this metric'),
};

export const windowBodies = {
  recent: z.number().nullable().describe('Mean over the last day; null until it is covered'),
  steady: z.number().nullable().describe('Over 3 days'),
  anchor: z.number().nullable().describe('Over 7 days'),
};

export const paramsBody = z
  .record(z.string(), z.union([z.string(), z.number()]))
  .nullable()
  .describe('What the benchmark runs on');

export const shapeBody = z
  .object({
    shape: z.int().describe('The number of the benchmark, from 1'),
    params: paramsBody,
    value: z.number().describe('Seconds, or the metric by shape'),
    error: z.number().nullable().describe('Standard error of the seconds'),
  })
  .meta({ id: 'ShapeValue' });

export const totalBody = z.int().describe('Of all pages');
export const nextCursor = z.string().nullable().describe('Null on the last page');
