/** A submission in the words of the clients that exist: what its states are called, and what its bodies hold. */
import { z } from 'zod';
import type { ListedSubmission, SubmissionDetail } from '../db/submission-list.ts';
import { failureLabels } from '../domain/rank.ts';
import type { SubmissionStatus } from '../domain/submission.ts';
import { type QueueObject, queueObject, time } from './schemas.ts';

const score = z.number().nullable();
const secretScores = z
  .record(z.string(), score)
  .describe('By GPU type: the score of the run with the secret seed; null: not run, or not passed');

export const listItem = z
  .object({
    id: z.int(),
    leaderboard_name: z.string(),
    file_name: z.string(),
    submission_time: time,
    done: z.boolean(),
    runs: z
      .array(z.object({ gpu_type: z.string(), score }))
      .describe(
        'Public runs that passed, of a ranked submission that has ended; none once a secret run failed',
      ),
    mode: z.string(),
    status: z.enum(['pending', 'failed', 'done']),
    reason: z.string().nullable().describe('Why it failed or is not ranked'),
    secret_score: score.describe('The best over GPU types, by the direction of the board'),
    secret_scores: secretScores,
  })
  .meta({ id: 'SubmissionListItem' });

export const detailBody = z
  .object({
    id: z.int(),
    leaderboard_id: z.int(),
    leaderboard_name: z.string(),
    file_name: z.string(),
    user_id: z.string(),
    submission_time: time,
    done: z.boolean(),
    code: z.string(),
    runs: z.array(
      z.object({
        start_time: time,
        end_time: time,
        mode: z.string(),
        secret: z.boolean(),
        runner: z.string().describe('The GPU type'),
        score,
        passed: z.boolean(),
        result: z
          .record(z.string(), z.string())
          .optional()
          .describe(
            'The result lines of public test and benchmark runs; of a model task, of the ranked one too',
          ),
      }),
    ),
    job: z.object({
      status: z.enum(['pending', 'running', 'succeeded', 'failed', 'hacked']),
      error: z.string().nullable(),
      last_heartbeat: time.nullable(),
    }),
    runner_queue: queueObject.nullable().describe('While it waits or runs'),
    mode: z.string(),
    status: z.enum(['pending', 'failed', 'done']),
    reason: z.string().nullable(),
    secret_score: score,
    secret_scores: secretScores,
    score_unit: z.string().describe('`s`, or what the metric of a model task is measured in'),
    score_ascending: z.boolean().describe('True: a lower score is better'),
  })
  .meta({ id: 'Submission' });

/** Their three words for our six. */
export const listStatus = {
  queued: 'pending',
  running: 'pending',
  done: 'done',
  failed: 'failed',
  cancelled: 'failed',
  rejected: 'failed',
} as const satisfies Record<SubmissionStatus, string>;

/** What polling clients stop at: `failed` and `hacked` before anything else, then `done`. */
export const jobStatus = {
  queued: 'pending',
  running: 'running',
  done: 'succeeded',
  failed: 'failed',
  cancelled: 'failed',
  rejected: 'hacked',
} as const satisfies Record<SubmissionStatus, string>;

export function isDone(status: SubmissionStatus): boolean {
  return status !== 'queued' && status !== 'running';
}

export function listBody(row: ListedSubmission): z.infer<typeof listItem> {
  return {
    id: row.id,
    leaderboard_name: row.leaderboard,
    file_name: cuttableName(row.fileName),
    submission_time: row.createdAt.toISOString(),
    done: isDone(row.status),
    runs: row.shownRuns,
    mode: row.mode,
    status: listStatus[row.status],
    reason: row.reason,
    secret_score: row.secretScore,
    secret_scores: row.secretScores,
  };
}

export function submissionBody(row: SubmissionDetail, queue: QueueObject | null): z.infer<typeof detailBody> {
  return {
    ...listBody(row),
    file_name: row.fileName,
    leaderboard_id: row.leaderboardId,
    user_id: row.userId,
    score_unit: row.scoreUnit,
    score_ascending: row.scoreAscending,
    code: row.code.toString('utf8'),
    runs: row.runs.map((run) => ({
      start_time: new Date(run.startedAt).toISOString(),
      end_time: new Date(run.finishedAt).toISOString(),
      mode: run.mode,
      secret: run.secret,
      runner: run.gpu,
      score: run.score,
      passed: run.passed,
      ...(run.result && { result: Object.fromEntries(run.result) }),
    })),
    job: {
      status: jobStatus[row.status],
      error: errorText(row),
      last_heartbeat: row.heartbeatAt?.toISOString() ?? null,
    },
    runner_queue: queue,
  };
}

/** One line: the reason, and of public runs what exactly failed. Clients print it and end with a failure. */
export function errorText(row: Pick<SubmissionDetail, 'status' | 'reason' | 'failures'>): string | null {
  if (!isDone(row.status) || row.status === 'done') return null;
  const summaries = row.failures.map(
    ({ gpu, failure }) => `${gpu}: ${failureLabels[failure.kind]} (${failure.stage}): ${failure.summary}`,
  );
  const others = (row.reason ?? '').split('; ').filter((part) => {
    const told = row.failures.some(({ gpu }) => part.startsWith(`${gpu}: `));
    return part !== '' && !told;
  });
  return [...summaries, ...others].join('; ') || row.status;
}

/** The same for a page of the list as JSON text. Names beyond ASCII are rare. */
export function cuttableNames(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all that is not ASCII
  if (!/[^\x00-\x7f]/.test(text)) return text;
  const items = JSON.parse(text) as { file_name: string }[];
  return JSON.stringify(items.map((item) => ({ ...item, file_name: cuttableName(item.file_name) })));
}

const CUT_AT = 16;
const CUT_FROM = 19;

/**
 * The one client that lists submissions cuts longer names at the 16th byte, and ends where that is in the middle of a
 * character: the whole list would be lost for one name. That character becomes underscores of the same length.
 */
export function cuttableName(name: string): string {
  if (Buffer.byteLength(name) <= CUT_FROM) return name;
  let bytes = 0;
  let safe = '';
  for (const character of name) {
    const length = Buffer.byteLength(character);
    safe += bytes < CUT_AT && bytes + length > CUT_AT ? '_'.repeat(length) : character;
    bytes += length;
  }
  return safe;
}
