/** Looks every so often for work that should exist, mends what it can, and says so in the log. */
import type { Sql } from '../db/client.ts';
import { findMissingWork } from '../db/missing-work.ts';
import type { Log } from '../log.ts';

const INTERVAL_MS = 60_000;

export function startSweeper(sql: Sql, log: Log): { stop(): Promise<void> } {
  let running: Promise<void> = Promise.resolve();
  const sweep = () => {
    running = sweepOnce(sql, log).catch((error: unknown) => log.warn({ error }, 'sweeper: not looked'));
  };
  const timer = setInterval(sweep, INTERVAL_MS);
  sweep();
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}

async function sweepOnce(sql: Sql, log: Log): Promise<void> {
  const found = await findMissingWork(sql);
  if (found.withoutJobs.length > 0) log.error({ submissions: found.withoutJobs }, 'submissions without jobs');
  if (found.unsettled.length > 0)
    log.error({ submissions: found.unsettled }, 'submissions were not settled: mended');
  if (found.unfinished.length > 0)
    log.error({ rejudges: found.unfinished }, 'rejudges were not closed: mended');
  if (found.abandoned.length > 0)
    log.warn({ jobs: found.abandoned }, 'jobs of a box that is gone: queued again');
  if (found.waiting.length > 0) log.warn({ jobs: found.waiting }, 'jobs wait for their box to come back');
}
