/** Runs: what was run, by whom and how it went, as far as the caller may know; and what judges think of it. */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { listReviews } from '../../db/reviews.ts';
import {
  findRun,
  listRunPage,
  listRunPlaces,
  listSameCode,
  type RunFilter,
  type RunViewer,
  runOrders,
} from '../../db/runs.ts';
import { findSubmissionCode, findSubmissionView, listRuns } from '../../db/submissions.ts';
import { isSharedWith } from '../../db/teams.ts';
import { UserError } from '../../domain/errors.ts';
import { modes, submissionStatuses } from '../../domain/submission.ts';
import { judgeSubmission } from '../../intake/judging.ts';
import { callerOf } from '../auth.ts';
import { enterBoard, findBoard, pageOf } from '../board-access.ts';
import { recordOf } from '../changes.ts';
import { cursorQuery, readCursor, writeCursor } from '../cursor.ts';
import { security } from '../document.ts';
import { viewerOf } from '../report-access.ts';
import type { RouteParts, Server } from '../route.ts';
import {
  humanScore,
  humanScoreBody,
  itemBody,
  organiserBody,
  ownBody,
  publicStages,
  runDetail,
  runItem,
  stagesOf,
} from '../run-bodies.ts';
import { bad, failures, idParam, knownId, limitQuery, loosely, nameParam, okStatus } from '../schemas.ts';

const PAGE = 50;
const MAX_PAGE = 100;
const SAME_CODE = 100;

const scoreQuery = z
  .string()
  .max(40)
  .optional()
  .meta({ type: 'number' })
  .describe('Of scores that the board shows, on `gpu` where that is given');

const query = z.object({
  leaderboard: nameParam.optional(),
  status: z.enum(submissionStatuses).optional(),
  mode: z.enum(modes).optional(),
  gpu: nameParam.optional(),
  user: nameParam.optional().describe('An account or a name'),
  min_score: scoreQuery,
  max_score: scoreQuery,
  since: z.string().max(40).optional().describe('Sent at that time or later: 2026-11-20T18:00:00Z'),
  order: z
    .enum(runOrders)
    .default('created')
    .describe('`created`: newest first; `finished`: last ended first, what has not ended at the end'),
  limit: limitQuery,
  cursor: cursorQuery.describe('`next` of the page before, with the same question'),
});

const params = z.object({ id: idParam });
const nobody: RunViewer = { userId: null, isAdmin: false };

/** Where a page ended. */
const place = z.object({
  id: z.int().positive(),
  finishedAt: z
    .string()
    .regex(/^\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?[+-]\d\d(:\d\d){0,2}$/)
    .nullable(),
});

export function runRoutes(server: Server, { sql, guards, limits, reportReads }: RouteParts): void {
  const open = {
    tags: ['runs'],
    security: security.viewer,
  };

  server.get(
    '/runs',
    {
      onRequest: [guards.viewer, limits.read],
      schema: {
        ...open,
        summary: 'Runs that the caller may see, newest first',
        querystring: query,
        response: {
          200: z.object({
            items: z.array(runItem),
            total: z.int().describe('Of all pages'),
            next: z.string().nullable().describe('The cursor of the next page; null: this is the last'),
          }),
          ...failures,
        },
      },
    },
    async (request) => {
      const { order, cursor } = request.query;
      const { limit } = pageOf({ limit: request.query.limit }, { fallback: PAGE, most: MAX_PAGE });
      const filter = await filterOf(request, request.query);
      const question = { order, filter };
      const after = readCursor(question, place, cursor);
      // One more than is shown says whether anything follows.
      const { items, total } = await reportReads(() =>
        listRunPage(sql, viewerOf(request) ?? nobody, filter, { order, limit: limit + 1, after }),
      );
      const shown = items.slice(0, limit);
      const last = shown.at(-1);
      const next = items.length > limit && last ? last.cursor : null;
      return { items: shown.map(itemBody), total, next: writeCursor(question, next) };
    },
  );

  server.get(
    '/runs/:id',
    {
      onRequest: [guards.viewer, limits.read],
      schema: {
        ...open,
        summary:
          'One run with its stages; its owner, team mates who share, and organisers also see code, outputs and all scores',
        params,
        response: { 200: runDetail, ...failures },
      },
    },
    async (request) => {
      const viewer = viewerOf(request) ?? nobody;
      const id = knownId(request.params.id);
      const run = await findRun(sql, viewer, id);
      if (!run) throw new UserError('unknown-run', { id: request.params.id });
      const isPrivate =
        viewer.isAdmin ||
        viewer.userId === run.userId ||
        (viewer.userId !== null && (await isSharedWith(sql, id, viewer.userId)));
      const runs = await listRuns(sql, id, isPrivate);
      if (!isPrivate)
        return { ...itemBody(run), stages: publicStages(runs, run.scores), own: null, organiser: null };
      const [view, source, reviews, same, places] = await Promise.all([
        findSubmissionView(sql, id, true),
        findSubmissionCode(sql, id),
        listReviews(sql, id),
        viewer.isAdmin ? listSameCode(sql, id, SAME_CODE) : null,
        viewer.isAdmin ? listRunPlaces(sql, id) : null,
      ]);
      // Deleted at this moment.
      if (!view || !source) throw new UserError('unknown-run', { id });
      return {
        ...itemBody(run),
        stages: runs.flatMap(stagesOf),
        own: ownBody(view, source.listing ?? source.content.toString('utf8'), reviews),
        organiser: same && places && organiserBody(same, places),
      };
    },
  );

  server.post(
    '/runs/:id/score',
    {
      onRequest: [guards.judge, limits.change],
      schema: {
        tags: ['runs'],
        security: security.user,
        summary: 'For judges: a score from 0 to 1; an earlier one of the same judge is kept as a revision',
        params,
        body: z.object({
          scorer: z.string().max(200).describe('A name from the list of the board'),
          value: loosely({ type: 'number', minimum: 0, maximum: 1 }),
          reason: z.string().max(20_000).describe('What it rests on'),
        }),
        response: {
          200: z.object({
            status: okStatus,
            replaced: z.number().nullable().describe('The score that this judge had given before'),
            human_scores: z.array(humanScore),
          }),
          ...failures,
        },
      },
    },
    async (request) => {
      const { userId, userName } = callerOf(request);
      const { scorer, value, reason } = request.body;
      if (typeof value !== 'number')
        throw new UserError('score-range', {
          value: value === undefined ? 'Nothing' : JSON.stringify(value),
        });
      const submissionId = knownId(request.params.id);
      const judgement = { submissionId, scorer, value, reason };
      const judge = { id: userId, name: userName };
      const { replaced } = await judgeSubmission(sql, judgement, judge, recordOf(request));
      const given = await listReviews(sql, submissionId);
      return { status: 'ok' as const, replaced, human_scores: given.map(humanScoreBody) };
    },
  );

  /** Throws for what names nothing: an empty list would say that there is nothing of it. */
  async function filterOf(request: FastifyRequest, wish: z.infer<typeof query>): Promise<RunFilter> {
    const { leaderboard } = wish;
    const board =
      leaderboard === undefined
        ? null
        : await (request.admin ? findBoard(sql, leaderboard) : enterBoard(sql, leaderboard, request.caller));
    return {
      leaderboardId: board?.id ?? null,
      status: wish.status ?? null,
      mode: wish.mode ?? null,
      gpu: wish.gpu ?? null,
      user: wish.user ?? null,
      minScore: scoreOf('min_score', wish.min_score),
      maxScore: scoreOf('max_score', wish.max_score),
      since: timeOf(wish.since),
    };
  }
}

function scoreOf(name: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isFinite(value)) throw bad(`${name} must be a number, such as 0.0012.`);
  return value;
}

function timeOf(text: string | undefined): Date | null {
  if (text === undefined) return null;
  const [, day, hours = '', zone = ''] =
    /^(\d{4}-\d\d-\d\d)([T ][\d:.]+(Z|[+-]\d\d:?\d\d)?)?$/.exec(text) ?? [];
  // A Date carries a 31st of February over into March, and takes a time without a zone for one of this machine's.
  const isReal = z.iso.date().safeParse(day).success;
  const at = isReal ? new Date(hours === '' || zone !== '' ? text : `${text}Z`) : null;
  if (!at || Number.isNaN(at.getTime())) throw bad('since must be a time, such as 2026-11-20T18:00:00Z.');
  return at;
}
