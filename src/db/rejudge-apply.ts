/**
 * Making the verdicts of a rejudge the board's, and showing beforehand what that would do.
 *
 * The preview is the application itself in a transaction that is rolled back, so that it cannot say anything else than
 * what will happen, whatever the ranking rule is.
 *
 * Lock order: the rejudge's row, the submissions by number, the board's entries.
 */
import type { Place, PlaceChange } from '../domain/rejudge.ts';
import type { ChangeRecord } from './audit.ts';
import type { Db, Sql } from './client.ts';
import { refreshEntries } from './ranking.ts';
import { lockRejudge } from './rejudge-settle.ts';
import { stepOf } from './rejudges.ts';
import { lockBestEntries } from './settle.ts';

/** What the board would look like with the verdicts so far. Changes nothing. Null when there is no such rejudge. */
export async function previewRejudge(sql: Sql, id: number): Promise<PlaceChange[] | null> {
  const undo = new Undo();
  try {
    await sql.begin(async (tx) => {
      const rejudge = await lockRejudge(tx, id);
      undo.changes = rejudge && (await swapVerdicts(tx, id, rejudge.leaderboardId));
      throw undo;
    });
  } catch (error) {
    if (error !== undo) throw error;
  }
  return undo.changes;
}

/** Thrown to roll a transaction back with what it found out. */
class Undo extends Error {
  changes: PlaceChange[] | null = null;
}

/** ready -> applied. Null when it was not ready, or when the board's task judges by something else by now. */
export async function applyRejudge(
  sql: Sql,
  id: number,
  endedBy: string,
  record?: ChangeRecord,
): Promise<PlaceChange[] | null> {
  return sql.begin(async (tx) => {
    const rejudge = await lockRejudge(tx, id);
    if (rejudge?.status !== 'ready') return null;
    // No sync comes between this look at the board's version and the end of the transaction.
    const rows = await tx`
      select l.id from hotlap.leaderboards l
      join hotlap.task_versions live on live.id = l.task_version_id
      join hotlap.rejudges r on r.leaderboard_id = l.id
      join hotlap.task_versions mine on mine.id = r.task_version_id
      where r.id = ${id} and live.judging_mark = mine.judging_mark for share of l`;
    if (rows.length === 0) return null;
    const changes = await swapVerdicts(tx, id, rejudge.leaderboardId);
    await tx`
      select hotlap.summarise_submission(e.submission_id) from (
        select distinct submission_id from hotlap.rejudge_entries where rejudge_id = ${id} and judged) e`;
    await tx`
      update hotlap.rejudges set status = 'applied', ended_at = now(), ended_by = ${endedBy} where id = ${id}`;
    await keepPlaces(tx, id, changes);
    await record?.note(tx, stepOf(id, 'ready', 'applied'));
    return changes;
  });
}

async function swapVerdicts(tx: Db, id: number, leaderboardId: number): Promise<PlaceChange[]> {
  await tx`
    select s.id from hotlap.submissions s
    where s.id in (select e.submission_id from hotlap.rejudge_entries e where e.rejudge_id = ${id} and e.judged)
    order by s.id for update`;
  await lockBestEntries(tx, leaderboardId);
  const before = await places(tx, id, leaderboardId);
  await tx`
    update hotlap.rejudge_entries e set
      old_public_score = sc.public_score, old_secret_score = sc.secret_score, old_eligible = sc.eligible,
      old_reason = sc.reason
    from hotlap.submission_scores sc
    where e.rejudge_id = ${id} and e.judged and sc.submission_id = e.submission_id and sc.gpu_type = e.gpu_type`;
  await tx`
    update hotlap.submission_scores sc set
      public_score = e.public_score, secret_score = e.secret_score, eligible = e.eligible, reason = e.reason,
      rejudge_id = e.rejudge_id, updated_at = now()
    from hotlap.rejudge_entries e
    where e.rejudge_id = ${id} and e.judged and sc.submission_id = e.submission_id and sc.gpu_type = e.gpu_type`;
  await tx`
    update hotlap.submissions s set
      status = case when now.reasons is null then 'done' else 'failed' end, reason = now.reasons
    from (
      select sc.submission_id, string_agg(sc.gpu_type || ': ' || sc.reason, '; ' order by sc.gpu_type) as reasons
      from hotlap.submission_scores sc
      where sc.submission_id in (
        select e.submission_id from hotlap.rejudge_entries e where e.rejudge_id = ${id} and e.judged)
      group by sc.submission_id
    ) now
    where s.id = now.submission_id and s.status in ('done', 'failed')`;
  await rankConcerned(tx, id, leaderboardId);
  return compare(before, await places(tx, id, leaderboardId));
}

/** Everybody who has a new verdict, on the GPU types that it is for. */
async function rankConcerned(tx: Db, id: number, leaderboardId: number): Promise<void> {
  const [concerned] = await tx<{ gpuTypes: string[]; userIds: string[] }[]>`
    select coalesce(array_agg(distinct e.gpu_type), '{}') as "gpuTypes",
      coalesce(array_agg(distinct s.user_id), '{}') as "userIds"
    from hotlap.rejudge_entries e join hotlap.submissions s on s.id = e.submission_id
    where e.rejudge_id = ${id} and e.judged`;
  if (concerned) await refreshEntries(tx, { leaderboardId, ...concerned });
}

type RankedPlace = Place & Pick<PlaceChange, 'gpuType' | 'userId' | 'userName'>;

/** The whole board on the GPU types that the rejudge is for. */
async function places(db: Db, id: number, leaderboardId: number): Promise<RankedPlace[]> {
  return db<RankedPlace[]>`
    select b.gpu_type as "gpuType", b.user_id as "userId", u.name as "userName", b.submission_id as "submissionId",
      b.score, rank() over (partition by b.gpu_type order by b.sort_key) as rank
    from hotlap.best_entries b
    join hotlap.users u on u.id = b.user_id
    where b.leaderboard_id = ${leaderboardId}
      and b.gpu_type in (select e.gpu_type from hotlap.rejudge_entries e where e.rejudge_id = ${id})`;
}

/** By GPU type, then by the new place, those who lost theirs at the end. */
function compare(before: RankedPlace[], after: RankedPlace[]): PlaceChange[] {
  const changes = new Map<string, PlaceChange>();
  const take = (list: RankedPlace[], side: 'before' | 'after') => {
    for (const { gpuType, userId, userName, ...place } of list) {
      const key = `${gpuType} ${userId}`;
      const change = changes.get(key) ?? { gpuType, userId, userName, before: null, after: null };
      changes.set(key, { ...change, [side]: place });
    }
  };
  take(before, 'before');
  take(after, 'after');
  const order = (change: PlaceChange) => change.after?.rank ?? 1e9 + (change.before?.rank ?? 0);
  return [...changes.values()].sort(
    (a, b) => a.gpuType.localeCompare(b.gpuType) || order(a) - order(b) || a.userId.localeCompare(b.userId),
  );
}

async function keepPlaces(tx: Db, id: number, changes: PlaceChange[]): Promise<void> {
  const rows = changes.map(({ gpuType, userId, before, after }) => ({
    gpu_type: gpuType,
    user_id: userId,
    submission_before: before?.submissionId ?? null,
    score_before: before?.score ?? null,
    rank_before: before?.rank ?? null,
    submission_after: after?.submissionId ?? null,
    score_after: after?.score ?? null,
    rank_after: after?.rank ?? null,
  }));
  await tx`
    insert into hotlap.rejudge_places
    select ${id}, p.* from jsonb_to_recordset(${tx.json(rows)}) as p (
      gpu_type text, user_id text, submission_before bigint, score_before double precision, rank_before int,
      submission_after bigint, score_after double precision, rank_after int)`;
}

/** The board before and after a rejudge that was applied. */
export async function listAppliedPlaces(db: Db, id: number): Promise<PlaceChange[]> {
  const place = (
    side: ReturnType<typeof db>,
  ) => db`case when p.rank_${side} is not null then json_build_object(
    'submissionId', p.submission_${side}, 'score', p.score_${side}, 'rank', p.rank_${side}) end`;
  return db<PlaceChange[]>`
    select p.gpu_type as "gpuType", p.user_id as "userId", u.name as "userName",
      ${place(db`before`)} as before, ${place(db`after`)} as after
    from hotlap.rejudge_places p join hotlap.users u on u.id = p.user_id
    where p.rejudge_id = ${id}
    order by p.gpu_type, coalesce(p.rank_after, 1000000000 + p.rank_before), p.user_id`;
}
