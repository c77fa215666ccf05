import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, formatScore, formatSeconds } from '../../src/reports/measure.ts';

describe('a time', () => {
  it.each([
    [0, '0 s'],
    [1, '1.000 s'],
    [2.00004, '2.000 s'],
    [12.3456, '12.35 s'],
    [123.456, '123.5 s'],
    [1234.56, '1235 s'],
    [123456, '123456 s'],
    [0.5, '500.0 ms'],
    [0.0012345, '1.234 ms'],
    [0.001, '1.000 ms'],
    [0.0000123456, '12.35 µs'],
    [1e-6, '1.000 µs'],
    [1.5e-9, '1.500 ns'],
    [1e-9, '1.000 ns'],
    [4.2e-10, '0.4200 ns'],
    [-0.0015, '-1.500 ms'],
    // Rounding reaches the next power of ten, or the next unit.
    [0.99999, '1.000 s'],
    [9.99996, '10.00 s'],
    [0.000999996, '1.000 ms'],
    [99.9996e-6, '100.0 µs'],
  ])('of %d s is written %s', (seconds, text) => {
    expect(formatSeconds(seconds)).toBe(text);
  });

  it('has four significant digits that are right, at every size', () => {
    const factors: Record<string, number> = { s: 1, ms: 1e-3, µs: 1e-6, ns: 1e-9 };
    fc.assert(
      fc.property(fc.double({ min: -9, max: 3.99, noNaN: true }), (exponent) => {
        const seconds = 10 ** exponent;
        const [number = '', unit = ''] = formatSeconds(seconds).split(' ');
        expect(number.replace('.', '')).toMatch(/^[1-9]\d{3}$/);
        expect(Math.abs((Number(number) * (factors[unit] ?? 0)) / seconds - 1)).toBeLessThan(0.00051);
      }),
    );
  });

  it('that is not there is a dash', () => {
    expect(formatScore(null)).toBe('—');
    expect(formatScore(0.25)).toBe('250.0 ms');
  });
});

describe('a duration', () => {
  it.each([
    [0, '0.0 s'],
    [1234, '1.2 s'],
    [59_949, '59.9 s'],
    [59_990, '1 min 0 s'],
    [60_000, '1 min 0 s'],
    [119_600, '2 min 0 s'],
    [3_725_000, '62 min 5 s'],
  ])('of %d ms is written %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});
