/** For organisers: ranked submissions judged again by the present version of their task. Nothing moves on the board unseen. */
import { z } from 'zod';
import type { ChangeRecord } from '../../db/audit.ts';
import type { Sql } from '../../db/client.ts';
import { listRejudges } from '../../db/rejudges.ts';
import { type PlaceChange, type RejudgeView, scopeText, type Verdict } from '../../domain/rejudge.ts';
import {
  beginRejudge,
  confirmRejudge,
  dropRejudge,
  type RejudgeReport,
  rejudgeReport,
  requestRejudge,
} from '../../intake/rejudge.ts';
import { pageOf } from '../board-access.ts';
import { recordOf } from '../changes.ts';
import { security } from '../document.ts';
import type { RouteParts, Server } from '../route.ts';
import { failures, idParam, knownId, limitQuery, nameParam, okStatus, time } from '../schemas.ts';

const PAGE = 25;
const MAX_PAGE = 100;
const MAX_TOP = 10_000;

const rejudgeBody = z
  .object({
    id: z.int(),
    leaderboard: z.string(),
    status: z.enum(['planned', 'running', 'ready', 'applied', 'cancelled']),
    scope: z.string(),
    version: z.int().describe('Of the task: the one that it judges by'),
    is_current: z
      .boolean()
      .describe('False once the task judges by something else: then it cannot be applied'),
    requested_by: z.string(),
    ended_by: z.string().nullable(),
    created_at: time,
    started_at: time.nullable(),
    ready_at: time.nullable(),
    ended_at: time.nullable(),
    submissions: z.int(),
    entries: z.int().describe('Submissions, once for each of their GPU types'),
    judged: z.int().describe('Entries with a new verdict'),
    jobs: z.int(),
    open_jobs: z.int(),
  })
  .meta({ id: 'Rejudge' });

const place = z.object({ submission_id: z.int(), score: z.number(), rank: z.int() }).nullable();
const verdict = z.object({
  public_score: z.number().nullable(),
  secret_score: z.number().nullable(),
  eligible: z.boolean(),
  reason: z.string().nullable(),
});
const reportBody = z.object({
  status: okStatus,
  rejudge: rejudgeBody,
  estimate_seconds: z.number().nullable().describe('On one slot of each GPU type; of a plan alone'),
  places: z.array(
    z.object({
      gpu_type: z.string(),
      user_id: z.string(),
      user_name: z.string(),
      before: place,
      after: place.describe('While it runs: by the verdicts so far. Null: not ranked'),
    }),
  ),
  verdicts: z.array(
    z.object({
      submission_id: z.int(),
      user_id: z.string(),
      user_name: z.string(),
      gpu_type: z.string(),
      before: verdict,
      after: verdict.nullable().describe('Null while open, and where the box failed'),
      open: z.boolean(),
    }),
  ),
});

const steps = {
  start: {
    summary: 'Put the jobs of a plan into the queue, behind everything else',
    take: beginRejudge,
  },
  apply: {
    summary: 'Make the new verdicts those of the board',
    take: (sql: Sql, id: number, record: ChangeRecord) => confirmRejudge(sql, id, record.actor.id, record),
  },
  cancel: {
    summary: 'End a rejudge and leave the board as it is',
    take: (sql: Sql, id: number, record: ChangeRecord) => dropRejudge(sql, id, record.actor.id, record),
  },
} as const;

export function adminRejudgeRoutes(server: Server, { sql, guards }: RouteParts): void {
  const admin = { onRequest: guards.admin };
  const tags = { tags: ['admin'], security: security.admin };
  const params = z.object({ id: idParam.describe('The number of a rejudge') });

  server.post(
    '/admin/leaderboards/:leaderboard/rejudges',
    {
      ...admin,
      schema: {
        ...tags,
        summary: 'Choose what is to be judged again. Nothing runs before it is started',
        params: z.object({ leaderboard: nameParam }),
        body: z.object({
          top: z.int().min(1).max(MAX_TOP).nullish().describe('Only the first so many of each GPU type'),
          user_id: nameParam.nullish().describe('Only those of one user'),
          since: z.string().max(30).nullish().describe('`24h`, `3d` or `2026-11-20 18:00`, in UTC'),
          outdated_only: z
            .boolean()
            .default(false)
            .describe('Only what an earlier version of the task has judged'),
        }),
        response: { 200: reportBody, ...failures },
      },
    },
    async (request) => {
      const { top = null, user_id: userId = null, since = null, outdated_only: outdatedOnly } = request.body;
      const wish = { leaderboard: request.params.leaderboard, top, userId, since, outdatedOnly };
      const record = recordOf(request);
      const id = await requestRejudge(sql, wish, record.actor.id, record);
      return bodyOf(await rejudgeReport(sql, id));
    },
  );

  server.get(
    '/admin/rejudges',
    {
      ...admin,
      schema: {
        ...tags,
        summary: 'All rejudges, newest first',
        querystring: z.object({ limit: limitQuery }),
        response: { 200: z.object({ status: okStatus, rejudges: z.array(rejudgeBody) }), ...failures },
      },
    },
    async (request) => {
      const { limit } = pageOf(request.query, { fallback: PAGE, most: MAX_PAGE });
      return { status: 'ok' as const, rejudges: (await listRejudges(sql, { limit })).map(viewBody) };
    },
  );

  server.get(
    '/admin/rejudges/:id',
    {
      ...admin,
      schema: {
        ...tags,
        summary: 'A rejudge, with places and verdicts before and after',
        params,
        response: { 200: reportBody, ...failures },
      },
    },
    async (request) => bodyOf(await rejudgeReport(sql, knownId(request.params.id))),
  );

  for (const [name, { summary, take }] of Object.entries(steps)) {
    server.post(
      `/admin/rejudges/:id/${name}`,
      { ...admin, schema: { ...tags, summary, params, response: { 200: reportBody, ...failures } } },
      async (request) => {
        const id = knownId(request.params.id);
        const record = recordOf(request);
        await take(sql, id, record);
        return bodyOf(await rejudgeReport(sql, id));
      },
    );
  }
}

function bodyOf({ rejudge, changes, entries, estimateSeconds }: RejudgeReport): z.infer<typeof reportBody> {
  return {
    status: 'ok',
    rejudge: viewBody(rejudge),
    estimate_seconds: estimateSeconds,
    places: changes.map(({ gpuType, userId, userName, before, after }) => ({
      gpu_type: gpuType,
      user_id: userId,
      user_name: userName,
      before: placeBody(before),
      after: placeBody(after),
    })),
    verdicts: entries.map((entry) => ({
      submission_id: entry.submissionId,
      user_id: entry.userId,
      user_name: entry.userName,
      gpu_type: entry.gpuType,
      before: verdictBody(entry.before),
      after: entry.after && verdictBody(entry.after),
      open: entry.open,
    })),
  };
}

function viewBody(view: RejudgeView): z.infer<typeof rejudgeBody> {
  return {
    id: view.id,
    leaderboard: view.leaderboard,
    status: view.status,
    scope: scopeText(view.scope, (userId) => userId),
    version: view.version,
    is_current: view.isCurrent,
    requested_by: view.requestedBy,
    ended_by: view.endedBy,
    created_at: view.createdAt.toISOString(),
    started_at: view.startedAt?.toISOString() ?? null,
    ready_at: view.readyAt?.toISOString() ?? null,
    ended_at: view.endedAt?.toISOString() ?? null,
    submissions: view.submissions,
    entries: view.entries,
    judged: view.judged,
    jobs: view.jobs,
    open_jobs: view.openJobs,
  };
}

function placeBody(item: PlaceChange['before']): z.infer<typeof place> {
  return item && { submission_id: item.submissionId, score: item.score, rank: item.rank };
}

function verdictBody(item: Verdict): z.infer<typeof verdict> {
  const { publicScore, secretScore, eligible, reason } = item;
  return { public_score: publicScore, secret_score: secretScore, eligible, reason };
}
