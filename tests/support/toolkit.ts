/** A folder with stand-ins for the tools of a GPU machine, where every user can run them. */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FIXTURES = join(import.meta.dirname, '../fixtures/toolkit');

export class Toolkit {
  readonly root: string;
  /** To be the first on the PATH of a box that has them. */
  readonly bin: string;

  /** `tools` are files of tests/fixtures/toolkit without their extension, such as `nvcc`. */
  constructor(tools: string[]) {
    this.root = mkdtempSync(join(tmpdir(), 'hotlap-toolkit-'));
    this.bin = join(this.root, 'bin');
    mkdirSync(this.bin);
    for (const folder of [this.root, this.bin]) chmodSync(folder, 0o755);
    for (const tool of tools) {
      copyFileSync(join(FIXTURES, `${tool}.py`), join(this.bin, tool));
      chmodSync(join(this.bin, tool), 0o755);
    }
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
