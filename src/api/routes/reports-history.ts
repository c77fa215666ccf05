/** Reports: the way of one entry over the tracks of its board. */
import { z } from 'zod';
import { listSubmissionStates } from '../../db/board-history.ts';
import { readReport } from '../../db/report-reading.ts';
import { pageOf } from '../board-access.ts';
import { cursorQuery, readCursor, writeCursor } from '../cursor.ts';
import { security } from '../document.ts';
import { enterEntry, reportedTrack } from '../report-access.ts';
import { emptyBody, nextCursor, totalBody, trackQuery, windowBodies } from '../report-bodies.ts';
import { emptyHistory } from '../report-empty.ts';
import type { RouteParts, Server } from '../route.ts';
import { failures, idParam, limitQuery, time } from '../schemas.ts';

const PAGE = 20;
const MAX_PAGE = 100;

const stateBody = z
  .object({
    track: z.string(),
    since: time,
    until: time.nullable().describe('Null: it stands'),
    rank: z
      .int()
      .describe('Where it stood when this began; what is older than 30 days: at the midnight (UTC) after'),
    score: z.number().nullable().describe('Null where it is its owner’s alone'),
    ...windowBodies,
    provisional: z.boolean(),
  })
  .meta({ id: 'EntryState' });

const place = z.object({ since: z.string().max(40), track: z.string(), total: z.int() });

export function reportHistoryRoutes(server: Server, { sql, guards, limits, reportReads }: RouteParts): void {
  server.get(
    '/reports/models/:id/history',
    {
      onRequest: [guards.viewer, limits.read],
      schema: {
        summary: 'Where one entry stood on its board, state by state, newest first',
        tags: ['reports'],
        security: security.viewer,
        params: z.object({ id: idParam }),
        querystring: z.object({
          track: trackQuery.describe('All where it is not given'),
          limit: limitQuery.describe(`1 to ${MAX_PAGE}; ${PAGE} where it is not given`),
          cursor: cursorQuery,
        }),
        response: {
          200: z.object({
            submission_id: z.int(),
            leaderboard: z.string(),
            total: totalBody,
            states: z.array(stateBody),
            next_cursor: nextCursor,
            empty: emptyBody,
          }),
          ...failures,
        },
      },
    },
    (request) => {
      const { limit } = pageOf(request.query, { fallback: PAGE, most: MAX_PAGE });
      return reportReads(() =>
        readReport(sql, async (tx) => {
          const reported = await enterEntry(tx, request.params.id, request);
          const { entry, board, viewer } = reported;
          const wish = request.query.track;
          const track = wish === undefined ? null : (await reportedTrack(tx, board, wish)).name;
          const asked = ['history', entry.id, track];
          const after = readCursor(asked, place, request.query.cursor);
          const of = { submissionId: entry.id, track, viewer };
          const read = await listSubmissionStates(tx, of, { limit: limit + 1, after });
          const total = after?.total ?? read.total;
          const page = read.items.slice(0, limit);
          const last = page.at(-1);
          const next = read.items.length > limit && last ? { ...last.cursor, total } : null;
          return {
            submission_id: entry.id,
            leaderboard: board.name,
            total,
            states: page.map(({ since, until, recent, steady, anchor, ...state }) => ({
              track: state.track,
              since: since.toISOString(),
              until: until?.toISOString() ?? null,
              rank: state.rank,
              score: state.score,
              recent,
              steady,
              anchor,
              provisional: state.provisional,
            })),
            next_cursor: writeCursor(asked, next),
            empty: total > 0 ? null : await emptyHistory(tx, reported, track),
          };
        }),
      );
    },
  );
}
