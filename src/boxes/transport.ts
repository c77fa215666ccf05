/**
 * The port between Hotlap and a machine that runs jobs: run a command, or hold one open and speak lines with it.
 * `ssh.ts` and `local.ts` are its two ends; nothing else of Hotlap knows which of them it speaks through.
 *
 * A transport is one connection. Once it is lost it stays lost: everything under way fails with the BoxError
 * `channel-lost`, the listeners of `onLost` are told once, and a new one has to be made.
 */
import type { BoxError } from '../domain/box-error.ts';

/** A command held open. Lines are UTF-8 without their newline. */
export interface Channel {
  /** Writes the line and a newline. After the end it does nothing: `closed` has told why. */
  send(line: string): void;
  /** To be read once, to its end. Throws BoxError `protocol-error` when a line is longer than the limit. */
  readonly lines: AsyncIterable<string>;
  /** Resolves when the command has ended of itself or the connection is lost (`lost`); never rejects. */
  readonly closed: Promise<ChannelEnd>;
  /** Ends the standard input; a command that does not end of itself for that is killed some seconds later. */
  end(): void;
}

export interface ChannelEnd {
  /** In words, with the tail of what the command wrote to its standard error. */
  reason: string;
  lost: boolean;
}

export interface ExecResult {
  /** Exit code; 128 plus its number when a signal ended the command. */
  code: number;
  stdout: string;
  stderr: string;
}

export interface ExecOptions {
  stdin?: Uint8Array;
  timeoutMs: number;
}

export interface Transport {
  /** For messages to operators: `user@host:port`, or `this machine`. */
  readonly name: string;
  /**
   * Runs a command to its end. Any exit code is an answer, not an error.
   * Throws BoxError `channel-lost` (connection lost, or no end within `timeoutMs`) or `protocol-error` (the login
   * shell did not run the command; the message has what it printed).
   */
  exec(command: readonly string[], options: ExecOptions): Promise<ExecResult>;
  /** Starts a command and holds it open. Throws as `exec` does. */
  open(command: readonly string[]): Promise<Channel>;
  /** Called once, at once if it is lost already; not called for `close()`. */
  onLost(listener: (error: BoxError) => void): void;
  close(): Promise<void>;
}
