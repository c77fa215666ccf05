/**
 * Ranking rules of boards: reading, previewing and setting them. What a rule means is in the SQL functions of migration
 * 0010 and nowhere else; this module hands rules to them.
 */

import type { BoardFacts, MemberBoard } from '../domain/ranking-faults.ts';
import { isAscending, type RankingRule, rankingRule, unitOf } from '../domain/ranking-rule.ts';
import { type Task, taskDefinition } from '../domain/task.ts';
import type { Db, Sql } from './client.ts';

/**
 * Ranks these users on these GPU types of a board anew; null: all of them. To be called in the transaction that changed
 * a score, a measurement, a human score, an entry's standing or the rule. After the locks of submissions.
 */
export async function refreshEntries(
  tx: Db,
  what: { leaderboardId: number; gpuTypes: string[] | null; userIds: string[] | null },
): Promise<void> {
  await tx`
    select hotlap.refresh_entries(${what.leaderboardId}, ${what.gpuTypes}::text[], ${what.userIds}::text[])`;
}

export interface RankedBoard {
  id: number;
  name: string;
  gpus: string[];
  deadline: Date | null;
  isClosed: boolean;
  rule: RankingRule;
  task: Task;
}

/** Names are compared without regard to case. */
export async function findRankedBoard(db: Db, name: string): Promise<RankedBoard | null> {
  const [row] = await db<(Omit<RankedBoard, 'rule' | 'task'> & { ranking: unknown; definition: unknown })[]>`
    select l.id, l.name, l.deadline, l.visibility = 'closed' as "isClosed", l.ranking, v.definition,
      array(select g.gpu_type from hotlap.leaderboard_gpus g where g.leaderboard_id = l.id order by g.position) as gpus
    from hotlap.leaderboards l join hotlap.task_versions v on v.id = l.task_version_id
    where lower(l.name) = lower(${name})`;
  if (!row) return null;
  const { ranking, definition, ...board } = row;
  return { ...board, rule: rankingRule.parse(ranking), task: taskDefinition.parse(definition) };
}

/** A single benchmark of a GPU type: seconds, whatever the board is ranked by. */
const isShapeTrack = (track: string) => / \/ shape \d+$/.test(track);

/** What the scores of a track are measured in; empty for a composite of different units. */
export async function findTrackUnit(
  db: Db,
  board: { id: number; rule: RankingRule; taskUnit: string },
  track: string,
): Promise<string> {
  if (isShapeTrack(track)) return 's';
  if (!board.rule.composites?.some((composite) => composite.name === track))
    return unitOf(board.rule, board.taskUnit);
  const members = await db<{ rule: RankingRule; taskUnit: string }[]>`
    select l.ranking as rule, v.score_unit as "taskUnit"
    from hotlap.composite_members m
    join hotlap.leaderboards l on l.id = m.member_leaderboard_id
    join hotlap.task_versions v on v.id = l.task_version_id
    where m.leaderboard_id = ${board.id} and m.track = ${track}`;
  const units = new Set(members.map((member) => unitOf(member.rule, member.taskUnit)));
  return units.size === 1 ? ([...units][0] ?? '') : '';
}

/** Whether less is better on a track: of a composite, on the boards that it is made of. */
export async function isTrackAscending(
  db: Db,
  board: { id: number; rule: RankingRule; scoreAscending: boolean },
  track: string,
): Promise<boolean> {
  if (isShapeTrack(track)) return true;
  if (!board.rule.composites?.some((composite) => composite.name === track)) return board.scoreAscending;
  const [member] = await db<{ scoreAscending: boolean }[]>`
    select l.score_ascending as "scoreAscending"
    from hotlap.composite_members m join hotlap.leaderboards l on l.id = m.member_leaderboard_id
    where m.leaderboard_id = ${board.id} and m.track = ${track} order by m.position limit 1`;
  return member?.scoreAscending ?? board.scoreAscending;
}

/** What a rule for this board is held against. */
export async function loadBoardFacts(db: Db, board: RankedBoard): Promise<BoardFacts> {
  const metrics = await db<{ name: string }[]>`
    select name from hotlap.board_metrics where leaderboard_id = ${board.id} order by name`;
  const others = await db<MemberBoard[]>`
    select l.name, l.score_ascending as "scoreAscending", l.visibility = 'closed' as "isClosed",
      array(select g.gpu_type from hotlap.leaderboard_gpus g where g.leaderboard_id = l.id order by g.position) as gpus
    from hotlap.leaderboards l where l.id <> ${board.id} order by lower(l.name)`;
  const hosts = await db<BoardFacts['hosts']>`
    select h.name as leaderboard, m.track as composite, array_agg(distinct l.score_ascending) as "scoreAscending"
    from hotlap.composite_members m
    join hotlap.leaderboards h on h.id = m.leaderboard_id
    join hotlap.composite_members o
      on o.leaderboard_id = m.leaderboard_id and o.track = m.track and o.member_leaderboard_id <> ${board.id}
    join hotlap.leaderboards l on l.id = o.member_leaderboard_id
    where m.member_leaderboard_id = ${board.id} and m.leaderboard_id <> ${board.id}
    group by h.name, m.track order by h.name, m.track`;
  return {
    name: board.name,
    gpus: board.gpus,
    isClosed: board.isClosed,
    task: board.task,
    metrics: metrics.map((row) => row.name),
    others,
    hosts: [...hosts],
  };
}

/** A place on one track of a board. */
export interface Place {
  submissionId: number;
  /** Null where it is not for everybody. */
  score: number | null;
  rank: number;
}

export interface PlaceChange {
  track: string;
  userId: string;
  userName: string;
  before: Place | null;
  after: Place | null;
}

/** Puts the rule in force and ranks everybody anew. In one transaction with whatever else belongs to it. */
export async function setRankingRule(tx: Db, board: RankedBoard, rule: RankingRule): Promise<void> {
  // Alone: results that come in meanwhile are ranked by one rule or by the other.
  await tx`select hotlap.lock_entries(${board.id}, null, true)`;
  await tx`
    update hotlap.leaderboards set ranking = ${tx.json({ ...rule })}, score_ascending = ${isAscending(rule, board.task)},
      updated_at = now()
    where id = ${board.id}`;
  await tx`delete from hotlap.composite_members where leaderboard_id = ${board.id}`;
  for (const composite of rule.composites ?? []) {
    const members = composite.members.map((member, position) => ({
      position,
      leaderboard: member.leaderboard ?? board.name,
      gpu: member.gpu,
      weight: member.weight,
    }));
    await tx`
      insert into hotlap.composite_members
        (leaderboard_id, track, position, member_leaderboard_id, gpu_type, weight, combine, members)
      select ${board.id}, ${composite.name}, m.position, l.id, g.gpu_type, m.weight, ${composite.combine}, ${members.length}
      from jsonb_to_recordset(${tx.json(members)}) m (position int, leaderboard text, gpu text, weight double precision)
      join hotlap.leaderboards l on lower(l.name) = lower(m.leaderboard)
      join hotlap.leaderboard_gpus g on g.leaderboard_id = l.id and lower(g.gpu_type) = lower(m.gpu)`;
  }
  await refreshEntries(tx, { leaderboardId: board.id, gpuTypes: null, userIds: null });
}

/** Thrown to roll a transaction back with what it found out. */
class Undo extends Error {
  changes: PlaceChange[] = [];
}

/** What the rule would change, by applying it in a transaction that is rolled back. */
export async function previewRankingRule(
  sql: Sql,
  board: RankedBoard,
  rule: RankingRule,
): Promise<PlaceChange[]> {
  const undo = new Undo();
  try {
    await sql.begin(async (tx) => {
      const before = await listPlaces(tx, board.id);
      await setRankingRule(tx, board, rule);
      undo.changes = compare(before, await listPlaces(tx, board.id));
      throw undo;
    });
  } catch (error) {
    if (error !== undo) throw error;
  }
  return undo.changes;
}

type RankedPlace = Place & Pick<PlaceChange, 'track' | 'userId' | 'userName'>;

async function listPlaces(db: Db, leaderboardId: number): Promise<RankedPlace[]> {
  return db<RankedPlace[]>`
    select e.track, e.user_id as "userId", u.name as "userName", e.submission_id as "submissionId",
      e.shown_score as score, rank() over (partition by e.track order by e.sort_key) as rank
    from hotlap.board_entries e join hotlap.users u on u.id = e.user_id
    where e.leaderboard_id = ${leaderboardId}`;
}

/** By track, then by the new place, those who lost theirs at the end. Those whose place and entry stay are left out. */
function compare(before: RankedPlace[], after: RankedPlace[]): PlaceChange[] {
  const changes = new Map<string, PlaceChange>();
  const take = (list: RankedPlace[], side: 'before' | 'after') => {
    for (const { track, userId, userName, ...place } of list) {
      const key = `${track} ${userId}`;
      const change = changes.get(key) ?? { track, userId, userName, before: null, after: null };
      changes.set(key, { ...change, [side]: place });
    }
  };
  take(before, 'before');
  take(after, 'after');
  const order = (change: PlaceChange) => change.after?.rank ?? 1e12 + (change.before?.rank ?? 0);
  return [...changes.values()]
    .filter((change) => JSON.stringify(change.before) !== JSON.stringify(change.after))
    .sort(
      (a, b) => a.track.localeCompare(b.track) || order(a) - order(b) || a.userId.localeCompare(b.userId),
    );
}
