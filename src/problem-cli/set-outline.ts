/**
 * Which problems a set file names and on which lines, read with patience: the file may be at fault, and still the
 * question is which of its faults are about the problem that somebody asked for.
 */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';

export interface SetOutline {
  problems: { directory: string; firstLine: number; lastLine: number }[];
}

const MAX_BYTES = 1_000_000;

/** `directory` is absolute. Null for what is no set: unreadable, or without a list of problems. */
export async function readSetOutline(path: string): Promise<SetOutline | null> {
  const text = await readFile(path, 'utf8').catch(() => '');
  if (text.length > MAX_BYTES) return null;
  const lineCounter = new LineCounter();
  const list: unknown = parseDocument(text, { lineCounter }).get('problems', true);
  if (!isSeq(list)) return null;
  const lineOf = (offset: number | undefined) => lineCounter.linePos(offset ?? 0).line;
  const problems = list.items.flatMap((item) => {
    const directory: unknown = isMap(item) ? item.get('directory', true) : null;
    if (!isMap(item) || !isScalar(directory) || typeof directory.value !== 'string') return [];
    return [
      {
        directory: resolve(dirname(path), directory.value),
        firstLine: lineOf(item.range?.[0]),
        lastLine: lineOf(item.range?.[1]),
      },
    ];
  });
  return { problems };
}
