/**
 * Sends what people asked to be told. Each is held against how things are now: a notice that no longer holds is not sent,
 * and one whose time has not come waits on. Whoever takes no direct messages gets none until they say so in `/notify`.
 */
import { type APIEmbed, type Client, DiscordAPIError } from 'discord.js';
import { findBan } from '../db/bans.ts';
import { findNeighbourAhead, findOwnEntry, listRanksAt } from '../db/board.ts';
import { findThreadBoard } from '../db/board-threads.ts';
import type { Sql } from '../db/client.ts';
import { findBoardAccess } from '../db/invites.ts';
import type { LeaderboardWithTask } from '../db/leaderboards.ts';
import { findPlaceKnownSince, findQuotaBack, noteReachable, wantsNotice } from '../db/notices.ts';
import { nonceOf, type OwedMessage } from '../db/outbox.ts';
import { findSubmissionView, listRuns } from '../db/submissions.ts';
import type { Notice } from '../domain/notice.ts';
import { unitOf } from '../domain/ranking-rule.ts';
import {
  ASKED_FOR,
  deadlineNotice,
  overtakenNotice,
  quotaNotice,
  testNotice,
} from '../reports/personal-notice.ts';
import { submissionEmbed, withFooter } from '../reports/submission-embed.ts';
import type { DeliveryParts } from './delivery-parts.ts';
import { sendDirectMessage } from './reply.ts';

/** Closed direct messages, a block, no server in common, an account that is gone. */
function takesNone(error: unknown): boolean {
  return error instanceof DiscordAPIError && [403, 404].includes(error.status);
}

type NoticeOf<K extends Notice['notice']> = Extract<Notice, { notice: K }>;

/** A Date: not before. */
export async function deliverNotice(
  parts: DeliveryParts,
  message: Extract<OwedMessage, { kind: 'notice' }>,
): Promise<Date | null> {
  const { userId, notice } = message.payload;
  if (!(await wantsNotice(parts.sql, userId, notice))) return null;
  const embed = await embedOf(parts, message.payload);
  if (embed === null || embed instanceof Date) return embed;
  try {
    await sendDirectMessage(parts.client, userId, { embeds: [embed] }, nonceOf(message));
  } catch (error) {
    if (!takesNone(error)) throw error;
    parts.log.info({ error, userId }, 'a participant takes no direct messages');
    await noteReachable(parts.sql, userId, false);
  }
  return null;
}

/** Whether a message reaches them now; where it does, notices are sent again. */
export async function tryNotices(
  client: Client<true>,
  sql: Sql,
  userId: string,
  nonce: string,
): Promise<boolean> {
  try {
    await sendDirectMessage(client, userId, { embeds: [testNotice()] }, nonce);
  } catch (error) {
    if (!takesNone(error)) throw error;
    return false;
  }
  await noteReachable(sql, userId, true);
  return true;
}

/** Null: it no longer holds. */
async function embedOf(parts: DeliveryParts, notice: Notice): Promise<APIEmbed | Date | null> {
  switch (notice.notice) {
    case 'finished':
      return finished(parts, notice);
    case 'overtaken':
      return overtaken(parts, notice);
    case 'deadline':
      return deadline(parts, notice);
    case 'quota':
      return quota(parts, notice);
  }
}

async function finished({ sql }: DeliveryParts, notice: NoticeOf<'finished'>): Promise<APIEmbed | null> {
  const view = await findSubmissionView(sql, notice.submissionId, true);
  if (!view || view.finishedAt === null) return null;
  return withFooter(submissionEmbed(view, await listRuns(sql, view.id, true)), ASKED_FOR);
}

/** Null: it is gone, or closed to them since the notice was owed. */
async function findTheirBoard(
  sql: Sql,
  { leaderboardId, userId }: { leaderboardId: number; userId: string },
): Promise<LeaderboardWithTask | null> {
  const found = await findThreadBoard(sql, leaderboardId);
  if (!found) return null;
  const access = await findBoardAccess(sql, found.board.name, userId);
  return access?.mayEnter ? found.board : null;
}

async function overtaken({ sql }: DeliveryParts, notice: NoticeOf<'overtaken'>): Promise<APIEmbed | null> {
  const { leaderboardId, gpuType, userId } = notice;
  const board = await findTheirBoard(sql, notice);
  if (!board) return null;
  const key = { leaderboardId, gpuType, scoreAscending: board.scoreAscending };
  const own = await findOwnEntry(sql, key, userId);
  const ahead = own && (await findNeighbourAhead(sql, key, userId));
  const since = await findPlaceKnownSince(sql, notice);
  if (!own || !ahead || !since) return null;
  // A Date has no microseconds: the moment right after.
  const then = await listRanksAt(sql, key, [own], new Date(since.getTime() + 1));
  // An entry of many days ago is known by the day alone: one place at least it was.
  const rankBefore = then.get(own.userId) ?? own.rank - 1;
  if (own.rank <= rankBefore) return null;
  return overtakenNotice({
    leaderboard: board.name,
    gpuType,
    scoreAscending: board.scoreAscending,
    unit: unitOf(board.rule, board.taskUnit),
    rankBefore,
    rank: own.rank,
    score: own.score,
    ahead,
  });
}

async function deadline({ sql }: DeliveryParts, notice: NoticeOf<'deadline'>): Promise<APIEmbed | null> {
  const board = await findTheirBoard(sql, notice);
  if (!board) return null;
  const at = board.deadline;
  if (board.stage !== 'open' || at === null || at <= new Date()) return null;
  if (at.getTime() !== notice.deadlineMs) return null;
  const places = await Promise.all(
    board.gpus.map(async (gpuType) => {
      const key = { leaderboardId: board.id, gpuType, scoreAscending: board.scoreAscending };
      const own = await findOwnEntry(sql, key, notice.userId);
      return own ? [{ gpuType, rank: own.rank, score: own.score }] : [];
    }),
  );
  const unit = unitOf(board.rule, board.taskUnit);
  return deadlineNotice({ leaderboard: board.name, deadline: at, places: places.flat(), unit });
}

async function quota({ sql }: DeliveryParts, notice: NoticeOf<'quota'>): Promise<APIEmbed | Date | null> {
  const [board, state, ban] = await Promise.all([
    findTheirBoard(sql, notice),
    findQuotaBack(sql, notice),
    findBan(sql, notice.userId),
  ]);
  if (!board || !state || ban) return null;
  // Used up again meanwhile, or the limit is another one.
  if (state.backAt !== null) return state.backAt;
  const isOver = board.deadline !== null && board.deadline <= new Date() && board.late === 'refused';
  if (board.stage !== 'open' || isOver) return null;
  return quotaNotice(board.name, notice.category === 'leaderboard', state.maxPerHour);
}
