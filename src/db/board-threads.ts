/**
 * Threads of boards in the forum. What a thread was told last is kept beside what the board is now, so that whatever
 * changed it, by whatever door, is told once; several changes that nobody has told yet become one message.
 */
import type { BoardNews, ChannelPurpose } from '../domain/board-news.ts';
import type { Db } from './client.ts';
import { findLeaderboard, type LeaderboardWithTask } from './leaderboards.ts';

/** Boards whose thread is to be made, or told something. No new thread for a board that is over. */
export async function oweBoardThreads(db: Db): Promise<void> {
  await db`
    with owed as (
      insert into hotlap.outbox (kind, dedupe_key, payload)
      select 'board-thread', 'board-thread:' || l.id || ':' || pg_current_xact_id(),
        jsonb_build_object('leaderboardId', l.id)
      from hotlap.leaderboards l
      where (l.thread_retry_at is null or l.thread_retry_at <= now())
        and case when l.thread_id is not null then l.thread_told is distinct from hotlap.board_news(l)
          else l.visibility = 'public' and l.stage <> 'archived'
            and (l.deadline is null or l.deadline > now() or l.late = 'unofficial') end
        and not exists (
          select from hotlap.outbox o where o.kind = 'board-thread' and o.status = 'owed'
            and o.payload ->> 'leaderboardId' = l.id::text)
      order by lower(l.name)
      returning 1
    )
    select pg_notify('hotlap_outbox', '') from owed limit 1`;
}

/** In how many milliseconds a thread that Discord refused is tried again; null: none was. */
export async function untilThreadRetry(db: Db): Promise<number | null> {
  const [row] = await db<{ ms: number | null }[]>`
    select (1000 * extract(epoch from min(thread_retry_at) - now()))::float8 as ms
    from hotlap.leaderboards where thread_retry_at > now()`;
  return row?.ms ?? null;
}

export interface ThreadBoard {
  board: LeaderboardWithTask;
  threadId: string | null;
  /** Null: nothing yet. */
  told: BoardNews | null;
  news: BoardNews;
}

export async function findThreadBoard(db: Db, leaderboardId: number): Promise<ThreadBoard | null> {
  const [row] = await db<(Omit<ThreadBoard, 'board'> & { name: string })[]>`
    select l.name, l.thread_id as "threadId", l.thread_told as told, hotlap.board_news(l) as news
    from hotlap.leaderboards l where l.id = ${leaderboardId}`;
  const board = row && (await findLeaderboard(db, row.name));
  return board ? { board, threadId: row.threadId, told: row.told, news: row.news } : null;
}

/** `threadId` null: there is none any more. */
export async function saveThread(
  db: Db,
  leaderboardId: number,
  thread: { threadId: string | null; told: BoardNews | null },
): Promise<void> {
  await db`
    update hotlap.leaderboards set thread_id = ${thread.threadId},
      thread_told = ${thread.told === null ? null : db.json(JSON.parse(JSON.stringify(thread.told)))}, thread_retry_at = null
    where id = ${leaderboardId}`;
}

/** The stand-in for Discord starts without any. */
export async function forgetThreads(db: Db): Promise<void> {
  await db`
    update hotlap.leaderboards set thread_id = null, thread_told = null, thread_retry_at = null
    where thread_id is not null or thread_retry_at is not null`;
}

export async function delayThread(db: Db, leaderboardId: number, minutes: number): Promise<void> {
  await db`
    update hotlap.leaderboards set thread_retry_at = now() + make_interval(mins => ${minutes}) where id = ${leaderboardId}`;
}

/** Organisers are told of a channel that cannot be used, once a day. */
export async function oweChannelTrouble(
  db: Db,
  trouble: { channelId: string; purpose: ChannelPurpose; words: string },
): Promise<void> {
  await db`
    insert into hotlap.outbox (kind, dedupe_key, payload)
    values ('channel-trouble',
      concat_ws(':', 'channel-trouble', ${trouble.channelId}::text, ${trouble.purpose}::text, now()::date),
      ${db.json({ ...trouble })})
    on conflict (dedupe_key) do nothing`;
  await db`select pg_notify('hotlap_outbox', '')`;
}
