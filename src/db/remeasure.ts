/**
 * Measuring again: which entries are due, and the jobs for them. A repetition is a job like any other, of the lowest
 * priority, whose result becomes a measurement and nothing else (job-owner.ts). All that decides is in the database, so that
 * a restart changes nothing.
 */
import { remeasurePriority } from '../domain/job.ts';
import type { Db, Sql } from './client.ts';
import { notifyJobs } from './jobs.ts';
import { refreshEntries } from './ranking.ts';

/** Any constant; it only has to differ from other advisory locks. */
const CHOOSING = 'remeasure';

export interface Remeasured {
  submissionId: number;
  leaderboardId: number;
  gpuType: string;
}

/**
 * Queues what is due, at most one for each GPU type at a time, and only for types on which nothing else waits or runs:
 * the entry that was measured longest ago. Of each board's first `top` people that is the entry itself and, where it is
 * another one, the newest that passed; windows of a newer one would never fill otherwise.
 */
export async function queueRemeasurements(sql: Sql): Promise<Remeasured[]> {
  let queued: Remeasured[] = [];
  await sql.begin(async (tx) => {
    // One chooser at a time; another one finds what this one queued.
    const [lock] = await tx<{ mine: boolean }[]>`
      select pg_try_advisory_xact_lock(hashtextextended(${CHOOSING}, 0)) as mine`;
    if (!lock?.mine) return;
    queued = await tx<Remeasured[]>`
      with board as (
        select l.id, (l.ranking -> 'remeasure' ->> 'top')::int as top,
          make_interval(secs => 3600 * (l.ranking -> 'remeasure' ->> 'everyHours')::float8) as every,
          coalesce(l.ranking ->> 'score' = 'secret', false) as secret
        from hotlap.leaderboards l
        -- The places of a board that is over are final.
        where l.ranking ? 'remeasure' and coalesce(l.deadline, 'infinity') > now() and l.stage <> 'archived'
      ), idle as (
        select b.id, g.gpu_type
        from board b join hotlap.leaderboard_gpus g on g.leaderboard_id = b.id
        where exists (
            select from hotlap.boxes x where x.state = 'ready' and lower(g.gpu_type) in (
              select lower(t) from unnest(x.gpu_types) t))
          and not exists (
            select from hotlap.jobs j
            where lower(j.gpu_type) = lower(g.gpu_type) and j.status in ('queued', 'leased', 'running'))
      ), first as (
        select b.*, i.gpu_type, e.user_id, e.submission_id
        from board b join idle i on i.id = b.id
        cross join lateral (
          select e.user_id, e.submission_id from hotlap.best_entries e
          where e.leaderboard_id = b.id and e.gpu_type = i.gpu_type
          order by e.sort_key, e.achieved_at, e.submission_id limit b.top
        ) e
      ), candidate as (
        select id, gpu_type, secret, every, submission_id from first
        union
        select f.id, f.gpu_type, f.secret, f.every, n.submission_id
        from first f cross join lateral (
          select e.submission_id from hotlap.eligible_entries e
          where e.leaderboard_id = f.id and e.gpu_type = f.gpu_type and e.user_id = f.user_id
          order by e.submission_id desc limit 1
        ) n
      ), due as (
        select c.*, last.at, last.times
        from candidate c cross join lateral (
          select max(m.measured_at) as at, coalesce(max(m.remeasure), 0) as times
          from hotlap.measurements m
          where m.submission_id = c.submission_id and m.gpu_type = c.gpu_type and m.secret = c.secret
        ) last
        -- A repetition that our boxes failed to run is tried again after as long.
        where last.at < now() - c.every and not exists (
          select from hotlap.jobs j
          where j.submission_id = c.submission_id and j.gpu_type = c.gpu_type and j.remeasure is not null
            and j.created_at > now() - c.every)
      ), chosen as (
        select distinct on (lower(gpu_type)) * from due order by lower(gpu_type), at, submission_id
      )
      insert into hotlap.jobs (submission_id, user_id, leaderboard_id, mode, gpu_type, secret, priority, multi_gpu, remeasure,
        task_version_id)
      select s.id, s.user_id, s.leaderboard_id, s.mode, c.gpu_type, c.secret, ${remeasurePriority},
        (v.definition ->> 'multiGpu')::boolean,
        1 + greatest(c.times, (
          select coalesce(max(j.remeasure), 0) from hotlap.jobs j
          where j.submission_id = s.id and j.gpu_type = c.gpu_type)),
        v.id
      from chosen c
      join hotlap.submissions s on s.id = c.submission_id
      join hotlap.submission_scores sc on sc.submission_id = s.id and sc.gpu_type = c.gpu_type
      left join hotlap.rejudges r on r.id = sc.rejudge_id
      join hotlap.task_versions v on v.id = coalesce(r.task_version_id, s.task_version_id)
      returning submission_id as "submissionId", leaderboard_id as "leaderboardId", gpu_type as "gpuType"`;
    if (queued.length > 0) await notifyJobs(tx);
  });
  return queued;
}

/** What follows from the end of a repetition: where measurements decide, its owner is ranked anew. */
export async function settleRemeasured(tx: Db, jobId: number): Promise<void> {
  const [job] = await tx<{ leaderboardId: number; gpuType: string; userId: string }[]>`
    select j.leaderboard_id as "leaderboardId", j.gpu_type as "gpuType", j.user_id as "userId"
    from hotlap.jobs j join hotlap.leaderboards l on l.id = j.leaderboard_id
    where j.id = ${jobId} and l.ranking ?| array['windows', 'minimumRuns']`;
  if (!job) return;
  await refreshEntries(tx, {
    leaderboardId: job.leaderboardId,
    gpuTypes: [job.gpuType],
    userIds: [job.userId],
  });
}

/** Ranks anew whose windows have changed by time alone. At most `limit` people at once; returns how many there were. */
export async function refreshTurnedWindows(sql: Sql, limit: number): Promise<number> {
  const due = await sql<{ leaderboardId: number; userIds: string[] }[]>`
    select leaderboard_id as "leaderboardId", array_agg(user_id order by user_id) as "userIds"
    from (
      select distinct s.leaderboard_id, s.user_id
      from hotlap.submission_scores sc join hotlap.submissions s on s.id = sc.submission_id
      where sc.changes_at <= now() order by 1, 2 limit ${limit}
    ) turned
    group by 1 order by 1`;
  for (const { leaderboardId, userIds } of due) {
    await sql.begin((tx) => refreshEntries(tx, { leaderboardId, gpuTypes: null, userIds }));
  }
  return due.reduce((sum, board) => sum + board.userIds.length, 0);
}

export interface Drift {
  gpuType: string;
  submissionId: number;
  userName: string;
  /** The value that counted first, and the newest one, as the task scores them. */
  first: number;
  latest: number;
  repetitions: number;
  /** Repetitions that did not pass. */
  failed: number;
  latestAt: Date;
}

/** How far repeated measurements of the current entries have moved from their first; the farthest first. */
export async function listDrift(db: Db, leaderboardId: number, limit: number): Promise<Drift[]> {
  return db<Drift[]>`
    select e.gpu_type as "gpuType", e.submission_id as "submissionId", u.name as "userName", m.first, m.latest,
      m.repetitions, m.failed, m."latestAt"
    from hotlap.best_entries e
    join hotlap.users u on u.id = e.user_id
    cross join lateral (
      select (array_agg(m.score order by m.measured_at, m.id) filter (where m.score is not null))[1] as first,
        (array_agg(m.score order by m.measured_at desc, m.id desc) filter (where m.score is not null))[1] as latest,
        count(*) filter (where m.remeasure is not null) as repetitions,
        count(*) filter (where m.remeasure is not null and not m.passed) as failed, max(m.measured_at) as "latestAt"
      from hotlap.measurements m
      where m.submission_id = e.submission_id and m.gpu_type = e.gpu_type and not m.secret
    ) m
    where e.leaderboard_id = ${leaderboardId} and m.repetitions > 0 and m.first is not null
    order by abs(ln(m.latest / m.first)) desc, e.gpu_type, e.submission_id limit ${limit}`;
}
