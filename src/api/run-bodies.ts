/** A run in the words of the API: what everybody may know of it, and what its owner and organisers may. */
import { z } from 'zod';
import type { ReviewView } from '../db/reviews.ts';
import type { ListedRun, RunPlace, SameCode } from '../db/runs.ts';
import { doors, modes, type RunView, type SubmissionView, submissionStatuses } from '../domain/submission.ts';
import { time } from './schemas.ts';

export const runItem = z
  .object({
    id: z.int(),
    user_id: z.string(),
    user_name: z.string(),
    leaderboard: z.string().nullable().describe('Null: a run without a board, of an organiser'),
    file_name: z.string(),
    language: z.string(),
    mode: z.enum(modes),
    door: z.enum(doors),
    status: z.enum(submissionStatuses),
    created_at: time,
    started_at: time.nullable(),
    finished_at: time.nullable(),
    gpus: z.array(z.string()),
    scores: z
      .array(z.object({ gpu: z.string(), score: z.number().nullable() }))
      .describe('Of what ranks, as the board shows it; null where the board shows none'),
    score_unit: z.string().describe('Of `scores`: `s`, `points`, or what the metric is measured in'),
  })
  .meta({ id: 'Run' });

const stageBody = z
  .object({
    gpu: z.string(),
    secret: z.boolean(),
    stage: z
      .string()
      .describe('`compile` and `warm-up` where there were such, then `test`, `benchmark`, ...'),
    passed: z.boolean(),
    score: z.number().nullable(),
    started_at: time.nullable(),
    finished_at: time.nullable(),
    duration_ms: z.number().nullable(),
    exit_code: z.int().nullable(),
    failure: z
      .object({ kind: z.string(), stage: z.string(), summary: z.string(), detail: z.string() })
      .nullable(),
    command: z.string().nullable(),
    result: z.record(z.string(), z.string()).nullable(),
    stdout: z.string().nullable(),
    stderr: z.string().nullable(),
  })
  .meta({ id: 'RunStage' });
type StageBody = z.infer<typeof stageBody>;

export const humanScore = z
  .object({
    scorer: z.string(),
    value: z.number(),
    reason: z.string(),
    judge: z.object({ id: z.string(), name: z.string() }),
    created_at: time,
    superseded_at: time.nullable().describe('Null: it counts; else when the same judge gave another'),
  })
  .meta({ id: 'HumanScore' });

export const runDetail = runItem
  .extend({
    stages: z
      .array(stageBody)
      .describe('In order. Outputs are for the owner; of secret runs nobody sees any'),
    own: z
      .object({
        reason: z.string().nullable(),
        official: z.boolean(),
        code: z.string(),
        scores: z.array(
          z.object({
            gpu: z.string(),
            public_score: z.number().nullable(),
            secret_score: z.number().nullable(),
            rank: z.int().nullable(),
            not_ranked: z.object({ cause: z.string(), phase: z.string(), next: z.string() }).nullable(),
          }),
        ),
        human_scores: z.array(humanScore).describe('Newest first by scorer, earlier revisions included'),
      })
      .nullable()
      .describe('For the owner and organisers'),
    organiser: z
      .object({
        same_code: z.object({
          total: z.int(),
          runs: z.array(
            z.object({
              id: z.int(),
              user_id: z.string(),
              user_name: z.string(),
              leaderboard: z.string().nullable(),
              created_at: time,
            }),
          ),
        }),
        jobs: z.array(
          z.object({
            gpu: z.string(),
            secret: z.boolean(),
            box: z.string().nullable(),
            configuration: z
              .string()
              .nullable()
              .describe('Equal where code, task, mode, GPU type and runner are'),
          }),
        ),
      })
      .nullable()
      .describe('For organisers'),
  })
  .meta({ id: 'RunDetail' });

export function itemBody(run: ListedRun): z.infer<typeof runItem> {
  return {
    id: run.id,
    user_id: run.userId,
    user_name: run.userName,
    leaderboard: run.leaderboard,
    file_name: run.fileName,
    language: run.language,
    mode: run.mode,
    door: run.door,
    status: run.status,
    created_at: run.createdAt.toISOString(),
    started_at: run.startedAt?.toISOString() ?? null,
    finished_at: run.finishedAt?.toISOString() ?? null,
    gpus: run.gpus,
    scores: run.scores,
    score_unit: run.scoreUnit,
  };
}

/** For everybody: that the public stages ran, and how they ended; of a run whose secret part failed nothing. */
export function publicStages(runs: RunView[], shown: ListedRun['scores']): StageBody[] {
  if (runs.some((run) => run.secret && !run.passed)) return [];
  return runs
    .filter((run) => !run.secret)
    .flatMap((run) =>
      stagesOf(run).map((stage) => ({
        ...stage,
        score: stage.score === null ? null : (shown.find((item) => item.gpu === stage.gpu)?.score ?? null),
        exit_code: null,
        failure: null,
        command: null,
        result: null,
        stdout: null,
        stderr: null,
      })),
    );
}

/** One stage of a job; before the first of a job also what compiled and warmed it up. */
export function stagesOf(run: RunView): StageBody[] {
  const none = {
    gpu: run.gpuType,
    secret: run.secret,
    score: null,
    started_at: null,
    finished_at: null,
    duration_ms: null,
    exit_code: null,
    failure: null,
    command: null,
    result: null,
    stdout: null,
    stderr: null,
  };
  const { compilation, warmup } = run;
  const before: StageBody[] = [];
  if (compilation)
    before.push({
      ...none,
      stage: 'compile',
      passed: compilation.success,
      exit_code: compilation.exitCode,
      command: compilation.command,
      stdout: compilation.stdout,
      stderr: compilation.stderr,
    });
  if (warmup)
    before.push({
      ...none,
      stage: 'warm-up',
      passed: warmup.exitCode === 0 && !warmup.timedOut,
      duration_ms: warmup.durationMs,
      exit_code: warmup.exitCode,
      stdout: warmup.stdout,
      stderr: warmup.stderr,
    });
  const outputs = run.secret
    ? {}
    : { result: Object.fromEntries(run.result), stdout: run.stdout, stderr: run.stderr };
  return [
    ...before,
    {
      ...none,
      stage: run.stage,
      passed: run.passed,
      score: run.score,
      started_at: run.startedAt.toISOString(),
      finished_at: run.finishedAt.toISOString(),
      duration_ms: run.finishedAt.getTime() - run.startedAt.getTime(),
      exit_code: run.exitCode,
      failure: run.failure,
      ...outputs,
    },
  ];
}

/** `code`: of an archive, what is in it. */
export function ownBody(
  view: SubmissionView,
  code: string,
  reviews: ReviewView[],
): z.infer<typeof runDetail>['own'] {
  return {
    reason: view.reason,
    official: view.official,
    code,
    scores: view.gpus.map((gpu) => ({
      gpu: gpu.gpuType,
      public_score: gpu.publicScore,
      secret_score: gpu.secretScore,
      rank: gpu.rank,
      not_ranked: gpu.notRanked
        ? { cause: gpu.notRanked.cause, phase: gpu.notRanked.phase, next: gpu.notRanked.next }
        : null,
    })),
    human_scores: reviews.map(humanScoreBody),
  };
}

export function humanScoreBody(review: ReviewView): z.infer<typeof humanScore> {
  return {
    scorer: review.scorer,
    value: review.value,
    reason: review.reason,
    judge: { id: review.judgeId, name: review.judgeName },
    created_at: review.createdAt.toISOString(),
    superseded_at: review.supersededAt?.toISOString() ?? null,
  };
}

export function organiserBody(
  same: { items: SameCode[]; total: number },
  places: RunPlace[],
): z.infer<typeof runDetail>['organiser'] {
  return {
    same_code: {
      total: same.total,
      runs: same.items.map((item) => ({
        id: item.id,
        user_id: item.userId,
        user_name: item.userName,
        leaderboard: item.leaderboard,
        created_at: item.createdAt.toISOString(),
      })),
    },
    jobs: places.map((place) => ({
      gpu: place.gpuType,
      secret: place.secret,
      box: place.box,
      configuration: place.configuration,
    })),
  };
}
