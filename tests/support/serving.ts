/**
 * What tests of model serving need: a box's environment with the tiny engine of tests/fixtures/serving installed in it,
 * a model, archives of its forks, and jobs that serve one.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { loadRunnerArchive } from '../../src/boxes/runner-archive.ts';
import type { JobSpec, StageSpec } from '../../src/domain/protocol.ts';
import { PROTOCOL_VERSION, verbValue } from '../../src/domain/protocol.ts';
import type { EngineProfile, ServingSpec } from '../../src/domain/serving-protocol.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/serving');
/** Of the tiny engine's own greedy answers to the runner's fixed prompts, with the model of the fixtures. */
export const BASELINE = 1.6588;

/** A folder that every user can read, with an environment in which the tiny engine is installed, and its model. */
export class ServingGround {
  readonly folder: string;
  readonly python: string;
  readonly model: string;
  readonly installed: string;

  /** `python`: the interpreter that the environment is made of; one that the box's jobs can run. */
  constructor(python: string) {
    this.folder = mkdtempSync(join(tmpdir(), 'hotlap-serving-'));
    chmodSync(this.folder, 0o755);
    const env = join(this.folder, 'env');
    execFileSync(python, ['-m', 'venv', '--without-pip', '--system-site-packages', env]);
    this.python = join(env, 'bin', 'python');
    const lib = join(env, 'lib');
    this.installed = join(lib, readdirSync(lib)[0] ?? '', 'site-packages', 'vllm');
    cpSync(join(FIXTURES, 'engine/vllm'), this.installed, { recursive: true });
    this.model = join(this.folder, 'model');
    cpSync(join(FIXTURES, 'model'), this.model, { recursive: true });
  }

  profile(change: Partial<EngineProfile> = {}): EngineProfile {
    return {
      name: 'vllm',
      package: 'vllm',
      pythons: [this.python],
      serve: [
        '{python}',
        '-m',
        'vllm.entrypoints.openai.api_server',
        '--model',
        '{model}',
        '--served-model-name',
        '{model_name}',
        '--tensor-parallel-size',
        '{tensor_parallel}',
        '--port',
        '{port}',
        '{args}',
      ],
      health: '/health',
      completions: '/v1/completions',
      tokenize: '/tokenize',
      request: { ignore_eos: true },
      ...change,
    };
  }

  /** A ranked job by default: every phase, with both gates. */
  job(jobKey: string, archive: Buffer, change: Partial<ServingSpec> = {}, stages = allStages): JobSpec {
    return {
      protocol: PROTOCOL_VERSION,
      job_key: jobKey,
      lang: 'model',
      files: {},
      main: '',
      warmup: null,
      stages,
      env: {},
      world_size: null,
      sandbox: 'auto',
      serving: {
        archive: { sha256: createHash('sha256').update(archive).digest('hex'), bytes: archive.length },
        engine: this.profile(),
        reference: null,
        model: this.model,
        tensor_parallel: 1,
        arguments: [],
        shapes: [{ num_prompts: 12, input_len: 32, output_len: 16 }],
        goodput_ms: {},
        client: 'hotlap',
        gates: ['compatible', 'strong'],
        baseline: BASELINE,
        tolerance: 0.02,
        audited: 8,
        install_timeout_s: 60,
        startup_timeout_s: 60,
        gate_timeout_s: 60,
        benchmark_timeout_s: 60,
        ...change,
      },
    };
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The interpreter that jobs run with on this machine. */
export async function pythonOfJobs(): Promise<string> {
  const scratch = mkdtempSync(join(tmpdir(), 'hotlap-probe-'));
  const runner = join(scratch, 'runner.zip');
  writeFileSync(runner, (await loadRunnerArchive()).bytes);
  const text = execFileSync('python3', [runner, 'probe', '--root', scratch], { encoding: 'utf8' });
  rmSync(scratch, { recursive: true, force: true });
  return verbValue.probe.parse(JSON.parse(text)).python_path;
}

/** As the guide's task for Llama 3.1 8B, for a model that fits. */
export function taskYaml(ground: ServingGround, change: Record<string, string> = {}): string {
  const config: Record<string, string> = {
    model_name: ground.model,
    tensor_parallel: '1',
    benchmark_shapes: '[{num_prompts: 12, input_len: 32, output_len: 16}]',
    ranking_metric: 'request_throughput',
    perplexity_baseline: String(BASELINE),
    perplexity_tolerance: '0.02',
    install_timeout: '120',
    audit_samples: '6',
    benchmark_client: 'hotlap',
    engine: `{python: ${ground.python}}`,
    ...change,
  };
  return [
    'lang: model',
    'description: Serve the tiny model faster.',
    'files: {}',
    'tests: []',
    'benchmarks: []',
    'gpus: ["CPU"]',
    'ranking_by: custom',
    'score_ascending: false',
    'config:',
    ...Object.entries(config).map(([key, value]) => `  ${key}: ${value}`),
    '',
  ].join('\n');
}

const stage = (name: 'test' | 'benchmark' | 'leaderboard'): StageSpec => ({
  name,
  mode: name,
  timeout_s: 240,
  cases: '',
});
export const testStage = [stage('test')];
export const benchmarkStages = [stage('test'), stage('benchmark')];
export const allStages = [stage('test'), stage('benchmark'), stage('leaderboard')];

/** A `.tar.gz` of these files below `vllm-fork/`. */
export function archiveOf(files: Record<string, string>, top = 'vllm-fork'): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'hotlap-fork-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      const path = join(folder, top, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
    }
    return tarOf(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A `.tar.gz` of one of tests/fixtures/serving/forks. */
export function forkArchive(name: string): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'hotlap-fork-'));
  try {
    cpSync(join(FIXTURES, 'forks', name), join(folder, 'vllm-fork'), { recursive: true });
    return tarOf(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function tarOf(folder: string): Buffer {
  return execFileSync('tar', ['-cz', '-C', folder, ...readdirSync(folder)], { maxBuffer: 1 << 28 });
}
