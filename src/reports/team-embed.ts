/** A team as an embed, the list of all, and what stands below an invitation. */
import type { APIEmbed } from 'discord-api-types/v10';
import type { Team, TeamMember, TeamRules } from '../domain/team.ts';
import { colours } from './colours.ts';
import { code, cut, FIELD_CHARS, plain } from './markdown.ts';
import { timestamp } from './measure.ts';

export const TEAM_LIST = 20;

export interface TeamView {
  team: Team;
  members: TeamMember[];
  places: { leaderboard: string; gpuType: string; rank: number; submissionId: number; userId: string }[];
  /** Null where the reader is not in it. */
  invited: { userId: string; invitedAt: Date }[] | null;
  rules: TeamRules;
}

export function teamEmbed({ team, members, places, invited, rules }: TeamView): APIEmbed {
  const people = members.map(
    ({ userId, joinedAt }) =>
      `<@${userId}>${userId === team.founderId ? ' · founder' : ''} · since ${timestamp(joinedAt, 'd')}`,
  );
  const standings = places.map(
    ({ leaderboard, gpuType, rank, submissionId, userId }) =>
      `**${rank}.** on ${plain(leaderboard)} · ${plain(gpuType)}, #${submissionId} by <@${userId}>`,
  );
  const open = invited?.map(({ userId, invitedAt }) => `<@${userId}> · ${timestamp(invitedAt, 'R')}`) ?? [];
  return {
    title: cut(team.name, 256),
    color: colours.running,
    description: sharingText(team),
    fields: [
      { name: `Members (${members.length} of ${rules.maxMembers})`, value: fieldText(people) },
      ...(standings.length > 0 ? [{ name: 'Places', value: fieldText(standings) }] : []),
      ...(open.length > 0 ? [{ name: 'Invited', value: fieldText(open) }] : []),
    ],
    footer: { text: 'The best entry among the members takes the team’s one place.' },
  };
}

/** Whole lines, as many as fit. */
function fieldText(lines: string[]): string {
  const shown: string[] = [];
  for (const line of lines) {
    const more = `and ${lines.length - shown.length} more`;
    if ([...shown, line, more].join('\n').length > FIELD_CHARS) return [...shown, more].join('\n');
    shown.push(line);
  }
  return shown.join('\n');
}

function sharingText({ sharedSince }: Team): string {
  return sharedSince === null
    ? 'Members do not see each other’s submissions.'
    : `Members see each other’s submissions, with code and secret scores: what was sent since ${timestamp(sharedSince, 'f')} and while both were in the team.`;
}

/** What somebody should know before they say yes. */
export function teamInviteEmbed(team: Team, founderId: string): APIEmbed {
  return {
    title: cut(`An invitation from ${team.name}`, 256),
    color: colours.running,
    description: [
      `<@${founderId}> asks you to compete as one team: on every board that is still open, the best entry among the members takes one place, under the team’s name.`,
      team.sharedSince === null
        ? 'Members do not see each other’s submissions.'
        : '**Members see each other’s submissions**, with code and secret scores: what you send from when you join.',
      `The button takes you in, or \`/team join\`. Whoever leaves takes their entries along.`,
    ].join('\n'),
  };
}

/** To those who did not turn it on. */
export function teamSharesEmbed(team: Pick<Team, 'name'>): APIEmbed {
  return {
    title: cut(`${team.name} shares from now on`, 256),
    color: colours.running,
    description:
      'What you send from now on is seen by the other members, with code and secret scores. What you sent before stays yours, and so does everything from when you `/team leave`.',
  };
}

export function teamListEmbed(
  list: { teams: (Team & { founderName: string; members: number })[]; total: number; page: number },
  rules: TeamRules,
): APIEmbed {
  const pages = Math.max(1, Math.ceil(list.total / TEAM_LIST));
  const lines = list.teams.map(
    ({ name, founderId, founderName, members, createdAt, sharedSince }) =>
      `${code(name)} · ${members} ${members === 1 ? 'member' : 'members'} · founder ${plain(founderName)} (${plain(founderId)}) · ${timestamp(createdAt, 'R')}${sharedSince === null ? '' : ' · shares'}`,
  );
  return {
    title: 'Teams',
    color: colours.running,
    description: cut(lines.join('\n') || 'There are none.', 4096),
    footer: {
      text: [
        `${list.total} in all`,
        rules.maxMembers < 2 ? 'no new ones: teams are off' : `at most ${rules.maxMembers} members`,
        `${rules.waitDays} days between two teams`,
        ...(pages > 1 ? [`page ${list.page + 1} of ${pages}`] : []),
      ].join(' · '),
    },
  };
}
