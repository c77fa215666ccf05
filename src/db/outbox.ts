/**
 * Messages still owed to Discord. A row moves owed -> sent | given-up. It is claimed by pushing `not_before` ahead, so
 * that a process that dies in mid-delivery leaves a row that is due again; `dedupeKey` (`nonceOf` where that is too long)
 * goes to Discord as the message's nonce, which keeps the second delivery from showing twice.
 */
import type { ChannelPurpose } from '../domain/board-news.ts';
import type { Notice } from '../domain/notice.ts';
import type { PodiumChange } from '../domain/podium.ts';
import type { RulingEvent } from '../domain/ruling.ts';
import type { Db } from './client.ts';

export type OwedMessage = {
  id: number;
  dedupeKey: string;
  attempts: number;
} & (
  | { kind: 'result' | 'announcement'; submissionId: number }
  | { kind: 'box-notice'; submissionId: null; payload: { box: string; state: string; message: string } }
  | { kind: 'rejudge-notice'; submissionId: null; payload: { rejudgeId: number } }
  | { kind: 'ruling-notice'; submissionId: null; payload: { rulingId: number; event: RulingEvent } }
  | { kind: 'appeal-notice'; submissionId: null; payload: { rulingId: number } }
  | { kind: 'board-thread'; submissionId: null; payload: { leaderboardId: number } }
  | { kind: 'thread-end'; submissionId: null; payload: { threadId: string; leaderboard: string } }
  | {
      kind: 'channel-trouble';
      submissionId: null;
      payload: { channelId: string; purpose: ChannelPurpose; words: string };
    }
  | { kind: 'podium'; submissionId: null; payload: { leaderboardId: number; changes: PodiumChange[] } }
  | { kind: 'notice'; submissionId: null; payload: Notice }
);

/** Discord takes no nonce of more than 25 characters. */
export function nonceOf(message: { id: number }): string {
  return `hotlap-${message.id}`;
}

/** The next message that is due, hidden from other deliverers for a while. */
export async function claimOwedMessage(db: Db): Promise<OwedMessage | null> {
  const [row] = await db<OwedMessage[]>`
    update hotlap.outbox set attempts = attempts + 1, not_before = now() + interval '20 seconds'
    where id = (
      select id from hotlap.outbox where status = 'owed' and not_before <= now()
      order by not_before, id limit 1 for update skip locked)
    returning id, kind, submission_id as "submissionId", dedupe_key as "dedupeKey", attempts, payload`;
  return row ?? null;
}

export async function markMessageSent(db: Db, id: number): Promise<void> {
  await db`update hotlap.outbox set status = 'sent', sent_at = now(), last_error = null where id = ${id}`;
}

export async function postponeMessage(db: Db, id: number, delayMs: number, error: string): Promise<void> {
  await db`
    update hotlap.outbox set not_before = now() + make_interval(secs => ${delayMs / 1000}), last_error = ${error}
    where id = ${id} and status = 'owed'`;
}

export async function giveUpMessage(db: Db, id: number, error: string): Promise<void> {
  await db`update hotlap.outbox set status = 'given-up', last_error = ${error} where id = ${id}`;
}
