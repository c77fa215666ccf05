/**
 * Header lines: `#!POPCORN leaderboard NAME` and `#!POPCORN gpus TYPE ...` (`//!POPCORN` in C++ and CUDA files) in the
 * comment block that opens a submission. What follows the first line of code is never read.
 */
import { UserError } from '../domain/errors.ts';
import { allowedExtensions, type Task } from '../domain/task.ts';

export interface Directives {
  leaderboard: string | null;
  /** Empty: the file names none. */
  gpus: string[];
}

const MAX_HEADER_LINES = 500;

/** Throws UserError `bad-directive` or `directive-twice` with the line number. Keys are not case-sensitive. */
export function readDirectives(source: string): Directives {
  const found: Directives = { leaderboard: null, gpus: [] };
  const lines = source.replace(/^\ufeff/, '').split('\n', MAX_HEADER_LINES);
  for (const [index, raw] of lines.entries()) {
    const line = raw.trim();
    if (line === '') continue;
    if (!line.startsWith('#') && !line.startsWith('//')) break;
    const [mark = '', key = '', ...values] = line.split(/\s+/);
    if (!/^(?:#|\/\/)!POPCORN$/i.test(mark)) continue;
    const refuse = (code: 'bad-directive' | 'directive-twice') =>
      new UserError(code, { line: index + 1, directive: line.slice(0, 80) });
    switch (key.toLowerCase()) {
      case 'leaderboard':
        if (values.length !== 1) throw refuse('bad-directive');
        if (found.leaderboard !== null && !same(values, [found.leaderboard])) throw refuse('directive-twice');
        found.leaderboard = values[0] ?? null;
        break;
      case 'gpu':
      case 'gpus':
        if (values.length === 0) throw refuse('bad-directive');
        if (found.gpus.length > 0 && !same(values, found.gpus)) throw refuse('directive-twice');
        found.gpus = values;
        break;
      default:
        throw refuse('bad-directive');
    }
  }
  return found;
}

/**
 * A template as a file that can be submitted as it is: with the header lines of this board, and without those of
 * another one that shares the template. The GPU type is named where there is only one: with several the participant
 * chooses, and a line that names all would contradict the choice.
 */
export function withHeader(
  template: string,
  board: { name: string; gpus: string[]; task: Pick<Task, 'lang'> },
): string {
  const mark = allowedExtensions(board.task)[0] === '.py' ? '#!POPCORN' : '//!POPCORN';
  const gpus = board.gpus.length === 1 ? [`${mark} gpus ${board.gpus[0]}`] : [];
  const lines = template.replace(/^\ufeff/, '').split('\n');
  const code = lines.findIndex((line) => line.trim() !== '' && !/^\s*(#|\/\/)/.test(line));
  const comments = lines.slice(0, code < 0 ? lines.length : code);
  const kept = comments.filter((line) => !/^\s*(?:#|\/\/)!POPCORN\s/i.test(line));
  // The line that names an interpreter works as the first one alone.
  const first = /^#!\s*\//.test(kept[0] ?? '') ? kept.splice(0, 1) : [];
  return [
    ...first,
    `${mark} leaderboard ${board.name}`,
    ...gpus,
    ...kept,
    ...lines.slice(comments.length),
  ].join('\n');
}

/** A line that says again what was said is no fault. */
function same(a: string[], b: string[]): boolean {
  return a.join(' ').toLowerCase() === b.join(' ').toLowerCase();
}
