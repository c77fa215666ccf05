/**
 * A task: one problem as it stands in one immutable version. The catalog reads it from YAML; the database keeps it as
 * JSON under the hash of its content; a submission refers to the version it ran against.
 */
import { z } from 'zod';
import { canonicalHash } from './canonical-json.ts';
import { ARCHIVE_EXTENSIONS, servingDefinition } from './serving-task.ts';

/** How several benchmark times become one score (problem-format 2.4). `last` is the format's default. */
export const rankings = ['last', 'mean', 'geom'] as const;
export type Ranking = (typeof rankings)[number];

/** What nvcc is told beside the flags that every build gets. */
const cudaBuild = z.object({
  /** Of the task's files, the submission included. */
  sources: z.array(z.string()).min(1),
  /** Relative to the run's directory, or absolute: then they are the box's. */
  includeDirs: z.array(z.string()),
  /** Macro name -> value; null: a name alone. */
  defines: z.record(z.string(), z.string().nullable()),
  flags: z.array(z.string()),
  libraries: z.array(z.string()),
});
export type CudaBuild = z.infer<typeof cudaBuild>;

/** What a build makes, as the public harnesses call it. */
export const BUILT_PROGRAM = 'eval.out';

export const taskDefinition = z.object({
  lang: z.enum(['py', 'cu', 'model']),
  description: z.string(),
  /** Name in the run's directory -> text; the submission's own place is not among them. */
  files: z.record(z.string(), z.string()),
  /** Where the submission goes: the file whose source is `@SUBMISSION@`. */
  submissionFile: z.string(),
  /** The evaluation program: one of `files`, or `eval.out` for a task in CUDA C++. */
  main: z.string(),
  /** Only of a task in CUDA C++. Absent otherwise, so that the hashes of older tasks stay. */
  build: cudaBuild.optional(),
  /** Only of a task in which a model is served: it has neither files nor cases. */
  serving: servingDefinition.optional(),
  /** Only of a program on its own, which is no problem's: it is run once, as it is, without a warm-up. */
  standalone: z.literal(true).optional(),
  /** Template language as written in task.yml (`Python`, `HIP`, ...) -> text. */
  templates: z.record(z.string(), z.string()),
  /** One case a line without its line end, as the harness reads it: `size: 128; seed: 5`. */
  tests: z.array(z.string()),
  benchmarks: z.array(z.string()),
  /** `custom`: by a metric of its own, as with a model that is served. */
  rankingBy: z.enum([...rankings, 'custom']),
  testTimeoutS: z.number().int().positive(),
  benchmarkTimeoutS: z.number().int().positive(),
  rankedTimeoutS: z.number().int().positive(),
  multiGpu: z.boolean(),
  /** The largest of the cases, when `multiGpu`. */
  worldSize: z.number().int().positive().nullable(),
  /** True: lower is better. */
  scoreAscending: z.boolean(),
});
export type Task = z.infer<typeof taskDefinition>;

/** One leaderboard as a problem set declares it. */
export interface ProblemEntry {
  /** The set file without its extension. */
  set: string;
  /** Relative to the problems root: `starter/prefix-sum`. */
  directory: string;
  leaderboard: string;
  /** null: no deadline. */
  deadline: Date | null;
  gpus: string[];
  task: Task;
}

/** SHA-256 (hex) of the canonical JSON of a task: equal content, equal hash, whatever order the YAML had its keys in. */
export function taskHash(task: Task): string {
  return canonicalHash(task);
}

/** What the score of a task is measured in; `s`: seconds. */
export function scoreUnit(task: Pick<Task, 'serving'>): string {
  return task.serving?.unit ?? 's';
}

/** File extensions that a submission to this task may have. */
export function allowedExtensions(task: Pick<Task, 'lang'>): string[] {
  if (task.lang === 'model') return ARCHIVE_EXTENSIONS;
  return task.lang === 'cu' ? ['.cu', '.cuh', '.cpp'] : ['.py'];
}
