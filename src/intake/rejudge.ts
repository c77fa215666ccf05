/**
 * Judging submissions again, from the wish to the board: plan, start, look, then apply or cancel. Whatever door asks,
 * it is these functions; each throws UserError with what to do.
 */
import type { ChangeRecord } from '../db/audit.ts';
import type { Db, Sql } from '../db/client.ts';
import { findLeaderboard, listLeaderboards } from '../db/leaderboards.ts';
import { applyRejudge, listAppliedPlaces, previewRejudge } from '../db/rejudge-apply.ts';
import {
  cancelRejudge,
  estimateRejudgeSeconds,
  findRejudge,
  listRejudgeEntries,
  planRejudge,
  startRejudge,
} from '../db/rejudges.ts';
import { UserError } from '../domain/errors.ts';
import { parseSince } from '../domain/moment.ts';
import {
  type PlaceChange,
  type RejudgeEntry,
  type RejudgeScope,
  type RejudgeView,
  scopeText,
} from '../domain/rejudge.ts';

/** What a person asked for; null where they named nothing. At most one of the first three. */
export interface RejudgeWish {
  leaderboard: string;
  top: number | null;
  userId: string | null;
  /** `24h`, `3d` or `2026-11-20 18:00`, in UTC. */
  since: string | null;
  outdatedOnly: boolean;
}

/** Stores the choice without running anything, and returns its number. `by`: the account that asks. */
export async function requestRejudge(
  sql: Sql,
  wish: RejudgeWish,
  by: string,
  record?: ChangeRecord,
): Promise<number> {
  const scope = chooseScope(wish, new Date());
  const board = await findLeaderboard(sql, wish.leaderboard);
  if (!board) {
    const open = (await listLeaderboards(sql)).map((item) => item.name).join(', ') || 'none';
    throw new UserError('unknown-leaderboard', { leaderboard: wish.leaderboard, open });
  }
  const planned = await planRejudge(
    sql,
    { leaderboardId: board.id, scope, requestedBy: by },
    async (tx, id) => record?.note(tx, { subject: `rejudge ${id}`, after: { ...wish } }),
  );
  if (planned === null) {
    const text = scopeText(scope, () => 'that user');
    throw new UserError('rejudge-empty', { leaderboard: board.name, scope: text });
  }
  if ('open' in planned) throw new UserError('rejudge-open', { id: planned.open, leaderboard: board.name });
  return planned.id;
}

/** Puts the jobs of a planned rejudge at the end of the queue. */
export async function beginRejudge(sql: Sql, id: number, record?: ChangeRecord): Promise<void> {
  const rejudge = await getRejudge(sql, id);
  if (!(await startRejudge(sql, id, record)))
    throw new UserError('rejudge-state', { id, status: rejudge.status, action: 'started' });
}

export interface RejudgeReport {
  rejudge: RejudgeView;
  /** The boards concerned, before and after. While it runs: with the verdicts so far. */
  changes: PlaceChange[];
  /** Secret scores are in here: for organisers alone. */
  entries: RejudgeEntry[];
  estimateSeconds: number | null;
}

export async function rejudgeReport(sql: Sql, id: number): Promise<RejudgeReport> {
  const rejudge = await getRejudge(sql, id);
  const isPlanned = rejudge.status === 'planned';
  const [changes, entries, estimateSeconds] = await Promise.all([
    loadChanges(sql, rejudge),
    listRejudgeEntries(sql, id),
    isPlanned ? estimateRejudgeSeconds(sql, id) : null,
  ]);
  return { rejudge, changes, entries, estimateSeconds };
}

async function loadChanges(sql: Sql, rejudge: RejudgeView): Promise<PlaceChange[]> {
  switch (rejudge.status) {
    case 'planned':
      return [];
    case 'running':
    case 'ready':
      return (await previewRejudge(sql, rejudge.id)) ?? [];
    case 'applied':
      return listAppliedPlaces(sql, rejudge.id);
    // Not stored, and the board has moved on since: only the verdicts are left to look at.
    case 'cancelled':
      return [];
  }
}

/** Makes the new verdicts the board's, in one transaction. */
export async function confirmRejudge(sql: Sql, id: number, by: string, record?: ChangeRecord): Promise<void> {
  const rejudge = await getRejudge(sql, id);
  if (rejudge.status === 'ready' && (await applyRejudge(sql, id, by, record))) return;
  const now = await getRejudge(sql, id);
  const { leaderboard, version, status } = now;
  if (status === 'ready') throw new UserError('rejudge-outdated', { id, leaderboard, version });
  throw new UserError('rejudge-state', { id, status, action: 'applied' });
}

/** Leaves the board as it is. What still runs is ended; the verdicts so far stay readable. */
export async function dropRejudge(sql: Sql, id: number, by: string, record?: ChangeRecord): Promise<void> {
  const { status } = await getRejudge(sql, id);
  if (!(await cancelRejudge(sql, id, by, record)))
    throw new UserError('rejudge-state', { id, status, action: 'cancelled' });
}

async function getRejudge(db: Db, id: number): Promise<RejudgeView> {
  const rejudge = await findRejudge(db, id);
  if (!rejudge) throw new UserError('unknown-rejudge', { id });
  return rejudge;
}

function chooseScope(wish: RejudgeWish, now: Date): RejudgeScope {
  const { top, userId, since, outdatedOnly } = wish;
  if ([top, userId, since].filter((value) => value !== null).length > 1)
    throw new UserError('rejudge-two-scopes');
  if (top !== null) return { kind: 'top', count: top, outdatedOnly };
  if (userId !== null) return { kind: 'user', userId, outdatedOnly };
  if (since === null) return { kind: 'all', outdatedOnly };
  const at = parseSince(since, now);
  if (at === null || at > now) throw new UserError('bad-since', { since });
  return { kind: 'since', at: at.toISOString(), outdatedOnly };
}
