/**
 * For what polling clients ask: they take any error for the end of their submission, so a database that restarts is waited
 * for. Only reading, which may be done twice.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { isConnectionError } from '../db/client.ts';

/** Below the 30 s after which clients give up. */
const PATIENCE_MS = 20_000;
const PAUSE_MS = 250;

export async function patiently<T>(read: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await read();
    } catch (error) {
      if (!isConnectionError(error) || Date.now() > deadline) throw error;
      await delay(PAUSE_MS);
    }
  }
}
