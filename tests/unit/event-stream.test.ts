import fastify from 'fastify';
import { afterAll, describe, expect, it } from 'vitest';
import { EventStream, SILENCE_MS } from '../../src/api/event-stream.ts';
import { openStream } from '../support/event-stream.ts';

describe('a stream of events', () => {
  const server = fastify();
  let stream: EventStream | undefined;
  server.post('/stream', (request, reply) => {
    stream = new EventStream(request, reply, 20);
    stream.tellStatus({ stage: 'test' });
  });
  afterAll(() => server.close());

  it('says the last status again while nothing is told, a new one at once, and ends with what was sent last', async () => {
    const url = await server.listen({ host: '127.0.0.1', port: 0 });
    const opened = await openStream(url, '/stream', { headers: {}, body: Buffer.from('') });
    const stages = () => opened.events().map(({ data }) => data.stage);
    await expect.poll(() => stages().length, { timeout: 20_000 }).toBeGreaterThan(3);
    stream?.tellStatus({ stage: 'benchmark' });
    const told = stages().length;
    stream?.tellStatus({ stage: 'benchmark' });
    await expect.poll(() => stages().length, { timeout: 20_000 }).toBeGreaterThan(told + 3);
    stream?.send('result', { stage: 'over' });
    stream?.end();
    await opened.ended;
    expect(new Set(opened.events().map(({ event }) => event))).toEqual(new Set(['status', 'result']));
    expect(stages().filter((stage, index) => stage !== stages()[index - 1])).toEqual([
      'test',
      'benchmark',
      'over',
    ]);
    expect(Number.isInteger(opened.events()[0]?.data.elapsed_time)).toBe(true);
    // What clients are promised.
    expect(SILENCE_MS).toBeLessThan(15_000);
  });
});
