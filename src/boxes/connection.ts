/**
 * One box and the one agent that is kept open on it.
 *
 * Nothing is connected before it is needed. `agent()` hands out the agent that is alive, or makes one; callers that
 * come meanwhile wait for the same attempt. An agent that died over a healthy connection is opened anew on that
 * connection; otherwise the connection is made anew. After a failure the next attempt waits, longer each time; an agent
 * that dies soon after it was opened counts as a failure too, so that one that crashes does not spin.
 *
 * A job that ended by a crash of the runner costs the box its agent: the next is opened only after a look that the runner
 * is still in its place.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { BoxError } from '../domain/box-error.ts';
import type { SlurmOptions } from '../domain/slurm.ts';
import { type AgentOptions, BoxAgent } from './agent.ts';
import { localTransport } from './local.ts';
import { localRoot } from './paths.ts';
import type { RunnerArchive } from './runner-archive.ts';
import { connectSsh } from './ssh.ts';
import type { Transport } from './transport.ts';

/** A row of the boxes table, as far as it says how to get there. */
export interface BoxAddress {
  id: string;
  name: string;
  kind: 'ssh' | 'local' | 'slurm';
  /** These four are null for a local box, and for a cluster whose login node is this machine. */
  host: string | null;
  port: number | null;
  username: string | null;
  hostKeyFingerprint: string | null;
  /** Of a cluster, and of nothing else. */
  slurm?: SlurmOptions | null;
}

export interface ConnectionOptions {
  archive: RunnerArchive;
  /** Names this installation of Hotlap on the box. */
  instance: string;
  /** Holds the root folder of the local box. */
  dataDir: string;
  /** Needed for boxes of the kind `ssh`: the text of an OpenSSH private key. */
  privateKey?: string;
  /** The root folder on the box, instead of `~/.hotlap` or the one in the data directory. */
  root?: string;
  /** The rest is for impatient networks and tests: see SshOptions and AgentOptions. */
  keepaliveMs?: number;
  readyTimeoutMs?: number;
  silenceMs?: number;
  /** See SlurmOptions in the runner's slurm_batch.py. */
  slurmTimes?: { poll_s: number; settle_s: number; patience_s: number };
}

/** The pause before the first, second, ... attempt in a row; the last one repeats. */
const PAUSES_MS = [0, 250, 500, 1_000, 2_000, 5_000, 10_000];
const LIVED_MS = 5_000;

export class BoxConnection {
  readonly box: BoxAddress;
  readonly #options: ConnectionOptions;
  readonly #closing = new AbortController();
  #transport: Transport | undefined;
  #agent: BoxAgent | undefined;
  #attempt: Promise<BoxAgent> | undefined;
  #failures = 0;

  constructor(box: BoxAddress, options: ConnectionOptions) {
    this.box = box;
    this.#options = options;
  }

  /** SHA-256 of the runner that works there, in hex. */
  get runnerHash(): string {
    return this.#options.archive.hash;
  }

  /** True while an agent is open. */
  get connected(): boolean {
    return this.#agent !== undefined;
  }

  /** True once `close` was called: nothing will be connected any more. */
  get closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /**
   * The agent, connecting first where there is none; waits out the pause that earlier failures brought (10 s at the
   * most). Throws BoxError of the kinds of `connectSsh` and `BoxAgent.connect`, `channel-lost` once closed.
   */
  agent(): Promise<BoxAgent> {
    if (this.closed) return Promise.reject(this.#closedError());
    if (this.#agent !== undefined) return Promise.resolve(this.#agent);
    this.#attempt ??= this.#connect().finally(() => {
      this.#attempt = undefined;
    });
    return this.#attempt;
  }

  /** The runner crashed under a job on `agent`: it is not used again. */
  runnerCrashed(agent: BoxAgent): void {
    if (this.#agent === agent) void agent.close();
  }

  /** Ends the agent and the connection; jobs on the box go on. The connection is of no more use. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#attempt?.catch(() => {});
    await this.#drop();
  }

  async #connect(): Promise<BoxAgent> {
    const pauseMs = PAUSES_MS[Math.min(this.#failures, PAUSES_MS.length - 1)] ?? 0;
    try {
      if (pauseMs > 0) await delay(pauseMs, undefined, { signal: this.#closing.signal });
    } catch {
      throw this.#closedError();
    }
    try {
      const agent = await this.#open();
      if (this.closed) {
        await agent.close();
        throw this.#closedError();
      }
      this.#watch(agent);
      return agent;
    } catch (error) {
      this.#failures += 1;
      await this.#drop();
      throw error;
    }
  }

  async #open(): Promise<BoxAgent> {
    if (this.#transport === undefined) {
      const transport = await this.#newTransport();
      transport.onLost(() => {
        if (this.#transport === transport) this.#transport = undefined;
      });
      this.#transport = transport;
    }
    return BoxAgent.connect(this.#transport, this.#options.archive, this.#agentOptions());
  }

  #agentOptions(): AgentOptions {
    const { instance, dataDir, silenceMs, slurmTimes } = this.#options;
    const { id, kind, host, slurm } = this.box;
    const own = slurm?.root ?? this.#options.root;
    const root =
      own ?? (kind === 'local' || (kind === 'slurm' && host === null) ? localRoot(dataDir) : undefined);
    const common = { ...(root !== undefined && { root }), ...(silenceMs !== undefined && { silenceMs }) };
    if (kind !== 'slurm') return { instance, ...common };
    const { partition = null, account = null, qos = null, gres = null, options = [] } = slurm ?? {};
    const launch = JSON.stringify({ partition, account, qos, gres, options, ...slurmTimes });
    // Several boxes may share a login node, one for each GPU type: none may sweep away the jobs of another.
    return {
      instance: `${instance}.${id}`,
      launch: ['--launch', 'slurm', '--launch-options', launch],
      ...common,
    };
  }

  async #newTransport(): Promise<Transport> {
    const { kind, name, host, port, username, hostKeyFingerprint } = this.box;
    if (kind === 'local' || (kind === 'slurm' && host === null)) return localTransport();
    const { privateKey, keepaliveMs, readyTimeoutMs } = this.#options;
    if (host === null || username === null || hostKeyFingerprint === null || privateKey === undefined) {
      throw new TypeError(`box ${name} has no complete SSH address`);
    }
    return connectSsh({
      host,
      port: port ?? 22,
      username,
      privateKey,
      hostKeyFingerprint,
      ...(keepaliveMs !== undefined && { keepaliveMs }),
      ...(readyTimeoutMs !== undefined && { readyTimeoutMs }),
    });
  }

  #watch(agent: BoxAgent): void {
    this.#agent = agent;
    const openedAt = Date.now();
    void agent.closed.then(() => {
      if (this.#agent !== agent) return;
      this.#agent = undefined;
      this.#failures = Date.now() - openedAt < LIVED_MS ? this.#failures + 1 : 0;
    });
  }

  async #drop(): Promise<void> {
    const agent = this.#agent;
    const transport = this.#transport;
    this.#agent = undefined;
    this.#transport = undefined;
    // Not one after the other: the agent of a frozen box never ends before its connection does.
    await Promise.all([agent?.close(), transport?.close()]);
  }

  #closedError(): BoxError {
    return new BoxError('channel-lost', `the connection to box ${this.box.name} was closed`);
  }
}
