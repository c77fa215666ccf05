/** Runs without a board: answers that are known already, and how runs for one box are doing. */
import type { VerifyFacts } from '../domain/verify.ts';
import type { Db } from './client.ts';

export interface StoredRun {
  id: number;
  finishedAt: Date;
}

/**
 * The newest run of this configuration (domain/run-configuration.ts) that ended by its own doing, passed or not; `boxId`:
 * on that box alone.
 */
export async function findStoredRun(
  db: Db,
  configuration: string,
  boxId: number | null,
): Promise<StoredRun | null> {
  const [row] = await db<StoredRun[]>`
    select j.submission_id as id, j.finished_at as "finishedAt"
    from hotlap.jobs j
    where j.configuration = ${configuration} and j.status = 'finished'
      and (${boxId}::bigint is null or j.box_id = ${boxId})
    order by j.finished_at desc, j.id desc limit 1`;
  return row ?? null;
}

/** Of runs that are for one box each, by their numbers. */
export async function listVerifyFacts(db: Db, runIds: number[]): Promise<VerifyFacts[]> {
  return db<VerifyFacts[]>`
    select j.submission_id as "runId", b.state as "boxState", b.problem as "boxProblem", j.status, j.passed, j.failure,
      j.box_error as "boxError", j.progress, j.started_at as "startedAt", j.finished_at as "finishedAt",
      coalesce((
        select r.result from hotlap.runs r where r.job_id = j.id order by r.id desc limit 1), '[]') as result
    from hotlap.jobs j join hotlap.boxes b on b.id = j.only_box_id
    where j.submission_id = any(${runIds}) order by j.id`;
}
