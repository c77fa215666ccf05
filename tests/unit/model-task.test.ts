/** Tasks with `lang: model`: from task.yml to what a box is told, and from what it says to a score. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadCatalog } from '../../src/catalog/load.ts';
import { engineProfiles } from '../../src/domain/engine-profiles.ts';
import { hasCases, jobSpecFor, jobStages } from '../../src/domain/job.ts';
import { readOutcome } from '../../src/domain/outcome.ts';
import { jobSpec, PROTOCOL_VERSION, type StageReport } from '../../src/domain/protocol.ts';
import { leaderboardScore } from '../../src/domain/score.ts';
import { servingMetric, servingMetricNames, shownMetrics } from '../../src/domain/serving-metrics.ts';
import { type Task, taskDefinition, taskHash } from '../../src/domain/task.ts';
import { CatalogFolder } from './catalog-folder.ts';

/** In the shape of the public one for Llama 3.1 8B. */
const llama = `lang: model
description: |
  Serve the model faster.
files: {}
tests: []
benchmarks: []
gpus: ["H100"]
ranking_by: custom
score_ascending: false
config:
  model_name: meta-llama/Llama-3.1-8B
  tensor_parallel: 1
  benchmark_shapes:
    - {num_prompts: 1000, input_len: 512, output_len: 128}
  ranking_metric: request_throughput
  perplexity_baseline: 1.80
  perplexity_tolerance: 0.02
  install_timeout: 3600
`;

let folder: CatalogFolder;
beforeEach(async () => {
  folder = await CatalogFolder.make();
});
afterEach(() => folder.remove());

async function load(yaml: string) {
  await folder.writeProblem(yaml);
  return loadCatalog(folder.root);
}

async function taskOf(yaml: string): Promise<Task> {
  const { entries, faults } = await load(yaml);
  expect(faults).toEqual([]);
  const [entry] = entries;
  if (!entry) throw new Error('no entry');
  return entry.task;
}

describe('a model task', () => {
  it('is read as the public format has it, with its defaults, and can be stored', async () => {
    const catalog = await load(llama);
    expect(catalog).toMatchObject({ faults: [], warnings: [] });
    const task = await taskOf(llama);
    expect(task).toMatchObject({
      lang: 'model',
      description: 'Serve the model faster.\n',
      files: {},
      tests: [],
      benchmarks: [],
      rankingBy: 'custom',
      scoreAscending: false,
      multiGpu: false,
      serving: {
        engine: engineProfiles.vllm,
        reference: null,
        modelName: 'meta-llama/Llama-3.1-8B',
        tensorParallel: 1,
        shapes: [{ numPrompts: 1000, inputLen: 512, outputLen: 128 }],
        metric: 'request_throughput',
        unit: 'req/s',
        baseline: 1.8,
        tolerance: 0.02,
        installTimeoutS: 3600,
        startupTimeoutS: 300,
        benchmarkTimeoutS: 1200,
        gate: 'ranked',
        client: 'auto',
        arguments: [],
      },
    });
    const stored: unknown = JSON.parse(JSON.stringify(task));
    expect(taskHash(taskDefinition.parse(stored))).toBe(taskHash(task));
  });

  it('knows three engines, and any other that is described', async () => {
    const change = (config: string) => taskOf(`${llama}${config}`);
    expect((await change('  engine: sglang\n')).serving?.engine).toEqual(engineProfiles.sglang);
    const own = (await change('  engine: openai\n')).serving;
    expect([own?.engine.package, own?.reference]).toEqual([null, engineProfiles.vllm]);
    const described = await change(
      '  engine: {python: /opt/mine/bin/python, package: mine, serve: ["{python}", "-m", mine, "{args}"], health: /ready}\n',
    );
    expect(described.serving?.engine).toMatchObject({
      package: 'mine',
      pythons: ['/opt/mine/bin/python', ...engineProfiles.vllm.pythons],
      serve: ['{python}', '-m', 'mine', '{args}'],
      health: '/ready',
      completions: '/v1/completions',
    });
    expect(described.serving?.engine.bench).toBeUndefined();
  });

  it('takes what is left out of a shape from 100 prompts, 512 tokens in and 128 out', async () => {
    const task = await taskOf(llama.replace('{num_prompts: 1000, input_len: 512, output_len: 128}', '{}'));
    expect(task.serving?.shapes).toEqual([{ numPrompts: 100, inputLen: 512, outputLen: 128 }]);
  });

  it('takes all GPUs of a box when it is parallel', async () => {
    const task = await taskOf(llama.replace('tensor_parallel: 1', 'tensor_parallel: 8'));
    expect([task.multiGpu, task.worldSize]).toEqual([true, 8]);
  });

  it('warns of a direction that ranks the worst first, and of keys that mean nothing', async () => {
    const { warnings } = await load(`${llama.replace('ascending: false', 'ascending: true')}  colour: red\n`);
    expect(warnings).toEqual([
      expect.stringContaining('unknown key "colour"'),
      expect.stringContaining('a higher request_throughput is better'),
    ]);
    const text = llama
      .replace('request_throughput', 'mean_tpot_ms')
      .replace('ascending: false', 'ascending: true');
    expect((await load(text)).warnings).toEqual([
      expect.stringContaining('when text is sent decides mean_tpot_ms as much'),
    ]);
  });

  it.each([
    ['ranking_metric: request_throughput', 'ranking_metric: speed', 'is none of request_throughput'],
    ['ranking_metric: request_throughput', 'ranking_metric: shape_1_output_throughput', 'is none of'],
    ['ranking_metric: request_throughput', 'ranking_metric: request_goodput', 'needs limits in `goodput`'],
    ['perplexity_baseline: 1.80', 'perplexity_baseline: 0', 'perplexity_baseline: must be above 0'],
    ['perplexity_tolerance: 0.02', 'perplexity_tolerance: 2', '0.02 is 2 %'],
    ['model_name: meta-llama/Llama-3.1-8B', 'model_name: ../../etc', 'must be the name of a model'],
    ['tests: []', 'tests: [{size: 1}]', 'tests: must be empty'],
    ['ranking_by: custom', 'ranking_by: geom', 'must be "custom"'],
    ['{num_prompts: 1000, input_len: 512, output_len: 128}', '', 'benchmark_shapes'],
    ['install_timeout: 3600', 'engine: {profile: none}', 'config.engine'],
    ['install_timeout: 3600', 'reference: openai', 'the pristine engine judges'],
  ])('is left out with its line and what to write: %s -> %s', async (from, to, words) => {
    const { entries, faults } = await load(llama.replace(from, to));
    expect(entries).toEqual([]);
    expect(faults).toEqual([expect.stringMatching(/^s\/p\/task\.yml:\d+: /)]);
    expect(faults[0]).toContain(words);
  });
});

describe('a job that serves a model', () => {
  const archive = Buffer.from('the bytes of an archive');
  async function order(mode: 'test' | 'benchmark' | 'leaderboard', yaml = llama) {
    const task = await taskOf(yaml);
    const job = { id: 7, attempt: 1, mode, gpuType: 'H100', task, code: '', archive };
    return jobSpec.parse(jobSpecFor({ ...job, gpus: null, lane: null, sandbox: 'required' }));
  }

  it('goes as far as its mode says, and asks the pristine engine in ranked mode', async () => {
    const found = await Promise.all(
      (['test', 'benchmark', 'leaderboard'] as const).map((mode) => order(mode)),
    );
    expect(found.map((spec) => spec.stages.map((stage) => stage.name))).toEqual([
      ['test'],
      ['test', 'benchmark'],
      ['test', 'benchmark', 'leaderboard'],
    ]);
    expect(found.map((spec) => spec.serving?.gates)).toEqual([
      ['compatible'],
      ['compatible'],
      ['compatible', 'strong'],
    ]);
    const always = await order('test', `${llama}  gate: strong\n`);
    const never = await order('leaderboard', `${llama}  gate: compatible\n`);
    expect([always.serving?.gates, never.serving?.gates]).toEqual([['compatible', 'strong'], ['compatible']]);
  });

  it('names its archive by hash and size, and allows each stage the sum of its phases', async () => {
    const spec = await order('leaderboard');
    expect([spec.files, spec.main, spec.warmup, spec.serving?.archive]).toEqual([
      {},
      '',
      null,
      { sha256: 'e0c96bc59e62994acbbd40a10aaf23bb4064d94f26c1ef42a03c6f4d62d55900', bytes: archive.length },
    ]);
    expect(spec.stages.map((stage) => stage.timeout_s)).toEqual([
      300 + 600 + 3600 + 300 + 600 + 60,
      1200 + 60,
      1200 + 300 + 600 + 120,
    ]);
  });

  it('cannot be profiled', async () => {
    const task = await taskOf(llama);
    expect([hasCases(task, 'leaderboard'), hasCases(task, 'profile')]).toEqual([true, false]);
    expect(jobStages(task, 'profile')).toEqual([]);
  });
});

describe('what a box says of it', () => {
  const phase = { started_at: '2026-01-01T00:00:00.000Z', timeout_s: 600, duration_ms: 1234 };
  const report = (name: string, change: Partial<StageReport> = {}): StageReport => ({
    name,
    mode: name,
    started_at: phase.started_at,
    finished_at: phase.started_at,
    timeout_s: 600,
    warmup: null,
    worker_died: false,
    overflow: false,
    lines: [
      ['request_throughput', '4.25'],
      ['shape_0_mean_ttft_ms', '12.5'],
      ['audit', 'prose is no number'],
      ['check', 'pass'],
    ],
    malformed_lines: 0,
    exit_code: 0,
    signal: null,
    timed_out: false,
    duration_ms: 1,
    stdout: '',
    stderr: '',
    serving: { phases: [{ ...phase, name: 'shape 0', outcome: 'passed', note: 'overlay' }], failure: null },
    ...change,
  });
  const result = (stages: StageReport[]) => ({
    protocol: PROTOCOL_VERSION as 1,
    job_key: '1.1',
    outcome: 'finished' as const,
    error: null,
    stages,
    system: { gpu: '', device_count: 0, cpu: '', runtime: '', platform: '', torch: '', hostname: '' },
    sandbox: 'bwrap',
  });
  const sent = ['test', 'benchmark', 'leaderboard'].map((name) => ({ name, cases: '' }));

  it('becomes figures, phases and, in the leaderboard run alone, a score', async () => {
    const outcome = readOutcome(result(sent.map(({ name }) => report(name))), sent);
    expect([outcome.passed, outcome.failure]).toEqual([true, null]);
    expect(outcome.stages[2]?.metrics).toEqual({ request_throughput: 4.25, shape_0_mean_ttft_ms: 12.5 });
    expect(outcome.stages[2]?.lines.at(-1)).toEqual(['phase.shape_0', 'passed in 1.2 s of 600 s, overlay']);
    const task = await taskOf(llama);
    expect(leaderboardScore(outcome, task)).toBe(4.25);
    const other = await taskOf(llama.replace('request_throughput', 'output_throughput'));
    expect(leaderboardScore(outcome, other)).toBeNull();
    const partly = readOutcome(result([report('test')]), sent);
    expect([partly.passed, leaderboardScore(partly, task)]).toEqual([false, null]);
  });

  it('says which phase failed, how and why, in its own words', () => {
    const failure = { phase: 'gate', kind: 'wrong' as const, summary: 'Too far off.', detail: 'log' };
    const lines: [string, string][] = [['check', 'fail']];
    const outcome = readOutcome(
      result([report('test', { lines, exit_code: 112, serving: { phases: [], failure } })]),
      sent,
    );
    expect([outcome.passed, outcome.failure]).toEqual([
      false,
      { kind: 'wrong', stage: 'test', summary: 'Too far off.', detail: 'log' },
    ]);
  });

  it.each([
    ['no verdict', { lines: [] }],
    ['another exit code', { exit_code: 1 }],
  ])('is no pass with %s', (_, change) => {
    const outcome = readOutcome(result([report('test', change as Partial<StageReport>)]), sent.slice(0, 1));
    expect([outcome.passed, outcome.failure?.kind]).toEqual([false, 'crash']);
  });
});

describe('the metrics', () => {
  it('have a unit and a direction each, for every shape, and only for those that there are', () => {
    for (const name of servingMetricNames) {
      const metric = servingMetric(name, 1);
      expect(metric).toEqual(servingMetric(`shape_0_${name}`, 1));
      expect(metric).toEqual(
        name.endsWith('_ms') ? { unit: 'ms', ascending: true } : { unit: metric?.unit, ascending: false },
      );
    }
    expect(servingMetric('shape_1_request_throughput', 1)).toBeNull();
    expect(servingMetric('toString', 1)).toBeNull();
    expect(new Set(shownMetrics.flatMap((row) => row.names))).toEqual(new Set(servingMetricNames));
  });
});
