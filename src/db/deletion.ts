/**
 * Deleting submissions and whole boards. What hangs on them goes with them by the foreign keys; a line of the submission
 * stays in `deleted_submissions`, and its code under its hash.
 *
 * Nothing is deleted while a box works on it: its slot would count as free before its process is dead. Such a submission
 * has to be cancelled first, and to have ended.
 */
import type { ChangeRecord } from './audit.ts';
import type { Db, Sql } from './client.ts';
import { refreshEntries } from './ranking.ts';
import { lockSubmission } from './settle.ts';

interface BoardedSubmission {
  leaderboardId: number;
  leaderboard: string;
  userId: string;
  mode: string;
  status: string;
  /** SHA-256. */
  code: string;
}

export type Deletion = 'deleted' | 'unknown' | 'running';

/** The owner's best entries are chosen anew. */
export async function deleteSubmission(
  sql: Sql,
  id: number,
  record: ChangeRecord,
  reason: string | null = null,
): Promise<Deletion> {
  return sql.begin(async (tx) => {
    await lockSubmission(tx, id);
    if ((await countRunning(tx, [id])) > 0) return 'running';
    const [before] = await tx<BoardedSubmission[]>`
      select s.leaderboard_id as "leaderboardId", l.name as leaderboard, s.user_id as "userId", s.mode, s.status,
        s.code_sha256 as code
      from hotlap.submissions s join hotlap.leaderboards l on l.id = s.leaderboard_id where s.id = ${id}`;
    if (!before) return 'unknown';
    const { leaderboardId, userId } = before;
    await tx`select hotlap.lock_entries(${leaderboardId}, ${[userId]}, false)`;
    await keepTrace(tx, [id], record.actor.id);
    const [line] = await tx<{ tracks: string[] | null }[]>`
      select array_agg(track) as tracks from hotlap.board_records where submission_id = ${id}`;
    await tx`delete from hotlap.submissions where id = ${id}`;
    await refreshEntries(tx, { leaderboardId, gpuTypes: null, userIds: [userId] });
    // What it had beaten may be a record now.
    if (line?.tracks) await tx`select hotlap.rebuild_records(${leaderboardId}, ${line.tracks})`;
    await record.note(tx, { subject: `submission ${id}`, before: { ...before }, reason });
    return 'deleted';
  });
}

export type BoardDeletion =
  | { state: 'deleted'; name: string }
  | { state: 'unknown' }
  | { state: 'has-submissions'; name: string; count: number }
  | { state: 'running'; submissionIds: number[] };

/** With `force` the submissions of the board go too. */
export async function deleteLeaderboard(
  sql: Sql,
  name: string,
  options: { force: boolean; reason?: string | null },
  record: ChangeRecord,
): Promise<BoardDeletion> {
  return sql.begin(async (tx) => {
    // Keeps new submissions to it waiting; they find it gone.
    const [board] = await tx<{ id: number; name: string }[]>`
      select id, name from hotlap.leaderboards where lower(name) = lower(${name}) for update`;
    if (!board) return { state: 'unknown' };
    const rows = await tx<{ id: number; open: boolean }[]>`
      select id, status in ('queued', 'running') as open from hotlap.submissions
      where leaderboard_id = ${board.id} order by id for update`;
    if (rows.length > 0 && !options.force) {
      return { state: 'has-submissions', name: board.name, count: rows.length };
    }
    const open = rows.filter((row) => row.open).map((row) => row.id);
    if ((await countRunning(tx, open)) > 0) return { state: 'running', submissionIds: open };
    await keepTrace(
      tx,
      rows.map((row) => row.id),
      record.actor.id,
    );
    // Composites of other boards that it was a member of rank nobody without it.
    await tx`select hotlap.lock_entries(${board.id}, null, true)`;
    const [hosts] = await tx<{ ids: number[] }[]>`
      select array_agg(distinct leaderboard_id) as ids from hotlap.composite_members
      where member_leaderboard_id = ${board.id} and leaderboard_id <> ${board.id}`;
    await tx`delete from hotlap.leaderboards where id = ${board.id}`;
    if (hosts?.ids) await tx`select hotlap.refresh_composites(${hosts.ids}::bigint[], null)`;
    const before = { submissions: rows.length, forced: options.force };
    await record.note(tx, { subject: `leaderboard ${board.name}`, before, reason: options.reason ?? null });
    return { state: 'deleted', name: board.name };
  });
}

/** Of one person, by name, on one board; newest first. */
export async function listSubmissionIdsOf(
  db: Db,
  of: { leaderboardId: number; userName: string },
): Promise<number[]> {
  const rows = await db<{ id: number }[]>`
    select s.id from hotlap.submissions s join hotlap.users u on u.id = s.user_id
    where s.leaderboard_id = ${of.leaderboardId} and u.name = ${of.userName} order by s.id desc`;
  return rows.map((row) => row.id);
}

async function countRunning(tx: Db, submissionIds: number[]): Promise<number> {
  const [row] = await tx<{ count: number }[]>`
    select count(*) as count from hotlap.jobs
    where submission_id = any(${submissionIds}) and status in ('leased', 'running')`;
  return row?.count ?? 0;
}

async function keepTrace(tx: Db, submissionIds: number[], deletedBy: string): Promise<void> {
  await tx`
    insert into hotlap.deleted_submissions
      (id, user_id, leaderboard, code_sha256, file_name, mode, status, scores, created_at, deleted_by)
    select s.id, s.user_id, l.name, s.code_sha256, s.file_name, s.mode, s.status,
      coalesce((
        select jsonb_agg(jsonb_build_object('gpu_type', sc.gpu_type, 'public_score', sc.public_score,
          'secret_score', sc.secret_score, 'eligible', sc.eligible) order by sc.gpu_type)
        from hotlap.submission_scores sc where sc.submission_id = s.id), '[]'),
      s.created_at, ${deletedBy}
    from hotlap.submissions s join hotlap.leaderboards l on l.id = s.leaderboard_id
    where s.id = any(${submissionIds})`;
}
