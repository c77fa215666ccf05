/**
 * Which cases an evaluation program can read, as far as its source tells without being run.
 *
 * The public programs split a case at `;` and hold each part against one regular expression with `re.fullmatch`; what
 * does not match ends them with exit code 113, on a box, in front of a participant. That expression is looked for here:
 * a text in the source that takes `a: 1` or `size: 128` and neither an empty part nor one without a colon. Where there is
 * none, or it is put together from pieces, nothing is said about the cases.
 */
import { runInNewContext } from 'node:vm';

/** A hostile expression must not keep the bot busy; an honest one takes microseconds. */
const LIMIT_MS = 200;
const PAIRS = ['a: 1', 'size: 128'];
const NO_PAIRS = ['', 'a', 'size 128', ': 1'];

/**
 * The first part of a case that the evaluation program refuses, with the expression that it fits not; null where all of
 * them fit, or nothing is known. `files`: those of the task, name -> text.
 */
export function findUnreadablePart(
  files: Record<string, string>,
  cases: string[],
): { index: number; part: string; pattern: string } | null {
  const texts = Object.entries(files)
    .filter(([name, text]) => name.endsWith('.py') && /\bfullmatch\(/.test(text))
    .flatMap(([, text]) => textsOf(text))
    .filter((text) => text.includes(':') && text.includes('('));
  const taken = matches(texts, [...PAIRS, ...NO_PAIRS]);
  const patterns = texts.filter((_, index) => {
    const answers = taken[index] ?? [];
    return answers.slice(0, PAIRS.length).includes(true) && !answers.slice(PAIRS.length).includes(true);
  });
  if (patterns.length === 0) return null;
  const parts = cases.flatMap((line, index) => line.split(';').map((part) => ({ index, part: part.trim() })));
  const padded = parts.flatMap(({ part }) => [part, ` ${part}`]);
  const answers = matches(patterns, padded);
  const refused = parts.find(({ part }, at) => {
    // Python's classes of letters and digits go beyond ASCII, JavaScript's do not.
    if (!/^[\x20-\x7e]*$/.test(part)) return false;
    return answers.length > 0 && !answers.some((row) => row[2 * at] || row[2 * at + 1]);
  });
  return refused ? { ...refused, pattern: patterns[0] ?? '' } : null;
}

/** String literals on one line that stand alone: one beside another is a piece of a longer text. */
function textsOf(source: string): string[] {
  const literal = /(?<![\w"'])(?:[rR])?(["'])((?:\\.|(?!\1)[^\\\n])+)\1(?!["'])/g;
  return [...source.matchAll(literal)]
    .filter((match) => {
      const before = source.slice(0, match.index).trimEnd().at(-1) ?? '';
      const after = source.slice(match.index + match[0].length).trimStart();
      return !/["']/.test(before) && !/^[rRfFbB]?["']/.test(after);
    })
    .map((match) => match[2] ?? '');
}

/** For each expression whether it takes each text as a whole; empty where they take too long to tell. */
function matches(patterns: string[], texts: string[]): (boolean | null)[][] {
  const translated = patterns.map((pattern) =>
    pattern.replaceAll('(?P<', '(?<').replaceAll('\\Z', '$').replaceAll('\\A', '^'),
  );
  const script = `patterns.map((pattern) => {
    try {
      const whole = new RegExp('^(?:' + pattern + ')$');
      return texts.map((text) => whole.test(text));
    } catch {
      return [];
    }
  })`;
  try {
    return runInNewContext(script, { patterns: translated, texts }, { timeout: LIMIT_MS });
  } catch {
    return [];
  }
}
