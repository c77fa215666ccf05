import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalHash } from '../../src/domain/canonical-json.ts';
import { ageText, configurationHash, type RunConfiguration } from '../../src/domain/run-configuration.ts';

const one: RunConfiguration = {
  codeSha256: 'a'.repeat(64),
  taskHash: 'b'.repeat(64),
  mode: 'test',
  gpuType: 'H100',
  runnerHash: 'c'.repeat(64),
};

describe('the hash of a configuration', () => {
  it('does not depend on the order of its keys, nor on how a GPU type is written', () => {
    const reversed = Object.fromEntries(Object.entries(one).reverse()) as unknown as RunConfiguration;
    expect(configurationHash(reversed)).toBe(configurationHash(one));
    expect(configurationHash({ ...one, gpuType: 'h100' })).toBe(configurationHash(one));
    expect(configurationHash(one)).toMatch(/^[0-9a-f]{64}$/);
  });

  it('is another one where anything of it differs', () => {
    const others: RunConfiguration[] = [
      { ...one, codeSha256: 'd'.repeat(64) },
      { ...one, taskHash: 'd'.repeat(64) },
      { ...one, mode: 'benchmark' },
      { ...one, gpuType: 'A100' },
      { ...one, runnerHash: 'd'.repeat(64) },
      // The same characters in other fields.
      { ...one, codeSha256: one.taskHash, taskHash: one.codeSha256 },
    ];
    expect(new Set([one, ...others].map(configurationHash)).size).toBe(others.length + 1);
  });

  it('is made of nothing else that comes along with it', () => {
    const more = { ...one, failures: 3, secret: false } as RunConfiguration;
    expect(configurationHash(more)).toBe(configurationHash(one));
  });

  it('rests on JSON whose keys are in one order at every depth', () => {
    const shuffled = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(shuffled);
      if (value === null || typeof value !== 'object') return value;
      return Object.fromEntries(
        Object.entries(value)
          .reverse()
          .map(([key, item]) => [key, shuffled(item)]),
      );
    };
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        expect(canonicalHash(shuffled(value))).toBe(canonicalHash(value));
      }),
    );
    expect(canonicalHash([1, 2])).not.toBe(canonicalHash([2, 1]));
  });
});

describe('the age of an answer', () => {
  it.each([
    [-5000, 'less than a minute ago'],
    [59_999, 'less than a minute ago'],
    [60_000, '1 min ago'],
    [3 * 60_000 + 20_000, '3 min ago'],
    [59 * 60_000, '59 min ago'],
    [3_600_000, '1 h ago'],
    [47 * 3_600_000, '47 h ago'],
    [48 * 3_600_000, '2 days ago'],
  ])('of %d ms is %s', (ms, words) => {
    expect(ageText(ms)).toBe(words);
  });
});
