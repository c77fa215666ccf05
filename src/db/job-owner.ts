/**
 * Whose jobs they are: a submission's own, those of a rejudge beside them, or repetitions of its measurement. What follows
 * from the end of a job goes to its owner alone, so that a rejudge changes nothing of a submission before it is applied,
 * and a repetition never does.
 */
import type { Db } from './client.ts';
import { lockRejudge, settleRejudged } from './rejudge-settle.ts';
import { settleRemeasured } from './remeasure.ts';
import { lockSubmission, settleSubmission } from './settle.ts';

export interface JobOwner {
  jobId: number;
  submissionId: number;
  /** Null: the submission's own job. */
  rejudgeId: number | null;
  /** Which repetition it is; null: none. */
  remeasure: number | null;
}

/** Taken before the job's row: two jobs of one owner may end at the same moment. */
export async function lockOwner(tx: Db, owner: JobOwner): Promise<void> {
  if (owner.rejudgeId === null) await lockSubmission(tx, owner.submissionId);
  else await lockRejudge(tx, owner.rejudgeId);
}

export async function settleOwner(tx: Db, owner: JobOwner): Promise<void> {
  if (owner.remeasure !== null) await settleRemeasured(tx, owner.jobId);
  else if (owner.rejudgeId === null) await settleSubmission(tx, owner.submissionId);
  else await settleRejudged(tx, owner.rejudgeId, owner.submissionId);
}
