/**
 * Where a page ended, as one word that means nothing to whoever holds it. It belongs to the question that it came with: with
 * another one it is refused, and not answered wrongly. It is no secret and must hold none.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { bad } from './schemas.ts';

export const cursorQuery = z
  .string()
  .max(1000)
  .optional()
  .describe('`next_cursor` of the page before, with the same question');

function markOf(question: unknown): string {
  return createHash('sha256').update(JSON.stringify(question)).digest('base64url').slice(0, 12);
}

/** Null where there is no further page. */
export function writeCursor(question: unknown, place: object | null): string | null {
  return place === null ? null : Buffer.from(JSON.stringify([markOf(question), place])).toString('base64url');
}

/** Null on the first page. Throws the refusal of what this server gave to no such question. */
export function readCursor<T>(question: unknown, place: z.ZodType<T>, text: string | undefined): T | null {
  if (text === undefined) return null;
  const shape = z.tuple([z.literal(markOf(question)), place]);
  const read = shape.safeParse(parsed(Buffer.from(text, 'base64url').toString('utf8')));
  if (!read.success) throw staleCursor();
  return read.data[1];
}

export function staleCursor() {
  return bad('cursor: there is no such page of this question (any more). Start again without a cursor.');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
