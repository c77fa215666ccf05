/**
 * Delivers what rulings owe: to the owner by direct message, appeals to the organisers' channel or, where that cannot be
 * written, to whoever made the ruling.
 */
import type { RawFile } from 'discord.js';
import type { OwedMessage } from '../db/outbox.ts';
import { findEvidence, findRuling } from '../db/rulings.ts';
import { mayAppeal } from '../domain/ruling.ts';
import { appealEmbed, rulingNoticeEmbed } from '../reports/ruling-embed.ts';
import type { DeliveryParts } from './delivery-parts.ts';
import { sendDirectMessage, sendToChannel, succeeds } from './reply.ts';
import { appealButton, appealDecision } from './ruling-buttons.ts';

/** Throws what Discord throws; a submission that is gone meanwhile leaves nothing to tell. */
export async function deliverRulingNotice(
  { client, sql }: DeliveryParts,
  message: Extract<OwedMessage, { kind: 'ruling-notice' }>,
): Promise<void> {
  const { rulingId, event } = message.payload;
  const ruling = await findRuling(sql, rulingId);
  // Accounts of other providers have no direct messages: `/submissions show` tells their owners.
  if (!ruling || !/^\d+$/.test(ruling.userId)) return;
  const isNew = event === 'invalidated';
  const evidence = isNew ? await findEvidence(sql, rulingId) : null;
  const files: RawFile[] = evidence ? [{ name: evidence.name, data: Buffer.from(evidence.bytes) }] : [];
  const body = {
    embeds: [rulingNoticeEmbed(ruling, event)],
    components: isNew && mayAppeal(ruling) ? [appealButton(ruling.id)] : [],
    files,
  };
  await sendDirectMessage(client, ruling.userId, body, message.dedupeKey);
}

export async function deliverAppealNotice(
  { client, sql, log, adminChannelId }: DeliveryParts,
  message: Extract<OwedMessage, { kind: 'appeal-notice' }>,
): Promise<void> {
  const ruling = await findRuling(sql, message.payload.rulingId);
  if (!ruling || ruling.restoredAt !== null || ruling.answeredAt !== null) return;
  const body = { embeds: [appealEmbed(ruling)], components: [appealDecision(ruling.id)] };
  const { dedupeKey } = message;
  if (
    adminChannelId !== null &&
    (await succeeds(() => sendToChannel(client, adminChannelId, body, dedupeKey)))
  )
    return;
  if (/^\d+$/.test(ruling.madeBy)) await sendDirectMessage(client, ruling.madeBy, body, dedupeKey);
  else log.error({ ruling: ruling.id, submissionId: ruling.submissionId }, 'an appeal reached no organiser');
}
