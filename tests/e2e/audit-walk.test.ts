/**
 * Every command, button, form and route that changes something leaves one entry in the audit log that says who, what,
 * before, after and why; whatever only reads changes nothing. The rules of domain/rules.ts and the API's own document are
 * walked, so that something new without a sample fails here: `command-changes.ts`, `component-changes.ts` and
 * `route-changes.ts` of tests/support have the samples.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AuditFilter, listAudit, verifyAudit } from '../../src/db/audit.ts';
import {
  commandRules,
  componentRules,
  type Deed,
  deedOfCommand,
  deedOfComponent,
  deedOfRoute,
  routeRules,
} from '../../src/domain/rules.ts';
import { type ChangeScene, changeScene, type Sample } from '../support/change-scene.ts';
import { commandChanges } from '../support/command-changes.ts';
import { componentChanges } from '../support/component-changes.ts';
import { samples } from '../support/organiser-samples.ts';
import { textOf } from '../support/playground-message.ts';
import { routeChanges } from '../support/route-changes.ts';

const POLL = { timeout: 60_000, interval: 20 };
const everything: AuditFilter = { actor: null, action: null, subject: null };

let scene: ChangeScene;
beforeAll(async () => {
  scene = await changeScene();
});
afterAll(() => scene?.stop());

const deedOfPath = (name: string) => {
  const [method = '', path = ''] = name.split(' ');
  return deedOfRoute(method, path);
};
const changing = (rules: Record<string, { changes: boolean }>) =>
  Object.keys(rules).filter((name) => rules[name]?.changes);

async function newest(): Promise<number> {
  return (await verifyAudit(scene.sql)).entries;
}

async function entriesAfter(before: number, deed: Deed, door: string) {
  const all = await listAudit(scene.sql, everything, { limit: 1000, before: null });
  return all.filter(({ id, action, actor }) => id > before && action === deed.action && actor.door === door);
}

async function holds(deed: Deed | null, door: 'discord' | 'api', sample: Sample | undefined): Promise<void> {
  if (!deed || !sample) throw new Error('a change without a sample in tests/support/*-changes.ts');
  const before = await newest();
  const trace = await sample(scene);
  if (trace === null) {
    expect(await entriesAfter(before, deed, door)).toEqual([]);
    return;
  }
  const { by, subject, reason = null } = trace;
  const written = () => entriesAfter(before, deed, door);
  await expect.poll(async () => (await written()).length, POLL).toBeGreaterThan(0);
  const entries = await written();
  expect(entries).toMatchObject([
    {
      actor: { id: by, door },
      subject,
      reason,
      ...(trace.before && { before: trace.before }),
      ...(trace.after && { after: trace.after }),
    },
  ]);
  expect(entries[0]?.before ?? entries[0]?.after, 'neither before nor after').not.toBeNull();
}

describe('a change', () => {
  it.each(changing(commandRules))('by /%s is on record', async (name) => {
    await holds(deedOfCommand(name), 'discord', commandChanges[name]);
  });

  it.each(changing(componentRules))('by the button or form %s is on record', async (name) => {
    await holds(deedOfComponent(name), 'discord', componentChanges[name]);
  });

  it.each(changing(routeRules))('by %s is on record', async (name) => {
    await holds(deedOfPath(name), 'api', routeChanges[name]);
  });

  it('has no sample where there is none to make any more', () => {
    expect(Object.keys(commandChanges).sort()).toEqual(changing(commandRules).sort());
    expect(Object.keys(componentChanges).sort()).toEqual(changing(componentRules).sort());
    expect(Object.keys(routeChanges).sort()).toEqual(changing(routeRules).sort());
  });

  it('is what every request of the API but a GET is for, says its document', async () => {
    const { paths } = (await scene.stage.anyone.get('/openapi.json')).json() as {
      paths: Record<string, Record<string, unknown>>;
    };
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => [method.toUpperCase(), path.replace(/\{(\w+)\}/g, ':$1')]),
    );
    expect(operations.length).toBeGreaterThan(35);
    const odd = operations.filter(([method = '', path = '']) => {
      const deed = deedOfRoute(method, path);
      return !deed || (method !== 'GET' && !deed.rule.changes);
    });
    expect(odd).toEqual([]);
  });
});

describe('reading', () => {
  /** What changes by itself: sign-ins that wait, messages that are delivered or settle, and when a token was used. */
  const APART = ['cli_logins', 'outbox', 'podiums', 'api_tokens', 'schema_migrations'];
  /** What the bot notes on a board of its thread. */
  const THREAD = ['thread_id', 'thread_told', 'thread_retry_at'];

  /** One hash for every table. */
  async function fingerprint(): Promise<Record<string, string>> {
    const { sql } = scene;
    const tables = await sql<{ name: string }[]>`
      select tablename as name from pg_tables where schemaname = 'hotlap' and not tablename = any(${APART})
      order by 1`;
    expect(tables.length).toBeGreaterThan(20);
    const hashes = tables.map(
      ({ name }) => sql`
        select ${name}::text as name, md5(coalesce(string_agg(row::text, '|' order by row::text), '')) as hash
        from hotlap.${sql(name)} t cross join lateral (select to_jsonb(t) - ${THREAD}::text[] as row) told`,
    );
    const rows = await sql<{ name: string; hash: string }[]>`
      ${hashes.flatMap((query, at) => (at === 0 ? [query] : [sql` union all `, query]))}`;
    return Object.fromEntries(rows.map((row) => [row.name, row.hash]));
  }

  it('by a command changes nothing, and stands nowhere', async () => {
    const id = await scene.ranked(await scene.board());
    const reads = Object.keys(commandRules).filter((name) => !deedOfCommand(name)?.rule.changes);
    // Whoever asks is remembered once.
    await scene.say(scene.admin, '/submissions mine');
    const before = await fingerprint();
    const wrong: string[] = [];
    for (const name of reads) {
      const options = samples[name] ?? {};
      const real = { ...options, ...('id' in options && { id }) };
      const handle = await scene.admin.slash(`/${name}`, real);
      const isForm = handle.outcome.state === 'answered' && handle.outcome.modal !== undefined;
      if (!isForm) expect(textOf(await handle.answer())).not.toContain('Something broke');
      const after = await fingerprint();
      for (const table of Object.keys(before))
        if (after[table] !== before[table]) wrong.push(`/${name} changes ${table}`);
      Object.assign(before, after);
    }
    expect(wrong).toEqual([]);
  });

  it('by a GET changes nothing', async () => {
    const { stage } = scene;
    const id = (await scene.ranked(await scene.board())).toString();
    const names: Record<string, string> = { leaderboard: 'lab', gpu: 'CPU', id, provider: 'discord' };
    const reads = Object.keys(routeRules).filter((name) => !deedOfPath(name)?.rule.changes);
    await Promise.all([stage.alice.get('/user/submissions'), stage.admin.get('/admin/stats')]);
    const before = await fingerprint();
    const wrong: string[] = [];
    for (const route of reads) {
      const path = (route.split(' ')[1] ?? '').replace(
        /:(\w+)/g,
        (_, name: string) => names[name] ?? 'nothing',
      );
      const query = path === '/auth/init' ? '?provider=discord' : '';
      const client = path.startsWith('/admin') ? stage.admin : stage.alice;
      expect((await client.get(`${path}${query}`)).status).toBeLessThan(500);
      const after = await fingerprint();
      for (const table of Object.keys(before))
        if (after[table] !== before[table]) wrong.push(`${route} changes ${table}`);
      Object.assign(before, after);
    }
    expect(wrong).toEqual([]);
  });
});

describe('the record of it all', () => {
  it('is whole, by both doors, until somebody writes to the database by hand', async () => {
    const { sql, stage, say, admin } = scene;
    const entries = await newest();
    expect(entries).toBeGreaterThan(60);
    const known = new Set([
      ...Object.keys(commandRules),
      ...Object.keys(componentRules).map((name) => name.replaceAll(':', ' ')),
      ...Object.keys(routeRules),
      'test',
    ]);
    const all = await listAudit(sql, everything, { limit: 1000, before: null });
    expect(all.filter((entry) => !known.has(entry.action))).toEqual([]);
    expect(textOf(await say(admin, '/admin audit verify'))).toContain('The audit log is whole');
    const verdict = async () => (await stage.admin.get('/admin/audit/verdict')).json();
    expect(await verdict()).toMatchObject({ whole: true, entries, faults: 0 });

    await expect(sql`update hotlap.audit_log set reason = 'none' where id = 7`).rejects.toThrow(/immutable/);
    await expect(sql`delete from hotlap.audit_log where id = 7`).rejects.toThrow(/immutable/);
    await sql.begin(async (tx) => {
      await tx`alter table hotlap.audit_log disable trigger user`;
      await tx`update hotlap.audit_log set actor_name = 'nobody' where id = 7`;
      await tx`delete from hotlap.audit_log where id = 9`;
      await tx`alter table hotlap.audit_log enable trigger user`;
    });
    expect(await verdict()).toMatchObject({
      whole: false,
      faults: 2,
      first_fault: { id: 7, fault: 'changed' },
    });
    const said = textOf(await say(admin, '/admin audit verify'));
    expect(said).toContain('The audit log is not whole');
    expect(said).toContain('#7');
    expect(said).toContain('1 further entry is out of order');
  });
});
