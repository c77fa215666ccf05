/** What organisers set on a board: its deadline, whether it takes submissions, and what becomes of late ones. */
import type { AuditState } from '../domain/audit.ts';
import type { ChangeRecord } from './audit.ts';
import type { Db, Sql } from './client.ts';
import type { Stage } from './invites.ts';
import { refreshEntries } from './ranking.ts';

interface Settings {
  id: number;
  name: string;
  stage: Stage;
  late: 'refused' | 'unofficial';
  deadline: Date | null;
  setDeadline: Date | null;
  ownDeadline: boolean;
  hasWindows: boolean;
}

async function lockSettings(tx: Db, id: number): Promise<Settings | null> {
  const [row] = await tx<Settings[]>`
    select id, name, stage, late, deadline, set_deadline as "setDeadline", own_deadline as "ownDeadline",
      ranking ? 'windows' as "hasWindows"
    from hotlap.leaderboards where id = ${id} for update`;
  return row ?? null;
}

/** Null: the board is gone. `changed`: it was something else before. */
export type SettingChange = { changed: boolean; before: Settings } | null;

async function change(
  sql: Sql,
  id: number,
  record: ChangeRecord,
  work: (tx: Db, before: Settings) => Promise<{ before: AuditState; after: AuditState } | null>,
): Promise<SettingChange> {
  return sql.begin(async (tx) => {
    // As for rules: the lock of those who write entries comes before that of the board's row.
    await tx`
      select hotlap.lock_entries(id, null, true) from hotlap.leaderboards where id = ${id} and ranking ? 'windows'`;
    const before = await lockSettings(tx, id);
    if (!before) return null;
    const states = await work(tx, before);
    if (states) await record.note(tx, { subject: `leaderboard ${before.name}`, ...states });
    else record.settle();
    return { changed: states !== null, before };
  });
}

/** `null`: none. `'of-its-set'`: what the set says from now on. Holds over later readings of the set. */
export async function setDeadline(
  sql: Sql,
  id: number,
  deadline: Date | null | 'of-its-set',
  record: ChangeRecord,
): Promise<SettingChange> {
  return change(sql, id, record, async (tx, before) => {
    const own = deadline !== 'of-its-set';
    const wanted = own ? deadline : before.setDeadline;
    if (before.ownDeadline === own && before.deadline?.getTime() === wanted?.getTime()) return null;
    await tx`
      update hotlap.leaderboards set deadline = ${wanted}, own_deadline = ${own}, updated_at = now() where id = ${id}`;
    // Windows end with the board: they have ended elsewhere now, or go on.
    if (before.hasWindows) await refreshEntries(tx, { leaderboardId: id, gpuTypes: null, userIds: null });
    const state = (date: Date | null) => ({ deadline: date?.toISOString() ?? 'none' });
    return { before: state(before.deadline), after: state(wanted) };
  });
}

export async function setStage(
  sql: Sql,
  id: number,
  stage: Stage,
  record: ChangeRecord,
): Promise<SettingChange> {
  return change(sql, id, record, async (tx, before) => {
    if (before.stage === stage) return null;
    await tx`update hotlap.leaderboards set stage = ${stage}, updated_at = now() where id = ${id}`;
    return { before: { stage: before.stage }, after: { stage } };
  });
}

export async function setLate(
  sql: Sql,
  id: number,
  late: 'refused' | 'unofficial',
  record: ChangeRecord,
): Promise<SettingChange> {
  return change(sql, id, record, async (tx, before) => {
    if (before.late === late) return null;
    await tx`update hotlap.leaderboards set late = ${late}, updated_at = now() where id = ${id}`;
    return { before: { late: before.late }, after: { late } };
  });
}

/** What a board that was just made starts with. */
export interface BoardStart {
  /** Null: nobody's own, run by admins. */
  createdBy: string | null;
  /** Null: that of its set. */
  deadline: Date | null;
  visibility: 'public' | 'closed';
}

/** In the transaction that made it. */
export async function startBoard(tx: Db, id: number, start: BoardStart): Promise<void> {
  const own = start.deadline !== null;
  await tx`
    update hotlap.leaderboards set created_by = ${start.createdBy}, visibility = ${start.visibility},
      own_deadline = ${own}, deadline = case when ${own} then ${start.deadline}::timestamptz else deadline end
    where id = ${id}`;
}

export async function countSubmissions(db: Db, leaderboardId: number): Promise<number> {
  const [row] = await db<{ count: number }[]>`
    select count(*) as count from hotlap.submissions where leaderboard_id = ${leaderboardId}`;
  return row?.count ?? 0;
}
