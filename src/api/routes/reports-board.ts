/** Reports: who stands where on any track of a board, now or as it was, and who does not, and why. */
import { z } from 'zod';
import { type BoardCursor, countTrack, listBoardFrom, listRankChanges } from '../../db/board.ts';
import { findKeptMoment, findTrackStart, isKeptDaily } from '../../db/board-history.ts';
import type { Db } from '../../db/client.ts';
import type { LeaderboardWithTask } from '../../db/leaderboards.ts';
import { readReport } from '../../db/report-reading.ts';
import { listUnranked } from '../../db/standings.ts';
import type { BoardEntry, RankChange } from '../../domain/submission.ts';
import { pageOf } from '../board-access.ts';
import { cursorQuery, readCursor, staleCursor, writeCursor } from '../cursor.ts';
import { security } from '../document.ts';
import { enterReported, type ReportedTrack, reportedTrack } from '../report-access.ts';
import {
  type Empty,
  emptyBody,
  leaderboardQuery,
  momentQuery,
  nextCursor,
  pastMoment,
  reasonBody,
  totalBody,
  trackQuery,
  windowBodies,
} from '../report-bodies.ts';
import { empty, emptyBoard } from '../report-empty.ts';
import type { RouteParts, Server } from '../route.ts';
import { bad, failures, limitQuery, time } from '../schemas.ts';

const PAGE = 50;
const MAX_PAGE = 200;
/** Above every submission. */
const NEWEST = Number.MAX_SAFE_INTEGER;

const changeBody = z.union([z.int(), z.literal('new')]).nullable();

const entryBody = z
  .object({
    rank: z.int().nullable().describe('Equal scores share a rank; null of those who are not ranked'),
    user_id: z.string(),
    user_name: z.string(),
    team_name: z
      .string()
      .nullable()
      .describe('Of the team whose one place it is, its user being who made it'),
    submission_id: z.int(),
    score: z.number().nullable().describe('Null where it is its owner’s alone'),
    ...windowBodies,
    rank_change_24h: changeBody.describe(
      'Places gained since 24 hours before `as_of`, lost ones negative; `new`: was not ranked',
    ),
    rank_change_7d: changeBody.describe('The same over 7 days'),
    provisional: z.boolean().describe('Fewer ranked runs than the board asks for'),
    achieved_at: time.nullable(),
    judged_by_version: z
      .int()
      .nullable()
      .describe('Of the task, where that judges by something else than the present one'),
    reason: reasonBody.nullable().describe('Why it is not ranked'),
  })
  .meta({ id: 'ReportEntry' });
type EntryBody = z.infer<typeof entryBody>;

const query = z.object({
  leaderboard: leaderboardQuery,
  track: trackQuery,
  as_of: momentQuery.describe('The board as it was then; older than 30 days: at the midnight (UTC) before'),
  standing: z
    .enum(['ranked', 'not-ranked'])
    .optional()
    .describe('`not-ranked`: who has sent ranked work and is not on the board now, newest first'),
  limit: limitQuery.describe(`1 to ${MAX_PAGE}; ${PAGE} where it is not given`),
  cursor: cursorQuery,
});
type Query = z.infer<typeof query>;

const rankedPlace = z.object({
  at: z.iso.datetime(),
  total: z.int(),
  submissionId: z.int(),
  seen: z.int(),
  rank: z.int(),
});
const unrankedPlace = z.object({ upTo: z.int(), before: z.int(), total: z.int() });

interface Question {
  board: LeaderboardWithTask;
  track: ReportedTrack;
  query: Query;
  limit: number;
  now: Date;
}

interface Page {
  asOf: Date;
  total: number;
  entries: EntryBody[];
  cursor: string | null;
}

export function reportBoardRoutes(server: Server, { sql, guards, limits, reportReads }: RouteParts): void {
  server.get(
    '/reports/leaderboard',
    {
      onRequest: [guards.viewer, limits.read],
      schema: {
        summary:
          'A board on any of its tracks, now or as it was: ranks, windows, moves, and who is not ranked',
        tags: ['reports'],
        security: security.viewer,
        querystring: query,
        response: {
          200: z.object({
            leaderboard: z.string(),
            track: z.string(),
            tracks: z.array(z.string()).describe('That the board has'),
            unit: z.string().describe('Of the scores: `s` for seconds; empty: a bare number'),
            lower_is_better: z.boolean(),
            ranked_by_windows: z.boolean(),
            minimum_runs: z.int().describe('Below it an entry is provisional'),
            as_of: time,
            total: totalBody,
            entries: z.array(entryBody),
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
        readReport(sql, async (tx, now) => {
          const board = await enterReported(tx, request.query.leaderboard, request);
          const track = await reportedTrack(tx, board, request.query.track);
          const question = { board, track, query: request.query, limit, now };
          const wantsRanked = request.query.standing !== 'not-ranked';
          const page = wantsRanked ? await rankedPage(tx, question) : await unrankedPage(tx, question);
          return {
            leaderboard: board.name,
            track: track.name,
            tracks: track.all,
            unit: track.unit,
            lower_is_better: track.lowerIsBetter,
            ranked_by_windows: board.rule.windows ?? false,
            minimum_runs: board.rule.minimumRuns ?? 1,
            as_of: page.asOf.toISOString(),
            total: page.total,
            entries: page.entries,
            next_cursor: page.cursor,
            empty: page.total > 0 ? null : await whyEmpty(tx, question, page.asOf),
          };
        }),
      );
    },
  );
}

/** Further pages are of the board as it was when the first one was read. */
async function rankedPage(tx: Db, { board, track, query, limit, now }: Question): Promise<Page> {
  const asked = ['leaderboard', board.id, track.name, query.as_of ?? null];
  const before = readCursor(asked, rankedPlace, query.cursor);
  const then = pastMoment('as_of', query.as_of, now) ?? now;
  const after = before && { ...before, asOf: new Date(before.at) };
  const key = { leaderboardId: board.id, gpuType: track.name };
  const page = await listBoardFrom(tx, key, { asOf: await findKeptMoment(tx, then), after }, limit);
  if (page === null) throw staleCursor();
  const { asOf, entries, next } = page;
  const total = before?.total ?? (await countTrack(tx, key, asOf));
  const changes = isKeptDaily(asOf, now) ? await listRankChanges(tx, key, entries, asOf) : new Map();
  return {
    asOf,
    total,
    entries: entries.map((entry) => rankedBody(entry, changes.get(entry.userId))),
    cursor: writeCursor(asked, next && placeOf(next, total)),
  };
}

function placeOf({ asOf, ...end }: BoardCursor, total: number): z.infer<typeof rankedPlace> {
  return { at: asOf.toISOString(), total, ...end };
}

function rankedBody(entry: BoardEntry, change: { day: RankChange; week: RankChange } | undefined): EntryBody {
  const { recent, steady, anchor } = entry;
  return {
    rank: entry.rank,
    user_id: entry.userId,
    user_name: entry.userName,
    team_name: entry.team?.name ?? null,
    submission_id: entry.submissionId,
    score: entry.score,
    recent,
    steady,
    anchor,
    rank_change_24h: change?.day ?? null,
    rank_change_7d: change?.week ?? null,
    provisional: entry.provisional,
    achieved_at: entry.achievedAt.toISOString(),
    judged_by_version: entry.oldVersion,
    reason: null,
  };
}

async function unrankedPage(tx: Db, { board, track, query, limit, now }: Question): Promise<Page> {
  if (query.as_of !== undefined)
    throw bad(
      'as_of: why somebody is not ranked is known of now alone. Leave one of as_of and standing out.',
    );
  const asked = ['not-ranked', board.id, track.name];
  const before = readCursor(asked, unrankedPlace, query.cursor);
  const from = { limit: limit + 1, upTo: before?.upTo ?? NEWEST, before: before?.before ?? NEWEST };
  const key = { leaderboardId: board.id, track: track.name, isComposite: track.isComposite };
  const read = await listUnranked(tx, key, from);
  const people = read.people.slice(0, limit);
  const total = before?.total ?? read.total;
  const [first, last] = [people[0], people.at(-1)];
  const next =
    read.people.length > limit && first && last
      ? { upTo: before?.upTo ?? first.submissionId, before: last.submissionId, total }
      : null;
  return {
    asOf: now,
    total,
    entries: people.map((person) => ({
      rank: null,
      user_id: person.userId,
      user_name: person.userName,
      team_name: null,
      submission_id: person.submissionId,
      score: null,
      recent: null,
      steady: null,
      anchor: null,
      rank_change_24h: null,
      rank_change_7d: null,
      provisional: false,
      achieved_at: null,
      judged_by_version: null,
      reason: person.reason,
    })),
    cursor: writeCursor(asked, next),
  };
}

async function whyEmpty(tx: Db, { board, track, query }: Question, asOf: Date): Promise<Empty> {
  const start = await findTrackStart(tx, { leaderboardId: board.id, name: track.name });
  if (query.standing === 'not-ranked') {
    const nobody = await emptyBoard(tx, board, track);
    if (nobody?.code === 'no-submissions') return nobody;
    return empty('all-ranked', `Everybody who has sent a ranked submission there is ranked.`);
  }
  if (query.as_of !== undefined && start !== null) {
    const detail = `Nobody was ranked on ${track.name} at ${asOf.toISOString()}; the first entry that is known came at ${start.toISOString()}.`;
    return empty('nobody-ranked-then', detail);
  }
  return emptyBoard(tx, board, track);
}
