/** The queue as the API tells of it. Everybody who waits asks, so it is read once for all of them, every second at most. */
import type { Sql } from '../db/client.ts';
import { type GpuQueue, listGpuQueues } from '../db/gpu-queues.ts';
import { loadQueue } from '../db/queue.ts';
import { forecast, type Place } from '../domain/eta.ts';
import type { QueueObject } from './schemas.ts';

const MAX_AGE_MS = 1000;
const PLACES_MAX_AGE_MS = 2000;
/** What clients print in front of the GPU type. */
const RUNNER = 'Hotlap';

export class QueueView {
  readonly #sql: Sql;
  #queues: { at: number; value: Promise<GpuQueue[]> } | null = null;
  #places: { at: number; value: Promise<Map<number, Place>> } | null = null;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Of a type that nobody has heard of: `runner` is "unknown". */
  async describe(gpu: string): Promise<QueueObject> {
    const queues = await this.all();
    const queue = queues.find((item) => item.gpu.toLowerCase() === gpu.toLowerCase());
    if (!queue) {
      const nothing = { queued_jobs: 0, running_jobs: 0, available_runners: 0 };
      return { runner: 'unknown', gpu, ...nothing, status: 'unknown', error: 'unknown gpu' };
    }
    const free = Math.max(0, queue.slots - queue.running);
    return {
      runner: RUNNER,
      gpu: queue.gpu,
      queued_jobs: queue.queued,
      running_jobs: queue.running,
      available_runners: free,
      status: queue.slots === 0 ? 'offline' : free > 0 ? 'available' : 'busy',
      error: queue.slots === 0 ? `no box with ${queue.gpu} can be reached` : null,
    };
  }

  /** All GPU types. A failed reading is not kept. */
  all(): Promise<GpuQueue[]> {
    const now = Date.now();
    if (!this.#queues || now - this.#queues.at > MAX_AGE_MS) {
      const value = listGpuQueues(this.#sql);
      this.#queues = { at: now, value };
      value.catch(() => {
        this.#queues = null;
      });
    }
    return this.#queues.value;
  }

  /** Where each queued job stands; `wanted` are looked for once more, because they may be newer than the last look. */
  async places(wanted: number[]): Promise<Map<number, Place>> {
    const places = await this.#placesOf(PLACES_MAX_AGE_MS);
    return wanted.every((id) => places.has(id)) ? places : this.#placesOf(0);
  }

  #placesOf(maxAgeMs: number): Promise<Map<number, Place>> {
    const now = Date.now();
    if (!this.#places || now - this.#places.at > maxAgeMs) {
      const value = loadQueue(this.#sql).then(forecast);
      this.#places = { at: now, value };
      value.catch(() => {
        this.#places = null;
      });
    }
    return this.#places.value;
  }
}
