/** Reading a board: the order among eligible entries. Ties share a rank; inside a tie the earlier one stands first. */
import type { BoardEntry } from '../domain/submission.ts';
import type { Db } from './client.ts';

export interface BoardKey {
  leaderboardId: number;
  gpuType: string;
  scoreAscending: boolean;
}

/** One page of a board and how many entries it has in all. */
export async function listBoardEntries(
  db: Db,
  key: BoardKey,
  page: { limit: number; offset: number },
): Promise<{ entries: BoardEntry[]; total: number }> {
  const [count] = await db<{ total: number }[]>`
    select count(*) as total from hotlap.best_entries
    where leaderboard_id = ${key.leaderboardId} and gpu_type = ${key.gpuType}`;
  const entries = await db<BoardEntry[]>`
    select ranked.rank, ranked.user_id as "userId", u.name as "userName",
      ranked.submission_id as "submissionId", ranked.score, ranked.achieved_at as "achievedAt",
      case when judge.judging_mark <> live.judging_mark then (
        select n.number from hotlap.leaderboard_versions n
        where n.leaderboard_id = ranked.leaderboard_id and n.task_version_id = judge.id) end as "oldVersion"
    from (
      -- Ordered and cut before anything is joined: the rest of a long board is only ranked.
      select * from (
        select e.*, hotlap.sort_score(e.score, ${key.scoreAscending}) as sort_score,
          rank() over (order by hotlap.sort_score(e.score, ${key.scoreAscending})) as rank
        from hotlap.best_entries e
        where e.leaderboard_id = ${key.leaderboardId} and e.gpu_type = ${key.gpuType}
      ) board
      order by sort_score, achieved_at, submission_id limit ${page.limit} offset ${page.offset}
    ) ranked
    join hotlap.users u on u.id = ranked.user_id
    join hotlap.submissions s on s.id = ranked.submission_id
    join hotlap.leaderboards l on l.id = ranked.leaderboard_id
    join hotlap.task_versions live on live.id = l.task_version_id
    left join hotlap.submission_scores sc on sc.submission_id = s.id and sc.gpu_type = ranked.gpu_type
    left join hotlap.rejudges r on r.id = sc.rejudge_id
    join hotlap.task_versions judge on judge.id = coalesce(r.task_version_id, s.task_version_id)
    order by ranked.sort_score, ranked.achieved_at, ranked.submission_id`;
  return { entries, total: count?.total ?? 0 };
}

/** Entries of a board that were judged by something else than what its task now judges by. */
export async function countOutdatedEntries(db: Db, key: BoardKey): Promise<number> {
  const [row] = await db<{ count: number }[]>`
    select count(*) as count
    from hotlap.best_entries e
    join hotlap.submissions s on s.id = e.submission_id
    join hotlap.leaderboards l on l.id = e.leaderboard_id
    join hotlap.task_versions live on live.id = l.task_version_id
    left join hotlap.submission_scores sc on sc.submission_id = e.submission_id and sc.gpu_type = e.gpu_type
    left join hotlap.rejudges r on r.id = sc.rejudge_id
    join hotlap.task_versions judge on judge.id = coalesce(r.task_version_id, s.task_version_id)
    where e.leaderboard_id = ${key.leaderboardId} and e.gpu_type = ${key.gpuType}
      and judge.judging_mark <> live.judging_mark`;
  return row?.count ?? 0;
}

/** How many people are ranked on each GPU type, and the best score there: for `/leaderboard list`. */
export async function listBoardTops(
  db: Db,
): Promise<{ leaderboardId: number; gpuType: string; entries: number; bestScore: number }[]> {
  return db<{ leaderboardId: number; gpuType: string; entries: number; bestScore: number }[]>`
    select e.leaderboard_id as "leaderboardId", e.gpu_type as "gpuType", count(*) as entries,
      case when l.score_ascending then min(e.score) else max(e.score) end as "bestScore"
    from hotlap.best_entries e join hotlap.leaderboards l on l.id = e.leaderboard_id
    group by e.leaderboard_id, e.gpu_type, l.score_ascending`;
}

/** What the HTTP API shows: best entries with their file names, read in the order of an index, ranks counted on the way. */
export async function listBoardPage(
  db: Db,
  key: BoardKey,
  page: { limit: number; offset: number },
): Promise<(BoardEntry & { fileName: string; submittedAt: Date })[]> {
  // Two spellings, so that each one's order is that of its index.
  const order = key.scoreAscending ? db`e.score` : db`e.score desc`;
  return db<(BoardEntry & { fileName: string; submittedAt: Date })[]>`
    select ranked.rank, ranked.user_id as "userId", u.name as "userName", ranked.submission_id as "submissionId",
      ranked.score, ranked.achieved_at as "achievedAt", s.file_name as "fileName", s.created_at as "submittedAt"
    from (
      select e.user_id, e.submission_id, e.score, e.achieved_at, rank() over (order by ${order}) as rank
      from hotlap.best_entries e
      where e.leaderboard_id = ${key.leaderboardId} and e.gpu_type = ${key.gpuType}
      order by ${order}, e.achieved_at, e.submission_id limit ${page.limit} offset ${page.offset}
    ) ranked
    join hotlap.users u on u.id = ranked.user_id
    join hotlap.submissions s on s.id = ranked.submission_id
    order by ranked.rank, ranked.achieved_at, ranked.submission_id`;
}

/** Entries on a board; with a user, that user's eligible submissions there. */
export async function countBoardEntries(
  db: Db,
  key: Pick<BoardKey, 'leaderboardId' | 'gpuType'>,
  userId: string | null,
): Promise<number> {
  const [row] =
    userId === null
      ? await db<{ count: number }[]>`
          select count(*) as count from hotlap.best_entries
          where leaderboard_id = ${key.leaderboardId} and gpu_type = ${key.gpuType}`
      : await db<{ count: number }[]>`
          select count(*) as count from hotlap.eligible_entries
          where leaderboard_id = ${key.leaderboardId} and gpu_type = ${key.gpuType} and user_id = ${userId}`;
  return row?.count ?? 0;
}
