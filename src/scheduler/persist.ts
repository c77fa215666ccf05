import { setTimeout as delay } from 'node:timers/promises';
import { isConnectionError } from '../db/client.ts';
import type { Log } from '../log.ts';

const PAUSE_MS = 500;

/**
 * Writes, again and again while the database is away: a result in our hands must not be lost to a restart of it.
 * Rejects with what else goes wrong, and with the database's absence once `stopping` is aborted: the result is still on
 * the box then, for whoever takes the job over.
 */
export async function persist<T>(write: () => Promise<T>, stopping: AbortSignal, log: Log): Promise<T> {
  for (;;) {
    try {
      return await write();
    } catch (error) {
      if (!isConnectionError(error) || stopping.aborted) throw error;
      log.warn({ error }, 'the database is away: writing again');
      await delay(PAUSE_MS, undefined, { signal: stopping }).catch(() => {});
    }
  }
}
