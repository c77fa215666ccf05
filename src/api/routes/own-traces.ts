/** What profile mode recorded of one's own submissions, whole: a stream carries only what is small. */
import { z } from 'zod';
import { findSubmissionOwner } from '../../db/submissions.ts';
import { findTrace, listTraces } from '../../db/traces.ts';
import { callerOf } from '../auth.ts';
import { security } from '../document.ts';
import { Refusal } from '../errors.ts';
import { patiently } from '../patience.ts';
import type { RouteParts, Server } from '../route.ts';
import { failures, idParam, knownId, wholeNumber } from '../schemas.ts';
import { tracePath } from '../trace-path.ts';

const traceObject = z
  .object({
    id: z.int(),
    gpu: z.string(),
    stage: z.string().describe('`profile.0` is the first benchmark'),
    bytes: z.int(),
    path: z.string().describe('Where the zip archive is, below the address of this server'),
  })
  .meta({ id: 'Trace' });

export function ownTraceRoutes(server: Server, { sql, guards }: RouteParts): void {
  server.get(
    '/user/submissions/:id/traces',
    {
      onRequest: guards.user,
      schema: {
        summary: 'What profile mode recorded of one of your submissions',
        tags: ['submissions'],
        security: security.user,
        params: z.object({ id: idParam }),
        response: { 200: z.array(traceObject), ...failures },
      },
    },
    async (request) => {
      const id = knownId(request.params.id);
      await refuseStranger(id, callerOf(request).userId);
      const rows = await patiently(() => listTraces(sql, id));
      return rows.map(({ gpuType, ...row }) => ({ ...row, gpu: gpuType, path: tracePath(id, row.id) }));
    },
  );

  server.get(
    '/user/submissions/:id/traces/:trace',
    {
      onRequest: guards.user,
      schema: {
        summary: 'One recording of profile mode, as a zip archive',
        tags: ['submissions'],
        security: security.user,
        params: z.object({ id: idParam, trace: wholeNumber.describe('A number from the list') }),
        response: {
          200: { description: 'A zip archive', content: { 'application/zip': { schema: z.any() } } },
          ...failures,
        },
      },
    },
    async (request, reply) => {
      const id = knownId(request.params.id);
      await refuseStranger(id, callerOf(request).userId);
      const trace = await patiently(() => findTrace(sql, knownId(request.params.trace)));
      if (trace?.submissionId !== id) throw new Refusal(404, 'unknown-trace', 'Trace not found');
      return reply
        .type('application/zip')
        .header('content-disposition', `attachment; filename="trace-${id}-${trace.stage}.zip"`)
        .send(trace.content as never);
    },
  );

  async function refuseStranger(id: number, userId: string): Promise<void> {
    const owner = await patiently(() => findSubmissionOwner(sql, id));
    if (owner === null) throw new Refusal(404, 'unknown-submission', 'Submission not found');
    if (owner !== userId)
      throw new Refusal(403, 'not-your-submission', 'Not authorized to view this submission');
  }
}
