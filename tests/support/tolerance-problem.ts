/** A set of one problem whose tolerance can be changed, with a harness small enough for many runs in a test. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const SET = `name: Roots
deadline: ""
description: For tests.
problems:
  - {directory: roots/square_root, name: roots, deadline: "2090-01-02 3:04", gpus: ["CPU"]}
`;

const TASK = `lang: py
description: |
  Return the square root of a number, within the tolerance of task.py.
files:
  - {name: submission.py, source: "@SUBMISSION@"}
  - {name: eval.py, source: eval.py}
  - {name: task.py, source: task.py}
config: {main: eval.py}
templates: {Python: template.py}
tests:
  - {size: 16}
benchmarks:
  - {size: 81}
ranking_by: geom
test_timeout: 20
benchmark_timeout: 20
ranked_timeout: 20
`;

const EVAL = `import os
import sys
import time

from submission import custom_kernel
from task import TOLERANCE

word = "test" if sys.argv[1] == "test" else "benchmark"
cases = [line.strip() for line in open(sys.argv[2]) if line.strip()]
out = os.fdopen(int(os.environ["POPCORN_FD"]), "w")
say = lambda key, value: print(f"{key}: {value}", file=out, flush=True)
passed = True
say(f"{word}-count", len(cases))
for i, case in enumerate(cases):
    x = int(case.split(":")[1])
    say(f"{word}.{i}.spec", case)
    times = []
    for _ in range(3):
        start = time.perf_counter_ns()
        result = custom_kernel(x)
        times.append(time.perf_counter_ns() - start)
    error = abs(result / x**0.5 - 1)
    if error > TOLERANCE:
        passed = False
        say(f"{word}.{i}.status", "fail")
        say(f"{word}.{i}.error", f"off by {error:.0e}, allowed is {TOLERANCE:.0e}")
    elif word == "test":
        say(f"{word}.{i}.status", "pass")
    else:
        say(f"{word}.{i}.runs", len(times))
        say(f"{word}.{i}.mean", sum(times) / len(times))
        say(f"{word}.{i}.best", min(times))
        say(f"{word}.{i}.worst", max(times))
say("check", "pass" if passed else "fail")
sys.exit(0 if passed else 112)
`;

const TEMPLATE = `#!POPCORN leaderboard another-board
# Fill it in.

def custom_kernel(x):
    raise NotImplementedError
`;

export async function writeToleranceProblem(directory: string): Promise<void> {
  const folder = join(directory, 'roots', 'square_root');
  await mkdir(folder, { recursive: true });
  await writeFile(join(directory, 'roots.yaml'), SET);
  await writeFile(join(folder, 'task.yml'), TASK);
  await writeFile(join(folder, 'eval.py'), EVAL);
  await writeFile(join(folder, 'template.py'), TEMPLATE);
  await setTolerance(directory, 1e-1);
}

export async function setTolerance(directory: string, tolerance: number): Promise<void> {
  const text = `# Relative.\nTOLERANCE = ${tolerance}\n`;
  await writeFile(join(directory, 'roots', 'square_root', 'task.py'), text);
}

/** A submission that is wrong by so much, relatively, and takes so long. */
export function rootWith(error: number, seconds: number): string {
  return `import time\n\ndef custom_kernel(x):\n    time.sleep(${seconds})\n    return x**0.5 * (1 + ${error})\n`;
}
