/** Shapes that several routes share. `docs/api.md` and `/openapi.json` show them as they stand here. */
import { z } from 'zod';
import { Refusal } from './errors.ts';

/** A whole number in a path or query. Of any size: one that is too large for an id names nothing. */
export const wholeNumber = z
  .preprocess(
    (value) => (typeof value === 'string' && /^[+-]?\d{1,60}$/.test(value) ? Number(value) : value),
    z.number('must be a whole number'),
  )
  .meta({ type: 'integer' });

export const idParam = wholeNumber.describe('A submission number');
export const limitQuery = wholeNumber.optional();
export const offsetQuery = wholeNumber.optional();

/** Python's way of reading a flag, because the clients that exist were made for it. */
export const flagQuery = z
  .preprocess((value) => {
    const word = typeof value === 'string' ? value.toLowerCase() : value;
    if (['true', '1', 'yes', 'on', 't', 'y'].includes(word as string)) return true;
    return ['false', '0', 'no', 'off', 'f', 'n'].includes(word as string) ? false : value;
  }, z.boolean('must be true or false'))
  .optional();

/** A field whose handler has a sentence of its own for what does not fit; `json` is for the document. */
export function loosely(json: Record<string, unknown>) {
  return z.unknown().optional().meta(json);
}

export const nameParam = z.string().min(1).max(200);

/** An id that can be in the database, or one that never is. */
export function knownId(id: number): number {
  return Number.isSafeInteger(id) && id > 0 ? id : 0;
}

/** The body of every error. */
export const errorBody = z
  .object({
    detail: z.string().describe('What is wrong and what to do about it, in one string'),
    code: z.string().describe('The same for programs'),
    request_id: z.string().optional().describe('Only where the fault is ours: the reference for its log'),
  })
  .meta({ id: 'Error' });

/** How long the queue of a GPU type is. */
export const queueObject = z
  .object({
    runner: z.string(),
    gpu: z.string(),
    queued_jobs: z.int(),
    running_jobs: z.int(),
    available_runners: z.int(),
    status: z.enum(['available', 'busy', 'offline', 'unknown']),
    error: z.string().nullable(),
  })
  .meta({ id: 'Queue' });
export type QueueObject = z.infer<typeof queueObject>;

export const time = z.iso.datetime();

export const okStatus = z.literal('ok');

/** What any route may answer beside its success. */
export const failures = { '4xx': errorBody, '5xx': errorBody } as const;

export function isWholeNumber(value: unknown, from: number, to: number): value is number {
  return Number.isInteger(value) && (value as number) >= from && (value as number) <= to;
}

export function bad(detail: string): Refusal {
  return new Refusal(400, 'invalid', detail);
}

/** The word, or a refusal. */
export function visibilityOf(value: unknown): 'public' | 'closed' {
  if (value === 'public' || value === 'closed') return value;
  throw bad("visibility must be 'public' or 'closed'");
}
