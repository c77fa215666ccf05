/** Model serving on a box, every phase of it for real, with the tiny engine of the fixtures and forks of it. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { engineProfiles } from '../../src/domain/engine-profiles.ts';
import { archiveOf, benchmarkStages, forkArchive, testStage } from '../support/serving.ts';
import { lastLine } from './runner-client.ts';
import { metric, phases, quick, ServingBox, statesOf, treeHash } from './serving-box.ts';

const serving = new ServingBox();
const { probe, ground } = serving;
beforeAll(() => serving.open());
afterAll(() => serving.close());
beforeEach(({ skip }) => {
  skip(probe.sandbox === 'none', `no sandbox here: ${probe.sandbox_problem}`);
});

describe('an honest fork', () => {
  it('goes through every phase, and every figure of its benchmark is there', async () => {
    const shapes = [
      { num_prompts: 12, input_len: 32, output_len: 16 },
      { num_prompts: 4, input_len: 8, output_len: 24 },
    ];
    const { result, events } = await serving.serve(forkArchive('faster'), {
      shapes,
      goodput_ms: { e2el: 60_000 },
    });
    const [test, benchmark, leaderboard] = result.stages;
    expect(result.stages.map((stage) => [stage.name, stage.exit_code, lastLine(stage, 'check')])).toEqual([
      ['test', 0, 'pass'],
      ['benchmark', 0, 'pass'],
      ['leaderboard', 0, 'pass'],
    ]);
    expect(phases(test)).toEqual(['reference passed', 'install passed', 'server passed', 'gate passed']);
    expect(phases(benchmark)).toEqual(['shape 0 passed', 'shape 1 passed']);
    expect(phases(leaderboard)).toEqual([
      'shape 0 passed',
      'shape 1 passed',
      'cleanup passed',
      'audit passed',
      'cleanup passed',
    ]);
    expect(test?.serving?.phases[1]?.note).toBe('overlay');
    expect(metric(test, 'measured_perplexity')).toBeCloseTo(1.6588, 3);
    expect(test && lastLine(test, 'gate')).toMatch(
      /^The perplexity 1\.659 is 0\.00% (above|below) the baseline/,
    );
    expect(metric(test, 'forced_agreement')).toBe(1);
    expect(metric(test, 'forced_perplexity')).toBe(metric(test, 'reference_perplexity'));

    for (const [prefix, prompts, tokens] of [
      ['shape_0_', 12, 192],
      ['shape_1_', 4, 96],
      ['', 12, 192],
    ] as const) {
      const at = (name: string) => metric(leaderboard, `${prefix}${name}`);
      expect([at('completed'), at('failed'), at('total_output_tokens')]).toEqual([prompts, 0, tokens]);
      expect(at('request_throughput')).toBeCloseTo(prompts / at('duration'), 0);
      expect(at('request_goodput')).toBe(at('request_throughput'));
      expect(at('output_throughput')).toBeCloseTo(tokens / at('duration'), -2);
      // On a busy machine all of an answer may be read at once: then there is no time between its tokens.
      for (const latency of ['ttft', 'tpot', 'itl', 'e2el']) {
        expect(at(`mean_${latency}_ms`)).toBeGreaterThanOrEqual(0);
        expect(at(`p99_${latency}_ms`)).toBeGreaterThanOrEqual(at(`median_${latency}_ms`));
      }
      expect(at('mean_ttft_ms')).toBeGreaterThan(0);
      expect(at('mean_e2el_ms')).toBeGreaterThanOrEqual(at('mean_ttft_ms'));
    }
    expect(leaderboard?.lines.filter(([key]) => key === 'counted_output_tokens')).toEqual([
      ['counted_output_tokens', '192'],
      ['counted_output_tokens', '96'],
    ]);
    expect(metric(leaderboard, 'audit_off')).toBe(0);

    expect(statesOf(events)).toEqual([
      ...['reference', 'installing', 'starting', 'gate', 'finished'].map((state) => `test ${state}`),
      ...['running', 'running', 'finished'].map((state) => `benchmark ${state}`),
      ...['running', 'running', 'cleanup', 'auditing', 'cleanup', 'finished'].map(
        (state) => `leaderboard ${state}`,
      ),
    ]);
    const counted = events.flatMap((event) =>
      event.type === 'progress' ? [`${event.stage} ${event.of}`] : [],
    );
    expect(counted).toContain('leaderboard 12');
  });

  it('has a higher throughput and lower latencies when it is faster', async () => {
    const runs = await Promise.all(
      ['faster', 'slower'].map(
        async (name) => (await serving.serve(forkArchive(name), quick, benchmarkStages)).result,
      ),
    );
    const [fast, slow] = runs.map((result) => result.stages[1]);
    expect(metric(fast, 'request_throughput')).toBeGreaterThan(metric(slow, 'request_throughput'));
    expect(metric(fast, 'mean_e2el_ms')).toBeLessThan(metric(slow, 'mean_e2el_ms'));
    // Sixteen tokens take 12 ms each at least, whatever the machine is doing.
    expect(metric(slow, 'median_e2el_ms')).toBeGreaterThanOrEqual(16 * 12);
  });

  it('counts only the requests that keep a limit on their latency', async () => {
    const { result } = await serving.serve(
      forkArchive('slower'),
      { ...quick, goodput_ms: { e2el: 16 * 12 } },
      benchmarkStages,
    );
    expect(metric(result.stages[1], 'request_goodput')).toBe(0);
    expect(metric(result.stages[1], 'completed')).toBe(12);
  });

  it('sees nothing of the machine, and can change neither engine nor model', async () => {
    const { result } = await serving.serve(forkArchive('looks_around'), quick, testStage);
    const seen = /LOOKED (.*)/.exec(result.stages[0]?.stdout ?? '')?.[1] ?? '{}';
    expect(JSON.parse(seen)).toEqual({
      secrets: [],
      told: ['1', '1', '127.0.0.1'],
      network: [],
      installed: [1, []],
      model: false,
      processes: true,
      homes: [],
    });
  });

  it('is laid over the installed package, also where it brings the package itself', async () => {
    const { last } = await serving.endOf(forkArchive('whole_package'), quick, testStage);
    expect([last.serving?.failure, lastLine(last, 'check')]).toEqual([null, 'pass']);
    expect(last.stdout.split("the fork's own package")).toHaveLength(3);
  });

  it('is built by pip, without network, where it has native sources', async ({ skip }) => {
    const hasPip = () => {
      try {
        execFileSync(probe.python_path, ['-c', 'import setuptools, pip']);
        return true;
      } catch {
        return false;
      }
    };
    skip(!hasPip(), `${probe.python_path} has no pip and setuptools`);
    const archive = archiveOf({
      'csrc/kernel.cu': '// built by whatever setup.py says',
      'setup.py': [
        'import os, setuptools',
        'assert not [name for name in os.environ if "TOKEN" in name and name != "TOKENIZERS_PARALLELISM"]',
        'setuptools.setup(name="vllm", version=os.environ["SETUPTOOLS_SCM_PRETEND_VERSION"],',
        '    packages=setuptools.find_packages(include=["vllm", "vllm.*"]))',
      ].join('\n'),
      ...engineFiles(),
    });
    const { last } = await serving.endOf(archive, quick, testStage);
    expect([last.serving?.failure, last.serving?.phases[0]?.note]).toEqual([null, 'build']);
  });
});

function engineFiles(): Record<string, string> {
  const names = readdirSync(ground.installed, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => name.endsWith('.py'));
  return Object.fromEntries(
    files.map((name) => [`vllm/${name}`, readFileSync(join(ground.installed, name), 'utf8')]),
  );
}

describe('the gate', () => {
  it('stops another model by its own numbers, in prose and in figures, before the benchmark', async () => {
    const { last, at, failure } = await serving.endOf(forkArchive('blunter'), quick);
    expect(at).toEqual(['test', 'gate', 'wrong']);
    expect(failure?.summary).toMatch(
      /^The perplexity 2\.\d+ is \d+\.\d\d% above the baseline 1\.659; 2\.00% are allowed\.$/,
    );
    expect(metric(last, 'measured_perplexity')).toBeGreaterThan(1.6588 * 1.02);
    expect([metric(last, 'baseline_perplexity'), metric(last, 'tolerance')]).toEqual([1.6588, 0.02]);
    expect(lastLine(last, 'check')).toBe('fail');
  });

  it('lets another model pass that grades itself, and is not deceived when the reference is asked', async () => {
    const believed = await serving.serve(forkArchive('self_graded'), quick, testStage);
    expect(believed.result.stages.map((stage) => lastLine(stage, 'check'))).toEqual(['pass']);
    const { at, failure } = await serving.endOf(forkArchive('self_graded'));
    expect(at).toEqual(['test', 'gate', 'wrong']);
    expect(failure?.summary).toMatch(/^On secret prompts its choices have the perplexity/);
  });

  it('is not deceived by canned answers', async () => {
    const { at } = await serving.endOf(forkArchive('canned'));
    expect(at).toEqual(['test', 'gate', 'wrong']);
  });

  it('says what the server said where the path is that of a chat, which a base model refuses', async () => {
    const engine = { ...ground.profile(), completions: '/v1/chat/completions' };
    const { at, failure } = await serving.endOf(forkArchive('faster'), { ...quick, engine }, testStage);
    expect(at).toEqual(['test', 'gate', 'wrong']);
    expect(failure?.summary).toContain(
      '10 of 10 prompts were not answered. The first: the server answered 400',
    );
    expect(failure?.summary).toContain('This model has no chat template');
  });
});

describe('the timed run', () => {
  it('does not count when answers are short and the server says so', async () => {
    const { at, failure } = await serving.endOf(forkArchive('stops_early'), quick, benchmarkStages);
    expect(at).toEqual(['benchmark', 'shape 0', 'wrong']);
    expect(failure?.summary).toBe('12 of 12 answers do not have the 16 tokens asked for; one has 8.');
  });

  it('does not count when answers are short and the server says otherwise', async () => {
    const { at, failure } = await serving.endOf(forkArchive('short'));
    expect(at).toEqual(['leaderboard', 'audit', 'wrong']);
    expect(failure?.summary).toBe(
      'The answers hold 96 tokens as the pristine engine counts them, 192 were asked for; 12 of 12 answers are too short.',
    );
  });

  it('does not count when its answers are not those of the model', async () => {
    const { at, failure } = await serving.endOf(forkArchive('two_faced'));
    expect(at).toEqual(['leaderboard', 'audit', 'wrong']);
    expect(failure?.summary).toMatch(
      /^Read by the pristine engine, 7 answers of shape 0 have a perplexity \d+/,
    );
  });

  it('gives a server nothing to remember: neither from one job to the next nor for prompts of one length', async () => {
    const first = await serving.endOf(forkArchive('remembers'));
    expect(first.at).toEqual(['leaderboard', 'audit', 'wrong']);
    const { last } = await serving.endOf(forkArchive('remembers'), quick, testStage);
    expect(last.stdout).toContain('started with 0 answers');
    expect(last.stdout).not.toContain('REMEMBERED');
  });

  it('ends with the server, and tells how it ended', async () => {
    const { at, failure } = await serving.endOf(forkArchive('dies_in_the_run'), quick, benchmarkStages);
    expect(at).toEqual(['benchmark', 'shape 0', 'crash']);
    expect(failure?.summary).toBe('The server ended while it was asked, with exit code 7.');
  });

  it('has a time limit of its own', async () => {
    const { last, at, failure } = await serving.endOf(
      forkArchive('stalls'),
      { ...quick, benchmark_timeout_s: 1 },
      benchmarkStages,
    );
    expect(at).toEqual(['benchmark', 'shape 0', 'timeout']);
    expect(failure?.summary).toBe('Stopped: shape 0 was not done within 1 s.');
    expect([last.exit_code, last.timed_out]).toEqual([114, true]);
  });
});

describe('the engine’s own benchmark client', () => {
  const bench = engineProfiles.vllm.bench ?? [];
  const profile = { ...ground.profile(), bench };

  it('is called with its own arguments, and what it reports is read', async () => {
    const { result } = await serving.serve(forkArchive('faster'), {
      engine: profile,
      client: 'auto',
      concurrency: 4,
      goodput_ms: { ttft: 60_000, tpot: 60_000 },
    });
    const [, benchmark, leaderboard] = result.stages;
    expect(result.stages.map((stage) => [stage.serving?.failure, lastLine(stage, 'check')])).toEqual([
      [null, 'pass'],
      [null, 'pass'],
      [null, 'pass'],
    ]);
    for (const stage of [benchmark, leaderboard]) {
      expect(stage?.serving?.phases[0]).toMatchObject({ name: 'shape 0', note: 'the engine’s own client' });
      expect([metric(stage, 'completed'), metric(stage, 'total_output_tokens')]).toEqual([12, 192]);
      expect(metric(stage, 'request_goodput')).toBeCloseTo(metric(stage, 'request_throughput'), 3);
      expect(metric(stage, 'mean_e2el_ms')).toBeGreaterThan(metric(stage, 'mean_ttft_ms'));
    }
    // The audit has read what went over the wire.
    expect([metric(leaderboard, 'counted_output_tokens'), metric(leaderboard, 'audit_off')]).toEqual([
      192, 0,
    ]);
  });

  it('comes from the pristine environment, never from the fork', async () => {
    for (const client of ['auto', 'hotlap'] as const) {
      const change = { ...quick, engine: profile, client };
      const { result } = await serving.serve(forkArchive('forged_client'), change, benchmarkStages);
      expect(result.stages.map((stage) => lastLine(stage, 'check'))).toEqual(['pass', 'pass']);
      expect(metric(result.stages[1], 'request_throughput')).toBeLessThan(100_000);
      expect(metric(result.stages[1], 'completed')).toBe(12);
    }
  });

  it('sees through short answers and an end of the server as ours does', async () => {
    const change = { ...quick, engine: profile, client: 'vllm' as const };
    const short = await serving.endOf(forkArchive('stops_early'), change, benchmarkStages);
    expect([short.at, short.failure?.summary]).toEqual([
      ['benchmark', 'shape 0', 'wrong'],
      '12 of 12 answers do not have the 16 tokens asked for; one has 8.',
    ]);
    const dead = await serving.endOf(forkArchive('dies_in_the_run'), change, benchmarkStages);
    expect([dead.at, dead.failure?.summary]).toEqual([
      ['benchmark', 'shape 0', 'crash'],
      'The server ended while it was asked, with exit code 7.',
    ]);
  });

  it('is replaced by ours where it does not run, or is asked for by name', async () => {
    const engine = { ...profile, bench: ['{python}', '-m', 'no_such_client'] };
    const { result } = await serving.serve(
      forkArchive('faster'),
      { ...quick, engine, client: 'auto' },
      benchmarkStages,
    );
    expect(result.stages[1]?.serving?.phases[0]?.note).toBe('our own client');
    const wanted = await serving.serve(
      forkArchive('faster'),
      { ...quick, engine, client: 'vllm' },
      benchmarkStages,
    );
    expect(wanted.result.error).toMatchObject({
      kind: 'tool-missing',
      message: expect.stringContaining('No module named no_such_client'),
    });
  });
});

describe('installing and starting', () => {
  it('shows why a fork cannot be imported, and leaves what is installed as it was', async () => {
    const before = treeHash(ground.installed);
    const { at, failure } = await serving.endOf(forkArchive('broken_import'), quick);
    expect(at).toEqual(['test', 'install', 'crash']);
    expect(failure?.summary).toBe('The fork cannot be imported: `import vllm` ended with exit code 1.');
    expect(failure?.detail).toContain("No module named 'vllm.kernels_that_were_never_committed'");
    expect(treeHash(ground.installed)).toBe(before);
  });

  it('shows the end of the log when the server does not start', async () => {
    const { at, failure } = await serving.endOf(forkArchive('will_not_start'), quick);
    expect(at).toEqual(['test', 'server', 'crash']);
    expect(failure?.summary).toBe('The server ended before it was ready, with exit code 1.');
    expect(failure?.detail).toContain('RuntimeError: CUDA out of memory, or so it says');
  });

  it('stops a server that never says that it is ready', async () => {
    const { last, at } = await serving.endOf(forkArchive('hangs'), { ...quick, startup_timeout_s: 1 });
    expect([at, last.exit_code]).toEqual([['test', 'server', 'timeout'], 114]);
    expect(last.serving?.failure?.detail).toContain('INFO: loading');
  });

  it('is over when a fork kills its way out, which shows it nothing', async () => {
    const { last, at } = await serving.endOf(forkArchive('kills_its_launcher'), quick);
    expect(at).toEqual(['test', 'server', 'crash']);
    expect(last.stdout).not.toContain('SAW');
  });

  it.each([
    [
      'nothing of the package',
      { 'readme.md': 'text' },
      'The archive has no folder `vllm/` below its top folder',
    ],
    ['a bare package', null, 'The archive has no folder `vllm/`'],
  ])('refuses an archive with %s', async (_, files, sentence) => {
    const archive = files ? archiveOf(files) : archiveOf({ '__init__.py': '' }, 'vllm');
    const { at, failure } = await serving.endOf(archive, quick, testStage);
    expect(at).toEqual(['test', 'install', 'crash']);
    expect(failure?.summary).toContain(sentence);
  });

  it('serves an engine of another kind, whole in the archive, by its profile alone', async () => {
    const engine = {
      ...ground.profile(),
      name: 'own',
      package: null,
      serve: [
        '{tree}/serve',
        '{python}',
        '--model',
        '{model}',
        '--served-model-name',
        '{model_name}',
        '--port',
        '{port}',
      ],
    };
    const serve = '#!/bin/sh\npython=$1; shift\nexec "$python" -m tiny.entrypoints.openai.api_server "$@"\n';
    const files = Object.fromEntries(
      Object.entries(engineFiles()).map(([name, text]) => [
        name.replace(/^vllm/, 'tiny'),
        text.replaceAll('vllm', 'tiny'),
      ]),
    );
    const archive = archiveOf({ serve, ...files }, 'my-engine');
    const { last } = await serving.endOf(archive, { engine, reference: ground.profile() });
    expect([last.name, last.serving?.failure, lastLine(last, 'check')]).toEqual([
      'leaderboard',
      null,
      'pass',
    ]);
  });
});
