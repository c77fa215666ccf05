/** Judging submissions again: what people decide about. */

export type RejudgeStatus = 'planned' | 'running' | 'ready' | 'applied' | 'cancelled';

/** Which ranked submissions of a board; `outdatedOnly` leaves out what its present version has judged already. */
export type RejudgeScope = { outdatedOnly: boolean } & (
  | { kind: 'all' }
  /** The first places of each GPU type. */
  | { kind: 'top'; count: number }
  | { kind: 'user'; userId: string }
  /** Sent at that time (ISO 8601) or later. */
  | { kind: 'since'; at: string }
);

export interface RejudgeView {
  id: number;
  leaderboardId: number;
  leaderboard: string;
  status: RejudgeStatus;
  scope: RejudgeScope;
  /** The board's version that it judges by. */
  version: number;
  /** False once the board's task judges by something else. */
  isCurrent: boolean;
  requestedBy: string;
  endedBy: string | null;
  createdAt: Date;
  startedAt: Date | null;
  readyAt: Date | null;
  endedAt: Date | null;
  submissions: number;
  /** Pairs of submission and GPU type. */
  entries: number;
  /** Entries with a new verdict. */
  judged: number;
  jobs: number;
  openJobs: number;
}

export interface Place {
  submissionId: number;
  score: number;
  rank: number;
}

/** One person on one board, before and after. Null: not ranked. */
export interface PlaceChange {
  gpuType: string;
  userId: string;
  userName: string;
  before: Place | null;
  after: Place | null;
}

export interface Verdict {
  publicScore: number | null;
  secretScore: number | null;
  eligible: boolean;
  reason: string | null;
}

/** One submission on one GPU type. Holds secret scores: for organisers alone. */
export interface RejudgeEntry {
  submissionId: number;
  userId: string;
  userName: string;
  gpuType: string;
  before: Verdict;
  /** Null while open, and where the box failed: then what was before stays. */
  after: Verdict | null;
  open: boolean;
}

/** Whether anybody would see a difference: another place, another score, another submission. */
export function isChange(place: PlaceChange): boolean {
  const { before, after } = place;
  return (
    before?.rank !== after?.rank ||
    before?.score !== after?.score ||
    before?.submissionId !== after?.submissionId
  );
}

/** Whether the order changes for this person. */
export function movesRank(place: PlaceChange): boolean {
  return place.before?.rank !== place.after?.rank;
}

/** `all ranked submissions`, `the first 10 of each GPU type`: for people. `user` turns an id into what they read. */
export function scopeText(scope: RejudgeScope, user: (userId: string) => string): string {
  const rest = scope.outdatedOnly ? ' that an earlier version has judged' : '';
  switch (scope.kind) {
    case 'all':
      return `all ranked submissions${rest}`;
    case 'top':
      return `the first ${scope.count} of each GPU type${rest}`;
    case 'user':
      return `the ranked submissions of ${user(scope.userId)}${rest}`;
    case 'since':
      return `the ranked submissions since ${scope.at.slice(0, 16).replace('T', ' ')} UTC${rest}`;
  }
}
