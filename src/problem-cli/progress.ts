/**
 * What happens, while it happens, on standard error: on a terminal one line that changes, elsewhere a line for each stage
 * that ends, as it suits a log.
 */
import type { JobEvent, JobSpec } from '../domain/protocol.ts';
import { formatDuration } from '../reports/measure.ts';
import { phaseWords } from '../reports/serving-phases.ts';
import { styled } from './terminal.ts';

const TICK_MS = 500;
const CLEAR_LINE = '\r\u001b[2K';

export class Progress {
  readonly #stream = process.stderr;
  readonly #changes = process.stderr.isTTY && process.env.TERM !== 'dumb';
  #text = '';
  /** When what `#text` says began, and how long it may take; null: not known. */
  #since = 0;
  #limitS: number | null = null;
  #timer: NodeJS.Timeout | undefined;

  /** Begins something that has no stages. */
  begin(text: string): void {
    this.#show(text, null);
  }

  /** What is to be known whatever the report says. */
  note(text: string): void {
    this.#clear();
    this.#stream.write(`${styled(this.#stream, 'yellow', 'note:')} ${text}\n`);
    this.#draw();
  }

  /** To be handed the events of a job; `run` names it: `public run`. */
  listener(run: string, order: JobSpec): (event: JobEvent) => void {
    const limits = new Map(order.stages.map((stage) => [stage.name, stage.timeout_s]));
    return (event) => {
      if (event.type === 'progress') {
        const of = event.of > 0 ? ` of ${event.of}` : '';
        this.#text = `${run}, ${event.stage}: ${event.done}${of}`;
        this.#draw();
      } else if (event.type === 'stage' && event.state === 'warmup') {
        this.#show(`${run}, ${event.stage}: warming up`, order.warmup?.timeout_s ?? null);
      } else if (event.type === 'stage' && event.state === 'building') {
        this.#show(`${run}: compiling`, order.build?.timeout_s ?? null);
      } else if (event.type === 'stage' && event.state === 'running') {
        this.#show(`${run}, ${event.stage}`, limits.get(event.stage) ?? null);
      } else if (event.type === 'stage' && event.state !== 'finished') {
        this.#show(`${run}, ${event.stage}: ${phaseWords(event.state)}`, limits.get(event.stage) ?? null);
      } else if (event.type === 'stage' && !this.#changes) {
        const took = formatDuration(Date.now() - this.#since);
        this.#stream.write(`${run}, ${event.stage}: ${event.passed ? 'passed' : 'failed'} after ${took}\n`);
      }
    };
  }

  /** Takes the changing line away. */
  end(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#clear();
    this.#text = '';
  }

  #show(text: string, limitS: number | null): void {
    this.#text = text;
    this.#since = Date.now();
    this.#limitS = limitS;
    if (!this.#changes) return;
    this.#timer ??= setInterval(() => this.#draw(), TICK_MS);
    this.#draw();
  }

  #draw(): void {
    if (!this.#changes || this.#text === '') return;
    const took = Math.floor((Date.now() - this.#since) / 1000);
    const time = this.#limitS === null ? `${took} s` : `${took} s of at most ${this.#limitS} s`;
    const text = `${this.#text} (${time})`.slice(0, (this.#stream.columns || 80) - 1);
    this.#stream.write(`${CLEAR_LINE}${styled(this.#stream, 'cyan', text)}`);
  }

  #clear(): void {
    if (this.#changes) this.#stream.write(CLEAR_LINE);
  }
}
