/**
 * Storing what came of a job, and what follows from it, in one transaction: runs, per-GPU scores, best entries, the
 * submission's status, and the messages that are now owed.
 */
import type { BoxErrorKind } from '../domain/box-error.ts';
import type { Outcome } from '../domain/outcome.ts';
import type { Db, Sql } from './client.ts';
import { lockOwner, settleOwner } from './job-owner.ts';
import { endAttempt, type Lease } from './jobs.ts';
import { insertMeasurement } from './measurements.ts';
import { insertTraces } from './traces.ts';

/** leased | running -> finished. False when the lease was lost: somebody else stores, or has stored, this result. */
export async function storeJobResult(
  sql: Sql,
  held: Lease,
  outcome: Outcome,
  score: number | null,
  also: {
    traces?: { stage: string; content: Buffer }[];
    /** Of a public run (domain/run-configuration.ts). */
    configuration?: string | null;
  } = {},
): Promise<boolean> {
  return sql.begin(async (tx) => {
    await lockOwner(tx, held);
    const [job] = await tx<{ gpuType: string; secret: boolean }[]>`
      update hotlap.jobs set
        status = ${outcome.cancelled ? 'cancelled' : 'finished'}, passed = ${outcome.passed},
        failure = ${outcome.failure ? tx.json({ ...outcome.failure }) : null}, score = ${score},
        configuration = ${also.configuration ?? null}, finished_at = now(), lease_token = null, lease_expires_at = null,
        box_error = null
      where id = ${held.jobId} and lease_token = ${held.token} and status in ('leased', 'running')
      returning gpu_type as "gpuType", secret`;
    if (!job) return false;
    // The runs of a repetition would stand beside those that count wherever runs are read.
    if (held.remeasure === null) {
      await insertRuns(tx, held, job, outcome, score);
      await insertTraces(tx, held, job.gpuType, also.traces ?? []);
    }
    if (!outcome.cancelled) await insertMeasurement(tx, held.jobId, outcome, score);
    await endAttempt(tx, held, outcome.cancelled ? 'cancelled' : 'finished');
    await settleOwner(tx, held);
    return true;
  });
}

/** leased | running -> cancelled, for a job that no box knows. False when the lease was lost. */
export async function storeJobCancelled(sql: Sql, held: Lease): Promise<boolean> {
  return sql.begin(async (tx) => {
    await lockOwner(tx, held);
    const rows = await tx`
      update hotlap.jobs set
        status = 'cancelled', finished_at = now(), lease_token = null, lease_expires_at = null
      where id = ${held.jobId} and lease_token = ${held.token} and status in ('leased', 'running') returning id`;
    if (rows.length === 0) return false;
    await endAttempt(tx, held, 'cancelled');
    await settleOwner(tx, held);
    return true;
  });
}

/** leased | running -> failed: our fault, after the last attempt. False when the lease was lost. */
export async function storeBoxFailure(
  sql: Sql,
  held: Lease,
  why: { kind: BoxErrorKind; message: string },
): Promise<boolean> {
  return sql.begin(async (tx) => {
    await lockOwner(tx, held);
    const rows = await tx`
      update hotlap.jobs set
        status = 'failed', finished_at = now(), lease_token = null, lease_expires_at = null,
        failures = failures + 1, box_error = ${`${why.kind}: ${why.message}`}
      where id = ${held.jobId} and lease_token = ${held.token} and status in ('leased', 'running') returning id`;
    if (rows.length === 0) return false;
    await endAttempt(tx, held, why.kind);
    await settleOwner(tx, held);
    return true;
  });
}

async function insertRuns(
  tx: Db,
  held: Lease,
  job: { gpuType: string; secret: boolean },
  outcome: Outcome,
  score: number | null,
): Promise<void> {
  for (const stage of outcome.stages) {
    await tx`
      insert into hotlap.runs (job_id, submission_id, gpu_type, box_id, secret, stage, mode, passed, score,
        started_at, finished_at, exit_code, failure, compilation, warmup, profile, result, stdout, stderr, system, sandbox)
      values (${held.jobId}, ${held.submissionId}, ${job.gpuType}, ${held.boxId}, ${job.secret}, ${stage.name},
        ${stage.mode}, ${stage.passed}, ${stage.mode === 'leaderboard' && stage.passed ? score : null},
        ${stage.startedAt}, ${stage.finishedAt}, ${stage.exitCode},
        ${stage.failure ? tx.json({ ...stage.failure }) : null},
        ${stage.compilation ? tx.json({ ...stage.compilation }) : null},
        ${stage.warmup ? tx.json({ ...stage.warmup }) : null},
        ${stage.profile ? tx.json({ ...stage.profile }) : null}, ${tx.json(stage.lines)},
        ${stage.stdout}, ${stage.stderr}, ${tx.json(outcome.system)}, ${outcome.sandbox})`;
  }
}
