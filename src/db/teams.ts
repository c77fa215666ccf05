/**
 * Teams: who is in which, and who may read what. Whoever changes something calls `lockTeams` first, so that what it has
 * looked at still holds when it writes; intake/teams.ts has the rules.
 */
import { defaultTeamRules, type Team, type TeamMember, type TeamRules } from '../domain/team.ts';
import type { Db } from './client.ts';

/** One change at a time, and no entry is ranked meanwhile: it would be ranked by members that are no more. */
export async function lockTeams(tx: Db): Promise<void> {
  await tx`select pg_advisory_xact_lock(hashtextextended('entries', 0))`;
}

const columns = (db: Db) => db`
  t.id, t.name, t.founder_id as "founderId", t.created_at as "createdAt", t.shared_since as "sharedSince"`;

/** Of those that still are. Names are compared without regard to case. */
export async function findTeam(db: Db, name: string): Promise<Team | null> {
  const [row] = await db<Team[]>`
    select ${columns(db)} from hotlap.teams t where lower(t.name) = lower(${name}) and t.disbanded_at is null`;
  return row ?? null;
}

export async function findTeamById(db: Db, id: number): Promise<Team | null> {
  const [row] = await db<Team[]>`
    select ${columns(db)} from hotlap.teams t where t.id = ${id} and t.disbanded_at is null`;
  return row ?? null;
}

export async function findTeamOf(db: Db, userId: string): Promise<Team | null> {
  const [row] = await db<Team[]>`
    select ${columns(db)} from hotlap.team_members m join hotlap.teams t on t.id = m.team_id
    where m.user_id = ${userId} and m.left_at = 'infinity'`;
  return row ?? null;
}

/** Those of longest standing first. */
export async function listTeamMembers(db: Db, teamId: number): Promise<TeamMember[]> {
  return db<TeamMember[]>`
    select m.user_id as "userId", u.name as "userName", m.joined_at as "joinedAt"
    from hotlap.team_members m join hotlap.users u on u.id = m.user_id
    where m.team_id = ${teamId} and m.left_at = 'infinity' order by m.joined_at, m.user_id`;
}

export interface TeamSummary extends Team {
  founderName: string;
  members: number;
}

/** By name; `typed` is a part of it. `invited`: only those that have invited this person. */
export async function listTeams(
  db: Db,
  filter: { typed?: string; invited?: string },
  page: { limit: number; offset: number },
): Promise<{ teams: TeamSummary[]; total: number }> {
  const { typed = '', invited = null } = filter;
  const rows = await db<(TeamSummary & { total: number })[]>`
    select ${columns(db)}, u.name as "founderName", count(*) over () as total, (
        select count(*) from hotlap.team_members m where m.team_id = t.id and m.left_at = 'infinity') as members
    from hotlap.teams t join hotlap.users u on u.id = t.founder_id
    where t.disbanded_at is null and position(lower(${typed}) in lower(t.name)) > 0
      and (${invited}::text is null or exists (
        select from hotlap.team_invites i where i.team_id = t.id and i.user_id = ${invited}))
    order by lower(t.name) limit ${page.limit} offset ${page.offset}`;
  return { teams: rows.map(({ total: _, ...team }) => team), total: rows[0]?.total ?? 0 };
}

export async function insertTeam(
  tx: Db,
  team: { name: string; founderId: string; shares: boolean },
): Promise<number> {
  const [row] = await tx<{ id: number }[]>`
    insert into hotlap.teams (name, founder_id, shared_since)
    values (${team.name}, ${team.founderId}, ${team.shares ? tx`now()` : null}) returning id`;
  if (!row) throw new Error('inserting a team returned no row');
  return row.id;
}

/** `shares` true: what is sent from now on. */
export async function updateTeam(
  tx: Db,
  id: number,
  change: { name?: string; founderId?: string; shares?: boolean },
): Promise<void> {
  const { name = null, founderId = null, shares = null } = change;
  await tx`
    update hotlap.teams set name = coalesce(${name}, name), founder_id = coalesce(${founderId}, founder_id),
      shared_since = case when ${shares}::boolean is null then shared_since when ${shares} then now() end
    where id = ${id}`;
}

/** Its name is free from then on. */
export async function endTeam(tx: Db, id: number): Promise<void> {
  await tx`update hotlap.teams set disbanded_at = now() where id = ${id}`;
  await tx`delete from hotlap.team_invites where team_id = ${id}`;
}

/** A transaction may have begun before the one that it waited for: times follow the order in which things were done. */
export async function startMembership(tx: Db, teamId: number, userId: string): Promise<void> {
  await tx`
    insert into hotlap.team_members (team_id, user_id, joined_at)
    select ${teamId}, ${userId}, greatest(now(), max(left_at)) from hotlap.team_members where user_id = ${userId}`;
}

export async function endMemberships(tx: Db, userIds: string[]): Promise<void> {
  await tx`
    update hotlap.team_members set left_at = greatest(now(), joined_at + interval '1 microsecond')
    where user_id = any(${userIds}) and left_at = 'infinity'`;
}

/** To be called in the transaction that began or ended memberships, with all whom it concerns: also those who stay. */
export async function rankMembers(tx: Db, userIds: string[]): Promise<void> {
  await tx`select hotlap.refresh_teams(null, ${userIds}::text[])`;
}

/**
 * Until when somebody may be in no other team than this one (null: than a new one), having left people behind in another
 * within the last `waitDays` days. Null: there is nothing to wait for.
 */
export async function findTeamWait(
  db: Db,
  userId: string,
  teamId: number | null,
  waitDays: number,
): Promise<Date | null> {
  const [row] = await db<{ until: Date | null }[]>`
    select max(own.left_at) + make_interval(days => ${waitDays}) as until
    from hotlap.team_members own
    where own.user_id = ${userId} and own.left_at < 'infinity'
      and own.left_at + make_interval(days => ${waitDays}) > now()
      and own.team_id is distinct from ${teamId}
      and exists (select from hotlap.team_members mate
        where mate.team_id = own.team_id and mate.user_id <> own.user_id
          and mate.joined_at < own.left_at and mate.left_at > own.joined_at)`;
  return row?.until ?? null;
}

/** False where there was one already. */
export async function insertTeamInvite(tx: Db, teamId: number, userId: string): Promise<boolean> {
  const rows = await tx`
    insert into hotlap.team_invites (team_id, user_id) values (${teamId}, ${userId})
    on conflict do nothing returning 1`;
  return rows.length > 0;
}

/** False where there was none. */
export async function deleteTeamInvite(tx: Db, teamId: number, userId: string): Promise<boolean> {
  const rows = await tx`
    delete from hotlap.team_invites where team_id = ${teamId} and user_id = ${userId} returning 1`;
  return rows.length > 0;
}

/** Who has not answered yet, the first invited first. */
export async function listTeamInvites(
  db: Db,
  teamId: number,
): Promise<{ userId: string; invitedAt: Date }[]> {
  return db<{ userId: string; invitedAt: Date }[]>`
    select user_id as "userId", invited_at as "invitedAt" from hotlap.team_invites
    where team_id = ${teamId} order by invited_at, user_id`;
}

export interface TeamPlace {
  leaderboard: string;
  gpuType: string;
  rank: number;
  submissionId: number;
  userId: string;
}

/** On GPU types of boards that are open to the viewer, best places first. */
export async function listTeamPlaces(
  db: Db,
  teamId: number,
  viewer: { userId: string; isAdmin: boolean },
  limit: number,
): Promise<TeamPlace[]> {
  return db<TeamPlace[]>`
    select l.name as leaderboard, e.gpu_type as "gpuType", e.submission_id as "submissionId", e.user_id as "userId",
      hotlap.rank_of(e.leaderboard_id, e.gpu_type, e.sort_key) as rank
    from hotlap.best_entries e join hotlap.leaderboards l on l.id = e.leaderboard_id
    where e.team_id = ${teamId} and l.stage <> 'archived'
      and (${viewer.isAdmin} or l.visibility = 'public' or exists (
        select from hotlap.board_members m where m.leaderboard_id = l.id and m.user_id = ${viewer.userId}))
    order by rank, lower(l.name), e.gpu_type limit ${limit}`;
}

/** Whether it is a team mate's who lets this person see it. */
export async function isSharedWith(db: Db, submissionId: number, viewerId: string): Promise<boolean> {
  const rows = await db`
    select 1 from hotlap.shared_submissions where submission_id = ${submissionId} and viewer_id = ${viewerId}`;
  return rows.length > 0;
}

export async function findTeamRules(db: Db): Promise<TeamRules> {
  const [row] = await db<{ value: TeamRules }[]>`select value from hotlap.settings where key = 'teams'`;
  return row?.value ?? defaultTeamRules;
}

export async function saveTeamRules(tx: Db, rules: TeamRules): Promise<void> {
  await tx`
    insert into hotlap.settings (key, value) values ('teams', ${tx.json({ ...rules })})
    on conflict (key) do update set value = excluded.value, updated_at = now()`;
}
