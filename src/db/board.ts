/**
 * Reading a board: what its rule made of it (migration 0010), now or as it was. Ties share a rank; inside a tie the earlier
 * one stands first. Pages read the rows that they show and the tally: never a whole board, never raw runs.
 */
import type { PendingQuery, Row } from 'postgres';
import type { BoardEntry, RankChange } from '../domain/submission.ts';
import { keptMoment, settledMoment } from './board-history.ts';
import type { Db } from './client.ts';

export interface BoardKey {
  leaderboardId: number;
  /** A GPU type, or another track of the board: `H100 / Triton`, `H100 / shape 2`, a composite by its name. */
  gpuType: string;
  scoreAscending: boolean;
}

type Track = Pick<BoardKey, 'leaderboardId' | 'gpuType'>;

/** One page of a board and how many entries it has in all; with `asOf`, as it was then. Scores are what all may see. */
export async function listBoardEntries(
  db: Db,
  key: Track,
  page: { limit: number; offset: number },
  asOf: Date | null = null,
): Promise<{ entries: BoardEntry[]; total: number }> {
  const total = await countTrack(db, key, asOf);
  return { entries: await withVersions(db, key, pageOf(db, key, page, asOf)), total };
}

/** How many entries a track has, or had. */
export async function countTrack(db: Db, key: Track, asOf: Date | null): Promise<number> {
  if (asOf === null) return countBoardEntries(db, key, null);
  const [row] = await db<{ total: number }[]>`
    select count(*) as total from hotlap.board_history h where ${stood(db, key, asOf)}`;
  return row?.total ?? 0;
}

type PlainEntry = Pick<BoardEntry, 'rank' | 'userId' | 'userName' | 'submissionId' | 'score' | 'team'>;

/** A page of a GPU type as it was, with the files that its entries came from: what the HTTP API shows. */
export async function listBoardPage(
  db: Db,
  key: Track,
  page: { limit: number; offset: number },
  asOf: Date | null,
): Promise<(PlainEntry & BoardFile)[]> {
  return db<(PlainEntry & BoardFile)[]>`
    select ranked.rank, ranked.user_id as "userId", ranked.submission_id as "submissionId", ranked.shown_score as score,
      ${teamOf(db)}, (select u.name from hotlap.users u where u.id = ranked.user_id) as "userName", about.*
    from (${pageOf(db, key, page, asOf)}) ranked
    cross join lateral (
      select s.file_name as "fileName", s.created_at as "submittedAt" from hotlap.submissions s
      where s.id = ranked.submission_id limit 1
    ) about
    order by ranked.sort_key, ranked.achieved_at, ranked.submission_id`;
}

const pageOf = (db: Db, key: Track, page: { limit: number; offset: number }, asOf: Date | null) => db`
      -- Whoever ties with the first of the page may tie with the page before it.
      select page.*, case when place > 1 then place + ${page.offset} else ${rankOf(db, key, asOf)} end as rank
      from (
        select e.*, rank() over (order by e.sort_key) as place from (
          ${rowsOf(db, key, asOf)}
          order by sort_key, achieved_at, submission_id limit ${page.limit} offset ${page.offset}
        ) e
      ) page`;

/** Of an entry that counts for a team; null otherwise. */
const teamOf = (db: Db) => db`(
      select json_build_object('id', t.id, 'name', t.name) from hotlap.teams t where t.id = ranked.team_id) as team`;

export interface BoardFile {
  fileName: string;
  submittedAt: Date;
}

type BoardRow = BoardEntry & BoardFile;

/**
 * Where a page ended, to go on there. The board is read as it was when the first page was. What the entry sorts by is looked
 * up again: it may be secret, and a cursor is handed out.
 */
export interface BoardCursor {
  asOf: Date;
  submissionId: number;
  /** How many entries came before the next one, and the rank of the last one. */
  seen: number;
  rank: number;
}

/**
 * A page by cursor: nobody comes twice or is left out, whatever is ranked meanwhile. Null for `after`: the first page, of
 * the board as it was at `asOf`, or just before what is being written at that moment. `next` is null on the last page. Null: what
 * `after` stood on is gone.
 */
export async function listBoardFrom(
  db: Db,
  key: Track,
  from: { asOf: Date; after: BoardCursor | null },
  limit: number,
): Promise<{ asOf: Date; entries: BoardEntry[]; next: BoardCursor | null } | null> {
  const { after } = from;
  const asOf = after === null ? await settledMoment(db, from.asOf) : after.asOf;
  const seen = after?.seen ?? 0;
  // As PostgreSQL writes them: a Date has no microseconds, and whoever is cut off there comes again.
  const [last] =
    after === null
      ? []
      : await db<{ sortKey: string; achievedAt: string }[]>`
          select h.sort_key::text as "sortKey", h.achieved_at::text as "achievedAt" from hotlap.board_history h
          where ${stood(db, key, asOf)} and h.submission_id = ${after.submissionId}`;
  if (after !== null && !last) return null;
  const rows = await withVersions(
    db,
    key,
    db`
      select page.*, case when page.sort_key = ${last?.sortKey ?? '{}'}::text::float8[] then ${after?.rank ?? 1}::bigint
        else place + ${seen} end as rank
      from (
        select e.*, rank() over (order by e.sort_key) as place from (
          ${rowsOf(db, key, asOf)}
          ${after && last ? db`and (h.sort_key, h.achieved_at, h.submission_id) > (${last.sortKey}::text::float8[], ${last.achievedAt}::text::timestamptz, ${after.submissionId})` : db``}
          order by sort_key, achieved_at, submission_id limit ${limit + 1}
        ) e
      ) page`,
  );
  const entries = rows.slice(0, limit);
  const end = entries.at(-1);
  const next =
    rows.length > limit && end
      ? { asOf, submissionId: end.submissionId, rank: end.rank, seen: seen + limit }
      : null;
  return { asOf, entries, next };
}

/** Places at an earlier moment, by user: of teams the team's, whoever held it then. Whoever was not ranked then is not in it. */
export async function listRanksAt(
  db: Db,
  key: Track,
  entries: Pick<BoardEntry, 'userId' | 'team'>[],
  at: Date,
): Promise<Map<string, number>> {
  const users = entries.map((entry) => entry.userId);
  const teams = entries.flatMap((entry) => entry.team?.id ?? []);
  const rows = await db<{ userId: string; teamId: number | null; rank: number }[]>`
    select user_id as "userId", team_id as "teamId", rank
    from hotlap.ranks_at(${key.leaderboardId}, ${key.gpuType}, ${users}, ${teams}::bigint[], ${keptMoment(db, at)})`;
  const ranks = entries.flatMap(({ userId, team }): [string, number][] => {
    const ofTeam = team ? rows.find((row) => row.teamId === team.id) : undefined;
    const then = ofTeam ?? rows.find((row) => row.userId === userId);
    return then ? [[userId, then.rank]] : [];
  });
  return new Map(ranks);
}

const HOUR_MS = 3_600_000;

/** How far each has moved in the last 24 hours and 7 days before `now`, up positive; `new`: was not ranked then. */
export async function listRankChanges(
  db: Db,
  key: Track,
  entries: Pick<BoardEntry, 'userId' | 'rank' | 'team'>[],
  now: Date,
): Promise<Map<string, { day: RankChange; week: RankChange }>> {
  const [day, week] = await Promise.all(
    [24, 168].map((hours) => listRanksAt(db, key, entries, new Date(now.getTime() - hours * HOUR_MS))),
  );
  const change = (then: number | undefined, rank: number): RankChange =>
    then === undefined ? 'new' : then - rank;
  return new Map(
    entries.map(({ userId, rank }) => [
      userId,
      { day: change(day?.get(userId), rank), week: change(week?.get(userId), rank) },
    ]),
  );
}

/** `userId` is whoever made it. */
export type OwnEntry = Pick<
  BoardEntry,
  'rank' | 'userId' | 'submissionId' | 'score' | 'provisional' | 'team'
>;

/** The entry and place of one user, or of their team; null: not ranked there. */
export async function findOwnEntry(db: Db, key: Track, userId: string): Promise<OwnEntry | null> {
  const [row] = await db<OwnEntry[]>`
    select hotlap.rank_of(ranked.leaderboard_id, ranked.track, ranked.sort_key) as rank, ranked.user_id as "userId",
      ranked.submission_id as "submissionId", ranked.shown_score as score, ranked.provisional, ${teamOf(db)}
    from hotlap.board_entries ranked
    where ranked.leaderboard_id = ${key.leaderboardId} and ranked.track = ${key.gpuType}
      and ranked.user_id = (select hotlap.entry_holder(${key.leaderboardId}, ${key.gpuType}, ${userId}))`;
  return row ?? null;
}

export interface Neighbour {
  userId: string;
  userName: string;
  teamName: string | null;
  score: number | null;
}

/** Who stands right before a user, or their team, on a GPU type; null: nobody, or the user is not ranked there. */
export async function findNeighbourAhead(db: Db, key: Track, userId: string): Promise<Neighbour | null> {
  const [row] = await db<Neighbour[]>`
    select e.user_id as "userId", u.name as "userName", e.shown_score as score,
      (select t.name from hotlap.teams t where t.id = e.team_id) as "teamName"
    from hotlap.best_entries own
    join hotlap.best_entries e on e.leaderboard_id = own.leaderboard_id and e.gpu_type = own.gpu_type
      and e.sort_key < own.sort_key
    join hotlap.users u on u.id = e.user_id
    where own.leaderboard_id = ${key.leaderboardId} and own.gpu_type = ${key.gpuType}
      and own.user_id = (select hotlap.entry_holder(${key.leaderboardId}, ${key.gpuType}, ${userId}))
    order by e.sort_key desc, e.achieved_at desc, e.submission_id desc limit 1`;
  return row ?? null;
}

export interface TrackSummary {
  track: string;
  entries: number;
  /** Null where nobody is ranked, or scores are not for everybody. */
  bestScore: number | null;
}

/** Every track of a board that has entries, and its GPU types in their order even without. */
export async function listTracks(db: Db, leaderboardId: number): Promise<TrackSummary[]> {
  return db<TrackSummary[]>`
    with named as (
      select gpu_type as track, position from hotlap.leaderboard_gpus where leaderboard_id = ${leaderboardId}
    ), counted as (
      select track, sum(entries)::bigint as entries from hotlap.board_tallies where leaderboard_id = ${leaderboardId}
      group by 1 having sum(entries) > 0
    )
    select track, coalesce(c.entries, 0) as entries, (
        select e.shown_score from hotlap.board_entries e
        where e.leaderboard_id = ${leaderboardId} and e.track = coalesce(n.track, c.track)
        order by e.sort_key, e.achieved_at, e.submission_id limit 1) as "bestScore"
    from named n full join counted c using (track)
    order by n.position nulls last, track`;
}

/** A row of `board_history` that stood at a moment. */
const stood = (db: Db, key: Track, at: Date) => db`
  h.leaderboard_id = ${key.leaderboardId} and h.track = ${key.gpuType}
  and h.since <= ${keptMoment(db, at)} and h.until > ${keptMoment(db, at)}`;

const columns = (db: Db) => db`
  h.leaderboard_id, h.track, h.user_id, h.submission_id, h.shown_score, h.sort_key, h.recent, h.steady, h.anchor,
  h.provisional, h.achieved_at, h.team_id`;

const rowsOf = (db: Db, key: Track, asOf: Date | null) =>
  asOf === null
    ? db`select ${columns(db)} from hotlap.board_entries h
        where h.leaderboard_id = ${key.leaderboardId} and h.track = ${key.gpuType}`
    : db`select ${columns(db)} from hotlap.board_history h where ${stood(db, key, asOf)}`;

const rankOf = (db: Db, key: Track, asOf: Date | null) =>
  asOf === null
    ? db`hotlap.rank_of(${key.leaderboardId}, ${key.gpuType}, page.sort_key)`
    : db`(select 1 + count(*) from hotlap.board_history h
        where ${stood(db, key, asOf)} and h.sort_key < page.sort_key)`;

/**
 * The rows of one page as people see them. What belongs to each is looked up row by row (`limit 1` sees to that): to the
 * planner a page of unknown length is a tenth of the board, for which it would read whole tables.
 */
async function withVersions(db: Db, key: Track, page: PendingQuery<Row[]>): Promise<BoardRow[]> {
  return db<BoardRow[]>`
    select ranked.rank, ranked.user_id as "userId", about.name as "userName", ranked.submission_id as "submissionId",
      ranked.shown_score as score, ranked.recent, ranked.steady, ranked.anchor, ranked.provisional,
      ${teamOf(db)}, ranked.achieved_at as "achievedAt",
      about.file_name as "fileName", about.created_at as "submittedAt", about.old_version as "oldVersion"
    from (${page}) ranked
    cross join lateral (
      select u.name, s.file_name, s.created_at, case when judge.judging_mark <> live.judging_mark then (
        select n.number from hotlap.leaderboard_versions n
        where n.leaderboard_id = ${key.leaderboardId} and n.task_version_id = judge.id) end as old_version
      from hotlap.submissions s
      join hotlap.users u on u.id = ranked.user_id
      join hotlap.leaderboards l on l.id = s.leaderboard_id
      join hotlap.task_versions live on live.id = l.task_version_id
      left join hotlap.submission_scores sc
        on sc.submission_id = s.id and sc.gpu_type = split_part(ranked.track, ' / ', 1)
      left join hotlap.rejudges r on r.id = sc.rejudge_id
      join hotlap.task_versions judge on judge.id = coalesce(r.task_version_id, s.task_version_id)
      where s.id = ranked.submission_id limit 1
    ) about
    order by ranked.sort_key, ranked.achieved_at, ranked.submission_id`;
}

/** Entries of a board that were judged by something else than what its task now judges by. */
export async function countOutdatedEntries(db: Db, key: BoardKey): Promise<number> {
  const [row] = await db<{ count: number }[]>`
    select count(*) as count
    from hotlap.best_entries e
    join hotlap.submissions s on s.id = e.submission_id
    join hotlap.leaderboards l on l.id = e.leaderboard_id
    join hotlap.task_versions live on live.id = l.task_version_id
    left join hotlap.submission_scores sc on sc.submission_id = e.submission_id and sc.gpu_type = e.gpu_type
    left join hotlap.rejudges r on r.id = sc.rejudge_id
    join hotlap.task_versions judge on judge.id = coalesce(r.task_version_id, s.task_version_id)
    where e.leaderboard_id = ${key.leaderboardId} and e.gpu_type = ${key.gpuType}
      and judge.judging_mark <> live.judging_mark
      -- Nothing is looked through where no version of the task ever judged by anything else.
      and exists (
        select from hotlap.leaderboard_versions n join hotlap.task_versions o on o.id = n.task_version_id
        where n.leaderboard_id = ${key.leaderboardId} and o.judging_mark <> (
          select v.judging_mark from hotlap.leaderboards b join hotlap.task_versions v on v.id = b.task_version_id
          where b.id = ${key.leaderboardId}))`;
  return row?.count ?? 0;
}

/** How many people are ranked on each GPU type, and the best score there that all may see: for `/leaderboard list`. */
export async function listBoardTops(
  db: Db,
): Promise<{ leaderboardId: number; gpuType: string; entries: number; bestScore: number | null }[]> {
  return db<{ leaderboardId: number; gpuType: string; entries: number; bestScore: number | null }[]>`
    select t.leaderboard_id as "leaderboardId", t.track as "gpuType", sum(t.entries)::bigint as entries, (
        select e.shown_score from hotlap.best_entries e
        where e.leaderboard_id = t.leaderboard_id and e.gpu_type = t.track
        order by e.sort_key, e.achieved_at, e.submission_id limit 1) as "bestScore"
    from hotlap.board_tallies t
    join hotlap.leaderboard_gpus g on g.leaderboard_id = t.leaderboard_id and g.gpu_type = t.track
    group by t.leaderboard_id, t.track having sum(t.entries) > 0`;
}

/** Entries on a board; with a user, that user's eligible submissions there. */
export async function countBoardEntries(
  db: Db,
  key: Pick<BoardKey, 'leaderboardId' | 'gpuType'>,
  userId: string | null,
): Promise<number> {
  const [row] =
    userId === null
      ? await db<{ count: number }[]>`
          select coalesce(sum(entries), 0)::bigint as count from hotlap.board_tallies
          where leaderboard_id = ${key.leaderboardId} and track = ${key.gpuType}`
      : await db<{ count: number }[]>`
          select count(*) as count from hotlap.eligible_entries
          where leaderboard_id = ${key.leaderboardId} and gpu_type = ${key.gpuType} and user_id = ${userId}`;
  return row?.count ?? 0;
}
