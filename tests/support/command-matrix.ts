/**
 * Command by role: who may do what, written down a second time. The tests hold the rules against this table, and run
 * every command as every role against it.
 */
export const people = ['admin', 'creator', 'judge', 'participant', 'visitor'] as const;
export type PersonKind = (typeof people)[number];

/** In the order of `people`. */
const ADMIN = '+ - - - -';
const JUDGE = '+ - + - -';
const CREATOR = '+ + - - -';
const PARTICIPANT = '+ - - + -';
const EVERYBODY = '+ + + + +';

export const commandMatrix: Record<string, string> = {
  submit: PARTICIPANT,
  'leaderboard show': EVERYBODY,
  'leaderboard history': EVERYBODY,
  'leaderboard spread': EVERYBODY,
  'leaderboard list': EVERYBODY,
  'leaderboard task': EVERYBODY,
  'leaderboard template': EVERYBODY,
  'submissions mine': PARTICIPANT,
  'submissions show': PARTICIPANT,
  'submissions progress': PARTICIPANT,
  'submissions compare': PARTICIPANT,
  'submissions trace': PARTICIPANT,
  'submissions cancel': PARTICIPANT,
  queue: EVERYBODY,
  join: PARTICIPANT,
  quota: PARTICIPANT,
  'account link': PARTICIPANT,
  'account show': PARTICIPANT,
  'account revoke': PARTICIPANT,
  'judge score': JUDGE,
  'judge show': JUDGE,
  'judge panel': JUDGE,
  'admin leaderboard create': CREATOR,
  'admin leaderboard update': CREATOR,
  'admin leaderboard deadline': CREATOR,
  'admin leaderboard open': CREATOR,
  'admin leaderboard close': CREATOR,
  'admin leaderboard archive': CREATOR,
  'admin leaderboard visibility': CREATOR,
  'admin leaderboard late': CREATOR,
  'admin leaderboard delete': CREATOR,
  'admin invites create': CREATOR,
  'admin invites list': CREATOR,
  'admin invites revoke': CREATOR,
  'admin limit set': CREATOR,
  'admin limit remove': CREATOR,
  'admin limit show': CREATOR,
  'admin submission invalidate': CREATOR,
  'admin submission restore': CREATOR,
  'admin submission delete': ADMIN,
  'admin user ban': ADMIN,
  'admin user unban': ADMIN,
  'admin user bans': ADMIN,
  'admin contest accept': ADMIN,
  'admin contest stats': CREATOR,
  'admin contest export': ADMIN,
  'admin contest announce': ADMIN,
  'admin box add': ADMIN,
  'admin box list': ADMIN,
  'admin box doctor': ADMIN,
  'admin box drain': ADMIN,
  'admin box resume': ADMIN,
  'admin box remove': ADMIN,
  'admin leaderboard ranking': CREATOR,
  'admin problems sync': ADMIN,
  'admin rejudge start': ADMIN,
  'admin rejudge list': ADMIN,
  'admin rejudge show': ADMIN,
  'admin rejudge apply': ADMIN,
  'admin rejudge cancel': ADMIN,
  'admin audit show': ADMIN,
  'admin audit verify': ADMIN,
  'admin token create': ADMIN,
  'admin token list': ADMIN,
  'admin token revoke': ADMIN,
};

/** What is pressed or filled in, by the beginning of its custom id. */
export const componentMatrix: Record<string, string> = {
  submit: PARTICIPANT,
  leaderboard: EVERYBODY,
  'submissions:list': PARTICIPANT,
  'submissions:cancel': PARTICIPANT,
  'submissions:appeal': EVERYBODY,
  'submissions:appealed': EVERYBODY,
  'submissions:rerun': PARTICIPANT,
  'judge:panel': JUDGE,
  'admin:leaderboard:delete': CREATOR,
  'admin:submission:grant': CREATOR,
  'admin:submission:reject': CREATOR,
  'admin:submission:rejected': CREATOR,
  'admin:submission:delete': ADMIN,
  'admin:submission:keep': ADMIN,
  'admin:contest:announce': ADMIN,
  'admin:box:confirm': ADMIN,
  'admin:box:cancel': ADMIN,
  'admin:leaderboard:apply': CREATOR,
  'admin:leaderboard:drop': CREATOR,
  'admin:problems:apply': ADMIN,
  'admin:problems:drop': ADMIN,
  'admin:audit': ADMIN,
  'admin:rejudge:plan': ADMIN,
  'admin:rejudge:begin': ADMIN,
  'admin:rejudge:show': ADMIN,
  'admin:rejudge:apply': ADMIN,
  'admin:rejudge:cancel': ADMIN,
};

export function mayUse(row: string, person: PersonKind): boolean {
  return row.split(' ')[people.indexOf(person)] === '+';
}

/** Routes of the HTTP API by who may: an admin token, somebody with an account, nobody in particular. */
const ANYBODY = '+ + +';
const USER = '- + -';
const TOKEN = '+ - -';
/** An admin's token and somebody's account at once; neither will do alone. */
const BOTH = '- - -';
export const callers = ['admin token', 'account', 'nobody'] as const;

export const routeMatrix: Record<string, string> = {
  'GET /health': ANYBODY,
  'GET /ready': ANYBODY,
  'GET /metrics': ANYBODY,
  'GET /runner_queue/:gpu': ANYBODY,
  'GET /auth/init': ANYBODY,
  'GET /auth/start/:provider': ANYBODY,
  'GET /auth/cli/:provider': ANYBODY,
  'POST /auth/cli/confirm': ANYBODY,
  'GET /leaderboards': ANYBODY,
  'GET /gpus/:leaderboard': ANYBODY,
  'GET /submissions/:leaderboard/:gpu': ANYBODY,
  'GET /submission_count/:leaderboard/:gpu': ANYBODY,
  'GET /user/submissions': USER,
  'GET /user/submissions/:id': USER,
  'GET /user/submissions/:id/traces': USER,
  'GET /user/submissions/:id/traces/:trace': USER,
  'DELETE /user/submissions/:id': USER,
  'POST /user/join': USER,
  'POST /submission/:leaderboard/:gpu/:mode': USER,
  'POST /:leaderboard/:gpu/:mode': USER,
  'POST /admin/submission/:leaderboard/:gpu/:mode': BOTH,
  'POST /admin/start': TOKEN,
  'POST /admin/stop': TOKEN,
  'GET /admin/stats': TOKEN,
  'GET /admin/audit': TOKEN,
  'GET /admin/audit/verdict': TOKEN,
  'GET /admin/submissions/:id': TOKEN,
  'DELETE /admin/submissions/:id': TOKEN,
  'DELETE /admin/submissions': TOKEN,
  'GET /admin/leaderboards/:leaderboard/submissions': TOKEN,
  'POST /admin/invites': TOKEN,
  'GET /admin/leaderboards/:leaderboard/invites': TOKEN,
  'DELETE /admin/invites/:code': TOKEN,
  'POST /admin/leaderboards/:leaderboard/visibility': TOKEN,
  'GET /admin/leaderboards/:leaderboard/rate-limits': TOKEN,
  'PUT /admin/leaderboards/:leaderboard/rate-limits': TOKEN,
  'DELETE /admin/leaderboards/:leaderboard/rate-limits/:category': TOKEN,
  'POST /admin/ban/:user': TOKEN,
  'DELETE /admin/ban/:user': TOKEN,
  'POST /admin/export-hf': TOKEN,
  'GET /admin/exports/:file': TOKEN,
  'POST /admin/leaderboards': TOKEN,
  'POST /admin/update-problems': TOKEN,
  'DELETE /admin/leaderboards/:leaderboard': TOKEN,
  'POST /admin/leaderboards/:leaderboard/rejudges': TOKEN,
  'GET /admin/rejudges': TOKEN,
  'GET /admin/rejudges/:id': TOKEN,
  'POST /admin/rejudges/:id/start': TOKEN,
  'POST /admin/rejudges/:id/apply': TOKEN,
  'POST /admin/rejudges/:id/cancel': TOKEN,
};
