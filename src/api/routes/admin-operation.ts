/** For organisers: whether submissions are taken, and totals. */
import { z } from 'zod';
import { setAcceptance } from '../../db/settings.ts';
import { listGpuTotals, listHeavyUsers, loadTotals } from '../../db/stats.ts';
import { findBoard } from '../board-access.ts';
import { recordOf } from '../changes.ts';
import { security } from '../document.ts';
import type { RouteParts, Server } from '../route.ts';
import { failures, flagQuery, nameParam, okStatus } from '../schemas.ts';

const statsBody = z.object({
  status: okStatus,
  stats: z.record(z.string(), z.union([z.number(), z.string()])).describe('Times as ISO 8601 durations'),
});

export function adminOperationRoutes(server: Server, { sql, guards }: RouteParts): void {
  for (const [path, open] of [
    ['/admin/start', true],
    ['/admin/stop', false],
  ] as const) {
    server.post(
      path,
      {
        onRequest: guards.admin,
        schema: {
          summary: open
            ? 'Take submissions again'
            : 'Take no more submissions, by any door; what is queued goes on',
          tags: ['admin'],
          security: security.admin,
          response: { 200: z.object({ status: okStatus, accepts_jobs: z.boolean() }), ...failures },
        },
      },
      async (request) => {
        const record = recordOf(request);
        if (!(await setAcceptance(sql, { open, message: null }, record))) record.settle();
        return { status: 'ok' as const, accepts_jobs: open };
      },
    );
  }

  server.get(
    '/admin/stats',
    {
      onRequest: guards.admin,
      schema: {
        summary: 'Totals, per GPU type too',
        tags: ['admin'],
        security: security.admin,
        querystring: z.object({ last_day_only: flagQuery, leaderboard_name: nameParam.optional() }),
        response: { 200: statsBody, ...failures },
      },
    },
    async (request) => {
      const { last_day_only: lastDay = false, leaderboard_name: name } = request.query;
      const leaderboardId = name === undefined ? null : (await findBoard(sql, name)).id;
      const filter = { lastDay, leaderboardId };
      const totals = await loadTotals(sql, filter);
      const stats: z.infer<typeof statsBody>['stats'] = {
        num_submissions: totals.submissions,
        sub_waiting: totals.waiting,
        num_users: totals.users,
      };
      for (const item of await listGpuTotals(sql, filter)) {
        stats[`num_run.${item.gpu}`] = item.jobs;
        stats[`runs_passed.${item.gpu}`] = item.passed;
        stats[`runs_scored.${item.gpu}`] = item.scored;
        stats[`runs_secret.${item.gpu}`] = item.secret;
        stats[`max_delay.${item.gpu}`] = duration(item.maxWaitSeconds);
        stats[`avg_delay.${item.gpu}`] = duration(item.meanWaitSeconds);
        stats[`total_runtime.${item.gpu}`] = duration(item.runSeconds);
      }
      if (!lastDay) stats.num_unique_codes = totals.uniqueCodes;
      else {
        for (const user of await listHeavyUsers(sql, filter)) stats[`total.${user.name}`] = user.submissions;
      }
      return { status: 'ok' as const, stats };
    },
  );
}

/** ISO 8601, as `PT6.03S`. */
function duration(seconds: number): string {
  return `PT${Number(seconds.toFixed(3))}S`;
}
