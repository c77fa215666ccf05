/** People who keep submitting: never more than a few open submissions at a time, and a memory of what each was told. */

import { setTimeout as delay } from 'node:timers/promises';
import type { APIMessage } from 'discord-api-types/v10';
import type { PlaygroundUser } from '../support/playground-user.ts';
import { BOARD, type ChaosSubmission, randomSubmission } from './problems.ts';
import type { Random } from './random.ts';
import type { Stage } from './stage.ts';

const OPEN_AT_MOST = 7;
const UNDER_WAY_AT_MOST = 3;

export interface Sent {
  user: PlaygroundUser;
  submission: ChaosSubmission;
  /** The bot took the command; whether it took the file, the database tells. */
  answered: boolean;
}

export class Load {
  /** Everything that anybody tried to submit. */
  readonly sent: Sent[] = [];
  /** Submissions that somebody asked to cancel. */
  readonly cancelled = new Set<number>();
  readonly #stage: Stage;
  readonly #random: Random;
  readonly #underWay = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;

  constructor(stage: Stage, random: Random) {
    this.#stage = stage;
    this.#random = random;
  }

  start(): void {
    this.#running = this.#keepSubmitting();
  }

  /** Resolves when every answer that was under way has come, or failed to. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await Promise.all(this.#underWay);
  }

  /** Numbers of open submissions; null while the database is away. */
  async open(): Promise<{ id: number; userId: string; running: boolean }[] | null> {
    return this.#stage.sql<{ id: number; userId: string; running: boolean }[]>`
      select id, user_id as "userId", status = 'running' as running from hotlap.submissions
      where status in ('queued', 'running') order by id`.catch(() => null);
  }

  /** By a command of the owner's, which may come too late. False when the bot gave no answer. */
  async cancel(id: number, userId: string): Promise<boolean> {
    const user = this.#stage.users.find((item) => item.id === userId);
    if (!user) throw new Error(`submission ${id} belongs to nobody here`);
    this.cancelled.add(id);
    const handle = await user.slash('/submissions cancel', { id });
    return handle.failure === undefined;
  }

  async #keepSubmitting(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#pause();
      // Some try although the bot is away, most wait for it to be there.
      if (this.#random.next() < 0.9 && !this.#stage.bot.ready) continue;
      const open = await this.open();
      if (open !== null && open.length < OPEN_AT_MOST && this.#underWay.size < UNDER_WAY_AT_MOST) {
        const one: Promise<void> = this.#submit().finally(() => this.#underWay.delete(one));
        this.#underWay.add(one);
      }
    }
  }

  async #pause(): Promise<void> {
    const ms = this.#random.between(100, 400);
    await delay(ms, undefined, { signal: this.#stop.signal }).catch(() => {});
  }

  async #submit(): Promise<void> {
    const submission = randomSubmission(this.#random, this.sent.length + 1);
    const user = this.#random.pick(this.#stage.users);
    const sent: Sent = { user, submission, answered: false };
    this.sent.push(sent);
    const { file, mode } = submission;
    const { outcome } = await user.slash('/submit', { file, leaderboard: BOARD, mode });
    sent.answered = outcome.state === 'answered';
  }
}

/** The submission that a message of the bot speaks of to its owner, and whether it tells the end of it. */
export function told(message: APIMessage): { id: number; how: 'result' | 'pointer' | 'state' } | null {
  const title = message.embeds[0]?.title ?? '';
  const pointer = /^#(\d+) has ended$/.exec(title);
  if (pointer) return { id: Number(pointer[1]), how: 'pointer' };
  const state = /^([A-Z][^·]*) · #(\d+)$/.exec(title);
  if (!state) return null;
  return { id: Number(state[2]), how: /^(Queued|Running)/.test(title) ? 'state' : 'result' };
}

/** The submission that the channel's announcement is about. */
export function announced(message: APIMessage): number | null {
  const text = message.embeds[0]?.description ?? '';
  const found = /^<@\d+> is ranked on .* with #(\d+)$/m.exec(text);
  return found ? Number(found[1]) : null;
}
