/** Closed boards: who may enter, and the codes that let people in. A code is good for one person, and for all its boards. */
import { randomBytes } from 'node:crypto';
import type { Db, Sql } from './client.ts';

export type Visibility = 'public' | 'closed';

export interface BoardAccess {
  id: number;
  name: string;
  visibility: Visibility;
  scoreAscending: boolean;
  /** In the board's own order and spelling. */
  gpus: string[];
  /** True for everybody where the board is public. */
  mayEnter: boolean;
}

/** How a person, or nobody in particular (null), stands to a board. Null when there is no such board. */
export async function findBoardAccess(
  db: Db,
  name: string,
  userId: string | null,
): Promise<BoardAccess | null> {
  const [row] = await db<BoardAccess[]>`
    select l.id, l.name, l.visibility, l.score_ascending as "scoreAscending",
      array(select g.gpu_type from hotlap.leaderboard_gpus g
            where g.leaderboard_id = l.id order by g.position) as gpus,
      l.visibility = 'public' or exists (
        select from hotlap.board_members m where m.leaderboard_id = l.id and m.user_id = ${userId}) as "mayEnter"
    from hotlap.leaderboards l where lower(l.name) = lower(${name})`;
  return row ?? null;
}

/** Returns the name as the board has it, or null when there is no such board. */
export async function setVisibility(db: Db, name: string, visibility: Visibility): Promise<string | null> {
  const [row] = await db<{ name: string }[]>`
    update hotlap.leaderboards set visibility = ${visibility}, updated_at = now()
    where lower(name) = lower(${name}) returning name`;
  return row?.name ?? null;
}

/** `count` codes, each for all of the boards: 22 characters that no URL needs to escape, 128 random bits. */
export async function createInvites(
  sql: Sql,
  request: { leaderboardIds: number[]; count: number; createdBy: string },
): Promise<string[]> {
  const codes = Array.from({ length: request.count }, () => randomBytes(16).toString('base64url'));
  await sql.begin(async (tx) => {
    await tx`
      insert into hotlap.invites (code, created_by) select code, ${request.createdBy} from unnest(${codes}::text[]) code`;
    await tx`
      insert into hotlap.invite_leaderboards (code, leaderboard_id)
      select code, board from unnest(${codes}::text[]) code, unnest(${request.leaderboardIds}::bigint[]) board`;
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
export async function revokeInvite(db: Db, code: string): Promise<{ wasClaimed: boolean } | null> {
  const [row] = await db<{ wasClaimed: boolean }[]>`
    delete from hotlap.invites where code = ${code} returning claimed_by is not null as "wasClaimed"`;
  return row ?? null;
}

export type Claim = { boards: string[] } | 'unknown' | 'taken';

/** The boards that the code opens, by name. Claiming one's own code again is no fault. */
export async function claimInvite(sql: Sql, code: string, userId: string): Promise<Claim> {
  return sql.begin(async (tx) => {
    const [row] = await tx<{ claimedBy: string | null }[]>`
      select claimed_by as "claimedBy" from hotlap.invites where code = ${code} for update`;
    if (!row) return 'unknown';
    if (row.claimedBy !== null && row.claimedBy !== userId) return 'taken';
    await tx`
      update hotlap.invites set claimed_by = ${userId}, claimed_at = now()
      where code = ${code} and claimed_by is null`;
    const boards = await tx<{ name: string }[]>`
      select l.name from hotlap.invite_leaderboards il join hotlap.leaderboards l on l.id = il.leaderboard_id
      where il.code = ${code} order by lower(l.name)`;
    return { boards: boards.map((board) => board.name) };
  });
}
