/** For organisers: how often a user may submit to a board. */
import { z } from 'zod';
import {
  deleteRateLimit,
  listRateLimits,
  type QuotaCategory,
  quotaCategories,
  type RateLimit,
  setRateLimit,
} from '../../db/quota.ts';
import { findBoard } from '../board-access.ts';
import { recordOf } from '../changes.ts';
import { security } from '../document.ts';
import { Refusal } from '../errors.ts';
import type { RouteParts, Server } from '../route.ts';
import { bad, failures, isWholeNumber, loosely, nameParam, okStatus, time } from '../schemas.ts';

const MAX_PER_HOUR = 1_000_000;

const boardParams = z.object({ leaderboard: nameParam });
const limitBody = z.object({
  mode_category: z.enum(quotaCategories),
  max_submissions_per_hour: z.int(),
  created_at: time,
  updated_at: time,
});

export function adminLimitRoutes(server: Server, { sql, guards }: RouteParts): void {
  const admin = { onRequest: guards.admin };
  const tags = { tags: ['admin'], security: security.admin };

  server.get(
    '/admin/leaderboards/:leaderboard/rate-limits',
    {
      ...admin,
      schema: {
        ...tags,
        summary: 'The limits of a leaderboard',
        params: boardParams,
        response: {
          200: z.object({ status: okStatus, leaderboard: z.string(), rate_limits: z.array(limitBody) }),
          ...failures,
        },
      },
    },
    async (request) => {
      const board = await findBoard(sql, request.params.leaderboard);
      const limits = await listRateLimits(sql, board.id);
      return { status: 'ok' as const, leaderboard: board.name, rate_limits: limits.map(bodyOf) };
    },
  );

  server.put(
    '/admin/leaderboards/:leaderboard/rate-limits',
    {
      ...admin,
      schema: {
        ...tags,
        summary: 'Limit how often a user may submit within an hour',
        params: boardParams,
        body: z.object({
          mode_category: loosely({ enum: quotaCategories }).describe(
            'test: test, benchmark and profile together',
          ),
          max_submissions_per_hour: loosely({ type: 'integer', minimum: 1 }),
        }),
        response: { 200: z.object({ status: okStatus, rate_limit: limitBody }), ...failures },
      },
    },
    async (request) => {
      const category = categoryOf(request.body.mode_category);
      const maxPerHour = request.body.max_submissions_per_hour;
      if (!isWholeNumber(maxPerHour, 1, MAX_PER_HOUR)) {
        throw bad('max_submissions_per_hour must be a positive integer');
      }
      const board = await findBoard(sql, request.params.leaderboard);
      const limit = await setRateLimit(sql, { board, category, maxPerHour }, recordOf(request));
      return { status: 'ok' as const, rate_limit: bodyOf(limit) };
    },
  );

  server.delete(
    '/admin/leaderboards/:leaderboard/rate-limits/:category',
    {
      ...admin,
      schema: {
        ...tags,
        summary: 'Take a limit away',
        params: z.object({ leaderboard: nameParam, category: nameParam }),
        response: {
          200: z.object({ status: okStatus, leaderboard: z.string(), mode_category: z.string() }),
          ...failures,
        },
      },
    },
    async (request) => {
      const category = categoryOf(request.params.category);
      const board = await findBoard(sql, request.params.leaderboard);
      if (!(await deleteRateLimit(sql, board, category, recordOf(request)))) {
        throw new Refusal(404, 'unknown-limit', `No rate limit for ${category} on \`${board.name}\`.`);
      }
      return { status: 'ok' as const, leaderboard: board.name, mode_category: category };
    },
  );
}

function bodyOf(limit: RateLimit): z.infer<typeof limitBody> {
  return {
    mode_category: limit.category,
    max_submissions_per_hour: limit.maxPerHour,
    created_at: limit.createdAt.toISOString(),
    updated_at: limit.updatedAt.toISOString(),
  };
}

function categoryOf(value: unknown): QuotaCategory {
  const known = quotaCategories.find((category) => category === value);
  if (!known) throw bad("mode_category must be 'test' or 'leaderboard'");
  return known;
}
