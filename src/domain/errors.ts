/**
 * The two kinds of error that Hotlap throws on purpose. Anything else that is thrown is a bug.
 *
 * A `UserError` is safe to show: one row of the table below, with what is wrong and what to do next.
 * A `BoxError` is ours: a box could not do its work. It goes to the retry table and is never shown as the
 * participant's fault. A participant's failing code is neither: it is an Outcome, a value.
 */

import { boxErrors } from './box-errors.ts';
import { judgingErrors } from './judging-errors.ts';
import { organiserErrors } from './organiser-errors.ts';
import { runErrors } from './run-errors.ts';
import { teamErrors } from './team-errors.ts';

interface ErrorRow {
  /** HTTP status for the API door. */
  status: number;
  /** What is wrong. `{name}` stands for a detail of that name. */
  text: string;
  /** What to do about it. */
  next: string;
  /** The same where no slash commands are at hand. */
  nextHttp?: string;
}

/** Every refusal that a user can meet. */
export const userErrors = {
  'file-too-large': {
    status: 413,
    text: '`{file}` is {size} bytes; a submission may have at most {limit} bytes.',
    next: 'Remove generated data or comments from the file and submit it again.',
  },
  'file-empty': {
    status: 400,
    text: '`{file}` is empty.',
    next: 'Attach the file that holds your code.',
  },
  'file-not-utf8': {
    status: 415,
    text: '`{file}` is not UTF-8 text.',
    next: 'Save it as UTF-8 source code (no archive, no notebook) and submit it again.',
  },
  'file-extension': {
    status: 415,
    text: '`{file}` does not end in {allowed}, which `{leaderboard}` asks for.',
    next: 'Rename the file, or pick the leaderboard that it was written for.',
  },
  'archive-unusable': {
    status: 400,
    text: '`{file}` cannot be used: {problem}.',
    next: 'Pack it anew, as `tar czf fork.tar.gz FOLDER` or a .zip without a password, and submit it again.',
  },
  'archive-layout': {
    status: 400,
    text: '`{file}` has a bare `{package}/` at its top, which breaks the imports of the engine.',
    next: 'Put it one folder down, as `{package}-fork/{package}/`, and submit it again.',
  },
  'archive-without-package': {
    status: 400,
    text: '`{file}` is no fork of `{package}`: there is no `{package}/` inside of one folder at its top.',
    next: 'Pack the folder of your fork, so that its package lies in `{package}-fork/{package}/`, and submit it again.',
  },
  'gpu-without-models': {
    status: 409,
    text: 'Every box with {gpus} runs submissions in containers, and no model can be served there.',
    next: 'Choose another GPU type of the leaderboard, or ask an organiser for a box with bubblewrap; your file is fine.',
  },
  'file-name': {
    status: 400,
    text: '`{file}` is not a usable file name.',
    next: 'Use a short plain name such as `submission.py`.',
  },
  'download-failed': {
    status: 502,
    text: 'The attachment `{file}` could not be fetched from Discord.',
    next: 'Nothing was stored. Submit it again in a moment.',
  },
  'no-leaderboard': {
    status: 400,
    text: 'No leaderboard was named.',
    next: 'Choose one in the `leaderboard` option, or put `#!POPCORN leaderboard NAME` on the first line of the file. Open now: {open}.',
  },
  'unknown-leaderboard': {
    status: 404,
    text: 'There is no leaderboard `{leaderboard}`.',
    next: 'Pick one from `/leaderboard list`. Open now: {open}.',
    nextHttp: 'Open now: {open}.',
  },
  'deadline-passed': {
    status: 403,
    text: 'The deadline of `{leaderboard}` passed on {deadline}.',
    next: 'Its results stay in `/leaderboard show`; `/leaderboard list` shows what is still open.',
    nextHttp: 'Its results stay where they are; submit to a leaderboard that is still open.',
  },
  'unknown-mode': {
    status: 400,
    text: '`{mode}` is not a mode.',
    next: 'Use test, benchmark, ranked or profile.',
  },
  'mode-without-cases': {
    status: 400,
    text: '`{leaderboard}` has no cases for mode {mode}.',
    next: '`/leaderboard task` shows which it has.',
    nextHttp: 'Choose another mode.',
  },
  'unknown-gpu': {
    status: 400,
    text: '`{leaderboard}` does not run on `{gpu}`.',
    next: 'It runs on: {gpus}.',
  },
  'header-contradicts-leaderboard': {
    status: 400,
    text: 'The file says `leaderboard {header}`, the option says `{option}`.',
    next: 'Change the `!POPCORN leaderboard` line of the file or the option so that both name the same one.',
  },
  'header-contradicts-gpu': {
    status: 400,
    text: 'The file says `gpus {header}`, the option says `{option}`.',
    next: 'Change the `!POPCORN gpus` line of the file or the option so that both name the same GPU types.',
  },
  'bad-directive': {
    status: 400,
    text: 'Line {line} of the file is not a header line that Hotlap knows: `{directive}`.',
    next: 'Write `#!POPCORN leaderboard NAME` or `#!POPCORN gpus TYPE [TYPE ...]`, each once (`//!POPCORN` in C++ and CUDA files).',
  },
  'directive-twice': {
    status: 400,
    text: 'Line {line} of the file contradicts an earlier header line: `{directive}`.',
    next: 'Keep one line for the leaderboard and one for the GPU types.',
  },
  'unknown-submission': {
    status: 404,
    text: 'There is no submission #{id}.',
    next: '`/submissions mine` lists yours with their numbers.',
    nextHttp: 'Your list of submissions has the numbers of yours.',
  },
  'not-your-submission': {
    status: 403,
    text: 'Submission #{id} belongs to somebody else.',
    next: '`/submissions mine` lists yours.',
    nextHttp: 'Your list of submissions has the numbers of yours.',
  },
  'nothing-to-cancel': {
    status: 409,
    text: 'Submission #{id} has ended already: there is nothing to cancel.',
    next: '`/submissions show` shows its result.',
  },
  'nothing-to-rerun': {
    status: 409,
    text: 'Nothing of submission #{id} failed by our fault, or it runs again already.',
    next: '`/submissions show` shows how it stands; `/submit` submits the file anew.',
  },
  'nothing-ranked': {
    status: 404,
    text: 'Nobody is ranked on `{leaderboard}` on `{gpu}` yet.',
    next: 'Submit in ranked mode to be the first, or pick another GPU type.',
  },
  'scores-not-shown': {
    status: 403,
    text: '`{leaderboard}` ranks by the secret run, whose scores are their owners’ alone: there is no picture of them.',
    next: '`/leaderboard show` has the order, `/submissions progress` your own public times.',
  },
  'nothing-timed': {
    status: 404,
    text: 'You have no timed run on `{leaderboard}` on `{gpu}` yet.',
    next: 'Submit in mode benchmark or ranked; runs that passed are drawn.',
  },
  'different-leaderboards': {
    status: 400,
    text: '#{a} was submitted to `{first}` and #{b} to `{second}`.',
    next: 'Compare two submissions to the same leaderboard; `/submissions mine` lists yours.',
  },
  'rate-limited': {
    status: 429,
    text: 'Rate limit exceeded: {used}/{max} {category} submissions to `{leaderboard}` within an hour.',
    next: 'Try again in {seconds}s.',
  },
  'still-stopping': {
    status: 409,
    text: 'Submission #{id} is cancelled, but still being ended on its box.',
    next: 'Delete it again in a minute.',
  },
  'problem-directory': {
    status: 400,
    text: 'Invalid problem directory `{directory}`: {problem}',
    next: 'Name a folder below the problems folder whose task.yml is in order. Its GPU types stand there, or in `gpus` of `/admin leaderboard create`.',
  },
  'no-trace': {
    status: 404,
    text: 'Nothing was recorded of benchmark {benchmark} of submission #{id}.',
    next: 'Submit it in mode profile; `/submissions show` says what there is.',
  },
  'unknown-template': {
    status: 404,
    text: '`{leaderboard}` has no template for `{language}`.',
    next: 'It has: {languages}.',
  },
  'archive-refused': {
    status: 422,
    text: '`{file}` was not unpacked: {problem}.',
    next: 'Nothing of it was kept. Pack the problems folder anew as .zip or .tar.gz (plain files, no links) and upload that.',
  },
  'two-sources': {
    status: 400,
    text: 'Both a repository and an archive were given.',
    next: 'Give one of `git` and `archive`, or neither for the problems folder.',
  },
  'no-repository': {
    status: 400,
    text: '`branch` and `folder` belong to a repository, and none was given.',
    next: 'Give its address as `git`, or leave both out.',
  },
  'git-refused': {
    status: 422,
    text: 'The repository {url} was not read: {problem}.',
    next: '{remedy}',
  },
  'no-problem-sets': {
    status: 422,
    text: 'There is no problem set in {source}.',
    next: 'A set is a file NAME.yaml at the top or in a folder `problems`. Where it is somewhere else in a repository, `folder` names the place.',
  },
  'plan-outdated': {
    status: 409,
    text: 'The problems or the boards have changed since this plan was made.',
    next: 'Nothing was applied. Plan again, and apply that.',
  },
  'unknown-rejudge': {
    status: 404,
    text: 'There is no rejudge #{id}.',
    next: '`/admin rejudge list` shows them.',
    nextHttp: 'The list of rejudges has their numbers.',
  },
  'rejudge-open': {
    status: 409,
    text: 'Rejudge #{id} of `{leaderboard}` is not closed yet.',
    next: 'Apply or cancel it first: `/admin rejudge show id:{id}`.',
    nextHttp: 'Apply or cancel it first.',
  },
  'rejudge-empty': {
    status: 409,
    text: '`{leaderboard}` has nothing to judge again; asked for were {scope}.',
    next: 'Only ranked submissions that have ended are judged again, on GPU types that the board still has.',
  },
  'rejudge-two-scopes': {
    status: 400,
    text: 'More than one of `top`, `user` and `since` was given.',
    next: 'Give one of them, or none to judge everything again.',
  },
  'bad-since': {
    status: 400,
    text: '`{since}` is no time in the past.',
    next: 'Write how long ago (`90m`, `24h`, `3d`) or when (`2026-11-20`, `2026-11-20 18:00`, in UTC).',
  },
  'rejudge-state': {
    status: 409,
    text: 'Rejudge #{id} is {status}: it cannot be {action}.',
    next: '`/admin rejudge show id:{id}` shows how it stands.',
    nextHttp: 'Look at it to see how it stands.',
  },
  'rejudge-outdated': {
    status: 409,
    text: 'The task of `{leaderboard}` has changed since rejudge #{id} was started: it judges by version {version}.',
    next: 'Cancel it and start a new one: `/admin rejudge start leaderboard:{leaderboard}`.',
    nextHttp: 'Cancel it and choose anew.',
  },
  'too-many-tokens': {
    status: 409,
    text: 'You have {limit} tokens, and more are not given.',
    next: '`/account show` lists them; `/account revoke` takes one back.',
  },
  'unknown-token': {
    status: 404,
    text: 'There is no token `{token}`.',
    next: '`{list}` lists those that work, with their numbers.',
  },
  'unknown-cli-id': {
    status: 404,
    text: 'No command line with this id waits to be linked.',
    next: 'An id is good once, for ten minutes: let the client register again and take the new one from `.popcorn.yaml`. Without an id `/account link` gives you a token.',
  },
  'no-such-board': {
    status: 404,
    text: 'There is no leaderboard `{leaderboard}`.',
    next: 'Pick one from `/leaderboard list`.',
  },
  'choice-expired': {
    status: 410,
    text: 'This choice is no longer open.',
    next: 'Run the command again.',
  },
  'not-your-choice': {
    status: 403,
    text: 'This button belongs to somebody else’s command.',
    next: 'Run the command yourself to get your own.',
  },
  'unknown-box': {
    status: 404,
    text: 'There is no box `{box}`.',
    next: '`/admin box list` shows them.',
  },
  ...boxErrors,
  ...judgingErrors,
  ...organiserErrors,
  ...runErrors,
  ...teamErrors,
} as const satisfies Record<string, ErrorRow>;

export type UserErrorCode = keyof typeof userErrors;

/** A refusal that the user may read. Details fill the `{...}` places of its table row. */
export class UserError extends Error {
  readonly code: UserErrorCode;
  readonly status: number;
  /** What is wrong, one sentence. */
  readonly text: string;
  /** What to do about it, one or two sentences. */
  readonly next: string;
  /** The same without slash commands. */
  readonly nextHttp: string;
  readonly details: Readonly<Record<string, string | number>>;

  constructor(code: UserErrorCode, details: Record<string, string | number> = {}) {
    const row: ErrorRow = userErrors[code];
    const fill = (template: string) =>
      template.replace(/\{(\w+)\}/g, (_, name: string) => {
        const detail = String(details[name] ?? '?');
        return name === OWN_WORDS ? detail : plain(detail);
      });
    const text = fill(row.text);
    super(text);
    this.name = 'UserError';
    this.code = code;
    this.status = row.status;
    this.text = text;
    this.next = fill(row.next);
    this.nextHttp = fill(row.nextHttp ?? row.next);
    this.details = details;
  }
}

/** The one detail that is always a sentence of our own, with its code in backticks. */
const OWN_WORDS = 'remedy';

/** A detail may be a stranger's text (a file name, a header line): no backtick, no control character, no length. */
function plain(detail: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
  const clean = detail.replace(/[\u0000-\u001f\u007f`]/g, ' ');
  const short = clean.length > 300 ? `${clean.slice(0, 299)}…` : clean;
  // Half a surrogate pair, given or cut off, is no valid JSON for Discord.
  return short.toWellFormed();
}
