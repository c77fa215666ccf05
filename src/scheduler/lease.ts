/** Keeps a lease alive while its job is worked on. */
import type { Sql } from '../db/client.ts';
import { LEASE_RENEWAL_MS, type Lease, renewLease } from '../db/jobs.ts';
import type { Log } from '../log.ts';

export interface KeptLease {
  /** Stops renewing. */
  release(): void;
}

/**
 * Renews until released. A lease that was lost is only logged: the job on the box belongs to its new holder, and every
 * write of ours names the old token and changes nothing. `onCancel` is called when the sender wants the job ended.
 */
export function keepLease(sql: Sql, lease: Lease, onCancel: () => void, log: Log): KeptLease {
  const timer = setInterval(() => {
    renewLease(sql, lease).then(
      (held) => {
        if (held?.cancelRequested) onCancel();
        if (held) return;
        log.warn('lease lost: another scheduler has this job now');
        clearInterval(timer);
      },
      (error) => log.warn({ error }, 'lease not renewed'),
    );
  }, LEASE_RENEWAL_MS);
  return { release: () => clearInterval(timer) };
}
