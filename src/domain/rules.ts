/**
 * The rule of every command, by its words, and of everything that is pressed or filled in, by the beginning of its custom
 * id. What has no row here is refused to everybody; the tests hold that every command has one.
 */
import type { ContestRole, Rule } from './access.ts';

type For = Rule['for'];
const reads = (who: For): Rule => ({ for: who, changes: false });
const changes = (who: For): Rule => ({ for: who, changes: true });

const participant: ContestRole[] = ['participant'];
const judge: ContestRole[] = ['judge'];
/** On what is their own; the commands see to it (intake/manage-board.ts). */
const creator: ContestRole[] = ['creator'];
const admin: ContestRole[] = ['admin'];

export const commandRules = {
  submit: changes(participant),
  'leaderboard show': reads('everybody'),
  'leaderboard history': reads('everybody'),
  'leaderboard spread': reads('everybody'),
  'leaderboard list': reads('everybody'),
  'leaderboard task': reads('everybody'),
  'leaderboard template': reads('everybody'),
  'submissions mine': reads(participant),
  'submissions show': reads(participant),
  'submissions progress': reads(participant),
  'submissions compare': reads(participant),
  'submissions trace': reads(participant),
  'submissions cancel': changes(participant),
  queue: reads('everybody'),
  join: changes(participant),
  quota: reads(participant),
  // What is chosen in its menu is a deed of its own.
  notify: reads(participant),
  'team create': changes(participant),
  'team invite': changes(participant),
  'team join': changes(participant),
  'team leave': changes(participant),
  'team show': reads('everybody'),
  'team submissions': reads(participant),
  'team share': changes(participant),
  'team rename': changes(participant),
  'team remove': changes(participant),
  'team disband': changes(participant),
  'account link': changes(participant),
  'account show': reads(participant),
  'account revoke': changes(participant),
  'judge score': changes(judge),
  'judge show': reads(judge),
  'judge panel': reads(judge),
  'admin leaderboard create': changes(creator),
  'admin leaderboard update': changes(creator),
  'admin leaderboard deadline': changes(creator),
  'admin leaderboard open': changes(creator),
  'admin leaderboard close': changes(creator),
  'admin leaderboard archive': changes(creator),
  'admin leaderboard visibility': changes(creator),
  'admin leaderboard late': changes(creator),
  'admin leaderboard podium': changes(creator),
  'admin leaderboard delete': changes(creator),
  'admin invites create': changes(creator),
  'admin invites list': reads(creator),
  'admin invites revoke': changes(creator),
  'admin limit set': changes(creator),
  'admin limit remove': changes(creator),
  'admin limit show': reads(creator),
  'admin submission invalidate': changes(creator),
  'admin submission restore': changes(creator),
  'admin submission delete': reads(admin),
  'admin user ban': changes(admin),
  'admin user unban': changes(admin),
  'admin user bans': reads(admin),
  'admin team list': reads(admin),
  'admin team rules': changes(admin),
  'admin team rename': changes(admin),
  'admin team disband': changes(admin),
  'admin contest accept': changes(admin),
  'admin contest stats': reads(creator),
  'admin contest export': changes(admin),
  'admin contest announce': reads(admin),
  'admin run': changes(admin),
  'admin verify': changes(admin),
  'admin box add': changes(admin),
  'admin box list': reads(admin),
  'admin box doctor': changes(admin),
  'admin box drain': changes(admin),
  'admin box resume': changes(admin),
  'admin box remove': changes(admin),
  // What it shows is asked again by its button.
  'admin leaderboard ranking': reads(creator),
  'admin problems sync': reads(admin),
  'admin rejudge start': changes(admin),
  'admin rejudge list': reads(admin),
  'admin rejudge show': reads(admin),
  'admin rejudge apply': changes(admin),
  'admin rejudge cancel': changes(admin),
  'admin audit show': reads(admin),
  'admin audit verify': reads(admin),
  'admin token create': changes(admin),
  'admin token list': reads(admin),
  'admin token revoke': changes(admin),
} as const satisfies Record<string, Rule>;

/** Buttons, menus and forms. Where several beginnings fit, the longest counts. */
export const componentRules = {
  submit: changes(participant),
  leaderboard: reads('everybody'),
  'submissions:list': reads(participant),
  'submissions:cancel': changes(participant),
  // Also for somebody who has lost the role since; the owner alone may.
  'submissions:appeal': reads('everybody'),
  'submissions:appealed': changes('everybody'),
  'submissions:rerun': changes(participant),
  'notify:kinds': changes(participant),
  'notify:again': changes(participant),
  'team:join': changes(participant),
  'team:list': reads(participant),
  'judge:panel': reads(judge),
  'admin:leaderboard:delete': changes(creator),
  'admin:submission:grant': changes(creator),
  'admin:submission:reject': reads(creator),
  'admin:submission:rejected': changes(creator),
  'admin:submission:delete': changes(admin),
  'admin:submission:keep': reads(admin),
  'admin:contest:announce': changes(admin),
  'admin:box:confirm': changes(admin),
  'admin:box:cancel': reads(admin),
  'admin:leaderboard:apply': changes(creator),
  'admin:leaderboard:drop': reads(creator),
  'admin:problems:apply': changes(admin),
  'admin:problems:drop': reads(admin),
  'admin:audit': reads(admin),
  'admin:rejudge:plan': changes(admin),
  'admin:rejudge:begin': changes(admin),
  'admin:rejudge:show': reads(admin),
  'admin:rejudge:apply': changes(admin),
  'admin:rejudge:cancel': changes(admin),
} as const satisfies Record<string, Rule>;

/** What an admin token does as the command of that name would. */
const like = (action: string): Rule & { as: string } => ({ ...changes(admin), as: action });

/** The routes of the HTTP API. `as`: what the same is called where it is a command. */
export const routeRules = {
  'GET /health': reads('everybody'),
  'GET /ready': reads('everybody'),
  'GET /metrics': reads('everybody'),
  'GET /runner_queue/:gpu': reads('everybody'),
  // An id that is worth nothing before its owner has signed in.
  'GET /auth/init': reads('everybody'),
  'GET /auth/start/:provider': reads('everybody'),
  'GET /auth/cli/:provider': changes('everybody'),
  'POST /auth/cli/confirm': changes('everybody'),
  'GET /leaderboards': reads('everybody'),
  'GET /gpus/:leaderboard': reads('everybody'),
  'GET /submissions/:leaderboard/:gpu': reads('everybody'),
  'GET /submission_count/:leaderboard/:gpu': reads('everybody'),
  // Whoever may enter the board; more of what is their own, and all of it to an admin.
  'GET /reports/leaderboard': reads('everybody'),
  'GET /reports/models': reads('everybody'),
  'GET /reports/models/global': reads('everybody'),
  'GET /reports/models/params': reads('everybody'),
  'GET /reports/models/:id/stats': reads('everybody'),
  'GET /reports/models/:id/history': reads('everybody'),
  'GET /reports/predictions': reads('everybody'),
  'GET /runs': reads('everybody'),
  'GET /runs/:id': reads('everybody'),
  'POST /runs/:id/score': { ...commandRules['judge score'], as: 'judge score' },
  'GET /user/submissions': reads(participant),
  'GET /user/submissions/:id': reads(participant),
  'GET /user/submissions/:id/traces': reads(participant),
  'GET /user/submissions/:id/traces/:trace': reads(participant),
  'DELETE /user/submissions/:id': changes(participant),
  'POST /user/join': { ...commandRules.join, as: 'join' },
  'POST /submission/:leaderboard/:gpu/:mode': { ...commandRules.submit, as: 'submit' },
  'POST /:leaderboard/:gpu/:mode': { ...commandRules.submit, as: 'submit' },
  'POST /admin/submission/:leaderboard/:gpu/:mode': changes(admin),
  'POST /admin/runs': like('admin run'),
  'POST /admin/verify': like('admin verify'),
  'POST /admin/start': like('admin contest accept'),
  'POST /admin/stop': like('admin contest accept'),
  'GET /admin/stats': reads(admin),
  'GET /admin/audit': reads(admin),
  'GET /admin/audit/verdict': reads(admin),
  'GET /admin/submissions/:id': reads(admin),
  'DELETE /admin/submissions/:id': like('admin submission delete'),
  'DELETE /admin/submissions': like('admin submission delete'),
  'GET /admin/leaderboards/:leaderboard/submissions': reads(admin),
  'POST /admin/invites': like('admin invites create'),
  'GET /admin/leaderboards/:leaderboard/invites': reads(admin),
  'DELETE /admin/invites/:code': like('admin invites revoke'),
  'POST /admin/leaderboards/:leaderboard/visibility': like('admin leaderboard visibility'),
  'GET /admin/leaderboards/:leaderboard/rate-limits': reads(admin),
  'PUT /admin/leaderboards/:leaderboard/rate-limits': like('admin limit set'),
  'DELETE /admin/leaderboards/:leaderboard/rate-limits/:category': like('admin limit remove'),
  'POST /admin/ban/:user': like('admin user ban'),
  'DELETE /admin/ban/:user': like('admin user unban'),
  'POST /admin/export-hf': like('admin contest export'),
  'GET /admin/exports/:file': reads(admin),
  'POST /admin/leaderboards': like('admin leaderboard create'),
  'POST /admin/update-problems': like('admin problems apply'),
  'DELETE /admin/leaderboards/:leaderboard': like('admin leaderboard delete'),
  'POST /admin/leaderboards/:leaderboard/rejudges': like('admin rejudge start'),
  'POST /admin/tokens': changes(admin),
  'DELETE /admin/tokens/:user': changes(admin),
  'GET /admin/rejudges': reads(admin),
  'GET /admin/rejudges/:id': reads(admin),
  'POST /admin/rejudges/:id/start': like('admin rejudge begin'),
  'POST /admin/rejudges/:id/apply': like('admin rejudge apply'),
  'POST /admin/rejudges/:id/cancel': like('admin rejudge cancel'),
} as const satisfies Record<string, Rule & { as?: string }>;

/** What somebody is about to do, and the rule of it. */
export interface Deed {
  /** `admin box add`: what the audit log calls it. */
  action: string;
  rule: Rule;
}

/** By its words: `admin box add`. */
export function deedOfCommand(words: string): Deed | null {
  const known = Object.hasOwn(commandRules, words);
  return known ? { action: words, rule: commandRules[words as keyof typeof commandRules] } : null;
}

/** By its custom id: `admin:box:confirm:6f1c` is `admin box confirm`. */
export function deedOfComponent(customId: string): Deed | null {
  const parts = customId.split(':');
  for (let length = parts.length; length > 0; length -= 1) {
    const beginning = parts.slice(0, length).join(':');
    if (!Object.hasOwn(componentRules, beginning)) continue;
    const rule = componentRules[beginning as keyof typeof componentRules];
    return { action: beginning.replaceAll(':', ' '), rule };
  }
  return null;
}

/** By its method and the path that it was added with: `POST /admin/stop`. */
export function deedOfRoute(method: string, path: string): Deed | null {
  const name = `${method} ${path}`;
  if (!Object.hasOwn(routeRules, name)) return null;
  const rule: Rule & { as?: string } = routeRules[name as keyof typeof routeRules];
  return { action: rule.as ?? name, rule };
}
