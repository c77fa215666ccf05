/** Reports: how the entries of a track, or a metric of their owners' runs, moved between two times. */
import { z } from 'zod';
import { listBoardEntries } from '../../db/board.ts';
import type { Db } from '../../db/client.ts';
import type { LeaderboardWithTask } from '../../db/leaderboards.ts';
import { readReport } from '../../db/report-reading.ts';
import {
  type EntryPoint,
  findEntryTimes,
  findRunTimes,
  listEntrySeries,
  listMetricSeries,
  type SeriesSpan,
} from '../../db/report-series.ts';
import { findUserName } from '../../db/users.ts';
import type { Viewer } from '../../domain/submission.ts';
import { security } from '../document.ts';
import { enterReported, measureOf, type ReportedTrack, reportedTrack, viewerOf } from '../report-access.ts';
import {
  type Empty,
  emptyBody,
  leaderboardQuery,
  measureBody,
  metricQuery,
  numberWithin,
  trackQuery,
  userQuery,
} from '../report-bodies.ts';
import { empty, emptyBoard, emptyMetric, emptySpan } from '../report-empty.ts';
import { pointBody, pointOf, spanBody, spanBodyOf, spanOf, spanQuery } from '../report-span.ts';
import type { RouteParts, Server } from '../route.ts';
import { bad, failures, time, wholeNumber } from '../schemas.ts';

const TOP = { from: 1, to: 50, fallback: 10 };

const seriesBody = z
  .object({
    user_id: z.string(),
    user_name: z.string(),
    points: z.array(
      pointBody.extend({
        until: time
          .nullable()
          .describe('When the score ceased to stand; null: it stands, or this is a metric'),
      }),
    ),
  })
  .meta({ id: 'EntrySeries' });

interface Question {
  board: LeaderboardWithTask;
  track: ReportedTrack;
  /** The first of the track as it is now, or one account. */
  people: { userId: string; userName: string }[];
  user: string | undefined;
  viewer: Viewer | null;
  span: SeriesSpan;
}

interface Found {
  points: EntryPoint[];
  empty: Empty;
}

export function reportGlobalRoutes(server: Server, { sql, guards, limits, reportReads }: RouteParts): void {
  server.get(
    '/reports/models/global',
    {
      onRequest: [guards.viewer, limits.read],
      schema: {
        summary: 'How the entries of a track, or a metric of their owners’ runs, moved between two times',
        tags: ['reports'],
        security: security.viewer,
        querystring: z.object({
          leaderboard: leaderboardQuery,
          track: trackQuery,
          user: userQuery,
          top: wholeNumber
            .optional()
            .describe(`Of the first so many now, 1 to ${TOP.to}; ${TOP.fallback} where it is not given`),
          metric: metricQuery,
          ...spanQuery,
        }),
        response: {
          200: z.object({
            leaderboard: z.string(),
            track: z.string(),
            ...measureBody,
            ...spanBody,
            series: z.array(seriesBody),
            empty: emptyBody,
          }),
          ...failures,
        },
      },
    },
    (request) => {
      const { user, metric } = request.query;
      const top = numberWithin('top', request.query.top, TOP);
      return reportReads(() =>
        readReport(sql, async (tx, now) => {
          const span = spanOf(request.query, now);
          const board = await enterReported(tx, request.query.leaderboard, request);
          const track = await reportedTrack(tx, board, request.query.track);
          const people = await peopleOf(tx, { leaderboardId: board.id, gpuType: track.name }, user, top);
          const question = { board, track, people, user, viewer: viewerOf(request), span };
          const found =
            metric === undefined ? await ofEntries(tx, question) : await ofRuns(tx, question, metric);
          const measure = metric === undefined ? track : measureOf(board, metric);
          return {
            leaderboard: board.name,
            track: track.name,
            unit: measure.unit,
            lower_is_better: measure.lowerIsBetter,
            ...spanBodyOf(span, found.points),
            series: people.map((person) => ({
              user_id: person.userId,
              user_name: person.userName,
              points: found.points
                .filter((point) => point.userId === person.userId)
                .map((point) => ({ ...pointOf(point), until: point.until?.toISOString() ?? null })),
            })),
            empty: found.empty,
          };
        }),
      );
    },
  );
}

async function peopleOf(
  tx: Db,
  key: { leaderboardId: number; gpuType: string },
  user: string | undefined,
  top: number,
): Promise<Question['people']> {
  if (user === undefined) return (await listBoardEntries(tx, key, { limit: top, offset: 0 })).entries;
  const userName = await findUserName(tx, user);
  return userName === null ? [] : [{ userId: user, userName }];
}

async function ofEntries(tx: Db, { board, track, people, user, span }: Question): Promise<Found> {
  const userIds = people.map((person) => person.userId);
  const of = { leaderboardId: board.id, track: track.name, userIds };
  const points = await listEntrySeries(tx, of, span);
  if (points.length > 0) return { points, empty: null };
  const times = await findEntryTimes(tx, of);
  if (times?.isHidden) {
    const detail = `Scores of ${track.name} of '${board.name}' are their owners’ alone. \`/reports/models\` shows what everybody may see.`;
    return { points, empty: empty('scores-hidden', detail) };
  }
  return { points, empty: emptySpan(times, span, await nobody(tx, board, track, user)) };
}

async function ofRuns(tx: Db, question: Question, metric: string): Promise<Found> {
  const { board, track, people, viewer, span, user } = question;
  if (track.gpuType === null)
    throw bad(
      `metric: ${track.name} is made of other boards and has no runs of its own. Name a GPU type as the track.`,
    );
  const userIds = people.map((person) => person.userId);
  const of = { leaderboardId: board.id, gpuType: track.gpuType, viewer, userIds };
  const points = await listMetricSeries(tx, { ...of, metric }, span);
  if (points.length > 0) return { points, empty: null };
  const unknown = await emptyMetric(tx, board, metric);
  const times = await findRunTimes(tx, of);
  const without = times && empty('no-values', `The runs of these entries have not reported ${metric} then.`);
  const otherwise = without ?? (await nobody(tx, board, track, user));
  const isWithin = times && times.first <= span.to && times.last >= span.from;
  return { points, empty: unknown ?? (isWithin ? without : emptySpan(times, span, otherwise)) };
}

async function nobody(
  tx: Db,
  board: LeaderboardWithTask,
  track: ReportedTrack,
  user: string | undefined,
): Promise<Empty> {
  if (user === undefined) return emptyBoard(tx, board, track);
  return empty('never-ranked', `Account ${user} has never been on ${track.name} of '${board.name}'.`);
}
