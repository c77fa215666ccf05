/** Boards as a plan of what to change sees them. */
import { type Origin, originSchema } from '../domain/problem-source.ts';
import { type Task, taskDefinition } from '../domain/task.ts';
import type { Db } from './client.ts';

export interface BoardState {
  id: number;
  name: string;
  setName: string;
  directory: string;
  /** As its set says; an organiser's may stand over it. */
  deadline: Date | null;
  gpus: string[];
  origin: Origin;
  taskVersionId: number;
  task: Task;
  /** The number of the task's version. */
  version: number;
  /** All versions that it has had; `hash` is that of the task. */
  versions: { number: number; hash: string }[];
}

/** The boards of these names, upper and lower case being the same. */
export async function listBoardStates(db: Db, names: string[]): Promise<BoardState[]> {
  const rows = await db<(Omit<BoardState, 'task'> & { definition: unknown })[]>`
    select l.id, l.name, l.set_name as "setName", l.directory, l.set_deadline as deadline, l.origin,
      l.task_version_id as "taskVersionId", t.definition, n.number as version,
      array(select g.gpu_type from hotlap.leaderboard_gpus g
            where g.leaderboard_id = l.id order by g.position) as gpus,
      (select json_agg(json_build_object('number', o.number, 'hash', v.content_hash))
       from hotlap.leaderboard_versions o join hotlap.task_versions v on v.id = o.task_version_id
       where o.leaderboard_id = l.id) as versions
    from hotlap.leaderboards l
    join hotlap.task_versions t on t.id = l.task_version_id
    join hotlap.leaderboard_versions n on n.leaderboard_id = l.id and n.task_version_id = l.task_version_id
    where lower(l.name) = any(${names.map((name) => name.toLowerCase())})`;
  return rows.map(({ definition, origin, ...row }) => ({
    ...row,
    origin: originSchema.parse(origin),
    task: taskDefinition.parse(definition),
  }));
}

/** Names of the boards that these sets made when they were read from such a place. */
export async function listBoardNames(db: Db, sets: string[], kind: Origin['kind']): Promise<string[]> {
  const rows = await db<{ name: string }[]>`
    select name from hotlap.leaderboards
    where set_name = any(${sets}) and origin ->> 'kind' = ${kind} order by lower(name)`;
  return rows.map((row) => row.name);
}

/** Ranked submissions of a board that have ended: what a rejudge could take in. */
export async function countRankedSubmissions(db: Db, leaderboardId: number): Promise<number> {
  const [row] = await db<{ count: number }[]>`
    select count(*) as count from hotlap.submissions
    where leaderboard_id = ${leaderboardId} and mode = 'leaderboard' and status in ('done', 'failed')`;
  return row?.count ?? 0;
}
