/**
 * The reckoning, when everything has ended: what was accepted, from the database and from what people were told; what
 * became of it, from the database and from what they can read now; how often it ran, from the witness on the boxes.
 */
import type { APIMessage } from 'discord-api-types/v10';
import { jobKey } from '../../src/domain/job.ts';
import { announced, type Load, told } from './load.ts';
import type { Stage } from './stage.ts';

export interface Verdict {
  id: number;
  /** Milliseconds since the epoch; the end is the last thing that could still go wrong. */
  openFrom: number;
  openTo: number;
  finished: boolean;
  /** One sentence for each fault found. */
  lost: string[];
  twice: string[];
  rerun: string[];
  /** The verdict is not the one that the code deserves. */
  wrong: string[];
}

interface SubmissionRow {
  id: number;
  userId: string;
  status: string;
  reason: string | null;
  fileName: string;
  createdAt: Date;
  finishedAt: Date | null;
}

interface JobRow {
  id: number;
  submissionId: number;
  status: string;
  passed: boolean | null;
  attempt: number;
  finishedAttempts: number;
  stages: number;
  distinctStages: number;
  outputs: string[];
}

interface AttemptRow {
  jobId: number;
  attempt: number;
  box: string;
  startedAt: Date;
  endedAt: Date | null;
  endedBy: string | null;
}

/** What can end an attempt on a full disk. */
const endedByFullDisk = ['disk-full', 'runner-crashed', 'sandbox-failed'];
/** From the disk being free again to the failure being written down. */
const SLACK_MS = 10_000;

export async function audit(stage: Stage, load: Load): Promise<Verdict[]> {
  stage.witness.check();
  const rows = await readRows(stage);
  const messages = await readMessages(stage);
  const bySubmission = new Map<number, { shownTo: string; message: APIMessage }[]>();
  const announcements = new Map<number, Set<string>>();
  for (const { shownTo, message } of messages) {
    const about = told(message);
    if (about) bySubmission.set(about.id, [...(bySubmission.get(about.id) ?? []), { shownTo, message }]);
    const id = announced(message);
    if (id !== null) announcements.set(id, (announcements.get(id) ?? new Set()).add(message.id));
  }

  const verdicts = rows.submissions.map((row) => {
    const jobs = rows.jobs.filter((job) => job.submissionId === row.id);
    const final = ['done', 'failed', 'cancelled'].includes(row.status);
    const results = new Set(
      (bySubmission.get(row.id) ?? [])
        .filter(({ shownTo, message }) => shownTo === row.userId && told(message)?.how !== 'state')
        .map(({ message }) => message.id),
    );
    const lost = [
      ...(final ? [] : [`#${row.id} is still ${row.status}`]),
      ...(final && results.size === 0
        ? [`#${row.id} ended as ${row.status}, and its owner was not told`]
        : []),
      ...(final && jobs.some((job) => !['finished', 'failed', 'cancelled'].includes(job.status))
        ? [`#${row.id} ended with an open job`]
        : []),
    ];
    const announcedTimes = announcements.get(row.id)?.size ?? 0;
    const twice = [
      ...(results.size > 1 ? [`#${row.id}: its owner was told ${results.size} times`] : []),
      ...(announcedTimes > 1 ? [`#${row.id} was announced ${announcedTimes} times`] : []),
      ...jobs
        .filter((job) => job.finishedAttempts > 1 || job.stages !== job.distinctStages)
        .map((job) => `#${row.id}: job ${job.id} has ${job.finishedAttempts} results, ${job.stages} runs`),
    ];
    return {
      id: row.id,
      openFrom: row.createdAt.getTime(),
      openTo: row.finishedAt?.getTime() ?? Number.POSITIVE_INFINITY,
      finished: final && results.size > 0,
      lost,
      twice,
      rerun: jobs.flatMap((job) => needlessStarts(stage, job, rows.attempts)),
      wrong: wrongVerdict(row, jobs, load),
    };
  });
  return [...verdicts, ...vanished(rows.submissions, bySubmission)];
}

/** Numbers that somebody was told, and that the database does not know. */
function vanished(rows: SubmissionRow[], told: Map<number, unknown>): Verdict[] {
  const known = new Set(rows.map((row) => row.id));
  return [...told.keys()]
    .filter((id) => !known.has(id))
    .map((id) => ({
      id,
      openFrom: 0,
      openTo: Number.POSITIVE_INFINITY,
      finished: false,
      lost: [`#${id} was accepted and is not in the database`],
      twice: [],
      rerun: [],
      wrong: [],
    }));
}

/**
 * A job may start again only after a full disk has ended its attempt. Killed bots, lost connections and databases that
 * were away explain no second start, nor does anything explain a second start of the same attempt.
 */
function needlessStarts(stage: Stage, job: JobRow, attempts: AttemptRow[]): string[] {
  const starts = stage.witness.startsOf(job.id);
  const sentences: string[] = [];
  for (let attempt = 1; attempt <= job.attempt; attempt++) {
    const times = starts.filter((start) => start.key === jobKey(job.id, attempt)).length;
    if (times > 1) sentences.push(`job ${job.id}: attempt ${attempt} started ${times} times`);
    const row = attempts.find((item) => item.jobId === job.id && item.attempt === attempt);
    if (attempt === job.attempt) {
      if (job.status === 'finished' && times === 0)
        sentences.push(`job ${job.id} has a result and never started`);
    } else if (!row || !explained(stage, row)) {
      sentences.push(`job ${job.id}: attempt ${attempt} on ${row?.box} was given up for ${row?.endedBy}`);
    }
  }
  return sentences;
}

function explained(stage: Stage, attempt: AttemptRow): boolean {
  const box = stage.boxes.find((item) => item.name === attempt.box);
  const from = attempt.startedAt.getTime();
  const to = attempt.endedAt?.getTime() ?? Number.POSITIVE_INFINITY;
  return (
    endedByFullDisk.includes(attempt.endedBy ?? '') &&
    (box?.fullTimes ?? []).some((full) => full.from <= to && from <= full.to + SLACK_MS)
  );
}

/** Whatever went wrong around it: code that passes has passed, code that fails has failed, each with its own output. */
function wrongVerdict(row: SubmissionRow, jobs: JobRow[], load: Load): string[] {
  const sent = load.sent.find(({ submission }) => submission.file.name === row.fileName);
  if (!sent) return [`#${row.id}: nobody submitted ${row.fileName}`];
  const { passes, tag } = sent.submission;
  const expected = passes ? 'done' : 'failed';
  const sentences: string[] = [];
  if (row.status === 'cancelled' ? !load.cancelled.has(row.id) : row.status !== expected) {
    sentences.push(`#${row.id} ended as ${row.status} (${row.reason}), ${expected} was right`);
  }
  if (row.status === 'failed' && jobs.some((job) => job.status === 'failed'))
    sentences.push(`#${row.id} failed by our fault`);
  for (const job of jobs) {
    // What was cancelled may have been ended before it printed anything.
    if (job.status !== 'cancelled' && job.outputs.some((output) => !output.includes(tag)))
      sentences.push(`#${row.id}: job ${job.id} holds the output of something else`);
  }
  return sentences;
}

async function readRows(stage: Stage) {
  const submissions = await stage.ask(
    (sql) => sql<SubmissionRow[]>`
      select id, user_id as "userId", status, reason, file_name as "fileName", created_at as "createdAt",
        greatest(finished_at, (select max(sent_at) from hotlap.outbox o where o.submission_id = s.id)) as "finishedAt"
      from hotlap.submissions s order by id`,
  );
  const jobs = await stage.ask(
    (sql) => sql<JobRow[]>`
      select j.id, j.submission_id as "submissionId", j.status, j.passed, j.attempt,
        (select count(*) from hotlap.job_attempts a where a.job_id = j.id and a.ended_by = 'finished')
          as "finishedAttempts",
        count(r.id) as stages, count(distinct r.stage) as "distinctStages",
        coalesce(array_agg(r.stdout) filter (where r.id is not null), '{}') as outputs
      from hotlap.jobs j left join hotlap.runs r on r.job_id = j.id group by j.id order by j.id`,
  );
  const attempts = await stage.ask(
    (sql) => sql<AttemptRow[]>`
      select a.job_id as "jobId", a.attempt, b.name as box, a.started_at as "startedAt", a.ended_at as "endedAt",
        a.ended_by as "endedBy"
      from hotlap.job_attempts a join hotlap.boxes b on b.id = a.box_id`,
  );
  return { submissions, jobs, attempts };
}

/** Everything that anybody can read at the end, ephemeral and direct messages included. */
async function readMessages(stage: Stage): Promise<{ shownTo: string; message: APIMessage }[]> {
  const found: { shownTo: string; message: APIMessage }[] = [];
  for (const user of stage.users) {
    const { messages } = await user.state();
    for (const message of Object.values(messages).flat()) found.push({ shownTo: user.id, message });
  }
  // A mention in the channel is for the one who is named.
  return found.filter(
    ({ shownTo, message }) => told(message)?.how !== 'pointer' || message.content.includes(`<@${shownTo}>`),
  );
}
