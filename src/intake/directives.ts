/**
 * Header lines: `#!POPCORN leaderboard NAME` and `#!POPCORN gpus TYPE ...` (`//!POPCORN` in C++ and CUDA files) in the
 * comment block that opens a submission. What follows the first line of code is never read.
 */
import { UserError } from '../domain/errors.ts';

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

/** A line that says again what was said is no fault. */
function same(a: string[], b: string[]): boolean {
  return a.join(' ').toLowerCase() === b.join(' ').toLowerCase();
}
