import { setTimeout as delay } from 'node:timers/promises';

const LOOK_MS = 50;

/** Looks until `look` gives something else than undefined or false. Throws, saying what it waited for, at the deadline. */
export async function until<T>(
  what: string,
  timeoutMs: number,
  look: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await delay(LOOK_MS);
  }
}
