/** A problem whose runs cost little beside the sandbox, and submissions of which the outcome is known beforehand. */
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Random } from './random.ts';

export const BOARD = 'sorting';
const TEST_CASES = 3;

const SET = `name: Chaos
deadline: ""
description: Short jobs to be disturbed.
problems:
  - {directory: chaos/sorting, name: ${BOARD}, deadline: "", gpus: ["CPU"]}
`;

const TASK = `lang: py
description: Sort a list of numbers.
files:
  - {name: submission.py, source: "@SUBMISSION@"}
  - {name: eval.py, source: eval.py}
  - {name: cases.py, source: cases.py}
config: {main: eval.py}
templates: {Python: template.py}
tests:
${Array.from({ length: TEST_CASES }, (_, i) => `  - {size: ${8 * (i + 1)}, seed: ${i + 1}}`).join('\n')}
benchmarks:
  - {size: 1000, seed: 11}
ranking_by: geom
test_timeout: 120
benchmark_timeout: 60
ranked_timeout: 60
`;

export async function writeChaosProblems(directory: string): Promise<void> {
  const folder = path.join(directory, 'chaos', 'sorting');
  const fixtures = path.resolve(import.meta.dirname, '../fixtures/runner');
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(directory, 'chaos.yaml'), SET);
  await writeFile(path.join(folder, 'task.yml'), TASK);
  await copyFile(path.join(fixtures, 'inproc_eval.py'), path.join(folder, 'eval.py'));
  await copyFile(path.join(fixtures, 'cases.py'), path.join(folder, 'cases.py'));
  await writeFile(
    path.join(folder, 'template.py'),
    source({ tag: 'template', sleepS: 0, answer: 'sorted(data)' }),
  );
}

export interface ChaosSubmission {
  /** Printed by the code itself: the stored output of every run must hold it. */
  tag: string;
  mode: 'test' | 'ranked';
  passes: boolean;
  file: { name: string; bytes: string };
}

function source(parts: { tag: string; sleepS: number; answer: string }): string {
  return `import time

print("${parts.tag}")


def custom_kernel(data):
    time.sleep(${parts.sleepS.toFixed(3)})
    return ${parts.answer}
`;
}

/** `number` makes the tag unique. Most take part of a second, some several seconds, so that faults meet them in mid-run. */
export function randomSubmission(random: Random, number: number): ChaosSubmission {
  const mode = random.next() < 0.4 ? 'ranked' : 'test';
  const passes = random.next() < 0.8;
  const wholeS = random.pick([0, 0, 0.3, 1, 3, 6]);
  // A ranked submission calls it 26 times, in two jobs.
  const sleepS = wholeS / (mode === 'ranked' ? 26 : TEST_CASES);
  const answer = passes ? 'sorted(data)' : random.pick(['[]', '1 // 0']);
  const tag = `chaos-${number}-${Math.floor(random.next() * 1e9)}`;
  return { tag, mode, passes, file: { name: `s${number}.py`, bytes: source({ tag, sleepS, answer }) } };
}

/** A test run of about this length, told in steps of a third. */
export function longSubmission(wholeS: number): ChaosSubmission {
  const tag = `chaos-long-${wholeS}`;
  const bytes = source({ tag, sleepS: wholeS / TEST_CASES, answer: 'sorted(data)' });
  return { tag, mode: 'test', passes: true, file: { name: 'long.py', bytes } };
}
