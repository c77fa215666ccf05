import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  claimOwedMessage,
  giveUpMessage,
  markMessageSent,
  type OwedMessage,
  postponeMessage,
} from '../../src/db/outbox.ts';
import { storeJobResult } from '../../src/db/results.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { leaseJob, makeBoard, makeBox, passedIn, submit } from './scene.ts';

let database: TestDatabase;
let boxId: number;
beforeAll(async () => {
  database = await testDatabase({ maxConnections: 12 });
  boxId = (await makeBox(database.sql, ['CPU'])).id;
});
afterAll(() => database.drop());
beforeEach(() => database.sql`delete from hotlap.outbox`);

/** A result that is owed to somebody. */
async function owe(): Promise<number> {
  const { sql } = database;
  const submissionId = await submit(sql, await makeBoard(sql), {
    mode: 'test',
    reply: { channelId: '1', interactionToken: 't', expiresAt: new Date() },
  });
  const lease = await leaseJob(sql, boxId, { submissionId });
  await storeJobResult(sql, lease, passedIn('test'), null);
  return submissionId;
}

async function claimed(): Promise<OwedMessage> {
  const message = await claimOwedMessage(database.sql);
  if (!message) throw new Error('nothing was due');
  return message;
}

const row = async (id: number) =>
  (
    await database.sql`
      select status, last_error, attempts, not_before > now() as later, sent_at from hotlap.outbox where id = ${id}`
  )[0];
const makeDue = (id: number) =>
  database.sql`update hotlap.outbox set not_before = now() - interval '1 second' where id = ${id}`;

describe('an owed message', () => {
  it('is hidden by its claim, and due again when nothing came of it', async () => {
    const submissionId = await owe();
    const message = await claimed();
    expect(message).toMatchObject({
      kind: 'result',
      submissionId,
      dedupeKey: `result-${submissionId}-0`,
      attempts: 1,
    });
    expect(await claimOwedMessage(database.sql)).toBe(null);
    await makeDue(message.id);
    expect(await claimed()).toMatchObject({ id: message.id, attempts: 2, dedupeKey: message.dedupeKey });
  });

  it('goes to one of many deliverers', async () => {
    for (let i = 0; i < 6; i++) await owe();
    const messages = await Promise.all(Array.from({ length: 12 }, () => claimOwedMessage(database.sql)));
    const ids = messages.flatMap((message) => (message ? [message.id] : []));
    expect(ids).toHaveLength(6);
    expect(new Set(ids).size).toBe(6);
  });

  it('that was sent is never due again', async () => {
    await owe();
    const { id } = await claimed();
    await markMessageSent(database.sql, id);
    await makeDue(id);
    expect(await claimOwedMessage(database.sql)).toBe(null);
    expect(await row(id)).toMatchObject({ status: 'sent', sent_at: expect.any(Date), last_error: null });
  });

  it('that is postponed waits, with the reason', async () => {
    await owe();
    const { id } = await claimed();
    await postponeMessage(database.sql, id, 600_000, 'HTTPError: 502');
    expect(await row(id)).toMatchObject({ status: 'owed', later: true, last_error: 'HTTPError: 502' });
    await postponeMessage(database.sql, id, 0, 'HTTPError: 503');
    expect(await claimed()).toMatchObject({ id, attempts: 2 });
  });

  it('that was given up stays so, with the reason', async () => {
    await owe();
    const { id } = await claimed();
    await giveUpMessage(database.sql, id, 'DiscordAPIError: 403');
    await postponeMessage(database.sql, id, 0, 'late');
    await makeDue(id);
    expect(await claimOwedMessage(database.sql)).toBe(null);
    expect(await row(id)).toMatchObject({ status: 'given-up', last_error: 'DiscordAPIError: 403' });
  });

  it('comes before those that became due later', async () => {
    const order = [await owe(), await owe(), await owe()];
    const seen = [await claimed(), await claimed(), await claimed()].map((message) => message.submissionId);
    expect(seen).toEqual(order);
  });
});
