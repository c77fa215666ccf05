/** Refusals around teams. */
export const teamErrors = {
  'teams-off': {
    status: 403,
    text: 'There are no teams in this contest.',
    next: 'Everybody competes alone. An organiser can change that with `/admin team rules`.',
  },
  'team-name': {
    status: 400,
    text: '`{name}` is no usable name for a team.',
    next: "Use 2 to 32 letters, digits, spaces and `. _ ' & + ! -`, with a letter or digit first.",
  },
  'team-exists': {
    status: 409,
    text: 'There is a team `{name}` already.',
    next: 'Choose another name.',
  },
  'unknown-team': {
    status: 404,
    text: 'There is no team `{name}`.',
    next: 'The names come up as you type; `/team create` starts one.',
  },
  'no-team': {
    status: 409,
    text: 'You are in no team.',
    next: '`/team create` starts one, and `/team join` takes you into one that has invited you.',
  },
  'in-a-team': {
    status: 409,
    text: 'You are in the team `{name}` already.',
    next: 'Nobody is in two at a time. `/team leave` takes you out of it.',
  },
  'not-the-founder': {
    status: 403,
    text: 'Only the founder of `{name}` does that.',
    next: 'Ask them: `/team show` says who it is.',
  },
  'not-invited': {
    status: 403,
    text: 'You have no invitation from the team `{name}`.',
    next: 'Ask its founder for one: `/team show` says who it is. An invitation is good once.',
  },
  'team-full': {
    status: 409,
    text: '`{name}` has {max} members, and no more are allowed.',
    next: 'Your invitation stays: join when somebody has left.',
  },
  'team-wait': {
    status: 409,
    text: 'You have left a team, and can be in another one from {moment}.',
    next: 'The wait keeps people from carrying code from team to team. Your entries count for you alone until then; the team that you left can invite you back at any time.',
  },
  'cannot-invite': {
    status: 400,
    text: 'That is nobody whom you can invite.',
    next: 'Name another person on this server, no bot and not yourself.',
  },
  'member-already': {
    status: 409,
    text: 'They are in `{name}` already.',
    next: '`/team show` lists its members.',
  },
  'too-many-invites': {
    status: 409,
    text: '`{name}` has {max} invitations that nobody has answered.',
    next: 'Take one back with `/team remove`.',
  },
  'not-a-member': {
    status: 404,
    text: 'They are not in `{name}`, nor invited.',
    next: '`/team show` lists its members. To go yourself, use `/team leave`.',
  },
} as const;
