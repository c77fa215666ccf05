/** The files of a loaded problem with the places that they come from, which the task itself does not keep. */
import { realpath } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { z } from 'zod';
import { readYaml, type YamlFile } from '../catalog/yaml-file.ts';
import type { ProblemEntry } from '../domain/task.ts';

export interface ProblemFiles {
  /** Paths are relative to the problems root. */
  taskFile: string;
  yaml: YamlFile;
  submissionFile: string;
  /** `name` is that in the run's folder; null for a template. */
  files: { name: string | null; path: string; text: string }[];
}

const sources = z.looseObject({
  files: z.array(z.looseObject({ name: z.string(), source: z.string() })),
  templates: z.record(z.string(), z.string()).nullish(),
});

export async function readProblemFiles(root: string, entry: ProblemEntry): Promise<ProblemFiles> {
  const path = resolve(root, entry.directory, 'task.yml');
  const taskFile = relative(root, path);
  const yaml = await readYaml(await realpath(root), path, taskFile);
  // A model that is served has no files of its own.
  if (entry.task.serving) return { taskFile, yaml, submissionFile: '', files: [] };
  const outline = sources.parse(yaml.value);
  const placeOf = (source: string) => relative(root, join(dirname(path), source));
  const files: ProblemFiles['files'] = [];
  for (const { name, source } of outline.files) {
    const text = entry.task.files[name];
    if (text !== undefined) files.push({ name, path: placeOf(source), text });
  }
  for (const [language, source] of Object.entries(outline.templates ?? {})) {
    const text = entry.task.templates[language];
    if (text !== undefined) files.push({ name: null, path: placeOf(source), text });
  }
  return { taskFile, yaml, submissionFile: entry.task.submissionFile, files };
}
