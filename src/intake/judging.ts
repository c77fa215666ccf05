/**
 * Human scores, from the wish to the board. Who judges is whom the door has made sure of, never a name in the request:
 * nobody scores under another's.
 */
import type { ChangeRecord } from '../db/audit.ts';
import type { Db, Sql } from '../db/client.ts';
import { findScoredSubmission, findSharedTeam, type ScoredSubmission, storeReview } from '../db/reviews.ts';
import { saveUser } from '../db/users.ts';
import { UserError } from '../domain/errors.ts';
import { type RankingRule, rankingRule, type Scorer } from '../domain/ranking-rule.ts';

const MAX_REASON_CHARS = 1000;

export interface Judgement {
  submissionId: number;
  scorer: string;
  /** 0 to 1. */
  value: number;
  reason: string;
}

/** A submission that judges may score, and by what. */
export interface Judged {
  submission: ScoredSubmission;
  scorers: Scorer[];
}

/** @throws UserError where it cannot be scored, now or at all */
export async function getJudged(db: Db, submissionId: number): Promise<Judged> {
  const submission = await findScoredSubmission(db, submissionId);
  if (!submission) throw new UserError('nothing-to-judge', { id: submissionId });
  const scorers = scorersOf(rankingRule.parse(submission.ranking), submission.leaderboard);
  const finished = ['done', 'failed'].includes(submission.status);
  if (submission.mode !== 'leaderboard' || !finished)
    throw new UserError('not-to-judge', { id: submissionId, status: submission.status });
  return { submission, scorers };
}

/** @throws UserError where judges give no scores */
export function scorersOf(rule: RankingRule, leaderboard: string): Scorer[] {
  if (!rule.scorers) throw new UserError('no-scorers', { leaderboard });
  return rule.scorers;
}

/** Stores the score in place of the judge's earlier one, which is kept as a revision. */
export async function judgeSubmission(
  sql: Sql,
  judgement: Judgement,
  judge: { id: string; name: string },
  record?: ChangeRecord,
): Promise<Judged & { replaced: number | null }> {
  const judged = await getJudged(sql, judgement.submissionId);
  const { submission, scorers } = judged;
  const scorer = scorers.find((item) => item.name === judgement.scorer.trim().toLowerCase());
  if (!scorer) {
    const known = scorers.map((item) => item.name).join(', ');
    throw new UserError('unknown-scorer', {
      scorer: judgement.scorer,
      leaderboard: submission.leaderboard,
      scorers: known,
    });
  }
  // A comparison that NaN fails as well.
  if (!(judgement.value >= 0 && judgement.value <= 1))
    throw new UserError('score-range', { value: judgement.value });
  const reason = judgement.reason.replaceAll('\u0000', '').toWellFormed().trim();
  if (reason === '' || reason.length > MAX_REASON_CHARS)
    throw new UserError('score-reason', { limit: MAX_REASON_CHARS });
  if (judge.id === submission.userId) throw new UserError('own-submission', { id: submission.id });
  const team = await findSharedTeam(sql, submission.leaderboardId, judge.id, submission.userId);
  if (team !== null) throw new UserError('team-submission', { id: submission.id, team });
  await saveUser(sql, judge);
  const review = {
    submissionId: submission.id,
    scorer: scorer.name,
    judgeId: judge.id,
    value: judgement.value,
    reason,
  };
  const { replaced } = await storeReview(sql, review, record);
  return { ...judged, replaced };
}
