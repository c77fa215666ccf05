/** Refusals around what organisers set, and what they ask for. */
export const organiserErrors = {
  'not-your-leaderboard': {
    status: 403,
    text: '`{leaderboard}` was made by somebody else.',
    next: 'As a creator you run the leaderboards that you made: {own}. Ask an admin for others.',
  },
  'no-such-leaderboard': {
    status: 404,
    text: 'There is no leaderboard `{leaderboard}`.',
    next: 'You run: {own}.',
  },
  'leaderboard-exists': {
    status: 409,
    text: 'There is a leaderboard `{leaderboard}` already.',
    next: 'Nothing was made. Choose another name; `/admin leaderboard update` reads the problem of yours again.',
  },
  'leaderboard-name': {
    status: 400,
    text: '`{leaderboard}` is no usable name for a leaderboard.',
    next: 'Use 1 to 100 letters, digits, `.`, `_` or `-`.',
  },
  'one-place': {
    status: 400,
    text: 'A leaderboard is made from a directory, or several from a set.',
    next: 'Give one of `directory` and `set`. `name` and `gpus` are for a directory alone.',
  },
  'set-has-nothing-new': {
    status: 409,
    text: 'The set `{set}` has no problem without a leaderboard.',
    next: 'Nothing was made. `/admin problems sync` brings boards that are there up to date.{refused}',
  },
  'set-not-read': {
    status: 404,
    text: 'There is no set `{set}` in the problems folder, or no problem of it is in order.',
    next: '`/admin problems sync` shows what is there, and what is wrong with it.',
  },
  'changed-meanwhile': {
    status: 409,
    text: 'Somebody else changed it at the same moment.',
    next: 'Nothing was done. Look at how it is now, and run the command again.',
  },
  'board-of-a-set': {
    status: 409,
    text: '`{leaderboard}` comes from the set `{set}`.',
    next: 'Nothing was read. `/admin problems sync` brings a whole set up to date, and shows what changes first.',
  },
  'closed-in-composite': {
    status: 409,
    text: 'The composite `{composite}` of `{host}`, which everybody sees, takes in `{member}`, which would be closed.',
    next: 'Nothing was changed. Leave it out of that composite first: `/admin leaderboard ranking leaderboard:{host}`.',
    nextHttp: 'Nothing was changed. Leave it out of that composite first.',
  },
  'bad-moment': {
    status: 400,
    text: '“{text}” is no time that Hotlap understands.',
    next: 'Write when (`2026-12-01 18:00`, in UTC) or how far ahead (`90m`, `24h`, `3d`).',
  },
  'moment-passed': {
    status: 400,
    text: '{moment} has passed already.',
    next: 'Write a time that is still to come.',
  },
  'wrong-confirmation': {
    status: 400,
    text: 'That was not `{expected}`, so nothing was deleted.',
    next: 'Run the command again and type the name exactly.',
  },
  'invalid-already': {
    status: 409,
    text: 'Submission #{id} is out of the rankings already.',
    next: 'Nothing was changed. `/admin audit show subject:submission {id}` shows who did it and why.',
  },
  'valid-already': {
    status: 409,
    text: 'Submission #{id} counts already.',
    next: 'Nothing was changed. Where it is not ranked all the same, `/submissions show` says why.',
  },
  'appeal-decided': {
    status: 409,
    text: 'The appeal about #{id} is decided: {how}.',
    next: 'Nothing was changed.',
  },
  'appeal-over': {
    status: 409,
    text: 'There is nothing to appeal against any more: {how}.',
    next: '`/submissions show` shows how the submission stands.',
  },
  'unknown-invite': {
    status: 404,
    text: 'There is no such invite code.',
    next: 'Copy the whole code, or ask an organiser for a new one: it may have been revoked.',
  },
  'invite-taken': {
    status: 409,
    text: 'This invite code is somebody else’s already.',
    next: 'A code is for one person. Ask an organiser for one of your own.',
  },
  'no-limit': {
    status: 404,
    text: '`{leaderboard}` has no limit for {mode}.',
    next: '`/admin limit show` lists the limits.',
  },
  'unknown-person': {
    status: 404,
    text: 'Hotlap does not know this person: they have never used it.',
    next: 'Nothing was changed. `/admin user ban` takes a Discord user, or the id of an account (`github:583231`).',
  },
  'name-your-leaderboard': {
    status: 400,
    text: 'The whole contest is for admins to look at.',
    next: 'Name one of your leaderboards.',
  },
  'one-person': {
    status: 400,
    text: 'Somebody is named by `user` or by `account`.',
    next: 'Nothing was changed. Give one of the two.',
  },
  'channel-unusable': {
    status: 404,
    text: 'Nothing can be written into {channel}.',
    next: 'The channel is gone, or the bot may not write there. Nothing was sent: name another channel.',
  },
  'not-banned': {
    status: 409,
    text: 'No ban of this person is in force.',
    next: '`/admin user bans` lists those that are.',
  },
  'role-needed': {
    status: 403,
    text: 'You do not have the role for this.',
    next: 'It needs {roles}: ask an organiser to do it, or to give you that role.',
  },
  'participants-only': {
    status: 403,
    text: 'Submissions are for participants, and this account does not have their role on Discord.',
    next: 'Ask an organiser for the role.',
    nextHttp:
      'Ask an organiser for the role; whoever has it links a command line by `/account link` in Discord.',
  },
  'leaderboard-not-open': {
    status: 403,
    text: '`{leaderboard}` is {stage}: it takes no submissions.',
    next: 'Its results stay in `/leaderboard show`; `/leaderboard list` shows what is open.',
    nextHttp: 'Its results stay where they are; submit to a leaderboard that is open.',
  },
  'leaderboard-has-submissions': {
    status: 400,
    text: 'Could not delete leaderboard `{leaderboard}` with existing submissions.',
    next: 'Nothing was deleted. `force:True` destroys its submissions as well ({count}); `/admin leaderboard archive` keeps them.',
    nextHttp: 'Force it to destroy its submissions as well ({count}).',
  },
  'closed-leaderboard': {
    status: 403,
    text: 'You do not have access to `{leaderboard}`: it is closed.',
    next: 'Ask an organiser for an invite code.',
  },
  banned: {
    status: 403,
    text: 'You are banned from making submissions{until}.{reason}',
    next: 'An organiser can tell you more.',
  },
  'still-unreachable': {
    status: 403,
    text: 'Discord still takes no message from Hotlap to you.',
    next: 'Allow direct messages from members of this server (its menu, Privacy Settings), and unblock Hotlap if you have blocked it; then press **Try again**.',
  },
  'not-accepting': {
    status: 503,
    text: 'No submissions are taken at the moment.{message}',
    next: 'Nothing was stored. Submit it again later.',
  },
} as const;
