/**
 * Why something is not ranked: every cause there is, with the phase in which it came up and what to do next.
 *
 * The cause alone is what is stored beside a score and told in lists; `explainCause` finds its row again. Nothing secret
 * is in any of them.
 */
export type Phase =
  | 'sending'
  | 'queue'
  | 'running'
  | 'compiling'
  | 'testing'
  | 'timing'
  | 'secret run'
  | 'judging'
  | 'ranking';

interface ReasonRow {
  phase: Phase;
  /** After "not ranked:". `{name}` stands for a detail of that name. */
  cause: string;
  /** One or two sentences. */
  next: string;
}

export const reasons = {
  'other-mode': {
    phase: 'sending',
    cause: 'it was sent in mode {mode}, which does not count',
    next: 'Send the file again with mode `ranked`.',
  },
  unofficial: {
    phase: 'sending',
    cause: 'it came after the deadline',
    next: 'Nothing can be done: it ran like any other, and counts nowhere.',
  },
  waiting: {
    phase: 'queue',
    cause: 'it has not run yet',
    next: 'Nothing needs to be done: `/queue` shows its place.',
  },
  running: {
    phase: 'running',
    cause: 'it is still running',
    next: 'Nothing needs to be done: the result comes by itself.',
  },
  cancelled: { phase: 'queue', cause: 'cancelled', next: 'Send the file again when you want it to count.' },
  'our-fault': {
    phase: 'running',
    cause: 'the box failed, not the code',
    next: 'Press `Run it again` below the result. Nothing is held against you.',
  },
  syntax: {
    phase: 'compiling',
    cause: 'does not compile ({stage})',
    next: 'Mend what the compiler names; the result quotes it. Mode `test` checks it quickly.',
  },
  wrong: {
    phase: 'testing',
    cause: 'wrong result ({stage})',
    next: 'Look at the failing case in the report, and check the mended file with mode `test`.',
  },
  crash: {
    phase: 'running',
    cause: 'crashed ({stage})',
    next: 'Read the end of the error output in the report; mode `test` finds most crashes.',
  },
  timeout: {
    phase: 'running',
    cause: 'timed out ({stage})',
    next: 'Make it faster: `/leaderboard task` names the limits.',
  },
  flood: {
    phase: 'running',
    cause: 'wrote too much ({stage})',
    next: 'Take out what prints or reports in a loop.',
  },
  malformed: {
    phase: 'running',
    cause: 'results not credible ({stage})',
    next: 'Leave the result lines to the evaluation program: the submission writes none itself.',
  },
  'public-failed': {
    phase: 'running',
    cause: 'the public run failed',
    next: 'The report says where it ended.',
  },
  'secret-failed': {
    phase: 'secret run',
    cause: 'the secret run failed',
    next: 'It is the same problem with other numbers: look for what depends on the public ones.',
  },
  'no-score': {
    phase: 'timing',
    cause: 'the run gave no score',
    next: 'Every benchmark needs a finite time above zero. If yours has them, tell an organiser.',
  },
  'not-positive': {
    phase: 'timing',
    cause: 'its value is not a finite number above zero',
    next: 'Zero, negative and endless values never rank. The report shows what was measured.',
  },
  'metric-missing': {
    phase: 'timing',
    cause: 'the run reported no metric {metric}',
    next: 'The evaluation program of the task reports it: tell an organiser.',
  },
  'shapes-differ': {
    phase: 'ranking',
    cause: 'its benchmarks are not those that the board weighs',
    next: 'The task has changed: send the file again.',
  },
  'scorer-missing': {
    phase: 'judging',
    cause: 'no judge has given {scorer} a value yet',
    next: 'Nothing needs to be done: judges see what they have not scored yet.',
  },
  'no-points': {
    phase: 'judging',
    cause: 'it has no points',
    next: 'A total of zero never ranks. The judges’ reasons say why.',
  },
  'member-missing': {
    phase: 'ranking',
    cause: 'there is no ranked entry on {member}',
    next: 'The combined board needs one on each of its members: send the file there as well.',
  },
  'other-language': {
    phase: 'ranking',
    cause: 'no ranked submission of yours is in {language}',
    next: 'That board is for one language: send a file in it with mode `ranked`.',
  },
  'shape-untimed': {
    phase: 'ranking',
    cause: 'no ranked run of yours has timed benchmark {shape} of the task as it is now',
    next: 'The task has changed since: send the file again with mode `ranked`.',
  },
  'submission-invalid': {
    phase: 'ranking',
    cause: 'an organiser has taken this submission out',
    next: 'Ask an organiser why.',
  },
  'user-invalid': {
    phase: 'ranking',
    cause: 'an organiser has taken all submissions of this account out',
    next: 'Ask an organiser why.',
  },
  'behind-own': {
    phase: 'ranking',
    cause: 'your submission #{id} is better',
    next: 'Nothing needs to be done: each person is listed once, with the best entry.',
  },
  'behind-mate': {
    phase: 'ranking',
    cause: 'submission #{id} of a team mate is better',
    next: 'Nothing needs to be done: each team is listed once, with the best entry of its members.',
  },
  'never-sent': {
    phase: 'sending',
    cause: 'nothing was sent in mode ranked',
    next: 'Send a file with mode `ranked`.',
  },
} as const satisfies Record<string, ReasonRow>;

export type ReasonCode = keyof typeof reasons;

export interface NotRanked {
  code: ReasonCode;
  cause: string;
  next: string;
  phase: Phase;
}

export function notRanked(code: ReasonCode, details: Record<string, string | number> = {}): NotRanked {
  const row: ReasonRow = reasons[code];
  const cause = row.cause.replace(/\{(\w+)\}/g, (_, name: string) => String(details[name] ?? '?'));
  return { code, cause, next: row.next, phase: row.phase };
}

const patterns = (Object.entries(reasons) as [ReasonCode, ReasonRow][]).map(([code, row]) => ({
  code,
  row,
  pattern: new RegExp(
    `^${row.cause
      .split(/\{\w+\}/)
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('(.{1,300})')}$`,
  ),
}));

/** The row that a stored cause came from; null for what no row says. */
export function explainCause(cause: string): NotRanked | null {
  const found = patterns.find(({ pattern }) => pattern.test(cause));
  return found ? { code: found.code, cause, next: found.row.next, phase: found.row.phase } : null;
}

/** `code` or `code:detail`, as SQL names what the board's rule lacks. */
export function explainRule(text: string): NotRanked {
  const [code = '', ...rest] = text.split(':');
  const detail = rest.join(':');
  const known = (Object.keys(reasons) as ReasonCode[]).find((item) => item === code) ?? 'no-score';
  return notRanked(known, { metric: detail, scorer: detail, member: detail, id: detail });
}
