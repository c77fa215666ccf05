/**
 * deploy/box/install.sh, run for real: accounts with throw-away names are made and taken away again.
 *
 * Other package managers than this machine's have stand-ins, and are only asked what they would do.
 */
import { randomBytes } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { chmod, lstat, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { BoxAgent } from '../../src/boxes/agent.ts';
import { loadRunnerArchive } from '../../src/boxes/runner-archive.ts';
import { connectSsh } from '../../src/boxes/ssh.ts';
import { loadOrCreateKey } from '../../src/boxes/ssh-key.ts';
import { type Ended, inUserNamespace, run } from '../support/box-machine.ts';
import { sshdMissing, startSshd } from '../support/sshd.ts';

const INSTALL = path.resolve('deploy/box/install.sh');

const install = (args: readonly string[], input?: string) =>
  run('/bin/sh', [INSTALL, ...args], input === undefined ? {} : { input });

function missingForInstall(): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'making accounts needs Linux and root';
  for (const tool of ['/usr/sbin/useradd', '/usr/bin/apt-get', '/usr/bin/bwrap', '/usr/bin/python3']) {
    try {
      accessSync(tool, constants.X_OK);
    } catch {
      return `${tool} is not on this machine`;
    }
  }
  return sshdMissing();
}

/** The states of the steps, without what follows them on further lines. */
function states(stdout: string): string[] {
  return stdout.split('\n').flatMap((line) => /^(done|already so|skipped|would do) /.exec(line)?.[1] ?? []);
}

/** Everything that install.sh may leave behind for `user`, with content and time of change. */
async function traces(user: string): Promise<string[]> {
  const files = ['/etc/passwd', '/etc/shadow', '/etc/group', '/etc/gshadow'];
  const lines = await Promise.all(
    files.map(async (file) =>
      (await readFile(file, 'utf8')).split('\n').filter((line) => line.startsWith(`${user}:`)),
    ),
  );
  const own = [`/home/${user}`, `/home/${user}/.ssh`, `/home/${user}/.ssh/authorized_keys`];
  own.push(`/etc/security/limits.d/60-hotlap-${user}.conf`, `/var/lib/hotlap-box/${user}`);
  const found = await Promise.all(
    own.map(async (file) => {
      const facts = await lstat(file).catch(() => null);
      if (facts === null) return [];
      const content = facts.isFile() ? await readFile(file, 'utf8') : '';
      return [`${file} ${facts.mode.toString(8)} ${facts.uid} ${facts.mtimeMs} ${content}`];
    }),
  );
  return [...lines.flat(), ...found.flat()];
}

let folder: string;
let publicKey: string;
let privateKey: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'hotlap-box-scripts-'));
  await chmod(folder, 0o755);
  ({ publicKey, privateKey } = await loadOrCreateKey(path.join(folder, 'key')));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('install.sh', () => {
  let user: string;

  beforeEach((context) => {
    const missing = missingForInstall();
    if (missing) context.skip(missing);
    user = `hotlap-test-${randomBytes(4).toString('hex')}`;
    onTestFinished(async () => {
      await install(['--uninstall', '--user', user]);
      await run('/usr/sbin/userdel', ['--remove', user]);
      expect(await traces(user)).toEqual([]);
    });
  });

  it.each([
    ['nothing', () => ''],
    ['a private key', () => privateKey],
    ['two keys', () => `${publicKey}\n${publicKey}`],
    ['a key behind an option', () => `command="/bin/true" ${publicKey}`],
    ['a key cut short', () => publicKey.split(' ').slice(0, 2).join(' ').slice(0, -20)],
    ['a key of another type than it says', () => publicKey.replace('ssh-ed25519', 'ssh-rsa')],
    ['shell code', () => 'ssh-ed25519 $(touch /tmp/hotlap-was-here) x'],
    ['a word', () => 'hello'],
  ])('refuses %s in place of a public key, and changes nothing', async (_, key) => {
    const { code, stdout, stderr } = await install(['--user', user, '--key-file', '-'], key());
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/public/);
    expect(stderr).not.toContain(privateKey.split('\n')[1]);
    expect(await traces(user)).toEqual([]);
  });

  it.each([
    [['--key', 'x', '--user', 'root; reboot'], 'no user name'],
    [['--user', 'root', '--key'], 'wants a value'],
    [['--user', 'hotlap'], '--key'],
    [['--key-file', '/nonexistent'], '/nonexistent'],
    [['--host', 'a b', '--key', 'x'], 'no host name'],
    [['--unknown'], '--help'],
  ])('refuses the arguments %j in words', async (args, words) => {
    const { code, stderr } = await install(args);
    expect(code).toBe(2);
    expect(stderr).toContain(words);
  });

  it('refuses root as the box user', async () => {
    const { code, stderr } = await install(['--user', 'root', '--key', publicKey]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/ordinary user.*--user/);
  });

  it('says with --dry-run what it would do, and does none of it', async () => {
    const { code, stdout } = await install([
      '--dry-run',
      '--user',
      user,
      '--key',
      publicKey,
      '--host',
      'gpu1.example.org',
    ]);
    expect(code).toBe(0);
    expect(states(stdout)).toContain('would do');
    expect(states(stdout)).not.toContain('done');
    expect(stdout).toMatch(new RegExp(`/admin box add name:\\S+ host:gpu1\\.example\\.org user:${user}`));
    expect(await traces(user)).toEqual([]);
  });

  it('makes a box that Hotlap logs in to and runs the sandbox on; a second run finds all of it done', async () => {
    const server = await startSshd({
      configLines: [
        `Match User ${user}`,
        '  AuthorizedKeysFile .ssh/authorized_keys',
        `  SetEnv HOME=/home/${user}`,
      ],
    });
    onTestFinished(() => server.remove());
    const { host, port, hostKeyFingerprint } = server;
    const address = { host, port, username: user, privateKey, hostKeyFingerprint };
    await expect(connectSsh(address)).rejects.toMatchObject({ kind: 'auth-refused' });

    const first = await install(['--user', user, '--key', publicKey]);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(states(first.stdout)).toEqual(expect.arrayContaining(['done']));
    const before = await traces(user);
    const second = await install(['--user', user, '--key-file', '-'], `${publicKey}\r\n`);
    expect(second).toMatchObject({ code: 0, stderr: '' });
    expect(new Set(states(second.stdout))).toEqual(new Set(['already so']));
    expect(await traces(user)).toEqual(before);
    expect(before.find((line) => line.startsWith(`/home/${user} `))).toContain(' 40711 ');
    expect(before.find((line) => line.includes('/authorized_keys '))).toContain(` 100600 `);

    const transport = await connectSsh(address);
    onTestFinished(() => transport.close());
    const agent = await BoxAgent.connect(transport, await loadRunnerArchive(), { instance: 'test' });
    const probe = await agent.probe();
    await agent.close();
    expect(probe).toMatchObject({ sandbox: 'bwrap', sandbox_problem: null });
    const limits = await run('/usr/bin/su', ['-s', '/bin/sh', user, '-c', 'cat /proc/self/limits']);
    expect(limits.stdout).toMatch(/^Max core file size +0 +0 /m);
    // The key is for commands: a terminal is refused.
    await writeFile(path.join(folder, 'login'), privateKey, { mode: 0o600 });
    const args = ['-F', 'none', '-i', path.join(folder, 'login'), '-p', String(port), '-tt'];
    args.push(
      '-o',
      'StrictHostKeyChecking=no',
      '-o',
      'UserKnownHostsFile=/dev/null',
      `${user}@${host}`,
      'tty',
    );
    expect((await run('/usr/bin/ssh', args)).stderr).toContain('PTY allocation request failed');

    const left = ['/bin/sh', '-c', 'setsid sleep 300 </dev/null >/dev/null 2>&1 & echo $!'];
    const pid = Number((await transport.exec(left, { timeoutMs: 10_000 })).stdout);
    const refused = await install(['--uninstall', '--user', user]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/sleep[\s\S]*\/admin box remove/);
    process.kill(pid, 'SIGKILL');
    await transport.close();

    const undone = await install(['--uninstall', '--user', user]);
    expect(undone).toMatchObject({ code: 0, stderr: '' });
    expect(await traces(user)).toEqual([]);
    const again = await install(['--uninstall', '--user', user]);
    expect(again.code).toBe(0);
    expect(states(again.stdout)).toEqual(['already so']);
  });

  it('takes only its own key out of an account that was there before', async () => {
    await run('/usr/sbin/useradd', ['--create-home', '--password', '*', '--shell', '/bin/sh', user]);
    const other = (await loadOrCreateKey(path.join(folder, `other-${user}`))).publicKey;
    // Without the last newline, as editors of keys leave it.
    const write = 'umask 077; cd; mkdir .ssh; printf %s "$1" >.ssh/authorized_keys';
    await run('/usr/bin/su', ['-s', '/bin/sh', user, '-c', write, 'sh', other]);
    const keys = () => readFile(`/home/${user}/.ssh/authorized_keys`, 'utf8');
    expect(await install(['--user', user, '--key', publicKey])).toMatchObject({ code: 0 });
    expect((await keys()).trimEnd().split('\n')).toEqual([other, `restrict ${publicKey}`]);
    expect(await install(['--uninstall', '--user', user])).toMatchObject({ code: 0, stderr: '' });
    expect(await keys()).toBe(`${other}\n`);
    expect((await run('/usr/bin/id', [user])).code).toBe(0);
  });

  it('is not led by a link in the home to write as root elsewhere', async () => {
    await run('/usr/sbin/useradd', ['--create-home', '--shell', '/bin/sh', user]);
    const trap = await mkdtemp(path.join(folder, 'trap-'));
    await symlink(trap, `/home/${user}/.ssh`);
    await writeFile(path.join(trap, 'authorized_keys'), 'untouched\n', { mode: 0o600 });
    const { code, stderr } = await install(['--user', user, '--key', publicKey]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/key.*failed/);
    expect(await readFile(path.join(trap, 'authorized_keys'), 'utf8')).toBe('untouched\n');
  });

  it.each(['dnf', 'zypper', 'pacman'])(
    'would install bubblewrap with %s where that is the package manager',
    async (name) => {
      const bin = await mkdtemp(path.join(folder, 'bin-'));
      await writeFile(path.join(bin, name), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
      const { code, stdout } = await installWithout(['--dry-run', '--user', user, '--key', publicKey], bin);
      expect(code).toBe(0);
      expect(stdout).toContain(`would do    packages bubblewrap, with ${name}\n`);
    },
  );

  it('names what is still open where there is no package manager that it knows', async () => {
    const bin = await mkdtemp(path.join(folder, 'bin-'));
    const { code, stderr } = await installWithout(['--dry-run', '--user', user, '--key', publicKey], bin);
    expect(code).toBe(1);
    expect(stderr).toMatch(/not a box yet[\s\S]*bubblewrap: no apt-get, dnf, zypper or pacman[\s\S]*by hand/);
  });

  it('allows user namespaces only when told to, and forbids them again at the end', async () => {
    // The number is one of each user namespace: inside a new one, setting it touches nobody else.
    const inside = (args: string) =>
      `echo "== $(cat $N)"; sh ${INSTALL} --user ${user} ${args} 2>&1; echo "rc $?"`;
    const key = path.join(folder, 'public');
    await writeFile(key, publicKey);
    const script = [
      'N=/proc/sys/user/max_user_namespaces; echo 0 >$N',
      inside(`--key-file ${key}`),
      inside(`--key-file ${key} --allow-userns`),
      inside(`--key-file ${key}`),
      inside('--uninstall'),
      'cat $N; ls /etc/sysctl.d',
    ].join('\n');
    const parts = (await inUserNamespace(script)).split(/^== /m);
    expect(parts[1]).toMatch(
      /^0\n[\s\S]*user\.max_user_namespaces = 0 forbids[\s\S]*--allow-userns[\s\S]*rc 1\n$/,
    );
    expect(parts[2]).toMatch(
      /^0\n[\s\S]*done +sysctl user\.max_user_namespaces[\s\S]*done +sandbox[\s\S]*rc 0\n$/,
    );
    expect(new Set(states(parts[3] ?? ''))).toEqual(new Set(['already so']));
    expect(parts[4]).toMatch(/rc 0\n0\n/);
    expect(parts[4]).not.toContain('60-hotlap-user.max');
  });
});

/** Runs install.sh where apt-get and bwrap cannot be found and /usr/local/bin is `bin`. */
function installWithout(args: readonly string[], bin: string): Promise<Ended> {
  const hidden = ['/usr/bin/bwrap', '/usr/bin/apt-get'].flatMap((file) => ['--ro-bind', '/dev/null', file]);
  const root = [
    '--ro-bind',
    '/',
    '/',
    '--dev-bind',
    '/dev',
    '/dev',
    ...hidden,
    '--ro-bind',
    bin,
    '/usr/local/bin',
  ];
  return run('/usr/bin/bwrap', [...root, '/bin/sh', INSTALL, ...args]);
}
