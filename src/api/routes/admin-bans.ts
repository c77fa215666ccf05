/** For organisers: keeping somebody from submitting. */
import { z } from 'zod';
import { banUser, liftBan } from '../../db/bans.ts';
import { findUserName } from '../../db/users.ts';
import { recordOf } from '../changes.ts';
import { security } from '../document.ts';
import { Refusal } from '../errors.ts';
import type { RouteParts, Server } from '../route.ts';
import { failures, nameParam, okStatus } from '../schemas.ts';

export function adminBanRoutes(server: Server, { sql, guards }: RouteParts): void {
  const admin = { onRequest: guards.admin };
  const tags = { tags: ['admin'], security: security.admin };

  const userParams = z.object({ user: nameParam });
  const banned = z.object({ status: okStatus, user_id: z.string(), banned: z.boolean() });
  const unknownUser = (user: string) => new Refusal(404, 'unknown-user', `User ${user} not found`);

  server.post(
    '/admin/ban/:user',
    {
      ...admin,
      schema: {
        ...tags,
        summary: 'Keep a user from submitting, by every door; a body `{"reason": ...}` may say why',
        params: userParams,
        response: { 200: banned, ...failures },
      },
    },
    async (request) => {
      const { user } = request.params;
      const ban = { userId: user, reason: reasonOf(request.body), endsAt: null };
      const known = await banUser(sql, ban, recordOf(request));
      if (!known) throw unknownUser(user);
      return { status: 'ok' as const, user_id: user, banned: true };
    },
  );

  server.delete(
    '/admin/ban/:user',
    {
      ...admin,
      schema: { ...tags, summary: 'Lift a ban', params: userParams, response: { 200: banned, ...failures } },
    },
    async (request) => {
      const { user } = request.params;
      if ((await findUserName(sql, user)) === null) throw unknownUser(user);
      const record = recordOf(request);
      if (!(await liftBan(sql, user, record))) record.settle();
      return { status: 'ok' as const, user_id: user, banned: false };
    },
  );
}

/** The body may be missing altogether. */
function reasonOf(body: unknown): string | null {
  const reason = (body as { reason?: unknown } | null | undefined)?.reason;
  return typeof reason === 'string' && reason.trim() !== '' ? reason.trim().slice(0, 500) : null;
}
