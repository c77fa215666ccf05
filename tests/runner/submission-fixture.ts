/**
 * Reads the submissions of tests/fixtures/hostile and honest. Each says in its docstring what it is:
 *
 *     """T5: one sentence on what it tries.
 *
 *     verdict: refused | accepted | any        what the server-side reader must make of it
 *     harness: judge pool inproc verbose       the evaluation programs that it is run against
 *     needs: sandbox                           which layer stops it, see `layers`
 *     beats: pool                              with `needs: harness`: the harness that does fall for it
 *     groups: yes                              only control groups stop it
 *     stages, warmup, timeout_s, memory_mib, processes, alone      how it is run
 *     """
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';

/** What a hostile submission is stopped by. hostile.test.ts says how each is proved. */
export const layers = ['nothing', 'sandbox', 'launcher', 'runner', 'reader', 'harness'] as const;
export type Layer = (typeof layers)[number];

const harness = z.enum(['judge', 'pool', 'inproc', 'verbose']);
export type Harness = z.infer<typeof harness>;

const words = <T extends z.ZodType<string>>(word: T) =>
  z.string().transform((text, context) => {
    const parsed = z.array(word).safeParse(text.split(' '));
    if (parsed.success) return parsed.data;
    context.addIssue({ code: 'custom', message: parsed.error.message });
    return z.NEVER;
  });
const yes = z.literal('yes').transform(() => true);

const header = z.strictObject({
  verdict: z.enum(['refused', 'accepted', 'any']).default('accepted'),
  harness: words(harness).default(['judge', 'inproc']),
  needs: z.enum(layers).default('nothing'),
  beats: harness.optional(),
  stages: words(z.enum(['test', 'benchmark'])).default(['test']),
  warmup: yes.default(false),
  timeout_s: z.coerce.number().default(20),
  memory_mib: z.coerce.number().int().optional(),
  processes: z.coerce.number().int().optional(),
  alone: yes.default(false),
  groups: yes.default(false),
});

export type SubmissionFixture = z.infer<typeof header> & {
  name: string;
  /** `T5`, or several; empty for an honest one. */
  threat: string;
  about: string;
  source: string;
};

const FOLDER = join(import.meta.dirname, '../fixtures');

/** Throws when a docstring does not follow the form above. */
export function loadSubmissions(kind: 'hostile' | 'honest'): SubmissionFixture[] {
  return readdirSync(join(FOLDER, kind))
    .filter((name) => name.endsWith('.py'))
    .sort()
    .map((name) => readSubmission(join(FOLDER, kind, name), kind));
}

function readSubmission(path: string, kind: 'hostile' | 'honest'): SubmissionFixture {
  const source = readFileSync(path, 'utf8');
  const text = /^"""([\s\S]*?)"""/.exec(source)?.[1];
  if (text === undefined) throw new Error(`${path} does not begin with a docstring`);
  const [title = '', ...rest] = text.split('\n');
  const fields = rest.filter((line) => line !== '').map((line) => line.split(': ', 2));
  const parsed = header.safeParse(Object.fromEntries(fields));
  if (!parsed.success) throw new Error(`${path}: ${z.prettifyError(parsed.error)}`);
  const threat = kind === 'hostile' ? /^([A-Z]\d+(?:(?:, | with )[A-Z]\d+)*): /.exec(title)?.[1] : '';
  if (threat === undefined) throw new Error(`${path} names no line of the threat list`);
  return { ...parsed.data, name: basename(path, '.py'), threat, about: title, source };
}

/** The files of a job for this harness, the submission among them. */
export function harnessFiles(harness: Harness, submission: string): Record<string, string> {
  const read = (...parts: string[]): string => readFileSync(join(import.meta.dirname, ...parts), 'utf8');
  if (harness === 'judge') {
    const starter = ['..', '..', 'problems', 'starter'] as const;
    const shared = ['..', '..', 'problems', 'harness'] as const;
    return {
      'submission.py': submission,
      'task.py': read('../fixtures/runner/sorted_task.py'),
      'reference.py': read('../fixtures/runner/sorted_reference.py'),
      'utils.py': read(...starter, 'utils.py'),
      'eval.py': read(...starter, 'eval.py'),
      'judge.py': read(...shared, 'judge.py'),
      'worker.py': read(...shared, 'worker.py'),
    };
  }
  return {
    'submission.py': submission,
    'cases.py': read('../fixtures/runner/cases.py'),
    'eval.py': read(`../fixtures/runner/${harness}_eval.py`),
  };
}
