/**
 * How often somebody may do what costs something: per user where one is known, else per address. Reading one's own
 * submissions is never limited.
 */
import rateLimit from '@fastify/rate-limit';
import type { FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import { Refusal } from './errors.ts';
import type { Server } from './server-type.ts';

/** Per minute. */
export interface LimitRates {
  /** Submissions of a user, by whatever mode. */
  submit: number;
  /** Deletions and claims of a user. */
  change: number;
  /** Readings of what everybody may see, per address, or per user who says who they are. */
  read: number;
  /** Steps of signing in, per address. */
  signIn: number;
  /** Wrong tokens, per address; right ones are not counted. */
  wrongToken: number;
}

export const defaultRates: LimitRates = { submit: 60, change: 60, read: 600, signIn: 60, wrongToken: 60 };

/** Hooks for a route's `onRequest`, behind its guard. */
export type Limits = Record<Exclude<keyof LimitRates, 'wrongToken'>, onRequestAsyncHookHandler> & {
  wrongToken: (request: FastifyRequest) => Promise<void>;
};

export async function limitsFor(server: Server, rates: LimitRates): Promise<Limits> {
  await server.register(rateLimit, { global: false, store: Windows });
  const limit = (name: keyof LimitRates) => {
    const check = server.createRateLimit({
      max: rates[name],
      timeWindow: 60_000,
      keyGenerator: (request) => `${name} ${request.caller?.userId ?? request.ip}`,
    });
    return async (request: FastifyRequest): Promise<void> => {
      const result = await check(request);
      if (result.isAllowed || !result.isExceeded) return;
      const wait = Math.max(1, result.ttlInSeconds);
      throw new Refusal(429, 'too-often', `Too many requests of this kind. Try again in ${wait}s.`, wait);
    };
  };
  return {
    submit: limit('submit'),
    change: limit('change'),
    read: limit('read'),
    signIn: limit('signIn'),
    wrongToken: limit('wrongToken'),
  };
}

interface Window {
  count: number;
  endsAt: number;
}

const MAX_KEYS = 20_000;

/**
 * Counts per key and window. The library's own store hands all requests of a key the same object, so that those that
 * arrive together see each other's counts and are refused below the limit.
 */
class Windows {
  readonly #windows = new Map<string, Window>();

  incr(
    key: string,
    done: (error: Error | null, result?: { current: number; ttl: number }) => void,
    timeWindow: number,
  ): void {
    const now = Date.now();
    let window = this.#windows.get(key);
    if (!window || window.endsAt <= now) {
      window = { count: 0, endsAt: now + timeWindow };
      // Behind all others, so that the oldest windows come first.
      this.#windows.delete(key);
      this.#windows.set(key, window);
      this.#forget(now);
    }
    window.count += 1;
    done(null, { current: window.count, ttl: window.endsAt - now });
  }

  child(): Windows {
    return new Windows();
  }

  #forget(now: number): void {
    for (const [key, window] of this.#windows) {
      if (window.endsAt > now && this.#windows.size <= MAX_KEYS) break;
      this.#windows.delete(key);
    }
  }
}
