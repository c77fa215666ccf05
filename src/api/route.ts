/** What a file of `routes/` is given: `someRoutes(server, parts)` adds its routes to the server. */
import type { Sql } from '../db/client.ts';
import type { ProblemSource } from '../domain/problem-source.ts';
import type { SyncPlan, SyncReport } from '../domain/sync-plan.ts';
import type { RunDesk } from '../domain/verify.ts';
import type { Log } from '../log.ts';
import type { Guards } from './auth.ts';
import type { Limits } from './limits.ts';
import type { Metrics } from './metrics.ts';
import type { Progress } from './progress.ts';
import type { QueueView } from './queue-view.ts';
import type { ReadGate } from './read-gate.ts';

export type { Server } from './server-type.ts';

/** Problems from wherever they are; the parts behind it are put together in app.ts. Every method throws UserError. */
export interface ProblemDesk {
  /** What reading them would change; `set`: only that one. Null: the problems folder. */
  plan(source: ProblemSource | null, options: { set?: string }): Promise<SyncPlan>;
  /** The same for one directory below the problems folder: the board `<directory>-dev`. */
  planDirectory(directory: string): Promise<SyncPlan>;
  apply(plan: SyncPlan): Promise<SyncReport>;
}

/** What a file of routes gets. */
export interface RouteParts {
  sql: Sql;
  log: Log;
  guards: Guards;
  limits: Limits;
  queue: QueueView;
  /** For the pages that are asked for most. */
  reads: ReadGate;
  boardReads: ReadGate;
  /** For reports, which may take long: they wait for each other and hold up nothing else. */
  reportReads: ReadGate;
  progress: Progress;
  metrics: Metrics;
  problems: ProblemDesk;
  runs: RunDesk;
  /** A folder of this server for files that organisers have it write. */
  exportsDir: string;
  /** Aborted when the server begins to close. */
  closing: AbortSignal;
}
