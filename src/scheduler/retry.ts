/**
 * What happens after a failure of ours: how long a job waits before its next attempt, by the kind of failure. When the
 * delays of a kind are used up, the submission fails as "our fault".
 */
import type { BoxErrorKind } from '../domain/box-error.ts';

const second = 1000;
const minute = 60 * second;

const delaysMs: Record<BoxErrorKind, number[]> = {
  // A box that is away is not claimed for, so these count only breaks in mid-job.
  unreachable: [second, 10 * second, minute, 5 * minute],
  'channel-lost': [second, 10 * second, minute, 5 * minute],
  'auth-refused': [10 * second, minute, 5 * minute],
  'host-key-changed': [10 * second, minute, 5 * minute],
  'no-python': [10 * second, minute, 5 * minute],
  'disk-full': [5 * second, 30 * second, 2 * minute, 10 * minute],
  'sandbox-failed': [5 * second, 30 * second, 2 * minute],
  // Another box of the type may have it.
  'tool-missing': [second, 10 * second],
  'runner-crashed': [second, 10 * second, minute],
  'protocol-error': [second, 10 * second],
  'unknown-job': [0, second, 10 * second],
  'cluster-away': [10 * second, minute, 5 * minute, 10 * minute],
  'cluster-refused': [10 * second, minute, 5 * minute],
};

/** `failures`: how often boxes have failed this job before. Null: give up. */
export function retryDelayMs(kind: BoxErrorKind, failures: number): number | null {
  return delaysMs[kind][failures] ?? null;
}
