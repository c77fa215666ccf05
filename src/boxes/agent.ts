/**
 * The protocol client: one agent on one channel of one box. domain/protocol.ts tells what goes over it.
 *
 * Each request has a number; its replies carry it, so that many are under way at once. A request is settled once: by
 * its reply, by its time limit, or by the end of the channel, which fails every request still open. After that the
 * agent is dead for good and its owner (connection.ts) makes another.
 *
 * `follow` alone may stay silent for as long as a job runs. While one is open the agent is asked for a status now and
 * then, so that an agent that hangs on a healthy connection is noticed too.
 */
import type { z } from 'zod';
import { BoxError } from '../domain/box-error.ts';
import {
  type GpuHealth,
  type JobEvent,
  type JobResult,
  type JobSpec,
  type ProbeReport,
  replyLine,
  type SandboxWish,
  type Verb,
  verbValue,
} from '../domain/protocol.ts';
import { PIECE_BYTES } from '../domain/serving-protocol.ts';
import { drain, type Hello, readHello } from './agent-hello.ts';
import { excerpt } from './lines.ts';
import { checkInstance } from './paths.ts';
import type { RunnerArchive } from './runner-archive.ts';
import { installRunner } from './runner-install.ts';
import type { Channel, Transport } from './transport.ts';

type Value<V extends Verb> = z.infer<(typeof verbValue)[V]>;
export type JobState = Value<'status'>['state'];

const SILENCE_MS = 30_000;
/** How long each verb may take on a busy machine; an agent that needs longer is taken for dead. */
const timeoutMs: Record<Exclude<Verb, 'follow' | 'status'>, number> = {
  start: 60_000,
  put: 120_000,
  cancel: 60_000,
  probe: 120_000,
  health: 30_000,
  trace: 60_000,
  forget: 60_000,
  sweep: 120_000,
};

export interface AgentOptions {
  /** The box's folder; `~/.hotlap` by default. */
  root?: string;
  /** Names this installation of Hotlap on the box. */
  instance: string;
  /** Where it is to run its jobs, as further arguments of it; here by default. */
  launch?: readonly string[];
  /** How long an agent may leave a `status` unanswered, and how often it is asked for one during a `follow`. */
  silenceMs?: number;
}

interface Pending {
  settle(value: unknown): void;
  fail(error: Error): void;
  onEvent?: (event: JobEvent) => void;
}

export class BoxAgent {
  readonly hello: Hello;
  /** Resolves with the reason as soon as the agent is of no more use, whoever ended it; never rejects. */
  readonly closed: Promise<BoxError>;
  readonly #closed = Promise.withResolvers<BoxError>();
  /** When the last reply came, as of Date.now(); 0 before the first. */
  answeredAt = 0;
  readonly #channel: Channel;
  readonly #where: string;
  readonly #silenceMs: number;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #dead: BoxError | undefined;
  #follows = 0;
  #ping: NodeJS.Timeout | undefined;

  /**
   * Puts the runner on the box where it is missing and opens an agent.
   * Throws BoxError: `no-python`, `disk-full`, `runner-crashed`, `protocol-error` or `channel-lost`.
   */
  static async connect(
    transport: Transport,
    archive: RunnerArchive,
    options: AgentOptions,
  ): Promise<BoxAgent> {
    const instance = checkInstance(options.instance);
    const { python, root, runner } = await installRunner(transport, archive, options.root);
    const command = [python, runner, 'agent', '--root', root, '--instance', instance];
    const channel = await transport.open([...command, ...(options.launch ?? [])]);
    const lines = channel.lines[Symbol.asyncIterator]();
    try {
      const hello = await readHello(channel, lines, transport.name);
      return new BoxAgent(hello, channel, lines, transport.name, options.silenceMs ?? SILENCE_MS);
    } catch (error) {
      channel.end();
      void drain(lines);
      throw error;
    }
  }

  private constructor(
    hello: Hello,
    channel: Channel,
    lines: AsyncIterator<string>,
    where: string,
    silenceMs: number,
  ) {
    this.hello = hello;
    this.closed = this.#closed.promise;
    this.#channel = channel;
    this.#where = where;
    this.#silenceMs = silenceMs;
    void this.#read(lines);
  }

  /** Brings the archive of a job that is yet to be started, piece by piece. */
  async put(jobKey: string, archive: Uint8Array): Promise<void> {
    for (let offset = 0; offset < archive.length; offset += PIECE_BYTES) {
      const data = Buffer.from(archive.subarray(offset, offset + PIECE_BYTES)).toString('base64');
      await this.#request('put', { job_key: jobKey, offset, data });
    }
  }

  /** Starts the job, or attaches to the one of that key. `seed` is the secret seed of a secret run. */
  start(job: JobSpec, seed: number | null): Promise<Value<'start'>> {
    return this.#request('start', { job, seed });
  }

  /**
   * Calls `onEvent` for each event from number `from` on, in order, and resolves with the job's result. An abort of
   * `signal` ends the following, not the job. Throws BoxError `unknown-job`, `channel-lost` or another of the box's.
   */
  async follow(
    jobKey: string,
    from: number,
    onEvent: (event: JobEvent) => void,
    signal?: AbortSignal,
  ): Promise<JobResult> {
    signal?.throwIfAborted();
    this.#follows += 1;
    this.#ping ??= setInterval(() => void this.status('ping').catch(() => {}), this.#silenceMs);
    try {
      const { result } = await this.#request('follow', { job_key: jobKey, from }, onEvent, signal);
      if (result.job_key === jobKey) return result;
      throw new BoxError('protocol-error', `${this.#where} sent the result of another job than ${jobKey}`);
    } finally {
      this.#follows -= 1;
      if (this.#follows === 0) this.#stopPing();
    }
  }

  /** Ends the job's processes; they are dead when it resolves. */
  cancel(jobKey: string): Promise<Value<'cancel'>> {
    return this.#request('cancel', { job_key: jobKey });
  }

  async status(jobKey: string): Promise<JobState> {
    return (await this.#request('status', { job_key: jobKey })).state;
  }

  /** What the machine is and has, with this sandbox: in a container, Python and torch are the image's. */
  probe(sandbox: SandboxWish = 'auto'): Promise<ProbeReport> {
    return this.#request('probe', { sandbox });
  }

  /** How the GPUs are at this moment; empty on a machine without any. */
  async health(): Promise<GpuHealth[]> {
    return (await this.#request('health', {})).gpus;
  }

  /** A part of the recording of a stage, from a byte on: up to a mebibyte. Null when there is none. */
  async trace(jobKey: string, stage: string, from: number): Promise<Buffer | null> {
    const { piece } = await this.#request('trace', { job_key: jobKey, stage, from });
    return piece === null ? null : Buffer.from(piece, 'base64');
  }

  /** Removes the folder of a finished job. */
  forget(jobKey: string): Promise<Value<'forget'>> {
    return this.#request('forget', { job_key: jobKey });
  }

  /** Ends and removes every job of this instance whose key is not in `keep`. */
  sweep(keep: readonly string[], olderThanS = 0): Promise<Value<'sweep'>> {
    return this.#request('sweep', { keep, older_than_s: olderThanS });
  }

  /** Ends the agent; the jobs that it started go on. Requests still open fail as `channel-lost`. */
  async close(): Promise<void> {
    this.#die(new BoxError('channel-lost', `the agent on ${this.#where} was closed`));
    await this.#channel.closed;
  }

  #request<V extends Verb>(
    verb: V,
    args: Record<string, unknown>,
    onEvent?: (event: JobEvent) => void,
    signal?: AbortSignal,
  ): Promise<Value<V>> {
    return new Promise((resolve, reject) => {
      if (this.#dead !== undefined) {
        reject(this.#dead);
        return;
      }
      const id = this.#nextId;
      this.#nextId += 1;
      const limitMs = this.#limitMs(verb);
      const timer =
        limitMs &&
        setTimeout(() => {
          const words = `the agent on ${this.#where} did not answer ${verb} within ${limitMs} ms`;
          this.#die(new BoxError('channel-lost', words));
        }, limitMs);
      const onAbort = () => pending.fail(signal?.reason as Error);
      const finish = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        this.#pending.delete(id);
      };
      const pending: Pending = {
        settle: (value) => {
          finish();
          const parsed = verbValue[verb].safeParse(value);
          if (parsed.success) resolve(parsed.data as Value<V>);
          else reject(this.#misfit(`the answer to ${verb}`, parsed.error));
        },
        fail: (error) => {
          finish();
          reject(error);
        },
        ...(onEvent && { onEvent }),
      };
      this.#pending.set(id, pending);
      signal?.addEventListener('abort', onAbort);
      this.#channel.send(JSON.stringify({ id, op: verb, ...args }));
    });
  }

  #limitMs(verb: Verb): number | undefined {
    if (verb === 'follow') return undefined;
    return verb === 'status' ? this.#silenceMs : timeoutMs[verb];
  }

  async #read(lines: AsyncIterator<string>): Promise<void> {
    try {
      for (let next = await lines.next(); !next.done; next = await lines.next()) this.#take(next.value);
    } catch (error) {
      this.#die(
        error instanceof BoxError ? error : new BoxError('channel-lost', String(error), { cause: error }),
      );
    }
    const { reason } = await this.#channel.closed;
    this.#die(new BoxError('channel-lost', reason));
  }

  #take(line: string): void {
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch {
      this.#die(new BoxError('protocol-error', `the agent on ${this.#where} printed “${excerpt(line)}”`));
      return;
    }
    const parsed = replyLine.safeParse(message);
    const id = parsed.success ? parsed.data.id : (message as { id?: unknown } | null)?.id;
    // A reply to a request that was given up is nobody's.
    const pending = typeof id === 'number' ? this.#pending.get(id) : undefined;
    if (!parsed.success) {
      const error = this.#misfit('a reply', parsed.error);
      if (pending !== undefined) pending.fail(error);
      else this.#die(error);
      return;
    }
    const reply = parsed.data;
    this.answeredAt = Date.now();
    if (pending === undefined) return;
    if ('event' in reply) {
      try {
        pending.onEvent?.(reply.event);
      } catch (error) {
        pending.fail(error as Error);
      }
    } else if (reply.ok) {
      pending.settle(reply.value);
    } else {
      const { kind, message: words } = reply.error;
      pending.fail(
        new BoxError(
          kind === 'bad-request' ? 'protocol-error' : kind,
          `${this.#where}: ${excerpt(words, 2_000)}`,
        ),
      );
    }
  }

  /** Ends the agent; the first reason given is the one that everybody is told. */
  #die(error: BoxError): void {
    if (this.#dead !== undefined) return;
    this.#dead = error;
    this.#stopPing();
    // First of all, so that its owner hands it out no more when the requests below fail.
    this.#closed.resolve(error);
    this.#channel.end();
    for (const pending of [...this.#pending.values()]) pending.fail(error);
  }

  #misfit(what: string, error: z.ZodError): BoxError {
    const issue = error.issues[0];
    const where = issue === undefined ? '' : ` (${issue.path.join('.') || 'whole'}: ${issue.message})`;
    return new BoxError('protocol-error', `${what} of the agent on ${this.#where} does not fit${where}`, {
      cause: error,
    });
  }

  #stopPing(): void {
    clearInterval(this.#ping);
    this.#ping = undefined;
  }
}
