/**
 * One `task.yml` with `lang: model` to a task: a submission is an archive, a fork of a serving engine (the public
 * format's keys, problem-format 4.1, and some of our own). There are neither files nor cases.
 */
import { z } from 'zod';
import { engineNames, engineProfiles } from '../domain/engine-profiles.ts';
import { servingMetric, servingMetricNames } from '../domain/serving-metrics.ts';
import { benchmarkClients, type EngineProfile, goodputLatencies } from '../domain/serving-protocol.ts';
import { gateKinds, type ServingDefinition } from '../domain/serving-task.ts';
import type { Task } from '../domain/task.ts';
import { parseYaml, unknownKeys, type YamlFile } from './yaml-file.ts';

const DEFAULT_SHAPE = { num_prompts: 100, input_len: 512, output_len: 128 };
const DEFAULT_GATE_S = 600;
/** Of which a server that makes up one answer in ten gets one run of a hundred past the audit; of 16, every second. */
const DEFAULT_AUDITED = 64;

const seconds = z
  .number('must be a number of seconds')
  .int('must be whole seconds')
  .min(1)
  .max(86_400, 'must be at most a day');
const count = (most: number) =>
  z.number('must be a number').int('must be a whole number').min(1).max(most, `must be at most ${most}`);
const path = z.string().regex(/^\/[!-~]*$/, 'must be a path such as "/health"');
const words = z.array(z.string('must be a list of words'));

/** Over a profile that Hotlap knows. */
const engineChange = z.strictObject({
  profile: z.enum(engineNames, `must be one of ${engineNames.join(', ')}`).default('vllm'),
  package: z
    .string()
    .regex(/^[A-Za-z_]\w*$/, 'must be the name of a Python package')
    .nullish(),
  /** Where the engine is installed on the boxes. */
  python: z.string().startsWith('/', 'must be an absolute path').optional(),
  serve: words.min(1).optional(),
  health: path.optional(),
  completions: path.optional(),
  tokenize: path.nullish(),
  request: z.record(z.string(), z.json()).optional(),
  bench: words.min(1).nullish(),
});
const engine = z.union([z.enum(engineNames), engineChange]);

const configSchema = z.looseObject({
  model_name: z
    .string('must be the name of a model, such as "meta-llama/Llama-3.1-8B", or an absolute path')
    .regex(/^(?!.*\.\.)[A-Za-z0-9_./-]{1,300}$/, 'must be the name of a model, or an absolute path'),
  tensor_parallel: count(64),
  benchmark_shapes: z
    .array(
      z.looseObject({
        num_prompts: count(100_000).default(DEFAULT_SHAPE.num_prompts),
        input_len: count(1_000_000).default(DEFAULT_SHAPE.input_len),
        output_len: count(100_000).default(DEFAULT_SHAPE.output_len),
      }),
      'must be a list of {num_prompts, input_len, output_len}',
    )
    .min(1, 'must list at least one shape')
    .max(50),
  ranking_metric: z.string('must be the name of a metric'),
  perplexity_baseline: z.number('must be a number').positive('must be above 0'),
  perplexity_tolerance: z
    .number('must be a number')
    .positive('must be above 0')
    .max(1, 'is relative: 0.02 is 2 %'),
  install_timeout: seconds.default(600),
  server_startup_timeout: seconds.default(300),
  benchmark_timeout: seconds.default(1200),
  vllm_args: words.nullish(),
  engine: engine.default('vllm'),
  reference: engine.optional(),
  engine_args: words.nullish(),
  gate: z.enum(gateKinds, `must be one of ${gateKinds.join(', ')}`).default('ranked'),
  gate_prompts: z.array(z.string().min(1)).min(1).max(100).nullish(),
  gate_timeout: seconds.default(DEFAULT_GATE_S),
  audit_samples: z.number().int().min(0).max(1000).default(DEFAULT_AUDITED),
  max_concurrency: count(100_000).nullish(),
  request_rate: z.number().positive().nullish(),
  goodput: z
    .partialRecord(
      z.enum(goodputLatencies, `must be limits on ${goodputLatencies.join(', ')}, in milliseconds`),
      z.number().positive(),
    )
    .nullish(),
  benchmark_client: z.enum(benchmarkClients, `must be one of ${benchmarkClients.join(', ')}`).default('auto'),
});

const nothing = 'must be empty: a model is served, nothing is evaluated';
const empty = z.union([z.array(z.unknown()).max(0, nothing), z.strictObject({}, nothing)], nothing).nullish();

const taskSchema = z.looseObject({
  lang: z.literal('model'),
  description: z.string('must be the problem statement, a string'),
  files: empty,
  tests: empty,
  benchmarks: empty,
  config: configSchema,
  ranking_by: z.literal('custom', 'must be "custom" where a model is served').default('custom'),
  score_ascending: z.boolean('must be true or false').default(true),
  gpus: z.array(z.string().min(1), 'must be a list of GPU types such as ["H100"]').nullish(),
});

/** Throws CatalogFault. */
export function loadModelTask(file: YamlFile): { task: Task; gpus: string[]; warnings: string[] } {
  const raw = parseYaml(file, taskSchema);
  const { config } = raw;
  const warnings = [
    ...unknownKeys(file, [], [...Object.keys(taskSchema.shape), 'seed', 'milestones', 'templates']),
    ...unknownKeys(file, ['config'], Object.keys(configSchema.shape)),
  ];
  const metric = servingMetric(config.ranking_metric, config.benchmark_shapes.length);
  const fault = (key: string, message: string) => file.fault(['config', key], `config.${key}: ${message}`);
  if (!metric) {
    throw fault(
      'ranking_metric',
      `"${config.ranking_metric}" is none of ${servingMetricNames.join(', ')}, nor one of them with shape_<number>_ before it`,
    );
  }
  if (config.ranking_metric.endsWith('request_goodput') && !config.goodput) {
    throw fault('ranking_metric', 'request_goodput needs limits in `goodput`, such as {ttft: 200, tpot: 50}');
  }
  if (raw.score_ascending !== metric.ascending) {
    const better = metric.ascending ? 'lower' : 'higher';
    const text = `score_ascending: a ${better} ${config.ranking_metric} is better, so this ranks the worst first`;
    warnings.push(file.fault(['score_ascending'], text).message);
  }
  if (/_(ttft|tpot|itl)_ms$/.test(config.ranking_metric)) {
    const text = `config.ranking_metric: when text is sent decides ${config.ranking_metric} as much as when it is computed, and can be had without serving faster; rank on request_goodput with limits on ttft and e2el instead`;
    warnings.push(file.fault(['config', 'ranking_metric'], text).message);
  }
  const served = profileOf(config.engine);
  const judge = config.reference === undefined ? defaultReference(served) : profileOf(config.reference);
  if (config.gate !== 'compatible' && judge?.package === null) {
    throw fault(
      'reference',
      'the pristine engine judges, and one without a package is not installed anywhere',
    );
  }
  const serving: ServingDefinition = {
    engine: served,
    reference: judge,
    modelName: config.model_name,
    tensorParallel: config.tensor_parallel,
    arguments: [...(config.vllm_args ?? []), ...(config.engine_args ?? [])],
    shapes: config.benchmark_shapes.map((shape) => ({
      numPrompts: shape.num_prompts,
      inputLen: shape.input_len,
      outputLen: shape.output_len,
    })),
    metric: config.ranking_metric,
    unit: metric.unit,
    concurrency: config.max_concurrency ?? null,
    requestRate: config.request_rate ?? null,
    goodputMs: config.goodput ?? {},
    client: config.benchmark_client,
    gate: config.gate,
    baseline: config.perplexity_baseline,
    tolerance: config.perplexity_tolerance,
    prompts: config.gate_prompts ?? null,
    audited: config.audit_samples,
    installTimeoutS: config.install_timeout,
    startupTimeoutS: config.server_startup_timeout,
    gateTimeoutS: config.gate_timeout,
    benchmarkTimeoutS: config.benchmark_timeout,
  };
  const task: Task = {
    lang: 'model',
    description: raw.description,
    files: {},
    submissionFile: '',
    main: '',
    serving,
    templates: {},
    tests: [],
    benchmarks: [],
    rankingBy: 'custom',
    testTimeoutS: config.install_timeout + config.server_startup_timeout + config.gate_timeout,
    benchmarkTimeoutS: config.benchmark_timeout,
    rankedTimeoutS: config.benchmark_timeout,
    multiGpu: config.tensor_parallel > 1,
    worldSize: config.tensor_parallel > 1 ? config.tensor_parallel : null,
    scoreAscending: raw.score_ascending,
  };
  return { task, gpus: raw.gpus ?? [], warnings };
}

function profileOf(written: z.infer<typeof engine>): EngineProfile {
  if (typeof written === 'string') return engineProfiles[written];
  const { tokenize, bench, ...base } = engineProfiles[written.profile];
  const named = written.package === undefined ? base.package : written.package;
  // Another package has another client, if it has one.
  const client = written.bench === undefined ? (named === base.package ? bench : null) : written.bench;
  const counts = written.tokenize === undefined ? tokenize : written.tokenize;
  return {
    name: base.name,
    package: named,
    pythons: written.python === undefined ? base.pythons : [written.python, ...base.pythons],
    serve: written.serve ?? base.serve,
    health: written.health ?? base.health,
    completions: written.completions ?? base.completions,
    request: written.request ?? base.request,
    ...(counts && { tokenize: counts }),
    ...(client && { bench: client }),
  };
}

/** A fork is held against what it forks; a whole engine against the best known one. */
function defaultReference(served: EngineProfile): EngineProfile | null {
  return served.package === null ? engineProfiles.vllm : null;
}
