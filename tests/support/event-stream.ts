/** Server-sent events as the existing client reads them: split at empty lines, the last `event:` and `data:` line win. */
import { request } from 'node:http';

export interface StreamEvent {
  event: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at foreign JSON
  data: any;
}

export interface OpenStream {
  status: number;
  contentType: string;
  /** All bytes so far, undecoded. */
  raw(): Buffer;
  events(): StreamEvent[];
  /** Resolves when the server has ended it. */
  ended: Promise<void>;
  /** Goes away without a word. */
  leave(): void;
}

export async function openStream(
  url: string,
  path: string,
  upload: { headers: Record<string, string>; body: Buffer },
): Promise<OpenStream> {
  const { hostname, port } = new URL(url);
  const parts: Buffer[] = [];
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, method: 'POST', path, headers: upload.headers }, (response) => {
      const ended = new Promise<void>((done) => response.once('close', done));
      response.on('data', (part: Buffer) => parts.push(part));
      response.once('error', () => {});
      const raw = () => Buffer.concat(parts);
      resolve({
        status: response.statusCode ?? 0,
        contentType: response.headers['content-type'] ?? '',
        raw,
        events: () => readEvents(raw().toString('utf8')),
        ended,
        leave: () => sent.destroy(),
      });
    });
    sent.once('error', reject);
    sent.end(upload.body);
  });
}

function readEvents(text: string): StreamEvent[] {
  // What has no empty line behind it has not arrived.
  const blocks = text.split('\n\n').slice(0, -1);
  return blocks.flatMap((block) => {
    const lines = block.split('\n');
    const event = lines.findLast((line) => line.startsWith('event: '))?.slice(7);
    const data = lines.findLast((line) => line.startsWith('data: '))?.slice(6);
    return event === undefined || data === undefined ? [] : [{ event, data: JSON.parse(data) }];
  });
}
