/**
 * Submitting a file to one GPU type of a board: answered with the submission's number at once, or, on the shorter path,
 * followed to its end as a stream of events. All that can be refused is refused before either begins.
 */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { takesArchives } from '../../db/leaderboards.ts';
import { accept, examine } from '../../intake/accept.ts';
import { type Caller, callerOf } from '../auth.ts';
import { enterBoard } from '../board-access.ts';
import { recordOf } from '../changes.ts';
import { security } from '../document.ts';
import { Refusal } from '../errors.ts';
import { EventStream } from '../event-stream.ts';
import { follow } from '../follow.ts';
import type { RouteParts, Server } from '../route.ts';
import { failures, nameParam, queueObject } from '../schemas.ts';
import { readUpload } from '../upload.ts';

/** As long as a client may take to send its file. */
const UPLOAD_TIMEOUT_MS = 120_000;

const params = z.object({ leaderboard: nameParam, gpu: nameParam, mode: nameParam });
const accepted = z.object({
  status: z.literal('accepted'),
  details: z.object({ id: z.int(), job_status_id: z.int() }),
  runner_queue: queueObject,
});
/** Read by hand; this is for the document. */
const upload = {
  consumes: ['multipart/form-data'],
  params,
} as const;

export function submitRoutes(server: Server, parts: RouteParts): void {
  const { sql, guards, limits, queue } = parts;

  server.post(
    '/submission/:leaderboard/:gpu/:mode',
    {
      onRequest: [guards.user, limits.submit, guards.participant],
      handlerTimeout: UPLOAD_TIMEOUT_MS,
      schema: {
        ...upload,
        summary: 'Submit a file; the answer is its number',
        tags: ['submit'],
        security: security.user,
        response: { 202: accepted, ...failures },
      },
    },
    async (request, reply) => {
      const id = await submit(request, request.params, {});
      return reply.code(202).send(await acceptance(id, request.params.gpu));
    },
  );

  server.post(
    '/admin/submission/:leaderboard/:gpu/:mode',
    {
      onRequest: [guards.admin, guards.user],
      handlerTimeout: UPLOAD_TIMEOUT_MS,
      schema: {
        ...upload,
        summary: 'Submit a file, the deadline aside',
        tags: ['admin'],
        security: security.adminAndUser,
        response: { 202: accepted, ...failures },
      },
    },
    async (request, reply) => {
      const id = await submit(request, request.params, { afterDeadline: true });
      return reply.code(202).send(await acceptance(id, request.params.gpu));
    },
  );

  server.post(
    '/:leaderboard/:gpu/:mode',
    {
      onRequest: [guards.cliUser, limits.submit, guards.participant],
      handlerTimeout: UPLOAD_TIMEOUT_MS,
      schema: {
        ...upload,
        summary: 'Submit a file and follow it as server-sent events to its result',
        tags: ['submit'],
        security: security.cliUser,
        response: {
          200: {
            description: 'Events: status, then result or error',
            content: { 'text/event-stream': { schema: z.string() } },
          },
          ...failures,
        },
      },
    },
    async (request, reply) => {
      const id = await submit(request, request.params, {});
      void follow(parts, new EventStream(request, reply), id);
      return reply;
    },
  );

  /** One path for all doors of HTTP. The URL's GPU type stands over the file's header, as clients let their users choose. */
  async function submit(
    request: FastifyRequest,
    wanted: z.infer<typeof params>,
    options: { afterDeadline?: boolean },
  ): Promise<number> {
    const caller = callerOf(request);
    const boardId = await enterToSubmit(wanted.leaderboard, caller);
    const file = await readUpload(request, { takesArchives: await takesArchives(sql, boardId) });
    const draft = await examine(sql, file, {
      leaderboard: wanted.leaderboard,
      gpus: [wanted.gpu],
      mode: wanted.mode,
      overHeader: true,
      ...options,
    });
    const gpus = 'gpus' in draft.gpus ? draft.gpus.gpus : [];
    const record = recordOf(request);
    const id = await accept(sql, draft, gpus, {
      user: { id: caller.userId, name: caller.userName },
      door: 'api',
      reply: null,
      record,
    });
    // Closed here: a stream of events passes by where other answers are.
    await record.close(sql, null);
    return id;
  }

  /** Known before the file is read. Returns the board's id. */
  async function enterToSubmit(leaderboard: string, caller: Caller): Promise<number> {
    const board = await enterBoard(sql, leaderboard, caller);
    if (board.visibility === 'closed' && caller.by === 'web') {
      throw new Refusal(403, 'closed-leaderboard', 'Closed leaderboards only accept submissions via CLI');
    }
    return board.id;
  }

  async function acceptance(id: number, gpu: string): Promise<z.infer<typeof accepted>> {
    return {
      status: 'accepted',
      details: { id, job_status_id: id },
      runner_queue: await queue.describe(gpu),
    };
  }
}
