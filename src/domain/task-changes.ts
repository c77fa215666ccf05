/**
 * What differs between two versions of a task, and what follows from it: texts and templates count at once, whatever a
 * run is made of or judged by asks for a rejudge. A part of a task that nobody thought of here asks for one too.
 */
import { structuredPatch } from 'diff';
import type { Task } from './task.ts';

export interface Change {
  /** As the YAML names it where it does: `test_timeout`, `files.eval.py`. */
  key: string;
  /** Whether older results stay comparable. */
  effect: 'at-once' | 'rejudge';
  /** A short value; null where there was, or is, none, and for texts. */
  before: string | null;
  after: string | null;
  /** Of texts and lists: the lines that differ with some around them, each with ' ', '+' or '-' in front. */
  diff: string | null;
}

/** Read by people alone, or by the board at the moment of ranking. The database has the same list (0005). */
const atOnce: readonly string[] = ['description', 'templates', 'scoreAscending'];

/** Where the YAML's name is not the task's own in other letters. */
const yamlKeys: Record<string, string> = {
  main: 'config.main',
  submissionFile: 'files (the place of @SUBMISSION@)',
  testTimeoutS: 'test_timeout',
  benchmarkTimeoutS: 'benchmark_timeout',
  rankedTimeoutS: 'ranked_timeout',
};

const CONTEXT_LINES = 2;
/** Comparing two long files that have nothing in common takes minutes. */
const DIFF_TIMEOUT_MS = 300;
const DIFF_MAX_EDITS = 4000;

/** In the order of the task's own keys. */
export function taskChanges(before: Task, after: Task): Change[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) => {
    const effect = atOnce.includes(key) ? 'at-once' : 'rejudge';
    const name = yamlKeys[key] ?? key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const [old, now] = [before[key as keyof Task] as unknown, after[key as keyof Task] as unknown];
    return valueChanges(name, old, now).map((change) => ({ ...change, effect }) as const);
  });
}

export function asksForRejudge(changes: Change[]): boolean {
  return changes.some((change) => change.effect === 'rejudge');
}

type ValueChange = Omit<Change, 'effect'>;

function valueChanges(key: string, before: unknown, after: unknown): ValueChange[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  if (isRecord(before) && isRecord(after)) {
    const names = new Set([...Object.keys(before), ...Object.keys(after)]);
    // The order of keys alone is no difference.
    return [...names].flatMap((name) => valueChanges(`${key}.${name}`, before[name], after[name]));
  }
  const [old, now] = [asLines(before), asLines(after)];
  const isText = [before, after].some((value) => Array.isArray(value) || isLongText(value));
  if (!isText) return [{ key, before: shortValue(before), after: shortValue(after), diff: null }];
  return [{ key, before: null, after: null, diff: lineDiff(old, now) }];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function isLongText(value: unknown): boolean {
  return typeof value === 'string' && (value.length > 60 || value.includes('\n'));
}

function asLines(value: unknown): string {
  if (Array.isArray(value)) return value.map((item) => `${shortValue(item) ?? ''}\n`).join('');
  return typeof value === 'string' ? value : (shortValue(value) ?? '');
}

function shortValue(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Hunks of a unified diff without their file names; two texts that have too little in common are only counted. */
function lineDiff(before: string, after: string): string {
  const limits = { context: CONTEXT_LINES, timeout: DIFF_TIMEOUT_MS, maxEditLength: DIFF_MAX_EDITS };
  const patch = structuredPatch('', '', before, after, '', '', limits);
  if (!patch) return `-${before.split('\n').length} lines\n+${after.split('\n').length} lines, another text`;
  return patch.hunks
    .map((hunk) =>
      [
        `@@ line ${Math.max(1, hunk.newStart)} @@`,
        ...hunk.lines.filter((line) => !line.startsWith('\\')),
      ].join('\n'),
    )
    .join('\n');
}

/** Lines of a diff that came and went. */
export function countLines(diff: string): { added: number; removed: number } {
  const lines = diff.split('\n');
  return {
    added: lines.filter((line) => line.startsWith('+')).length,
    removed: lines.filter((line) => line.startsWith('-')).length,
  };
}
