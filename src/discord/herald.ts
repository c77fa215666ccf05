/**
 * Looks for what is to be told and owes it in the outbox: threads of boards, podiums that have settled, deadlines that are
 * near. The database says when something may have changed (`hotlap_news`), and each look says when the next thing is due;
 * in between nothing is asked. A look that finds nothing new writes nothing, so a restart repeats nothing.
 */
import { oweBoardThreads, untilThreadRetry } from '../db/board-threads.ts';
import { oweDeadlineNotices, untilDeadlineNotice } from '../db/notices.ts';
import { owePodiums } from '../db/podiums.ts';
import type { DeliveryParts } from './delivery-parts.ts';

/** Changes that come close together are looked at together. */
const GATHER_MS = 200;
/** Against whatever nobody thought of. */
const LONGEST_WAIT_MS = 600_000;
const AFTER_FAILURE_MS = 5000;

export class Herald {
  readonly #parts: DeliveryParts;
  #timer: NodeJS.Timeout | null = null;
  #dueAt = Infinity;
  #looking: Promise<void> | null = null;
  #stopped = false;

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
  }

  /** Something may have changed. */
  wake(): void {
    this.#lookIn(GATHER_MS);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer) clearTimeout(this.#timer);
    await this.#looking;
  }

  #lookIn(delayMs: number): void {
    const at = Date.now() + delayMs;
    // The earlier look stands: a stream of changes must not push it away for ever.
    if (this.#stopped || (this.#timer && this.#dueAt <= at)) return;
    if (this.#timer) clearTimeout(this.#timer);
    this.#dueAt = at;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#looking = (this.#looking ?? Promise.resolve()).then(() => this.#look());
    }, delayMs);
  }

  async #look(): Promise<void> {
    if (this.#stopped) return;
    try {
      this.#lookIn(Math.max(await owe(this.#parts), GATHER_MS));
    } catch (error) {
      this.#parts.log.error({ error }, 'news: the look failed and is repeated');
      this.#lookIn(AFTER_FAILURE_MS);
    }
  }
}

/** Returns in how many milliseconds the next thing is due, by the database's clock. */
async function owe({ sql, forumChannelId, podiumSettleMs }: DeliveryParts): Promise<number> {
  if (forumChannelId !== null) await oweBoardThreads(sql);
  await oweDeadlineNotices(sql);
  const waitsMs = [
    await owePodiums(sql, podiumSettleMs),
    await untilDeadlineNotice(sql),
    forumChannelId === null ? null : await untilThreadRetry(sql),
  ].filter((ms) => ms !== null);
  return Math.min(...waitsMs, LONGEST_WAIT_MS);
}
