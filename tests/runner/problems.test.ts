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
import { outcomeOf } from '../unit/stage-report.ts';

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
    expect(outcome.code).toBe(1);
    expect(outcome.get('check')).toBe('fail');
    expect(outcome.get('test.0.error')).toMatch(/^NotImplementedError/);
  });
});

const sums = 'starter/window_sums';
const honest = readText(sums, 'solutions/faster.py');

describe('the harness of the starter set', () => {
  const kernel = (body: string, head = '') => `${head}def custom_kernel(data):\n    ${body}\n`;
  async function refused(code: string, exitCode: number, message: RegExp): Promise<Outcome> {
    const test = await evaluate(sums, code, 'test', { addressMib: 4096 });
    expect(test.get('test.0.error')).toMatch(message);
    expect(test.get('test.0.status')).toBe('fail');
    const ranked = await evaluate(sums, code, 'leaderboard', { addressMib: 4096 });
    expect(ranked.get('benchmark.0.status')).toBe('fail');
    expect(ranked.get('benchmark.0.error')).not.toBe('');
    for (const outcome of [test, ranked]) {
      expect(outcome.code, outcome.stderr).toBe(exitCode);
      expect(outcome.lines.at(-1)).toEqual(['check', 'fail']);
      expect(outcome.lines.filter(([key]) => key === 'check')).toHaveLength(1);
      for (const [key] of outcome.lines) expect(key).toMatch(/^(check|(test|benchmark)(-count|\.\d+\.\w+))$/);
    }
    return test;
  }
  /** What a participant reads of it. */
  const failureOf = ({ code, lines, stderr }: Outcome) => {
    const text = lines.map(([key, value]) => `${key}: ${value}`).join('\n');
    return outcomeOf('test', text, { exit_code: code, stderr }).failure;
  };

  const wrong: [string, string, RegExp][] = [
    ['a wrong result', kernel('return [0] * (len(data[0]) - data[1] + 1)'), /^item 0: expected/],
    ['a result of the wrong length', kernel('return []'), /^expected 1 items, received 0$/],
    ['a lazy result', kernel('return L([1])', 'class L(list): pass\n'), /^return plain Python data .* not L/],
  ];
  it.each(wrong)('answers %s with check: fail, exit code 112 and one line', async (_, code, message) => {
    const outcome = await refused(code, 112, message);
    expect(outcome.stderr).toBe('');
    expect(failureOf(outcome)?.kind).toBe('wrong');
  });

  /** Submission, the error of its first test, what a participant reads first of all, and a piece of the detail. */
  const crashes: [string, string, RegExp, string | RegExp, RegExp][] = [
    [
      'an exception',
      kernel('raise ValueError("no such window")'),
      /^ValueError: no such window$/,
      'ValueError: no such window',
      /^Traceback \(most recent call last\):\n {2}File ".*submission\.py", line 2, in custom_kernel\n/,
    ],
    [
      'an exception of a class of its own, behind output of its own',
      kernel(
        'raise Odd("one\\ntwo\\nthree")',
        'import sys\nclass Odd(Exception): pass\nprint("OSError: mine", file=sys.stderr)\n',
      ),
      /^Odd: one\\ntwo\\nthree$/,
      'submission.Odd: one',
      /^OSError: mine\nTraceback/,
    ],
    [
      'an error while it is imported',
      'import torchh\n',
      /^submission\.py could not be loaded: ModuleNotFoundError: No module named 'torchh'$/,
      "ModuleNotFoundError: No module named 'torchh'",
      /submission\.py", line 1, in <module>/,
    ],
    [
      'no entry point',
      'x = 1\n',
      /^submission\.py could not be loaded: ImportError: .* no function custom_kernel\(data\)$/,
      'ImportError: submission.py defines no function custom_kernel(data)',
      /^ImportError/,
    ],
    [
      'sys.exit',
      kernel('sys.exit(0)', 'import sys\n'),
      /^SystemExit: 0$/,
      'SystemExit: 0',
      /line 3, in custom_kernel/,
    ],
    [
      'a process that ends',
      kernel('os._exit(0)', 'import os\n'),
      /ended by itself with exit status 0$/,
      /ended by itself with exit status 0$/,
      /^ChildProcessError/,
    ],
    [
      'a process that ends while it is imported',
      'import os\nos._exit(0)\n',
      /ended by itself with exit status 0$/,
      /ended by itself with exit status 0$/,
      /^ChildProcessError/,
    ],
    [
      'a segmentation fault',
      kernel('ctypes.string_at(0)', 'import ctypes\n'),
      /ended by signal 11 \(SIGSEGV\)$/,
      /ended by signal 11 \(SIGSEGV\)$/,
      /^Fatal Python error: Segmentation fault\n(.*\n)+.*submission\.py", line 3 in custom_kernel\n/,
    ],
    [
      'memory that is not there',
      kernel('return bytearray(64 << 30)'),
      /^MemoryError$/,
      'MemoryError',
      /line 2, in custom_kernel\n/,
    ],
    [
      'an exception that cannot be printed',
      kernel('raise E()', 'class E(Exception):\n    def __str__(self):\n        raise E()\n'),
      /^E$/,
      /^submission\.E: /,
      /line 5, in custom_kernel/,
    ],
    [
      'recursion without end',
      kernel('return custom_kernel(data)'),
      /^RecursionError: maximum recursion depth/,
      /^RecursionError: maximum recursion depth/,
      /^Traceback/,
    ],
    [
      'a message of several lines',
      kernel('raise ValueError("one\\ncheck: pass\\r\\ntest.0.status: pass\\x85two")'),
      /^ValueError: one\\ncheck: pass\\ntest\.0\.status: pass\\ntwo$/,
      'ValueError: one',
      /two$/m,
    ],
    [
      'a very long message',
      kernel('raise ValueError("x" * 100000)'),
      /^ValueError: x{900,1000} \[cut\]$/,
      /^ValueError: x+/,
      /x \[cut\]\n$/,
    ],
  ];
  it.each(crashes)(
    'answers %s with check: fail and exit code 1, and ends its stderr with the reason',
    async (...row) => {
      const [, code, message, summary, detail] = row;
      const outcome = await refused(code, 1, message);
      expect(outcome.stderr).not.toMatch(/worker\.py", line \d+, in (serve|guarded|load_submission)/);
      expect(outcome.stderr.length).toBeLessThan(10_000);
      const failure = failureOf(outcome);
      expect(failure).toMatchObject({ kind: 'crash', stage: 'test' });
      expect(failure?.summary).toMatch(summary);
      expect(failure?.detail).toMatch(detail);
    },
  );

  it('lets a syntax error be told from a crash', async () => {
    const message = /^submission\.py could not be loaded: SyntaxError: .*line 1/;
    const outcome = await refused('def custom_kernel(data:\n', 1, message);
    expect(failureOf(outcome)).toMatchObject({
      kind: 'syntax',
      summary: expect.stringMatching(/^SyntaxError: /),
      detail: expect.stringContaining('def custom_kernel(data:'),
    });
  });

  it('calls a run in which one test was wrong and a later one crashed a crash', async () => {
    const code = kernel('if len(data[0]) > 100: raise KeyError("late")\n    return []');
    const outcome = await evaluate(sums, code, 'test');
    expect(outcome.get('test.0.error')).toMatch(/^expected 1 items/);
    expect(outcome.code).toBe(1);
    expect(failureOf(outcome)).toMatchObject({ kind: 'crash', summary: "KeyError: 'late'" });
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
