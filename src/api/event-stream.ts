/**
 * A submission followed as server-sent events: `status` when something changes, and every few seconds without a change;
 * then one `result` or `error`, and the end. The stream only looks on: a client that goes away cancels nothing.
 *
 * The one client that reads this wants LF, an `event:` and one `data:` line per event and an empty line behind it, and
 * reads each piece of the stream as text of its own: so everything beyond ASCII is escaped.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';

/** Proxies close what is silent for longer than half a minute or so; clients are promised a sign every 15 s. */
export const SILENCE_MS = 10_000;

export class EventStream {
  readonly #reply: FastifyReply;
  readonly #gone = new AbortController();
  readonly #since = Date.now();
  readonly #signs: NodeJS.Timeout;
  #status: object | null = null;
  #ended = false;

  constructor(request: FastifyRequest, reply: FastifyReply, silenceMs = SILENCE_MS) {
    this.#reply = reply;
    // By a clock of its own: whatever the next status waits for, the last one is said again.
    this.#signs = setInterval(() => this.#sayStatus(), silenceMs);
    this.#gone.signal.addEventListener('abort', () => clearInterval(this.#signs));
    // From here on the answer is ours alone.
    reply.hijack();
    reply.raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      // For nginx, which would hold events back.
      'x-accel-buffering': 'no',
      'x-request-id': request.id,
      // Nothing follows on it, and a server that ends does not wait for it to become idle.
      connection: 'close',
    });
    reply.raw.once('close', () => this.#gone.abort());
    reply.raw.on('error', () => this.#gone.abort());
    // Whoever left while the file was stored.
    if (reply.raw.destroyed) this.#gone.abort();
  }

  /** Aborted when the client is gone, or the stream has ended. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Told at once where it is another than the last one, and again after every silence. Beside it: since when, in seconds. */
  tellStatus(status: object): void {
    if (JSON.stringify(status) === JSON.stringify(this.#status)) return;
    this.#status = status;
    this.#sayStatus();
    this.#signs.refresh();
  }

  send(event: 'status' | 'result' | 'error', data: unknown): void {
    if (this.#ended || this.#gone.signal.aborted) return;
    this.#reply.raw.write(`event: ${event}\ndata: ${asciiJson(data)}\n\n`);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#reply.raw.end();
    this.#gone.abort();
  }

  #sayStatus(): void {
    if (!this.#status) return;
    const seconds = Math.round((Date.now() - this.#since) / 1000);
    this.send('status', { ...this.#status, elapsed_time: seconds });
  }
}

export function asciiJson(data: unknown): string {
  return JSON.stringify(data).replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: all that is not printable ASCII
    /[^\x00-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
