/**
 * From YAML on disk to tasks: `<root>/<set>.yaml` names problems, `<root>/<directory>/task.yml` defines each
 * (the public format: problem sets that exist run unmodified).
 *
 * A faulty set or problem is left out with file, line, key and what was expected; the others go on. Unknown keys warn
 * and never fail.
 */
import { readdir, realpath } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { z } from 'zod';
import type { ProblemEntry } from '../domain/task.ts';
import { parseDeadline } from './deadline.ts';
import { loadTask } from './load-task.ts';
import { isInside } from './source-file.ts';
import { CatalogFault, parseYaml, readYaml, unknownKeys, type YamlFile } from './yaml-file.ts';

export interface Catalog {
  entries: ProblemEntry[];
  /** Why a set or a problem was left out. */
  faults: string[];
  warnings: string[];
}

const setSchema = z.looseObject({
  name: z.string('must be the display name, a string'),
  deadline: z.string('must be a quoted date such as "2026-12-31", or ""').nullish(),
  description: z.string('must be a string').nullish(),
  problems: z.array(z.unknown(), 'must be a list of problems').min(1, 'must list at least one problem'),
});

const problemSchema = z.looseObject({
  directory: z.string('must be the path of the problem, such as "starter/prefix-sum"').min(1),
  name: z
    .string('must be the leaderboard name')
    .regex(/^[A-Za-z0-9_.-]{1,100}$/, 'must be 1 to 100 letters, digits, "_", "-" or "."'),
  deadline: z.string('must be a quoted date such as "2026-12-31 18:00", or ""').nullish(),
  gpus: z.array(z.string().min(1), 'must be a list of GPU types such as ["H100"]').nullish(),
});

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
    file = await readYaml(root, join(root, name), name);
    problems = parseYaml(file, setSchema).problems;
    catalog.warnings.push(...unknownKeys(file, [], Object.keys(setSchema.shape)));
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
  catalog.warnings.push(...unknownKeys(set, path, Object.keys(problemSchema.shape)));

  const deadline = parseDeadline(problem.deadline ?? '');
  if (deadline === undefined) {
    throw set.fault(
      [...path, 'deadline'],
      `deadline: "${problem.deadline}" is no date; write "YYYY-MM-DD" or "YYYY-MM-DD HH:MM" (UTC)`,
    );
  }
  const directory = resolve(root, problem.directory);
  if (!isInside(root, directory))
    throw set.fault([...path, 'directory'], 'directory: leaves the problems directory');
  const taskPath = join(directory, 'task.yml');
  const loaded = await loadTask(root, directory, await readYaml(root, taskPath, relative(root, taskPath)));
  catalog.warnings.push(...loaded.warnings);
  const gpus = problem.gpus ?? loaded.gpus;
  if (gpus.length === 0) throw set.fault(path, 'gpus: no GPU type is given, neither here nor in task.yml');
  return {
    set: basename(set.name, '.yaml'),
    directory: problem.directory,
    leaderboard: problem.name,
    deadline,
    gpus: eachOnce(gpus),
    task: loaded.task,
  };
}

/** GPU types are compared without regard to case everywhere; the first spelling stays. */
export function eachOnce(gpus: string[]): string[] {
  const lower = gpus.map((gpu) => gpu.toLowerCase());
  return gpus.filter((_, index) => lower.indexOf(lower[index] ?? '') === index);
}
