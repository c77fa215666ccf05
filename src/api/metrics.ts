/**
 * Metrics for Prometheus. Nothing in them names a person, a file or a leaderboard, and the number of series is bounded: by
 * routes, GPU types, modes and states.
 *
 * Queue and boxes are read from the database when somebody asks, so every process tells the same. Waiting and running
 * times are counted from the jobs that ended since the last look; after a restart these start from zero, as counters may.
 */
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Sql } from '../db/client.ts';
import { listGpuQueues } from '../db/gpu-queues.ts';
import {
  countBoxes,
  countLostWork,
  countOwedMessages,
  type EndedUntil,
  endedUntilNow,
  listEndedJobs,
} from '../db/job-metrics.ts';
import type { Log } from '../log.ts';

const MIN_INTERVAL_MS = 1000;
const HTTP_SECONDS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60];
const DISCORD_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const JOB_SECONDS = [1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 10_800];

export class Metrics {
  readonly #registry = new Registry();
  readonly #sql: Sql;
  readonly #log: Log;
  #endedUntil: EndedUntil | null = null;
  #reading: Promise<unknown> = Promise.resolve();
  #readAt = 0;

  readonly #http = this.#histogram('hotlap_http_request_seconds', 'From request to answer', HTTP_SECONDS, [
    'method',
    'route',
    'status',
  ]);
  readonly #discord = this.#histogram(
    'hotlap_discord_request_seconds',
    'Requests to the REST API of Discord',
    DISCORD_SECONDS,
    ['method', 'resource', 'status'],
  );
  readonly #waited = this.#histogram(
    'hotlap_job_wait_seconds',
    'From submission to the last start of a job, by the time it has ended',
    JOB_SECONDS,
    ['gpu', 'mode'],
  );
  readonly #ran = this.#histogram('hotlap_job_run_seconds', 'From start to end of a job', JOB_SECONDS, [
    'gpu',
    'mode',
    'outcome',
  ]);
  readonly #queued = this.#gauge('hotlap_queue_jobs', 'Jobs that wait', ['gpu']);
  readonly #oldest = this.#gauge('hotlap_queue_oldest_seconds', 'How long the oldest of them has waited', [
    'gpu',
  ]);
  readonly #running = this.#gauge('hotlap_running_jobs', 'Jobs on boxes', ['gpu']);
  readonly #slots = this.#gauge('hotlap_slots', 'Slots of boxes that can be reached', ['gpu']);
  readonly #boxes = this.#gauge('hotlap_boxes', 'Boxes by state', ['state']);
  readonly #lost = this.#gauge('hotlap_lost_work', 'Accepted work that nothing brings forward; should be 0', [
    'kind',
  ]);
  readonly #owed = this.#gauge('hotlap_owed_messages', 'Messages that Discord has yet to take', []);
  readonly #database = this.#gauge('hotlap_database_up', '1 while the database answers', []);

  constructor(sql: Sql, log: Log) {
    this.#sql = sql;
    this.#log = log;
    collectDefaultMetrics({ register: this.#registry, prefix: 'hotlap_' });
  }

  /** Jobs that end from now on are counted. */
  async start(): Promise<void> {
    this.#endedUntil = await endedUntilNow(this.#sql);
  }

  observeHttp(method: string, route: string, status: number, seconds: number): void {
    this.#http.observe({ method, route, status: String(status) }, seconds);
  }

  /** `path` may hold ids and tokens: only its first part is kept. */
  observeDiscord(method: string, path: string, status: number, seconds: number): void {
    const resource = /\/api\/v\d+\/([a-z]+)/.exec(path)?.[1] ?? 'other';
    this.#discord.observe({ method, resource, status: String(status) }, seconds);
  }

  /** Milliseconds of the last heartbeat; less than 0 while there was none. */
  watchGateway(pingMs: () => number): void {
    const gauge = this.#gauge('hotlap_discord_gateway_ping_seconds', 'The last heartbeat of the gateway', []);
    Object.assign(gauge, {
      collect: () => {
        const ping = pingMs();
        if (ping >= 0) gauge.set(ping / 1000);
      },
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** One reading at a time, so that no job is counted twice, and one a second: whoever may ask may ask often. */
  async render(): Promise<string> {
    const reading = this.#reading.then(async () => {
      if (Date.now() - this.#readAt < MIN_INTERVAL_MS) return;
      await this.#read();
      this.#readAt = Date.now();
    });
    this.#reading = reading.catch(() => {});
    try {
      await reading;
      this.#database.set(1);
    } catch (error) {
      this.#log.warn({ error }, 'metrics: the database was not read');
      this.#database.set(0);
    }
    return this.#registry.metrics();
  }

  async #read(): Promise<void> {
    const sql = this.#sql;
    const [queues, boxes, lost, owed] = await Promise.all([
      listGpuQueues(sql),
      countBoxes(sql),
      countLostWork(sql),
      countOwedMessages(sql),
    ]);
    for (const gauge of [this.#queued, this.#oldest, this.#running, this.#slots, this.#boxes]) gauge.reset();
    for (const queue of queues) {
      this.#queued.set({ gpu: queue.gpu }, queue.queued);
      this.#oldest.set({ gpu: queue.gpu }, queue.oldestSeconds);
      this.#running.set({ gpu: queue.gpu }, queue.running);
      this.#slots.set({ gpu: queue.gpu }, queue.slots);
    }
    for (const { state, count } of boxes) this.#boxes.set({ state }, count);
    this.#lost.set({ kind: 'submissions' }, lost.submissions);
    this.#lost.set({ kind: 'jobs' }, lost.jobs);
    this.#owed.set(owed);

    const { jobs, until } = await listEndedJobs(sql, this.#endedUntil ?? (await endedUntilNow(sql)));
    this.#endedUntil = until;
    for (const { gpu, mode, outcome, waitSeconds, runSeconds } of jobs) {
      if (waitSeconds === null) continue;
      this.#waited.observe({ gpu, mode }, waitSeconds);
      this.#ran.observe({ gpu, mode, outcome }, runSeconds ?? 0);
    }
  }

  #gauge(name: string, help: string, labelNames: string[]): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.#registry] });
  }

  #histogram(name: string, help: string, buckets: number[], labelNames: string[]): Histogram {
    return new Histogram({ name, help, buckets, labelNames, registers: [this.#registry] });
  }
}
