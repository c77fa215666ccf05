/** The count of starts on the boxes, by start_witness.py: independent of everything that Hotlap says about itself. */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';

export interface Start {
  /** The jobs folder of the box. */
  folder: string;
  /** `<job id>.<attempt>` */
  key: string;
  /** In the environment of the job's processes as HOTLAP_JOB. */
  marker: string | null;
  at: number;
}

export class Witness {
  readonly starts: Start[] = [];
  readonly #child: ChildProcess;
  #problem: string | null = null;
  #closing = false;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async watch(folders: string[]): Promise<Witness> {
    const child = spawn('python3', [path.join(import.meta.dirname, 'start_witness.py'), ...folders], {
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true,
    });
    const witness = new Witness(child);
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        if (!witness.#closing) witness.#problem = `it ended with ${code ?? signal}`;
        reject(new Error('the witness ended before it watched'));
      });
      createInterface({ input: child.stdout }).on('line', (line) => {
        const message = JSON.parse(line) as { ready?: true } & Omit<Start, 'at'>;
        if (message.ready) resolve();
        else witness.starts.push({ ...message, at: Date.now() });
      });
    });
    return witness;
  }

  /** Throws when it did not see everything. */
  check(): void {
    if (this.#problem !== null) throw new Error(`the starts on the boxes were not counted: ${this.#problem}`);
  }

  startsOf(jobId: number): Start[] {
    return this.starts.filter((start) => start.key.startsWith(`${jobId}.`));
  }

  async close(): Promise<void> {
    this.#closing = true;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin?.end();
    await ended;
  }
}
