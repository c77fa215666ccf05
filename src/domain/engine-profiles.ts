/** The serving engines that Hotlap knows by name. A task names one, or writes its own over one of them. */
import type { EngineProfile } from './serving-protocol.ts';

/** Each answer is as long as was asked, whatever the model would do, and its text tells all of its tokens. */
const wholeAnswers = { ignore_eos: true, skip_special_tokens: false };

/** `vllm bench serve`, with prompts of its random data set and what an answer's length is held against. */
const vllmBench = [
  ...['{python}', '-m', 'vllm.entrypoints.cli.main', 'bench', 'serve'],
  ...['--backend', 'openai', '--base-url', '{base_url}', '--endpoint', '{completions}'],
  ...['--model', '{model_name}', '--tokenizer', '{model}'],
  ...['--dataset-name', 'random', '--num-prompts', '{num_prompts}'],
  ...['--random-input-len', '{input_len}', '--random-output-len', '{output_len}'],
  ...['--ignore-eos', '--temperature', '0', '--seed', '{seed}'],
  ...['--percentile-metrics', 'ttft,tpot,itl,e2el', '--metric-percentiles', '99'],
  ...['--save-result', '--result-dir', '{results}', '{args}'],
];

export const engineNames = ['vllm', 'sglang', 'openai'] as const;
export type EngineName = (typeof engineNames)[number];

export const engineProfiles: Record<EngineName, EngineProfile> = {
  vllm: {
    name: 'vllm',
    package: 'vllm',
    pythons: ['/opt/hotlap/engines/vllm/bin/python', '/opt/vllm/bin/python', '/opt/venv/bin/python'],
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
      '--host',
      '127.0.0.1',
      '--port',
      '{port}',
      '{args}',
    ],
    health: '/health',
    completions: '/v1/completions',
    tokenize: '/tokenize',
    request: wholeAnswers,
    bench: vllmBench,
  },
  sglang: {
    name: 'sglang',
    package: 'sglang',
    pythons: ['/opt/hotlap/engines/sglang/bin/python', '/opt/sglang/bin/python', '/opt/venv/bin/python'],
    serve: [
      '{python}',
      '-m',
      'sglang.launch_server',
      '--model-path',
      '{model}',
      '--served-model-name',
      '{model_name}',
      '--tp',
      '{tensor_parallel}',
      '--host',
      '127.0.0.1',
      '--port',
      '{port}',
      '{args}',
    ],
    health: '/health',
    completions: '/v1/completions',
    request: wholeAnswers,
  },
  /** Whatever speaks the protocol: the archive is the engine, with an executable `serve` at its top. */
  openai: {
    name: 'openai',
    package: null,
    pythons: [],
    serve: [
      '{tree}/serve',
      '--model',
      '{model}',
      '--served-model-name',
      '{model_name}',
      '--tensor-parallel-size',
      '{tensor_parallel}',
      '--host',
      '127.0.0.1',
      '--port',
      '{port}',
      '{args}',
    ],
    health: '/health',
    completions: '/v1/completions',
    request: { ignore_eos: true },
  },
};
