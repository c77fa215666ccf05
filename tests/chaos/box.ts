/** A box for chaos: a real OpenSSH server, with its `~/.hotlap` on a small disk of its own where we may mount one. */
import { execFile } from 'node:child_process';
import { appendFile, mkdir, open, readFile, rm, statfs } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { type Sshd, startSshd } from '../support/sshd.ts';

const run = promisify(execFile);
const DISK_MIB = 32;

export class ChaosBox {
  readonly name: string;
  readonly slots: number;
  readonly sshd: Sshd;
  /** Times at which the disk was full, in milliseconds since the epoch. */
  readonly fullTimes: { from: number; to: number }[] = [];
  #mounted = false;

  private constructor(name: string, slots: number, sshd: Sshd) {
    this.name = name;
    this.slots = slots;
    this.sshd = sshd;
  }

  static async open(name: string, slots: number, wish: { smallDisk: boolean }): Promise<ChaosBox> {
    const box = new ChaosBox(name, slots, await startSshd());
    try {
      await mkdir(box.root, { mode: 0o755 });
      if (wish.smallDisk && process.getuid?.() === 0) {
        box.#mounted = await run('mount', [
          '-t',
          'tmpfs',
          '-o',
          `size=${DISK_MIB}m,mode=755`,
          'tmpfs',
          box.root,
        ]).then(
          () => true,
          () => false,
        );
      }
      return box;
    } catch (error) {
      await box.close();
      throw error;
    }
  }

  get root(): string {
    return path.join(this.sshd.home, '.hotlap');
  }

  /** Where the runner of this installation keeps its jobs. Made here, as the runner would, so that it can be watched. */
  async jobsFolder(instance: string): Promise<string> {
    const folder = path.join(this.root, instance, 'jobs');
    await mkdir(folder, { recursive: true, mode: 0o711 });
    return folder;
  }

  /** Only a disk of our own can be filled without harm to the machine. */
  get hasSmallDisk(): boolean {
    return this.#mounted;
  }

  /** Lets in who has the other box's key. */
  async admit(other: ChaosBox): Promise<void> {
    const file = (sshd: Sshd) => `${sshd.privateKeyPath}.pub`;
    await appendFile(file(this.sshd), await readFile(file(other.sshd)));
  }

  async fillDisk(): Promise<void> {
    this.fullTimes.push({ from: Date.now(), to: Number.POSITIVE_INFINITY });
    const ballast = await open(this.#ballast, 'w');
    try {
      const block = Buffer.alloc(256 * 1024, 1);
      for (;;) await ballast.write(block);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      await ballast.close();
    }
    const { bavail } = await statfs(this.root);
    if (bavail > 64) throw new Error(`the disk of ${this.name} did not get full`);
  }

  async freeDisk(): Promise<void> {
    await rm(this.#ballast, { force: true });
    const last = this.fullTimes.at(-1);
    if (last?.to === Number.POSITIVE_INFINITY) last.to = Date.now();
  }

  get #ballast(): string {
    return path.join(this.root, 'ballast');
  }

  async close(): Promise<void> {
    await this.sshd.stop();
    if (this.#mounted) {
      await run('umount', ['-l', this.root]);
      this.#mounted = false;
    }
    await this.sshd.remove();
  }
}
