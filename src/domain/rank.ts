/**
 * Who is ranked: the rule for one submission on one GPU type (architecture, section 5).
 *
 * The order among eligible entries is SQL's business (db/board.ts); this file decides whether there is an entry, and
 * says why when there is none.
 */
import type { Failure, FailureKind } from './stage-failure.ts';

/** How one of the two jobs of a ranked submission stands. */
export interface JobStanding {
  state: 'open' | 'passed' | 'failed' | 'our-fault' | 'cancelled';
  score: number | null;
  failure: Pick<Failure, 'kind' | 'stage'> | null;
}

export interface Standing {
  publicScore: number | null;
  secretScore: number | null;
  eligible: boolean;
  /** A sentence without anything secret; null while open or when eligible. */
  reason: string | null;
}

export const failureLabels: Record<FailureKind, string> = {
  syntax: 'does not compile',
  wrong: 'wrong result',
  crash: 'crashed',
  timeout: 'timed out',
  flood: 'wrote too much',
  malformed: 'results not credible',
};

/**
 * Both jobs must have passed, and both with a score; the secret run's failure is told without its details. Outside
 * ranked mode there is no secret job (null): such a submission is never eligible, but has a reason when it failed.
 */
export function standingOf(publicJob: JobStanding, secretJob: JobStanding | null): Standing {
  const scores = { publicScore: publicJob.score, secretScore: secretJob?.score ?? null };
  const unranked = (reason: string | null): Standing => ({ ...scores, eligible: false, reason });

  if (publicJob.state === 'failed') {
    const failure = publicJob.failure;
    return unranked(failure ? `${failureLabels[failure.kind]} (${failure.stage})` : 'the public run failed');
  }
  const states = [publicJob.state, secretJob?.state];
  if (states.includes('our-fault')) return unranked('the box failed, not the code');
  if (states.includes('cancelled')) return unranked('cancelled');
  if (secretJob?.state === 'failed') return unranked('the secret run failed');
  if (secretJob === null || states.includes('open')) return unranked(null);
  if (publicJob.score === null || secretJob.score === null) return unranked('the run gave no score');
  return { ...scores, eligible: true, reason: null };
}
