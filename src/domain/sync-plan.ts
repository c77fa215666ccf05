/**
 * What bringing problems into the database would do, before it is done: pure data that a person reads and confirms.
 * `catalog/plan.ts` makes it and `catalog/apply.ts` carries it out.
 */
import type { ChangeNote } from './audit.ts';
import { type Commit, type Origin, originText } from './problem-source.ts';
import type { ProblemEntry } from './task.ts';
import type { Change } from './task-changes.ts';

export interface PlannedProblem {
  entry: ProblemEntry;
  change: 'created' | 'changed' | 'unchanged';
  /** Of the board and of its task; empty unless `changed`. */
  changes: Change[];
  /** Older results are not comparable with what comes after this change. */
  asksForRejudge: boolean;
  /** The board's version now and afterwards; now is null for a new board. */
  versionBefore: number | null;
  versionAfter: number;
  /** The board's task version where its task stays the same; null where another one is to be stored. */
  keptTaskVersionId: number | null;
  /** Ranked submissions that the board has. */
  ranked: number;
  /** What it is held against when it is applied: another state of the board, another mark. */
  fingerprint: string;
}

export interface SyncPlan {
  origin: Origin;
  /** Null unless the problems come from a repository. */
  commit: Commit | null;
  problems: PlannedProblem[];
  /** What is left out, with file, line, key and what was expected. */
  refused: string[];
  warnings: string[];
  /** Boards that an earlier reading of this place made and that are no longer in it. They stay as they are. */
  gone: string[];
  /** Boards that stay as they are because they come from elsewhere: only when nobody is there to confirm. */
  kept: string[];
  /** Equal plans, equal marks: for a caller that shows a plan and applies another one of the same content later. */
  fingerprint: string;
}

export interface SyncReport {
  created: string[];
  updated: string[];
  unchanged: string[];
  /** What was left out, with file, line and what to mend. */
  refused: string[];
  warnings: string[];
  /** Boards that come from elsewhere and were left alone. */
  kept: string[];
  /** Boards whose ranked submissions were judged by what is no longer their task. */
  rejudge: { leaderboardId: number; leaderboard: string; ranked: number }[];
}

/** Only the place that it comes from is another: its content is on the board already. */
export function isMove({ changes }: PlannedProblem): boolean {
  return changes.length > 0 && changes.every((change) => change.key === 'from');
}

export function hasWork(plan: SyncPlan): boolean {
  return plan.problems.some((problem) => problem.change !== 'unchanged');
}

/** For the audit log. */
export function noteOfSync({ origin, commit }: SyncPlan, report: SyncReport): ChangeNote {
  const { created, updated, refused } = report;
  const after = { created, updated, refused: refused.length, commit: commit?.hash ?? null };
  return { subject: `problems of ${originText(origin)}`, after };
}
