/** The GPU set, run for real where torch is; on a CPU it is slow and small. */
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import {
  caseLines,
  evaluate,
  expectPassed,
  loadTask,
  problemsOf,
  readText,
  specsOf,
  type Task,
} from '../support/problem-driver.ts';

const torchMissing = (() => {
  try {
    execFileSync('python3', ['-c', 'import torch, numpy'], { stdio: 'ignore' });
    return '';
  } catch {
    return ' (skipped: python3 has no torch and numpy)';
  }
})();

/** A case small enough for a CPU: the row of `tests` that is last but one. */
const smallCase = (task: Task) => task.tests.slice(-2, -1);

describe.skipIf(torchMissing !== '').each(problemsOf('gpu.yaml'))(`$name${torchMissing}`, ({ directory }) => {
  const task = loadTask(directory);
  const starter = readText(directory, 'submission.py');

  it('accepts its starter submission and refuses what is wrong', { timeout: 240_000 }, async () => {
    expectPassed(await evaluate(directory, starter, 'test'), 'test', specsOf(task.tests));
    for (const mode of ['benchmark', 'profile'] as const) {
      const cases = caseLines(smallCase(task));
      const outcome = await evaluate(directory, starter, mode, { cases, env: { POPCORN_SEED: '5' } });
      expectPassed(outcome, mode, specsOf(smallCase(task)));
    }
    const nan = `${starter}\nreal = custom_kernel\ndef custom_kernel(data):\n    out = real(data)\n    return out * float("nan") if out.is_floating_point() else out + 1\n`;
    const wrong = await evaluate(directory, nan, 'test');
    expect(wrong.code).toBe(112);
    expect(wrong.get('test.0.error')).toMatch(/^\d+ of \d+ elements are wrong; the first is \[/);
    const list = await evaluate(directory, 'def custom_kernel(data):\n    return [1.0]\n', 'test');
    expect(list.get('test.0.error')).toBe('return one torch.Tensor, not list');
  });
});
