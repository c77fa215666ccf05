/**
 * One job on one box, from `start` to its result, across lost connections.
 *
 * A job on a box is a detached process group with its own folder: it does not notice that the connection broke. So a
 * lost channel is answered by connecting again and following on from the event after the last one seen. `start` is
 * sent until it is acknowledged once (it attaches where the job exists) and never after that: were the job's folder
 * gone, a second start would run it again behind the back of the caller, who is told `unknown-job` instead. By then the
 * box has ended what was left of it.
 *
 * A cancelled job is followed to its end like any other: its result comes when its processes are dead.
 */
import { BoxError, type BoxErrorKind } from '../domain/box-error.ts';
import type { JobEvent, JobResult, JobSpec } from '../domain/protocol.ts';
import type { BoxAgent } from './agent.ts';
import type { BoxConnection } from './connection.ts';

export interface RunOptions {
  /** The secret seed of a secret run; it is not in the job and never written to the box. */
  seed: number | null;
  /** What a job is about that serves a model; goes to the box before `start`. */
  archive?: Uint8Array | null;
  /** Called in the order of the events, once for each. */
  onEvent: (event: JobEvent) => void;
  /** Its abort ends the job on the box. */
  signal?: AbortSignal;
  /** How long a box may stay away before this gives up, one minute by default. */
  patienceMs?: number;
}

const PATIENCE_MS = 60_000;

/** What another connection may mend. */
const transient: readonly BoxErrorKind[] = ['unreachable', 'channel-lost', 'cluster-away'];
/** What only the agent itself says of a job, never the way to it: the job is not running then. */
const saidByBox: readonly BoxErrorKind[] = [
  'unknown-job',
  'disk-full',
  'sandbox-failed',
  'tool-missing',
  'runner-crashed',
  'cluster-refused',
];

/**
 * The job was started, or may have been, and nobody knows whether it still runs. Its lane must not be used for
 * another job before the box has said that it is dead (`cancel`, `status` or `sweep` on a new connection).
 */
export class JobMayStillRun extends BoxError {
  constructor(error: BoxError) {
    super(error.kind, error.message, { cause: error });
    this.name = 'JobMayStillRun';
  }
}

/**
 * Runs the job, or attaches to it, and resolves with its result (`finished` or `cancelled`). Afterwards the caller
 * stores the result and only then calls `forgetJob`.
 *
 * Throws `JobMayStillRun` when the box got out of reach after `start` was sent, or the connection was closed; another
 * BoxError when the job is surely not running by this call's doing (the box could not do it, its folder is gone, the
 * box was never reached: a caller that re-attaches to a job of an earlier life has to take the last one for the first).
 * Throws the signal's reason when it was aborted and the box knows no such job.
 */
export async function runOnBox(
  connection: BoxConnection,
  job: JobSpec,
  options: RunOptions,
): Promise<JobResult> {
  const { onEvent, signal } = options;
  const patienceMs = options.patienceMs ?? PATIENCE_MS;
  let sent = false;
  let started = false;
  let nextEvent = 0;
  let lostAt: number | undefined;
  for (;;) {
    let result: JobResult | undefined;
    let agent: BoxAgent | undefined;
    try {
      agent = await connection.agent();
      // Aborted before it was acknowledged: not started again, but still looked for and ended.
      if (!started && !signal?.aborted) {
        if (options.archive && (await agent.status(job.job_key)) === 'unknown') {
          await agent.put(job.job_key, options.archive);
        }
        sent = true;
        await agent.start(job, options.seed);
        started = true;
      }
      result = await followOrCancel(agent, job.job_key, nextEvent, signal, (event) => {
        if (event.n < nextEvent) return;
        if (event.type !== 'waiting') nextEvent = event.n + 1;
        onEvent(event);
      });
    } catch (error) {
      if (!(error instanceof BoxError) || error instanceof JobMayStillRun) throw error;
      if (error.kind === 'unknown-job' && !started) signal?.throwIfAborted();
      // The same kinds can also come from connecting anew, where they say nothing about the job.
      if (agent !== undefined && saidByBox.includes(error.kind)) {
        if (error.kind === 'runner-crashed') connection.runnerCrashed(agent);
        throw error;
      }
      // The patience starts anew with each agent that answered something, not with one that only said hello.
      if (lostAt === undefined || (agent?.answeredAt ?? 0) > lostAt) lostAt = Date.now();
      const patient = Date.now() - lostAt < patienceMs && !connection.closed;
      if (!patient || !transient.includes(error.kind)) throw sent ? new JobMayStillRun(error) : error;
      continue;
    }
    if (result.outcome !== 'box-error') return result;
    const { kind, message } = result.error ?? { kind: 'runner-crashed', message: 'the box gave no reason' };
    const error = new BoxError(kind, message);
    if (kind === 'runner-crashed') connection.runnerCrashed(agent);
    throw error;
  }
}

/** Removes the job's folder from the box. To be called once its result is stored, and not before. */
export async function forgetJob(connection: BoxConnection, jobKey: string): Promise<void> {
  const agent = await connection.agent();
  await agent.forget(jobKey);
}

async function followOrCancel(
  agent: BoxAgent,
  jobKey: string,
  from: number,
  signal: AbortSignal | undefined,
  onEvent: (event: JobEvent) => void,
): Promise<JobResult> {
  const following = agent.follow(jobKey, from, onEvent);
  if (signal === undefined) return following;
  let cancel = () => {};
  const cancelFailed = new Promise<never>((_, reject) => {
    // The answer itself does not matter: dead or never alive, the result tells. A refusal does: nobody ends the job.
    cancel = () =>
      void agent.cancel(jobKey).catch((error: unknown) => {
        const refused = error instanceof BoxError && !transient.includes(error.kind);
        reject(refused ? new JobMayStillRun(error) : error);
      });
  });
  try {
    if (signal.aborted) cancel();
    else signal.addEventListener('abort', cancel);
    return await Promise.race([following, cancelFailed]);
  } finally {
    signal.removeEventListener('abort', cancel);
    following.catch(() => {});
    cancelFailed.catch(() => {});
  }
}
