/** What people see and do of their own submissions. Polling is never limited: one refused poll ends a client's wait. */
import { z } from 'zod';
import { findOwnSubmission, readSubmissionPage } from '../../db/submission-list.ts';
import { findSubmissionOwner } from '../../db/submissions.ts';
import { withdrawSubmission } from '../../intake/withdraw.ts';
import { callerOf } from '../auth.ts';
import { pageOf } from '../board-access.ts';
import { recordOf } from '../changes.ts';
import { security } from '../document.ts';
import { Refusal } from '../errors.ts';
import { sendJsonText } from '../json-text.ts';
import { patiently } from '../patience.ts';
import type { RouteParts, Server } from '../route.ts';
import { failures, idParam, knownId, limitQuery, nameParam, offsetQuery, okStatus } from '../schemas.ts';
import { cuttableNames, detailBody, isDone, listItem, submissionBody } from '../submission-bodies.ts';

const MAX_PAGE = 100;
const PAGE = 50;
const params = z.object({ id: idParam });

export function ownSubmissionRoutes(server: Server, { sql, guards, limits, queue, reads }: RouteParts): void {
  server.get(
    '/user/submissions',
    {
      onRequest: guards.user,
      schema: {
        summary: 'Your submissions, newest first, with their status and secret scores',
        tags: ['submissions'],
        security: security.user,
        querystring: z.object({
          leaderboard: nameParam.optional(),
          limit: limitQuery.describe('1 to 100; 50 where it is not given'),
          offset: offsetQuery,
        }),
        response: { 200: z.array(listItem), ...failures },
      },
    },
    async (request, reply) => {
      const page = pageOf(request.query, { fallback: PAGE, most: MAX_PAGE });
      const filter = { userId: callerOf(request).userId, leaderboard: request.query.leaderboard ?? null };
      const text = cuttableNames(await reads(() => readSubmissionPage(sql, filter, page)));
      return sendJsonText(reply, text);
    },
  );

  server.get(
    '/user/submissions/:id',
    {
      onRequest: guards.user,
      schema: {
        summary: 'One of your submissions, whole',
        tags: ['submissions'],
        security: security.user,
        params,
        response: { 200: detailBody, ...failures },
      },
    },
    async (request) => {
      const id = knownId(request.params.id);
      const { userId } = callerOf(request);
      const row = await patiently(() => reads(() => findOwnSubmission(sql, id, userId)));
      if (!row) {
        await refuseStranger(id, userId, 'view');
        throw notFound();
      }
      const waits = !isDone(row.status);
      return submissionBody(row, waits ? await patiently(() => queue.describe(row.gpus[0] ?? '')) : null);
    },
  );

  server.delete(
    '/user/submissions/:id',
    {
      onRequest: [guards.user, limits.change],
      schema: {
        summary: 'Delete one of your submissions; ends it first where it still runs',
        tags: ['submissions'],
        security: security.user,
        params,
        response: { 200: z.object({ status: okStatus, submission_id: z.int() }), ...failures },
      },
    },
    async (request) => {
      const id = knownId(request.params.id);
      const { userId } = callerOf(request);
      await refuseStranger(id, userId, 'delete');
      await withdrawSubmission(sql, id, recordOf(request));
      return { status: 'ok' as const, submission_id: id };
    },
  );

  async function refuseStranger(id: number, userId: string, deed: 'view' | 'delete'): Promise<void> {
    const owner = await findSubmissionOwner(sql, id);
    if (owner === null) throw notFound();
    if (owner !== userId) {
      throw new Refusal(403, 'not-your-submission', `Not authorized to ${deed} this submission`);
    }
  }
}

function notFound(): Refusal {
  return new Refusal(404, 'unknown-submission', 'Submission not found');
}
