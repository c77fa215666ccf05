/**
 * Taking submissions out of the rankings with a reason, and back in; what the owner says to it and what is answered. Each
 * step names the state that it leaves, so that of two at once one is told that it came second. Notices are owed in the
 * transaction of the step.
 */
import type { Ruling, RulingEvent } from '../domain/ruling.ts';
import type { ChangeRecord } from './audit.ts';
import type { Db, Sql } from './client.ts';
import { markSubmission } from './invalidations.ts';

export interface Evidence {
  name: string;
  bytes: Uint8Array;
}

export async function invalidateSubmission(
  sql: Sql,
  ruling: { submissionId: number; reason: string; evidence: Evidence | null },
  record: ChangeRecord,
): Promise<{ id: number } | 'unknown' | 'invalid-already'> {
  const { submissionId, reason, evidence } = ruling;
  return sql.begin(async (tx) => {
    const state = await lockState(tx, submissionId);
    if (state !== 'valid') return state === 'invalid' ? 'invalid-already' : state;
    await markSubmission(tx, submissionId, { by: record.actor.id, reason });
    const [row] = await tx<{ id: number }[]>`
      insert into hotlap.rulings (submission_id, reason, evidence_name, evidence, made_by)
      values (${submissionId}, ${reason}, ${evidence?.name ?? null}, ${evidence ? Buffer.from(evidence.bytes) : null},
        ${record.actor.id})
      returning id`;
    if (!row) throw new Error('inserting a ruling returned no row');
    await oweNotice(tx, row.id, 'invalidated');
    await record.note(tx, {
      subject: `submission ${submissionId}`,
      before: { valid: true },
      after: { valid: false, ruling: row.id, evidence: evidence?.name ?? null },
      reason,
    });
    return row;
  });
}

/** Also what was taken out without a ruling. */
export async function restoreSubmission(
  sql: Sql,
  submissionId: number,
  reason: string | null,
  record: ChangeRecord,
): Promise<'restored' | 'unknown' | 'valid-already'> {
  return sql.begin(async (tx) => {
    const state = await lockState(tx, submissionId);
    if (state !== 'invalid') return state === 'valid' ? 'valid-already' : state;
    await markSubmission(tx, submissionId, null);
    const [ruling] = await tx<{ id: number }[]>`
      update hotlap.rulings set restored_by = ${record.actor.id}, restored_at = now(), restore_reason = ${reason}
      where submission_id = ${submissionId} and restored_at is null returning id`;
    if (ruling) await oweNotice(tx, ruling.id, 'restored');
    await record.note(tx, {
      subject: `submission ${submissionId}`,
      before: { valid: false },
      after: { valid: true, ruling: ruling?.id ?? null },
      reason,
    });
    return 'restored';
  });
}

export type AppealState = 'done' | 'unknown' | 'not-yours' | 'over' | 'twice';

/** By the owner, once, while the ruling is in force. */
export async function appealRuling(
  sql: Sql,
  id: number,
  appeal: { userId: string; text: string },
  record: ChangeRecord,
): Promise<AppealState> {
  return sql.begin(async (tx) => {
    const ruling = await findRuling(tx, id, 'locked');
    if (!ruling) return 'unknown';
    if (ruling.userId !== appeal.userId) return 'not-yours';
    if (ruling.restoredAt !== null) return 'over';
    if (ruling.appealedAt !== null) return 'twice';
    await tx`update hotlap.rulings set appeal = ${appeal.text}, appealed_at = now() where id = ${id}`;
    await tx`
      insert into hotlap.outbox (kind, dedupe_key, payload)
      values ('appeal-notice', ${`appeal-${id}`}, ${tx.json({ rulingId: id })})`;
    await tx`select pg_notify('hotlap_outbox', '')`;
    await record.note(tx, { subject: `submission ${ruling.submissionId}`, after: { appealed: id } });
    return 'done';
  });
}

/** The ruling stays; putting the submission back is `restoreSubmission`. */
export async function answerAppeal(
  sql: Sql,
  id: number,
  answer: string,
  record: ChangeRecord,
): Promise<'done' | 'unknown' | 'over' | 'twice'> {
  return sql.begin(async (tx) => {
    const ruling = await findRuling(tx, id, 'locked');
    if (!ruling || ruling.appealedAt === null) return 'unknown';
    if (ruling.restoredAt !== null) return 'over';
    if (ruling.answeredAt !== null) return 'twice';
    await tx`
      update hotlap.rulings set answer = ${answer}, answered_by = ${record.actor.id}, answered_at = now()
      where id = ${id}`;
    await oweNotice(tx, id, 'answered');
    await record.note(tx, {
      subject: `submission ${ruling.submissionId}`,
      after: { valid: false, ruling: id },
      reason: answer,
    });
    return 'done';
  });
}

export async function findRuling(db: Db, id: number, lock?: 'locked'): Promise<Ruling | null> {
  const [row] = await db<Ruling[]>`
    select ${columns(db)} where r.id = ${id} ${lock ? db`for update of r` : db``}`;
  return row ?? null;
}

/** The one in force; else null. */
export async function findRulingOf(db: Db, submissionId: number): Promise<Ruling | null> {
  const [row] = await db<Ruling[]>`
    select ${columns(db)} where r.submission_id = ${submissionId} and r.restored_at is null`;
  return row ?? null;
}

export async function findEvidence(db: Db, rulingId: number): Promise<Evidence | null> {
  const [row] = await db<Evidence[]>`
    select evidence_name as name, evidence as bytes from hotlap.rulings
    where id = ${rulingId} and evidence is not null`;
  return row ?? null;
}

const columns = (db: Db) => db`
  r.id, r.submission_id as "submissionId", s.user_id as "userId", u.name as "userName", l.name as leaderboard,
  s.file_name as "fileName", r.reason, r.evidence_name as "evidenceName", r.made_by as "madeBy", r.made_at as "madeAt",
  r.appeal, r.appealed_at as "appealedAt", r.answer, r.answered_at as "answeredAt", r.restored_at as "restoredAt",
  r.restore_reason as "restoreReason"
  from hotlap.rulings r
  join hotlap.submissions s on s.id = r.submission_id
  join hotlap.users u on u.id = s.user_id
  join hotlap.leaderboards l on l.id = s.leaderboard_id`;

async function lockState(tx: Db, submissionId: number): Promise<'valid' | 'invalid' | 'unknown'> {
  const [row] = await tx<{ valid: boolean }[]>`
    select invalidated_at is null as valid from hotlap.submissions where id = ${submissionId} for update`;
  if (!row) return 'unknown';
  return row.valid ? 'valid' : 'invalid';
}

async function oweNotice(tx: Db, rulingId: number, event: RulingEvent): Promise<void> {
  await tx`
    insert into hotlap.outbox (kind, dedupe_key, payload)
    values ('ruling-notice', ${`ruling-${rulingId}-${event[0]}`}, ${tx.json({ rulingId, event })})`;
  await tx`select pg_notify('hotlap_outbox', '')`;
}
