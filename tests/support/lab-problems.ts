/** A set of small boards for tests, on top of the starter set's harness: short limits, several GPU types, a deadline. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const SET = `name: Lab
deadline: ""
description: For tests.
problems:
  - {directory: lab/doubling, name: lab, deadline: "", gpus: ["CPU"]}
  - {directory: lab/doubling, name: lab-two-gpus, deadline: "", gpus: ["CPU", "H100"]}
  - {directory: lab/doubling, name: lab-over, deadline: "2020-01-01 6:59", gpus: ["CPU"]}
`;

const TASK = `lang: py
description: Return the double of every number of the list.
files:
  - {name: submission.py, source: "@SUBMISSION@"}
  - {name: eval.py, source: ../../starter/eval.py}
  - {name: judge.py, source: ../../harness/judge.py}
  - {name: worker.py, source: ../../harness/worker.py}
  - {name: task.py, source: task.py}
  - {name: reference.py, source: reference.py}
config: {main: eval.py}
templates: {Python: template.py}
tests:
  - {size: 8, seed: 1}
  - {size: 100, seed: 2}
benchmarks:
  - {size: 20000, seed: 3}
  - {size: 40000, seed: 4}
ranking_by: geom
test_timeout: 6
benchmark_timeout: 20
ranked_timeout: 20
`;

const REFERENCE = `import random

def generate_input(size, seed):
    rng = random.Random(seed)
    numbers = [rng.randrange(1000) for _ in range(size)]
    # Only a seed that was combined with a secret one is so large: a mark by which a test can tell the secret run.
    return [-1] + numbers if seed >= 2**31 else numbers

def check_implementation(data, output):
    if output != [2 * x for x in data]:
        return "not the doubles of the input"
    return ""
`;

const TASK_PY = 'input_t = list\noutput_t = list\n';

export async function writeLabProblems(directory: string): Promise<void> {
  const folder = join(directory, 'lab', 'doubling');
  await mkdir(folder, { recursive: true });
  await writeFile(join(directory, 'lab.yaml'), SET);
  await writeFile(join(folder, 'task.yml'), TASK);
  await writeFile(join(folder, 'reference.py'), REFERENCE);
  await writeFile(join(folder, 'task.py'), TASK_PY);
  await writeFile(join(folder, 'template.py'), `#!POPCORN leaderboard lab\n\n${labSubmissions.good}`);
}

/** Submissions to the lab boards, by what becomes of them. */
export const labSubmissions = {
  good: 'def custom_kernel(data):\n    return [2 * x for x in data]\n',
  slow: 'def custom_kernel(data):\n    out = []\n    for x in data:\n        y = 0\n        for _ in range(8):\n            y = 2 * x\n        out.append(y)\n    return out\n',
  wrong: 'def custom_kernel(data):\n    return [2 * x + 1 for x in data]\n',
  crashing: 'def custom_kernel(data):\n    raise ValueError("no idea how")\n',
  dying: 'import os, signal\n\ndef custom_kernel(data):\n    os.kill(os.getpid(), signal.SIGSEGV)\n',
  hanging: 'import time\n\ndef custom_kernel(data):\n    time.sleep(600)\n',
  syntax: 'def custom_kernel(data:\n    return data\n',
  /** Passes the public run and fails the secret one. */
  publicOnly: 'def custom_kernel(data):\n    return [] if data[0] == -1 else [2 * x for x in data]\n',
} as const;
