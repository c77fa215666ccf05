/**
 * The threads of boards: made in the forum with the statement on top, and told what changes. One that somebody deleted is
 * made anew; where Discord refuses for good, organisers are told in a sentence and it is tried again later.
 */
import { ChannelType, DiscordAPIError, Routes } from 'discord.js';
import {
  delayThread,
  findThreadBoard,
  oweChannelTrouble,
  saveThread,
  type ThreadBoard,
} from '../db/board-threads.ts';
import { loadTaskVersions } from '../db/leaderboards.ts';
import { nonceOf, type OwedMessage } from '../db/outbox.ts';
import type { BoardNews, ChannelPurpose } from '../domain/board-news.ts';
import { type Change, taskChanges } from '../domain/task-changes.ts';
import { boardNewsEmbed, channelTroubleEmbed, threadEmbed, threadEndEmbed } from '../reports/thread-embed.ts';
import type { DeliveryParts } from './delivery-parts.ts';
import { type ReplyBody, sendToChannel } from './reply.ts';

const UNKNOWN_CHANNEL = 10003;
const UNKNOWN_MESSAGE = 10008;
const RETRY_MINUTES = 10;
/** A week: the longest that Discord offers before it hides a quiet thread. */
const HIDE_AFTER_MINUTES = 10_080;

/** For good, as far as waiting goes: somebody has to do something. */
export function isRefused(error: unknown): error is DiscordAPIError {
  return error instanceof DiscordAPIError && [400, 403, 404].includes(error.status);
}

/** For organisers. */
export function wordsOf(error: DiscordAPIError): string {
  return `Discord says “${error.message}”.`;
}

/** Makes the thread, or tells it what has changed since it was told last. */
export async function deliverBoardThread(
  parts: DeliveryParts,
  message: Extract<OwedMessage, { kind: 'board-thread' }>,
): Promise<void> {
  const { leaderboardId } = message.payload;
  const found = await findThreadBoard(parts.sql, leaderboardId);
  if (!found || parts.forumChannelId === null) return;
  const { threadId, told, news } = found;
  if (threadId !== null && (await tellThread(parts, message, found, threadId))) {
    // One that could not be written to keeps what it was told, until it can.
    return;
  }
  if (news.visibility === 'closed' || news.stage === 'archived') {
    await saveThread(parts.sql, leaderboardId, { threadId: null, told: null });
    return;
  }
  // Told before, and gone: what has changed is in the statement of the new one.
  await openThread(parts, found, message.attempts > 1 || told !== null);
}

/** False: there is no such thread any more. */
async function tellThread(
  parts: DeliveryParts,
  message: Extract<OwedMessage, { kind: 'board-thread' }>,
  { board, told, news }: ThreadBoard,
  threadId: string,
): Promise<boolean> {
  const { client, sql } = parts;
  const embed = boardNewsEmbed(board, told, news, await changesOfTask(parts, told, news));
  try {
    if (embed) await sendToChannel(client, threadId, { embeds: [embed] }, nonceOf(message));
    // A closed board's statement is nobody's to read: what stands on top stays as everybody has read it.
    if (news.visibility === 'public')
      await editFirstMessage(parts, threadId, { embeds: [threadEmbed(board)] });
    await saveThread(sql, board.id, { threadId, told: news });
    return true;
  } catch (error) {
    if (!isRefused(error)) throw error;
    if (error.code === UNKNOWN_CHANNEL) return false;
    await noteRefusal(parts, board.id, { channelId: threadId, purpose: 'thread', words: wordsOf(error) });
    return true;
  }
}

async function changesOfTask(
  { sql }: DeliveryParts,
  told: BoardNews | null,
  news: BoardNews,
): Promise<{ changes: Change[] } | null> {
  if (told?.visibility !== 'public' || news.visibility !== 'public') return null;
  if (told.taskVersionId === news.taskVersionId) return null;
  const versions = await loadTaskVersions(sql, [told.taskVersionId, news.taskVersionId]);
  const task = (id: number) => versions.find((version) => version.id === id)?.task;
  const [before, after] = [task(told.taskVersionId), task(news.taskVersionId)];
  return before && after ? { changes: taskChanges(before, after) } : null;
}

/** The first message of a thread in a forum has the thread's own number. */
async function editFirstMessage({ client }: DeliveryParts, threadId: string, body: ReplyBody): Promise<void> {
  try {
    await client.rest.patch(Routes.channelMessage(threadId, threadId), { body });
  } catch (error) {
    // Somebody deleted it alone: the thread goes on without.
    if (!(error instanceof DiscordAPIError) || error.code !== UNKNOWN_MESSAGE) throw error;
  }
}

/** Returns its number; null where Discord refused, and organisers are told. */
async function openThread(
  parts: DeliveryParts,
  { board, news }: ThreadBoard,
  mayBeThere: boolean,
): Promise<string | null> {
  const { client, sql, forumChannelId } = parts;
  if (forumChannelId === null) return null;
  const refused = (words: string) =>
    noteRefusal(parts, board.id, { channelId: forumChannelId, purpose: 'forum', words });
  try {
    const forum = await client.channels.fetch(forumChannelId);
    // In any other channel Discord makes a private thread without a message, and says that all is well.
    if (forum?.type !== ChannelType.GuildForum && forum?.type !== ChannelType.GuildMedia) {
      await refused('It is no forum.');
      return null;
    }
    const threadId =
      (mayBeThere ? await findOpenThread(parts, forumChannelId, board.name) : null) ??
      (
        (await client.rest.post(Routes.threads(forumChannelId), {
          body: {
            name: board.name,
            auto_archive_duration: HIDE_AFTER_MINUTES,
            message: { embeds: [threadEmbed(board)], allowed_mentions: { parse: [] } },
          },
        })) as { id: string }
      ).id;
    await saveThread(sql, board.id, { threadId, told: news });
    return threadId;
  } catch (error) {
    if (!isRefused(error)) throw error;
    await refused(wordsOf(error));
    return null;
  }
}

/** One of ours that an earlier attempt has made, whose answer was lost. */
async function findOpenThread(
  { client, guildId }: DeliveryParts,
  forumChannelId: string,
  name: string,
): Promise<string | null> {
  const { threads } = (await client.rest.get(Routes.guildActiveThreads(guildId))) as {
    threads: { id: string; name: string; parent_id: string; owner_id: string }[];
  };
  const own = threads.find(
    (thread) =>
      thread.name === name && thread.parent_id === forumChannelId && thread.owner_id === client.user.id,
  );
  return own?.id ?? null;
}

async function noteRefusal(
  parts: DeliveryParts,
  leaderboardId: number,
  refusal: { channelId: string; purpose: ChannelPurpose; words: string },
): Promise<void> {
  parts.log.warn({ ...refusal, leaderboardId }, 'a channel cannot be used');
  await delayThread(parts.sql, leaderboardId, RETRY_MINUTES);
  await oweChannelTrouble(parts.sql, refusal);
}

/** The thread of a board, made anew where somebody deleted it; null: it has none, and gets none. */
export async function sendToThread(
  parts: DeliveryParts,
  leaderboardId: number,
  body: ReplyBody,
  nonce: string,
): Promise<boolean> {
  const found = await findThreadBoard(parts.sql, leaderboardId);
  if (!found || parts.forumChannelId === null || found.news.visibility === 'closed') return false;
  for (const threadId of [found.threadId, null]) {
    const id = threadId ?? (await openThread(parts, found, found.threadId === null));
    if (id === null) return false;
    try {
      await sendToChannel(parts.client, id, body, nonce);
      return true;
    } catch (error) {
      if (!isRefused(error)) throw error;
      if (error.code === UNKNOWN_CHANNEL && threadId !== null) continue;
      await noteRefusal(parts, leaderboardId, { channelId: id, purpose: 'thread', words: wordsOf(error) });
      return false;
    }
  }
  return false;
}

/** The last word in the thread of a board that was deleted, if the thread is still there. */
export async function deliverThreadEnd(
  { client }: DeliveryParts,
  message: Extract<OwedMessage, { kind: 'thread-end' }>,
): Promise<void> {
  const { threadId, leaderboard } = message.payload;
  try {
    await sendToChannel(client, threadId, { embeds: [threadEndEmbed(leaderboard)] }, nonceOf(message));
  } catch (error) {
    if (!isRefused(error)) throw error;
  }
}

export async function deliverChannelTrouble(
  { client, adminChannelId }: DeliveryParts,
  message: Extract<OwedMessage, { kind: 'channel-trouble' }>,
): Promise<void> {
  if (adminChannelId === null) return;
  const body = { embeds: [channelTroubleEmbed(message.payload)] };
  await sendToChannel(client, adminChannelId, body, nonceOf(message));
}
