/** A page of somebody's list computed the naive way, from raw runs with questions per row: what the kept columns save. */
import type { Sql } from '../src/db/client.ts';

export async function readListFromRuns(sql: Sql, userId: string, limit: number): Promise<readonly unknown[]> {
  return sql`
    select s.id, l.name, s.file_name, s.status, s.created_at,
      case when exists (
          select from hotlap.runs r
          where r.submission_id = s.id and r.secret and r.mode = 'leaderboard' and r.passed)
        and not exists (select from hotlap.runs r where r.submission_id = s.id and r.secret and not r.passed)
        then coalesce((
          select json_agg(json_build_object('gpu_type', r.gpu_type, 'score', r.score) order by r.gpu_type, r.id)
          from hotlap.runs r where r.submission_id = s.id and not r.secret and r.passed), '[]')
        else '[]' end as runs,
      (select case when l.score_ascending then min(r.score) else max(r.score) end
        from hotlap.runs r where r.submission_id = s.id and r.secret and r.passed) as secret_score,
      (select json_object_agg(g.gpu_type, (
          select min(r.score) from hotlap.runs r
          where r.submission_id = s.id and r.secret and r.passed and r.gpu_type = g.gpu_type))
        from hotlap.leaderboard_gpus g where g.leaderboard_id = s.leaderboard_id) as secret_scores
    from hotlap.submissions s join hotlap.leaderboards l on l.id = s.leaderboard_id
    where s.user_id = ${userId} order by s.id desc limit ${limit}`;
}
