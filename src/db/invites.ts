/** Closed boards: who may enter, and the codes that let people in. A code is good for one person, and for all its boards. */
import { randomBytes } from 'node:crypto';
import { UserError } from '../domain/errors.ts';
import type { ChangeRecord } from './audit.ts';
import type { Db, Sql } from './client.ts';
import { saveUser } from './users.ts';

export type Visibility = 'public' | 'closed';

export interface BoardAccess {
  id: number;
  name: string;
  visibility: Visibility;
  scoreAscending: boolean;
  /** In the board's own order and spelling. */
  gpus: string[];
  deadline: Date | null;
  stage: Stage;
  late: 'refused' | 'unofficial';
  /** True for everybody where the board is public. */
  mayEnter: boolean;
}

/** Whether submissions are taken, whatever the deadline says. Archived boards are left out of lists, too. */
export const stages = ['open', 'closed', 'archived'] as const;
export type Stage = (typeof stages)[number];

/** The columns of BoardAccess, of a leaderboard `l`. */
export const boardAccess = (db: Db, userId: string | null) => db`
  l.id, l.name, l.visibility, l.score_ascending as "scoreAscending", l.deadline, l.stage, l.late,
  array(select g.gpu_type from hotlap.leaderboard_gpus g
        where g.leaderboard_id = l.id order by g.position) as gpus,
  l.visibility = 'public' or exists (
    select from hotlap.board_members m where m.leaderboard_id = l.id and m.user_id = ${userId}) as "mayEnter"`;

/** How a person, or nobody in particular (null), stands to a board. Null when there is no such board. */
export async function findBoardAccess(
  db: Db,
  name: string,
  userId: string | null,
): Promise<BoardAccess | null> {
  const [row] = await db<BoardAccess[]>`
    select ${boardAccess(db, userId)} from hotlap.leaderboards l where lower(l.name) = lower(${name})`;
  return row ?? null;
}

/** Keeps the board as it is until the end of the transaction. */
export async function holdBoard(tx: Db, id: number): Promise<void> {
  await tx`select from hotlap.leaderboards where id = ${id} for share`;
}

/** Whether it was another one before; null when there is no such board. @throws UserError where a composite would leak it */
export async function setVisibility(
  sql: Sql,
  name: string,
  visibility: Visibility,
  record: ChangeRecord,
): Promise<{ changed: boolean } | null> {
  return sql.begin(async (tx) => {
    const [board] = await tx<{ id: number; name: string; visibility: Visibility }[]>`
      select id, name, visibility from hotlap.leaderboards where lower(name) = lower(${name}) for update`;
    if (!board) return null;
    if (board.visibility === visibility) return { changed: false };
    await tx`
      update hotlap.leaderboards set visibility = ${visibility}, updated_at = now() where id = ${board.id}`;
    const leak = await findClosedMember(tx, board.id);
    if (leak) {
      const { composite, host, member } = leak;
      throw new UserError('closed-in-composite', { composite, host, member });
    }
    await record.note(tx, {
      subject: `leaderboard ${board.name}`,
      before: { visibility: board.visibility },
      after: { visibility },
    });
    return { changed: true };
  });
}

/** Where a composite that everybody sees would show entries of a closed board, and this board is one of the two. */
async function findClosedMember(
  db: Db,
  leaderboardId: number,
): Promise<{ composite: string; host: string; member: string } | null> {
  const [row] = await db<{ composite: string; host: string; member: string }[]>`
    select m.track as composite, h.name as host, l.name as member
    from hotlap.composite_members m
    join hotlap.leaderboards h on h.id = m.leaderboard_id
    join hotlap.leaderboards l on l.id = m.member_leaderboard_id
    where h.visibility = 'public' and l.visibility = 'closed' and ${leaderboardId} in (h.id, l.id)
    order by h.name, m.track, l.name limit 1`;
  return row ?? null;
}

/** `count` codes, each for all of the boards: 22 characters that no URL needs to escape, 128 random bits. */
export async function createInvites(
  sql: Sql,
  request: { leaderboardIds: number[]; count: number },
  record: ChangeRecord,
): Promise<string[]> {
  const codes = Array.from({ length: request.count }, () => randomBytes(16).toString('base64url'));
  await sql.begin(async (tx) => {
    await tx`
      insert into hotlap.invites (code, created_by) select code, ${record.actor.name} from unnest(${codes}::text[]) code`;
    await tx`
      insert into hotlap.invite_leaderboards (code, leaderboard_id)
      select code, board from unnest(${codes}::text[]) code, unnest(${request.leaderboardIds}::bigint[]) board`;
    const boards = await tx<{ name: string }[]>`
      select name from hotlap.leaderboards where id = any(${request.leaderboardIds}) order by lower(name)`;
    await record.note(tx, {
      subject: boards.length === 1 ? `leaderboard ${boards[0]?.name}` : 'contest',
      after: { invites: request.count, leaderboards: boards.map((board) => board.name) },
    });
  });
  return codes;
}

export interface Invite {
  code: string;
  createdAt: Date;
  claimedBy: string | null;
  claimedByName: string | null;
  claimedAt: Date | null;
}

/** Of one board, oldest first. */
export async function listInvites(db: Db, leaderboardId: number): Promise<Invite[]> {
  return db<Invite[]>`
    select i.code, i.created_at as "createdAt", i.claimed_by as "claimedBy", u.name as "claimedByName",
      i.claimed_at as "claimedAt"
    from hotlap.invite_leaderboards il
    join hotlap.invites i on i.code = il.code
    left join hotlap.users u on u.id = i.claimed_by
    where il.leaderboard_id = ${leaderboardId} order by i.created_at, i.code`;
}

/** Takes a code out of use, and its holder out of its boards. Null when there is no such code. */
export async function revokeInvite(
  sql: Sql,
  code: string,
  record: ChangeRecord,
): Promise<{ claimedBy: string | null } | null> {
  return sql.begin(async (tx) => {
    const boards = await listBoardsOfInvite(tx, code);
    const [row] = await tx<{ claimedBy: string | null }[]>`
      delete from hotlap.invites where code = ${code} returning claimed_by as "claimedBy"`;
    if (!row) return null;
    const before = { claimed_by: row.claimedBy, leaderboards: boards.map((board) => board.name) };
    await record.note(tx, { subject: inviteName(code), before });
    return row;
  });
}

export async function listBoardsOfInvite(db: Db, code: string): Promise<{ id: number; name: string }[]> {
  return db<{ id: number; name: string }[]>`
    select l.id, l.name from hotlap.invite_leaderboards il join hotlap.leaderboards l on l.id = il.leaderboard_id
    where il.code = ${code} order by lower(l.name)`;
}

/** The whole code would let a reader of the log in. */
function inviteName(code: string): string {
  return `invite ${code.slice(0, 6)}…`;
}

export type Claim = { boards: string[] } | 'unknown' | 'taken';

/** The boards that the code opens, by name. Claiming one's own code again is no fault. */
export async function claimInvite(
  sql: Sql,
  code: string,
  user: { id: string; name: string },
  record: ChangeRecord,
): Promise<Claim> {
  return sql.begin(async (tx) => {
    const [row] = await tx<{ claimedBy: string | null }[]>`
      select claimed_by as "claimedBy" from hotlap.invites where code = ${code} for update`;
    if (!row) return 'unknown';
    if (row.claimedBy !== null && row.claimedBy !== user.id) return 'taken';
    const boards = (await listBoardsOfInvite(tx, code)).map((board) => board.name);
    if (row.claimedBy === user.id) {
      record.settle();
      return { boards };
    }
    await saveUser(tx, user);
    await tx`update hotlap.invites set claimed_by = ${user.id}, claimed_at = now() where code = ${code}`;
    await record.note(tx, {
      subject: inviteName(code),
      after: { claimed_by: user.id, leaderboards: boards },
    });
    return { boards };
  });
}
