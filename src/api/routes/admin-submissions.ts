/** For organisers: anybody's submissions. Of secret runs they see the scores, never what was written there. */
import { z } from 'zod';
import { listSubmissionIdsOf } from '../../db/deletion.ts';
import { findOwnSubmission, listBoardSubmissions } from '../../db/submission-list.ts';
import { findSubmissionOwner, listRuns } from '../../db/submissions.ts';
import { withdrawSubmission } from '../../intake/withdraw.ts';
import { findBoard, pageOf } from '../board-access.ts';
import { recordOf } from '../changes.ts';
import { security } from '../document.ts';
import { Refusal } from '../errors.ts';
import type { RouteParts, Server } from '../route.ts';
import {
  failures,
  idParam,
  knownId,
  limitQuery,
  nameParam,
  offsetQuery,
  okStatus,
  time,
  wholeNumber,
} from '../schemas.ts';
import { detailBody, listBody, listItem, submissionBody } from '../submission-bodies.ts';

const PAGE = 100;
const MAX_PAGE = 1000;

const adminRun = z.object({
  start_time: time,
  end_time: time,
  mode: z.string(),
  secret: z.boolean(),
  runner: z.string(),
  score: z.number().nullable(),
  passed: z.boolean(),
  compilation: z.null(),
  meta: z.object({
    stdout: z.string(),
    stderr: z.string(),
    exit_code: z.int().nullable(),
    sandbox: z.string(),
    failure: z.object({ kind: z.string(), stage: z.string(), summary: z.string() }).nullable(),
  }),
  result: z.record(z.string(), z.string()),
  system: z.record(z.string(), z.union([z.string(), z.number()])),
});

const adminSubmission = detailBody
  .omit({ id: true, runs: true, job: true, runner_queue: true })
  .extend({
    submission_id: z.int(),
    runs: z.array(adminRun),
    job_status: detailBody.shape.job.shape.status,
    job_error: z.string().nullable(),
    job_last_heartbeat: time.nullable(),
  })
  .meta({ id: 'AdminSubmission' });

const params = z.object({ id: idParam });

export function adminSubmissionRoutes(server: Server, { sql, guards }: RouteParts): void {
  server.get(
    '/admin/submissions/:id',
    {
      onRequest: guards.admin,
      schema: {
        summary: 'One submission, with its code, scores and public outputs',
        tags: ['admin'],
        security: security.admin,
        params,
        response: { 200: z.object({ status: okStatus, submission: adminSubmission }), ...failures },
      },
    },
    async (request) => {
      const id = knownId(request.params.id);
      const owner = await findSubmissionOwner(sql, id);
      const row = owner === null ? null : await findOwnSubmission(sql, id, owner);
      if (!row) throw new Refusal(404, 'unknown-submission', 'Submission not found');
      const { id: _id, runs: _runs, job, runner_queue: _queue, ...body } = submissionBody(row, null);
      const runs = await listRuns(sql, id, true);
      return {
        status: 'ok' as const,
        submission: {
          submission_id: row.id,
          ...body,
          runs: runs.map((run) => ({
            start_time: run.startedAt.toISOString(),
            end_time: run.finishedAt.toISOString(),
            mode: run.mode,
            secret: run.secret,
            runner: run.gpuType,
            score: run.score,
            passed: run.passed,
            compilation: null,
            meta: {
              stdout: run.stdout,
              stderr: run.stderr,
              exit_code: run.exitCode,
              sandbox: run.sandbox,
              failure: run.failure,
            },
            result: Object.fromEntries(run.result),
            system: { ...run.system },
          })),
          job_status: job.status,
          job_error: job.error,
          job_last_heartbeat: job.last_heartbeat,
        },
      };
    },
  );

  server.delete(
    '/admin/submissions/:id',
    {
      onRequest: guards.admin,
      schema: {
        summary: 'Delete a submission; its code and a line about it stay on record',
        tags: ['admin'],
        security: security.admin,
        params,
        response: { 200: z.object({ status: okStatus, submission_id: z.int() }), ...failures },
      },
    },
    async (request) => {
      const id = knownId(request.params.id);
      if ((await findSubmissionOwner(sql, id)) === null) {
        throw new Refusal(404, 'unknown-submission', 'Submission not found');
      }
      await withdrawSubmission(sql, id, recordOf(request));
      return { status: 'ok' as const, submission_id: id };
    },
  );

  server.delete(
    '/admin/submissions',
    {
      onRequest: guards.admin,
      schema: {
        summary: 'Delete all submissions of one person, by name, to one leaderboard',
        tags: ['admin'],
        security: security.admin,
        querystring: z.object({ leaderboard_id: wholeNumber, user_name: z.string().min(1).max(200) }),
        response: {
          200: z.object({
            status: okStatus,
            leaderboard_id: z.int(),
            user_name: z.string(),
            deleted: z.int(),
            submission_ids: z.array(z.int()),
          }),
          ...failures,
        },
      },
    },
    async (request) => {
      const leaderboardId = knownId(request.query.leaderboard_id);
      const { user_name: userName } = request.query;
      const ids = await listSubmissionIdsOf(sql, { leaderboardId, userName });
      const record = recordOf(request);
      if (ids.length === 0) record.settle();
      for (const id of ids) await withdrawSubmission(sql, id, record);
      return {
        status: 'ok' as const,
        leaderboard_id: leaderboardId,
        user_name: userName,
        deleted: ids.length,
        submission_ids: ids,
      };
    },
  );

  server.get(
    '/admin/leaderboards/:leaderboard/submissions',
    {
      onRequest: guards.admin,
      schema: {
        summary: 'All submissions to a leaderboard, newest first',
        tags: ['admin'],
        security: security.admin,
        params: z.object({ leaderboard: nameParam }),
        querystring: z.object({ limit: limitQuery, offset: offsetQuery }),
        response: {
          200: z.object({
            status: okStatus,
            leaderboard: z.string(),
            limit: z.int(),
            offset: z.int(),
            submissions: z.array(
              listItem.extend({ submission_id: z.int(), user_id: z.string(), user_name: z.string() }),
            ),
          }),
          ...failures,
        },
      },
    },
    async (request) => {
      const page = pageOf(request.query, { fallback: PAGE, most: MAX_PAGE });
      const board = await findBoard(sql, request.params.leaderboard);
      const rows = await listBoardSubmissions(sql, board.id, page);
      return {
        status: 'ok' as const,
        leaderboard: board.name,
        ...page,
        submissions: rows.map((row) => ({
          ...listBody(row),
          submission_id: row.id,
          user_id: row.userId,
          user_name: row.userName,
        })),
      };
    },
  );
}
