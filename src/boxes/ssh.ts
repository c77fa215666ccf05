/**
 * A box over SSH: one connection, kept open, with a channel per command.
 *
 * The host key is compared before anything of ours is sent: SSH authenticates the server first, and a key that differs
 * from the pinned one ends the handshake there. Keep-alives notice a peer that froze; what was under way then fails
 * as `channel-lost`, and whoever needs the box makes a new connection.
 */
import { createHash } from 'node:crypto';
import { connect as connectSocket, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { NodeSSH } from 'node-ssh';
import PQueue from 'p-queue';
import ssh2, { type Client, type ClientChannel } from 'ssh2';
import { BoxError } from '../domain/box-error.ts';
import { excerpt } from './lines.ts';
import { channelOver, collect, type RunningCommand } from './running-command.ts';
import { killLine, loginShellLine } from './shell.ts';
import type { Transport } from './transport.ts';

export interface SshAddress {
  host: string;
  port: number;
}

export interface SshOptions extends SshAddress {
  username: string;
  /** The key itself, OpenSSH or PEM, not a path; without passphrase. */
  privateKey: string;
  /** As pinned when the box was registered: `SHA256:` and base64 without padding, as `ssh-keygen -l` prints it. */
  hostKeyFingerprint: string;
  /** A peer that leaves three of them unanswered is lost. */
  keepaliveMs?: number;
  readyTimeoutMs?: number;
}

const KEEPALIVE_MS = 5_000;
const READY_TIMEOUT_MS = 15_000;
/** OpenSSH allows ten sessions a connection by default and frees them late. */
const EXECS_AT_ONCE = 4;
const OPEN_RETRY_MS = [50, 100, 200, 400, 800, 1_600];
/** SSH_OPEN_CONNECT_FAILED: what sshd answers when MaxSessions is reached. The connection survives it. */
const TOO_MANY_SESSIONS = 2;

/**
 * Connects and authenticates. Throws BoxError: `unreachable` (no such host, refused, no answer), `host-key-changed`
 * (nothing of ours was sent), `auth-refused`, or `protocol-error` (what answers there is not SSH that we understand).
 */
export async function connectSsh(options: SshOptions): Promise<Transport> {
  const name = `${options.username}@${options.host}:${options.port}`;
  const ssh = new NodeSSH();
  let offered: string | undefined;
  const sock = openSocket(options);
  const connecting = ssh.connect({
    sock,
    username: options.username,
    privateKey: options.privateKey,
    keepaliveInterval: options.keepaliveMs ?? KEEPALIVE_MS,
    keepaliveCountMax: 3,
    readyTimeout: options.readyTimeoutMs ?? READY_TIMEOUT_MS,
    hostVerifier: (key: Buffer) => {
      offered = fingerprintOf(key);
      return offered === options.hostKeyFingerprint;
    },
  });
  const client = ssh.connection;
  // node-ssh takes its own listener off once connected; an error without one would end the process.
  let lastError: Error | undefined;
  client?.on('error', (error) => {
    lastError = error;
  });
  try {
    await connecting;
  } catch (cause) {
    client?.destroy();
    sock.destroy();
    if (offered !== undefined && offered !== options.hostKeyFingerprint) {
      const message = `the host key of ${name} is ${offered}, registered was ${options.hostKeyFingerprint}`;
      throw new BoxError('host-key-changed', message, { cause });
    }
    throw connectError(cause, name);
  }
  if (client === null) throw new BoxError('unreachable', `${name}: the connection ended at once`);
  return transportOver(client, name, () => lastError);
}

/**
 * Asks a server for its host key without sending a user name or a key. Throws BoxError `unreachable` or
 * `protocol-error`.
 */
export async function scanHostKey(
  options: SshAddress & { readyTimeoutMs?: number },
): Promise<{ fingerprint: string; type: string }> {
  const name = `${options.host}:${options.port}`;
  const client = new ssh2.Client();
  const sock = openSocket(options);
  try {
    return await new Promise((resolve, reject) => {
      let seen = false;
      client.on('error', (error) => {
        if (!seen) reject(connectError(error, name));
      });
      client.on('close', () => {
        if (!seen) reject(new BoxError('unreachable', `${name} closed the connection during the handshake`));
      });
      client.connect({
        sock,
        // Asked for by the library and never sent: the handshake is ended before there is anybody to log in as.
        username: 'nobody',
        readyTimeout: options.readyTimeoutMs ?? READY_TIMEOUT_MS,
        hostVerifier: (key: Buffer) => {
          seen = true;
          resolve({ fingerprint: fingerprintOf(key), type: keyType(key) });
          return false;
        },
      });
    });
  } finally {
    client.destroy();
    sock.destroy();
  }
}

/** `SHA256:` and base64 without padding, as `ssh-keygen -l` prints it. `key` is the key blob of the SSH wire. */
export function fingerprintOf(key: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

function keyType(key: Buffer): string {
  return key.length < 4 ? 'unknown' : key.subarray(4, 4 + key.readUInt32BE(0)).toString('latin1');
}

/** A socket without Nagle's delay: with it every exec costs some 40 ms more. */
function openSocket({ host, port }: SshAddress): Socket {
  const sock = connectSocket({ host, port, noDelay: true });
  // ssh2 listens as well, but not where it refuses its configuration first.
  sock.on('error', () => {});
  return sock;
}

/** What the system's error codes mean for an organiser. */
const socketErrors: Record<string, string> = {
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the name could not be looked up',
  ECONNREFUSED: 'nothing listens on that port',
  ECONNRESET: 'the other side closed the connection',
  EHOSTUNREACH: 'no way leads there',
  ENETUNREACH: 'no way leads there',
  ETIMEDOUT: 'nothing answers there',
};

function connectError(cause: unknown, name: string): BoxError {
  const { message, level, code } = cause as Error & { level?: string; code?: string };
  const said = excerpt(message || String(code));
  const meaning = socketErrors[code ?? ''];
  const words = `${name}: ${meaning ? `${meaning} (${said})` : said}`;
  if (level === 'client-authentication' || /authentication fail/i.test(message)) {
    return new BoxError('auth-refused', words, { cause });
  }
  if (/^Cannot parse privateKey/.test(message)) return new BoxError('auth-refused', words, { cause });
  const strange = (level === 'handshake' || level === 'protocol') && !/lost before handshake/.test(message);
  return new BoxError(strange ? 'protocol-error' : 'unreachable', words, { cause });
}

function transportOver(client: Client, name: string, lastError: () => Error | undefined): Transport {
  let lost: BoxError | undefined;
  let closing = false;
  const listeners: ((error: BoxError) => void)[] = [];
  const gone = new Promise<void>((resolve) => {
    client.on('close', () => {
      const why = lastError()?.message ?? 'the other side closed it';
      lost = new BoxError('channel-lost', `the connection to ${name} was lost: ${excerpt(why)}`);
      resolve();
      if (closing) return;
      for (const listener of listeners.splice(0)) listener(lost);
    });
  });
  const execs = new PQueue({ concurrency: EXECS_AT_ONCE });

  async function start(command: readonly string[]): Promise<RunningCommand> {
    const line = loginShellLine(command);
    for (let attempt = 0; ; attempt += 1) {
      try {
        return runningCommand(client, await openChannel(line));
      } catch (cause) {
        if (lost !== undefined) throw lost;
        const pauseMs = OPEN_RETRY_MS[attempt];
        const full = (cause as { reason?: unknown }).reason === TOO_MANY_SESSIONS;
        if (!full || pauseMs === undefined) {
          const message = `${name} opened no channel: ${excerpt((cause as Error).message)}`;
          throw new BoxError('channel-lost', message, { cause });
        }
        await delay(pauseMs);
      }
    }
  }

  function openChannel(line: string): Promise<ClientChannel> {
    return new Promise((resolve, reject) => {
      client.exec(line, (error, channel) => (error ? reject(error) : resolve(channel)));
    });
  }

  return {
    name,
    exec(command, options) {
      return execs.add(async () => collect(await start(command), name, options));
    },
    async open(command) {
      return channelOver(await start(command), name);
    },
    onLost(listener) {
      if (lost !== undefined) listener(lost);
      else listeners.push(listener);
    },
    async close() {
      closing = true;
      if (lost !== undefined) return;
      client.end();
      // A frozen peer never answers the goodbye.
      const timer = setTimeout(() => client.destroy(), 1_000);
      await gone;
      clearTimeout(timer);
    },
  };
}

function runningCommand(client: Client, channel: ClientChannel): RunningCommand {
  let closed = false;
  let pid: number | undefined;
  return {
    stdin: channel,
    stdout: channel,
    stderr: channel.stderr,
    marked: true,
    onPid: (told) => {
      pid = told;
    },
    ended: new Promise((resolve) => {
      // Code and signal both missing is how ssh2 tells of a lost connection.
      channel.on('close', (code?: number | null, signal?: string) => {
        closed = true;
        resolve({ code: code ?? null, signal: signal ?? null });
      });
    }),
    kill() {
      if (closed) return;
      try {
        // Closing alone would leave the remote process running, and sshd refuses to pass a signal on to root's.
        if (pid !== undefined) client.exec(killLine(pid), (_, killer) => killer?.resume());
        channel.close();
      } catch {
        // The connection is gone already; `ended` tells.
      }
    },
  };
}
