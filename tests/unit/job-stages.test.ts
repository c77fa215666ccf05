import { describe, expect, it } from 'vitest';
import { cudaArch } from '../../src/domain/cuda-arch.ts';
import { jobPriorities, jobSpecFor, jobStages } from '../../src/domain/job.ts';
import { jobSpec } from '../../src/domain/protocol.ts';
import { modeLabels, modes, parseMode } from '../../src/domain/submission.ts';
import { type Task, taskHash } from '../../src/domain/task.ts';

const task = (changes: Partial<Task> = {}): Task => ({
  lang: 'py',
  description: 'Do it.',
  files: { 'eval.py': 'evaluate()', 'task.py': 'x = 1' },
  submissionFile: 'submission.py',
  main: 'eval.py',
  templates: { Python: 'pass' },
  tests: ['n: 1; seed: 1', 'n: 2; seed: 2'],
  benchmarks: ['n: 10; seed: 3', 'n: 20; seed: 4', 'n: 30; seed: 5'],
  rankingBy: 'geom',
  testTimeoutS: 10,
  benchmarkTimeoutS: 20,
  rankedTimeoutS: 30,
  multiGpu: false,
  worldSize: null,
  scoreAscending: true,
  ...changes,
});

const all = 'n: 10; seed: 3\nn: 20; seed: 4\nn: 30; seed: 5\n';
const last = 'n: 30; seed: 5\n';
const tests = 'n: 1; seed: 1\nn: 2; seed: 2\n';

describe('the stages of a job', () => {
  it('in test mode are all tests in one', () => {
    expect(jobStages(task(), 'test')).toEqual([{ name: 'test', mode: 'test', timeout_s: 10, cases: tests }]);
  });

  it('in benchmark mode are all benchmarks in one, or the last one alone where it decides', () => {
    expect(jobStages(task(), 'benchmark')).toEqual([
      { name: 'benchmark', mode: 'benchmark', timeout_s: 20, cases: all },
    ]);
    expect(jobStages(task({ rankingBy: 'mean' }), 'benchmark')[0]?.cases).toBe(all);
    expect(jobStages(task({ rankingBy: 'last' }), 'benchmark')[0]?.cases).toBe(last);
  });

  it('in ranked mode are test, benchmark and leaderboard, each with its own limit', () => {
    const shape = (rankingBy: Task['rankingBy']) =>
      jobStages(task({ rankingBy }), 'leaderboard').map((stage) => [
        stage.name,
        stage.mode,
        stage.timeout_s,
        stage.cases,
      ]);
    expect(shape('geom')).toEqual([
      ['test', 'test', 10, tests],
      ['benchmark', 'benchmark', 20, all],
      ['leaderboard', 'leaderboard', 30, all],
    ]);
    expect(shape('last').map((stage) => stage[3])).toEqual([tests, last, last]);
  });

  it('in profile mode are one for each benchmark line, also where the last one decides', () => {
    for (const rankingBy of ['geom', 'last'] as const) {
      expect(jobStages(task({ rankingBy }), 'profile')).toEqual([
        { name: 'profile.0', mode: 'profile', timeout_s: 20, cases: 'n: 10; seed: 3\n' },
        { name: 'profile.1', mode: 'profile', timeout_s: 20, cases: 'n: 20; seed: 4\n' },
        { name: 'profile.2', mode: 'profile', timeout_s: 20, cases: 'n: 30; seed: 5\n' },
      ]);
    }
  });
});

describe('a work order', () => {
  const place = { gpuType: 'H100', gpus: null, lane: null, sandbox: 'required' as const };
  const order = (changes: Partial<Task> = {}) =>
    jobSpecFor({ id: 7, attempt: 2, mode: 'leaderboard', task: task(changes), code: 'my code', ...place });

  it.each(modes)('of mode %s fits the box protocol', (mode) => {
    const spec = jobSpecFor({ id: 7, attempt: 2, mode, task: task(), code: 'my code', ...place });
    expect(jobSpec.parse(spec)).toEqual(spec);
  });

  it('names the run by job and attempt and holds the submission in its place', () => {
    expect(order()).toMatchObject({
      job_key: '7.2',
      main: 'eval.py',
      files: { 'eval.py': 'evaluate()', 'task.py': 'x = 1', 'submission.py': 'my code' },
      warmup: { file: 'submission.py' },
      world_size: null,
    });
  });

  it('tells the world size only for a problem of several GPUs', () => {
    expect(order({ multiGpu: true, worldSize: 8 }).world_size).toBe(8);
    expect(order({ multiGpu: false, worldSize: 8 }).world_size).toBe(null);
  });

  it('for a task in CUDA C++ has it built for the GPU type, without a warm-up', () => {
    const build = {
      sources: ['eval.cu', 'submission.cu'],
      includeDirs: ['lib'],
      defines: { TILE: '64' },
      flags: ['-lineinfo'],
      libraries: ['cublas'],
    };
    const cuda = task({ lang: 'cu', main: 'eval.out', submissionFile: 'submission.cu', build });
    const spec = jobSpecFor({ id: 7, attempt: 2, mode: 'test', task: cuda, code: 'my code', ...place });
    expect(jobSpec.parse(spec)).toEqual(spec);
    expect(spec).toMatchObject({
      lang: 'cu',
      main: 'eval.out',
      files: { 'submission.cu': 'my code' },
      warmup: null,
      build: {
        sources: ['eval.cu', 'submission.cu'],
        include_dirs: ['lib'],
        defines: { TILE: '64' },
        flags: ['-lineinfo'],
        libraries: ['cublas'],
        arch: '90a',
      },
    });
  });

  it.each([
    ['T4', '75'],
    ['L4', '89'],
    ['L4x4', '89'],
    ['A100', '80'],
    ['H100', '90a'],
    ['h100', '90a'],
    ['B200', '100'],
    ['B200_Nebius', '100'],
    ['NVIDIA', null],
    ['MI300', null],
    ['MI300x8', null],
    ['MI355X', null],
    ['CPU', null],
    ['constructor', null],
  ])('on %s is built for the architecture %s', (gpuType, arch) => {
    expect(cudaArch(gpuType)).toBe(arch);
  });

  it('puts quick feedback before ranked work', () => {
    expect(jobPriorities.test).toBeLessThan(jobPriorities.benchmark);
    expect(jobPriorities.benchmark).toBeLessThan(jobPriorities.leaderboard);
  });
});

describe('the hash of a task', () => {
  it('does not depend on the order of keys', () => {
    const one = task({ files: { 'a.py': '1', 'b.py': '2' }, templates: { Python: 'p', HIP: 'h' } });
    const other = Object.fromEntries(Object.entries(one).toReversed()) as Task;
    other.files = { 'b.py': '2', 'a.py': '1' };
    other.templates = { HIP: 'h', Python: 'p' };
    expect(Object.keys(other)).not.toEqual(Object.keys(one));
    expect(taskHash(other)).toBe(taskHash(one));
    expect(taskHash(one)).toMatch(/^[0-9a-f]{64}$/);
  });

  it('changes with every part', () => {
    const changes: Partial<Task>[] = [
      {},
      { description: 'Do it!' },
      { files: { 'eval.py': 'evaluate()', 'task.py': 'x = 2' } },
      { files: { 'eval.py': 'evaluate()', 'tusk.py': 'x = 1' } },
      { tests: ['n: 2; seed: 2', 'n: 1; seed: 1'] },
      { benchmarks: ['n: 10; seed: 3'] },
      { rankingBy: 'mean' },
      { rankedTimeoutS: 31 },
      { scoreAscending: false },
      { worldSize: 8 },
    ];
    expect(new Set(changes.map((change) => taskHash(task(change)))).size).toBe(changes.length);
  });
});

describe('a mode', () => {
  it('is known by the protocol’s word and by the people’s, in any case', () => {
    for (const mode of modes) {
      expect(parseMode(mode)).toBe(mode);
      expect(parseMode(` ${modeLabels[mode].toUpperCase()} `)).toBe(mode);
    }
    expect(parseMode('Ranked')).toBe('leaderboard');
  });

  it.each(['', 'rank', 'private', 'toString', 'leaderboards'])('is not %j', (text) => {
    expect(parseMode(text)).toBe(null);
  });
});
