/** A crash is told from a wrong result by how the evaluation ended, and its reason from what it wrote last. */
import { describe, expect, it } from 'vitest';
import type { StageReport } from '../../src/domain/protocol.ts';
import { outcomeOf } from './stage-report.ts';

function failureOf(text: string, changes: Partial<StageReport>) {
  const { passed, failure } = outcomeOf('test', text, changes);
  expect(passed).toBe(false);
  return failure;
}

describe('a check that failed', () => {
  const failedBy = (error: string) =>
    `test-count: 1\ntest.0.spec: size: 1\ntest.0.status: fail\ntest.0.error: ${error}\ncheck: fail`;

  it('with any exit code but 0 and 112 is a crash of the submission', () => {
    for (const exit_code of [1, 2, 113, 139, null]) {
      expect(failureOf(failedBy('mismatch'), { exit_code })?.kind).toBe('crash');
    }
    for (const exit_code of [0, 112])
      expect(failureOf(failedBy('mismatch'), { exit_code })?.kind).toBe('wrong');
  });

  const frames =
    'Traceback (most recent call last):\n  File "submission.py", line 3, in custom_kernel\n    boom()\n';
  const ended = 'the process that runs the submission';
  const ends: [string, string, string, string][] = [
    ['raises', 'ValueError: no', `${frames}ValueError: no\n`, 'ValueError: no'],
    ['leaves by sys.exit', 'SystemExit: 0', `${frames}SystemExit: 0\n`, 'SystemExit: 0'],
    [
      'leaves by os._exit',
      `${ended} ended by itself with exit status 0`,
      `ChildProcessError: ${ended} ended by itself with exit status 0\n`,
      `ChildProcessError: ${ended} ended by itself with exit status 0`,
    ],
    [
      'dies of a bad address',
      `${ended} was ended by signal 11 (SIGSEGV)`,
      `Fatal Python error: Segmentation fault\n\n  File "x"\n\nChildProcessError: ${ended} was ended by signal 11 (SIGSEGV)\n`,
      `ChildProcessError: ${ended} was ended by signal 11 (SIGSEGV)`,
    ],
    [
      'imports what is not there',
      "submission.py could not be loaded: ModuleNotFoundError: No module named 'torchh'",
      `${frames}ModuleNotFoundError: No module named 'torchh'\n`,
      "ModuleNotFoundError: No module named 'torchh'",
    ],
    [
      'has no entry point',
      'submission.py could not be loaded: ImportError: no function custom_kernel',
      '',
      'submission.py could not be loaded: ImportError: no function custom_kernel',
    ],
    ['takes all memory', 'MemoryError', `${frames}MemoryError\n`, 'MemoryError'],
    ['raises without a word on stderr', 'ValueError: a\\nb', '', 'ValueError: a'],
    ['raises with a word of its own on stderr', 'ValueError: a\\nb', 'working...\n', 'ValueError: a'],
    [
      'raises a long message',
      'RuntimeError: CUDA error: an illegal memory access was encountered\\nCompile with X to see more.',
      `${frames}RuntimeError: CUDA error: an illegal memory access was encountered\nCompile with X to see more.\n\n`,
      'RuntimeError: CUDA error: an illegal memory access was encountered',
    ],
  ];
  it.each(ends)('because the submission %s says so, with the tail of stderr', (_, error, stderr, summary) => {
    expect(failureOf(failedBy(error), { exit_code: 1, stderr })).toEqual({
      kind: 'crash',
      stage: 'test',
      summary,
      detail: stderr === '' ? error.replaceAll('\\n', '\n') : stderr,
    });
  });

  it('because nothing could be imported is a crash in a harness that lets the exception through', () => {
    const stderr = [
      'multiprocessing.pool.RemoteTraceback: ',
      '"""',
      'Traceback (most recent call last):',
      '  File "eval.py", line 5, in run',
      "ImportError: cannot import name 'custom_kernel' from 'submission' (submission.py)",
      '"""',
      '',
      'The above exception was the direct cause of the following exception:',
      '',
      'Traceback (most recent call last):',
      '  File "eval.py", line 50, in <module>',
      "ImportError: cannot import name 'custom_kernel' from 'submission' (submission.py)",
      'a warning that came late',
    ].join('\n');
    const text = 'test-count: 2\ntest.0.spec: size: 1';
    expect(failureOf(text, { exit_code: 1, stderr })).toMatchObject({
      kind: 'crash',
      summary: "ImportError: cannot import name 'custom_kernel' from 'submission' (submission.py)",
    });
  });
});
