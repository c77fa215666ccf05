/**
 * A contest in a time of its own: boxes claim by the product's own statement, jobs last as long as the test says, and
 * time passes by moving every timestamp of the queue into the past, so that nobody waits.
 */
import type { BoxRow } from '../../src/db/boxes.ts';
import type { Sql } from '../../src/db/client.ts';
import { claimJob } from '../../src/db/jobs.ts';

/** The same numbers from the same seed: mulberry32. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A claimed job, or one that has ended. Times are those of the contest. */
export interface SimulatedJob {
  jobId: number;
  submissionId: number;
  userId: string;
  leaderboardId: number;
  mode: string;
  secret: boolean;
  boxId: number;
  startedMs: number;
  endsMs: number;
}

export class Contest {
  readonly #sql: Sql;
  readonly #boxes: BoxRow[];
  readonly #durationMs: (job: Omit<SimulatedJob, 'startedMs' | 'endsMs'>) => number;
  nowMs = 0;
  running: SimulatedJob[] = [];
  /** In the order of their starts. */
  started: SimulatedJob[] = [];

  constructor(
    sql: Sql,
    boxes: BoxRow[],
    durationMs: (job: Omit<SimulatedJob, 'startedMs' | 'endsMs'>) => number,
  ) {
    this.#sql = sql;
    this.#boxes = boxes;
    this.#durationMs = durationMs;
  }

  /** Every box fills its slots. Returns what was started. */
  async fill(): Promise<SimulatedJob[]> {
    const fresh: SimulatedJob[] = [];
    for (const box of this.#boxes) {
      for (let lease = await claimJob(this.#sql, box); lease; lease = await claimJob(this.#sql, box)) {
        const [row] = await this.#sql<Omit<SimulatedJob, 'startedMs' | 'endsMs'>[]>`
          select id as "jobId", submission_id as "submissionId", user_id as "userId",
            leaderboard_id as "leaderboardId", mode, secret, box_id as "boxId"
          from hotlap.jobs where id = ${lease.jobId}`;
        if (!row) throw new Error('the claimed job is gone');
        fresh.push({ ...row, startedMs: this.nowMs, endsMs: this.nowMs + this.#durationMs(row) });
      }
    }
    this.running.push(...fresh);
    this.started.push(...fresh);
    return fresh;
  }

  /** When the next job ends; null while none runs. */
  get nextEndMs(): number | null {
    return this.running.length === 0 ? null : Math.min(...this.running.map((job) => job.endsMs));
  }

  /** To that moment, without passing the end of a job. */
  async passTo(atMs: number): Promise<void> {
    const seconds = (atMs - this.nowMs) / 1000;
    this.nowMs = atMs;
    await this.#sql`
      update hotlap.jobs set created_at = created_at - make_interval(secs => ${seconds}),
        not_before = not_before - make_interval(secs => ${seconds}),
        started_at = started_at - make_interval(secs => ${seconds}),
        finished_at = finished_at - make_interval(secs => ${seconds})`;
  }

  /** To the next end of a job, which has passed then; its slot is free. Null when none runs. */
  async endNext(): Promise<SimulatedJob | null> {
    const job = this.running.toSorted((a, b) => a.endsMs - b.endsMs)[0];
    if (!job) return null;
    await this.passTo(job.endsMs);
    this.running = this.running.filter((item) => item !== job);
    // As a result is stored, less what follows from it for people.
    await this.#sql`
      update hotlap.jobs set status = 'finished', passed = true, finished_at = now(), lease_token = null,
        lease_expires_at = null
      where id = ${job.jobId}`;
    return job;
  }
}
