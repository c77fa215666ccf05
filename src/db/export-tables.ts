/**
 * A contest as tables: submissions, runs, scores and code. Read in pages, in one snapshot, so that the tables fit each other
 * whatever happens meanwhile. Without `secrets` there is nothing of secret runs in any of them.
 */
import type { Db, Sql } from './client.ts';

export interface ExportFilter {
  /** Null: all leaderboards. */
  leaderboardIds: number[] | null;
  secrets: boolean;
}

export interface ExportedSubmission {
  id: number;
  leaderboard: string;
  userId: string;
  userName: string;
  /** That it counts for on its board; null: for its owner alone. */
  team: string | null;
  fileName: string;
  codeSha256: string;
  mode: string;
  language: string | null;
  door: string;
  status: string;
  reason: string | null;
  official: boolean;
  invalidReason: string | null;
  taskHash: string;
  createdAt: Date;
  finishedAt: Date | null;
  /** Null without `secrets`. */
  secretSeed: number | null;
}

export interface ExportedRun {
  id: number;
  submissionId: number;
  gpuType: string;
  secret: boolean;
  stage: string;
  mode: string;
  passed: boolean;
  score: number | null;
  /** Whether its submission's score comes from it: false after a rejudge was applied. */
  counts: boolean;
  startedAt: Date;
  finishedAt: Date;
  exitCode: number | null;
  failureKind: string | null;
  failureSummary: string | null;
  /** The result lines, as JSON. */
  result: string;
  stdout: string;
  stderr: string;
  /** As JSON. */
  system: string;
  sandbox: string;
}

export interface ExportedScore {
  submissionId: number;
  gpuType: string;
  publicScore: number | null;
  /** Null without `secrets`. */
  secretScore: number | null;
  eligible: boolean;
  reason: string | null;
  /** Whether it is its owner's entry on the board now. */
  isEntry: boolean;
}

export interface ExportedCode {
  sha256: string;
  content: Buffer;
}

/** Does all of the work in one snapshot of the database. */
export async function inSnapshot<T>(sql: Sql, work: (tx: Db) => Promise<T>): Promise<T> {
  const result = await sql.begin(async (tx) => {
    await tx`set transaction isolation level repeatable read, read only`;
    // Reading everything takes as long as it takes.
    await tx`set local statement_timeout = 0`;
    return { value: await work(tx) };
  });
  return result.value as T;
}

const chosen = (db: Db, { leaderboardIds }: ExportFilter) =>
  leaderboardIds === null ? db`s.leaderboard_id is not null` : db`s.leaderboard_id = any(${leaderboardIds})`;

/** Of every table: by number, from behind `after` on. */
export async function pageOfSubmissions(
  db: Db,
  filter: ExportFilter,
  after: number,
  limit: number,
): Promise<ExportedSubmission[]> {
  return db<ExportedSubmission[]>`
    select s.id, l.name as leaderboard, s.user_id as "userId", u.name as "userName", (
        select t.name from hotlap.board_teams b join hotlap.teams t on t.id = b.team_id
        where b.leaderboard_id = s.leaderboard_id and b.user_id = s.user_id) as team, s.file_name as "fileName",
      s.code_sha256 as "codeSha256", s.mode, s.language, s.door, s.status, s.reason, s.official,
      s.invalid_reason as "invalidReason", v.content_hash as "taskHash", s.created_at as "createdAt",
      s.finished_at as "finishedAt", case when ${filter.secrets} then s.secret_seed end as "secretSeed"
    from hotlap.submissions s
    join hotlap.leaderboards l on l.id = s.leaderboard_id
    join hotlap.users u on u.id = s.user_id
    join hotlap.task_versions v on v.id = s.task_version_id
    where ${chosen(db, filter)} and s.id > ${after} order by s.id limit ${limit}`;
}

export async function pageOfRuns(
  db: Db,
  filter: ExportFilter,
  after: number,
  limit: number,
): Promise<ExportedRun[]> {
  return db<ExportedRun[]>`
    select r.id, r.submission_id as "submissionId", r.gpu_type as "gpuType", r.secret, r.stage, r.mode, r.passed, r.score,
      r.counts, r.started_at as "startedAt", r.finished_at as "finishedAt", r.exit_code as "exitCode",
      r.failure ->> 'kind' as "failureKind", r.failure ->> 'summary' as "failureSummary", r.result::text as result,
      r.stdout, r.stderr, r.system::text as system, r.sandbox
    from hotlap.runs r join hotlap.submissions s on s.id = r.submission_id
    where ${chosen(db, filter)} and r.id > ${after} and (${filter.secrets} or not r.secret)
    order by r.id limit ${limit}`;
}

/** Two columns make the key: whole submissions at a time. */
export async function pageOfScores(
  db: Db,
  filter: ExportFilter,
  after: number,
  limit: number,
): Promise<ExportedScore[]> {
  return db<ExportedScore[]>`
    with page as (
      select distinct sc.submission_id as id
      from hotlap.submission_scores sc join hotlap.submissions s on s.id = sc.submission_id
      where ${chosen(db, filter)} and sc.submission_id > ${after} order by 1 limit ${limit}
    )
    select sc.submission_id as "submissionId", sc.gpu_type as "gpuType", sc.public_score as "publicScore",
      case when ${filter.secrets} then sc.secret_score end as "secretScore", sc.eligible, sc.reason,
      exists (select from hotlap.best_entries e
        where e.submission_id = sc.submission_id and e.gpu_type = sc.gpu_type) as "isEntry"
    from page p join hotlap.submission_scores sc on sc.submission_id = p.id
    order by sc.submission_id, sc.gpu_type`;
}

/** In the order of their hashes, from behind `after` on. */
export async function pageOfCode(
  db: Db,
  filter: ExportFilter,
  after: string,
  limit: number,
): Promise<ExportedCode[]> {
  return db<ExportedCode[]>`
    select c.sha256, c.content from hotlap.code_blobs c
    where c.sha256 > ${after}
      and exists (select from hotlap.submissions s where s.code_sha256 = c.sha256 and ${chosen(db, filter)})
    order by c.sha256 limit ${limit}`;
}
