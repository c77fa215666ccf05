/** Where a page of runs begins, as clients carry it from one request to the next. Nothing in it is a secret. */
import { z } from 'zod';
import { type RunCursor, type RunOrder, runOrders } from '../db/runs.ts';
import { bad } from './schemas.ts';

const cursor = z.tuple([
  z.enum(runOrders),
  z.int().positive(),
  z
    .string()
    .regex(/^\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?[+-]\d\d(:\d\d){0,2}$/)
    .nullable(),
]);

export function cursorText(order: RunOrder, { id, finishedAt }: RunCursor): string {
  return Buffer.from(JSON.stringify([order, id, finishedAt])).toString('base64url');
}

/** Throws Refusal for what is none, or one of a list in another order. */
export function readCursor(text: string, order: RunOrder): RunCursor {
  const refusal = bad('cursor must be the `next` of a page that was asked for with the same order.');
  let parsed: z.infer<typeof cursor>;
  try {
    parsed = cursor.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
  } catch {
    throw refusal;
  }
  const [of, id, finishedAt] = parsed;
  if (of !== order) throw refusal;
  return { id, finishedAt };
}
