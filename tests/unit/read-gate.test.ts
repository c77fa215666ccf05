import { describe, expect, it, vi } from 'vitest';
import { readGate } from '../../src/api/read-gate.ts';

/** Reads that end when they are told to, and a note of which have begun. */
function scene(atMost: number) {
  const gate = readGate(atMost);
  const begun: number[] = [];
  const ends: ((failed?: Error) => void)[] = [];
  const read = (n: number) =>
    gate(() => {
      begun.push(n);
      return new Promise<number>((resolve, reject) => {
        ends[n] = (failed) => (failed ? reject(failed) : resolve(n));
      });
    });
  return { begun, ends, read };
}

describe('the gate of pages', () => {
  it('reads quick ones one after the other, in order', async () => {
    const gate = readGate(3);
    let reading = 0;
    const seen: string[] = [];
    const reads = Array.from({ length: 20 }, (_, n) =>
      gate(async () => {
        reading++;
        seen.push(`${n} of ${reading}`);
        await Promise.resolve();
        reading--;
        return n;
      }),
    );
    expect(await Promise.all(reads)).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect(seen).toEqual(Array.from({ length: 20 }, (_, n) => `${n} of 1`));
  });

  it('does not let a slow one hold up the next, and reads no more than so many', async () => {
    const { begun, ends, read } = scene(2);
    const reads = [read(0), read(1), read(2)];
    await vi.waitFor(() => expect(begun).toEqual([0, 1]), { timeout: 10_000 });
    ends[1]?.();
    await vi.waitFor(() => expect(begun).toEqual([0, 1, 2]), { timeout: 10_000 });
    ends[2]?.();
    ends[0]?.();
    expect(await Promise.all(reads)).toEqual([0, 1, 2]);
  });

  it('goes on after one that failed, which whoever asked hears of', async () => {
    const { ends, read } = scene(1);
    const [first, second] = [read(0), read(1)];
    await vi.waitFor(() => expect(ends[0]).toBeDefined(), { timeout: 10_000 });
    ends[0]?.(new Error('no'));
    await expect(first).rejects.toThrow('no');
    await vi.waitFor(() => expect(ends[1]).toBeDefined(), { timeout: 10_000 });
    ends[1]?.();
    expect(await second).toBe(1);
  });
});
