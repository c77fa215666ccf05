/** What follows from the states of a submission's jobs: cancelled partners, scores, best entries, its own status. */

import { type JobStanding, standingOf } from '../domain/rank.ts';
import type { Failure } from '../domain/stage-failure.ts';
import type { JobStatus, Mode } from '../domain/submission.ts';
import type { Db } from './client.ts';
import { oweSubmissionNotices } from './notices.ts';
import { giveBackQuota } from './quota.ts';
import { refreshEntries } from './ranking.ts';

/** Two jobs of one submission may end at the same moment; the second must see what the first wrote. */
export async function lockSubmission(tx: Db, submissionId: number): Promise<void> {
  await tx`select id from hotlap.submissions where id = ${submissionId} for update`;
}

export interface SettledJob {
  gpuType: string;
  secret: boolean;
  status: JobStatus;
  passed: boolean | null;
  failure: Failure | null;
  score: number | null;
}

/** Brings everything that depends on a submission's jobs up to date with them. Idempotent. */
export async function settleSubmission(tx: Db, submissionId: number): Promise<void> {
  // A secret run after a failed public one would decide nothing: its lane is better used for somebody else.
  await tx`
    update hotlap.jobs s set status = 'cancelled', finished_at = now()
    from hotlap.jobs p
    where s.submission_id = ${submissionId} and s.rejudge_id is null and s.remeasure is null and s.secret and s.status = 'queued'
      and p.submission_id = s.submission_id and p.rejudge_id is null and p.remeasure is null and p.gpu_type = s.gpu_type and not p.secret
      and (p.status in ('failed', 'cancelled') or (p.status = 'finished' and not p.passed))`;
  const [submission] = await tx<{ mode: Mode; userId: string; leaderboardId: number; cancelled: boolean }[]>`
    select mode, user_id as "userId", leaderboard_id as "leaderboardId", cancelled_at is not null as cancelled
    from hotlap.submissions where id = ${submissionId}`;
  const jobs = await tx<SettledJob[]>`
    select gpu_type as "gpuType", secret, status, passed, failure, score
    from hotlap.jobs
    where submission_id = ${submissionId} and rejudge_id is null and remeasure is null order by gpu_type, id`;
  if (!submission) throw new Error(`submission ${submissionId} is not there`);

  const reasons: string[] = [];
  for (const publicJob of jobs.filter((job) => !job.secret)) {
    const secretJob = jobs.find((job) => job.secret && job.gpuType === publicJob.gpuType);
    const standing = standingOf(jobStanding(publicJob), secretJob ? jobStanding(secretJob) : null);
    if (standing.reason) reasons.push(`${publicJob.gpuType}: ${standing.reason}`);
    if (submission.mode !== 'leaderboard') continue;
    await tx`
      insert into hotlap.submission_scores
        (submission_id, gpu_type, public_score, secret_score, eligible, reason)
      values (${submissionId}, ${publicJob.gpuType}, ${standing.publicScore}, ${standing.secretScore},
        ${standing.eligible}, ${standing.reason})
      on conflict (submission_id, gpu_type) do update set
        public_score = excluded.public_score, secret_score = excluded.secret_score, eligible = excluded.eligible,
        reason = excluded.reason, updated_at = now()
      where submission_scores.rejudge_id is null`;
  }
  if (submission.mode === 'leaderboard') await refreshAll(tx, submission, jobs);

  const open = jobs.some((job) => ['queued', 'leased', 'running'].includes(job.status));
  if (!open) await closeSubmission(tx, submissionId, submission, jobs, reasons);
  // Last, because it looks at all of the above.
  await tx`select hotlap.summarise_submission(${submissionId})`;
}

async function closeSubmission(
  tx: Db,
  submissionId: number,
  submission: { cancelled: boolean },
  jobs: SettledJob[],
  reasons: string[],
): Promise<void> {
  const stopped = jobs.filter((job) => job.status === 'cancelled').length;
  // Without its sender's word too, where somebody ended every job on the boxes themselves.
  const cancelled = stopped === jobs.length || (submission.cancelled && stopped > 0);
  const status = cancelled ? 'cancelled' : reasons.length > 0 ? 'failed' : 'done';
  const closed = await tx`
    update hotlap.submissions set status = ${status}, finished_at = now(), reason = ${reasons.join('; ') || null}
    where id = ${submissionId} and status in ('queued', 'running') returning id`;
  if (closed.length === 0) return;
  if (jobs.some((job) => job.status === 'failed')) await giveBackQuota(tx, submissionId);
  await oweMessages(tx, submissionId);
}

export function jobStanding(job: SettledJob): JobStanding {
  const state = {
    queued: 'open',
    leased: 'open',
    running: 'open',
    failed: 'our-fault',
    cancelled: 'cancelled',
    finished: job.passed ? 'passed' : 'failed',
  } as const;
  return { state: state[job.status], score: job.score, failure: job.failure };
}

/** Once for all GPU types: the locks are taken in one order. */
async function refreshAll(
  tx: Db,
  submission: { leaderboardId: number; userId: string },
  jobs: SettledJob[],
): Promise<void> {
  const gpuTypes = [...new Set(jobs.map((job) => job.gpuType))];
  const { leaderboardId, userId } = submission;
  await refreshEntries(tx, { leaderboardId, gpuTypes, userIds: [userId] });
}

/** Nobody changes an entry of the board until the end of the transaction. After the locks of submissions, never before. */
export async function lockBestEntries(tx: Db, leaderboardId: number): Promise<void> {
  await tx`select hotlap.lock_entries(${leaderboardId}, null, false)`;
}

/** The owner's result, an announcement where the submission is ranked on some GPU type, and notices that people asked for. */
async function oweMessages(tx: Db, submissionId: number): Promise<void> {
  await tx`
    insert into hotlap.outbox (kind, submission_id, dedupe_key)
    select 'result', s.id, 'result-' || s.id || '-' || s.rerun
    from hotlap.submission_replies r join hotlap.submissions s on s.id = r.submission_id
    where r.submission_id = ${submissionId}
    on conflict (dedupe_key) do nothing`;
  await tx`
    insert into hotlap.outbox (kind, submission_id, dedupe_key)
    select 'announcement', s.id, 'announcement-' || s.id || '-' || s.rerun
    from hotlap.submissions s
    join hotlap.leaderboards l on l.id = s.leaderboard_id
    where s.id = ${submissionId} and l.visibility = 'public'
      and exists (select from hotlap.eligible_entries e where e.submission_id = s.id)
    on conflict (dedupe_key) do nothing`;
  await oweSubmissionNotices(tx, submissionId);
  await tx`select pg_notify('hotlap_outbox', '')`;
}
