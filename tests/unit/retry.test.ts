import { describe, expect, it } from 'vitest';
import { boxErrorKinds, boxErrorRemedies } from '../../src/domain/box-error.ts';
import { retryDelayMs } from '../../src/scheduler/retry.ts';

describe('a job that a box failed', () => {
  it.each(boxErrorKinds)('by %s is tried again, later each time, and given up in the end', (kind) => {
    const delays = [];
    for (let failures = 0; retryDelayMs(kind, failures) !== null; failures++) {
      delays.push(retryDelayMs(kind, failures));
      expect(failures).toBeLessThan(20);
    }
    expect(delays.length).toBeGreaterThanOrEqual(2);
    expect(delays).toEqual(delays.toSorted((a, b) => Number(a) - Number(b)));
    expect(retryDelayMs(kind, delays.length + 1)).toBe(null);
    expect(boxErrorRemedies[kind]).toMatch(/\.$/);
  });
});
