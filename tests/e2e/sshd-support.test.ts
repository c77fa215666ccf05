import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { promisify } from 'node:util';
import { NodeSSH } from 'node-ssh';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Sshd, sshdMissing, startSshd } from '../support/sshd.ts';

const run = promisify(execFile);
const missing = sshdMissing();
let server: Sshd;

beforeEach(async (context) => {
  if (missing) context.skip(missing);
  server = await startSshd();
});

afterEach(async () => {
  await server?.remove();
});

async function login(): Promise<NodeSSH> {
  const ssh = new NodeSSH();
  const { host, port, user: username, privateKeyPath } = server;
  await ssh.connect({ host, port, username, privateKeyPath });
  ssh.connection?.on('error', () => {});
  return ssh;
}

async function hostKey(): Promise<string> {
  const { stdout } = await run('sh', [
    '-c',
    `ssh-keyscan -p ${server.port} -t ed25519 127.0.0.1 | ssh-keygen -lf -`,
  ]);
  return stdout.split(' ')[1] ?? '';
}

describe('the SSH server of the tests', () => {
  it('logs the current user in with an empty home and a clean environment', async () => {
    const ssh = await login();
    const { stdout } = await ssh.execCommand('id -un; echo $HOME; ls -A $HOME; env');
    ssh.dispose();
    expect(stdout.split('\n').slice(0, 2)).toEqual([server.user, server.home]);
    expect(stdout).not.toMatch(/VITEST|NODE_ENV|npm_/);
  });

  it('drops connections, and a process that left its session survives that', async () => {
    const ssh = await login();
    const { stdout } = await ssh.execCommand('setsid sleep 300 >/dev/null 2>&1 </dev/null & echo $!');
    const started = Promise.withResolvers<void>();
    const cut = ssh.execCommand('echo up; cat', {
      // Left open: without it node-ssh closes standard input and the command ends by itself.
      stdin: new PassThrough(),
      onStdout: () => started.resolve(),
    });
    await started.promise;
    await server.dropConnections();
    expect(await cut).toMatchObject({ code: null });
    await expect.poll(() => ssh.isConnected()).toBe(false);
    const again = await login();
    const survivor = await again.execCommand(`kill ${stdout.trim()} && echo alive`);
    again.dispose();
    expect(survivor.stdout).toBe('alive');
  });

  it('comes back on the same port with the same host key after a stop', async () => {
    const { port, hostKeyFingerprint } = server;
    await server.stop();
    await expect(login()).rejects.toThrow('ECONNREFUSED');
    await server.start();
    expect(server.port).toBe(port);
    expect(await hostKey()).toBe(hostKeyFingerprint);
  });

  it('shows another host key after a rotation', async () => {
    const { hostKeyFingerprint } = server;
    await server.rotateHostKey();
    expect(server.hostKeyFingerprint).not.toBe(hostKeyFingerprint);
    expect(await hostKey()).toBe(server.hostKeyFingerprint);
  });

  it('leaves no file behind', async () => {
    const { privateKeyPath } = server;
    await server.remove();
    await expect(access(privateKeyPath)).rejects.toThrow('ENOENT');
  });
});
