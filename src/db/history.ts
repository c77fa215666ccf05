/** How boards and submissions came to where they are: what the pictures are drawn from. */
import type { PendingQuery, Row } from 'postgres';
import type { BoardKey } from './board.ts';
import type { Db } from './client.ts';

export interface ImprovementRow {
  at: Date;
  score: number;
}

/** Of each of the `first` users, with their team mates, the entries that beat all their earlier ones. */
const improvements = (db: Db, key: BoardKey) => db`
  select holder, achieved_at, shown_score from (
    select f.user_id as holder, e.achieved_at, e.shown_score, e.sort_key, min(e.sort_key) over (
      partition by f.user_id order by e.achieved_at, e.submission_id
      rows between unbounded preceding and 1 preceding) as best_before
    from first f
    cross join lateral unnest(hotlap.with_mates(${key.leaderboardId}, array[f.user_id])) mate
    join hotlap.eligible_entries e
      on e.leaderboard_id = ${key.leaderboardId} and e.gpu_type = ${key.gpuType} and e.user_id = mate
  ) entry
  where best_before is null or sort_key < best_before`;

/** The first `top` of a board in its order, teams by their names, each with what they improved, and the board's record. What all may see. */
export async function loadBoardHistory(
  db: Db,
  key: BoardKey,
  top: number,
): Promise<{ people: { name: string; improvements: ImprovementRow[] }[]; record: ImprovementRow[] }> {
  const people = await db<{ userId: string; name: string; at: Date; score: number }[]>`
    with first as (
      select e.user_id, e.team_id, row_number() over (order by e.sort_key, e.achieved_at, e.submission_id) as place
      from (
        select * from hotlap.best_entries
        where leaderboard_id = ${key.leaderboardId} and gpu_type = ${key.gpuType}
        order by sort_key, achieved_at, submission_id limit ${top}
      ) e
    )
    select f.user_id as "userId", coalesce(t.name, u.name) as name, i.achieved_at as at, i.shown_score as score
    from (${improvements(db, key)}) i
    join first f on f.user_id = i.holder join hotlap.users u on u.id = f.user_id
    left join hotlap.teams t on t.id = f.team_id
    where i.shown_score is not null
    order by f.place, i.achieved_at`;
  const record = await db<ImprovementRow[]>`
    select achieved_at as at, shown_score as score from (
      select r.*, min(r.sort_key) over (
        order by r.achieved_at, r.submission_id rows between unbounded preceding and 1 preceding) as best_before
      from hotlap.board_records r
      where r.leaderboard_id = ${key.leaderboardId} and r.track = ${key.gpuType}
    ) line
    where (best_before is null or sort_key < best_before) and shown_score is not null
    order by achieved_at, submission_id`;
  const byUser = new Map<string, { name: string; improvements: ImprovementRow[] }>();
  for (const { userId, name, at, score } of people) {
    const person = byUser.get(userId) ?? { name, improvements: [] };
    person.improvements.push({ at, score });
    byUser.set(userId, person);
  }
  return { people: [...byUser.values()], record };
}

/** The scores of everybody who is ranked that all may see, and the place among them of one user, or of their team. */
export async function loadBoardSpread(
  db: Db,
  key: BoardKey,
  userId: string,
): Promise<{ scores: number[]; mine: { score: number; rank: number } | null }> {
  const rows = await db<{ isMine: boolean; score: number; rank: number }[]>`
    select user_id = (select hotlap.entry_holder(${key.leaderboardId}, ${key.gpuType}, ${userId})) as "isMine",
      shown_score as score, rank() over (order by sort_key) as rank
    from hotlap.best_entries
    where leaderboard_id = ${key.leaderboardId} and gpu_type = ${key.gpuType} and shown_score is not null`;
  const mine = rows.find((row) => row.isMine);
  return { scores: rows.map((row) => row.score), mine: mine ? { score: mine.score, rank: mine.rank } : null };
}

export interface TimedRun {
  submissionId: number;
  gpuType: string;
  /** Lines of the result pipe: `[["benchmark.0.mean", "1234.5"], ...]`. */
  result: [string, string][];
}

/** Public runs only; of each submission the ranked stage, or the benchmark where there is none. */
const timedRuns = (db: Db, where: PendingQuery<Row[]>) => db`
  select distinct on (r.submission_id, r.gpu_type) r.submission_id as "submissionId", r.gpu_type as "gpuType", r.result
  from hotlap.runs r join hotlap.submissions s on s.id = r.submission_id
  where not r.secret and r.counts and r.passed and r.mode in ('benchmark', 'leaderboard') and ${where}
  order by r.submission_id desc, r.gpu_type, r.mode = 'leaderboard' desc, r.id desc`;

/** One user's timed runs on a board and GPU type, oldest first; the newest `limit` of them. */
export async function listOwnTimedRuns(
  db: Db,
  of: { userId: string; leaderboardId: number; gpuType: string },
  limit: number,
): Promise<TimedRun[]> {
  const where = db`
    s.user_id = ${of.userId} and s.leaderboard_id = ${of.leaderboardId} and r.gpu_type = ${of.gpuType}`;
  const rows = await db<TimedRun[]>`${timedRuns(db, where)} limit ${limit}`;
  return rows.reverse();
}

/** One submission's timed runs, one for each GPU type. */
export async function listTimedRuns(db: Db, submissionId: number): Promise<TimedRun[]> {
  return db<TimedRun[]>`${timedRuns(db, db`r.submission_id = ${submissionId}`)}`;
}
