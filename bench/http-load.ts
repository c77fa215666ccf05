/**
 * A plain HTTP/1.1 load generator: so many connections, each of which sends its next request when it has read the last
 * answer. It looks for the end of an answer and its status, and at nothing else, so that the server has the machine.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface Load {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  requests: number;
}

/** `next` makes each request's head. Throws on any status but 200. */
export async function load(options: {
  url: string;
  connections: number;
  durationMs: number;
  /** Between the requests of a connection: what is asked at even times meets the server in all its moods. */
  pauseMs?: number;
  next: (n: number) => { path: string; headers?: Record<string, string> };
}): Promise<Load> {
  const { hostname, port } = new URL(options.url);
  const times: number[] = [];
  let sent = 0;
  const since = performance.now();
  const until = since + options.durationMs;
  await Promise.all(
    Array.from({ length: options.connections }, async () => {
      const line = await Line.open(hostname, Number(port));
      try {
        while (performance.now() < until) {
          const { path, headers = {} } = options.next(sent++);
          const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
          const before = performance.now();
          const status = await line.ask(
            `GET ${path} HTTP/1.1\r\nhost: ${hostname}\r\n${fields.join('')}\r\n`,
          );
          times.push(performance.now() - before);
          if (status !== 200) throw new Error(`${path} answered ${status}`);
          if (options.pauseMs !== undefined) await delay(options.pauseMs);
        }
      } finally {
        line.close();
      }
    }),
  );
  const seconds = (performance.now() - since) / 1000;
  const sorted = times.sort((a, b) => a - b);
  const at = (part: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
  return { perSecond: times.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99), requests: times.length };
}

/** One kept-alive connection. Answers have a Content-Length. */
class Line {
  readonly #socket: Socket;
  #missing = -1;
  #head = '';
  #status = 0;
  #done: ((status: number) => void) | null = null;
  #failed: ((error: Error) => void) | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (data: Buffer) => this.#take(data));
    socket.on('error', (error) => this.#failed?.(error));
    socket.on('close', () => this.#failed?.(new Error('the server closed the connection')));
  }

  static open(host: string, port: number): Promise<Line> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, host, () => resolve(new Line(socket)));
      socket.setNoDelay(true);
      socket.once('error', reject);
    });
  }

  ask(request: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#done = resolve;
      this.#failed = reject;
      this.#head = '';
      this.#missing = -1;
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#failed = null;
    this.#socket.destroy();
  }

  #take(data: Buffer): void {
    let body = data.length;
    if (this.#missing < 0) {
      this.#head += data.toString('latin1');
      const end = this.#head.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.#status = Number(this.#head.slice(9, 12));
      const length = /\r\ncontent-length: (\d+)/i.exec(this.#head.slice(0, end + 2))?.[1];
      if (length === undefined) {
        this.#failed?.(new Error('an answer without Content-Length'));
        return;
      }
      this.#missing = Number(length);
      body = this.#head.length - end - 4;
    }
    this.#missing -= body;
    if (this.#missing === 0) this.#done?.(this.#status);
  }
}
