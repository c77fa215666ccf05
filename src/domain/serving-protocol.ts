/**
 * The wire of a job that serves a model: what it is told beside the fields of every job, and what its stages report
 * beside those of every stage. The Python half is deploy/box/runner/serving_spec.py.
 *
 * Its submission is an archive, not a text, so that it does not travel inside the job: `put` brings it to the box in
 * pieces before `start`, under the job's key, and the job names it by hash and size.
 */
import { z } from 'zod';

/** How one kind of serving engine is found, started and spoken to: data, so that another engine needs no code. */
export const engineProfile = z.object({
  name: z.string(),
  /** The Python package that a submission is a fork of; null: a submission is the whole engine. */
  package: z.string().nullable(),
  /** Where to look for a Python that has the package before those of the job and the PATH; patterns may be used. */
  pythons: z.array(z.string()),
  /**
   * The command. `{python}`, `{model}` (a folder), `{model_name}`, `{port}`, `{tensor_parallel}` and `{tree}` (the
   * unpacked archive) are filled in; a word that is `{args}` stands for the task's own arguments.
   */
  serve: z.array(z.string()).min(1),
  /** Answers 200 once the server is ready. */
  health: z.string(),
  completions: z.string(),
  /** Counts the tokens of a text; absent: there is no such path. */
  tokenize: z.string().optional(),
  /** Goes into every timed request, so that an answer has the asked length. */
  request: z.record(z.string(), z.json()),
  /**
   * The command of the engine's own benchmark client; absent: it has none that is used. Filled in are `{python}`,
   * `{base_url}`, `{completions}`, `{model}`, `{model_name}`, `{num_prompts}`, `{input_len}`, `{output_len}`, `{seed}` and
   * `{results}`, the folder for its result file; a word that is `{args}` stands for concurrency, rate and limits.
   */
  bench: z.array(z.string()).optional(),
});
export type EngineProfile = z.infer<typeof engineProfile>;

export const shape = z.object({
  num_prompts: z.number().int().positive(),
  input_len: z.number().int().positive(),
  output_len: z.number().int().positive(),
});

/** Which client measures: `auto` takes the engine's own where it is installed. */
export const benchmarkClients = ['auto', 'hotlap', 'vllm'] as const;
/** `compatible` takes the server's word for its log-probabilities; `strong` asks the pristine engine. */
export const gates = ['compatible', 'strong'] as const;
/** By which of them a request may be too slow to count. */
export const goodputLatencies = ['ttft', 'tpot', 'e2el'] as const;

export const servingSpec = z.object({
  archive: z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), bytes: z.number().int().positive() }),
  engine: engineProfile,
  /** What judges where the submission is the whole engine; null: the engine itself, as it is installed. */
  reference: engineProfile.nullable(),
  model: z.string(),
  tensor_parallel: z.number().int().positive(),
  arguments: z.array(z.string()),
  shapes: z.array(shape).min(1),
  /** Requests under way at once; absent: all. */
  concurrency: z.number().int().positive().optional(),
  /** Requests a second, at random distances; absent: as fast as the server takes them. */
  request_rate: z.number().positive().optional(),
  goodput_ms: z.partialRecord(z.enum(goodputLatencies), z.number().positive()),
  client: z.enum(benchmarkClients),
  gates: z.array(z.enum(gates)),
  baseline: z.number().positive(),
  /** Relative. */
  tolerance: z.number().positive(),
  /** Of the compatible gate; absent: those of the runner. */
  prompts: z.array(z.string()).optional(),
  /** How many answers of each shape of a ranked run the pristine engine reads. */
  audited: z.number().int().nonnegative(),
  install_timeout_s: z.number().positive(),
  startup_timeout_s: z.number().positive(),
  gate_timeout_s: z.number().positive(),
  /** For each shape. */
  benchmark_timeout_s: z.number().positive(),
});
export type ServingSpec = z.infer<typeof servingSpec>;

export const servingReport = z.object({
  phases: z.array(
    z.object({
      /** `install`, `server`, `gate`, `shape 0`, `audit`, `cleanup` ... */
      name: z.string(),
      started_at: z.string(),
      timeout_s: z.number(),
      duration_ms: z.number(),
      outcome: z.enum(['passed', 'failed', 'timed-out', 'cancelled']),
      note: z.string(),
    }),
  ),
  /** Why the stage did not pass, found by the runner itself. */
  failure: z
    .object({
      phase: z.string(),
      kind: z.enum(['wrong', 'crash', 'timeout']),
      summary: z.string(),
      detail: z.string(),
    })
    .nullable(),
});
export type ServingReport = z.infer<typeof servingReport>;

/** What a stage of such a job is doing. */
export const servingStates = [
  'reference',
  'installing',
  'starting',
  'gate',
  'running',
  'cleanup',
  'auditing',
] as const;

export type ServingState = (typeof servingStates)[number];

/** A piece of an archive on its way to a box: small enough that a line of the protocol stays short. */
export const PIECE_BYTES = 1024 * 1024;
