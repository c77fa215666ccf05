/**
 * Reading files of a problem set that a stranger may have written: nothing outside of the problems root is opened, not
 * even through a symbolic link, and nothing that is no ordinary file of a reasonable size.
 */
import { readFile, realpath, stat } from 'node:fs/promises';
import { sep } from 'node:path';

/** Why a file is not read, as the rest of a sentence that begins with its name. */
export class UnusableFile extends Error {}

/**
 * The text of a file, byte for byte: a byte order mark stays. `root` is a real path, `path` absolute and without `..`.
 * Throws UnusableFile.
 */
export async function readSourceFile(root: string, path: string, maxBytes: number): Promise<string> {
  const bytes = await readBytes(await realPathInside(root, path), maxBytes);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new UnusableFile('is not UTF-8 text');
  }
  // PostgreSQL stores no NUL in text or jsonb.
  if (text.includes('\u0000')) throw new UnusableFile('is not text: it holds a NUL character');
  return text;
}

async function realPathInside(root: string, path: string): Promise<string> {
  let real: string;
  try {
    real = await realpath(path);
  } catch {
    throw new UnusableFile(isInside(root, path) ? 'is not there' : 'leaves the problems directory');
  }
  if (!isInside(root, real)) throw new UnusableFile('leaves the problems directory');
  return real;
}

async function readBytes(path: string, maxBytes: number): Promise<Buffer> {
  try {
    const found = await stat(path);
    // Reading a named pipe would wait for a writer.
    if (!found.isFile()) throw new UnusableFile('is not a readable file');
    if (found.size > maxBytes) throw new UnusableFile(`is larger than ${maxBytes} bytes`);
    return await readFile(path);
  } catch (error) {
    if (error instanceof UnusableFile) throw error;
    throw new UnusableFile('is not a readable file');
  }
}

/** Both are absolute and without `..`. */
export function isInside(root: string, path: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}
