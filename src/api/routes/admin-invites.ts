/** For organisers: closed boards and the codes that open them. */
import { z } from 'zod';
import { createInvites, listInvites, revokeInvite, setVisibility } from '../../db/invites.ts';
import { findBoard } from '../board-access.ts';
import { recordOf } from '../changes.ts';
import { security } from '../document.ts';
import { Refusal } from '../errors.ts';
import type { RouteParts, Server } from '../route.ts';
import {
  bad,
  failures,
  isWholeNumber,
  loosely,
  nameParam,
  okStatus,
  time,
  visibilityOf,
} from '../schemas.ts';

const MAX_CODES = 10_000;

const boardParams = z.object({ leaderboard: nameParam });

export function adminInviteRoutes(server: Server, { sql, guards }: RouteParts): void {
  const admin = { onRequest: guards.admin };
  const tags = { tags: ['admin'], security: security.admin };

  server.post(
    '/admin/invites',
    {
      ...admin,
      schema: {
        ...tags,
        summary: 'Make invite codes, each for one person and for all the leaderboards named',
        body: z.object({
          leaderboards: loosely({ type: 'array', items: { type: 'string' } }),
          leaderboard: loosely({ type: 'string' }).describe('Instead of a list'),
          count: loosely({ type: 'integer', minimum: 1, maximum: MAX_CODES }),
        }),
        response: {
          200: z.object({
            status: okStatus,
            leaderboards: z.array(z.string()),
            codes: z.array(z.string()),
          }),
          ...failures,
        },
      },
    },
    async (request) => {
      const { count, leaderboard, leaderboards } = request.body;
      if (!isWholeNumber(count, 1, MAX_CODES)) {
        throw bad(`count must be an integer between 1 and ${MAX_CODES}`);
      }
      const names = Array.isArray(leaderboards) && leaderboards.length > 0 ? leaderboards : [leaderboard];
      if (!names.every((name) => typeof name === 'string' && name !== '')) {
        throw bad("Must provide 'leaderboards' list or 'leaderboard' string");
      }
      const boards = [];
      for (const name of new Set(names)) boards.push(await findBoard(sql, name));
      const ids = [...new Set(boards.map((board) => board.id))];
      const codes = await createInvites(
        sql,
        {
          leaderboardIds: ids,
          count,
        },
        recordOf(request),
      );
      return { status: 'ok' as const, leaderboards: boards.map((board) => board.name), codes };
    },
  );

  server.get(
    '/admin/leaderboards/:leaderboard/invites',
    {
      ...admin,
      schema: {
        ...tags,
        summary: 'The invite codes of a leaderboard, and who claimed them',
        params: boardParams,
        response: {
          200: z.object({
            status: okStatus,
            leaderboard: z.string(),
            invites: z.array(
              z.object({
                code: z.string(),
                user_id: z.string().nullable(),
                user_name: z.string().nullable(),
                claimed_at: time.nullable(),
                created_at: time,
              }),
            ),
          }),
          ...failures,
        },
      },
    },
    async (request) => {
      const board = await findBoard(sql, request.params.leaderboard);
      const invites = await listInvites(sql, board.id);
      return {
        status: 'ok' as const,
        leaderboard: board.name,
        invites: invites.map((invite) => ({
          code: invite.code,
          user_id: invite.claimedBy,
          user_name: invite.claimedByName,
          claimed_at: invite.claimedAt?.toISOString() ?? null,
          created_at: invite.createdAt.toISOString(),
        })),
      };
    },
  );

  server.delete(
    '/admin/invites/:code',
    {
      ...admin,
      schema: {
        ...tags,
        summary: 'Revoke an invite code; whoever claimed it is a member no more',
        params: z.object({ code: nameParam }),
        response: {
          200: z.object({ status: okStatus, code: z.string(), was_claimed: z.boolean() }),
          ...failures,
        },
      },
    },
    async (request) => {
      const { code } = request.params;
      const revoked = await revokeInvite(sql, code, recordOf(request));
      if (!revoked) throw new Refusal(404, 'unknown-invite', 'Invalid invite code');
      return { status: 'ok' as const, code, was_claimed: revoked.claimedBy !== null };
    },
  );

  server.post(
    '/admin/leaderboards/:leaderboard/visibility',
    {
      ...admin,
      schema: {
        ...tags,
        summary: 'Close a leaderboard to all but its members, or open it',
        params: boardParams,
        body: z.object({ visibility: loosely({ enum: ['public', 'closed'] }) }),
        response: {
          200: z.object({ status: okStatus, leaderboard: z.string(), visibility: z.string() }),
          ...failures,
        },
      },
    },
    async (request) => {
      const visibility = visibilityOf(request.body.visibility);
      const board = await findBoard(sql, request.params.leaderboard);
      const done = await setVisibility(sql, board.name, visibility, recordOf(request));
      if (!done?.changed) recordOf(request).settle();
      return { status: 'ok' as const, leaderboard: board.name, visibility };
    },
  );
}
