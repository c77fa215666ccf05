/** Announces a podium that has changed: in the board's thread, or in the channel for announcements. */
import { findThreadBoard, oweChannelTrouble } from '../db/board-threads.ts';
import { nonceOf, type OwedMessage } from '../db/outbox.ts';
import { findPodiumTarget } from '../db/podiums.ts';
import { unitOf } from '../domain/ranking-rule.ts';
import { podiumEmbed } from '../reports/podium-embed.ts';
import { isRefused, sendToThread, wordsOf } from './board-threads.ts';
import type { DeliveryParts } from './delivery-parts.ts';
import { sendToChannel } from './reply.ts';

/** Whatever was owed: a board that has been closed since, or ranks by secret scores, is announced nowhere. */
export async function deliverPodium(
  parts: DeliveryParts,
  message: Extract<OwedMessage, { kind: 'podium' }>,
): Promise<void> {
  const { leaderboardId, changes } = message.payload;
  const target = await findPodiumTarget(parts.sql, leaderboardId);
  const found = target && (await findThreadBoard(parts.sql, leaderboardId));
  if (!found) return;
  const { board } = found;
  const embed = podiumEmbed({
    leaderboard: board.name,
    scoreAscending: board.scoreAscending,
    unit: unitOf(board.rule, board.taskUnit),
    changes,
  });
  const nonce = nonceOf(message);
  const inThread = () => sendToThread(parts, leaderboardId, { embeds: [embed] }, nonce);
  const channelId = parts.announcementChannelId;
  if (target === 'thread' && (await inThread())) return;
  if (channelId === null) {
    if (target === 'channel') await inThread();
    return;
  }
  try {
    await sendToChannel(parts.client, channelId, { embeds: [embed] }, nonce);
  } catch (error) {
    if (!isRefused(error)) throw error;
    parts.log.warn({ error, leaderboardId, channelId }, 'a podium was not announced');
    await oweChannelTrouble(parts.sql, { channelId, purpose: 'announcements', words: wordsOf(error) });
  }
}
