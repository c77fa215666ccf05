/** Submissions: storing them, and the views that people read. Secret columns are only selected for those who may see them. */
import { createHash } from 'node:crypto';
import type { PendingQuery, Row } from 'postgres';
import {
  type Door,
  type GpuResult,
  type JobView,
  type Mode,
  NO_BOARD,
  type RunView,
  type SubmissionStatus,
  type SubmissionSummary,
  type SubmissionView,
} from '../domain/submission.ts';
import type { Db } from './client.ts';
import { listStandings } from './standings.ts';
import { shownReason } from './submission-list.ts';

/** Keeps a file under its SHA-256, once. `listing`: of an archive, what people see instead. Returns the hash. */
export async function storeCode(db: Db, bytes: Uint8Array, listing: string | null = null): Promise<string> {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  await db`
    insert into hotlap.code_blobs (sha256, content, listing) values (${sha256}, ${Buffer.from(bytes)}, ${listing})
    on conflict (sha256) do nothing`;
  return sha256;
}

export async function insertSubmission(
  db: Db,
  row: {
    userId: string;
    /** Null: a run without a board. */
    leaderboardId: number | null;
    taskVersionId: number;
    codeSha256: string;
    fileName: string;
    mode: Mode;
    door: Door;
    /** What it is written in, as boards tell it apart. */
    language: string;
    /** False: it came after the deadline, and is ranked nowhere. */
    official: boolean;
    secretSeed: number | null;
  },
): Promise<number> {
  const [inserted] = await db<{ id: number }[]>`
    insert into hotlap.submissions
      (user_id, leaderboard_id, task_version_id, code_sha256, file_name, mode, door, language,
        official, secret_seed)
    values (${row.userId}, ${row.leaderboardId}, ${row.taskVersionId}, ${row.codeSha256}, ${row.fileName},
      ${row.mode}, ${row.door}, ${row.language}, ${row.official}, ${row.secretSeed})
    returning id`;
  if (!inserted) throw new Error('inserting a submission returned no row');
  return inserted.id;
}

export interface SubmissionCode {
  userId: string;
  fileName: string;
  /** The bytes as they were sent: a text or an archive. */
  content: Buffer;
  /** Of an archive: what is in it, to be shown where a text would be. */
  listing: string | null;
}

/** Who a submission belongs to, and its code: for the one who may have it. */
export async function findSubmissionCode(db: Db, id: number): Promise<SubmissionCode | null> {
  const [row] = await db<SubmissionCode[]>`
    select s.user_id as "userId", s.file_name as "fileName", c.content, c.listing
    from hotlap.submissions s join hotlap.code_blobs c on c.sha256 = s.code_sha256
    where s.id = ${id}`;
  return row ?? null;
}

export async function findSubmissionOwner(db: Db, id: number): Promise<string | null> {
  const [row] = await db<{ userId: string }[]>`
    select user_id as "userId" from hotlap.submissions where id = ${id}`;
  return row?.userId ?? null;
}

type JobRow = Omit<JobView, 'place'> & { gpuType: string; secret: boolean };

/** `withSecrets`: the viewer is the owner or an admin. Places in the queue are not in it. Null when there is no such submission. */
export async function findSubmissionView(
  db: Db,
  id: number,
  withSecrets: boolean,
): Promise<SubmissionView | null> {
  const [row] = await db<Omit<SubmissionView, 'gpus'>[]>`
    select s.id, s.user_id as "userId", u.name as "userName", coalesce(l.name, ${NO_BOARD}) as leaderboard,
      s.file_name as "fileName", s.mode, s.status, s.reason, s.official, s.created_at as "createdAt",
      s.finished_at as "finishedAt", v.score_unit as "scoreUnit",
      (select t.name from hotlap.teams t where t.id = hotlap.team_on(s.leaderboard_id, s.user_id)) as "teamName"
    from hotlap.submissions s
    join hotlap.users u on u.id = s.user_id
    left join hotlap.leaderboards l on l.id = s.leaderboard_id
    join hotlap.task_versions v on v.id = s.task_version_id
    where s.id = ${id}`;
  if (!row) return null;
  return { ...row, gpus: await gpuResults(db, id, withSecrets) };
}

async function gpuResults(db: Db, id: number, withSecrets: boolean): Promise<GpuResult[]> {
  const jobs = await db<JobRow[]>`
    select j.id as "jobId", j.gpu_type as "gpuType", j.secret, j.status, j.passed, j.attempt, j.progress, b.name as box,
      case when not j.secret then j.failure end as failure,
      case when not j.secret or ${withSecrets} then j.score end as score,
      split_part(j.box_error, ':', 1) as "boxErrorKind",
      (select count(*) from hotlap.boxes x where x.state = 'ready' and lower(j.gpu_type) in
        (select lower(t) from unnest(x.gpu_types) t)) as "boxesReady",
      (select count(*) from hotlap.boxes x where x.state in ('offline', 'draining', 'quarantined') and lower(j.gpu_type) in
        (select lower(t) from unnest(x.gpu_types) t)) as "boxesOffline",
      (select r.sandbox from hotlap.runs r where r.job_id = j.id limit 1) as sandbox
    from hotlap.jobs j left join hotlap.boxes b on b.id = j.box_id
    where j.submission_id = ${id} and hotlap.job_counts(j) order by j.id`;
  const scores = await db<
    Pick<GpuResult, 'gpuType' | 'publicScore' | 'secretScore' | 'eligible' | 'reason' | 'rejudge'>[]
  >`
    select sc.gpu_type as "gpuType", sc.public_score as "publicScore",
      case when ${withSecrets} then sc.secret_score end as "secretScore", sc.reason,
      exists (select from hotlap.eligible_entries e
        where e.submission_id = sc.submission_id and e.gpu_type = sc.gpu_type) as eligible,
      (select json_build_object('id', r.id, 'version', n.number)
        from hotlap.rejudges r join hotlap.leaderboard_versions n
          on n.leaderboard_id = r.leaderboard_id and n.task_version_id = r.task_version_id
        where r.id = sc.rejudge_id) as rejudge
    from hotlap.submission_scores sc where sc.submission_id = ${id}`;
  const standings = await listStandings(db, id, withSecrets);
  const view = ({ gpuType: _gpu, secret: _secret, ...job }: JobRow): JobView => ({ ...job, place: null });
  return jobs
    .filter((job) => !job.secret)
    .map((publicJob) => {
      const secretJob = jobs.find((job) => job.secret && job.gpuType === publicJob.gpuType);
      const score = scores.find((item) => item.gpuType === publicJob.gpuType);
      const standing = standings.find((item) => item.gpuType === publicJob.gpuType);
      return {
        gpuType: publicJob.gpuType,
        publicJob: view(publicJob),
        secretJob: secretJob ? view(secretJob) : null,
        publicScore: score?.publicScore ?? null,
        secretScore: score?.secretScore ?? null,
        eligible: score?.eligible ?? false,
        reason: score?.reason ?? null,
        rank: standing?.rank ?? null,
        boardScore: standing?.boardScore ?? null,
        notRanked: standing?.notRanked ?? null,
        rejudge: score?.rejudge ?? null,
      };
    });
}

export interface SubmissionFilter {
  userId: string;
  leaderboardId?: number | undefined;
  status?: SubmissionStatus | undefined;
}

type SubmissionList = Promise<{ items: SubmissionSummary[]; total: number }>;

/** One user's own submissions with their secret scores, newest first. `total` counts all pages. */
export async function listOwnSubmissions(
  db: Db,
  filter: SubmissionFilter,
  page: { limit: number; offset: number },
): SubmissionList {
  return listSubmissions(db, db`s.user_id = ${filter.userId}`, filter, page);
}

/** What team mates share with a user: as their own lists have it. */
export async function listSharedSubmissions(
  db: Db,
  filter: SubmissionFilter,
  page: { limit: number; offset: number },
): SubmissionList {
  const shared = db`
    s.id in (select h.submission_id from hotlap.shared_submissions h where h.viewer_id = ${filter.userId})`;
  return listSubmissions(db, shared, filter, page);
}

async function listSubmissions(
  db: Db,
  chosen: PendingQuery<Row[]>,
  filter: Omit<SubmissionFilter, 'userId'>,
  page: { limit: number; offset: number },
): SubmissionList {
  const where = db`
    ${chosen} and s.leaderboard_id is not null
    ${filter.leaderboardId === undefined ? db`` : db`and s.leaderboard_id = ${filter.leaderboardId}`}
    ${filter.status === undefined ? db`` : db`and s.status = ${filter.status}`}`;
  const [count] = await db<{ total: number }[]>`
    select count(*) as total from hotlap.submissions s where ${where}`;
  const items = await db<SubmissionSummary[]>`
    select s.id, s.user_id as "userId", l.name as leaderboard, s.file_name as "fileName", s.mode, s.status,
      ${shownReason(db)} as reason,
      s.created_at as "createdAt", v.score_unit as "scoreUnit",
      coalesce((
        select json_agg(json_build_object('gpuType', j.gpu_type, 'publicScore', sc.public_score,
          'secretScore', sc.secret_score, 'eligible', coalesce(sc.eligible, false)) order by j.id)
        from hotlap.jobs j
        left join hotlap.submission_scores sc on sc.submission_id = s.id and sc.gpu_type = j.gpu_type
        where j.submission_id = s.id and not j.secret and hotlap.job_counts(j)), '[]') as gpus
    from hotlap.submissions s
    join hotlap.leaderboards l on l.id = s.leaderboard_id
    join hotlap.task_versions v on v.id = s.task_version_id
    where ${where} order by s.id desc limit ${page.limit} offset ${page.offset}`;
  return { items, total: count?.total ?? 0 };
}

/**
 * Every stage that ran, of the jobs that count: where a rejudge was applied, its own. Secret runs come without result, output and failure for everyone (problem-format section 5,
 * rule 8), and without their score unless `withSecrets`.
 */
export async function listRuns(db: Db, submissionId: number, withSecrets: boolean): Promise<RunView[]> {
  return db<RunView[]>`
    select r.gpu_type as "gpuType", r.secret, r.stage, r.mode, r.passed,
      case when not r.secret or ${withSecrets} then r.score end as score,
      r.started_at as "startedAt", r.finished_at as "finishedAt", r.system, r.sandbox,
      case when not r.secret then r.exit_code end as "exitCode",
      case when not r.secret then r.failure end as failure,
      case when not r.secret then r.compilation end as compilation,
      case when not r.secret then r.warmup end as warmup, r.profile,
      case when not r.secret then r.result else '[]' end as result,
      case when not r.secret then r.stdout else '' end as stdout,
      case when not r.secret then r.stderr else '' end as stderr
    from hotlap.runs r join hotlap.jobs j on j.id = r.job_id
    where r.submission_id = ${submissionId} and hotlap.job_counts(j) order by r.secret, r.gpu_type, r.id`;
}

export async function saveReplyTarget(
  db: Db,
  target: { submissionId: number; channelId: string; interactionToken: string; expiresAt: Date },
): Promise<void> {
  await db`
    insert into hotlap.submission_replies (submission_id, channel_id, interaction_token, token_expires_at)
    values (${target.submissionId}, ${target.channelId}, ${target.interactionToken}, ${target.expiresAt})`;
}

export interface ReplyTarget {
  channelId: string;
  interactionToken: string;
  /** False once Discord no longer takes the token. */
  alive: boolean;
}

export async function findReplyTarget(db: Db, submissionId: number): Promise<ReplyTarget | null> {
  const [row] = await db<ReplyTarget[]>`
    select channel_id as "channelId", interaction_token as "interactionToken", token_expires_at > now() as alive
    from hotlap.submission_replies where submission_id = ${submissionId}`;
  return row ?? null;
}

/** The message is gone: nothing is edited there any more. */
export async function expireReplyTarget(db: Db, submissionId: number): Promise<void> {
  await db`
    update hotlap.submission_replies set token_expires_at = now() where submission_id = ${submissionId}`;
}

/** Open submissions whose sender still looks at a reply that can be edited. */
export async function listAwaitedSubmissions(db: Db): Promise<number[]> {
  const rows = await db<{ id: number }[]>`
    select s.id from hotlap.submissions s join hotlap.submission_replies r on r.submission_id = s.id
    where s.status in ('queued', 'running') and r.token_expires_at > now()`;
  return rows.map((row) => row.id);
}
