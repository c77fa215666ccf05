/** Bytes into lines, as they come over a wire: cut anywhere, in the middle of a character too. */
import { BoxError } from '../domain/box-error.ts';
import { START_MARK, START_MARK_END } from './shell.ts';

/** The longest line that the protocol has a use for is a job's result. */
export const MAX_LINE_BYTES = 32 * 1024 * 1024;

/**
 * Yields each line without its newline, decoded as UTF-8 only when it is whole; a last line that no newline ends is
 * yielded too. Throws BoxError `protocol-error` when a line grows over `maxBytes`.
 */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number = MAX_LINE_BYTES,
): AsyncGenerator<string> {
  let parts: Uint8Array[] = [];
  let size = 0;
  const take = (part: Uint8Array) => {
    size += part.length;
    if (size > maxBytes)
      throw new BoxError('protocol-error', `the box sent a line of over ${maxBytes} bytes`);
    parts.push(part);
  };
  const line = () => {
    const text = Buffer.concat(parts).toString('utf8');
    parts = [];
    size = 0;
    return text;
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      take(chunk.subarray(from, end));
      yield line();
      from = end + 1;
    }
    if (from < chunk.length) take(chunk.subarray(from));
  }
  if (size > 0) yield line();
}

/**
 * Yields what follows the first start mark (see shell.ts) and hands its process id to `onPid`. Throws `NoMark`, with
 * what came instead, when the stream ends or grows over 1 MiB without it.
 */
export async function* afterMark(
  chunks: AsyncIterable<Uint8Array>,
  onPid: (pid: number) => void = () => {},
): AsyncGenerator<Uint8Array> {
  let before = Buffer.alloc(0);
  let found = false;
  for await (const chunk of chunks) {
    if (found) {
      yield chunk;
      continue;
    }
    before = Buffer.concat([before, chunk]);
    const start = before.indexOf(START_MARK);
    const end = start === -1 ? -1 : before.indexOf(START_MARK_END, start + START_MARK.length);
    if (end !== -1) {
      found = true;
      onPid(Number(before.toString('latin1', start + START_MARK.length, end)));
      const rest = before.subarray(end + START_MARK_END.length);
      if (rest.length > 0) yield rest;
    } else if (before.length > 1024 * 1024) {
      break;
    }
  }
  if (!found) throw new NoMark(before.toString('utf8'));
}

/** The command never began: something before it (a login shell, a forced command) ended or kept talking. */
export class NoMark extends Error {
  readonly printed: string;

  constructor(printed: string) {
    super('no start mark');
    this.printed = printed;
  }
}

/** A box's text for a message: control characters out, one line, cut in the middle of nowhere but short. */
export function excerpt(text: string, maxLength = 300): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
  const plain = text.replace(/[\u0000-\u001f\u007f]+/g, ' ').trim();
  return plain.length > maxLength ? `${plain.slice(0, maxLength - 1)}…` : plain;
}
