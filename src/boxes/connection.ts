/**
 * One box and the one agent that is kept open on it.
 *
 * Nothing is connected before it is needed. `agent()` hands out the agent that is alive, or makes one; callers that
 * come meanwhile wait for the same attempt. An agent that died over a healthy connection is opened anew on that
 * connection; otherwise the connection is made anew. After a failure the next attempt waits, longer each time; an agent
 * that dies soon after it was opened counts as a failure too, so that one that crashes does not spin.
 *
 * A box may also connect well and crash under every job. `jobEnded` is told how each job ended there. One that ended by
 * a crash of the runner costs the box its agent: the next is opened only after a look that the runner is still in its
 * place. Crashes of several jobs in a row cost it our trust for a while: `checkTrust` throws, and whoever hands out new
 * jobs takes the box for away. Jobs that are on the box already are not affected.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { BoxError } from '../domain/errors.ts';
import { BoxAgent } from './agent.ts';
import { localTransport } from './local.ts';
import { localRoot } from './paths.ts';
import type { RunnerArchive } from './runner-archive.ts';
import { connectSsh } from './ssh.ts';
import type { Transport } from './transport.ts';

/** A row of the boxes table, as far as it says how to get there. */
export interface BoxAddress {
  id: string;
  name: string;
  kind: 'ssh' | 'local';
  /** These four are null for a local box. */
  host: string | null;
  port: number | null;
  username: string | null;
  hostKeyFingerprint: string | null;
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
  /** How long a box on which several jobs in a row crashed gets no more of them, the first time. */
  distrustMs?: number;
}

/** The pause before the first, second, ... attempt in a row; the last one repeats. */
const PAUSES_MS = [0, 250, 500, 1_000, 2_000, 5_000, 10_000];
const LIVED_MS = 5_000;
/** Crashes of so many different jobs in a row: one submission that crashes the runner must not take the box with it. */
const CRASHES_OF_A_BAD_BOX = 3;
/** Each further crash after that time doubles it, up to the limit. */
const DISTRUST_MS = 30_000;
const LONGEST_DISTRUST_MS = 10 * 60_000;

export class BoxConnection {
  readonly box: BoxAddress;
  readonly #options: ConnectionOptions;
  readonly #closing = new AbortController();
  #transport: Transport | undefined;
  #agent: BoxAgent | undefined;
  #attempt: Promise<BoxAgent> | undefined;
  #failures = 0;
  /** Job ids of the crashes since the last job that ended well. */
  readonly #crashed = new Set<string>();
  #distrust: { error: BoxError; until: number; forMs: number } | undefined;

  constructor(box: BoxAddress, options: ConnectionOptions) {
    this.box = box;
    this.#options = options;
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

  /** Throws BoxError `runner-crashed` while the box is to get no new jobs because the last ones crashed there. */
  checkTrust(): void {
    if (this.#distrust !== undefined && Date.now() < this.#distrust.until) throw this.#distrust.error;
  }

  /**
   * To be told of each job that ended on `agent`: `crash` is the box's error `runner-crashed`, or null when the box did
   * its work. Other failures of a box say nothing either way and are not told.
   */
  jobEnded(agent: BoxAgent, jobKey: string, crash: BoxError | null): void {
    if (crash === null) {
      this.#crashed.clear();
      this.#distrust = undefined;
      return;
    }
    if (this.#agent === agent) void agent.close();
    this.#crashed.add(jobKey.replace(/\.[^.]*$/, ''));
    if (this.#crashed.size < CRASHES_OF_A_BAD_BOX) return;
    const last = this.#distrust;
    // Those that were under way when the trust was lost only confirm it.
    if (last !== undefined && Date.now() < last.until) return;
    const firstMs = this.#options.distrustMs ?? DISTRUST_MS;
    const forMs = last === undefined ? firstMs : Math.min(last.forMs * 2, LONGEST_DISTRUST_MS);
    const words = `${this.#crashed.size} jobs in a row crashed here, the last with: ${crash.message}`;
    const error = new BoxError('runner-crashed', words, { cause: crash });
    this.#distrust = { error, until: Date.now() + forMs, forMs };
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
    const { archive, instance, dataDir, silenceMs } = this.#options;
    const root = this.#options.root ?? (this.box.kind === 'local' ? localRoot(dataDir) : undefined);
    return BoxAgent.connect(this.#transport, archive, {
      instance,
      ...(root !== undefined && { root }),
      ...(silenceMs !== undefined && { silenceMs }),
    });
  }

  async #newTransport(): Promise<Transport> {
    const { kind, name, host, port, username, hostKeyFingerprint } = this.box;
    if (kind === 'local') return localTransport();
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
