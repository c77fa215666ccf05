/** Teams: people who compete under one name. What they do to the ranking is in migration 0016 (`hotlap.board_teams`). */

export interface Team {
  id: number;
  name: string;
  /** Who invites, names and ends it. */
  founderId: string;
  createdAt: Date;
  /** Members see each other's submissions from then on; null: they do not. */
  sharedSince: Date | null;
}

export interface TeamMember {
  userId: string;
  userName: string;
  joinedAt: Date;
}

/** For all teams of the server. */
export interface TeamRules {
  /** Below 2 there are no teams. Teams that are larger already stay as they are. */
  maxMembers: number;
  /** Before somebody who has left others behind joins another team. */
  waitDays: number;
}

export const defaultTeamRules: TeamRules = { maxMembers: 4, waitDays: 7 };

/** Invitations of one team that nobody has answered. */
export const MAX_TEAM_INVITES = 10;

export const TEAM_NAME_CHARS = 32;
const NAME = /^[\p{L}\p{N}][\p{L}\p{M}\p{N} ._'&+!-]*[\p{L}\p{M}\p{N}._'&+!-]$/u;

/** As it is kept: composed, with single spaces. Null where it cannot be a name. */
export function parseTeamName(text: string): string | null {
  const name = text.normalize('NFC').trim().replace(/\s+/g, ' ');
  return name.length <= TEAM_NAME_CHARS && NAME.test(name) ? name : null;
}
