/** What a file of `routes/` is given: `someRoutes(server, parts)` adds its routes to the server. */
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Sql } from '../db/client.ts';
import type { Log } from '../log.ts';
import type { Guards } from './auth.ts';

/** What a file of routes gets. */
export interface RouteParts {
  sql: Sql;
  log: Log;
  guards: Guards;
}

export type Server = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression<RawServerDefault>,
  RawReplyDefaultExpression<RawServerDefault>,
  FastifyBaseLogger,
  ZodTypeProvider
>;
