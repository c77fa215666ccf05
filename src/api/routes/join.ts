/** Joining closed boards by an invite code. */
import { z } from 'zod';
import { claimInvite } from '../../db/invites.ts';
import { refuseBanned } from '../../intake/admission.ts';
import { callerOf } from '../auth.ts';
import { recordOf } from '../changes.ts';
import { security } from '../document.ts';
import { Refusal } from '../errors.ts';
import type { RouteParts, Server } from '../route.ts';
import { failures, okStatus } from '../schemas.ts';

export function joinRoutes(server: Server, { sql, guards, limits }: RouteParts): void {
  server.post(
    '/user/join',
    {
      onRequest: [guards.cliUser, limits.change, guards.participant],
      schema: {
        summary: 'Claim an invite code; the answer lists the boards that it opens',
        tags: ['boards'],
        security: security.cliUser,
        body: z.object({ code: z.string().max(200).optional() }),
        response: { 200: z.object({ status: okStatus, leaderboards: z.array(z.string()) }), ...failures },
      },
    },
    async (request) => {
      const code = request.body.code?.trim();
      if (!code) throw new Refusal(400, 'missing-field', 'Missing required field: code');
      const { userId, userName } = callerOf(request);
      const user = { id: userId, name: userName };
      await refuseBanned(sql, userId);
      const claim = await claimInvite(sql, code, user, recordOf(request));
      if (claim === 'unknown') throw new Refusal(400, 'unknown-invite', 'Invalid invite code');
      if (claim === 'taken') {
        throw new Refusal(400, 'invite-taken', 'This invite code has already been claimed');
      }
      return { status: 'ok' as const, leaderboards: claim.boards };
    },
  );
}
