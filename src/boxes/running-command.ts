/**
 * What `exec` and `open` mean, once, for every transport: both are a started command with three streams and an end.
 */
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { BoxError } from '../domain/box-error.ts';
import { afterMark, excerpt, NoMark, splitLines } from './lines.ts';
import type { Channel, ExecOptions, ExecResult } from './transport.ts';

/** A command that has been started somewhere. */
export interface RunningCommand {
  stdin: Writable;
  stdout: Readable;
  stderr: Readable;
  /** Code and signal are both null when the connection was lost: never a success. */
  ended: Promise<{ code: number | null; signal: string | null }>;
  kill(): void;
  /** Whether a start mark begins both outputs (see shell.ts); anything before it is the login shell's. */
  marked: boolean;
  /** Told by the mark. */
  onPid?: (pid: number) => void;
}

const MAX_OUTPUT_BYTES = 32 * 1024 * 1024;
const STDERR_TAIL_CHARACTERS = 4096;
const KILL_AFTER_END_MS = 2_000;

/** Runs a started command to its end; errors as in `Transport.exec`. */
export async function collect(
  command: RunningCommand,
  where: string,
  options: ExecOptions,
): Promise<ExecResult> {
  // A command may end without reading its input; its exit code tells more than our broken pipe.
  command.stdin.on('error', () => {});
  command.stdin.end(options.stdin ?? '');
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new BoxError('channel-lost', `${where} gave no answer within ${options.timeoutMs} ms`));
      command.kill();
    }, options.timeoutMs);
  });
  const outputs = Promise.all([
    readAll(bytesOf(command, command.stdout)),
    readAll(bytesOf(command, command.stderr)).catch(orNothing),
    command.ended,
  ]);
  try {
    const [stdout, stderr, end] = await Promise.race([outputs, tooLate]);
    return { code: exitCode(end, where), stdout, stderr };
  } catch (error) {
    command.kill();
    // Both outputs are drained, or the end of the command would never be seen.
    command.stdout.resume();
    command.stderr.resume();
    if (!(error instanceof NoMark)) throw error;
    const end = await Promise.race([command.ended, tooLate]);
    exitCode(end, where);
    throw new BoxError(
      'protocol-error',
      `the login shell of ${where} did not run the command: ${said(error)}`,
    );
  } finally {
    clearTimeout(timer);
    outputs.catch(() => {});
    tooLate.catch(() => {});
  }
}

/** Holds a started command open as a channel of lines. */
export function channelOver(command: RunningCommand, where: string): Channel {
  command.stdin.on('error', () => {});
  let ended = false;
  let stderrTail = '';
  const stderrRead = (async () => {
    for await (const chunk of bytesOf(command, command.stderr)) {
      stderrTail = (stderrTail + Buffer.from(chunk).toString('utf8')).slice(-STDERR_TAIL_CHARACTERS);
    }
  })().catch((error: unknown) => {
    if (error instanceof NoMark) stderrTail = error.printed.slice(-STDERR_TAIL_CHARACTERS);
    command.stderr.resume();
  });
  const closed = (async () => {
    const { code, signal } = await command.ended;
    ended = true;
    await stderrRead;
    if (code === null && signal === null)
      return { reason: `the connection to ${where} was lost`, lost: true };
    const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
    const words = excerpt(stderrTail.slice(-600), 600);
    return {
      reason: `the command on ${where} ended with ${how}${words === '' ? '' : `: ${words}`}`,
      lost: false,
    };
  })();

  async function* lines(): AsyncGenerator<string> {
    try {
      yield* splitLines(bytesOf(command, command.stdout));
    } catch (error) {
      command.kill();
      command.stdout.resume();
      if (error instanceof NoMark) {
        const end = await command.ended;
        if (end.code === null && end.signal === null) return;
        throw new BoxError(
          'protocol-error',
          `the login shell of ${where} did not run the command: ${said(error)}`,
        );
      }
      // A stream that breaks is a connection that broke; `closed` says so in words.
      if (error instanceof BoxError) throw error;
    }
  }

  return {
    send(line) {
      if (!ended && command.stdin.writable) command.stdin.write(`${line}\n`);
    },
    lines: lines(),
    closed,
    end() {
      if (ended) return;
      if (command.stdin.writable) command.stdin.end();
      const timer = setTimeout(() => command.kill(), KILL_AFTER_END_MS);
      void closed.then(() => clearTimeout(timer));
    },
  };
}

function bytesOf(command: RunningCommand, stream: Readable): AsyncIterable<Uint8Array> {
  // Not destroyed at the end of reading: on an SSH channel that would close it before the exit code arrives.
  const chunks: AsyncIterable<Uint8Array> = stream.iterator({ destroyOnReturn: false });
  return command.marked ? afterMark(chunks, command.onPid) : chunks;
}

async function readAll(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    if (size > MAX_OUTPUT_BYTES)
      throw new BoxError('protocol-error', `a command printed over ${MAX_OUTPUT_BYTES} bytes`);
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** A command that was never begun has no standard error of its own; the one on standard output reports that. */
function orNothing(error: unknown): string {
  if (error instanceof NoMark) return '';
  throw error;
}

function exitCode(end: { code: number | null; signal: string | null }, where: string): number {
  if (end.code !== null) return end.code;
  if (end.signal === null) throw new BoxError('channel-lost', `the connection to ${where} was lost`);
  const name = end.signal.startsWith('SIG') ? end.signal : `SIG${end.signal}`;
  return 128 + (constants.signals[name as NodeJS.Signals] ?? 0);
}

function said(error: NoMark): string {
  const words = excerpt(error.printed);
  return words === '' ? 'it printed nothing.' : `it printed “${words}”.`;
}
