/**
 * From a place that problems come from to a plan of what bringing them into the database would change.
 *
 * Planning writes nothing. A person reads the plan and confirms it; `applySync` then carries out exactly what was shown,
 * or, where a board has changed in the meantime, nothing of its set.
 */
import { createHash } from 'node:crypto';
import {
  type BoardState,
  countRankedSubmissions,
  listBoardNames,
  listBoardStates,
} from '../db/board-states.ts';
import type { Db } from '../db/client.ts';
import { type Commit, type Origin, originText, type ProblemSource } from '../domain/problem-source.ts';
import type { PlannedProblem, SyncPlan } from '../domain/sync-plan.ts';
import { type ProblemEntry, taskHash } from '../domain/task.ts';
import { asksForRejudge, type Change, taskChanges } from '../domain/task-changes.ts';
import { type Catalog, loadCatalog } from './load.ts';
import { openSource } from './source.ts';

export interface PlanOptions {
  /** Only this set: the name of its file without `.yaml`. */
  set?: string;
}

/**
 * Reads the problems and says what applying them would do. Faulty problems are in `refused`, each with file, line and
 * what was expected; the others go on. Throws UserError where the place itself cannot be read.
 */
export async function planSync(db: Db, source: ProblemSource, options: PlanOptions = {}): Promise<SyncPlan> {
  const open = await openSource(source);
  try {
    const catalog = await loadCatalog(open.root);
    if (options.set !== undefined)
      catalog.entries = catalog.entries.filter((entry) => entry.set === options.set);
    return await planCatalog(db, catalog, open);
  } finally {
    await open.close();
  }
}

async function planCatalog(
  db: Db,
  catalog: Catalog,
  from: { origin: Origin; commit: Commit | null; warnings: string[] },
): Promise<SyncPlan> {
  const problems = await planEntries(db, catalog.entries, from.origin);
  const marks = problems.map((problem) => problem.fingerprint);
  return {
    origin: from.origin,
    commit: from.commit,
    problems,
    refused: catalog.faults,
    warnings: [...from.warnings, ...catalog.warnings],
    gone: await goneBoards(db, catalog, from.origin),
    kept: [],
    fingerprint: hashOf(marks.sort()),
  };
}

/** In the order of the entries. */
export async function planEntries(
  db: Db,
  entries: ProblemEntry[],
  origin: Origin,
): Promise<PlannedProblem[]> {
  const names = entries.map((entry) => entry.leaderboard);
  const states = new Map(
    (await listBoardStates(db, names)).map((state) => [state.name.toLowerCase(), state]),
  );
  const planned: PlannedProblem[] = [];
  for (const entry of entries) {
    const state = states.get(entry.leaderboard.toLowerCase());
    planned.push(state ? await planChange(db, entry, state, origin) : planCreation(entry, origin));
  }
  return planned;
}

function planCreation(entry: ProblemEntry, origin: Origin): PlannedProblem {
  return {
    entry,
    change: 'created',
    changes: [],
    asksForRejudge: false,
    versionBefore: null,
    versionAfter: 1,
    keptTaskVersionId: null,
    ranked: 0,
    fingerprint: fingerprint(entry, origin, null),
  };
}

async function planChange(
  db: Db,
  entry: ProblemEntry,
  state: BoardState,
  origin: Origin,
): Promise<PlannedProblem> {
  const changes = [...boardChanges(state, entry, origin), ...taskChanges(state.task, entry.task)];
  const known = state.versions.find((version) => version.hash === taskHash(entry.task));
  const isNewTask = taskHash(state.task) !== taskHash(entry.task);
  const newest = Math.max(...state.versions.map((version) => version.number));
  return {
    entry,
    change: changes.length > 0 ? 'changed' : 'unchanged',
    changes,
    asksForRejudge: asksForRejudge(changes),
    versionBefore: state.version,
    versionAfter: isNewTask ? (known?.number ?? newest + 1) : state.version,
    keptTaskVersionId: isNewTask ? null : state.taskVersionId,
    ranked: changes.length > 0 ? await countRankedSubmissions(db, state.id) : 0,
    fingerprint: fingerprint(entry, origin, state),
  };
}

/** What the set file says of a board, and where it comes from: all of it counts at once. */
function boardChanges(state: BoardState, entry: ProblemEntry, origin: Origin): Change[] {
  const deadline = (date: Date | null) => (date === null ? 'none' : deadlineText(date));
  const parts: [string, string, string][] = [
    ['name', state.name, entry.leaderboard],
    ['set', state.setName, entry.set],
    ['directory', state.directory, entry.directory],
    ['from', originText(state.origin), originText(origin)],
    ['deadline', deadline(state.deadline), deadline(entry.deadline)],
    ['gpus', state.gpus.join(', '), entry.gpus.join(', ')],
  ];
  return parts.flatMap(([key, before, after]) =>
    before === after ? [] : [{ key, effect: 'at-once', before, after, diff: null } as const],
  );
}

function deadlineText(date: Date): string {
  return `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** Boards of these sets that no problem stands behind any more; a faulty problem may be one of them. */
async function goneBoards(db: Db, catalog: Catalog, origin: Origin): Promise<string[]> {
  if (catalog.faults.length > 0) return [];
  const sets = [...new Set(catalog.entries.map((entry) => entry.set))];
  const present = new Set(catalog.entries.map((entry) => entry.leaderboard.toLowerCase()));
  return (await listBoardNames(db, sets, origin.kind)).filter((name) => !present.has(name.toLowerCase()));
}

/** What would be written, and over what. */
function fingerprint(entry: ProblemEntry, origin: Origin, state: BoardState | null): string {
  const { task, ...board } = entry;
  const before = state && [
    ...[state.name, state.setName, state.directory, state.deadline, state.gpus],
    ...[state.taskVersionId, originText(state.origin)],
  ];
  return hashOf([board, taskHash(task), originText(origin), before]);
}

function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
