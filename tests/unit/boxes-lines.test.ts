import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { afterMark, excerpt, NoMark, splitLines } from '../../src/boxes/lines.ts';

async function* chunked(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let from = 0;
  for (let index = 0; from < bytes.length; index += 1) {
    const size = sizes.length === 0 ? bytes.length : (sizes[index % sizes.length] ?? 1);
    yield bytes.subarray(from, from + size);
    from += size;
  }
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe('lines of a box', () => {
  it('come out whole however the bytes were cut', async () => {
    const line = fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => text.replaceAll('\n', ''));
    await fc.assert(
      fc.asyncProperty(
        fc.array(line),
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
        async (lines, sizes) => {
          const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''), 'utf8');
          expect(await all(splitLines(chunked(bytes, sizes)))).toEqual(lines);
        },
      ),
    );
  });

  it('include a last one that no newline ends', async () => {
    expect(await all(splitLines(chunked(Buffer.from('a\n\nb'), [2])))).toEqual(['a', '', 'b']);
  });

  it('are refused when they outgrow the limit, with or without a newline', async () => {
    for (const text of ['x'.repeat(101), `${'x'.repeat(101)}\n`]) {
      await expect(all(splitLines(chunked(Buffer.from(text), [64]), 100))).rejects.toMatchObject({
        kind: 'protocol-error',
      });
    }
    expect(await all(splitLines(chunked(Buffer.from(`${'x'.repeat(100)}\n`), [64]), 100))).toHaveLength(1);
  });
});

describe('the start mark', () => {
  it('is found across chunks, tells the process id and takes away what came before it', async () => {
    const bytes = Buffer.from('Welcome!\u0001hotlap-start 4711\u0001\nfirst\nsecond');
    for (const sizes of [[1], [3], [1000]]) {
      const pids: number[] = [];
      const rest = await all(afterMark(chunked(bytes, sizes), (pid) => pids.push(pid)));
      expect(Buffer.concat(rest).toString()).toBe('first\nsecond');
      expect(pids).toEqual([4711]);
    }
  });

  it('is missed with the text that came instead', async () => {
    const reading = all(afterMark(chunked(Buffer.from('This account is not available.'), [5])));
    const error = await reading.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(NoMark);
    expect((error as NoMark).printed).toBe('This account is not available.');
  });
});

describe('an excerpt of a box’s text', () => {
  it('is one short line without control characters', () => {
    expect(excerpt('\u001b[31mred\u001b[0m\r\nline\n')).toBe('[31mred [0m line');
    expect(excerpt('y'.repeat(400))).toHaveLength(300);
  });
});
