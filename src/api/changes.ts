/**
 * Every route has its rule in domain/rules.ts, and the guard that the rule asks for; a server with one that has not does
 * not start. What a request changed stands in the audit log before its answer goes out.
 */
import type { FastifyRequest } from 'fastify';
import { ChangeRecord } from '../db/audit.ts';
import type { Sql } from '../db/client.ts';
import type { Actor } from '../domain/audit.ts';
import { deedOfRoute } from '../domain/rules.ts';
import type { Log } from '../log.ts';
import type { Guards } from './auth.ts';
import type { Server } from './server-type.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Null where the route changes nothing. */
    record: ChangeRecord | null;
  }
}

/** Pages and files that come with the documentation. */
const isDocument = (url: string) => url.startsWith('/docs') || url === '/openapi.json';

/** Before any route is added. */
export function watchRoutes(server: Server, parts: { sql: Sql; log: Log; guards: Guards }): void {
  const { sql, log, guards } = parts;
  server.decorateRequest('record', null);
  server.addHook('onRoute', ({ method, url, onRequest }) => {
    for (const verb of [method].flat()) {
      if (isDocument(url) || verb === 'HEAD' || verb === 'OPTIONS') continue;
      const deed = deedOfRoute(verb, url);
      if (!deed) throw new Error(`${verb} ${url} has no rule in domain/rules.ts`);
      const has = (guard: unknown) => [onRequest].flat().some((hook) => hook === guard);
      const { for: who } = deed.rule;
      const guarded =
        who === 'everybody' ||
        (who.includes('participant')
          ? has(guards.user) || has(guards.cliUser)
          : has(who.includes('judge') ? guards.judge : guards.admin));
      if (!guarded) throw new Error(`${verb} ${url} lacks the guard that its rule asks for`);
    }
  });
  server.addHook('preHandler', async (request) => {
    const deed = deedOfRoute(request.method, request.routeOptions.url ?? '');
    if (deed?.rule.changes) request.record = new ChangeRecord(actorOf(request), deed.action, log);
  });
  server.addHook('onSend', async (request, reply) => {
    const { record, params } = request;
    if (!record) return;
    const failed = reply.statusCode >= 500;
    const refused = reply.statusCode >= 400 && !failed;
    const after = { ...(params as Record<string, string>), ...(failed && { failed }) };
    await record
      .close(sql, refused ? null : { after })
      .catch((error: unknown) => log.error({ error, action: record.action }, 'no audit entry'));
  });
}

/** Of a route that changes something, as its rule says. */
export function recordOf(request: FastifyRequest): ChangeRecord {
  if (!request.record) throw new Error('the rule of the route says that it changes nothing');
  return request.record;
}

function actorOf({ admin, caller }: FastifyRequest): Actor {
  if (admin) return { id: admin.id, name: admin.name, door: 'api' };
  if (caller) return { id: caller.userId, name: caller.userName, door: 'api' };
  return { id: 'nobody', name: 'nobody', door: 'api' };
}
