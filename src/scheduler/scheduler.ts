/**
 * Keeps one lane per box and wakes them: when a job was stored (PostgreSQL tells every scheduler), when the boxes
 * changed, and every few seconds for what no message announces, such as a retry whose delay is over.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { BoxPool } from '../boxes/pool.ts';
import { type BoxRow, listBoxes, listRemovedBoxesAtWork, setBoxState } from '../db/boxes.ts';
import type { Sql } from '../db/client.ts';
import type { Log } from '../log.ts';
import { boxAddress } from './box-address.ts';
import { startBoxMonitor } from './box-monitor.ts';
import { startIdleWork } from './idle-work.ts';
import { Lane } from './lane.ts';
import { startSweeper } from './sweeper.ts';

export interface SchedulerParts {
  sql: Sql;
  pool: BoxPool;
  log: Log;
  localBox: 'auto' | 'on' | 'off';
}

const POLL_MS = 2000;
/** The runner ends a job within milliseconds; a machine that cannot is not waited for. */
const END_JOBS_MS = 8000;

export class Scheduler {
  readonly #parts: SchedulerParts;
  readonly #lanes = new Map<number, Lane>();
  /** Lanes that claim no more and see their last jobs to the end. */
  readonly #closing = new Set<Lane>();
  readonly #stop = new AbortController();
  #poll: NodeJS.Timeout | null = null;
  #sweeper: { stop(): Promise<void> } | null = null;
  #monitor: { stop(): Promise<void> } | null = null;
  #idleWork: { stop(): Promise<void> } | null = null;
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
    this.#monitor = startBoxMonitor(sql, this.#parts.pool, this.#parts.log);
    this.#idleWork = startIdleWork(sql, this.#parts.log);
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

  /**
   * Claims no more, leaves running jobs on their boxes to a successor, and returns when nothing of ours is at work. With
   * `endLocalJobs` what runs on this machine itself is ended first and waits in the queue for the next start.
   */
  async stop(options: { endLocalJobs: boolean } = { endLocalJobs: false }): Promise<void> {
    if (options.endLocalJobs) {
      const local = [...this.#lanes.values()].filter((lane) => lane.box.kind === 'local');
      await Promise.race([Promise.all(local.map((lane) => lane.endJobs())), delay(END_JOBS_MS)]);
    }
    this.#stop.abort();
    if (this.#poll) clearInterval(this.#poll);
    await Promise.all(this.#listeners.map((listener) => listener.unlisten().catch(() => {})));
    await this.#refreshing;
    await this.#sweeper?.stop();
    await this.#monitor?.stop();
    await this.#idleWork?.stop();
    // Closing the connections ends the waiting for results; the jobs on the boxes don't notice.
    await this.#parts.pool.close();
    await Promise.all([...this.#lanes.values(), ...this.#closing].map((lane) => lane.close()));
  }

  #cancel(jobId: number): void {
    for (const lane of [...this.#lanes.values(), ...this.#closing]) lane.cancel(jobId);
  }

  async #refresh(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const { sql, pool, log } = this.#parts;
    const standing = await listBoxes(sql);
    const usable = (await this.#usableBoxes(standing)).filter(
      (box) => box.state === 'ready' || box.state === 'offline',
    );
    // Those that get nothing new (drained, quarantined, removed, standing back) have their jobs seen to their end.
    const finishing = [...standing, ...(await listRemovedBoxesAtWork(sql))].filter(
      (box) => !usable.includes(box),
    );
    const wanted = [
      ...usable.map((box) => ({ box, claims: true })),
      ...finishing.map((box) => ({ box, claims: false })),
    ];
    for (const [id, lane] of this.#lanes) {
      const found = wanted.find((item) => item.box.id === id);
      if (found && found.claims === lane.claims && laneShape(found.box) === laneShape(lane.box)) continue;
      this.#lanes.delete(id);
      this.#closeLane(lane);
    }
    for (const { box, claims } of wanted) {
      if (this.#lanes.has(box.id)) continue;
      const connection = pool.connection(boxAddress(box));
      this.#lanes.set(box.id, new Lane(box, connection, claims, { sql, log, stopping: this.#stop.signal }));
    }
    // A connection stays open for as long as a lane uses it.
    const used = [...this.#lanes.values(), ...this.#closing].map((lane) => String(lane.box.id));
    await pool.retain(new Set(used));
    this.wake();
  }

  #closeLane(lane: Lane): void {
    this.#closing.add(lane);
    void lane.close().then(() => {
      this.#closing.delete(lane);
      void this.refreshBoxes();
    });
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
  return JSON.stringify([boxAddress(box), box.lanes, box.wholeTypes]);
}
