/** Leaderboards, their GPU types, and who stands where: open to everybody, closed boards to their members. */
import { z } from 'zod';
import { countBoardEntries, listBoardPage } from '../../db/board.ts';
import { readBoardPage } from '../../db/board-page.ts';
import { listLeaderboardsFor, loadTaskVersions } from '../../db/leaderboards.ts';
import { unitOf } from '../../domain/ranking-rule.ts';
import type { ServingDefinition } from '../../domain/serving-task.ts';
import { scoreUnit, type Task } from '../../domain/task.ts';
import { caseParams, servingParams } from '../benchmark-params.ts';
import { enterBoard, entered, gpuOf, pageOf } from '../board-access.ts';
import { security } from '../document.ts';
import { sendJsonText } from '../json-text.ts';
import { momentQuery, pastMoment } from '../report-bodies.ts';
import type { RouteParts, Server } from '../route.ts';
import { failures, limitQuery, nameParam, offsetQuery, time } from '../schemas.ts';

const MAX_PAGE = 1000;

const modelConfig = z
  .object({
    model_name: z.string(),
    tensor_parallel: z.int(),
    benchmark_shapes: z.array(z.object({ num_prompts: z.int(), input_len: z.int(), output_len: z.int() })),
    ranking_metric: z.string(),
    perplexity_baseline: z.number(),
    perplexity_tolerance: z.number(),
  })
  .meta({ id: 'ModelConfig' });

const taskBody = z
  .object({
    lang: z.string(),
    description: z.string(),
    files: z.record(z.string(), z.string()).describe('Name -> text; `@SUBMISSION@` is the place of yours'),
    config: z.union([z.object({ main: z.string() }), modelConfig]),
    libraries: z.array(z.string()),
    tests: z.array(z.record(z.string(), z.union([z.string(), z.number()]))),
    benchmarks: z.array(z.record(z.string(), z.union([z.string(), z.number()]))),
    test_timeout: z.int().describe('Seconds'),
    benchmark_timeout: z.int(),
    ranked_timeout: z.int(),
    ranking_by: z.string(),
    multi_gpu: z.boolean(),
    score_ascending: z.boolean().describe('True: a lower score is better'),
    score_unit: z
      .string()
      .describe('Of scores on the board: `s`, `points`, or what the metric is measured in'),
  })
  .meta({ id: 'Task' });

const boardBody = z
  .object({
    id: z.int(),
    name: z.string(),
    description: z.string(),
    deadline: time.nullable(),
    gpu_types: z.array(z.string()),
    visibility: z.enum(['public', 'closed']),
    creator_id: z.int(),
    forum_id: z.int(),
    task: taskBody,
  })
  .meta({ id: 'Leaderboard' });

/** As `readBoardPage` writes it. */
export const entryBody = z
  .object({
    submission_id: z.int(),
    rank: z.int().describe('Equal scores share a rank'),
    submission_name: z.string(),
    submission_time: time,
    submission_score: z.number().nullable().describe('Null where it is its owner’s alone'),
    leaderboard_name: z.string(),
    user_id: z.string(),
    user_name: z.string(),
    gpu_type: z.string(),
  })
  .meta({ id: 'BoardEntry' });

const boardParams = z.object({ leaderboard: nameParam, gpu: nameParam });

export function boardRoutes(server: Server, { sql, guards, limits, boardReads }: RouteParts): void {
  const tasks = new TaskBodies();

  server.get(
    '/leaderboards',
    {
      onRequest: [guards.optionalUser, limits.read],
      schema: {
        summary: 'All leaderboards that you may see',
        tags: ['boards'],
        security: security.optionalUser,
        response: { 200: z.array(boardBody), ...failures },
      },
    },
    async (request) => {
      const boards = await listLeaderboardsFor(sql, request.caller?.userId ?? null);
      const bodies = await tasks.of(
        boards.map((board) => board.taskVersionId),
        (ids) => loadTaskVersions(sql, ids),
      );
      return boards.flatMap((board) => {
        const task = bodies.get(board.taskVersionId);
        if (!task) return [];
        return {
          id: board.id,
          name: board.name,
          description: task.description,
          deadline: board.deadline?.toISOString() ?? null,
          gpu_types: board.gpus,
          visibility: board.visibility,
          creator_id: 0,
          forum_id: -1,
          // Of the scores that the board shows: its rule may say something else than the task.
          task: {
            ...task,
            score_ascending: board.scoreAscending,
            score_unit: unitOf(board.rule, board.taskUnit),
          },
        };
      });
    },
  );

  server.get(
    '/gpus/:leaderboard',
    {
      onRequest: [guards.optionalUser, limits.read],
      schema: {
        summary: 'The GPU types of a leaderboard',
        tags: ['boards'],
        security: security.optionalUser,
        params: z.object({ leaderboard: nameParam }),
        response: { 200: z.array(z.string()), ...failures },
      },
    },
    async (request) => (await enterBoard(sql, request.params.leaderboard, request.caller)).gpus,
  );

  server.get(
    '/submissions/:leaderboard/:gpu',
    {
      onRequest: [guards.optionalUser, limits.read],
      schema: {
        summary: "Everybody's best entry on one GPU type, best first",
        tags: ['boards'],
        security: security.optionalUser,
        params: boardParams,
        querystring: z.object({
          limit: limitQuery,
          offset: offsetQuery,
          as_of: momentQuery.describe(
            'The board as it was then; older than 30 days: at the midnight (UTC) before',
          ),
        }),
        response: { 200: z.array(entryBody), ...failures },
      },
    },
    async (request, reply) => {
      const page = pageOf(request.query, { fallback: MAX_PAGE, most: MAX_PAGE });
      const { leaderboard, gpu } = request.params;
      const asOf = pastMoment('as_of', request.query.as_of, new Date());
      if (asOf !== null) {
        const entered = await enterBoard(sql, leaderboard, request.caller);
        const key = { leaderboardId: entered.id, gpuType: gpuOf(entered, gpu) };
        const entries = await boardReads(() => listBoardPage(sql, key, page, asOf));
        return entries.map((entry) => entryOf(entry, entered.name, key.gpuType));
      }
      const userId = request.caller?.userId ?? null;
      const read = await boardReads(() => readBoardPage(sql, { leaderboard, gpu, userId }, page));
      const board = await entered(sql, leaderboard, request.caller, read);
      gpuOf(board, gpu);
      return sendJsonText(reply, board.text ?? '[]');
    },
  );

  server.get(
    '/submission_count/:leaderboard/:gpu',
    {
      onRequest: [guards.optionalUser, limits.read],
      schema: {
        summary: 'How many entries a board has, or how many ranked submissions one user has there',
        tags: ['boards'],
        security: security.optionalUser,
        params: boardParams,
        querystring: z.object({ user_id: z.string().max(200).optional() }),
        response: { 200: z.object({ count: z.int() }), ...failures },
      },
    },
    async (request) => {
      const board = await enterBoard(sql, request.params.leaderboard, request.caller);
      const gpuType = gpuOf(board, request.params.gpu);
      const userId = request.query.user_id ?? null;
      return { count: await countBoardEntries(sql, { leaderboardId: board.id, gpuType }, userId) };
    },
  );
}

function entryOf(
  entry: Awaited<ReturnType<typeof listBoardPage>>[number],
  leaderboard: string,
  gpuType: string,
): z.infer<typeof entryBody> {
  return {
    submission_id: entry.submissionId,
    rank: entry.rank,
    submission_name: entry.fileName,
    submission_time: entry.submittedAt.toISOString(),
    submission_score: entry.score,
    leaderboard_name: leaderboard,
    user_id: entry.userId,
    user_name: entry.team ? `${entry.team.name} (${entry.userName})` : entry.userName,
    gpu_type: gpuType,
  };
}

/** Task bodies by version. A version never changes, so each is read once; only those in use are kept. */
class TaskBodies {
  #kept = new Map<number, z.infer<typeof taskBody>>();

  async of(
    versions: number[],
    load: (ids: number[]) => Promise<{ id: number; task: Task }[]>,
  ): Promise<Map<number, z.infer<typeof taskBody>>> {
    const missing = versions.filter((id) => !this.#kept.has(id));
    const loaded = missing.length > 0 ? await load(missing) : [];
    const fresh = new Map(loaded.map(({ id, task }) => [id, bodyOf(task)]));
    for (const id of versions) {
      const known = this.#kept.get(id);
      if (known) fresh.set(id, known);
    }
    this.#kept = fresh;
    return fresh;
  }
}

function bodyOf(task: Task): z.infer<typeof taskBody> {
  return {
    lang: task.lang,
    description: task.description,
    files: task.serving ? {} : { ...task.files, [task.submissionFile]: '@SUBMISSION@' },
    config: task.serving ? modelConfigOf(task.serving) : { main: task.main },
    libraries: [],
    tests: task.tests.map(caseParams),
    benchmarks: task.benchmarks.map(caseParams),
    test_timeout: task.testTimeoutS,
    benchmark_timeout: task.benchmarkTimeoutS,
    ranked_timeout: task.rankedTimeoutS,
    ranking_by: task.rankingBy,
    multi_gpu: task.multiGpu,
    score_ascending: task.scoreAscending,
    score_unit: scoreUnit(task),
  };
}

/** In the words of task.yml. */
function modelConfigOf(serving: ServingDefinition): z.infer<typeof modelConfig> {
  return {
    model_name: serving.modelName,
    tensor_parallel: serving.tensorParallel,
    benchmark_shapes: servingParams(serving),
    ranking_metric: serving.metric,
    perplexity_baseline: serving.baseline,
    perplexity_tolerance: serving.tolerance,
  };
}
