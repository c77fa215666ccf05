/** The HTTP server itself, on a running Hotlap: addresses, methods, errors, connections. */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiClient } from '../support/api-client.ts';
import { type RunningApp, runningApp } from '../support/running-app.ts';

describe('the HTTP server', () => {
  let running: RunningApp;
  let client: ApiClient;

  beforeAll(async () => {
    running = await runningApp({ env: { HOTLAP_ROLES: 'discord,api' } });
    client = new ApiClient(running.app.api?.url ?? '');
  });

  afterAll(async () => {
    client.close();
    await running.stop();
  });

  it('says that it lives and that it can work, each with an id of the request', async () => {
    const health = await client.get('/health');
    expect(health.json()).toEqual({ status: 'ok' });
    expect(health.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(health.headers['x-request-id']).toMatch(/^[\w-]{36}$/);
    expect((await client.get('/ready')).json()).toEqual({ status: 'ready' });
    const own = await client.call('GET', '/health', { headers: { 'x-request-id': 'proxy-1234' } });
    expect(own.headers['x-request-id']).toBe('proxy-1234');
    const strange = await client.call('GET', '/health', { headers: { 'x-request-id': 'a"b c' } });
    expect(strange.headers['x-request-id']).toMatch(/^[\w-]{36}$/);
  });

  it('takes a base address with a slash at its end, and a path with one', async () => {
    expect((await client.get('//health')).status).toBe(200);
    expect((await client.get('/health/')).status).toBe(200);
  });

  it('refuses unknown paths and wrong methods with a sentence', async () => {
    const unknown = await client.get('/nothing/here');
    expect([unknown.status, unknown.json().detail]).toEqual([404, 'Not Found']);
    const wrong = await client.call('DELETE', '/health');
    expect([wrong.status, wrong.json().detail]).toEqual([405, 'Method Not Allowed']);
    expect(wrong.headers.allow).toContain('GET');
    const bad = await client.get('/%zz');
    expect([bad.status, typeof bad.json().detail]).toEqual([400, 'string']);
  });

  it('answers what is no HTTP, or too much of it, like everything else that it refuses', async () => {
    const { hostname, port } = new URL(running.app.api?.url ?? '');
    const say = (bytes: string) =>
      new Promise<string>((resolve, reject) => {
        let text = '';
        const socket = connect(Number(port), hostname, () => socket.write(bytes));
        socket.on('data', (data) => {
          text += data;
        });
        socket.once('error', reject);
        socket.once('close', () => resolve(text));
      });
    const token = 'a'.repeat(70_000);
    for (const [bytes, status, code] of [
      ['hello there\r\n\r\n', 400, 'bad-request'],
      [
        `GET /user/submissions HTTP/1.1\r\nhost: x\r\nx-popcorn-cli-id: ${token}\r\n\r\n`,
        431,
        'headers-too-large',
      ],
    ] as const) {
      const [head = '', body = ''] = (await say(bytes)).split('\r\n\r\n');
      expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      expect(JSON.parse(body)).toEqual({ detail: expect.any(String), code });
    }
    expect((await client.get('/health')).status).toBe(200);
  });
});
