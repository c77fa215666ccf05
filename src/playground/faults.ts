/** Misbehaviour on request, for tests: see PlayFault. */
import type { PlayFault } from './play-protocol.ts';

type RespondFault = Extract<PlayFault, { kind: 'respond' }>;

export interface FaultAnswer {
  status: number;
  headers: Record<string, string>;
  body: unknown;
  afterApplying: boolean;
}

export class Faults {
  readonly #pending: RespondFault[] = [];

  add(fault: RespondFault): void {
    this.#pending.push({ ...fault });
  }

  /** The answer that is to replace the real one for this request, if one is due; uses it up. */
  take(method: string, path: string): FaultAnswer | undefined {
    const index = this.#pending.findIndex((fault) => matches(fault, method, path));
    const fault = this.#pending[index];
    if (fault === undefined) return undefined;
    fault.times -= 1;
    if (fault.times <= 0) this.#pending.splice(index, 1);
    const afterApplying = fault.afterApplying === true;
    if (fault.status !== 429) {
      const body = { message: `${fault.status}: asked for by a test`, code: 0 };
      return { status: fault.status, headers: {}, body, afterApplying };
    }
    const seconds = fault.retryAfterS ?? 0.05;
    return {
      status: 429,
      headers: { 'retry-after': String(seconds), 'x-ratelimit-scope': 'shared' },
      body: { message: 'You are being rate limited.', retry_after: seconds, global: false },
      afterApplying,
    };
  }
}

function matches(fault: RespondFault, method: string, path: string): boolean {
  if (fault.method !== undefined && fault.method !== method) return false;
  if (fault.route === undefined) return true;
  const wanted = fault.route.split('/');
  const given = path.split('/');
  return (
    wanted.length === given.length && wanted.every((segment, at) => segment === '*' || segment === given[at])
  );
}
