/**
 * Rejudges: submissions judged again by the present version of their task.
 *
 *   planned    chosen, nothing runs; another plan for the board takes its place
 *   running    its jobs are in the queue, for idle times; their results stay beside the old ones
 *   ready      all jobs have ended; a person looks at what would change
 *   applied    the new verdicts are the board's (rejudge-apply.ts); runs and verdicts of before are all kept
 *   cancelled  from any of the first three; the board is as it was
 *
 * A board has one at a time. Lock order: the rejudge's row, then its jobs.
 */

import type { ChangeNote } from '../domain/audit.ts';
import { rejudgePriority } from '../domain/job.ts';
import type { RejudgeEntry, RejudgeScope, RejudgeStatus, RejudgeView } from '../domain/rejudge.ts';
import type { ChangeRecord } from './audit.ts';
import type { Db, Sql } from './client.ts';
import { notifyJobs } from './jobs.ts';
import { finishRejudge, lockRejudge } from './rejudge-settle.ts';

/**
 * Chooses what is to be judged again, and stores the choice. `open` is another rejudge of the board that somebody has to
 * close first; null when nothing fits the scope.
 */
export async function planRejudge(
  sql: Sql,
  wish: { leaderboardId: number; scope: RejudgeScope; requestedBy: string },
  note?: (tx: Db, id: number) => Promise<void>,
): Promise<{ id: number } | { open: number } | null> {
  return sql.begin(async (tx) => {
    // One at a time for each board: also two who press the same button.
    await tx`select id from hotlap.leaderboards where id = ${wish.leaderboardId} for no key update`;
    await tx`
      update hotlap.rejudges set status = 'cancelled', ended_at = now(), ended_by = ${wish.requestedBy}
      where leaderboard_id = ${wish.leaderboardId} and status = 'planned'`;
    const [open] = await tx<{ id: number }[]>`
      select id from hotlap.rejudges
      where leaderboard_id = ${wish.leaderboardId} and status in ('running', 'ready')`;
    if (open) return { open: open.id };
    const [rejudge] = await tx<{ id: number }[]>`
      insert into hotlap.rejudges (leaderboard_id, task_version_id, scope, requested_by)
      select id, task_version_id, ${tx.json({ ...wish.scope })}, ${wish.requestedBy}
      from hotlap.leaderboards where id = ${wish.leaderboardId} returning id`;
    if (!rejudge) return null;
    const chosen = await tx`
      insert into hotlap.rejudge_entries (rejudge_id, submission_id, gpu_type)
      select ${rejudge.id}, sc.submission_id, sc.gpu_type
      from hotlap.submission_scores sc
      join hotlap.submissions s on s.id = sc.submission_id
      left join hotlap.rejudges last on last.id = sc.rejudge_id
      where s.leaderboard_id = ${wish.leaderboardId} and s.status in ('done', 'failed')
        and lower(sc.gpu_type) in (
          select lower(g.gpu_type) from hotlap.leaderboard_gpus g where g.leaderboard_id = ${wish.leaderboardId})
        and ${inScope(tx, wish.leaderboardId, wish.scope)}
      returning submission_id`;
    if (chosen.length === 0) {
      await tx`delete from hotlap.rejudges where id = ${rejudge.id}`;
      return null;
    }
    await note?.(tx, rejudge.id);
    return { id: rejudge.id };
  });
}

function inScope(db: Db, leaderboardId: number, scope: RejudgeScope) {
  const outdated = scope.outdatedOnly
    ? db`(
      select v.judging_mark from hotlap.task_versions v where v.id = coalesce(last.task_version_id, s.task_version_id)
    ) <> (
      select v.judging_mark from hotlap.leaderboards l join hotlap.task_versions v on v.id = l.task_version_id
      where l.id = ${leaderboardId})`
    : db`true`;
  switch (scope.kind) {
    case 'all':
      return outdated;
    case 'user':
      return db`s.user_id = ${scope.userId} and ${outdated}`;
    case 'since':
      return db`s.created_at >= ${new Date(scope.at)} and ${outdated}`;
    case 'top':
      return db`(sc.submission_id, sc.gpu_type) in (
        select ranked.submission_id, ranked.gpu_type from (
          select e.submission_id, e.gpu_type, rank() over (partition by e.gpu_type order by e.sort_key) as rank
          from hotlap.best_entries e
          where e.leaderboard_id = ${leaderboardId}
        ) ranked where ranked.rank <= ${scope.count}) and ${outdated}`;
  }
}

/** planned -> running: the jobs go to the end of the queue. False when it was not planned. */
export async function startRejudge(sql: Sql, id: number, record?: ChangeRecord): Promise<boolean> {
  return sql.begin(async (tx) => {
    const rows = await tx`
      update hotlap.rejudges set status = 'running', started_at = now()
      where id = ${id} and status = 'planned' returning id`;
    if (rows.length === 0) return false;
    await tx`
      insert into hotlap.jobs
        (submission_id, user_id, leaderboard_id, mode, gpu_type, secret, priority, multi_gpu, rejudge_id)
      select s.id, s.user_id, s.leaderboard_id, s.mode, e.gpu_type, kind.secret, ${rejudgePriority},
        (v.definition ->> 'multiGpu')::boolean, e.rejudge_id
      from hotlap.rejudge_entries e
      join hotlap.rejudges r on r.id = e.rejudge_id
      join hotlap.task_versions v on v.id = r.task_version_id
      join hotlap.submissions s on s.id = e.submission_id
      cross join (values (false), (true)) kind (secret)
      where e.rejudge_id = ${id} order by s.id, e.gpu_type, kind.secret`;
    await notifyJobs(tx);
    await record?.note(tx, stepOf(id, 'planned', 'running'));
    return true;
  });
}

/** For the audit log. */
export function stepOf(id: number, before: RejudgeStatus, after: RejudgeStatus): ChangeNote {
  return { subject: `rejudge ${id}`, before: { status: before }, after: { status: after } };
}

/** planned | running | ready -> cancelled. What runs on boxes is ended. False when it was closed already. */
export async function cancelRejudge(
  sql: Sql,
  id: number,
  endedBy: string,
  record?: ChangeRecord,
): Promise<boolean> {
  return sql.begin(async (tx) => {
    const before = await lockRejudge(tx, id);
    const rows = await tx`
      update hotlap.rejudges set status = 'cancelled', ended_at = now(), ended_by = ${endedBy}
      where id = ${id} and status in ('planned', 'running', 'ready') returning id`;
    if (rows.length === 0) return false;
    await tx`
      update hotlap.jobs set status = 'cancelled', finished_at = now()
      where rejudge_id = ${id} and status = 'queued'`;
    const stopping = await tx<{ id: number }[]>`
      update hotlap.jobs set cancel_requested_at = now()
      where rejudge_id = ${id} and status in ('leased', 'running') returning id`;
    for (const job of stopping) await tx`select pg_notify('hotlap_cancel', ${String(job.id)})`;
    if (before) await record?.note(tx, stepOf(id, before.status, 'cancelled'));
    return true;
  });
}

const view = (db: Db) => db`
  select r.id, r.leaderboard_id as "leaderboardId", l.name as leaderboard, r.status, r.scope, n.number as version,
    mine.judging_mark = live.judging_mark as "isCurrent", r.requested_by as "requestedBy", r.ended_by as "endedBy",
    r.created_at as "createdAt", r.started_at as "startedAt", r.ready_at as "readyAt", r.ended_at as "endedAt",
    e.submissions, e.entries, e.judged, j.jobs, j.open as "openJobs"
  from hotlap.rejudges r
  join hotlap.leaderboards l on l.id = r.leaderboard_id
  join hotlap.leaderboard_versions n on n.leaderboard_id = r.leaderboard_id and n.task_version_id = r.task_version_id
  join hotlap.task_versions mine on mine.id = r.task_version_id
  join hotlap.task_versions live on live.id = l.task_version_id
  cross join lateral (
    select count(distinct submission_id) as submissions, count(*) as entries, count(*) filter (where judged) as judged
    from hotlap.rejudge_entries where rejudge_id = r.id
  ) e
  cross join lateral (
    select count(*) as jobs, count(*) filter (where status in ('queued', 'leased', 'running')) as open
    from hotlap.jobs where rejudge_id = r.id
  ) j`;

export async function findRejudge(db: Db, id: number): Promise<RejudgeView | null> {
  const [row] = await db<RejudgeView[]>`${view(db)} where r.id = ${id}`;
  return row ?? null;
}

/** Newest first. */
export async function listRejudges(db: Db, page: { limit: number }): Promise<RejudgeView[]> {
  return db<RejudgeView[]>`${view(db)} order by r.id desc limit ${page.limit}`;
}

/** Every submission of it on every GPU type. Holds secret scores. */
export async function listRejudgeEntries(db: Db, id: number): Promise<RejudgeEntry[]> {
  const verdict = (values: ReturnType<typeof db>) => db`json_build_object(
    'publicScore', ${values}public_score, 'secretScore', ${values}secret_score, 'eligible', ${values}eligible,
    'reason', ${values}reason)`;
  return db<RejudgeEntry[]>`
    select e.submission_id as "submissionId", s.user_id as "userId", u.name as "userName", e.gpu_type as "gpuType",
      case when r.status = 'applied' and e.judged then ${verdict(db`e.old_`)} else ${verdict(db`sc.`)} end as before,
      case when e.judged then ${verdict(db`e.`)} end as after,
      exists (
        select from hotlap.jobs j
        where j.rejudge_id = e.rejudge_id and j.submission_id = e.submission_id and j.gpu_type = e.gpu_type
          and j.status in ('queued', 'leased', 'running')) as open
    from hotlap.rejudge_entries e
    join hotlap.rejudges r on r.id = e.rejudge_id
    join hotlap.submissions s on s.id = e.submission_id
    join hotlap.users u on u.id = s.user_id
    join hotlap.submission_scores sc on sc.submission_id = e.submission_id and sc.gpu_type = e.gpu_type
    where e.rejudge_id = ${id} order by e.gpu_type, e.submission_id`;
}

/** Seconds that the work of a plan takes on boxes, from how long the board's jobs took; null where none has ended. */
export async function estimateRejudgeSeconds(db: Db, id: number): Promise<number | null> {
  const [row] = await db<{ seconds: number | null }[]>`
    select sum(mean.seconds)::float8 as seconds
    from hotlap.rejudge_entries e
    join hotlap.rejudges r on r.id = e.rejudge_id
    cross join (values (false), (true)) kind (secret)
    join (
      select leaderboard_id, gpu_type, secret, avg(extract(epoch from finished_at - started_at)) as seconds
      from hotlap.jobs where status = 'finished' and mode = 'leaderboard' group by 1, 2, 3
    ) mean on mean.leaderboard_id = r.leaderboard_id and mean.gpu_type = e.gpu_type and mean.secret = kind.secret
    where e.rejudge_id = ${id}`;
  return row?.seconds ?? null;
}

/** Rejudges whose jobs have all ended without anybody having noticed: closed now. Returns their numbers. */
export async function finishForgottenRejudges(sql: Sql): Promise<number[]> {
  const rows = await sql<{ id: number }[]>`
    select r.id from hotlap.rejudges r where r.status = 'running' and not exists (
      select from hotlap.jobs j where j.rejudge_id = r.id and j.status in ('queued', 'leased', 'running'))`;
  for (const { id } of rows) {
    await sql.begin(async (tx) => {
      await lockRejudge(tx, id);
      await finishRejudge(tx, id);
    });
  }
  return rows.map((row) => row.id);
}
