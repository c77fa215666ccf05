/** Tar archives for tests, written byte by byte: also such as no tool would make. */
import { gzipSync } from 'node:zlib';

export interface TarEntry {
  name: string;
  content?: string | Uint8Array;
  /** The type flag of the format: 0 file, 1 hard link, 2 symbolic link, 3 device, 5 folder, x extended header. */
  type?: '0' | '1' | '2' | '3' | '5' | 'x';
  link?: string;
}

const BLOCK = 512;

function header(entry: TarEntry, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(entry.name, 0, 100, 'utf8');
  block.write('0000644\0', 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  block.write('00000000000\0', 136);
  block.write(' '.repeat(8), 148);
  block.write(entry.type ?? '0', 156);
  block.write(entry.link ?? '', 157, 100, 'utf8');
  block.write('ustar\0', 257);
  block.write('00', 263);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

export function tarOf(entries: TarEntry[]): Buffer {
  const blocks = entries.flatMap((entry) => {
    const content = Buffer.from(entry.content ?? '');
    const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK);
    return [header(entry, content.length), content, padding];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

export function tarGz(entries: TarEntry[]): Buffer {
  return gzipSync(tarOf(entries));
}

/** One file of zeros, `megabytes` long, in an archive of some kilobytes. */
export function tarBomb(megabytes: number): Buffer {
  const zeros = gzipSync(Buffer.alloc(1_048_576));
  const head = gzipSync(header({ name: 'zeros' }, megabytes * 1_048_576));
  // Parts that were compressed one by one unpack as one.
  return Buffer.concat([head, ...Array<Buffer>(megabytes).fill(zeros), gzipSync(Buffer.alloc(2 * BLOCK))]);
}
