/** From a box's events to the job's progress column, a write a second at the most, and always the newest. */
import type { Sql } from '../db/client.ts';
import { type Lease, notifyProgress, type Progress, saveProgress } from '../db/jobs.ts';
import type { JobEvent } from '../domain/protocol.ts';
import type { Log } from '../log.ts';

const INTERVAL_MS = 1000;

export class ProgressWriter {
  readonly #sql: Sql;
  readonly #lease: Lease;
  readonly #log: Log;
  #latest: Progress | null = null;
  /** Of the stage's newest event: what is counted happens in it. */
  #state: Progress['state'] = 'running';
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();
  #lastWriteAt = 0;

  constructor(sql: Sql, lease: Lease, log: Log) {
    this.#sql = sql;
    this.#lease = lease;
    this.#log = log;
  }

  take(event: JobEvent): void {
    if (event.type === 'stage') {
      this.#state = event.state;
      this.#latest = { stage: event.stage, state: event.state, done: 0, of: 0 };
    } else if (event.type === 'progress') {
      this.#latest = { stage: event.stage, state: this.#state, done: event.done, of: event.of };
    } else if (event.type === 'waiting') {
      this.#latest = { stage: event.reason, state: 'waiting', done: 0, of: 0 };
    } else {
      return;
    }
    const waitMs = Math.max(0, this.#lastWriteAt + INTERVAL_MS - Date.now());
    this.#timer ??= setTimeout(() => void this.flush(), waitMs);
  }

  /** Writes what is pending and waits for it. Progress is a courtesy: a failed write is logged, not thrown. */
  async flush(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    const progress = this.#latest;
    this.#latest = null;
    if (progress) {
      this.#lastWriteAt = Date.now();
      this.#writing = this.#writing.then(() => this.#write(progress));
    }
    await this.#writing;
  }

  async #write(progress: Progress): Promise<void> {
    try {
      await saveProgress(this.#sql, this.#lease, progress);
      await notifyProgress(this.#sql, this.#lease.submissionId);
    } catch (error) {
      this.#log.debug({ error }, 'progress not saved');
    }
  }
}
