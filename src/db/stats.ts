/** Totals for organisers: of everything, of one board, or of the last day. Times in seconds. */
import type { Mode } from '../domain/submission.ts';
import type { Db } from './client.ts';

export interface StatsFilter {
  lastDay: boolean;
  leaderboardId: number | null;
}

export interface Totals {
  submissions: number;
  waiting: number;
  users: number;
  uniqueCodes: number;
}

export interface GpuTotals {
  gpu: string;
  jobs: number;
  passed: number;
  scored: number;
  secret: number;
  maxWaitSeconds: number;
  meanWaitSeconds: number;
  runSeconds: number;
}

const matches = (db: Db, { lastDay, leaderboardId }: StatsFilter) => db`
  (${leaderboardId}::bigint is null or s.leaderboard_id = ${leaderboardId})
  ${lastDay ? db`and s.created_at > now() - interval '1 day'` : db``}`;

export async function loadTotals(db: Db, filter: StatsFilter): Promise<Totals> {
  const [row] = await db<Totals[]>`
    select count(*) as submissions, count(*) filter (where s.status in ('queued', 'running')) as waiting,
      count(distinct s.user_id) as users, count(distinct s.code_sha256) as "uniqueCodes"
    from hotlap.submissions s where ${matches(db, filter)}`;
  return row ?? { submissions: 0, waiting: 0, users: 0, uniqueCodes: 0 };
}

export async function listGpuTotals(db: Db, filter: StatsFilter): Promise<GpuTotals[]> {
  return db<GpuTotals[]>`
    select j.gpu_type as gpu, count(*) as jobs, count(*) filter (where j.passed) as passed,
      count(j.score) as scored, count(*) filter (where j.secret) as secret,
      coalesce(max(extract(epoch from j.started_at - j.created_at)), 0)::float8 as "maxWaitSeconds",
      coalesce(avg(extract(epoch from j.started_at - j.created_at)), 0)::float8 as "meanWaitSeconds",
      coalesce(sum(extract(epoch from j.finished_at - j.started_at)), 0)::float8 as "runSeconds"
    from hotlap.jobs j join hotlap.submissions s on s.id = j.submission_id
    where ${matches(db, filter)} and j.started_at is not null and j.rejudge_id is null and j.remeasure is null
    group by 1 order by 1`;
}

/** Who submitted most, by name. */
export async function listHeavyUsers(
  db: Db,
  filter: StatsFilter,
): Promise<{ name: string; submissions: number }[]> {
  return db<{ name: string; submissions: number }[]>`
    select u.name, count(*) as submissions
    from hotlap.submissions s join hotlap.users u on u.id = s.user_id
    where ${matches(db, filter)} group by u.id order by 2 desc, u.id limit 50`;
}

export interface HourTotals {
  /** The beginning of the hour. */
  hour: Date;
  mode: Mode;
  submissions: number;
}

/** Of the last 24 hours, by hour and mode; hours without any are left out. */
export async function listHourTotals(db: Db, leaderboardId: number | null): Promise<HourTotals[]> {
  return db<HourTotals[]>`
    select date_trunc('hour', s.created_at, 'UTC') as hour, s.mode, count(*) as submissions
    from hotlap.submissions s
    where s.created_at > date_trunc('hour', now(), 'UTC') - interval '23 hours'
      and (${leaderboardId}::bigint is null or s.leaderboard_id = ${leaderboardId})
    group by 1, 2 order by 1, 2`;
}
