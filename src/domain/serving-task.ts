/** What a task says that is about serving a model, and what becomes of it in a job. */
import { z } from 'zod';
import type { StageSpec } from './protocol.ts';
import { benchmarkClients, engineProfile, goodputLatencies, type ServingSpec } from './serving-protocol.ts';
import type { Mode } from './submission.ts';

/** When the gate asks the pristine engine: in ranked runs, always, or never. */
export const gateKinds = ['ranked', 'strong', 'compatible'] as const;

export const servingDefinition = z.object({
  engine: engineProfile,
  /** What judges; null: the engine as it is installed. */
  reference: engineProfile.nullable(),
  modelName: z.string(),
  tensorParallel: z.number().int().positive(),
  arguments: z.array(z.string()),
  shapes: z
    .array(
      z.object({
        numPrompts: z.number().int().positive(),
        inputLen: z.number().int().positive(),
        outputLen: z.number().int().positive(),
      }),
    )
    .min(1),
  /** A name of serving-metrics.ts; the score is its value in the leaderboard run. */
  metric: z.string(),
  unit: z.string(),
  /** null: all at once. */
  concurrency: z.number().int().positive().nullable(),
  /** Requests a second; null: as fast as the server takes them. */
  requestRate: z.number().positive().nullable(),
  goodputMs: z.partialRecord(z.enum(goodputLatencies), z.number().positive()),
  client: z.enum(benchmarkClients),
  gate: z.enum(gateKinds),
  baseline: z.number().positive(),
  tolerance: z.number().positive(),
  /** null: those of the runner. */
  prompts: z.array(z.string()).nullable(),
  audited: z.number().int().nonnegative(),
  installTimeoutS: z.number().int().positive(),
  startupTimeoutS: z.number().int().positive(),
  gateTimeoutS: z.number().int().positive(),
  benchmarkTimeoutS: z.number().int().positive(),
});
export type ServingDefinition = z.infer<typeof servingDefinition>;

/** Of an archive over HTTP; Discord's own limit on attachments is lower. */
export const MAX_ARCHIVE_BYTES = 50 * 1024 * 1024;
export const ARCHIVE_EXTENSIONS = ['.tar.gz', '.tgz', '.zip'];

const CLEANUP_S = 60;

function gatesOf(serving: ServingDefinition, mode: Mode): ServingSpec['gates'] {
  const isStrong = serving.gate === 'strong' || (serving.gate === 'ranked' && mode === 'leaderboard');
  return isStrong ? ['compatible', 'strong'] : ['compatible'];
}

/** test; or test and benchmark; or all three. The time limit of a stage is the sum of those of its phases. */
export function servingStages(serving: ServingDefinition, mode: Mode): StageSpec[] {
  const { installTimeoutS, startupTimeoutS, gateTimeoutS, benchmarkTimeoutS, shapes } = serving;
  const isStrong = gatesOf(serving, mode).includes('strong');
  const referenceS = isStrong ? startupTimeoutS + gateTimeoutS : 0;
  const measureS = shapes.length * benchmarkTimeoutS;
  const limits = {
    test: referenceS + installTimeoutS + startupTimeoutS + gateTimeoutS + CLEANUP_S,
    benchmark: measureS + CLEANUP_S,
    leaderboard: measureS + referenceS + 2 * CLEANUP_S,
  };
  const names = {
    test: ['test'],
    benchmark: ['test', 'benchmark'],
    leaderboard: ['test', 'benchmark', 'leaderboard'],
    profile: [],
  } as const satisfies Record<Mode, readonly (keyof typeof limits)[]>;
  return names[mode].map((name) => ({ name, mode: name, timeout_s: limits[name], cases: '' }));
}

export function servingSpecFor(
  serving: ServingDefinition,
  mode: Mode,
  archive: ServingSpec['archive'],
): ServingSpec {
  return {
    archive,
    engine: serving.engine,
    reference: serving.reference,
    model: serving.modelName,
    tensor_parallel: serving.tensorParallel,
    arguments: serving.arguments,
    shapes: serving.shapes.map((shape) => ({
      num_prompts: shape.numPrompts,
      input_len: shape.inputLen,
      output_len: shape.outputLen,
    })),
    ...(serving.concurrency !== null && { concurrency: serving.concurrency }),
    ...(serving.requestRate !== null && { request_rate: serving.requestRate }),
    goodput_ms: serving.goodputMs,
    client: serving.client,
    gates: gatesOf(serving, mode),
    baseline: serving.baseline,
    tolerance: serving.tolerance,
    ...(serving.prompts !== null && { prompts: serving.prompts }),
    audited: serving.audited,
    install_timeout_s: serving.installTimeoutS,
    startup_timeout_s: serving.startupTimeoutS,
    gate_timeout_s: serving.gateTimeoutS,
    benchmark_timeout_s: serving.benchmarkTimeoutS,
  };
}
