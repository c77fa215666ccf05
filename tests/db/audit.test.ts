/** The audit log: a chain that anybody can compute again, that takes no change, and that shows one all the same. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChangeRecord, listAudit, verifyAudit } from '../../src/db/audit.ts';
import type { Db } from '../../src/db/client.ts';
import type { Actor, ChangeNote } from '../../src/domain/audit.ts';
import { createLog } from '../../src/log.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { quietLog } from '../support/quiet-log.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase({ maxConnections: 12 });
});
afterAll(() => database.drop());

const olga: Actor = { id: '1', name: 'olga', door: 'discord' };
const everything = { actor: null, action: null, subject: null };
const list = (filter: Partial<typeof everything> | Record<string, string> = {}, limit = 1000) =>
  listAudit(database.sql, { ...everything, ...filter }, { limit, before: null });

async function note(action: string, change: ChangeNote, actor = olga): Promise<void> {
  const record = new ChangeRecord(actor, action, quietLog);
  await record.note(database.sql, change);
}

/** What an owner of the database could do, and nobody else: the triggers are off meanwhile. */
async function tamper(work: (tx: Db) => Promise<unknown>): Promise<void> {
  await database.sql.begin(async (tx) => {
    await tx`alter table hotlap.audit_log disable trigger user`;
    await work(tx);
    await tx`alter table hotlap.audit_log enable trigger user`;
  });
}

describe('the audit log', () => {
  it('is whole while it is empty', async () => {
    expect(await verifyAudit(database.sql)).toEqual({
      entries: 0,
      newestHash: null,
      firstFault: null,
      faults: 0,
    });
  });

  it('keeps who, what, before, after and why, and finds them', async () => {
    await note('admin box drain', {
      subject: 'box alpha',
      before: { state: 'ready' },
      after: { state: 'draining', gpus: ['H100', 'A100'] },
      reason: 'new driver',
    });
    await note('submit', { subject: 'submission 7' }, { id: '2', name: 'Mira', door: 'api' });
    const [second, first] = await list();
    expect(first).toMatchObject({
      id: 1,
      actor: olga,
      action: 'admin box drain',
      subject: 'box alpha',
      before: { state: 'ready' },
      after: { state: 'draining', gpus: ['H100', 'A100'] },
      reason: 'new driver',
    });
    expect(second).toMatchObject({ id: 2, before: null, after: null, reason: null });
    const ids = async (filter: Record<string, string>) => (await list(filter)).map((entry) => entry.id);
    expect(await ids({ actor: '2' })).toEqual([2]);
    expect(await ids({ actor: 'MIR' })).toEqual([2]);
    expect(await ids({ action: 'admin box' })).toEqual([1]);
    expect(await ids({ subject: 'submission 7' })).toEqual([2]);
    expect(await ids({ subject: 'submission' })).toEqual([]);
    expect(await listAudit(database.sql, everything, { limit: 5, before: 2 })).toHaveLength(1);
  });

  it('stores every text that a person can send', async () => {
    const nasty = 'a\u0000b\ud800c "quoted" \\ \n ’';
    await note('x', { subject: nasty, after: { [`k"`]: nasty }, reason: nasty });
    const [entry] = await list({}, 1);
    expect(entry?.subject).toBe('a\ufffdb\ufffdc "quoted" \\ \n ’');
    expect((await verifyAudit(database.sql)).firstFault).toBeNull();
  });

  it('can be computed again by anybody, whatever the session’s time zone', async () => {
    await note('numbers', { after: { a: 1e-9, b: 12_345_678_901, c: true, d: null, e: 0.1 } });
    const there = await database.sql.begin(async (tx) => {
      await tx`set local time zone 'Asia/Tokyo'`;
      return listAudit(tx, everything, { limit: 1000, before: null });
    });
    const entries = (await list()).toReversed();
    expect(there.toReversed()).toEqual(entries);
    let previous = '0'.repeat(64);
    for (const [index, entry] of entries.entries()) {
      expect(entry.id).toBe(index + 1);
      expect(entry.previousHash).toBe(previous);
      previous = createHash('sha256').update(`${previous}\n${entry.text}`).digest('hex');
      expect(entry.hash).toBe(previous);
      const [id, at, actor] = JSON.parse(entry.text) as [number, string, string];
      expect([id, actor]).toEqual([entry.id, entry.actor.id]);
      expect(Math.abs(Date.parse(at) - entry.at.getTime())).toBeLessThan(1);
    }
    expect((await verifyAudit(database.sql)).newestHash).toBe(previous);
  });

  it('puts entries of many writers one after the other, without a gap where one is rolled back', async () => {
    const before = (await verifyAudit(database.sql)).entries;
    const work = Array.from({ length: 40 }, (_, i) =>
      database.sql
        .begin(async (tx) => {
          await new ChangeRecord(olga, 'crowd', quietLog).note(tx, { subject: `writer ${i}` });
          if (i % 4 === 0) throw new Error('rolled back');
        })
        .catch((error: Error) => {
          if (error.message !== 'rolled back') throw error;
        }),
    );
    await Promise.all(work);
    const verdict = await verifyAudit(database.sql);
    expect(verdict).toMatchObject({ entries: before + 30, firstFault: null });
    const writers = await list({ action: 'crowd' });
    expect(new Set(writers.map((entry) => entry.subject)).size).toBe(30);
  });

  it('takes no change, no deletion and no emptying', async () => {
    const { sql } = database;
    const refused = /immutable/;
    await expect(sql`update hotlap.audit_log set actor_id = 'x' where id = 1`).rejects.toThrow(refused);
    await expect(sql`delete from hotlap.audit_log where id = 1`).rejects.toThrow(refused);
    await expect(sql`truncate hotlap.audit_log`).rejects.toThrow(refused);
    // What is sent along for the chain does not count.
    await sql`
      insert into hotlap.audit_log (id, at, actor_id, actor_name, door, action, previous_hash, hash)
      values (1, 'epoch', 'x', 'x', 'api', 'forged', repeat('a', 64), repeat('b', 64))`;
    const [entry] = await list({}, 1);
    expect(entry?.id).toBeGreaterThan(30);
    expect(entry?.at.getTime()).toBeGreaterThan(Date.now() - 600_000);
    expect((await verifyAudit(sql)).firstFault).toBeNull();
  });

  it.each([
    ['changed', 5, async (tx) => tx`update hotlap.audit_log set actor_name = 'someone else' where id = 5`],
    [
      'changed',
      2,
      async (tx) => tx`update hotlap.audit_log set at = at + interval '1 microsecond' where id = 2`,
    ],
    ['missing', 8, async (tx) => tx`delete from hotlap.audit_log where id = 7`],
    ['missing', 2, async (tx) => tx`delete from hotlap.audit_log where id = 1`],
    [
      'broken',
      10,
      async (tx) =>
        tx`update hotlap.audit_log a set reason = 'rewritten', hash = hotlap.audit_hash(b) from (
          select (jsonb_populate_record(l, '{"reason": "rewritten"}')).* from hotlap.audit_log l where id = 9) b
          where a.id = 9`,
    ],
  ] as [string, number, Parameters<typeof tamper>[0]][])(
    'shows what was tampered with: %s at #%i',
    async (fault, id, work) => {
      await database.sql`create table kept as select * from hotlap.audit_log`;
      try {
        await tamper(work);
        expect((await verifyAudit(database.sql)).firstFault).toEqual({ id, fault });
      } finally {
        await tamper(async (tx) => {
          await tx`delete from hotlap.audit_log`;
          await tx`insert into hotlap.audit_log select * from kept`;
          await tx`drop table kept`;
        });
      }
      expect((await verifyAudit(database.sql)).firstFault).toBeNull();
    },
  );
});

describe('the record of a change', () => {
  it('writes what nobody noted, nothing where nothing changed, and each hash into the log', async () => {
    const lines: string[] = [];
    const log = createLog({ level: 'info', format: 'json' }, { write: (line) => lines.push(line) });
    const silent = new ChangeRecord(olga, 'quiet change', log);
    silent.settle();
    await silent.close(database.sql, { after: {} });
    expect(await list({ action: 'quiet change' })).toHaveLength(0);

    const forgotten = new ChangeRecord(olga, 'forgotten change', log);
    await forgotten.close(database.sql, { after: { id: 3 } });
    const noted = new ChangeRecord(olga, 'noted change', log);
    await noted.note(database.sql, { subject: 'it' });
    await noted.close(database.sql, { after: { id: 3 } });
    const [newest, older] = await list({}, 2);
    expect([newest?.action, newest?.subject, newest?.after]).toEqual(['noted change', 'it', null]);
    expect([older?.action, older?.after]).toEqual(['forgotten change', { id: 3 }]);
    expect(lines.map((line) => JSON.parse(line).hash)).toEqual([older?.hash, newest?.hash]);
  });
});
