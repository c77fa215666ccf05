/** The sets of tests/fixtures/problem-sets, written for this: together they have every oddity of the public ones. */
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Catalog, loadCatalog } from '../../src/catalog/load.ts';
import { jobStages } from '../../src/domain/job.ts';
import type { ProblemEntry, Task } from '../../src/domain/task.ts';

let catalog: Catalog;
beforeAll(async () => {
  catalog = await loadCatalog(path.join(import.meta.dirname, '../fixtures/problem-sets'));
});

function entryOf(leaderboard: string): ProblemEntry {
  const entry = catalog.entries.find((item) => item.leaderboard === leaderboard);
  if (!entry) throw new Error(`${leaderboard} was not loaded`);
  return entry;
}
const taskOf = (leaderboard: string): Task => entryOf(leaderboard).task;

it('load without a fault, each problem under its own name', () => {
  expect(catalog).toMatchObject({ faults: [], warnings: [] });
  const rows = catalog.entries.map((entry) => [
    entry.set,
    entry.leaderboard,
    entry.deadline?.toISOString() ?? '',
    entry.gpus.join(' '),
  ]);
  expect(rows).toEqual([
    ['device', 'identity_cuda', '', 'H100 L4x4'],
    ['factor', 'cholesky_like', '2026-09-30T00:00:00.000Z', 'H100'],
    ['factor', 'cholesky_elsewhere', '2026-09-30T00:00:00.000Z', 'B200'],
    ['fold', 'triangles', '2025-09-30T00:00:00.000Z', 'B200 H100 A100 MI300'],
    ['nights', 'night_gemv', '2025-11-29T06:59:00.000Z', 'NVIDIA'],
    ['nights', 'night_grouped-gemm', '2026-02-21T07:30:00.000Z', 'B200 NVIDIA'],
    ['nights', 'night_grouped_again', '2025-12-21T07:59:00.000Z', 'B200_Nebius'],
    ['old', 'scan_v2', '2100-12-31T00:00:00.000Z', 'B200 H100 A100 L4'],
    ['old', 'scan', '', 'H100 T4'],
    ['rings', 'ring-rs', '2025-10-14T07:00:00.000Z', 'MI300x8'],
    ['rings', 'ring-ag', '2025-10-14T00:00:00.000Z', 'MI300x8'],
    ['shapes', 'causal_conv', '2026-03-14T18:00:00.000Z', 'B200_Nebius'],
    ['vocab', 'cross_entropy', '2026-05-01T00:00:00.000Z', 'A100'],
  ]);
});

describe('a task', () => {
  it('without ranking and limits ranks by its last benchmark and stops after 180 s', () => {
    expect(taskOf('scan')).toEqual({
      lang: 'py',
      description: 'Running sums of a vector.\n\nInput:\n  - `data`: N numbers\n',
      files: {
        'task.py': 'task of scan\n',
        'utils.py': 'old utils\n',
        'reference.py': 'reference of scan\n',
        'eval.py': 'old eval\n',
      },
      submissionFile: 'submission.py',
      main: 'eval.py',
      templates: { Python: 'template of scan\n' },
      tests: ['size: 1023; seed: 4242', 'size: 1024; seed: 5236'],
      benchmarks: ['size: 2097152; seed: 31232', 'size: 4194304; seed: 4052', 'size: 16777216; seed: 3129'],
      rankingBy: 'last',
      testTimeoutS: 180,
      benchmarkTimeoutS: 180,
      rankedTimeoutS: 180,
      multiGpu: false,
      worldSize: null,
      scoreAscending: true,
    });
  });

  it('takes the files that it lists, renamed and from above, and not the stale ones beside it', () => {
    expect(taskOf('night_gemv').files).toEqual({
      'utils.py': 'utils of the nights\n',
      'reference.py': 'reference of gemv\n',
      'eval.py': 'eval of the nights\n',
    });
    expect(taskOf('night_grouped-gemm').files['eval.py']).toBe('eval in groups\n');
    expect(taskOf('ring-rs').files).toEqual({
      'utils.py': 'old utils\n',
      'eval.py': 'eval of the rings\n',
    });
    expect(Object.keys(taskOf('cross_entropy').files)).toEqual(['reference.py', 'eval.py']);
  });

  it.each([
    ['night_gemv', [180, 180, 180], ['Python', 'CuteDSL'], 'geom'],
    ['night_grouped-gemm', [180, 180, 300], ['Python'], 'geom'],
    ['ring-rs', [640, 640, 640], ['Python'], 'geom'],
    ['ring-ag', [180, 180, 180], [], 'geom'],
    ['causal_conv', [180, 180, 420], ['Python'], 'geom'],
    ['cholesky_like', [240, 600, 1200], ['Python'], 'geom'],
    ['cross_entropy', [300, 900, 1200], [], 'geom'],
    ['triangles', [1200, 1200, 1200], ['Python', 'HIP'], 'geom'],
    ['identity_cuda', [180, 180, 180], ['CUDA'], 'mean'],
  ])('%s has the limits %j, templates %j and ranking %s', (name, limits, templates, ranking) => {
    const task = taskOf(name);
    expect([task.testTimeoutS, task.benchmarkTimeoutS, task.rankedTimeoutS]).toEqual(limits);
    expect(Object.keys(task.templates)).toEqual(templates);
    expect(task.rankingBy).toBe(ranking);
  });

  it('writes its cases as Python would, in the order of the file', () => {
    expect(taskOf('night_gemv').tests).toEqual([
      'm: 128; k: 256; l: 1; seed: 1111',
      'm: 128; k: 1536; l: 1; seed: 1111',
      'm: 128; k: 1536; l: 1; seed: 1111',
    ]);
    expect(taskOf('night_gemv').benchmarks[1]).toBe('m: 4096; k: 7168; l: 8; seed: 1111');
    expect(taskOf('night_grouped-gemm').benchmarks).toEqual([
      'm: [80, 176, 128, 72]; n: [4096, 4096, 4096, 4096]; k: [7168, 7168, 7168, 7168]; g: 4; seed: 1111',
      'm: [40]; n: [7168]; k: [2048]; g: 1; seed: 1111',
    ]);
    expect(taskOf('ring-rs').tests).toEqual([
      'world_size: 8; m: 64; n: 7168; k: 18432; has_bias: False; seed: 1234',
      'world_size: 8; m: 512; n: 4096; k: 12288; has_bias: True; seed: 663',
    ]);
    expect([...taskOf('ring-ag').tests, ...taskOf('ring-ag').benchmarks]).toEqual([
      'world_size: 4; num_experts: 8; experts_per_token: 2; seed: 6635',
      'world_size: 8; m: 4096; has_bias: True; seed: 402',
      'world_size: 8; m: 4096; has_bias: False; seed: 7',
    ]);
    expect(taskOf('causal_conv').tests).toEqual(['B: 1; D: 64; S: 64; W: 4; seed: 4242']);
    expect(taskOf('triangles').tests[1]).toBe(
      'seqlen: 64; bs: 2; dim: 256; hiddendim: 128; seed: 2291; nomask: False; distribution: cauchy',
    );
    expect(taskOf('cholesky_like').tests).toEqual([
      'batch: 20; n: 32; cond: 1; seed: 53124',
      'batch: 8; n: 64; cond: 2; seed: 9; case: lapack_dense_even_spectrum',
      'batch: 4; n: 128; cond: 0; seed: 11; case: rank_deficient',
    ]);
    expect(taskOf('cross_entropy').benchmarks).toEqual(['vocab_size: 32000', 'vocab_size: 128256']);
  });

  it('for several GPUs knows the most that a case wants', () => {
    expect(taskOf('ring-ag')).toMatchObject({ multiGpu: true, worldSize: 8 });
    expect(taskOf('ring-rs')).toMatchObject({ multiGpu: true, worldSize: 8 });
    expect(taskOf('triangles')).toMatchObject({ multiGpu: false, worldSize: null });
  });

  it('keeps a description beyond ASCII and one that is folded', () => {
    expect(taskOf('causal_conv').description).toBe('y[t] = Σ w[i] · x[t − i] — for every channel, t ≥ 0\n');
    expect(taskOf('cholesky_like').description).toBe('Factor a batch of symmetric matrices.');
  });

  it('in CUDA C++ says what to build, and is evaluated by what is built', () => {
    expect(taskOf('identity_cuda')).toMatchObject({
      lang: 'cu',
      description: 'Copy a vector from here to there.',
      files: { 'eval.cu': '// eval\n', 'task.h': '// task\n' },
      submissionFile: 'submission.cu',
      main: 'eval.out',
      build: {
        sources: ['eval.cu', 'submission.cu'],
        includeDirs: ['/opt/tiles/include', '.'],
        defines: { KITTENS_HOPPER: null, TILE: '64', FAST: 'True' },
        flags: ['-std=c++20', '-lineinfo'],
        libraries: [],
      },
    });
  });
});

describe('the case file of a mode', () => {
  const casesOf = (name: string, mode: 'test' | 'benchmark' | 'leaderboard' | 'profile') =>
    jobStages(taskOf(name), mode).map((stage) => stage.cases);

  it('has the last benchmark alone where that one decides, but all of them to profile', () => {
    const last = 'size: 16777216; seed: 3129\n';
    expect(casesOf('scan', 'benchmark')).toEqual([last]);
    expect(casesOf('scan', 'leaderboard').slice(1)).toEqual([last, last]);
    expect(casesOf('scan', 'profile')).toEqual([
      'size: 2097152; seed: 31232\n',
      'size: 4194304; seed: 4052\n',
      last,
    ]);
    expect(casesOf('scan', 'test')).toEqual(['size: 1023; seed: 4242\nsize: 1024; seed: 5236\n']);
  });

  it('has every benchmark otherwise', () => {
    const all = 'size: 4096; seed: 1\nsize: 8192; seed: 2\n';
    expect(casesOf('identity_cuda', 'leaderboard')).toEqual(['size: 127; seed: 4242\n', all, all]);
  });
});
