/**
 * Delivers what the outbox owes: the owner's result and the channel's announcement.
 *
 * A result goes to the first of these that works: the reply to `/submit` while its token lives (15 minutes, and a
 * ranked run may wait longer), a direct message, a mention in the channel that holds nothing secret. Discord's own
 * trouble postpones; what Discord refuses for good is given up and logged.
 */
import { DiscordAPIError, type RawFile } from 'discord.js';
import { oweChannelTrouble } from '../db/board-threads.ts';
import { findBoardAccess } from '../db/invites.ts';
import {
  claimOwedMessage,
  giveUpMessage,
  markMessageSent,
  type OwedMessage,
  postponeMessage,
} from '../db/outbox.ts';
import { previewRejudge } from '../db/rejudge-apply.ts';
import { findRejudge } from '../db/rejudges.ts';
import { findReplyTarget, findSubmissionView, listRuns, type ReplyTarget } from '../db/submissions.ts';
import { failedByUs, type SubmissionView } from '../domain/submission.ts';
import { announcementEmbed } from '../reports/announcement.ts';
import { boxNoticeEmbed } from '../reports/box-embed.ts';
import { noticeEmbed } from '../reports/notice-embed.ts';
import { rejudgeNoticeEmbed } from '../reports/rejudge-embed.ts';
import { reportFile } from '../reports/report-file.ts';
import { submissionEmbed, withFooter } from '../reports/submission-embed.ts';
import { deliverBoardThread, deliverChannelTrouble, deliverThreadEnd, wordsOf } from './board-threads.ts';
import type { DeliveryParts } from './delivery-parts.ts';
import { deliverNotice } from './notices.ts';
import { deliverPodium } from './podium-news.ts';
import { editInteractionReply, sendDirectMessage, sendToChannel, succeeds } from './reply.ts';
import { deliverAppealNotice, deliverRulingNotice } from './ruling-notices.ts';
import { rerunButton } from './submission-buttons.ts';
import { traceFiles } from './trace-files.ts';

const MAX_ATTEMPTS = 30;

/** Delivers until nothing is due. Never throws for a message that could not be delivered. */
export async function deliverOwedMessages(parts: DeliveryParts): Promise<void> {
  for (;;) {
    const message = await claimOwedMessage(parts.sql);
    if (!message) return;
    try {
      const notBefore = await deliver(parts, message);
      if (notBefore)
        await postponeMessage(parts.sql, message.id, notBefore.getTime() - Date.now(), 'for later');
      else await markMessageSent(parts.sql, message.id);
    } catch (error) {
      await handleFailure(parts, message, error);
    }
  }
}

/** A Date: it is for then. */
async function deliver(parts: DeliveryParts, message: OwedMessage): Promise<Date | null> {
  if (message.kind === 'notice') return deliverNotice(parts, message);
  await deliverNow(parts, message);
  return null;
}

async function deliverNow(
  parts: DeliveryParts,
  message: Exclude<OwedMessage, { kind: 'notice' }>,
): Promise<void> {
  switch (message.kind) {
    case 'box-notice':
      return deliverBoxNotice(parts, message);
    case 'rejudge-notice':
      return deliverRejudgeNotice(parts, message);
    case 'ruling-notice':
      return deliverRulingNotice(parts, message);
    case 'appeal-notice':
      return deliverAppealNotice(parts, message);
    case 'board-thread':
      return deliverBoardThread(parts, message);
    case 'thread-end':
      return deliverThreadEnd(parts, message);
    case 'channel-trouble':
      return deliverChannelTrouble(parts, message);
    case 'podium':
      return deliverPodium(parts, message);
    case 'result':
    case 'announcement':
      return deliverOutcome(parts, message);
  }
}

async function deliverBoxNotice(
  { client, adminChannelId }: DeliveryParts,
  message: Extract<OwedMessage, { kind: 'box-notice' }>,
): Promise<void> {
  if (adminChannelId === null) return;
  const body = { embeds: [boxNoticeEmbed(message.payload)] };
  await sendToChannel(client, adminChannelId, body, message.dedupeKey);
}

async function deliverOutcome(
  parts: DeliveryParts,
  message: Extract<OwedMessage, { kind: 'result' | 'announcement' }>,
): Promise<void> {
  const target = await findReplyTarget(parts.sql, message.submissionId);
  const view = await findSubmissionView(parts.sql, message.submissionId, message.kind === 'result');
  if (!view) throw new Error(`submission ${message.submissionId} is not there`);
  if (message.kind === 'announcement') {
    // It may have waited, and the board is for invited people by now.
    const access = await findBoardAccess(parts.sql, view.leaderboard, null);
    if (!access?.mayEnter) return;
    const channelId = parts.announcementChannelId ?? target?.channelId;
    if (channelId)
      await sendToChannel(parts.client, channelId, { embeds: [announcementEmbed(view)] }, message.dedupeKey);
  } else if (target) {
    await deliverResult(parts, message, view, target);
  }
}

/** To whoever asked for it; organisers share a channel, where they have one. */
async function deliverRejudgeNotice(
  parts: DeliveryParts,
  message: Extract<OwedMessage, { kind: 'rejudge-notice' }>,
): Promise<void> {
  const { client, sql, adminChannelId } = parts;
  const [rejudge, changes] = await Promise.all([
    findRejudge(sql, message.payload.rejudgeId),
    previewRejudge(sql, message.payload.rejudgeId),
  ]);
  if (rejudge?.status !== 'ready' || changes === null) return;
  const body = { embeds: [rejudgeNoticeEmbed(rejudge, changes)] };
  const { dedupeKey } = message;
  if (
    adminChannelId !== null &&
    (await succeeds(() => sendToChannel(client, adminChannelId, body, dedupeKey)))
  )
    return;
  // Without a channel and without an account there is nobody to tell; the list of rejudges shows it.
  if (!/^\d+$/.test(rejudge.requestedBy)) return;
  await succeeds(() => sendDirectMessage(client, rejudge.requestedBy, body, dedupeKey));
}

async function deliverResult(
  parts: DeliveryParts,
  message: OwedMessage,
  view: SubmissionView,
  target: ReplyTarget,
): Promise<void> {
  const { client, sql } = parts;
  const runs = await listRuns(sql, view.id, true);
  const report = reportFile(view, runs);
  const traces = await traceFiles(sql, view.id);
  const files: RawFile[] = [
    { name: report.name, data: Buffer.from(report.text), contentType: 'text/plain; charset=utf-8' },
    ...traces.files,
  ];
  const body = {
    embeds: [withFooter(submissionEmbed(view, runs), traces.note)],
    files,
    components: failedByUs(view) ? [rerunButton(view.id)] : [],
  };

  if (target.alive && (await succeeds(() => editInteractionReply(client, target.interactionToken, body))))
    return;
  if (await succeeds(() => sendDirectMessage(client, view.userId, body, message.dedupeKey))) return;
  const pointer = noticeEmbed(
    `#${view.id} has ended`,
    `\`/submissions show id:${view.id}\` shows the result to you alone.`,
  );
  await sendToChannel(
    client,
    target.channelId,
    { content: `<@${view.userId}>`, mention: view.userId, embeds: [pointer] },
    message.dedupeKey,
  );
}

async function handleFailure(parts: DeliveryParts, message: OwedMessage, error: unknown): Promise<void> {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : 'unknown';
  const refused = error instanceof DiscordAPIError && error.status >= 400 && error.status < 500;
  const log = { error, message: message.id, submissionId: message.submissionId, attempts: message.attempts };
  if (refused || message.attempts >= MAX_ATTEMPTS) {
    parts.log.error(log, 'message given up');
    await giveUpMessage(parts.sql, message.id, text);
    // A removed channel: whoever can name another one reads so.
    if (refused && message.kind === 'announcement' && parts.announcementChannelId !== null)
      await oweChannelTrouble(parts.sql, {
        channelId: parts.announcementChannelId,
        purpose: 'announcements',
        words: wordsOf(error),
      });
    return;
  }
  const delayMs = Math.min(1000 * 2 ** message.attempts, 300_000);
  parts.log.warn({ ...log, delayMs }, 'message postponed');
  await postponeMessage(parts.sql, message.id, delayMs, text);
}
