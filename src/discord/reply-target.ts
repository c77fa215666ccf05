/** Where a person waits for an answer that comes later. */
import type { ChatInputCommandInteraction, MessageComponentInteraction } from 'discord.js';

/** An interaction token lives 15 minutes; the last moments of it are not worth the race. */
export const TOKEN_LIFE_MS = 14.5 * 60_000;

export interface ReplyTarget {
  channelId: string;
  interactionToken: string;
  expiresAt: Date;
}

export function replyTarget(
  interaction: ChatInputCommandInteraction | MessageComponentInteraction,
): ReplyTarget {
  return {
    channelId: interaction.channelId,
    interactionToken: interaction.token,
    expiresAt: new Date(interaction.createdTimestamp + TOKEN_LIFE_MS),
  };
}
