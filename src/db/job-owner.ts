/**
 * Whose jobs they are: a submission's own, or those of a rejudge beside them. What follows from the end of a job goes to
 * its owner alone, so that a rejudge changes nothing of a submission before it is applied.
 */
import type { Db } from './client.ts';
import { lockRejudge, settleRejudged } from './rejudge-settle.ts';
import { lockSubmission, settleSubmission } from './settle.ts';

export interface JobOwner {
  submissionId: number;
  /** Null: the submission's own job. */
  rejudgeId: number | null;
}

/** Taken before the job's row: two jobs of one owner may end at the same moment. */
export async function lockOwner(tx: Db, owner: JobOwner): Promise<void> {
  if (owner.rejudgeId === null) await lockSubmission(tx, owner.submissionId);
  else await lockRejudge(tx, owner.rejudgeId);
}

export async function settleOwner(tx: Db, owner: JobOwner): Promise<void> {
  if (owner.rejudgeId === null) await settleSubmission(tx, owner.submissionId);
  else await settleRejudged(tx, owner.rejudgeId, owner.submissionId);
}
