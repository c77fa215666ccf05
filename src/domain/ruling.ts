/** That an organiser took a submission out of the rankings, what its owner says to it, and what became of it. */

export const rulingEvents = ['invalidated', 'answered', 'restored'] as const;
export type RulingEvent = (typeof rulingEvents)[number];

export const MAX_APPEAL_CHARS = 1000;

export interface Ruling {
  id: number;
  submissionId: number;
  userId: string;
  userName: string;
  leaderboard: string;
  fileName: string;
  reason: string;
  /** Its file's name; null: words alone. */
  evidenceName: string | null;
  madeBy: string;
  madeAt: Date;
  appeal: string | null;
  appealedAt: Date | null;
  answer: string | null;
  answeredAt: Date | null;
  restoredAt: Date | null;
  restoreReason: string | null;
}

/** Once, and only while it is in force. */
export function mayAppeal(ruling: Pick<Ruling, 'appealedAt' | 'restoredAt'>): boolean {
  return ruling.appealedAt === null && ruling.restoredAt === null;
}
