/** Discord answers before it has read what is sent: messages with files must survive that, and so must the process. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { REST } from 'discord.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendWholeBody } from '../../src/discord/whole-body.ts';

const MESSAGES = 30;
/** Of one message; discord.js gives up after three tries more. */
const REFUSALS = 3;

describe('a message with files that is refused unread', () => {
  let server: Server;
  let requests = 0;
  const received: { type: string; body: string }[] = [];

  beforeAll(async () => {
    server = createServer((request, response) => {
      requests += 1;
      if (requests % (REFUSALS + 1) !== 0) {
        request.resume();
        response.writeHead(502).end('{}');
        // A connection that is gone with the answer, every now and then.
        if (requests % (REFUSALS + 1) === 1) response.on('finish', () => request.socket.destroy());
        return;
      }
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const type = request.headers['content-type'] ?? '';
        received.push({ type, body: Buffer.concat(chunks).toString('latin1') });
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });

  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('is sent again as a whole, and nothing is left to fail behind our back', async () => {
    // Vitest reports what nobody catches, but this says which test it was.
    const uncaught: unknown[] = [];
    const note = (error: unknown) => uncaught.push(error);
    process.on('unhandledRejection', note);
    const { port } = server.address() as AddressInfo;
    const rest = new REST({ api: `http://127.0.0.1:${port}/api`, makeRequest: sendWholeBody }).setToken(
      'a.b.c',
    );
    const failed: unknown[] = [];
    for (let i = 0; i < MESSAGES; i++) {
      const data = Buffer.alloc(i * 40_000, 'r');
      const files = [1, 2, 3].map((n) => ({ name: `report-${n}.txt`, data }));
      await rest
        .patch(`/webhooks/1/token/messages/${i}`, { auth: false, body: { content: `message ${i}` }, files })
        .catch((error: unknown) => failed.push(error));
    }
    process.off('unhandledRejection', note);
    expect(uncaught).toEqual([]);
    // A socket that breaks while we write is an ordinary error, for the outbox to deal with.
    expect(received.length + failed.length).toBeGreaterThanOrEqual(MESSAGES);
    expect(received.length).toBeGreaterThan(MESSAGES / 2);
    for (const { type, body } of received) {
      expect(type).toMatch(/^multipart\/form-data; boundary=/);
      expect(body).toContain('"content":"message ');
      expect(body).toContain('filename="report-3.txt"');
    }
  });
});
