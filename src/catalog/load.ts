/**
 * From YAML on disk to tasks: `<root>/<set>.yaml` names problems, `<root>/<directory>/task.yml` defines each
 * (the public format: problem sets that exist run unmodified).
 *
 * Only the files that a task lists are read, never the directory; their sources may leave the task's directory
 * (`../eval.py`) but not the root, not even through a symbolic link. Unknown keys warn and never fail.
 */
import { readdir, readFile, realpath } from 'node:fs/promises';
import { basename, join, relative, resolve, sep } from 'node:path';
import { isAlias, isSeq } from 'yaml';
import { z } from 'zod';
import { type ProblemEntry, rankings, type Task } from '../domain/task.ts';
import { CaseError, caseLine } from './case-line.ts';
import { parseDeadline } from './deadline.ts';
import { CatalogFault, parseYaml, readYaml, type YamlFile } from './yaml-file.ts';

export interface Catalog {
  entries: ProblemEntry[];
  /** Why a set or a problem was left out. */
  faults: string[];
  warnings: string[];
}

const SUBMISSION = '@SUBMISSION@';
const DEFAULT_TIMEOUT_S = 180;
const MAX_FILE_BYTES = 1_000_000;

const setSchema = z.looseObject({
  name: z.string('must be the display name, a string'),
  deadline: z.string('must be a quoted date such as "2026-12-31", or ""').optional(),
  description: z.string('must be a string').nullish(),
  problems: z.array(z.unknown(), 'must be a list of problems').min(1, 'must list at least one problem'),
});

const problemSchema = z.looseObject({
  directory: z.string('must be the path of the problem, such as "starter/prefix-sum"').min(1),
  name: z
    .string('must be the leaderboard name')
    .regex(/^[A-Za-z0-9_.-]{1,100}$/, 'must be 1 to 100 letters, digits, "_", "-" or "."'),
  deadline: z.string('must be a quoted date such as "2026-12-31 18:00", or ""').optional(),
  gpus: z.array(z.string().min(1), 'must be a list of GPU types such as ["H100"]').optional(),
});

const timeout = z
  .number('must be a number of seconds')
  .int('must be whole seconds')
  .min(1)
  .max(86_400, 'must be at most a day');

const taskSchema = z.looseObject({
  lang: z.literal('py', 'must be "py"; other languages are not supported yet'),
  description: z.string('must be the problem statement, a string'),
  files: z
    .array(
      z.looseObject({
        name: z.string('must be a file name'),
        source: z.string('must be a path or "@SUBMISSION@"'),
      }),
      'must be a list of {"name": ..., "source": ...}',
    )
    .min(1, 'must list at least the submission and the evaluation program'),
  config: z.looseObject({ main: z.string('must be the evaluation program, such as "eval.py"') }),
  templates: z.record(z.string(), z.string()).nullish(),
  tests: z.array(z.unknown()).nullish(),
  benchmarks: z.array(z.unknown()).nullish(),
  ranking_by: z.enum(rankings, `must be one of ${rankings.join(', ')}`).default('last'),
  test_timeout: timeout.default(DEFAULT_TIMEOUT_S),
  benchmark_timeout: timeout.default(DEFAULT_TIMEOUT_S),
  ranked_timeout: timeout.default(DEFAULT_TIMEOUT_S),
  multi_gpu: z.boolean().default(false),
  gpus: z.array(z.string().min(1)).nullish(),
  score_ascending: z.boolean().default(true),
});

const knownKeys = {
  set: Object.keys(setSchema.shape),
  problem: Object.keys(problemSchema.shape),
  task: [...Object.keys(taskSchema.shape), 'seed', 'milestones'],
};

/** Reads every `*.yaml` of the root. A faulty problem is left out and named in `faults`; the others go on. */
export async function loadCatalog(root: string): Promise<Catalog> {
  const catalog: Catalog = { entries: [], faults: [], warnings: [] };
  let names: string[];
  try {
    names = (await readdir(root)).filter((name) => name.endsWith('.yaml')).sort();
  } catch {
    catalog.faults.push(`${root}: the problems directory is not there or not readable`);
    return catalog;
  }
  const seen = new Map<string, string>();
  for (const name of names) await loadSet(await realpath(root), name, catalog, seen);
  return catalog;
}

async function loadSet(
  root: string,
  name: string,
  catalog: Catalog,
  seen: Map<string, string>,
): Promise<void> {
  const keepFault = (error: unknown) => {
    if (!(error instanceof CatalogFault)) throw error;
    catalog.faults.push(error.message);
  };
  let file: YamlFile;
  let problems: unknown[];
  try {
    file = await readYaml(join(root, name), name);
    problems = parseYaml(file, setSchema).problems;
    warnUnknown(file, [], knownKeys.set, catalog);
  } catch (error) {
    return keepFault(error);
  }
  for (const [index, raw] of problems.entries()) {
    try {
      const entry = await loadProblem(root, file, index, raw, catalog);
      const before = seen.get(entry.leaderboard.toLowerCase());
      if (before) {
        throw file.fault(
          ['problems', index, 'name'],
          `the name ${entry.leaderboard} is used already in ${before}`,
        );
      }
      seen.set(entry.leaderboard.toLowerCase(), name);
      catalog.entries.push(entry);
    } catch (error) {
      keepFault(error);
    }
  }
}

async function loadProblem(
  root: string,
  set: YamlFile,
  index: number,
  raw: unknown,
  catalog: Catalog,
): Promise<ProblemEntry> {
  const path = ['problems', index];
  const parsed = problemSchema.safeParse(raw);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const key = (issue?.path ?? []).map(String);
    throw set.fault([...path, ...key], `${key.join('.') || 'problem'}: ${issue?.message}`);
  }
  const problem = parsed.data;
  warnUnknown(set, path, knownKeys.problem, catalog);

  const deadline = parseDeadline(problem.deadline ?? '');
  if (deadline === undefined) {
    throw set.fault(
      [...path, 'deadline'],
      `deadline: "${problem.deadline}" is no date; write "YYYY-MM-DD" or "YYYY-MM-DD HH:MM" (UTC)`,
    );
  }
  const directory = resolve(root, problem.directory);
  if (!inside(root, directory))
    throw set.fault([...path, 'directory'], 'directory: leaves the problems directory');
  const file = await readYaml(join(directory, 'task.yml'), relative(root, join(directory, 'task.yml')));
  const { task, gpus: taskGpus } = await loadTask(root, directory, file, catalog);
  const gpus = problem.gpus ?? taskGpus;
  if (gpus.length === 0) throw set.fault(path, 'gpus: no GPU type is given, neither here nor in task.yml');
  return {
    set: basename(set.name, '.yaml'),
    directory: problem.directory,
    leaderboard: problem.name,
    deadline,
    gpus: eachOnce(gpus),
    task,
  };
}

async function loadTask(
  root: string,
  directory: string,
  file: YamlFile,
  catalog: Catalog,
): Promise<{ task: Task; gpus: string[] }> {
  const raw = parseYaml(file, taskSchema);
  warnUnknown(file, [], knownKeys.task, catalog);

  const files: Record<string, string> = {};
  let submissionFile: string | null = null;
  for (const [index, item] of raw.files.entries()) {
    const fault = (message: string) => file.fault(['files', index], `files.${index}: ${message}`);
    if (!isPlainPath(item.name)) throw fault(`"${item.name}" must stay inside the run's directory`);
    if (Object.hasOwn(files, item.name) || item.name === submissionFile)
      throw fault(`"${item.name}" is listed twice`);
    if (item.source === SUBMISSION) {
      if (submissionFile !== null) throw fault(`"${SUBMISSION}" may stand once only`);
      submissionFile = item.name;
    } else {
      files[item.name] = await readSource(root, directory, item.source, fault);
    }
  }
  if (submissionFile === null) throw file.fault(['files'], `files: no file has the source "${SUBMISSION}"`);
  if (!Object.hasOwn(files, raw.config.main)) {
    throw file.fault(['config', 'main'], `config.main: "${raw.config.main}" is not one of the files`);
  }

  const templates: Record<string, string> = {};
  for (const [language, source] of Object.entries(raw.templates ?? {})) {
    const fault = (message: string) =>
      file.fault(['templates', language], `templates.${language}: ${message}`);
    templates[language] = await readSource(root, directory, source, fault);
  }

  const tests = caseLines(file, 'tests', raw.multi_gpu);
  const benchmarks = caseLines(file, 'benchmarks', raw.multi_gpu);
  // No fault: the format has both as optional. But the modes that need them can only fail.
  for (const [key, lines] of Object.entries({ tests, benchmarks })) {
    if (lines.length > 0) continue;
    const modes = key === 'tests' ? 'test and ranked' : 'benchmark, ranked and profile';
    const text = `${key}: there is no case, so that nothing can pass in the modes ${modes}`;
    catalog.warnings.push(file.fault([key], text).message);
  }
  return {
    gpus: raw.gpus ?? [],
    task: {
      lang: raw.lang,
      description: raw.description,
      files,
      submissionFile,
      main: raw.config.main,
      templates,
      tests: tests.map((line) => line.text),
      benchmarks: benchmarks.map((line) => line.text),
      rankingBy: raw.ranking_by,
      testTimeoutS: raw.test_timeout,
      benchmarkTimeoutS: raw.benchmark_timeout,
      rankedTimeoutS: raw.ranked_timeout,
      multiGpu: raw.multi_gpu,
      worldSize: raw.multi_gpu ? ([...tests, ...benchmarks][0]?.worldSize ?? null) : null,
      scoreAscending: raw.score_ascending,
    },
  };
}

function caseLines(file: YamlFile, key: 'tests' | 'benchmarks', multiGpu: boolean) {
  const list: unknown = file.document.get(key, true);
  // The schema has let it pass as a list, so that its cases would be missing silently.
  if (isAlias(list)) throw file.faultAt(list, `${key}: must be written out, not as an alias (*)`);
  if (!isSeq(list)) return [];
  return list.items.map((item, index) => {
    try {
      const line = caseLine(item);
      if (multiGpu && line.worldSize === null) {
        throw file.faultAt(item, `${key}.${index}: a multi_gpu problem needs world_size in every case`);
      }
      return line;
    } catch (error) {
      if (error instanceof CaseError)
        throw file.faultAt(error.node ?? item, `${key}.${index}: ${error.message}`);
      throw error;
    }
  });
}

async function readSource(
  root: string,
  directory: string,
  source: string,
  fault: (message: string) => CatalogFault,
): Promise<string> {
  let path: string;
  try {
    path = await realpath(resolve(directory, source));
  } catch {
    throw fault(`the source "${source}" is not there`);
  }
  if (!inside(root, path)) throw fault(`the source "${source}" leaves the problems directory`);
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch {
    throw fault(`the source "${source}" is not a readable file`);
  }
  if (bytes.length > MAX_FILE_BYTES)
    throw fault(`the source "${source}" is larger than ${MAX_FILE_BYTES} bytes`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw fault(`the source "${source}" is not UTF-8 text`);
  }
}

function inside(root: string, path: string): boolean {
  return path === root || path.startsWith(root + sep);
}

/** GPU types are compared without regard to case everywhere; the first spelling stays. */
function eachOnce(gpus: string[]): string[] {
  const lower = gpus.map((gpu) => gpu.toLowerCase());
  return gpus.filter((_, index) => lower.indexOf(lower[index] ?? '') === index);
}

function isPlainPath(name: string): boolean {
  return (
    name !== '' &&
    !name.startsWith('/') &&
    name.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  );
}

function warnUnknown(file: YamlFile, path: (string | number)[], known: string[], catalog: Catalog): void {
  const at = path.reduce<unknown>(
    (value, part) => (value as Record<string | number, unknown>)[part],
    file.value,
  );
  for (const key of Object.keys((at ?? {}) as object)) {
    if (!known.includes(key))
      catalog.warnings.push(file.fault([...path, key], `unknown key "${key}" is ignored`).message);
  }
}
