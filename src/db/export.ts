/** Submissions as rows of a data set: one per submission and GPU type. */
import type { Db } from './client.ts';

export interface ExportRow {
  submissionId: number;
  leaderboardId: number;
  leaderboard: string;
  userId: string;
  userName: string;
  fileName: string;
  code: string;
  codeSha256: string;
  mode: string;
  status: string;
  reason: string | null;
  submittedAt: Date;
  gpu: string;
  passed: boolean | null;
  publicScore: number | null;
  secretScore: number | null;
  eligible: boolean;
}

/** Boards by their ids; `open`: before their deadline, or without one. */
export async function listBoardsById(
  db: Db,
  ids: number[],
): Promise<{ id: number; name: string; open: boolean }[]> {
  return db<{ id: number; name: string; open: boolean }[]>`
    select id, name, coalesce(deadline > now(), true) as open
    from hotlap.leaderboards where id = any(${ids}) order by id`;
}

/** Of submissions that have ended, in the order of their numbers, from behind `after` on. Secret scores only on request. */
export async function listExportRows(
  db: Db,
  filter: { leaderboardIds: number[]; after: number; submissions: number; secretScores: boolean },
): Promise<ExportRow[]> {
  return db<ExportRow[]>`
    with page as (
      select * from hotlap.submissions
      where leaderboard_id = any(${filter.leaderboardIds}) and id > ${filter.after}
        and status not in ('queued', 'running')
      order by id limit ${filter.submissions}
    )
    select s.id as "submissionId", s.leaderboard_id as "leaderboardId", l.name as leaderboard, s.user_id as "userId",
      u.name as "userName", s.file_name as "fileName", coalesce(c.listing, convert_from(c.content, 'UTF8')) as code,
      s.code_sha256 as "codeSha256", s.mode, s.status, s.reason, s.created_at as "submittedAt", j.gpu_type as gpu,
      j.passed, sc.public_score as "publicScore",
      case when ${filter.secretScores} then sc.secret_score end as "secretScore",
      exists (select from hotlap.eligible_entries e
        where e.submission_id = s.id and e.gpu_type = j.gpu_type) as eligible
    from page s
    join hotlap.leaderboards l on l.id = s.leaderboard_id
    join hotlap.users u on u.id = s.user_id
    join hotlap.code_blobs c on c.sha256 = s.code_sha256
    join hotlap.jobs j on j.submission_id = s.id and not j.secret and hotlap.job_counts(j)
    left join hotlap.submission_scores sc on sc.submission_id = s.id and sc.gpu_type = j.gpu_type
    order by s.id, j.gpu_type`;
}
