/** For organisers: who did what, and whether the record of it is whole. */
import { z } from 'zod';
import { listAudit, verifyAudit } from '../../db/audit.ts';
import { auditDoors } from '../../domain/audit.ts';
import { pageOf } from '../board-access.ts';
import { security } from '../document.ts';
import type { RouteParts, Server } from '../route.ts';
import { failures, limitQuery, nameParam, okStatus, time, wholeNumber } from '../schemas.ts';

const PAGE = 100;
const MAX_PAGE = 1000;
const VERIFY_TIMEOUT_MS = 60_000;

const state = z.record(z.string(), z.unknown()).nullable();
const entryBody = z
  .object({
    id: z.int(),
    at: time,
    actor: z.object({ id: z.string(), name: z.string(), door: z.enum(auditDoors) }),
    action: z.string(),
    subject: z.string().nullable(),
    before: state,
    after: state,
    reason: z.string().nullable(),
    text: z.string().describe('What is hashed: previous_hash, a line feed, and this; SHA-256, in hex'),
    previous_hash: z.string(),
    hash: z.string(),
  })
  .meta({ id: 'AuditEntry' });

export function adminAuditRoutes(server: Server, { sql, guards }: RouteParts): void {
  const admin = { onRequest: guards.admin };
  const tags = { tags: ['admin'], security: security.admin };

  server.get(
    '/admin/audit',
    {
      ...admin,
      schema: {
        ...tags,
        summary: 'The audit log, newest first',
        querystring: z.object({
          actor: nameParam.optional().describe('An account, or a part of a name'),
          action: nameParam.optional().describe('The beginning of an action: `admin box`'),
          subject: nameParam.optional().describe('As it stands there: `leaderboard matmul`'),
          before: wholeNumber.optional().describe('Only entries below this number, for the next page'),
          limit: limitQuery,
        }),
        response: { 200: z.object({ status: okStatus, entries: z.array(entryBody) }), ...failures },
      },
    },
    async (request) => {
      const { actor = null, action = null, subject = null, before = null } = request.query;
      const { limit } = pageOf(request.query, { fallback: PAGE, most: MAX_PAGE });
      const below = before === null || !Number.isSafeInteger(before) ? null : before;
      const entries = await listAudit(sql, { actor, action, subject }, { limit, before: below });
      return {
        status: 'ok' as const,
        entries: entries.map(({ at, previousHash, ...entry }) => ({
          ...entry,
          at: at.toISOString(),
          previous_hash: previousHash,
        })),
      };
    },
  );

  server.get(
    '/admin/audit/verdict',
    {
      ...admin,
      handlerTimeout: VERIFY_TIMEOUT_MS,
      schema: {
        ...tags,
        summary: 'Whether the audit log is whole: reads all of it',
        response: {
          200: z.object({
            status: okStatus,
            whole: z.boolean(),
            entries: z.int(),
            newest_hash: z.string().nullable(),
            faults: z.int(),
            first_fault: z
              .object({ id: z.int(), fault: z.enum(['missing', 'broken', 'changed']) })
              .nullable(),
          }),
          ...failures,
        },
      },
    },
    async () => {
      const verdict = await verifyAudit(sql);
      return {
        status: 'ok' as const,
        whole: verdict.firstFault === null,
        entries: verdict.entries,
        newest_hash: verdict.newestHash,
        faults: verdict.faults,
        first_fault: verdict.firstFault,
      };
    },
  );
}
