/**
 * Human scores: what judges think of a submission, from 0 to 1. Every revision is kept with who gave it and why; one value
 * for each judge and scorer counts, the newest.
 */
import type { PendingQuery, Row } from 'postgres';
import type { ChangeRecord } from './audit.ts';
import type { Db, Sql } from './client.ts';
import { refreshEntries } from './ranking.ts';

export interface ScoredSubmission {
  id: number;
  userId: string;
  userName: string;
  leaderboardId: number;
  leaderboard: string;
  mode: string;
  status: string;
  ranking: unknown;
}

/** What decides whether a submission can be scored. */
export async function findScoredSubmission(db: Db, id: number): Promise<ScoredSubmission | null> {
  const [row] = await db<ScoredSubmission[]>`
    select s.id, s.user_id as "userId", u.name as "userName", s.leaderboard_id as "leaderboardId", l.name as leaderboard,
      s.mode, s.status, l.ranking
    from hotlap.submissions s
    join hotlap.leaderboards l on l.id = s.leaderboard_id
    join hotlap.users u on u.id = s.user_id
    where s.id = ${id}`;
  return row ?? null;
}

/** The team that both are in, or by which the entries of both count on a board: there it is that of its deadline. */
const sharedTeam = (db: Db, leaderboardId: number, a: PendingQuery<Row[]>, b: PendingQuery<Row[]>) => db`
  select t.name from hotlap.teams t where t.id in (
      select m.team_id from hotlap.team_members m where m.user_id = ${a} and m.left_at = 'infinity'
      intersect select m.team_id from hotlap.team_members m where m.user_id = ${b} and m.left_at = 'infinity')
    or t.id in (
      select m.team_id from hotlap.board_teams m where m.leaderboard_id = ${leaderboardId} and m.user_id = ${a}
      intersect select m.team_id from hotlap.board_teams m where m.leaderboard_id = ${leaderboardId} and m.user_id = ${b})`;

/** Null: what one of them sends there is nothing to the other. */
export async function findSharedTeam(
  db: Db,
  leaderboardId: number,
  a: string,
  b: string,
): Promise<string | null> {
  const [team] = await db<{ name: string }[]>`${sharedTeam(db, leaderboardId, db`${a}`, db`${b}`)} limit 1`;
  return team?.name ?? null;
}

export interface NewReview {
  submissionId: number;
  scorer: string;
  judgeId: string;
  /** 0 to 1. */
  value: number;
  reason: string;
}

/** Stores it in place of the judge's last one and ranks the owner anew. Returns that last value, if there was one. */
export async function storeReview(
  sql: Sql,
  review: NewReview,
  record?: ChangeRecord,
): Promise<{ id: number; replaced: number | null }> {
  return sql.begin(async (tx) => {
    const [submission] = await tx<{ leaderboardId: number; userId: string }[]>`
      select leaderboard_id as "leaderboardId", user_id as "userId" from hotlap.submissions
      where id = ${review.submissionId} for update`;
    if (!submission) throw new Error(`submission ${review.submissionId} is not there`);
    const [before] = await tx<{ value: number }[]>`
      update hotlap.reviews set superseded_at = now()
      where submission_id = ${review.submissionId} and scorer = ${review.scorer} and judge_id = ${review.judgeId}
        and superseded_at is null
      returning value`;
    const [row] = await tx<{ id: number }[]>`
      insert into hotlap.reviews (submission_id, scorer, judge_id, value, reason)
      values (${review.submissionId}, ${review.scorer}, ${review.judgeId}, ${review.value}, ${review.reason})
      returning id`;
    if (!row) throw new Error('inserting a human score returned no row');
    await refreshEntries(tx, {
      leaderboardId: submission.leaderboardId,
      gpuTypes: null,
      userIds: [submission.userId],
    });
    const { scorer, value, reason } = review;
    const replaced = before?.value ?? null;
    await record?.note(tx, {
      subject: `submission ${review.submissionId}`,
      before: { scorer, value: replaced },
      after: { scorer, value },
      reason,
    });
    return { id: row.id, replaced };
  });
}

export interface ReviewView {
  id: number;
  scorer: string;
  judgeId: string;
  judgeName: string;
  value: number;
  reason: string;
  createdAt: Date;
  /** Null: it counts. */
  supersededAt: Date | null;
}

/** Of one submission, by scorer, newest first; earlier revisions included. */
export async function listReviews(db: Db, submissionId: number): Promise<ReviewView[]> {
  return db<ReviewView[]>`
    select r.id, r.scorer, r.judge_id as "judgeId", u.name as "judgeName", r.value, r.reason, r.created_at as "createdAt",
      r.superseded_at as "supersededAt"
    from hotlap.reviews r join hotlap.users u on u.id = r.judge_id
    where r.submission_id = ${submissionId} order by r.scorer, r.created_at desc, r.id desc`;
}

/** A submission that a judge has not scored in full. */
export interface UnscoredSubmission {
  id: number;
  userName: string;
  fileName: string;
  createdAt: Date;
  /** Scorers of the board without a value by this judge. */
  missing: string[];
  /** Of those, the ones for which nobody has given a value. */
  missingAtAll: string[];
}

/**
 * What is left for a judge on a board: of everybody but the judge and their team, the newest ranked submission that passed somewhere;
 * those that nobody has scored first, then oldest first.
 */
export async function listUnscored(
  db: Db,
  of: { leaderboardId: number; judgeId: string; scorers: string[] },
  page: { limit: number; offset: number },
): Promise<{ items: UnscoredSubmission[]; total: number }> {
  const unscored = db`
    select s.*, array(
        select name from unnest(${of.scorers}::text[]) with ordinality n (name, i) where not exists (
          select from hotlap.reviews r where r.submission_id = s.id and r.scorer = n.name
            and r.judge_id = ${of.judgeId} and r.superseded_at is null) order by i) as missing,
      array(
        select name from unnest(${of.scorers}::text[]) with ordinality n (name, i) where not exists (
          select from hotlap.reviews r where r.submission_id = s.id and r.scorer = n.name
            and r.superseded_at is null) order by i) as missing_at_all
    from (
      select distinct on (s.user_id) s.id, s.user_id, s.file_name, s.created_at
      from hotlap.submissions s
      where s.leaderboard_id = ${of.leaderboardId} and s.mode = 'leaderboard' and s.status in ('done', 'failed')
        and s.user_id <> ${of.judgeId} and s.invalidated_at is null
        and not exists (${sharedTeam(db, of.leaderboardId, db`${of.judgeId}`, db`s.user_id`)})
        and exists (select from hotlap.submission_scores sc where sc.submission_id = s.id and sc.eligible)
      order by s.user_id, s.id desc
    ) s`;
  const [count] = await db<{ total: number }[]>`
    select count(*) as total from (${unscored}) s where cardinality(s.missing) > 0`;
  const items = await db<UnscoredSubmission[]>`
    select s.id, u.name as "userName", s.file_name as "fileName", s.created_at as "createdAt", s.missing,
      s.missing_at_all as "missingAtAll"
    from (${unscored}) s join hotlap.users u on u.id = s.user_id
    where cardinality(s.missing) > 0
    order by cardinality(s.missing_at_all) = 0, s.created_at, s.id
    limit ${page.limit} offset ${page.offset}`;
  return { items, total: count?.total ?? 0 };
}
