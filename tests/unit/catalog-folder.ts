/** A folder of problems for one test, written file by file. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

export class CatalogFolder {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  static async make(): Promise<CatalogFolder> {
    // One level down, so that a source can try to leave the root without leaving the test's own folder.
    const outer = await mkdtemp(path.join(tmpdir(), 'hotlap-test-catalog-'));
    await mkdir(path.join(outer, 'problems'));
    return new CatalogFolder(path.join(outer, 'problems'));
  }

  async write(files: Record<string, string | Uint8Array>): Promise<void> {
    for (const [name, content] of Object.entries(files)) {
      const target = path.join(this.root, name);
      await mkdir(path.dirname(target), { recursive: true });
      await writeFile(target, content);
    }
  }

  /** One set `s.yaml` with one problem, `p`, whose task.yml is `task`; beside it an eval.py. */
  async writeProblem(task: string, entry = 'gpus: ["H100"]'): Promise<void> {
    await this.write({
      's.yaml': setOf(`  - {directory: s/p, name: p, deadline: "", ${entry}}`),
      's/p/task.yml': task,
      's/p/eval.py': 'print("eval")\n',
    });
  }

  remove(): Promise<void> {
    return rm(path.dirname(this.root), { recursive: true, force: true });
  }
}

export function setOf(problems: string): string {
  return `name: A set\ndeadline: ""\ndescription: ""\nproblems:\n${problems}\n`;
}

export const leastTask = `lang: py
description: Do it.
files:
  - {name: submission.py, source: "@SUBMISSION@"}
  - {name: eval.py, source: eval.py}
config: {main: eval.py}
tests:
  - {size: 1, seed: 2}
benchmarks:
  - {size: 3, seed: 4}
  - {size: 5, seed: 6}
`;
