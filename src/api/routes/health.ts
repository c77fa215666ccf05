/** Whether the process lives, whether it can work, and how it does. */
import { z } from 'zod';
import { pingDatabase } from '../../db/client.ts';
import type { RouteParts, Server } from '../route.ts';
import { failures, nameParam, queueObject } from '../schemas.ts';

export function healthRoutes(server: Server, { sql, metrics, queue }: RouteParts): void {
  server.get(
    '/health',
    {
      schema: {
        summary: 'The process lives',
        tags: ['operation'],
        response: { 200: z.object({ status: z.literal('ok') }) },
      },
    },
    async () => ({ status: 'ok' as const }),
  );

  server.get(
    '/ready',
    {
      schema: {
        summary: 'The process can work: the database answers. 503 where it does not',
        tags: ['operation'],
        response: { 200: z.object({ status: z.literal('ready') }), ...failures },
      },
    },
    async () => {
      await pingDatabase(sql);
      return { status: 'ready' as const };
    },
  );

  server.get(
    '/metrics',
    {
      schema: {
        summary: 'For Prometheus',
        tags: ['operation'],
        response: { 200: { description: 'Text', content: { 'text/plain': { schema: z.string() } } } },
      },
    },
    async (_request, reply) => {
      const text = await metrics.render();
      return reply.type(metrics.contentType).serializer(String).send(text);
    },
  );

  server.get(
    '/runner_queue/:gpu',
    {
      schema: {
        summary: 'The queue of a GPU type',
        tags: ['operation'],
        params: z.object({ gpu: nameParam }),
        response: { 200: queueObject, ...failures },
      },
    },
    async (request) => queue.describe(request.params.gpu),
  );
}
