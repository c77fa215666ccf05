/**
 * A real OpenSSH server on loopback, for the current user's own logins with a key made for it.
 *
 * The server runs one process per connection, in a session of its own, and the login shell below that. A detached
 * process of the remote side belongs to nobody there any more: it survives `dropConnections`, as on a real box.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, connect as openSocket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

const SSHD = '/usr/sbin/sshd';
const READY_DEADLINE_MS = 15_000;

export interface SshdOptions {
  /** Sessions at once on one connection; OpenSSH's own default where unset. */
  maxSessions?: number;
  /** Of every session, beside HOME. */
  env?: Record<string, string>;
  /** Further lines for the server's configuration. */
  configLines?: readonly string[];
}

export interface Sshd {
  readonly host: string;
  readonly port: number;
  /** The current user. */
  readonly user: string;
  readonly privateKeyPath: string;
  /** Of the present host key, as `ssh-keygen -l` writes it: `SHA256:...` without padding. */
  readonly hostKeyFingerprint: string;
  /** HOME of every session: an empty folder that goes away with the server. */
  readonly home: string;
  /** Serves again on the same port after `stop`. */
  start(): Promise<void>;
  /** Ends the server and its connections; the files stay for `start`. */
  stop(): Promise<void>;
  /** Ends every connection, as a cut network would; the server goes on. */
  dropConnections(): Promise<void>;
  /** Suspends every connection without closing it, as a frozen peer would. Dropping them ends that. */
  freezeConnections(): Promise<void>;
  /** Replaces the host key and restarts the server on the same port. */
  rotateHostKey(): Promise<void>;
  /** `stop`, and every file is removed. */
  remove(): Promise<void>;
}

/** Why there is no SSH server to test with, or null when there is one. For `ctx.skip`. */
export function sshdMissing(): string | null {
  try {
    accessSync(SSHD, constants.X_OK);
    return null;
  } catch {
    return `no OpenSSH server on this machine (${SSHD}); install openssh-server`;
  }
}

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

async function makeKey(file: string): Promise<void> {
  await rm(file, { force: true });
  await rm(`${file}.pub`, { force: true });
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'hotlap-test', '-f', file]);
}

async function fingerprintOf(publicKeyFile: string): Promise<string> {
  const { stdout } = await run('ssh-keygen', ['-l', '-E', 'sha256', '-f', publicKeyFile]);
  const fingerprint = stdout.split(' ')[1];
  if (!fingerprint) throw new Error(`ssh-keygen printed no fingerprint: ${stdout}`);
  return fingerprint;
}

/** True once the server on `port` greets. */
async function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = openSocket(port, '127.0.0.1');
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => end(false));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
    socket.once('data', (data) => end(data.toString('latin1').startsWith('SSH-2.0')));
  });
}

/** pid, parent and program name of every process. */
async function listProcesses() {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const rows = await Promise.all(
    pids.map(async (pid) => {
      const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      // pid (name, which may hold spaces and brackets) state parent ...
      const match = /^\d+ \((.*)\) (\S) (\d+)/s.exec(text);
      return match
        ? [{ pid: Number(pid), name: match[1] ?? '', state: match[2], parent: Number(match[3]) }]
        : [];
    }),
  );
  return rows.flat();
}

/** The server's processes for its connections: its children, and theirs as long as they are sshd too. */
async function connectionPids(serverPid: number): Promise<number[]> {
  const all = (await listProcesses()).filter((row) => row.name.startsWith('sshd') && row.state !== 'Z');
  const found = new Set([serverPid]);
  for (let before = 0; before < found.size; ) {
    before = found.size;
    for (const row of all) if (found.has(row.parent)) found.add(row.pid);
  }
  found.delete(serverPid);
  return [...found];
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

class SshServer implements Sshd {
  readonly host = '127.0.0.1';
  readonly user = userInfo().username;
  readonly home: string;
  readonly privateKeyPath: string;
  port = 0;
  hostKeyFingerprint = '';
  readonly #directory: string;
  readonly #options: SshdOptions;
  #process: ChildProcess | null = null;
  #printed = '';

  constructor(directory: string, options: SshdOptions) {
    this.#directory = directory;
    this.#options = options;
    this.home = path.join(directory, 'home');
    this.privateKeyPath = path.join(directory, 'user_key');
  }

  #file(name: string): string {
    return path.join(this.#directory, name);
  }

  async prepare(): Promise<void> {
    await mkdir(this.home, { mode: 0o700 });
    await makeKey(this.privateKeyPath);
    await makeKey(this.#file('host_key'));
    // Privilege separation of a server that runs as root wants this folder; Debian's service makes it at boot.
    if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  }

  async #writeConfig(): Promise<void> {
    const { maxSessions, env = {}, configLines = [] } = this.#options;
    const lines = [
      `Port ${this.port}`,
      `ListenAddress ${this.host}`,
      `HostKey ${this.#file('host_key')}`,
      `PidFile ${this.#file('sshd.pid')}`,
      `AuthorizedKeysFile ${this.#file('user_key.pub')}`,
      'AuthenticationMethods publickey',
      'PermitRootLogin prohibit-password',
      'StrictModes no',
      'UsePAM no',
      'MaxStartups 100',
      'LoginGraceTime 20',
      // One line: the server takes only the first.
      `SetEnv ${Object.entries({ HOME: this.home, ...env })
        .map(([name, value]) => `${name}=${value}`)
        .join(' ')}`,
      `Subsystem sftp internal-sftp -d ${this.home}`,
      ...(maxSessions === undefined ? [] : [`MaxSessions ${maxSessions}`]),
      ...configLines,
    ];
    await writeFile(this.#file('sshd_config'), `${lines.join('\n')}\n`);
  }

  async start(): Promise<void> {
    if (this.#process) return;
    this.hostKeyFingerprint = await fingerprintOf(this.#file('host_key.pub'));
    const deadline = Date.now() + READY_DEADLINE_MS;
    const keepPort = this.port !== 0;
    for (;;) {
      if (!keepPort) this.port = await freePort();
      await this.#writeConfig();
      this.#launch();
      while (this.#process && !(await greets(this.port))) {
        if (Date.now() > deadline) await this.stop();
        else await delay(10);
      }
      if (this.#process) return;
      // Another process took the port in between, or, on a kept port, the old socket is not gone yet.
      if (Date.now() > deadline) throw new Error(`sshd did not start:\n${this.#printed}`);
      await delay(50);
    }
  }

  #launch(): void {
    const child = spawn(SSHD, ['-D', '-e', '-f', this.#file('sshd_config')], {
      cwd: '/',
      env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process = child;
    child.stderr.on('data', (data: Buffer) => {
      this.#printed = (this.#printed + data.toString()).slice(-20_000);
    });
    child.once('error', (error) => {
      this.#printed += error.message;
      this.#process = null;
    });
    child.once('exit', () => {
      if (this.#process === child) this.#process = null;
    });
  }

  async #signalConnections(name: NodeJS.Signals): Promise<void> {
    const pid = this.#process?.pid;
    if (pid === undefined) return;
    for (const connection of await connectionPids(pid)) signal(connection, name);
  }

  async dropConnections(): Promise<void> {
    // Stopped first, so that none of them reacts to the death of another, which a cut network would not let it.
    await this.#signalConnections('SIGSTOP');
    await this.#signalConnections('SIGKILL');
  }

  async freezeConnections(): Promise<void> {
    await this.#signalConnections('SIGSTOP');
  }

  async stop(): Promise<void> {
    const child = this.#process;
    if (child?.pid === undefined) return;
    // No new connection may slip in between finding the old ones and ending the server.
    child.kill('SIGSTOP');
    await this.dropConnections();
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGKILL');
    await ended;
  }

  async rotateHostKey(): Promise<void> {
    await this.stop();
    await makeKey(this.#file('host_key'));
    await this.start();
  }

  async remove(): Promise<void> {
    await this.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** Starts a server on a free port. Call `remove` when done. */
export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const directory = await mkdtemp(path.join(tmpdir(), 'hotlap-test-sshd-'));
  const server = new SshServer(directory, options);
  try {
    await server.prepare();
    await server.start();
  } catch (error) {
    await server.remove();
    throw error;
  }
  return server;
}
