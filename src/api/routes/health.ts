/** Whether the process lives, and whether it can work. */
import { z } from 'zod';
import { pingDatabase } from '../../db/client.ts';
import type { RouteParts, Server } from '../route.ts';

export function healthRoutes(server: Server, { sql }: RouteParts): void {
  server.get(
    '/health',
    { schema: { response: { 200: z.object({ status: z.literal('ok') }) } } },
    async () => ({ status: 'ok' as const }),
  );

  server.get(
    '/ready',
    { schema: { response: { 200: z.object({ status: z.literal('ready') }) } } },
    async () => {
      await pingDatabase(sql);
      return { status: 'ready' as const };
    },
  );
}
