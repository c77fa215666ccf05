/**
 * One `task.yml` to a task, with every file that it lists: the public format (problem-format 1.2).
 *
 * Only the files that a task lists are read, never the directory; their sources may leave the task's directory
 * (`../eval.py`) but not the root. Unknown keys warn and never fail.
 */
import { resolve } from 'node:path';
import { isAlias, isNode, isSeq } from 'yaml';
import { z } from 'zod';
import { BUILT_PROGRAM, type CudaBuild, rankings, type Task } from '../domain/task.ts';
import { findUnreadablePart } from './case-grammar.ts';
import { type CaseLine, caseLine } from './case-line.ts';
import { checkBuild } from './cuda-build.ts';
import { loadModelTask } from './load-model-task.ts';
import { UnwritableValue } from './python-str.ts';
import { readSourceFile, UnusableFile } from './source-file.ts';
import { findAmbiguousWord } from './yaml-dialect.ts';
import { type CatalogFault, parseYaml, unknownKeys, type YamlFile } from './yaml-file.ts';

export interface LoadedTask {
  task: Task;
  /** Of the task itself; those of its set win. */
  gpus: string[];
  warnings: string[];
}

const SUBMISSION = '@SUBMISSION@';
const DEFAULT_TIMEOUT_S = 180;
const MAX_FILE_BYTES = 1_000_000;

const timeout = z
  .number('must be a number of seconds')
  .int('must be whole seconds')
  .min(1)
  .max(86_400, 'must be at most a day');

const fileSchema = z.looseObject({
  name: z.string('must be a file name'),
  source: z.string('must be a path or "@SUBMISSION@"'),
});

const taskSchema = z.looseObject({
  lang: z.enum(['py', 'cu'], 'must be "py", "cu" or "model"'),
  description: z.string('must be the problem statement, a string'),
  files: z
    .array(fileSchema, 'must be a list of {"name": ..., "source": ...}')
    .min(1, 'must list at least the submission and the evaluation program'),
  config: z.looseObject({}, 'must be a map such as {main: "eval.py"}'),
  templates: z.record(z.string(), z.string('must be a path')).nullish(),
  tests: z.array(z.unknown()).nullish(),
  benchmarks: z.array(z.unknown()).nullish(),
  ranking_by: z.enum(rankings, `must be one of ${rankings.join(', ')}`).default('last'),
  test_timeout: timeout.default(DEFAULT_TIMEOUT_S),
  benchmark_timeout: timeout.default(DEFAULT_TIMEOUT_S),
  ranked_timeout: timeout.default(DEFAULT_TIMEOUT_S),
  multi_gpu: z.boolean('must be true or false').default(false),
  gpus: z.array(z.string().min(1), 'must be a list of GPU types such as ["H100"]').nullish(),
  score_ascending: z.boolean('must be true or false').default(true),
});

const configSchema = z.looseObject({
  config: z.looseObject({ main: z.string('must be the evaluation program, such as "eval.py"') }),
});

/** Known elsewhere, without a meaning for a run. */
const quietKeys = ['seed', 'milestones'];

/** `root` is a real path, `directory` inside of it. Throws CatalogFault. */
export async function loadTask(root: string, directory: string, file: YamlFile): Promise<LoadedTask> {
  if (file.document.get('lang') === 'model') {
    const loaded = loadModelTask(file);
    checkStorable(file, loaded.task, []);
    return loaded;
  }
  const raw = parseYaml(file, taskSchema);
  const warnings = unknownKeys(file, [], [...Object.keys(taskSchema.shape), ...quietKeys]);
  const { files, submissionFile } = await loadFiles(root, directory, file, raw.files, warnings);

  const templates: Record<string, string> = {};
  for (const [language, source] of Object.entries(raw.templates ?? {})) {
    const fault = (message: string) =>
      file.fault(['templates', language], `templates.${language}: ${message}`);
    templates[language] = await readSource(root, directory, source, fault);
  }

  const tests = caseLines(file, 'tests', raw.multi_gpu, warnings);
  const benchmarks = caseLines(file, 'benchmarks', raw.multi_gpu, warnings);
  // No fault: the format has both as optional. But the modes that need them can only fail.
  for (const [key, lines] of Object.entries({ tests, benchmarks })) {
    if (lines.length > 0) continue;
    const modes = key === 'tests' ? 'test and ranked' : 'benchmark, ranked and profile';
    const text = `${key}: there is no case, so that nothing can pass in the modes ${modes}`;
    warnings.push(file.fault([key], text).message);
  }

  for (const [key, lines] of Object.entries({ tests, benchmarks })) {
    const refused = findUnreadablePart(
      files,
      lines.map((line) => line.text),
    );
    if (!refused) continue;
    const { index, part, pattern } = refused;
    const text = `"${part}" is not what the evaluation program reads, which is ${pattern}`;
    throw file.fault([key, index], `${key}.${index}: ${text}`);
  }

  const sizes = [...tests, ...benchmarks].map((line) => line.worldSize ?? 0);
  const task: Task = {
    lang: raw.lang,
    description: raw.description,
    files,
    submissionFile,
    ...readConfig(file, raw.lang, [...Object.keys(files), submissionFile], warnings),
    templates,
    tests: tests.map((line) => line.text),
    benchmarks: benchmarks.map((line) => line.text),
    rankingBy: raw.ranking_by,
    testTimeoutS: raw.test_timeout,
    benchmarkTimeoutS: raw.benchmark_timeout,
    rankedTimeoutS: raw.ranked_timeout,
    multiGpu: raw.multi_gpu,
    worldSize: raw.multi_gpu ? Math.max(0, ...sizes) || null : null,
    scoreAscending: raw.score_ascending,
  };
  checkStorable(file, task, []);
  return { task, gpus: raw.gpus ?? [], warnings };
}

async function loadFiles(
  root: string,
  directory: string,
  file: YamlFile,
  list: z.infer<typeof fileSchema>[],
  warnings: string[],
): Promise<{ files: Record<string, string>; submissionFile: string }> {
  const files: Record<string, string> = {};
  const names = new Set<string>();
  let submissionFile: string | null = null;
  for (const [index, item] of list.entries()) {
    const fault = (message: string) => file.fault(['files', index], `files.${index}: ${message}`);
    warnings.push(...unknownKeys(file, ['files', index], Object.keys(fileSchema.shape)));
    if (!isPlainPath(item.name)) throw fault(`"${item.name}" must stay inside the run's directory`);
    if (names.has(item.name)) throw fault(`"${item.name}" is listed twice`);
    const twin = [...names].find((name) => isBelow(name, item.name) || isBelow(item.name, name));
    if (twin !== undefined) throw fault(`"${item.name}" and "${twin}" cannot both be there`);
    names.add(item.name);
    if (item.source !== SUBMISSION) {
      files[item.name] = await readSource(root, directory, item.source, fault);
    } else if (submissionFile === null) {
      submissionFile = item.name;
    } else {
      throw fault(`"${SUBMISSION}" may stand once only`);
    }
  }
  if (submissionFile === null) throw file.fault(['files'], `files: no file has the source "${SUBMISSION}"`);
  return { files, submissionFile };
}

function readConfig(
  file: YamlFile,
  lang: Task['lang'],
  names: string[],
  warnings: string[],
): { main: string; build?: CudaBuild } {
  if (lang === 'cu') {
    const build = checkBuild(file, names);
    warnings.push(...build.warnings);
    return { main: BUILT_PROGRAM, build: build.build };
  }
  const { main } = parseYaml(file, configSchema).config;
  warnings.push(...unknownKeys(file, ['config'], ['main']));
  // The last name is the submission's: it is evaluated, and evaluates nothing.
  if (!names.slice(0, -1).includes(main)) {
    throw file.fault(['config', 'main'], `config.main: "${main}" is not one of the files`);
  }
  return { main };
}

function caseLines(
  file: YamlFile,
  key: 'tests' | 'benchmarks',
  multiGpu: boolean,
  warnings: string[],
): CaseLine[] {
  const list: unknown = file.document.get(key, true);
  // The schema has let it pass as a list, so that its cases would be missing silently.
  if (isAlias(list)) throw file.faultAt(list, `${key}: must be written out, not as an alias (*)`);
  if (!isSeq(list)) return [];
  return list.items.map((item, index) => {
    try {
      const line = caseLine(item);
      if (multiGpu && line.worldSize === null) {
        throw file.faultAt(
          item,
          `${key}.${index}: a multi_gpu problem needs world_size in every case, a number from 1 on`,
        );
      }
      const word = isNode(item) && findAmbiguousWord(item);
      if (word) {
        const words = `"${word.source}" means something else in YAML 1.1, which other platforms read; write numbers plainly and texts in quotes`;
        warnings.push(file.faultAt(word, `${key}.${index}: ${words}`).message);
      }
      return line;
    } catch (error) {
      if (error instanceof UnwritableValue)
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
  try {
    return await readSourceFile(root, resolve(directory, source), MAX_FILE_BYTES);
  } catch (error) {
    if (!(error instanceof UnusableFile)) throw error;
    throw fault(`the source "${source}" ${error.message}`);
  }
}

/** What a box can make in a run's directory, under exactly this name. */
function isPlainPath(name: string): boolean {
  return (
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
    !/[\u0000-\u001f\u007f]/.test(name) &&
    name.split('/').every((part) => !['', '.', '..'].includes(part) && Buffer.byteLength(part) <= 200)
  );
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`);
}

/** YAML can write characters that PostgreSQL does not store. */
function checkStorable(file: YamlFile, value: unknown, path: string[]): void {
  if (typeof value === 'string') {
    if (value.isWellFormed() && !value.includes('\u0000')) return;
    throw file.fault(path, `${path.join('.')}: holds a NUL character or half of a character`);
  }
  if (value === null || typeof value !== 'object') return;
  for (const [key, item] of Object.entries(value)) {
    checkStorable(file, key, path);
    checkStorable(file, item, [...path, key]);
  }
}
