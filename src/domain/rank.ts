/**
 * Who is ranked: the rule for one submission on one GPU type (architecture, section 5).
 *
 * What entries score by a board's rule and their order is SQL's business (migration 0010, db/board.ts); this file decides
 * whether there can be an entry, and says why when there is none.
 */
import { notRanked, type ReasonCode, reasons } from './not-ranked.ts';
import { type Failure, type FailureKind, failureKinds } from './stage-failure.ts';

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

/** The causes of failing runs without the stage, as short as a heading needs them. */
export const failureLabels = Object.fromEntries(
  failureKinds.map((kind) => [kind, reasons[kind].cause.replace(' ({stage})', '')]),
) as Record<FailureKind, string>;

/** Zero, negative and endless values never rank, whatever is measured. */
export function isRankable(score: number | null): score is number {
  return score !== null && Number.isFinite(score) && score > 0;
}

/**
 * Both jobs must have passed, and both with a score; the secret run's failure is told without its details. Outside
 * ranked mode there is no secret job (null): such a submission is never eligible, but has a reason when it failed.
 */
export function standingOf(publicJob: JobStanding, secretJob: JobStanding | null): Standing {
  const scores = { publicScore: publicJob.score, secretScore: secretJob?.score ?? null };
  const unranked = (reason: string | null): Standing => ({ ...scores, eligible: false, reason });
  const because = (code: ReasonCode) => unranked(notRanked(code).cause);

  if (publicJob.state === 'failed') {
    const failure = publicJob.failure;
    if (!failure) return because('public-failed');
    return unranked(notRanked(failure.kind, { stage: failure.stage }).cause);
  }
  const states = [publicJob.state, secretJob?.state];
  if (states.includes('our-fault')) return because('our-fault');
  if (states.includes('cancelled')) return because('cancelled');
  if (secretJob?.state === 'failed') return because('secret-failed');
  if (secretJob === null || states.includes('open')) return unranked(null);
  if (publicJob.score === null || secretJob.score === null) return because('no-score');
  if (!isRankable(publicJob.score) || !isRankable(secretJob.score)) return because('not-positive');
  return { ...scores, eligible: true, reason: null };
}
