/** Refusals that judges meet: rows of the table in errors.ts. */
export const judgingErrors = {
  'no-scorers': {
    status: 409,
    text: 'Judges give no scores on `{leaderboard}`.',
    next: 'An organiser adds `scorers` to its rule with `/admin leaderboard ranking`.',
  },
  'unknown-scorer': {
    status: 400,
    text: '`{leaderboard}` has no scorer `{scorer}`.',
    next: 'It has: {scorers}.',
  },
  'score-range': {
    status: 400,
    text: '{value} is not a score.',
    next: 'Give a number from 0 (nothing of it) to 1 (all of it).',
  },
  'score-reason': {
    status: 400,
    text: 'A score needs a reason.',
    next: 'Say in 1 to {limit} characters what it rests on: the participant may ask.',
  },
  'own-submission': {
    status: 403,
    text: 'Submission #{id} is your own.',
    next: 'Leave it to another judge.',
  },
  'team-submission': {
    status: 403,
    text: 'Submission #{id} is of your own team, {team}.',
    next: 'Leave it to another judge.',
  },
  'nothing-to-judge': {
    status: 404,
    text: 'There is no submission #{id} on a leaderboard.',
    next: '`/judge panel` lists what is left to score.',
  },
  'not-to-judge': {
    status: 409,
    text: 'Submission #{id} cannot be scored: only ranked ones can that have run to their end (this one is {status}).',
    next: '`/judge panel` lists what is left to score.',
  },
} as const;
