/** Hotlap itself, as its own process: started, killed and watched as a service manager would. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from './until.ts';

const main = path.resolve(import.meta.dirname, '../../src/main.ts');
const REVIVE_MS = 500;

export class BotProcess {
  readonly name: string;
  /** Ends that nobody asked for, after it had started. */
  readonly crashes: string[] = [];
  readonly #env: Record<string, string>;
  readonly #cwd: string;
  readonly #logFile: string;
  #child: ChildProcess | null = null;
  #wanted = false;
  #ready = false;

  /** `cwd`: an empty folder, so that no `.env` of the repository is read. */
  constructor(name: string, env: Record<string, string>, cwd: string) {
    this.name = name;
    this.#env = env;
    this.#cwd = cwd;
    this.#logFile = path.join(cwd, `${name}.log`);
  }

  get ready(): boolean {
    return this.#ready;
  }

  start(): void {
    this.#wanted = true;
    if (this.#child) return;
    // In a session of its own: a Ctrl-C is for whoever drives it.
    const child = spawn(process.execPath, [main], {
      cwd: this.#cwd,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH ?? '', HOME: this.#cwd, NO_COLOR: '1', ...this.#env },
    });
    this.#child = child;
    this.#ready = false;
    const log = createWriteStream(this.#logFile, { flags: 'a' });
    child.stdout.on('data', (data: Buffer) => {
      if (data.includes('Hotlap runs')) this.#ready = true;
      log.write(data);
    });
    child.stderr.on('data', (data: Buffer) => log.write(data));
    child.once('close', (code, signal) => {
      log.end(`--- ${this.name} ended with ${code ?? signal} at ${new Date().toISOString()}\n`);
      const wasReady = this.#ready;
      this.#child = null;
      this.#ready = false;
      if (!this.#wanted) return;
      if (wasReady) this.crashes.push(`${this.name} ended by itself with ${code ?? signal}`);
      // A start into a database that is away fails; whoever runs a service tries again.
      void delay(REVIVE_MS).then(() => {
        if (this.#wanted) this.start();
      });
    });
  }

  async untilReady(timeoutMs: number): Promise<void> {
    await until(`${this.name} to start (its log: ${this.#logFile})`, timeoutMs, () => this.#ready);
  }

  /** Returns how long it took to end, in milliseconds. SIGKILL follows at the deadline. */
  async stop(signal: 'SIGKILL' | 'SIGTERM', deadlineMs = 30_000): Promise<number> {
    this.#wanted = false;
    const child = this.#child;
    if (!child) return 0;
    const since = Date.now();
    const ended = once(child, 'close');
    const late = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
    child.kill(signal);
    await ended;
    clearTimeout(late);
    return Date.now() - since;
  }
}
