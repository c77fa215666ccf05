/**
 * The lane of one box: a p-queue as wide as the box has slots.
 *
 * A wake fills the free slots with claimed jobs, and a job that ends wakes the lane again. Before anything is claimed
 * the box must answer: jobs wait in the database for a box that is away, they are never claimed and then failed for
 * it. Memory holds nothing but the leases that are being worked on.
 */
import { setTimeout as delay } from 'node:timers/promises';
import PQueue from 'p-queue';
import type { BoxConnection } from '../boxes/connection.ts';
import { clearQuarantines, countFailuresInARow, listDevicesInUse, quarantineBox } from '../db/box-checks.ts';
import { type BoxRow, notifyBoxes, setBoxState } from '../db/boxes.ts';
import { claimJob, jobsAliveOn, type Lease, takeOverJob } from '../db/jobs.ts';
import { BoxError } from '../domain/box-error.ts';
import { judgeIdle } from '../domain/box-health.ts';
import { jobKey } from '../domain/job.ts';
import { type RunEnd, type RunJobParts, runJob, toRunAgain } from './run-job.ts';

const OFFLINE_RETRY_MS = 5000;
const FAILURES_OF_A_BAD_BOX = 3;
/** How long a GPU may take to come to rest, and for how long a look at it holds. */
const REST_MS = 10_000;
const REST_POLL_MS = 1000;
const IDLE_FOR_MS = 60_000;
/** Another scheduler may have started a job on this box since the list of live ones was read. */
const SWEEP_AGE_S = 120;

export class Lane {
  readonly box: BoxRow;
  readonly claims: boolean;
  readonly connection: BoxConnection;
  readonly #parts: RunJobParts;
  readonly #queue: PQueue;
  /** By job id: how to end each one. */
  readonly #running = new Map<number, AbortController>();
  #filling: Promise<void> | null = null;
  #wokenMeanwhile = false;
  #retry: NodeJS.Timeout | null = null;
  #closed = false;
  /** As this lane last wrote it to the boxes table. */
  #online = false;
  /** Why the box did not answer, as it was last logged. */
  #problem: string | null = null;
  /** The GPUs were seen idle, and nothing of ours ran since; a time of Date.now(). */
  #idleUntil = 0;
  #hasWorked = false;

  /** `claims` false: only sees to the end what already runs on a box that gets no new work. */
  constructor(box: BoxRow, connection: BoxConnection, claims: boolean, parts: RunJobParts) {
    this.box = box;
    this.claims = claims;
    this.connection = connection;
    this.#parts = parts;
    this.#queue = new PQueue({ concurrency: box.lanes.length });
  }

  /** There may be work: cheap, and safe to call at any time. */
  wake(): void {
    if (this.#ending()) return;
    if (this.#filling) {
      this.#wokenMeanwhile = true;
      return;
    }
    this.#filling = this.#fill()
      .catch((error: unknown) => {
        // Closing cuts the connection under whatever asked the box.
        if (this.#ending()) return;
        this.#parts.log.warn({ error, box: this.box.name }, 'lane: filling failed');
      })
      .finally(() => {
        this.#filling = null;
        if (!this.#wokenMeanwhile) return;
        this.#wokenMeanwhile = false;
        this.wake();
      });
  }

  /** Ends the job on its box, if it runs in this lane. */
  cancel(jobId: number): void {
    this.#running.get(jobId)?.abort();
  }

  /** Claims no more, ends what runs on the box and puts it back into the queue. */
  async endJobs(): Promise<void> {
    this.#closed = true;
    await this.#filling;
    for (const cancel of this.#running.values()) cancel.abort(toRunAgain);
    await this.#queue.onIdle();
  }

  /** Claims no more; resolves when the jobs that are on the box have ended or were left to a successor. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#retry) clearTimeout(this.#retry);
    await this.#filling;
    await this.#queue.onIdle();
  }

  #ending(): boolean {
    return this.#closed || this.#parts.stopping.aborted;
  }

  async #fill(): Promise<void> {
    while (!this.#closed && this.#running.size < this.box.lanes.length) {
      if (!this.claims && !(await this.#hasWorkLeft())) return;
      if (!(await this.#boxAnswers()) || !(await this.#isIdle())) return;
      const lease = await this.#nextLease();
      if (!lease) return;
      const cancel = new AbortController();
      this.#running.set(lease.jobId, cancel);
      void this.#queue.add(() => this.#run(lease, cancel)).then(() => this.wake());
    }
  }

  async #hasWorkLeft(): Promise<boolean> {
    return (await jobsAliveOn(this.#parts.sql, this.box.id)).length > 0;
  }

  async #nextLease(): Promise<Lease | null> {
    const { sql } = this.#parts;
    const heldHere = [...this.#running.keys()];
    const lease = await takeOverJob(sql, this.box.id, heldHere);
    if (lease || !this.claims) return lease;
    return claimJob(sql, this.box);
  }

  async #run(lease: Lease, cancel: AbortController): Promise<void> {
    try {
      await this.#judge(await runJob(this.#parts, this.connection, lease, cancel));
    } catch (error) {
      // A bug of ours or a database that is away: the lease runs out, and the job is taken over then.
      this.#parts.log.error({ error, jobId: lease.jobId }, 'job left: its lease will run out');
    } finally {
      this.#running.delete(lease.jobId);
    }
  }

  /** Several jobs in a row that failed for the box's own reasons put it into quarantine. */
  async #judge(end: RunEnd): Promise<void> {
    const { sql } = this.#parts;
    if (end !== 'left') this.#idleUntil = 0;
    if (end === 'ended' && !this.#hasWorked) {
      // A quarantine makes another lane of the box, so once is enough.
      this.#hasWorked = true;
      await clearQuarantines(sql, this.box.id);
    }
    if (end !== 'box-failed') return;
    const failures = await countFailuresInARow(sql, this.box.id);
    if (failures < FAILURES_OF_A_BAD_BOX) return;
    await this.#quarantine(
      `${failures} jobs in a row failed there, and not by their own fault; the log has the details.`,
    );
  }

  /**
   * Nobody else may use a GPU that is about to time something. Looked at after each job, and again when the lane has been
   * idle for a while; a GPU that needs a moment to come to rest gets it.
   */
  async #isIdle(): Promise<boolean> {
    const { sql } = this.#parts;
    if (!this.claims || (this.box.probe?.gpus.length ?? 0) === 0 || Date.now() < this.#idleUntil) return true;
    const deadline = Date.now() + REST_MS;
    for (;;) {
      const agent = await this.connection.agent();
      const inUse = await listDevicesInUse(sql, this.box.id);
      const finding = judgeIdle(
        (await agent.health()).filter((gpu) => !inUse.includes(gpu.index)),
        this.box.probe,
      );
      if (finding.state === 'ok') {
        this.#idleUntil = Date.now() + IDLE_FOR_MS;
        return true;
      }
      if (this.#ending()) return false;
      if (Date.now() > deadline) {
        await this.#quarantine(finding.text);
        return false;
      }
      await delay(REST_POLL_MS);
    }
  }

  async #quarantine(evidence: string): Promise<void> {
    const { sql, log } = this.#parts;
    log.warn({ box: this.box.name, evidence }, 'box quarantined');
    await quarantineBox(sql, this.box.id, evidence);
    await notifyBoxes(sql);
  }

  async #boxAnswers(): Promise<boolean> {
    const { sql, log } = this.#parts;
    try {
      const agent = await this.connection.agent();
      if (this.#online) return true;
      // What an earlier life left on the box is ended before anything new is timed there.
      const alive = await jobsAliveOn(sql, this.box.id);
      await agent.sweep(
        alive.map((job) => jobKey(job.jobId, job.attempt)),
        SWEEP_AGE_S,
      );
      if (this.claims) await setBoxState(sql, this.box.id, 'ready', null);
      this.#online = true;
      this.#problem = null;
      return true;
    } catch (error) {
      if (!(error instanceof BoxError) || this.#ending()) throw error;
      const problem = `${error.kind}: ${error.message}`;
      // It is asked every few seconds; once is enough to say so.
      if (problem !== this.#problem) log.warn({ error, box: this.box.name }, 'box does not answer');
      this.#online = false;
      this.#problem = problem;
      if (this.claims) await setBoxState(sql, this.box.id, 'offline', problem);
      this.#retry ??= setTimeout(() => {
        this.#retry = null;
        this.wake();
      }, OFFLINE_RETRY_MS);
      return false;
    }
  }
}
