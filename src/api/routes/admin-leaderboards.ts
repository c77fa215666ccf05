/** For organisers: leaderboards come from problems, and go by force alone once somebody has submitted. */
import { z } from 'zod';
import { setVisibility } from '../../db/invites.ts';
import { UserError } from '../../domain/errors.ts';
import type { ProblemSource } from '../../domain/problem-source.ts';
import { noteOfSync, type PlannedProblem, type SyncPlan } from '../../domain/sync-plan.ts';
import { withdrawLeaderboard } from '../../intake/withdraw.ts';
import { recordOf } from '../changes.ts';
import { security } from '../document.ts';
import { Refusal } from '../errors.ts';
import type { RouteParts, Server } from '../route.ts';
import { failures, flagQuery, loosely, nameParam, okStatus, visibilityOf } from '../schemas.ts';

const MAX_TEXT = 500;
/** As the command line's own default. */
const REPOSITORY = 'gpu-mode/reference-kernels';
/** A repository is fetched meanwhile. */
const UPDATE_TIMEOUT_MS = 110_000;

export function adminLeaderboardRoutes(server: Server, { sql, guards, problems }: RouteParts): void {
  server.post(
    '/admin/leaderboards',
    {
      onRequest: guards.admin,
      schema: {
        summary: 'Make `<directory>-dev` of a directory of the problems folder, or bring it up to date',
        tags: ['admin'],
        security: security.admin,
        body: z.object({
          directory: z.string().max(MAX_TEXT).optional(),
          visibility: loosely({ enum: ['public', 'closed'] }),
        }),
        response: { 200: z.object({ status: okStatus, leaderboard: z.string() }), ...failures },
      },
    },
    async (request) => {
      const { directory, visibility } = request.body;
      if (!directory) throw new Refusal(400, 'missing-field', 'Missing required field: directory');
      const wanted = visibility === undefined ? null : visibilityOf(visibility);
      const plan = await problems.planDirectory(directory);
      const name = plan.problems[0]?.entry.leaderboard ?? '';
      const report = await problems.apply(plan);
      if (report.refused.length > 0) throw new Refusal(409, 'changed-meanwhile', report.refused.join('; '));
      const { created, updated } = report;
      await recordOf(request).note(sql, {
        subject: `leaderboard ${name}`,
        after: { directory, created, updated },
      });
      if (wanted) await setVisibility(sql, name, wanted, recordOf(request));
      return { status: 'ok' as const, leaderboard: name };
    },
  );

  server.post(
    '/admin/update-problems',
    {
      onRequest: guards.admin,
      handlerTimeout: UPDATE_TIMEOUT_MS,
      schema: {
        summary: 'Bring the problem sets of a repository into the database',
        description:
          'Boards whose ranked submissions would no longer be comparable are skipped without `force`. New boards get the visibility; others keep theirs.',
        tags: ['admin'],
        security: security.admin,
        body: z.object({
          repository: z
            .string()
            .max(MAX_TEXT)
            .nullable()
            .default(REPOSITORY)
            .describe('`owner/name` at GitHub, or the address of any repository; null: the problems folder'),
          branch: z.string().max(MAX_TEXT).nullish(),
          force: z.boolean().default(false),
          dry_run: z.boolean().default(false).describe('Only say what would be done'),
          problem_set: z.string().max(MAX_TEXT).nullish().describe('Only this one, without `.yaml`'),
          visibility: loosely({ enum: ['public', 'closed'] }),
        }),
        response: {
          200: z.object({
            status: okStatus,
            created: z.array(z.string()),
            updated: z.array(z.string()),
            skipped: z.array(z.object({ name: z.string(), reason: z.string() })),
            errors: z.array(z.object({ name: z.string(), error: z.string() })),
          }),
          ...failures,
        },
      },
    },
    async (request) => {
      const { repository, branch, force, dry_run: isTrial, problem_set: set } = request.body;
      const { visibility = 'public' } = request.body;
      const wanted = visibilityOf(visibility);
      const source = repository === null ? null : gitSource(repository, branch ?? null);
      const answer = { status: 'ok' as const, created: [], updated: [], skipped: [], errors: [] };
      let plan: SyncPlan;
      try {
        plan = await problems.plan(source, set ? { set } : {});
      } catch (error) {
        // A repository that cannot be read is news for the caller, not a failed request.
        if (!(error instanceof UserError)) throw error;
        return {
          ...answer,
          errors: [{ name: repository ?? 'problems', error: `${error.text} ${error.nextHttp}` }],
        };
      }
      const skipped = plan.problems.flatMap(({ entry, change, asksForRejudge, ranked }) => {
        const name = entry.leaderboard;
        if (change === 'unchanged') return [{ name, reason: 'no changes' }];
        if (force || !asksForRejudge || ranked === 0) return [];
        return [{ name, reason: `${ranked} ranked submissions would have to be judged again; force it` }];
      });
      const left = new Set(skipped.map((item) => item.name));
      const kept = plan.problems.filter((problem) => !left.has(problem.entry.leaderboard));
      const errorsOf = (refused: string[]) =>
        refused.map((error) => ({ name: error.split(':', 1)[0] ?? '', error }));
      const record = recordOf(request);
      if (isTrial) {
        record.settle();
        const namesOf = (change: PlannedProblem['change']) =>
          kept.filter((problem) => problem.change === change).map((problem) => problem.entry.leaderboard);
        const [created, updated] = [namesOf('created'), namesOf('changed')];
        return { ...answer, created, updated, skipped, errors: errorsOf(plan.refused) };
      }
      const report = await problems.apply({ ...plan, problems: kept });
      await record.note(sql, noteOfSync(plan, report));
      if (wanted === 'closed') {
        for (const name of report.created) await setVisibility(sql, name, wanted, record);
      }
      return {
        ...answer,
        created: report.created,
        updated: report.updated,
        skipped,
        errors: errorsOf(report.refused),
      };
    },
  );

  server.delete(
    '/admin/leaderboards/:leaderboard',
    {
      onRequest: guards.admin,
      schema: {
        summary: 'Delete a leaderboard; with `force` its submissions too',
        tags: ['admin'],
        security: security.admin,
        params: z.object({ leaderboard: nameParam }),
        querystring: z.object({ force: flagQuery }),
        response: {
          200: z.object({ status: okStatus, leaderboard: z.string(), force: z.boolean() }),
          ...failures,
        },
      },
    },
    async (request) => {
      const { force = false } = request.query;
      const name = await withdrawLeaderboard(sql, request.params.leaderboard, { force }, recordOf(request));
      return { status: 'ok' as const, leaderboard: name, force };
    },
  );
}

/** `owner/name` is at GitHub. */
function gitSource(repository: string, branch: string | null): ProblemSource {
  const isGitHub = /^[\w.-]+\/[\w.-]+$/.test(repository);
  const url = isGitHub ? `https://github.com/${repository}.git` : repository;
  return { kind: 'git', url, branch, folder: null };
}
