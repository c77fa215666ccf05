/** Runs that failed are read leniently: a failing harness writes what it can, and its participant should see why. */
import { describe, expect, it } from 'vitest';
import type { StageReport } from '../../src/domain/protocol.ts';
import type { Failure } from '../../src/domain/stage-failure.ts';
import {
  jobResult,
  outcomeOf,
  outcomeOfJob,
  passedTests,
  stageReport,
  timedBenchmarks,
} from './stage-report.ts';

function failureOf(mode: string, text: string, changes = {}): Failure {
  const outcome = outcomeOf(mode, text, changes);
  expect(outcome.passed).toBe(false);
  expect(outcome.stages[0]?.passed).toBe(false);
  if (!outcome.failure) throw new Error('a run that has not passed has a failure');
  return outcome.failure;
}

const failedTest = [
  'test-count: 2',
  'test.0.spec: size: 1; seed: 5',
  'test.0.status: pass',
  'test.1.spec: size: 2; seed: 5',
  'test.1.status: fail',
  'test.1.error: mismatch at 0\\nexpected 1, got 2',
  'check: fail',
].join('\n');

describe('a failed test', () => {
  it('is a wrong result with its number, its case and its message in real lines', () => {
    expect(failureOf('test', failedTest, { exit_code: 112 })).toEqual({
      kind: 'wrong',
      stage: 'test',
      summary: 'Test 2 of 2 failed: size: 2; seed: 5',
      detail: 'mismatch at 0\nexpected 1, got 2',
    });
  });

  it('is a failure with exit code 0 as well', () => {
    expect(failureOf('test', failedTest, { exit_code: 0 }).kind).toBe('wrong');
  });

  it('counts the other ones that failed', () => {
    const text = failedTest.replace('test.0.status: pass', 'test.0.status: fail');
    expect(failureOf('test', text).summary).toBe('Test 1 of 2 failed (and 1 more): size: 1; seed: 5');
  });

  it('is found behind a case without a status, and named by its own number', () => {
    const text = 'test-count: 3\ntest.0.spec: a: 1\ntest.2.spec: a: 3\ntest.2.status: fail\ncheck: fail';
    expect(failureOf('test', text).summary).toMatch(/^Test 3 of .* failed: a: 3$/);
  });

  it('is recognised without a spec and without a check, as one public harness ends its ranked mode', () => {
    const text = 'test-count: 1\ntest.0.status: fail\ntest.0.error: wrong again';
    expect(failureOf('leaderboard', text)).toEqual({
      kind: 'wrong',
      stage: 'leaderboard',
      summary: 'Test 1 of 1 failed.',
      detail: 'wrong again',
    });
  });

  it('may print a tensor whose lines look like keys, or like no line at all', () => {
    const text = [
      'test-count: 2',
      'test.0.spec: m: 64; has_bias: True; seed: 1',
      'test.0.status: fail',
      'test.0.error: mismatch: tensor([[1., 2.],',
      'device: cuda:0, dtype: torch.bfloat16)',
      'check: pass',
      'test.1.spec: m: 128; has_bias: False; seed: 2',
      'test.1.status: pass',
      'check: fail',
    ].join('\n');
    const outcome = outcomeOf('test', text, { exit_code: 112, malformed_lines: 3 });
    expect(outcome.failure).toMatchObject({
      kind: 'wrong',
      summary: 'Test 1 of 2 failed: m: 64; has_bias: True; seed: 1',
      detail: 'mismatch: tensor([[1., 2.],',
    });
    expect(outcome.stages[0]?.tests.map((test) => test.passed)).toEqual([false, true]);
    expect(outcome.stages[0]?.lines).toHaveLength(9);
  });
});

describe('a failed benchmark', () => {
  it('is a wrong result, and what was timed before and after it is kept', () => {
    const text = [
      'benchmark-count: 3',
      'benchmark.0.spec: n: 32; case: dense',
      'benchmark.0.runs: 5',
      'benchmark.0.mean: 100.5',
      'benchmark.1.spec: n: 64',
      'benchmark.1.status: fail',
      'benchmark.1.error: residual too large',
      'benchmark.2.spec: n: 128',
      'benchmark.2.runs: 5',
      'benchmark.2.mean: 400',
      'check: fail',
    ].join('\n');
    const outcome = outcomeOf('leaderboard', text, { exit_code: 112 });
    expect(outcome.failure).toMatchObject({
      kind: 'wrong',
      summary: 'Benchmark 2 failed its check: n: 64',
      detail: 'residual too large',
    });
    expect(outcome.stages[0]?.benchmarks.map((item) => item.meanNs)).toEqual([100.5, 400]);
  });

  it('without times or a status is a failed check, with the harness’s own error', () => {
    const text = 'benchmark-count: 1\nbenchmark.0.spec: vocab_size: 32000\nerror: no gradient\ncheck: fail';
    expect(failureOf('benchmark', text, { exit_code: 112 })).toMatchObject({
      kind: 'wrong',
      summary: 'The check of the benchmark stage failed.',
      detail: 'no gradient',
    });
  });
});

describe('an end without a believable verdict', () => {
  it('is a crash for any exit code but 0 and 112, whatever the check says', () => {
    for (const exit_code of [1, 2, 110, 111, 113, 114, 255]) {
      const failure = failureOf('test', passedTests(1), { exit_code });
      expect(failure).toMatchObject({ kind: 'crash', stage: 'test' });
      expect(failure.summary).toContain(`exit code ${exit_code}`);
    }
  });

  it('is a crash with exit code 0 and no check', () => {
    expect(failureOf('test', '').summary).toBe('The evaluation ended with exit code 0 and no verdict.');
    expect(failureOf('benchmark', timedBenchmarks([5]).replace('check: pass', '')).kind).toBe('crash');
  });

  it('is no pass with a check that says anything but pass', () => {
    for (const check of ['Pass', 'true', '', 'passed']) {
      expect(failureOf('test', `test-count: 1\ntest.0.status: pass\ncheck: ${check}`).kind).toBe('crash');
    }
  });

  it('shows the exception and the tail of the error output', () => {
    const stderr = `${'x'.repeat(5000)}\nTraceback (most recent call last):\n  File "submission.py", line 3\nValueError: no idea how\n`;
    const failure = failureOf('test', 'test-count: 1', { exit_code: 1, stderr });
    expect(failure.summary).toBe('ValueError: no idea how');
    expect(failure.detail.endsWith('ValueError: no idea how\n')).toBe(true);
    expect(failure.detail.length).toBeLessThanOrEqual(3000);
  });

  it('by a signal names the signal, even behind a full set of passing lines', () => {
    const failure = failureOf('test', passedTests(2), { exit_code: null, signal: 9 });
    expect(failure).toMatchObject({ kind: 'crash', summary: 'Ended by signal 9 (SIGKILL).' });
  });

  it('with a dead worker is a crash that says how it died, whatever was written', () => {
    const end = (changes: Partial<StageReport>) =>
      failureOf('test', passedTests(1), { worker_died: true, ...changes });
    expect(end({})).toMatchObject({
      kind: 'crash',
      summary: 'The process that ran the submission died with exit code 0.',
    });
    const stderr = 'Traceback (most recent call last):\n  caught\nValueError: caught and printed\n';
    expect(end({ exit_code: null, signal: 11, stderr })).toMatchObject({
      kind: 'crash',
      summary: 'The process that ran the submission was ended by signal 11 (SIGSEGV).',
      detail: stderr,
    });
    expect(end({ exit_code: 1, stderr }).summary).toBe('ValueError: caught and printed');
    expect(end({ exit_code: 3, stderr }).summary).toContain('exit code 3');
    expect(end({ exit_code: null, signal: 99 }).summary).toContain('signal 99.');
  });

  it('by a signal is a crash behind a failed test too', () => {
    expect(failureOf('test', failedTest, { exit_code: null, signal: 6 })).toMatchObject({
      kind: 'crash',
      summary: 'Ended by signal 6 (SIGABRT).',
      detail: 'mismatch at 0\nexpected 1, got 2',
    });
  });

  it('says when the memory limit was reached', () => {
    const ended = { exit_code: null, signal: 9, exceeded: ['memory' as const] };
    expect(failureOf('test', '', ended).summary).toBe(
      'Ended by signal 9 (SIGKILL) (the memory limit was reached).',
    );
  });

  it('after too much output is a flood, whatever was written', () => {
    expect(failureOf('test', passedTests(1), { overflow: true }).kind).toBe('flood');
  });

  it('at the time limit is a timeout that tells what had passed, whatever was written', () => {
    const partial = passedTests(3).replace('test.2.status: pass\ncheck: pass', '');
    const ended = { timed_out: true, exit_code: 114, timeout_s: 6 };
    expect(failureOf('test', partial, ended)).toMatchObject({
      kind: 'timeout',
      summary: 'Stopped after the limit of 6 s. 2 tests had passed.',
    });
    expect(failureOf('test', passedTests(1), { ...ended, exit_code: 0 }).summary).toBe(
      'Stopped after the limit of 6 s. 1 test had passed.',
    );
    expect(failureOf('leaderboard', '', ended).summary).toBe('Stopped after the limit of 6 s.');
  });
});

describe('a build', () => {
  const build = (changes: object) => ({
    ...{ exit_code: 1, signal: null, timed_out: false, duration_ms: 5, command: 'nvcc a.cu' },
    ...{ stdout: '', stderr: '', ...changes },
  });
  const failureOfBuild = (changes: object) =>
    failureOf('test', '', { exit_code: null, build: build(changes) });

  it.each([
    [{ stdout: 'a.cu(3): error: no such name\n\n1 error detected\n' }, 'a.cu(3): error: no such name'],
    [
      { stderr: 'In file b.h:\nb.h:7:2: fatal error: gone.h: No such file\n' },
      'b.h:7:2: fatal error: gone.h',
    ],
    [
      {
        stderr: 'nvcc -Werror\nptxas error   : too much shared data\nptxas fatal   : aborted due to errors\n',
      },
      'ptxas error   : too much shared data',
    ],
    [
      { stderr: 'eval.o: in main:\nundefined reference to `kernel()`\ncollect2: error: ld returned 1\n' },
      'undefined reference to `kernel()`',
    ],
    [{ stdout: 'nothing to say\n' }, 'The compiler ended with exit code 1.'],
    [{ exit_code: null, signal: 9 }, 'The compiler was ended by signal 9.'],
  ])('that failed is told by the first error of the compiler: %j', (changes, summary) => {
    const failure = failureOfBuild(changes);
    expect(failure).toMatchObject({ kind: 'syntax', stage: 'test' });
    expect(failure.summary).toContain(summary);
  });

  it('that took too long is a timeout', () => {
    expect(failureOfBuild({ exit_code: 114, timed_out: true }).kind).toBe('timeout');
  });

  it('is kept with its outputs, and so is one of PyTorch’s own in the warm-up, if it told of one', () => {
    const made = { exit_code: 0, stdout: 'made it', stderr: 'ptxas info' };
    const { stages } = outcomeOf('test', passedTests(1), { build: build(made) });
    expect(stages[0]?.compilation).toEqual({
      success: true,
      command: 'nvcc a.cu',
      stdout: 'made it',
      stderr: 'ptxas info',
      exitCode: 0,
    });
    const { command: _, ...warmup } = build({ stdout: 'ninja: c++ -DTORCH_EXTENSION_NAME=my_kernel' });
    expect(outcomeOf('test', passedTests(1), { warmup }).stages[0]?.compilation).toMatchObject({
      success: false,
      stdout: warmup.stdout,
    });
    const { command: __, ...silent } = build({ stdout: 'hello' });
    expect(outcomeOf('test', passedTests(1), { warmup: silent }).stages[0]?.compilation).toBe(null);
  });
});

describe('source that does not compile', () => {
  it.each(['SyntaxError', 'IndentationError', 'TabError'])('is told by a %s in the error output', (name) => {
    const stderr = `  File "submission.py", line 1\n    def f(:\n          ^\n${name}: invalid syntax\n`;
    const failure = failureOf('test', 'test-count: 1', { exit_code: 1, stderr });
    expect(failure).toMatchObject({ kind: 'syntax', summary: `${name}: invalid syntax` });
    expect(failure.detail).toContain('def f(:');
  });

  it('is told by the error of a test that could not import it, in real lines', () => {
    const text =
      'test-count: 1\ntest.0.status: fail\ntest.0.error: File "submission.py", line 1\\nSyntaxError: \'(\' was never closed\ncheck: fail';
    const failure = failureOf('test', text, { exit_code: 112 });
    expect(failure).toMatchObject({ kind: 'syntax', summary: "SyntaxError: '(' was never closed" });
    expect(failure.detail).toBe('File "submission.py", line 1\nSyntaxError: \'(\' was never closed');
  });

  it('is told by the warm-up where the evaluation says nothing', () => {
    const { name: _, ...warmup } = stageReport('test', '', { stderr: 'SyntaxError: bad\n', exit_code: 1 });
    expect(failureOf('test', '', { exit_code: 1, warmup }).kind).toBe('syntax');
  });

  it('is not told by a SyntaxError that something else came after', () => {
    const stderr = 'SyntaxError: caught and printed\nValueError: the real end\n';
    expect(failureOf('test', '', { exit_code: 1, stderr }).kind).toBe('crash');
  });

  it('does not keep a pass from being a pass', () => {
    expect(outcomeOf('test', passedTests(1), { stderr: 'SyntaxError: printed by a joker\n' }).passed).toBe(
      true,
    );
  });
});

describe('text that a participant wrote', () => {
  // PostgreSQL stores neither; a result with one of them could never be stored.
  const isStorable = (text: string) => text.isWellFormed() && !text.includes('\u0000');

  it('is kept without NUL characters and lone surrogates, wherever it stands', () => {
    const nasty = 'a\u0000b\ud800c\udc00d';
    const { name: _, ...warmup } = stageReport('test', '', { stderr: nasty });
    const stage = stageReport('test', `test-count: 1\ntest.0.status: fail\ntest.0.error: ${nasty}`, {
      stdout: nasty,
      stderr: nasty,
      warmup,
    });
    stage.lines.push([nasty, nasty]);
    const outcome = outcomeOfJob([stage], {
      system: { ...jobResult([]).system, hostname: nasty },
      sandbox: nasty,
    });
    expect(JSON.stringify(outcome)).not.toContain('\\u0000');
    const strings: string[] = [];
    JSON.stringify(outcome, (_, value) => {
      if (typeof value === 'string') strings.push(value);
      return value;
    });
    expect(strings.length).toBeGreaterThan(20);
    expect(strings.filter((text) => !isStorable(text))).toEqual([]);
    expect(outcome.failure?.detail).toBe('a\ufffdb\ufffdc\ufffdd');
  });

  it('is not cut in the middle of a character', () => {
    const emoji = '😀'.repeat(4000);
    for (const shift of ['', 'x']) {
      const { detail } = failureOf('test', '', { exit_code: 1, stderr: emoji + shift });
      expect(isStorable(detail), `tail with ${shift || 'nothing'}`).toBe(true);
      const { summary } = failureOf('test', '', { exit_code: 1, stderr: `ValueError: ${shift}${emoji}` });
      expect(isStorable(summary)).toBe(true);
    }
  });

  it('gives a summary of one sentence, however long the case or the exception', () => {
    const long = 'y'.repeat(500_000);
    const texts = [
      failureOf('test', `test-count: 1\ntest.0.spec: ${long}\ntest.0.status: fail\ncheck: fail`),
      failureOf('test', `test.0.error: SyntaxError: ${long}`, { exit_code: 1 }),
      failureOf('benchmark', `benchmark.0.spec: ${long}\nbenchmark.0.status: fail`, { exit_code: 112 }),
    ];
    for (const { summary } of texts) expect(summary.length).toBeLessThanOrEqual(500);
  });

  it('is read in time that grows with its length alone', () => {
    // A pattern that backtracked over these kept the whole bot busy for a quarter of a minute.
    const stderr = `${'\\nSyntaxError: '.repeat(300)}${' '.repeat(8000)}x\ny`;
    expect(failureOf('test', '', { exit_code: 1, stderr }).kind).toBe('crash');
    const tracebacks = 'Traceback (most recent call last):\n'.repeat(30_000);
    for (const text of [
      tracebacks,
      `${tracebacks} ${'a.'.repeat(400_000)}`,
      `x\n${'a_Error.'.repeat(100_000)}!`,
    ]) {
      expect(failureOf('test', '', { exit_code: 1, stderr: text }).kind).toBe('crash');
      const lines = `test.0.status: fail\ntest.0.error: ${text.replaceAll('\n', '\\n')}\ncheck: fail`;
      expect(failureOf('test', lines, { exit_code: 1 }).kind).toBe('crash');
    }
    const digits = `${'1'.repeat(400_000)}x`;
    const text = `benchmark-count: ${digits}\nbenchmark.0.mean: ${digits}\ncheck: pass`;
    expect(failureOf('benchmark', text).kind).toBe('malformed');
  }, 5000);
});

describe('a job', () => {
  it('that was cancelled is neither passed nor failed', () => {
    const outcome = outcomeOfJob([stageReport('test', passedTests(1))], { outcome: 'cancelled' });
    expect(outcome).toMatchObject({ cancelled: true, passed: false, failure: null });
  });

  it('fails by its first stage that failed', () => {
    const stages = [
      stageReport('test', passedTests(1)),
      stageReport('benchmark', '', { timed_out: true, exit_code: 114 }),
    ];
    const outcome = outcomeOfJob(stages, {}, ['leaderboard']);
    expect(outcome.stages.map((stage) => stage.passed)).toEqual([true, false]);
    expect(outcome.failure).toMatchObject({ kind: 'timeout', stage: 'benchmark' });
  });

  it('keeps no exit code that is none: a submission can make one up, and a column has an end', () => {
    expect(outcomeOf('test', '', { exit_code: 4_000_000_000, worker_died: true }).stages[0]?.exitCode).toBe(
      null,
    );
    expect(outcomeOf('test', '', { exit_code: -11 }).stages[0]?.exitCode).toBe(-11);
  });
});
