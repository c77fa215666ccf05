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
  'account link': changes(participant),
  'account show': reads(participant),
  'account revoke': changes(participant),
  'judge score': changes(judge),
  'judge show': reads(judge),
  'judge panel': reads(judge),
  'admin box add': changes(admin),
  'admin box list': reads(admin),
  'admin box doctor': changes(admin),
  'admin box drain': changes(admin),
  'admin box resume': changes(admin),
  'admin box remove': changes(admin),
  // What it shows is asked again by its button.
  'admin leaderboard ranking': reads(admin),
  'admin problems sync': reads(admin),
  'admin rejudge start': changes(admin),
  'admin rejudge list': reads(admin),
  'admin rejudge show': reads(admin),
  'admin rejudge apply': changes(admin),
  'admin rejudge cancel': changes(admin),
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
  'submissions:rerun': changes(participant),
  'judge:panel': reads(judge),
  'admin:box:confirm': changes(admin),
  'admin:box:cancel': reads(admin),
  'admin:leaderboard:apply': changes(admin),
  'admin:leaderboard:drop': reads(admin),
  'admin:problems:apply': changes(admin),
  'admin:problems:drop': reads(admin),
  'admin:rejudge:plan': changes(admin),
  'admin:rejudge:begin': changes(admin),
  'admin:rejudge:show': reads(admin),
  'admin:rejudge:apply': changes(admin),
  'admin:rejudge:cancel': changes(admin),
} as const satisfies Record<string, Rule>;

/** By its words: `admin box add`. */
export function ruleOfCommand(words: string): Rule | null {
  return Object.hasOwn(commandRules, words) ? commandRules[words as keyof typeof commandRules] : null;
}

/** By its custom id: `admin:box:confirm:6f1c`. */
export function ruleOfComponent(customId: string): Rule | null {
  const parts = customId.split(':');
  for (let length = parts.length; length > 0; length -= 1) {
    const beginning = parts.slice(0, length).join(':');
    if (Object.hasOwn(componentRules, beginning))
      return componentRules[beginning as keyof typeof componentRules];
  }
  return null;
}
