/**
 * Looks for what is to be told and owes it in the outbox: threads of boards, podiums that have settled, deadlines that are
 * near. The database says when something may have changed (`hotlap_news`), and each look says when the next thing is due;
 * in between nothing is asked. A look that finds nothing new writes nothing, so a restart repeats nothing.
 */
import { nextThreadRetry, oweBoardThreads } from '../db/board-threads.ts';
import { nextDeadlineNotice, oweDeadlineNotices } from '../db/notices.ts';
import { owePodiums } from '../db/podiums.ts';
import type { DeliveryParts } from './delivery-parts.ts';

/** Changes that come close together are looked at together. */
const GATHER_MS = 200;
/** After a failure, and against clocks that were set. */
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
      const next = await owe(this.#parts);
      const untilMs = next === null ? LONGEST_WAIT_MS : next.getTime() - Date.now();
      this.#lookIn(Math.min(Math.max(untilMs, GATHER_MS), LONGEST_WAIT_MS));
    } catch (error) {
      this.#parts.log.error({ error }, 'news: the look failed and is repeated');
      this.#lookIn(AFTER_FAILURE_MS);
    }
  }
}

/** Returns when the next thing is due. */
async function owe({ sql, forumChannelId, podiumSettleMs }: DeliveryParts): Promise<Date | null> {
  if (forumChannelId !== null) await oweBoardThreads(sql);
  await oweDeadlineNotices(sql);
  const next = [
    await owePodiums(sql, podiumSettleMs),
    await nextDeadlineNotice(sql),
    forumChannelId === null ? null : await nextThreadRetry(sql),
  ].filter((at) => at !== null);
  return next.length === 0 ? null : new Date(Math.min(...next.map((at) => at.getTime())));
}
