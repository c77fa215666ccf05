import { describe, expect, it } from 'vitest';
import { boxErrorKinds, boxErrorRemedies } from '../../src/domain/errors.ts';
import { retryDelayMs } from '../../src/scheduler/retry.ts';

describe('a job that a box failed', () => {
  it.each(boxErrorKinds)('by %s is tried again, later each time, and given up in the end', (kind) => {
    const delays = [];
    for (let attempt = 1; retryDelayMs(kind, attempt) !== null; attempt++) {
      delays.push(retryDelayMs(kind, attempt));
      expect(attempt).toBeLessThan(20);
    }
    expect(delays.length).toBeGreaterThanOrEqual(2);
    expect(delays).toEqual(delays.toSorted((a, b) => Number(a) - Number(b)));
    expect(retryDelayMs(kind, delays.length + 2)).toBe(null);
    expect(boxErrorRemedies[kind]).toMatch(/\.$/);
  });
});
