/** The audit log: rows are appended and read, nothing else; the table refuses the rest. */
import type { Actor, AuditDoor, AuditEntry, AuditState, AuditVerdict, ChangeNote } from '../domain/audit.ts';
import type { Log } from '../log.ts';
import type { Db, Sql } from './client.ts';

const MAX_TEXT = 2000;

/** PostgreSQL stores neither NUL characters nor lone surrogates. */
function storable(text: string): string {
  return text.replaceAll('\u0000', '\ufffd').toWellFormed().slice(0, MAX_TEXT).toWellFormed();
}

function storableState(db: Db, state: AuditState | null | undefined) {
  if (!state) return null;
  const clean = JSON.parse(JSON.stringify(state), (_, value: unknown) =>
    typeof value === 'string' ? storable(value) : value,
  );
  return db.json(clean);
}

/** Returns its number and hash. To be the last statement of its transaction: the next entry waits for its end. */
export async function appendAudit(
  db: Db,
  actor: Actor,
  action: string,
  note: ChangeNote,
): Promise<{ id: number; hash: string }> {
  const [row] = await db<{ id: number; hash: string }[]>`
    insert into hotlap.audit_log (actor_id, actor_name, door, action, subject, before, after, reason)
    values (${storable(actor.id)}, ${storable(actor.name)}, ${actor.door}, ${action},
      ${note.subject ? storable(note.subject) : null}, ${storableState(db, note.before)},
      ${storableState(db, note.after)}, ${note.reason ? storable(note.reason) : null})
    returning id, hash`;
  if (!row) throw new Error('the audit log took no entry');
  return row;
}

/**
 * What somebody is doing, on its way into the audit log. Whoever carries it out notes it in the transaction that changes
 * something; whoever opened the door sees to it that no change ends without an entry.
 */
export class ChangeRecord {
  /** Of a sign-in it is known in the end alone. */
  actor: Actor;
  readonly action: string;
  readonly #log: Log;
  #settled = false;
  #written: { id: number; hash: string }[] = [];

  constructor(actor: Actor, action: string, log: Log) {
    this.actor = actor;
    this.action = action;
    this.#log = log;
  }

  /** Last in the transaction of the change. */
  async note(db: Db, note: ChangeNote): Promise<void> {
    this.#written.push(await appendAudit(db, this.actor, this.action, note));
    this.#settled = true;
  }

  /** Nothing was changed: a question was asked, or all was as it should be already. */
  settle(): void {
    this.#settled = true;
  }

  /** For the door, at the end. `note`: what was asked, for the entry of a change of which nobody said more. */
  async close(sql: Sql, note: ChangeNote | null): Promise<void> {
    if (note && !this.#settled) await this.note(sql, note);
    // The log lies elsewhere than the database: who rewrites the one does not have the other.
    for (const { id, hash } of this.#written.splice(0))
      this.#log.info({ audit: id, action: this.action, by: this.actor.id, hash }, 'audit');
  }
}

export interface AuditFilter {
  /** An account or a part of a name. */
  actor: string | null;
  /** The beginning of the action's words. */
  action: string | null;
  /** As it stands in the entry. */
  subject: string | null;
}

type Row = Omit<AuditEntry, 'actor'> & { actorId: string; actorName: string; door: AuditDoor };

/** Newest first, from below `before` on. */
export async function listAudit(
  db: Db,
  filter: AuditFilter,
  page: { limit: number; before: number | null },
): Promise<AuditEntry[]> {
  const { actor, action, subject } = filter;
  const rows = await db<Row[]>`
    select id, at, actor_id as "actorId", actor_name as "actorName", door, action, subject, before, after, reason,
      hotlap.audit_text(audit_log) as text, previous_hash as "previousHash", hash
    from hotlap.audit_log
    where (${page.before}::bigint is null or id < ${page.before})
      and (${actor}::text is null or actor_id = ${actor} or position(lower(${actor}) in lower(actor_name)) > 0)
      and (${action}::text is null or starts_with(action, ${action}))
      and (${subject}::text is null or subject = ${subject})
    order by id desc limit ${page.limit}`;
  return rows.map(({ actorId, actorName, door, ...entry }) => ({
    ...entry,
    actor: { id: actorId, name: actorName, door },
  }));
}

/** Reads the whole chain. */
export async function verifyAudit(db: Db): Promise<AuditVerdict> {
  const [faults, [newest]] = await Promise.all([
    db<{ id: number; fault: 'missing' | 'broken' | 'changed'; faults: number }[]>`
      select id, fault, count(*) over () as faults from hotlap.audit_faults order by id limit 1`,
    db<{ entries: number; hash: string }[]>`
      select (select count(*) from hotlap.audit_log) as entries, hash from hotlap.audit_log order by id desc limit 1`,
  ]);
  const [first] = faults;
  return {
    entries: newest?.entries ?? 0,
    newestHash: newest?.hash ?? null,
    firstFault: first ? { id: first.id, fault: first.fault } : null,
    faults: first?.faults ?? 0,
  };
}
