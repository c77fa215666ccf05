/**
 * Every refusal of a submission, in the order in which a person meets them. Pure: a draft and the facts that it is
 * held against go in, a submission that may be stored comes out, or a UserError that says what to do.
 */
import { UserError } from '../domain/errors.ts';
import { type Mode, parseMode } from '../domain/submission.ts';
import { allowedExtensions, type Task } from '../domain/task.ts';
import type { Directives } from './directives.ts';

/** The public limit on source files. */
export const MAX_SOURCE_BYTES = 1_000_000;
const MAX_FILE_NAME = 120;

/** A file as it came in through some door. */
export interface SourceFile {
  name: string;
  bytes: Uint8Array;
}

/** What a person asked for beside the file; null where they named nothing. */
export interface Wishes {
  leaderboard: string | null;
  gpus: string[];
  mode: string | null;
  /** The GPU types that were asked for stand, whatever the file's header says. */
  overHeader?: boolean;
  /** An organiser lets it in after the deadline. */
  afterDeadline?: boolean;
}

/** What a leaderboard demands of its submissions. */
export interface LeaderboardFacts {
  name: string;
  deadline: Date | null;
  stage: 'open' | 'closed' | 'archived';
  late: 'refused' | 'unofficial';
  gpus: string[];
  task: Pick<Task, 'lang'>;
}

export function checkFileName(name: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (name === '' || name.length > MAX_FILE_NAME || /[/\\\u0000-\u001f\u007f]/.test(name)) {
    throw new UserError('file-name', { file: name });
  }
}

/** The file's text, or a refusal. */
export function readSource(file: SourceFile): string {
  const shown = { file: file.name };
  checkFileName(file.name);
  refuseLargeFile(file.name, file.bytes.length);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(file.bytes);
  } catch {
    throw new UserError('file-not-utf8', shown);
  }
  if (text.includes('\u0000')) throw new UserError('file-not-utf8', shown);
  if (text.trim() === '') throw new UserError('file-empty', shown);
  return text;
}

/** Also asked before a download, with the size that the sender declares. */
export function refuseLargeFile(name: string, sizeBytes: number): void {
  if (sizeBytes > MAX_SOURCE_BYTES) {
    throw new UserError('file-too-large', { file: name, size: sizeBytes, limit: MAX_SOURCE_BYTES });
  }
}

/** The leaderboard that is meant, by option or by header; both may be given when they agree. */
export function chooseLeaderboard(wishes: Wishes, directives: Directives, open: string[]): string {
  const { leaderboard: option } = wishes;
  const { leaderboard: header } = directives;
  if (option !== null && header !== null && option.toLowerCase() !== header.toLowerCase()) {
    throw new UserError('header-contradicts-leaderboard', { option, header });
  }
  const chosen = option ?? header;
  if (chosen === null) throw new UserError('no-leaderboard', { open: listOrNone(open) });
  return chosen;
}

export function chooseMode(wishes: Wishes): Mode {
  const mode = parseMode(wishes.mode ?? 'ranked');
  if (mode === null) throw new UserError('unknown-mode', { mode: wishes.mode ?? '' });
  return mode;
}

export type GpuChoice = { gpus: string[] } | { askAmong: string[] };

/**
 * The GPU types to run on, as the leaderboard spells them: named by option or header, or the only one there is. With
 * several and none named, the person is asked.
 */
export function chooseGpus(wishes: Wishes, directives: Directives, board: LeaderboardFacts): GpuChoice {
  const canonical = (names: string[]) =>
    names.map((name) => {
      const known = board.gpus.find((gpu) => gpu.toLowerCase() === name.toLowerCase());
      if (!known) {
        throw new UserError('unknown-gpu', {
          leaderboard: board.name,
          gpu: name,
          gpus: listOrNone(board.gpus),
        });
      }
      return known;
    });
  const option = [...new Set(canonical(wishes.gpus))];
  if (wishes.overHeader && option.length > 0) return { gpus: option };
  const header = [...new Set(canonical(directives.gpus))];
  if (option.length > 0 && header.length > 0 && !sameSet(option, header)) {
    throw new UserError('header-contradicts-gpu', { option: option.join(' '), header: header.join(' ') });
  }
  const named = option.length > 0 ? option : header;
  if (named.length > 0) return { gpus: named };
  return board.gpus.length === 1 ? { gpus: board.gpus } : { askAmong: board.gpus };
}

/** Refuses what this leaderboard does not take: a wrong extension, a deadline that has passed. */
export function checkAgainstBoard(
  fileName: string,
  board: LeaderboardFacts,
  now: Date,
  { afterDeadline = false }: { afterDeadline?: boolean } = {},
): void {
  const extensions = allowedExtensions(board.task);
  if (!extensions.some((extension) => fileName.toLowerCase().endsWith(extension))) {
    throw new UserError('file-extension', {
      file: fileName,
      allowed: extensions.join(' or '),
      leaderboard: board.name,
    });
  }
  checkBoardTakes(board, now, afterDeadline);
}

/**
 * Whether what comes now is official: false after the deadline of a board that takes it all the same, or where an organiser
 * lets it in. Throws UserError where it is not taken.
 */
export function checkBoardTakes(
  board: Pick<LeaderboardFacts, 'name' | 'deadline' | 'stage' | 'late'>,
  now: Date,
  afterDeadline: boolean,
): boolean {
  if (board.stage !== 'open')
    throw new UserError('leaderboard-not-open', { leaderboard: board.name, stage: board.stage });
  if (board.deadline === null || now <= board.deadline) return true;
  if (!afterDeadline && board.late === 'refused') {
    throw new UserError('deadline-passed', {
      leaderboard: board.name,
      deadline: `${board.deadline.toISOString().slice(0, 16).replace('T', ' ')} UTC`,
    });
  }
  return false;
}

function sameSet(a: string[], b: string[]): boolean {
  return a.length === b.length && a.every((item) => b.includes(item));
}

export function listOrNone(names: string[]): string {
  return names.length > 0 ? names.join(', ') : 'none';
}
