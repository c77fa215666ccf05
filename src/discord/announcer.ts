/** Listens to the database and keeps Discord in step with it: live replies while jobs run, owed messages afterwards, news. */
import type { Sql } from '../db/client.ts';
import { listAwaitedSubmissions } from '../db/submissions.ts';
import { deliverOwedMessages } from './delivery.ts';
import type { DeliveryParts } from './delivery-parts.ts';
import { Herald } from './herald.ts';
import { LiveReplies } from './live-reply.ts';

const POLL_MS = 5000;

export interface Announcer {
  stop(): Promise<void>;
}

export async function startAnnouncer(parts: DeliveryParts): Promise<Announcer> {
  const live = new LiveReplies(parts.client, parts.sql, parts.log);
  const outbox = new OutboxLoop(parts);
  const herald = new Herald(parts);
  const listeners = await listen(parts.sql, {
    hotlap_progress: (payload) => live.refresh(Number(payload)),
    hotlap_outbox: () => outbox.wake(),
  });
  // Also whenever the connection was lost and is there again: what was said meanwhile nobody has heard.
  const news = await parts.sql.listen(
    'hotlap_news',
    () => herald.wake(),
    () => herald.wake(),
  );
  // What was open when an earlier process ended is watched on.
  for (const submissionId of await listAwaitedSubmissions(parts.sql)) live.refresh(submissionId);
  const poll = setInterval(() => outbox.wake(), POLL_MS);
  outbox.wake();
  return {
    async stop() {
      clearInterval(poll);
      await Promise.all([...listeners, news].map((listener) => listener.unlisten().catch(() => {})));
      live.stop();
      await herald.stop();
      await outbox.stop();
    },
  };
}

async function listen(sql: Sql, handlers: Record<string, (payload: string) => void>) {
  return Promise.all(Object.entries(handlers).map(([channel, handler]) => sql.listen(channel, handler)));
}

/** One delivery at a time; a wake that comes meanwhile is not lost. */
class OutboxLoop {
  readonly #parts: DeliveryParts;
  #running: Promise<void> | null = null;
  #again = false;
  #stopped = false;

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
  }

  wake(): void {
    if (this.#stopped) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#running = deliverOwedMessages(this.#parts)
      .catch((error: unknown) => this.#parts.log.error({ error }, 'outbox: delivery failed'))
      .finally(() => {
        this.#running = null;
        if (!this.#again) return;
        this.#again = false;
        this.wake();
      });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }
}
