/**
 * The lane of one box: a p-queue as wide as the box has slots.
 *
 * A wake fills the free slots with claimed jobs, and a job that ends wakes the lane again. Before anything is claimed
 * the box must answer: jobs wait in the database for a box that is away, they are never claimed and then failed for
 * it. Memory holds nothing but the leases that are being worked on.
 */
import PQueue from 'p-queue';
import type { BoxConnection } from '../boxes/connection.ts';
import { type BoxRow, setBoxState } from '../db/boxes.ts';
import { claimJob, jobsAliveOn, type Lease, takeOverJob } from '../db/jobs.ts';
import { BoxError } from '../domain/errors.ts';
import { jobKey } from '../domain/job.ts';
import { type RunJobParts, runJob } from './run-job.ts';

const OFFLINE_RETRY_MS = 5000;
/** Another scheduler may have started a job on this box since the list of live ones was read. */
const SWEEP_AGE_S = 120;

export class Lane {
  readonly box: BoxRow;
  readonly connection: BoxConnection;
  readonly #parts: RunJobParts;
  readonly #queue: PQueue;
  #filling: Promise<void> | null = null;
  #wokenMeanwhile = false;
  #swept = false;
  #retry: NodeJS.Timeout | null = null;
  #closed = false;
  /** As this lane last wrote it to the boxes table. */
  #online = false;

  constructor(box: BoxRow, connection: BoxConnection, parts: RunJobParts) {
    this.box = box;
    this.connection = connection;
    this.#parts = parts;
    this.#queue = new PQueue({ concurrency: box.slots });
  }

  /** There may be work: cheap, and safe to call at any time. */
  wake(): void {
    if (this.#closed || this.#parts.stopping.aborted) return;
    if (this.#filling) {
      this.#wokenMeanwhile = true;
      return;
    }
    this.#filling = this.#fill()
      .catch((error: unknown) => this.#parts.log.error({ error, box: this.box.name }, 'lane: filling failed'))
      .finally(() => {
        this.#filling = null;
        if (!this.#wokenMeanwhile) return;
        this.#wokenMeanwhile = false;
        this.wake();
      });
  }

  /** Claims no more; resolves when the jobs that are on the box have ended or were left to a successor. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#retry) clearTimeout(this.#retry);
    await this.#filling;
    await this.#queue.onIdle();
  }

  async #fill(): Promise<void> {
    while (!this.#closed && this.#queue.pending + this.#queue.size < this.box.slots) {
      if (!(await this.#boxAnswers())) return;
      const lease = await this.#nextLease();
      if (!lease) return;
      void this.#queue.add(() => this.#run(lease)).then(() => this.wake());
    }
  }

  async #nextLease(): Promise<Lease | null> {
    const { sql } = this.#parts;
    return (await takeOverJob(sql, this.box.id)) ?? (await claimJob(sql, this.box));
  }

  async #run(lease: Lease): Promise<void> {
    try {
      await runJob(this.#parts, this.connection, lease);
    } catch (error) {
      // A bug of ours or a database that is away: the lease runs out, and the job is taken over then.
      this.#parts.log.error({ error, jobId: lease.jobId }, 'job left: its lease will run out');
    }
  }

  async #boxAnswers(): Promise<boolean> {
    const { sql, log } = this.#parts;
    try {
      const agent = await this.connection.agent();
      if (!this.#swept) {
        const alive = await jobsAliveOn(sql, this.box.id);
        await agent.sweep(
          alive.map((job) => jobKey(job.jobId, job.attempt)),
          SWEEP_AGE_S,
        );
        this.#swept = true;
      }
      if (!this.#online) await setBoxState(sql, this.box.id, 'ready', null);
      this.#online = true;
      return true;
    } catch (error) {
      if (!(error instanceof BoxError) || this.#closed) throw error;
      log.warn({ error, box: this.box.name }, 'box does not answer');
      this.#online = false;
      await setBoxState(sql, this.box.id, 'offline', `${error.kind}: ${error.message}`);
      this.#retry ??= setTimeout(() => {
        this.#retry = null;
        this.wake();
      }, OFFLINE_RETRY_MS);
      return false;
    }
  }
}
