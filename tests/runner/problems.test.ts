/** The problems of this repository, run for real. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  evaluate,
  expectPassed,
  geometricMean,
  loadTask,
  loadYaml,
  means,
  type Outcome,
  problemsOf,
  readText,
  root,
  sets,
  specsOf,
} from '../support/problem-driver.ts';

describe('problem sets', () => {
  it.each(['starter.yaml', 'gpu.yaml'])('%s has the public keys and every file it names', (set) => {
    const loaded = loadYaml(set) as Record<string, unknown>;
    expect(Object.keys(loaded)).toEqual(['name', 'deadline', 'description', 'problems']);
    for (const problem of problemsOf(set)) {
      expect(Object.keys(problem)).toEqual(['directory', 'name', 'deadline', 'gpus']);
      expect(problem.name).toMatch(/^[a-z0-9_-]+$/);
      const task = loadTask(problem.directory);
      expect(Object.keys(task)).toEqual([
        ...['files', 'lang', 'description', 'config', 'templates', 'tests', 'benchmarks'],
        ...['ranking_by', 'test_timeout', 'benchmark_timeout', 'ranked_timeout'],
      ]);
      expect(task.files.filter((file) => file.source === '@SUBMISSION@')).toHaveLength(1);
      expect(task.files.map((file) => file.name)).toContain(task.config.main);
      for (const { source } of task.files) {
        if (source === '@SUBMISSION@') continue;
        const path = resolve(root, problem.directory, source);
        expect(relative(root, path)).not.toMatch(/^\.\./);
        expect(existsSync(path), path).toBe(true);
      }
      for (const file of [...Object.values(task.templates), 'submission.py']) {
        expect(readText(problem.directory, file).split('\n')[0]).toBe(
          `#!POPCORN leaderboard ${problem.name}`,
        );
      }
    }
  });

  it('give each leaderboard a name of its own', () => {
    const names = sets.flatMap(problemsOf).map((problem) => problem.name);
    expect(new Set(names).size).toBe(names.length);
  });

  it('hold only Python that parses', () => {
    const script =
      'import ast,pathlib,sys\nfor p in pathlib.Path(sys.argv[1]).rglob("*.py"): ast.parse(p.read_text(), str(p))';
    execFileSync('python3', ['-c', script, root]);
  });
});

describe.each(problemsOf('starter.yaml'))('$name', ({ directory }) => {
  const task = loadTask(directory);
  const starter = readText(directory, 'submission.py');

  it('accepts its starter submission in every mode, and a better solution is faster', {
    timeout: 120_000,
  }, async () => {
    expectPassed(await evaluate(directory, starter, 'test'), 'test', specsOf(task.tests));
    const profile = await evaluate(directory, starter, 'profile');
    expectPassed(profile, 'profile', specsOf(task.benchmarks));
    const report = Buffer.from(profile.get('benchmark.0.report').replaceAll('*', '/'), 'base64').toString();
    expect(report).toContain('custom_kernel');
    expectPassed(await evaluate(directory, starter, 'leaderboard'), 'leaderboard', specsOf(task.benchmarks));

    const faster = readText(directory, 'solutions/faster.py');
    expectPassed(
      await evaluate(directory, faster, 'test', { env: { POPCORN_SEED: '99' } }),
      'test',
      specsOf(task.tests),
    );
    const slow = await evaluate(directory, starter, 'benchmark');
    const fast = await evaluate(directory, faster, 'benchmark');
    expectPassed(slow, 'benchmark', specsOf(task.benchmarks));
    expectPassed(fast, 'benchmark', specsOf(task.benchmarks));
    expect(geometricMean(means(slow)) / geometricMean(means(fast))).toBeGreaterThan(1.5);
  });

  it('refuses its template as it is', async () => {
    const outcome = await evaluate(directory, readText(directory, 'template.py'), 'test');
    expect(outcome.code).toBe(112);
    expect(outcome.get('check')).toBe('fail');
    expect(outcome.get('test.0.error')).toMatch(/^NotImplementedError/);
  });
});

const sums = 'starter/window_sums';
const honest = readText(sums, 'solutions/faster.py');

describe('the harness of the starter set', () => {
  const bad: [string, string, RegExp][] = [
    [
      'a wrong result',
      'def custom_kernel(data):\n    return [0] * (len(data[0]) - data[1] + 1)\n',
      /^item 0: expected/,
    ],
    [
      'a result of the wrong length',
      'def custom_kernel(data):\n    return []\n',
      /^expected 1 items, received 0$/,
    ],
    [
      'an exception',
      'def custom_kernel(data):\n    raise ValueError("no such window")\n',
      /^ValueError: no such window$/,
    ],
    [
      'a syntax error',
      'def custom_kernel(data:\n',
      /^submission\.py could not be loaded: SyntaxError: .*line 1/,
    ],
    [
      'an error while it is imported',
      'import no_such_module_here\n',
      /could not be loaded: ModuleNotFoundError/,
    ],
    [
      'no entry point',
      'x = 1\n',
      /could not be loaded: AttributeError: it defines no function custom_kernel/,
    ],
    ['sys.exit', 'import sys\ndef custom_kernel(data):\n    sys.exit(0)\n', /^SystemExit: 0$/],
    [
      'a process that ends',
      'import os\ndef custom_kernel(data):\n    os._exit(0)\n',
      /ended by itself with exit status 0$/,
    ],
    [
      'a crash',
      'import os\ndef custom_kernel(data):\n    os.kill(os.getpid(), 11)\n',
      /ended by signal 11 \(SIGSEGV\)$/,
    ],
    [
      'a lazy result',
      'class L(list): pass\ndef custom_kernel(data):\n    return L([1])\n',
      /^return plain Python data .* not L/,
    ],
    [
      'a message of several lines',
      'def custom_kernel(data):\n    raise ValueError("one\\ncheck: pass\\r\\ntest.0.status: pass\\x85two")\n',
      /^ValueError: one\\ncheck: pass\\ntest\.0\.status: pass\\ntwo$/,
    ],
    [
      'a very long message',
      'def custom_kernel(data):\n    raise ValueError("x" * 100000)\n',
      /^ValueError: x{900,1000} \[cut\]$/,
    ],
  ];
  it.each(bad)('answers %s with check: fail, exit code 112 and one line', async (_, code, message) => {
    const test = await evaluate(sums, code, 'test');
    expect(test.get('test.0.error')).toMatch(message);
    expect(test.get('test.0.status')).toBe('fail');
    const ranked = await evaluate(sums, code, 'leaderboard');
    expect(ranked.get('benchmark.0.status')).toBe('fail');
    expect(ranked.get('benchmark.0.error')).not.toBe('');
    for (const outcome of [test, ranked]) {
      expect(outcome.code).toBe(112);
      expect(outcome.lines.at(-1)).toEqual(['check', 'fail']);
      expect(outcome.lines.filter(([key]) => key === 'check')).toHaveLength(1);
      for (const [key] of outcome.lines) expect(key).toMatch(/^(check|(test|benchmark)(-count|\.\d+\.\w+))$/);
    }
  });

  it('catches a result remembered from an earlier call', async () => {
    const code = `${honest}\nreal, seen = custom_kernel, {}\ndef custom_kernel(data):\n    key = (len(data[0]), data[1])\n    return seen.setdefault(key, None) or seen.update({key: real(data)}) or seen[key]\n`;
    expectPassed(await evaluate(sums, code, 'test'), 'test', specsOf(loadTask(sums).tests));
    const ranked = await evaluate(sums, code, 'leaderboard');
    expect(ranked.code).toBe(112);
    expect(ranked.get('benchmark.0.error')).toMatch(/^item 0: expected .*repeat 1, seed \d+\)$/);
  });

  it('does not believe a clock that the submission replaced', async () => {
    const patch = `
import itertools, sys
ticks = itertools.count(0, 1000)
real = custom_kernel
def custom_kernel(data):
    sys._getframe(1).f_locals["self"].clock_ns = lambda: next(ticks)
    return real(data)
`;
    const ranked = await evaluate(sums, readText(sums, 'submission.py') + patch, 'leaderboard');
    expect(ranked.code).toBe(112);
    expect(ranked.get('benchmark.0.error')).toContain('the timing cannot be trusted');
  });

  it('runs nothing that a forged reply carries', async () => {
    const marker = join(mkdtempSync(join(tmpdir(), 'hotlap-marker-')), 'reached');
    const code = `
import gc, os, pickle
from multiprocessing.connection import Connection
class Bomb:
    def __reduce__(self):
        return os.system, ("touch ${marker}",)
def custom_kernel(data):
    for line in [x for x in gc.get_objects() if isinstance(x, Connection)]:
        line.send_bytes(pickle.dumps({"ns": Bomb()}))
    return []
`;
    const outcome = await evaluate(sums, code, 'test');
    expect(outcome.code).toBe(112);
    expect(outcome.get('test.0.error')).toContain('something other than plain data');
    expect(existsSync(marker)).toBe(false);
    rmSync(dirname(marker), { recursive: true });
  });

  it('keeps result pipe and secret seed from the process of the submission', async () => {
    const code = `
import os, stat, sys
def custom_kernel(data):
    print("ENV", sorted(k for k in os.environ if k.startswith("POPCORN")), file=sys.stderr)
    try:
        os.write(3, b"check: pass\\n")
    except OSError as error:
        print("PIPE", error.errno, file=sys.stderr)
    return []
`;
    const outcome = await evaluate(sums, code, 'test', { env: { POPCORN_SEED: '12' } });
    expect(outcome.code).toBe(112);
    expect(outcome.stderr).toContain('ENV []');
    expect(outcome.lines.filter(([key]) => key === 'check')).toEqual([['check', 'fail']]);
  });

  it('changes the data with the secret seed but not the spec', async () => {
    const code = `${honest}\nimport sys, zlib\nreal = custom_kernel\ndef custom_kernel(data):\n    print("DATA", zlib.crc32(repr(data).encode()), file=sys.stderr)\n    return real(data)\n`;
    const [open, again, one, two] = [
      await evaluate(sums, code, 'test'),
      await evaluate(sums, code, 'test', { env: { POPCORN_SEED: '' } }),
      await evaluate(sums, code, 'test', { env: { POPCORN_SEED: '1' } }),
      await evaluate(sums, code, 'test', { env: { POPCORN_SEED: '2147483647' } }),
    ];
    const data = (outcome: Outcome) => outcome.stderr.match(/^DATA \d+$/gm);
    expect(data(open)).toHaveLength(loadTask(sums).tests.length);
    expect(data(again)).toEqual(data(open));
    expect(new Set([...(data(open) ?? []), ...(data(one) ?? []), ...(data(two) ?? [])]).size).toBe(15);
    expect(one.lines).toEqual(open.lines);
    expect(two.lines).toEqual(open.lines);
  });

  it.each([
    ['no colon', 'size 5; width: 1; seed: 1\n'],
    ['a list', 'size: [1, 2]; width: 1; seed: 1\n'],
    ['an expression', 'size: __import__("os"); width: 1; seed: 1\n'],
    ['no seed', 'size: 5; width: 1\n'],
    ['a seed that is a word', 'size: 5; width: 1; seed: x\n'],
    ['a key twice', 'size: 5; size: 5; width: 1; seed: 1\n'],
    ['an empty line', 'size: 5; width: 1; seed: 1\n\n'],
    ['no case at all', ''],
    ['a parameter that the problem does not have', 'size: 5; width: 1; depth: 3; seed: 1\n'],
  ])('ends with 113 on a case file with %s', async (_, cases) => {
    const outcome = await evaluate(sums, honest, 'test', { cases });
    expect(outcome.code).toBe(113);
    expect(outcome.stderr).toContain('bad cases: ');
    expect(outcome.get('check')).toBe('');
  });

  it('ends with 113 on a seed that is no number, 2 on an unknown mode and 111 without a result pipe', async () => {
    expect((await evaluate(sums, honest, 'test', { env: { POPCORN_SEED: 'abc' } })).code).toBe(113);
    expect((await evaluate(sums, honest, 'tests')).code).toBe(2);
    expect((await evaluate(sums, honest, 'test', { env: { POPCORN_FD: '' } })).code).toBe(111);
  });
});
