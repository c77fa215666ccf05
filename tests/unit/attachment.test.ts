/** Against a real HTTP server that does what a content network or a liar may do. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { downloadAttachment } from '../../src/discord/attachment.ts';
import { UserError } from '../../src/domain/errors.ts';

let server: Server;
let origin: string;
let written = 0;

const answers: Record<string, (response: ServerResponse) => void> = {
  '/good': (response) => response.end('x = 1\n'),
  '/empty': (response) => response.end(),
  '/gone': (response) => response.writeHead(404).end('gone'),
  '/broken': (response) => {
    response.writeHead(200, { 'content-length': '1000' });
    response.write('half', () => response.destroy());
  },
  // Never ends by itself: only a reader that counts gets out of it.
  '/endless': (response) => {
    const push = () => {
      if (response.destroyed) return;
      written += 16_384;
      if (response.write(Buffer.alloc(16_384, 120))) setImmediate(push);
      else response.once('drain', push);
    };
    push();
  },
};

beforeAll(async () => {
  server = createServer((request, response) => answers[request.url ?? '']?.(response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const fetched = (path: string, size = 6, limit = 100_000) =>
  downloadAttachment({ name: 'a.py', url: `${origin}${path}`, size }, limit);

async function refusal(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof UserError) return error.code;
  throw error ?? new Error('was not refused');
}

describe('an attachment', () => {
  it('arrives byte for byte', async () => {
    expect(Buffer.from(await fetched('/good')).toString()).toBe('x = 1\n');
    expect(await fetched('/empty', 0)).toHaveLength(0);
  });

  it('is refused by its declared size without being fetched', async () => {
    expect(await refusal(fetched('/nowhere', 100_001))).toBe('file-too-large');
  });

  it('is refused by the bytes that arrive, whatever was declared, and is not read to its end', async () => {
    expect(await refusal(fetched('/endless'))).toBe('file-too-large');
    expect(written).toBeLessThan(50_000_000);
  });

  it('may have exactly the limit', async () => {
    expect(await fetched('/good', 6, 6)).toHaveLength(6);
    expect(await refusal(fetched('/good', 5, 5))).toBe('file-too-large');
  });

  it('that cannot be fetched is said to be so', async () => {
    expect(await refusal(fetched('/gone'))).toBe('download-failed');
    expect(await refusal(fetched('/broken'))).toBe('download-failed');
    const closed = downloadAttachment({ name: 'a.py', url: 'http://127.0.0.1:1/x', size: 1 }, 10);
    expect(await refusal(closed)).toBe('download-failed');
    expect(await refusal(downloadAttachment({ name: 'a.py', url: 'no address', size: 1 }, 10))).toBe(
      'download-failed',
    );
  });
});
