/** For organisers: a file on a box without a board, and a known-good run on every box. */
import { z } from 'zod';
import { ageText } from '../../domain/run-configuration.ts';
import { acceptRun, examineRun } from '../../intake/free-run.ts';
import { startVerify } from '../../intake/verify.ts';
import { adminOf } from '../auth.ts';
import { recordOf } from '../changes.ts';
import { security } from '../document.ts';
import type { RouteParts, Server } from '../route.ts';
import { failures, flagQuery, nameParam, time } from '../schemas.ts';
import { readUpload } from '../upload.ts';

const UPLOAD_TIMEOUT_MS = 120_000;
const problem = nameParam.optional().describe('The leaderboard by whose problem the file is judged');

export function adminRunRoutes(server: Server, { sql, guards, runs }: RouteParts): void {
  const tags = { tags: ['admin'], security: security.admin };

  server.post(
    '/admin/runs',
    {
      onRequest: guards.admin,
      handlerTimeout: UPLOAD_TIMEOUT_MS,
      schema: {
        ...tags,
        consumes: ['multipart/form-data'],
        summary: 'Run a file without a board; in test mode the answer may come from an earlier run',
        querystring: z.object({
          problem: problem.describe(
            'Left out: a Python program on its own, which passes when it ends with 0',
          ),
          mode: nameParam.optional().describe('test (default), benchmark or profile'),
          gpu: nameParam.optional(),
          box: nameParam.optional().describe('The only one that may run it; left out: any of the GPU type'),
          fresh: flagQuery.describe('Run it even where the answer is known'),
        }),
        response: {
          200: z.object({
            status: z.enum(['accepted', 'stored']),
            id: z.int().describe('Of the run: GET /runs/{id}'),
            answered_from: z
              .object({ id: z.int(), finished_at: time, age_seconds: z.int(), label: z.string() })
              .nullable()
              .describe('The earlier run whose answer this is; null: it was queued'),
          }),
          ...failures,
        },
      },
    },
    async (request) => {
      const file = await readUpload(request);
      const wish = request.query;
      const { gpu = null, box = null, mode = null } = wish;
      const run = await examineRun(sql, file, { problem: wish.problem ?? null, mode, gpu, box });
      const { id, stored } = await acceptRun(
        sql,
        run,
        { user: adminOf(request), door: 'api', reply: null },
        { fresh: wish.fresh ?? false, runnerHash: runs.runnerHash },
      );
      const record = recordOf(request);
      if (stored) record.settle();
      else
        await record.note(sql, {
          subject: `run ${id}`,
          after: {
            problem: wish.problem ?? null,
            mode: run.mode,
            gpu: run.gpuType,
            box: run.box?.name ?? null,
          },
        });
      if (!stored) return { status: 'accepted' as const, id, answered_from: null };
      const ageMs = Date.now() - stored.finishedAt.getTime();
      return {
        status: 'stored' as const,
        id,
        answered_from: {
          id,
          finished_at: stored.finishedAt.toISOString(),
          age_seconds: Math.max(0, Math.floor(ageMs / 1000)),
          label: `answered from run #${id}, ${ageText(ageMs)}`,
        },
      };
    },
  );

  server.post(
    '/admin/verify',
    {
      onRequest: guards.admin,
      schema: {
        ...tags,
        summary: 'Start a known-good run on every box; each is a run to be asked for',
        querystring: z.object({ problem, box: nameParam.optional().describe('Only this one') }),
        response: {
          202: z.object({
            runs: z.array(
              z.object({
                box: z.string(),
                gpu: z.string(),
                problem: z.string().nullable(),
                id: z.int().nullable().describe('Of the run; null: none could begin, and `text` says why'),
                state: z.enum(['waiting', 'running', 'ok', 'failed', 'left-out']),
                text: z.string(),
              }),
            ),
          }),
          ...failures,
        },
      },
    },
    async (request, reply) => {
      const { problem: wanted = null, box = null } = request.query;
      const entries = await startVerify(sql, runs, { problem: wanted, box }, adminOf(request));
      await recordOf(request).note(sql, {
        subject: box === null ? 'all boxes' : `box ${box}`,
        after: { problem: wanted, box, runs: entries.flatMap(({ runId }) => runId ?? []) },
      });
      return reply.code(202).send({
        runs: entries.map((entry) => ({
          box: entry.box,
          gpu: entry.gpuType,
          problem: entry.problem,
          id: entry.runId,
          state: entry.verdict.state,
          text: [entry.verdict.text, entry.verdict.remedy].filter((part) => part !== '').join('. '),
        })),
      });
    },
  );
}
