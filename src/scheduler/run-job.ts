/**
 * One job from its claim to its stored result.
 *
 *   lease held    -> the work order is made from task, code and seed
 *   on the box    -> started or, after a restart of ours, attached to; events become progress
 *   result        -> read into an Outcome, scored, stored with everything that follows from it: one transaction
 *   box trouble   -> back to the queue by the retry table, or failed as our fault; never the participant's
 *
 * A participant's failing code is an Outcome and ends here like a success. Only a BoxError retries.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { BoxConnection } from '../boxes/connection.ts';
import { forgetJob, JobMayStillRun, runOnBox } from '../boxes/run-on-box.ts';
import type { Sql } from '../db/client.ts';
import {
  expireLease,
  type JobWork,
  type Lease,
  loadJobWork,
  markJobRunning,
  notifyProgress,
  requeueJob,
} from '../db/jobs.ts';
import { storeBoxFailure, storeJobResult } from '../db/results.ts';
import { BoxError, type BoxErrorKind } from '../domain/errors.ts';
import { jobSpecFor } from '../domain/job.ts';
import { readOutcome } from '../domain/outcome.ts';
import type { JobResult, JobSpec } from '../domain/protocol.ts';
import { leaderboardScore } from '../domain/score.ts';
import type { Log } from '../log.ts';
import { keepLease } from './lease.ts';
import { ProgressWriter } from './progress.ts';
import { retryDelayMs } from './retry.ts';

export interface RunJobParts {
  sql: Sql;
  log: Log;
  /** Aborted when this process stops: the job is left to its successor. */
  stopping: AbortSignal;
}

/** Never throws for a box's or a participant's failure; whatever else is thrown is a bug, and the lease runs out. */
export async function runJob(parts: RunJobParts, connection: BoxConnection, lease: Lease): Promise<void> {
  const { sql } = parts;
  const log = parts.log.child({
    jobId: lease.jobId,
    submissionId: lease.submissionId,
    box: connection.box.name,
  });
  const kept = keepLease(sql, lease, log);
  try {
    const work = await loadJobWork(sql, lease.jobId);
    const spec = jobSpecFor({ id: lease.jobId, attempt: lease.attempt, ...work });
    if (!(await markJobRunning(sql, lease))) return;
    await notifyProgress(sql, lease.submissionId);

    const result = await runToItsEnd(parts, connection, lease, spec, work.seed, log);
    await storeResult(sql, lease, work, spec, result, log);
    await forgetJob(connection, spec.job_key).catch((error: unknown) =>
      log.debug({ error }, 'job folder left'),
    );
  } catch (error) {
    if (parts.stopping.aborted) await expireLease(sql, lease);
    else if (error instanceof BoxError) await handleBoxError(sql, lease, error, log);
    else throw error;
  } finally {
    kept.release();
    if (!parts.stopping.aborted) await notifyProgress(sql, lease.submissionId);
  }
}

async function storeResult(
  sql: Sql,
  lease: Lease,
  work: JobWork,
  spec: JobSpec,
  result: JobResult,
  log: Log,
): Promise<void> {
  const outcome = readOutcome(result, spec.stages.length);
  const score = leaderboardScore(outcome, work.task);
  const stored = await storeJobResult(sql, lease, outcome, score);
  log.info(
    { stored, passed: outcome.passed, failure: outcome.failure?.kind, gpu: work.gpuType, mode: work.mode },
    stored ? 'job finished' : 'result dropped: the lease was lost',
  );
}

const REATTACH_PAUSE_MS = 2000;
/** Beyond the job's own limits: time for a box to come back and for its supervisor to clean up. */
const GRACE_MS = 120_000;

/**
 * Runs the job, attaching again for as long as it may be alive: a job on a box that went away is not started elsewhere
 * before its own time limits have certainly ended it.
 */
async function runToItsEnd(
  parts: RunJobParts,
  connection: BoxConnection,
  lease: Lease,
  spec: JobSpec,
  seed: number | null,
  log: Log,
): Promise<JobResult> {
  const progress = new ProgressWriter(parts.sql, lease, log);
  const deadline = Date.now() + longestRunMs(spec) + GRACE_MS;
  for (;;) {
    try {
      return await runOnBox(connection, spec, { seed, onEvent: (event) => progress.take(event) });
    } catch (error) {
      if (!mayBeAlive(error, lease) || parts.stopping.aborted || Date.now() > deadline) throw error;
      log.warn({ error }, 'box lost in mid-job: waiting for it');
      await delay(REATTACH_PAUSE_MS, undefined, { signal: parts.stopping });
    } finally {
      await progress.flush();
    }
  }
}

/** What keeps us from asking the box. */
const outOfReach: BoxErrorKind[] = ['unreachable', 'channel-lost', 'auth-refused', 'host-key-changed'];

function mayBeAlive(error: unknown, lease: Lease): boolean {
  if (error instanceof JobMayStillRun) return true;
  // A job that was taken over was started in an earlier life, whatever this call could find out.
  return lease.takenOver && error instanceof BoxError && outOfReach.includes(error.kind);
}

function longestRunMs(spec: JobSpec): number {
  const warmup = spec.warmup?.timeout_s ?? 0;
  return spec.stages.reduce((sum, stage) => sum + stage.timeout_s + warmup, 0) * 1000;
}

async function handleBoxError(sql: Sql, lease: Lease, error: BoxError, log: Log): Promise<void> {
  const delayMs = retryDelayMs(error.kind, lease.attempt);
  log.warn({ error, attempt: lease.attempt, delayMs }, 'the box failed, not the code');
  if (delayMs === null) await storeBoxFailure(sql, lease, `${error.kind}: ${error.message}`);
  else await requeueJob(sql, lease, { kind: error.kind, message: error.message, delayMs });
}
