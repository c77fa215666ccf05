/**
 * What is done when there is time: measuring the best entries again, ranking anew whose windows have turned, and keeping
 * history and tallies small. Each step finds in the database what is left to do, so that nothing is lost with the process.
 */
import { foldTallies, thinHistory } from '../db/board-history.ts';
import type { Sql } from '../db/client.ts';
import { queueRemeasurements, refreshTurnedWindows } from '../db/remeasure.ts';
import type { Log } from '../log.ts';

const INTERVAL_MS = 20_000;
const PEOPLE_AT_ONCE = 500;
/** Seldom, because it looks through whole tables. */
const TIDY_EVERY = 90;

export function startIdleWork(sql: Sql, log: Log): { stop(): Promise<void> } {
  let running: Promise<void> = Promise.resolve();
  let rounds = 0;
  let busy = false;
  const look = () => {
    if (busy) return;
    busy = true;
    const tidy = rounds++ % TIDY_EVERY === 0;
    running = lookOnce(sql, log, tidy)
      .catch((error: unknown) => log.warn({ error }, 'idle work: not done this time'))
      .finally(() => {
        busy = false;
      });
  };
  const timer = setInterval(look, INTERVAL_MS);
  look();
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}

async function lookOnce(sql: Sql, log: Log, tidy: boolean): Promise<void> {
  for (const { submissionId, gpuType } of await queueRemeasurements(sql))
    log.info({ submissionId, gpu: gpuType }, 'measured again');
  await refreshTurnedWindows(sql, PEOPLE_AT_ONCE);
  await foldTallies(sql);
  if (!tidy) return;
  const thinned = await thinHistory(sql);
  if (thinned > 0) log.info({ thinned }, 'old states of boards thinned');
}
