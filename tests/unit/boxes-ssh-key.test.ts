import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import ssh2 from 'ssh2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadOrCreateKey } from '../../src/boxes/ssh-key.ts';

const run = promisify(execFile);
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hotlap-key-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe('Hotlap’s SSH key', () => {
  it('is made once, readable by its owner only, and read again afterwards', async () => {
    const path = join(folder, 'deep', 'id_ed25519');
    const [first, second] = await Promise.all([loadOrCreateKey(path), loadOrCreateKey(path)]);
    expect(second).toEqual(first);
    expect(await loadOrCreateKey(path)).toEqual(first);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(folder, 'deep'))).toEqual(['id_ed25519']);
    expect(first.publicKey).toMatch(/^ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA[A-Za-z0-9+/]+=* hotlap$/);
  });

  it('signs what its public half verifies, each time it is made', async () => {
    for (let round = 0; round < 300; round += 1) {
      const path = join(folder, `key-${round}`);
      const { privateKey, publicKey } = await loadOrCreateKey(path);
      const secret = ssh2.utils.parseKey(privateKey);
      const open = ssh2.utils.parseKey(publicKey);
      if (secret instanceof Error || open instanceof Error) throw new Error('a key did not parse');
      const data = Buffer.from(`round ${round}`);
      expect(open.verify(data, secret.sign(data))).toBe(true);
    }
  });

  it('is a key to OpenSSH as well', async (context) => {
    const path = join(folder, 'key');
    const { publicKey } = await loadOrCreateKey(path);
    const printed = await run('ssh-keygen', ['-y', '-f', path]).catch(
      (error: NodeJS.ErrnoException) => error,
    );
    if (printed instanceof Error && printed.code === 'ENOENT')
      context.skip('ssh-keygen is not on this machine');
    expect(printed).toMatchObject({ stdout: `${publicKey}\n` });
  });

  it('is refused in words when the file holds something else', async () => {
    const path = join(folder, 'key');
    await writeFile(path, 'not a key');
    await expect(loadOrCreateKey(path)).rejects.toThrow(`${path} is no SSH private key`);
  });
});
