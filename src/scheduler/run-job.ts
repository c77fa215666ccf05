/**
 * One job from its claim to its stored result.
 *
 *   lease held    -> the work order is made from task, code and seed
 *   on the box    -> started or, after a restart of ours, attached to; events become progress
 *   result        -> read into an Outcome, scored, stored with everything that follows from it: one transaction
 *   box trouble   -> back to the queue by the retry table, or failed as our fault; never the participant's
 *   cancelled     -> ended on the box, and stored as cancelled when its processes are dead
 *
 * A participant's failing code is an Outcome and ends here like a success. Only a BoxError retries.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { BoxConnection } from '../boxes/connection.ts';
import { fetchTraces, type Trace } from '../boxes/fetch-traces.ts';
import { forgetJob, JobMayStillRun, runOnBox } from '../boxes/run-on-box.ts';
import type { Sql } from '../db/client.ts';
import {
  expireLease,
  type JobWork,
  type Lease,
  loadJobWork,
  markJobRunning,
  notifyProgress,
  releaseJob,
  requeueJob,
} from '../db/jobs.ts';
import { storeBoxFailure, storeJobCancelled, storeJobResult } from '../db/results.ts';
import { BoxError, type BoxErrorKind } from '../domain/box-error.ts';
import { jobSpecFor } from '../domain/job.ts';
import { readOutcome } from '../domain/outcome.ts';
import type { JobResult, JobSpec, StageSpec } from '../domain/protocol.ts';
import { configurationHash } from '../domain/run-configuration.ts';
import { leaderboardScore } from '../domain/score.ts';
import type { Log } from '../log.ts';
import { keepLease } from './lease.ts';
import { persist } from './persist.ts';
import { ProgressWriter } from './progress.ts';
import { retryDelayMs } from './retry.ts';

export interface RunJobParts {
  sql: Sql;
  log: Log;
  /** Aborted when this process stops: the job is left to its successor. */
  stopping: AbortSignal;
}

/** The reason of an abort that ends a job on its box without its sender's wish: it goes back to the queue. */
export const toRunAgain = Symbol('to run again');

/** A claimed job on its way. */
interface Run extends RunJobParts {
  lease: Lease;
  connection: BoxConnection;
  /** Aborted when its sender wants it ended. */
  cancel: AbortController;
}

/** `box-failed`: for the box's own reasons. `ended`: it did its work. `left`: nothing can be said of the box. */
export type RunEnd = 'ended' | 'box-failed' | 'left';

/** Never throws for a box's or a participant's failure; whatever else is thrown is a bug, and the lease runs out. */
export async function runJob(
  parts: RunJobParts,
  connection: BoxConnection,
  lease: Lease,
  cancel: AbortController,
): Promise<RunEnd> {
  const { sql, stopping } = parts;
  const log = parts.log.child({
    jobId: lease.jobId,
    submissionId: lease.submissionId,
    box: connection.box.name,
  });
  const run: Run = { ...parts, log, lease, connection, cancel };
  const kept = keepLease(sql, lease, () => cancel.abort(), log);
  try {
    // At once: the way to the box is short, so each round trip to the database shows.
    const [work, held] = await Promise.all([loadJobWork(sql, lease.jobId), markJobRunning(sql, lease)]);
    if (work.cancelRequested) cancel.abort();
    if (!held) return 'left';
    void notifyProgress(sql, lease.submissionId).catch((error: unknown) =>
      log.debug({ error }, 'start not told'),
    );
    return await runAndStore(run, work);
  } catch (error) {
    if (!stopping.aborted) throw error;
    await expireLease(sql, lease);
    return 'left';
  } finally {
    kept.release();
    if (!stopping.aborted) await notifyProgress(sql, lease.submissionId).catch(() => {});
  }
}

async function runAndStore(run: Run, work: JobWork): Promise<RunEnd> {
  const { sql, lease, log } = run;
  const spec = jobSpecFor({ id: lease.jobId, attempt: lease.attempt, ...work });
  let result: JobResult;
  try {
    result = await runToItsEnd(run, spec, work);
  } catch (error) {
    if (run.stopping.aborted) throw error;
    if (run.cancel.signal.aborted && !(error instanceof JobMayStillRun)) {
      const store = run.cancel.signal.reason === toRunAgain ? releaseJob : storeJobCancelled;
      await persist(() => store(sql, lease), run.stopping, log);
      return 'left';
    }
    if (!(error instanceof BoxError)) throw error;
    const given = await handleBoxError(run, work, error);
    if (given && boxHasEnded.includes(error.kind)) await forget(run, spec);
    return 'box-failed';
  }
  const stopped = result.outcome === 'cancelled' && run.cancel.signal.reason === toRunAgain;
  const written = stopped
    ? await persist(() => releaseJob(sql, lease), run.stopping, log)
    : await storeResult(run, work, spec, result);
  if (written) await forget(run, spec);
  return 'ended';
}

/** The box says of the job that it is not running any more; its folder may still hold what filled a disk. */
const boxHasEnded: BoxErrorKind[] = ['disk-full', 'sandbox-failed', 'tool-missing', 'runner-crashed'];

/** Only for a job whose end we have written down: a folder is what another holder of the lease attaches to. */
async function forget(run: Run, spec: JobSpec): Promise<void> {
  await forgetJob(run.connection, spec.job_key).catch((error: unknown) =>
    run.log.debug({ error }, 'job folder left'),
  );
}

/** False when it was stored before, or the lease was lost. */
async function storeResult(run: Run, work: JobWork, spec: JobSpec, result: JobResult): Promise<boolean> {
  const { sql, lease, log } = run;
  const outcome = readOutcome(result, spec.stages);
  const score = leaderboardScore(outcome, work.task);
  const traces = outcome.cancelled ? [] : await takeTraces(run, result);
  const configuration = work.secret
    ? null
    : configurationHash({ ...work, runnerHash: run.connection.runnerHash });
  const stored = await persist(
    () => storeJobResult(sql, lease, outcome, score, { traces, configuration }),
    run.stopping,
    log,
  );
  log.info(
    { stored, passed: outcome.passed, failure: outcome.failure?.kind, gpu: work.gpuType, mode: work.mode },
    stored ? 'job ended' : 'result dropped: it was stored before, or the lease was lost',
  );
  return stored;
}

/** How long a box that went away after a job may hold up the job's result for what was recorded there. */
const TRACES_PATIENCE_MS = 60_000;

async function takeTraces(run: Run, result: JobResult): Promise<Trace[]> {
  const deadline = Date.now() + TRACES_PATIENCE_MS;
  for (;;) {
    try {
      return await fetchTraces(run.connection, result);
    } catch (error) {
      if (!(error instanceof BoxError) || run.stopping.aborted) throw error;
      run.log.warn({ error }, 'recordings not fetched yet');
      if (Date.now() > deadline) return [];
      await delay(REATTACH_PAUSE_MS, undefined, { signal: run.stopping });
    }
  }
}

const REATTACH_PAUSE_MS = 2000;
/** Beyond the job's own limits: time for a box to come back and for its supervisor to clean up. */
const GRACE_MS = 120_000;
/** How long a cluster that is out of reach may keep a job that has not begun: its queue has no limit of its own. */
const CLUSTER_QUEUE_MS = 24 * 3600_000;

/**
 * Runs the job, attaching again for as long as it may be alive: a job on a box that went away is not started elsewhere
 * before its own time limits have certainly ended it.
 */
async function runToItsEnd(run: Run, spec: JobSpec, work: JobWork): Promise<JobResult> {
  const { connection, lease, log, stopping } = run;
  const progress = new ProgressWriter(run.sql, lease, log);
  const longestMs = longestRunMs(spec) + GRACE_MS;
  const isCluster = connection.box.kind === 'slurm';
  let deadline = Date.now() + longestMs + (isCluster ? CLUSTER_QUEUE_MS : 0);
  for (;;) {
    try {
      return await runOnBox(connection, spec, {
        seed: work.seed,
        archive: work.archive,
        signal: run.cancel.signal,
        onEvent: (event) => {
          if (isCluster && event.type === 'started') deadline = Date.now() + longestMs;
          progress.take(event);
        },
      });
    } catch (error) {
      if (!mayBeAlive(error, lease) || stopping.aborted || Date.now() > deadline) throw error;
      log.warn({ error }, 'box lost in mid-job: waiting for it');
      await delay(REATTACH_PAUSE_MS, undefined, { signal: stopping });
    } finally {
      await progress.flush();
    }
  }
}

/** What keeps us from asking the box. */
const outOfReach: BoxErrorKind[] = [
  'unreachable',
  'channel-lost',
  'auth-refused',
  'host-key-changed',
  'cluster-away',
];

function mayBeAlive(error: unknown, lease: Lease): boolean {
  if (error instanceof JobMayStillRun) return true;
  // A job that was taken over was started in an earlier life, whatever this call could find out.
  return lease.takenOver && error instanceof BoxError && outOfReach.includes(error.kind);
}

function longestRunMs(spec: JobSpec): number {
  const preparation = (spec.warmup?.timeout_s ?? 0) + (spec.build?.timeout_s ?? 0);
  // A profile may be tried twice, with the box's profiler and without.
  const tries = (stage: StageSpec) => (stage.mode === 'profile' ? 2 : 1);
  return spec.stages.reduce((sum, stage) => sum + tries(stage) * stage.timeout_s, preparation) * 1000;
}

/** False when the lease was lost. */
async function handleBoxError(run: Run, work: JobWork, error: BoxError): Promise<boolean> {
  const { sql, lease, log } = run;
  const { kind, message } = error;
  // What is for this box alone asks how the box does: that it failed is the answer.
  const delayMs = work.pinned ? null : retryDelayMs(kind, work.failures);
  log.warn(
    { error, attempt: lease.attempt, failures: work.failures + 1, delayMs },
    'the box failed, not the code',
  );
  return persist(
    () =>
      delayMs === null
        ? storeBoxFailure(sql, lease, { kind, message })
        : requeueJob(sql, lease, { kind, message, delayMs }),
    run.stopping,
    log,
  );
}
