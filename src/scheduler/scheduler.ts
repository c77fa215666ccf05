/**
 * Keeps one lane per box and wakes them: when a job was stored (PostgreSQL tells every scheduler), when the boxes
 * changed, and every few seconds for what no message announces, such as a retry whose delay is over.
 */
import type { BoxPool } from '../boxes/pool.ts';
import { type BoxRow, listBoxes, setBoxState } from '../db/boxes.ts';
import type { Sql } from '../db/client.ts';
import type { Log } from '../log.ts';
import { boxAddress } from './box-address.ts';
import { Lane } from './lane.ts';
import { startSweeper } from './sweeper.ts';

export interface SchedulerParts {
  sql: Sql;
  pool: BoxPool;
  log: Log;
  localBox: 'auto' | 'on' | 'off';
}

const POLL_MS = 2000;

export class Scheduler {
  readonly #parts: SchedulerParts;
  readonly #lanes = new Map<number, Lane>();
  readonly #stop = new AbortController();
  #poll: NodeJS.Timeout | null = null;
  #sweeper: { stop(): Promise<void> } | null = null;
  #listeners: { unlisten(): Promise<void> }[] = [];
  #refreshing: Promise<void> = Promise.resolve();

  constructor(parts: SchedulerParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    const { sql } = this.#parts;
    this.#listeners = [
      await sql.listen('hotlap_jobs', () => this.wake()),
      await sql.listen('hotlap_cancel', (jobId) => this.#cancel(Number(jobId))),
      // Also called after the connection was lost and is back.
      await sql.listen(
        'hotlap_boxes',
        () => void this.refreshBoxes(),
        () => void this.refreshBoxes(),
      ),
    ];
    await this.refreshBoxes();
    this.#poll = setInterval(() => this.wake(), POLL_MS);
    this.#sweeper = startSweeper(sql, this.#parts.log);
  }

  wake(): void {
    for (const lane of this.#lanes.values()) lane.wake();
  }

  /** Brings the lanes in line with the boxes table; one refresh at a time. */
  refreshBoxes(): Promise<void> {
    this.#refreshing = this.#refreshing
      .then(() => this.#refresh())
      .catch((error: unknown) => this.#parts.log.error({ error }, 'boxes not refreshed'));
    return this.#refreshing;
  }

  /** Claims no more, leaves running jobs on their boxes to a successor, and returns when nothing of ours is at work. */
  async stop(): Promise<void> {
    this.#stop.abort();
    if (this.#poll) clearInterval(this.#poll);
    await Promise.all(this.#listeners.map((listener) => listener.unlisten().catch(() => {})));
    await this.#refreshing;
    await this.#sweeper?.stop();
    // Closing the connections ends the waiting for results; the jobs on the boxes don't notice.
    await this.#parts.pool.close();
    await Promise.all([...this.#lanes.values()].map((lane) => lane.close()));
  }

  #cancel(jobId: number): void {
    for (const lane of this.#lanes.values()) lane.cancel(jobId);
  }

  async #refresh(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const { sql, pool, log } = this.#parts;
    const boxes = await this.#usableBoxes(await listBoxes(sql));
    for (const [id, lane] of this.#lanes) {
      const box = boxes.find((item) => item.id === id);
      if (box && laneShape(box) === laneShape(lane.box)) continue;
      this.#lanes.delete(id);
      // Its jobs end in their own time: the connection stays open until then.
      void lane.close().then(() => this.refreshBoxes());
    }
    for (const box of boxes) {
      if (this.#lanes.has(box.id)) continue;
      const connection = pool.connection(boxAddress(box));
      this.#lanes.set(box.id, new Lane(box, connection, { sql, log, stopping: this.#stop.signal }));
    }
    this.wake();
  }

  /** With `auto` the local machine stands back as soon as another box is registered. */
  async #usableBoxes(boxes: BoxRow[]): Promise<BoxRow[]> {
    const { sql, localBox } = this.#parts;
    const others = boxes.some((box) => box.kind !== 'local');
    if (localBox === 'on' || (localBox === 'auto' && !others)) return boxes;
    for (const box of boxes.filter((item) => item.kind === 'local')) {
      const why =
        localBox === 'off' ? 'switched off by HOTLAP_LOCAL_BOX' : 'stands back: another box is registered';
      await setBoxState(sql, box.id, 'offline', why);
    }
    return boxes.filter((box) => box.kind !== 'local');
  }
}

/** What makes a lane another lane. */
function laneShape(box: BoxRow): string {
  return JSON.stringify([boxAddress(box), box.slots, box.gpuTypes]);
}
