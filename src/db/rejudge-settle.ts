/** What follows from the end of a rejudge's jobs: new verdicts beside the old ones, and the rejudge's own status. */
import { standingOf } from '../domain/rank.ts';
import type { RejudgeStatus } from '../domain/rejudge.ts';
import type { Db } from './client.ts';
import { jobStanding, type SettledJob } from './settle.ts';

/** Its jobs end on several boxes at once; each must see what the others wrote. Null when there is no such rejudge. */
export async function lockRejudge(
  tx: Db,
  rejudgeId: number,
): Promise<{ status: RejudgeStatus; leaderboardId: number } | null> {
  const [row] = await tx<{ status: RejudgeStatus; leaderboardId: number }[]>`
    select status, leaderboard_id as "leaderboardId" from hotlap.rejudges where id = ${rejudgeId} for update`;
  return row ?? null;
}

/** Brings one submission's new verdicts up to date with its jobs. Idempotent; under `lockRejudge`. */
export async function settleRejudged(tx: Db, rejudgeId: number, submissionId: number): Promise<void> {
  await tx`
    update hotlap.jobs s set status = 'cancelled', finished_at = now()
    from hotlap.jobs p
    where s.rejudge_id = ${rejudgeId} and s.submission_id = ${submissionId} and s.secret and s.status = 'queued'
      and p.rejudge_id = s.rejudge_id and p.submission_id = s.submission_id and p.gpu_type = s.gpu_type
      and not p.secret and (p.status in ('failed', 'cancelled') or (p.status = 'finished' and not p.passed))`;
  const jobs = await tx<SettledJob[]>`
    select gpu_type as "gpuType", secret, status, passed, failure, score
    from hotlap.jobs where rejudge_id = ${rejudgeId} and submission_id = ${submissionId} order by gpu_type, id`;
  for (const publicJob of jobs.filter((job) => !job.secret)) {
    const secretJob = jobs.find((job) => job.secret && job.gpuType === publicJob.gpuType);
    const [open, secret] = [jobStanding(publicJob), secretJob ? jobStanding(secretJob) : null];
    const standing = standingOf(open, secret);
    // What a box failed to find out is no verdict: the old one stays.
    const judged =
      open.state === 'failed' ||
      (open.state === 'passed' && (secret?.state === 'passed' || secret?.state === 'failed'));
    await tx`
      update hotlap.rejudge_entries set
        judged = ${judged}, public_score = ${standing.publicScore}, secret_score = ${standing.secretScore},
        eligible = ${standing.eligible}, reason = ${standing.reason}
      where rejudge_id = ${rejudgeId} and submission_id = ${submissionId} and gpu_type = ${publicJob.gpuType}`;
  }
  await finishRejudge(tx, rejudgeId);
}

/** running -> ready, when its last job has ended; organisers are told. */
export async function finishRejudge(tx: Db, rejudgeId: number): Promise<void> {
  const done = await tx`
    update hotlap.rejudges set status = 'ready', ready_at = now()
    where id = ${rejudgeId} and status = 'running' and not exists (
      select from hotlap.jobs where rejudge_id = ${rejudgeId} and status in ('queued', 'leased', 'running'))
    returning id`;
  if (done.length === 0) return;
  await tx`
    insert into hotlap.outbox (kind, dedupe_key, payload)
    values ('rejudge-notice', ${`rejudge-${rejudgeId}`}, ${tx.json({ rejudgeId })})
    on conflict (dedupe_key) do nothing`;
  await tx`select pg_notify('hotlap_outbox', '')`;
}
