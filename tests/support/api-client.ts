/** A client of the HTTP API that speaks plain HTTP/1.1 over kept-alive connections and looks at what comes back. */
import { Agent, type IncomingHttpHeaders, request } from 'node:http';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  bytes: Buffer;
  text: string;
  /** The body as JSON; throws where it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look at foreign JSON
  json(): any;
}

export interface Call {
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** Goes away from a stream as soon as it begins, and gives up on an answer after so long. */
  endlessAfterMs?: number;
}

export class ApiClient {
  readonly #url: string;
  readonly #headers: Record<string, string>;
  readonly #agent: Agent;

  constructor(url: string, headers: Record<string, string> = {}, agent = new Agent({ keepAlive: true })) {
    this.#url = url;
    this.#headers = headers;
    this.#agent = agent;
  }

  /** Another person over the same connections. */
  as(headers: Record<string, string>): ApiClient {
    return new ApiClient(this.#url, headers, this.#agent);
  }

  /** The same person over other connections. */
  on(agent: Agent): ApiClient {
    return new ApiClient(this.#url, this.#headers, agent);
  }

  /** The path goes out as it is given. */
  call(method: string, path: string, options: Call = {}): Promise<Answer> {
    const { hostname, port } = new URL(this.#url);
    return new Promise((resolve, reject) => {
      const headers = {
        ...this.#headers,
        ...(options.body !== undefined && { 'content-length': String(Buffer.byteLength(options.body)) }),
        ...options.headers,
      };
      const sent = request({ hostname, port, method, path, headers, agent: this.#agent }, (response) => {
        const parts: Buffer[] = [];
        const isStream = response.headers['content-type']?.startsWith('text/event-stream');
        if (isStream && options.endlessAfterMs !== undefined) response.once('data', () => response.destroy());
        response.on('data', (part: Buffer) => parts.push(part));
        response.once('error', reject);
        response.once('close', () => {
          const bytes = Buffer.concat(parts);
          const text = bytes.toString('utf8');
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            bytes,
            text,
            json: () => JSON.parse(text),
          });
        });
      });
      sent.once('error', reject);
      if (options.endlessAfterMs !== undefined) {
        sent.setTimeout(options.endlessAfterMs, () => sent.destroy(new Error('no answer')));
      }
      sent.end(options.body);
    });
  }

  get(path: string): Promise<Answer> {
    return this.call('GET', path);
  }

  send(method: string, path: string, body: unknown): Promise<Answer> {
    return this.call(method, path, {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
