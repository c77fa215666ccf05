/**
 * What people and organisers do with teams. Each is one transaction under one lock: who is in which team, its size, its name
 * and its invitations are looked at and changed by one person at a time, places on boards move with them, and the audit log
 * has it.
 */
import type { ChangeRecord } from '../db/audit.ts';
import type { Db, Sql } from '../db/client.ts';
import {
  deleteTeamInvite,
  endMemberships,
  endTeam,
  findTeam,
  findTeamById,
  findTeamOf,
  findTeamRules,
  findTeamWait,
  insertTeam,
  insertTeamInvite,
  listTeamInvites,
  listTeamMembers,
  lockTeams,
  rankMembers,
  saveTeamRules,
  startMembership,
  updateTeam,
} from '../db/teams.ts';
import { saveUser } from '../db/users.ts';
import { UserError } from '../domain/errors.ts';
import { MAX_TEAM_INVITES, parseTeamName, type Team, type TeamRules } from '../domain/team.ts';
import { refuseBanned } from './admission.ts';

interface Person {
  id: string;
  name: string;
}

function change<T>(sql: Sql, work: (tx: Db) => Promise<T>): Promise<T> {
  return sql.begin(async (tx) => {
    await lockTeams(tx);
    return work(tx);
  }) as Promise<T>;
}

const subject = (team: Pick<Team, 'name'>) => `team ${team.name}`;

async function getOwnTeam(tx: Db, userId: string): Promise<Team> {
  const team = await findTeamOf(tx, userId);
  if (!team) throw new UserError('no-team');
  return team;
}

async function getFoundedTeam(tx: Db, userId: string): Promise<Team> {
  const team = await getOwnTeam(tx, userId);
  if (team.founderId !== userId) throw new UserError('not-the-founder', { name: team.name });
  return team;
}

/** By name. Throws UserError. */
export async function getTeam(db: Db, name: string): Promise<Team> {
  const team = await findTeam(db, name.trim());
  if (!team) throw new UserError('unknown-team', { name });
  return team;
}

async function freeName(tx: Db, text: string, own: number | null): Promise<string> {
  const name = parseTeamName(text);
  if (name === null) throw new UserError('team-name', { name: text });
  const holder = await findTeam(tx, name);
  if (holder && holder.id !== own) throw new UserError('team-exists', { name: holder.name });
  return name;
}

/** Throws unless the person may become a member now; `teamId` null: of a new team. */
async function checkFree(tx: Db, userId: string, teamId: number | null, rules: TeamRules): Promise<void> {
  await refuseBanned(tx, userId);
  const present = await findTeamOf(tx, userId);
  if (present) throw new UserError('in-a-team', { name: present.name });
  const until = await findTeamWait(tx, userId, teamId, rules.waitDays);
  if (until === null) return;
  const moment = `${until.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  throw new UserError('team-wait', { moment });
}

/** The founder is its first member. */
export async function createTeam(
  sql: Sql,
  user: Person,
  wanted: { name: string; shares: boolean },
  record: ChangeRecord,
): Promise<Team> {
  await saveUser(sql, user);
  return change(sql, async (tx) => {
    const rules = await findTeamRules(tx);
    if (rules.maxMembers < 2) throw new UserError('teams-off');
    await checkFree(tx, user.id, null, rules);
    const name = await freeName(tx, wanted.name, null);
    const id = await insertTeam(tx, { name, founderId: user.id, shares: wanted.shares });
    await startMembership(tx, id, user.id);
    await rankMembers(tx, [user.id]);
    await record.note(tx, { subject: subject({ name }), after: { founder: user.id, shares: wanted.shares } });
    return getTeam(tx, name);
  });
}

/** Inviting somebody again is no fault. */
export async function inviteToTeam(
  sql: Sql,
  founderId: string,
  invited: Person,
  record: ChangeRecord,
): Promise<Team> {
  await saveUser(sql, invited);
  return change(sql, async (tx) => {
    const team = await getFoundedTeam(tx, founderId);
    await refuseBanned(tx, founderId);
    const members = await listTeamMembers(tx, team.id);
    if (members.some((member) => member.userId === invited.id))
      throw new UserError('member-already', { name: team.name });
    const open = await listTeamInvites(tx, team.id);
    if (open.some((invite) => invite.userId === invited.id)) {
      record.settle();
      return team;
    }
    if (open.length >= MAX_TEAM_INVITES)
      throw new UserError('too-many-invites', { name: team.name, max: MAX_TEAM_INVITES });
    await insertTeamInvite(tx, team.id, invited.id);
    await record.note(tx, { subject: subject(team), after: { invited: invited.id } });
    return team;
  });
}

/** By its name, or by its number from a button. */
export async function joinTeam(
  sql: Sql,
  user: Person,
  wanted: string | number,
  record: ChangeRecord,
): Promise<Team> {
  await saveUser(sql, user);
  return change(sql, async (tx) => {
    const team = typeof wanted === 'string' ? await getTeam(tx, wanted) : await findTeamById(tx, wanted);
    if (!team) throw new UserError('choice-expired');
    const rules = await findTeamRules(tx);
    const invites = await listTeamInvites(tx, team.id);
    if (!invites.some((invite) => invite.userId === user.id)) {
      const present = await findTeamOf(tx, user.id);
      if (present?.id === team.id) throw new UserError('in-a-team', { name: team.name });
      throw new UserError('not-invited', { name: team.name });
    }
    await checkFree(tx, user.id, team.id, rules);
    const members = await listTeamMembers(tx, team.id);
    if (members.length >= rules.maxMembers)
      throw new UserError('team-full', { name: team.name, max: members.length });
    await deleteTeamInvite(tx, team.id, user.id);
    await startMembership(tx, team.id, user.id);
    await rankMembers(tx, [user.id]);
    await record.note(tx, {
      subject: subject(team),
      after: { joined: user.id, members: members.length + 1 },
    });
    return team;
  });
}

/** The next in standing follows a founder; with the last one the team ends. */
export async function leaveTeam(
  sql: Sql,
  userId: string,
  record: ChangeRecord,
): Promise<{ team: Team; next: { founderId: string } | 'ended' | null }> {
  return change(sql, async (tx) => {
    const team = await getOwnTeam(tx, userId);
    const left = await takeOut(tx, team, userId);
    const [heir] = left;
    if (!heir) await endTeam(tx, team.id);
    else if (team.founderId === userId) await updateTeam(tx, team.id, { founderId: heir });
    const next = !heir ? 'ended' : team.founderId === userId ? { founderId: heir } : null;
    await record.note(tx, {
      subject: subject(team),
      before: { member: userId },
      after: { members: left.length },
    });
    return { team, next };
  });
}

/** Returns who stays, those of longest standing first. */
async function takeOut(tx: Db, team: Team, userId: string): Promise<string[]> {
  const members = (await listTeamMembers(tx, team.id)).map((member) => member.userId);
  await endMemberships(tx, [userId]);
  await rankMembers(tx, members);
  return members.filter((member) => member !== userId);
}

/** A member, or an invitation that was not answered. */
export async function removeFromTeam(
  sql: Sql,
  founderId: string,
  userId: string,
  record: ChangeRecord,
): Promise<{ team: Team; was: 'member' | 'invited' }> {
  return change(sql, async (tx) => {
    const team = await getFoundedTeam(tx, founderId);
    const other = userId === founderId ? null : await findTeamOf(tx, userId);
    const was = other?.id === team.id ? 'member' : 'invited';
    if (was === 'member') await takeOut(tx, team, userId);
    else if (!(await deleteTeamInvite(tx, team.id, userId)))
      throw new UserError('not-a-member', { name: team.name });
    await record.note(tx, { subject: subject(team), before: { [was]: userId } });
    return { team, was };
  });
}

/** Returns it as it was. */
export async function setTeamSharing(
  sql: Sql,
  founderId: string,
  shares: boolean,
  record: ChangeRecord,
): Promise<Team> {
  return change(sql, async (tx) => {
    const team = await getFoundedTeam(tx, founderId);
    if ((team.sharedSince !== null) === shares) {
      record.settle();
      return team;
    }
    await updateTeam(tx, team.id, { shares });
    await record.note(tx, { subject: subject(team), before: { shares: !shares }, after: { shares } });
    return team;
  });
}

/** Its founder's, or for an organiser the one of this name. */
export type TeamOf = { founderId: string } | { team: string; reason: string | null };

async function getTeamOf(tx: Db, of: TeamOf): Promise<{ team: Team; reason: string | null }> {
  if ('founderId' in of) return { team: await getFoundedTeam(tx, of.founderId), reason: null };
  return { team: await getTeam(tx, of.team), reason: of.reason };
}

/** Returns it as it was, and the new name. */
export async function renameTeam(
  sql: Sql,
  of: TeamOf,
  wanted: string,
  record: ChangeRecord,
): Promise<{ team: Team; name: string }> {
  return change(sql, async (tx) => {
    const { team, reason } = await getTeamOf(tx, of);
    // What everybody reads is not theirs to write.
    if ('founderId' in of) await refuseBanned(tx, of.founderId);
    const name = await freeName(tx, wanted, team.id);
    if (name === team.name) {
      record.settle();
      return { team, name };
    }
    await updateTeam(tx, team.id, { name });
    await record.note(tx, { subject: subject(team), before: { name: team.name }, after: { name }, reason });
    return { team, name };
  });
}

/** Returns it as it was. */
export async function disbandTeam(sql: Sql, of: TeamOf, record: ChangeRecord): Promise<Team> {
  return change(sql, async (tx) => {
    const { team, reason } = await getTeamOf(tx, of);
    const members = (await listTeamMembers(tx, team.id)).map((member) => member.userId);
    await endMemberships(tx, members);
    await endTeam(tx, team.id);
    await rankMembers(tx, members);
    await record.note(tx, { subject: subject(team), before: { members }, reason });
    return team;
  });
}

/** What is left out stays. */
export async function setTeamRules(
  sql: Sql,
  wanted: Partial<TeamRules>,
  record: ChangeRecord,
): Promise<TeamRules> {
  return change(sql, async (tx) => {
    const before = await findTeamRules(tx);
    const after = { ...before, ...wanted };
    if (after.maxMembers === before.maxMembers && after.waitDays === before.waitDays) {
      record.settle();
      return after;
    }
    await saveTeamRules(tx, after);
    await record.note(tx, { subject: 'teams', before: { ...before }, after: { ...after } });
    return after;
  });
}
