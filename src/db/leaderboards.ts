/** Leaderboards and the task versions behind them. */
import type { Origin } from '../domain/problem-source.ts';
import { isAscending, type RankingRule, rankingRule } from '../domain/ranking-rule.ts';
import { type Task, taskDefinition } from '../domain/task.ts';
import type { Db } from './client.ts';
import type { Stage, Visibility } from './invites.ts';
import { refreshEntries } from './ranking.ts';

export interface Leaderboard {
  id: number;
  name: string;
  setName: string;
  /** In the problems folder, or wherever the set came from. */
  directory: string;
  deadline: Date | null;
  taskVersionId: number;
  /** Of the task, counted per board from 1. */
  version: number;
  scoreAscending: boolean;
  /** How it ranks; checked when it was set. */
  rule: RankingRule;
  /** What the task itself scores in: `s` for seconds. */
  taskUnit: string;
  visibility: Visibility;
  /** Whether submissions are taken, whatever the deadline says. */
  stage: Stage;
  /** What becomes of submissions after the deadline. */
  late: 'refused' | 'unofficial';
  /** The creator whose own it is; null: a set's. */
  createdBy: string | null;
  /** An organiser's deadline stands over that of the set. */
  ownDeadline: boolean;
  gpus: string[];
}

export interface LeaderboardWithTask extends Leaderboard {
  task: Task;
}

const columns = (db: Db) => db`
  l.id, l.name, l.set_name as "setName", l.directory, l.deadline, l.task_version_id as "taskVersionId",
  (select n.number from hotlap.leaderboard_versions n
   where n.leaderboard_id = l.id and n.task_version_id = l.task_version_id) as version,
  l.score_ascending as "scoreAscending", l.ranking as rule,
  (select v.score_unit from hotlap.task_versions v
   where v.id = l.task_version_id) as "taskUnit", l.visibility, l.stage, l.late, l.created_by as "createdBy",
  l.own_deadline as "ownDeadline",
  array(select g.gpu_type from hotlap.leaderboard_gpus g
        where g.leaderboard_id = l.id order by g.position) as gpus`;

/** In the order of their names. */
export async function listLeaderboards(db: Db): Promise<Leaderboard[]> {
  return db<Leaderboard[]>`select ${columns(db)} from hotlap.leaderboards l order by lower(l.name)`;
}

/** Those that a person, or nobody in particular (null), may see; by name. */
export async function listLeaderboardsFor(db: Db, userId: string | null): Promise<Leaderboard[]> {
  return db<Leaderboard[]>`
    select ${columns(db)} from hotlap.leaderboards l
    where l.visibility = 'public' or exists (
      select from hotlap.board_members m where m.leaderboard_id = l.id and m.user_id = ${userId})
    order by lower(l.name)`;
}

/** A version never changes, so that it may be kept. */
export async function loadTaskVersions(db: Db, ids: number[]): Promise<{ id: number; task: Task }[]> {
  const rows = await db<{ id: number; definition: unknown }[]>`
    select id, definition from hotlap.task_versions where id = any(${ids})`;
  return rows.map((row) => ({ id: row.id, task: taskDefinition.parse(row.definition) }));
}

/** Names are compared without regard to case. */
export async function findLeaderboard(db: Db, name: string): Promise<LeaderboardWithTask | null> {
  const [row] = await db<(Leaderboard & { definition: unknown })[]>`
    select ${columns(db)}, v.definition
    from hotlap.leaderboards l join hotlap.task_versions v on v.id = l.task_version_id
    where lower(l.name) = lower(${name})`;
  if (!row) return null;
  const { definition, ...leaderboard } = row;
  return { ...leaderboard, task: taskDefinition.parse(definition) };
}

/** Whether submissions to it may be archives: boards of served models. */
export async function takesArchives(db: Db, id: number): Promise<boolean> {
  const [row] = await db<{ takes: boolean }[]>`
    select v.definition -> 'serving' is not null as takes
    from hotlap.leaderboards l join hotlap.task_versions v on v.id = l.task_version_id where l.id = ${id}`;
  return row?.takes ?? false;
}

/** Until the end of the transaction: two processes may start at once, and the second finds everything unchanged. */
export async function lockProblemSync(tx: Db): Promise<void> {
  await tx`select pg_advisory_xact_lock(hashtextextended('problems-sync', 0))`;
}

/** Stores a definition under its hash, once. Returns the version's id. */
export async function storeTaskVersion(db: Db, hash: string, task: Task): Promise<number> {
  await db`
    insert into hotlap.task_versions (content_hash, definition) values (${hash}, ${db.json(task)})
    on conflict (content_hash) do nothing`;
  const [row] = await db<{ id: number }[]>`
    select id from hotlap.task_versions where content_hash = ${hash}`;
  if (!row) throw new Error('the task version that was just stored is not there');
  return row.id;
}

/** Creates the leaderboard or brings it up to date; says which, so that sync can report it. */
export async function saveLeaderboard(
  db: Db,
  board: {
    name: string;
    setName: string;
    directory: string;
    deadline: Date | null;
    taskVersionId: number;
    scoreAscending: boolean;
    gpus: string[];
    /** Left out: the problems folder. */
    origin?: Origin;
  },
): Promise<{ id: number; change: 'created' | 'updated' | 'unchanged' }> {
  const [known] = await db<({ id: number; ranking: unknown } & Record<string, unknown>)[]>`
    select l.id, l.ranking, l.name, l.set_name, l.directory, l.set_deadline as deadline, l.task_version_id,
      l.score_ascending,
      array(select g.gpu_type from hotlap.leaderboard_gpus g
            where g.leaderboard_id = l.id order by g.position) as gpus
    from hotlap.leaderboards l where lower(l.name) = lower(${board.name}) for update`;
  const { id = null, ranking, ...before } = known ?? { id: null, ranking: {} };
  // A rule may say something else than the task.
  const rule = rankingRule.parse(ranking);
  const scoreAscending = isAscending(rule, board);
  const wanted = {
    name: board.name,
    set_name: board.setName,
    directory: board.directory,
    deadline: board.deadline,
    task_version_id: board.taskVersionId,
    score_ascending: scoreAscending,
    gpus: board.gpus,
  };
  const origin = db.json({ ...(board.origin ?? { kind: 'directory' }) });
  if (id !== null && JSON.stringify(before) === JSON.stringify(wanted)) {
    await db`update hotlap.leaderboards set origin = ${origin} where id = ${id} and origin <> ${origin}`;
    return { id, change: 'unchanged' };
  }

  const [row] = await db<{ id: number }[]>`
    insert into hotlap.leaderboards
      (name, set_name, directory, deadline, set_deadline, task_version_id, score_ascending, origin)
    values (${board.name}, ${board.setName}, ${board.directory}, ${board.deadline}, ${board.deadline},
      ${board.taskVersionId}, ${scoreAscending}, ${origin})
    on conflict (lower(name)) do update set
      name = excluded.name, set_name = excluded.set_name, directory = excluded.directory,
      set_deadline = excluded.set_deadline,
      deadline = case when leaderboards.own_deadline then leaderboards.deadline else excluded.deadline end,
      task_version_id = excluded.task_version_id, score_ascending = excluded.score_ascending, origin = excluded.origin,
      updated_at = now()
    returning id`;
  if (!row) throw new Error('saving a leaderboard returned no row');
  await db`
    insert into hotlap.leaderboard_versions (leaderboard_id, number, task_version_id)
    select ${row.id}, coalesce(max(number), 0) + 1, ${board.taskVersionId}
    from hotlap.leaderboard_versions where leaderboard_id = ${row.id}
    on conflict (leaderboard_id, task_version_id) do nothing`;
  await db`delete from hotlap.leaderboard_gpus where leaderboard_id = ${row.id} and gpu_type <> all(${board.gpus})`;
  for (const [position, gpu] of board.gpus.entries()) {
    await db`
      insert into hotlap.leaderboard_gpus (leaderboard_id, gpu_type, position) values (${row.id}, ${gpu}, ${position})
      on conflict (leaderboard_id, gpu_type) do update set position = excluded.position`;
  }
  // Better means something else now; or benchmarks, or the end of the windows, are others.
  const isPlain = Object.keys(rule).every((key) => key === 'score' || key === 'minimumRuns');
  if (known && (known.score_ascending !== scoreAscending || !isPlain))
    await refreshEntries(db, { leaderboardId: row.id, gpuTypes: null, userIds: null });
  return { id: row.id, change: known ? 'updated' : 'created' };
}
