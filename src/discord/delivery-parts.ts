import type { Client } from 'discord.js';
import type { Sql } from '../db/client.ts';
import type { Log } from '../log.ts';

/** What delivering messages takes. */
export interface DeliveryParts {
  client: Client<true>;
  sql: Sql;
  log: Log;
  /** Where announcements go; null: into the channel of the submission. */
  announcementChannelId: string | null;
  /** Where organisers read about boxes and appeals; null: in the log alone. */
  adminChannelId: string | null;
  /** The forum with a thread for each board; null: there are none. */
  forumChannelId: string | null;
  guildId: string;
  /** How long a new podium stands before it is announced. */
  podiumSettleMs: number;
}
