/** Boxes below the protocol: commands, connections, and the runner's way onto a box. Real OpenSSH, real processes. */
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import ssh2 from 'ssh2';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, type TestContext } from 'vitest';
import { localTransport } from '../../src/boxes/local.ts';
import type { RunnerArchive } from '../../src/boxes/runner-archive.ts';
import { installRunner } from '../../src/boxes/runner-install.ts';
import { connectSsh, fingerprintOf, type SshOptions, scanHostKey } from '../../src/boxes/ssh.ts';
import { loadOrCreateKey } from '../../src/boxes/ssh-key.ts';
import type { Transport } from '../../src/boxes/transport.ts';
import type { BoxError } from '../../src/domain/box-error.ts';
import { type Sshd, type SshdOptions, sshdMissing, startSshd } from '../support/sshd.ts';

const run = promisify(execFile);
const missing = sshdMissing();
let folder: string;
let shared: Sshd | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hotlap-boxes-'));
  if (missing === null) shared = await startSshd();
});
afterAll(async () => {
  await shared?.remove();
  await rm(folder, { recursive: true });
});

function needSshd(context: TestContext): Sshd {
  if (missing !== null) context.skip(missing);
  if (shared === undefined) throw new Error('the SSH server did not start');
  return shared;
}

async function ownSshd(context: TestContext, options: SshdOptions = {}): Promise<Sshd> {
  if (missing !== null) context.skip(missing);
  const sshd = await startSshd(options);
  onTestFinished(() => sshd.remove());
  return sshd;
}

async function optionsFor(sshd: Sshd): Promise<SshOptions> {
  return {
    host: sshd.host,
    port: sshd.port,
    username: sshd.user,
    privateKey: await readFile(sshd.privateKeyPath, 'utf8'),
    hostKeyFingerprint: sshd.hostKeyFingerprint,
  };
}

async function connect(sshd: Sshd, changes: Partial<SshOptions> = {}): Promise<Transport> {
  const transport = await connectSsh({ ...(await optionsFor(sshd)), ...changes });
  onTestFinished(() => transport.close());
  return transport;
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** True until the process has ended; one that init has not reaped yet has ended. */
async function alive(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return text !== '' && !/\) [ZX] /.test(text);
}

function someArchive(size: number): RunnerArchive {
  const bytes = randomBytes(size);
  return { bytes, hash: createHash('sha256').update(bytes).digest('hex') };
}

const kinds: { kind: string; make: (context: TestContext) => Promise<Transport> }[] = [
  { kind: 'over SSH', make: (context) => connect(needSshd(context)) },
  { kind: 'on this machine', make: async () => localTransport() },
];

describe.each(kinds)('a command $kind', ({ make }) => {
  it('gets every argument unchanged, however nasty', async (context) => {
    const transport = await make(context);
    const nasty = [
      '',
      ' ',
      "it's",
      '"$HOME" `id` $(id)',
      'a\\b\\\\c\\n',
      'line\nline\n',
      '!!',
      '*?[a]~',
      '-n',
      'ä€😀',
      '%s%b\\0101',
    ];
    const result = await transport.exec(['/bin/sh', '-c', 'printf "%s\\000" "$@"', 'sh', ...nasty], {
      timeoutMs: 20_000,
    });
    expect(result).toEqual({ code: 0, stdout: nasty.map((text) => `${text}\0`).join(''), stderr: '' });
  });

  it('gets its input as bytes and gives both outputs and its exit code', async (context) => {
    const transport = await make(context);
    const stdin = randomBytes(300_000);
    const hash = createHash('sha256').update(stdin).digest('hex');
    const script = 'sha256sum; echo to stderr >&2; exit 7';
    const result = await transport.exec(['/bin/sh', '-c', script], { stdin, timeoutMs: 20_000 });
    expect(result).toEqual({ code: 7, stdout: `${hash}  -\n`, stderr: 'to stderr\n' });
  });

  it('that a signal ended has a code above 128', async (context) => {
    const transport = await make(context);
    const result = await transport.exec(['/bin/sh', '-c', 'kill -9 $$'], { timeoutMs: 20_000 });
    expect(result.code).toBe(137);
  });

  it('that takes too long is killed and reported as lost', async (context) => {
    const transport = await make(context);
    const note = join(folder, `pid-${randomBytes(4).toString('hex')}`);
    const endless = transport.exec(['/bin/sh', '-c', `echo $$ > ${note}; exec sleep 600`], {
      timeoutMs: 1_500,
    });
    await expect(endless).rejects.toMatchObject({ kind: 'channel-lost' });
    const pid = Number(await readFile(note, 'utf8'));
    await expect.poll(() => alive(pid), { timeout: 10_000 }).toBe(false);
  });

  it('held open speaks lines both ways and ends with its input', async (context) => {
    const transport = await make(context);
    const channel = await transport.open([
      '/bin/sh',
      '-c',
      'while read -r x; do echo "got $x"; done; echo bye >&2; exit 3',
    ]);
    const lines = channel.lines[Symbol.asyncIterator]();
    for (const word of ['one', 'zwölf']) {
      channel.send(word);
      expect(await lines.next()).toEqual({ done: false, value: `got ${word}` });
    }
    channel.end();
    expect(await lines.next()).toEqual({ done: true, value: undefined });
    const end = await channel.closed;
    expect(end).toMatchObject({ lost: false });
    expect(end.reason).toMatch(/exit code 3: bye$/);
  });
});

describe('this machine as a box', () => {
  it('shows a command nothing of the bot’s environment but what a program needs', async () => {
    const secrets = {
      DISCORD_TOKEN: 'token-secret',
      DATABASE_URL: 'postgres://secret',
      NODE_OPTIONS: '--secret',
    };
    const transport = localTransport({ ...process.env, ...secrets });
    const { stdout } = await transport.exec(['env'], { timeoutMs: 20_000 });
    expect(stdout).toMatch(/^PATH=/m);
    expect(stdout).not.toMatch(/secret/);
  });
});

describe('connecting to a box', () => {
  it('reads the host key that ssh-keygen names', async (context) => {
    const sshd = needSshd(context);
    expect(await scanHostKey(sshd)).toEqual({ fingerprint: sshd.hostKeyFingerprint, type: 'ssh-ed25519' });
  });

  it('refuses a host key that was not registered before anything of ours is sent', async () => {
    const { privateKey } = await loadOrCreateKey(join(folder, 'client'));
    const hostKey = await loadOrCreateKey(join(folder, 'host'));
    const logins: string[] = [];
    const server = new ssh2.Server({ hostKeys: [hostKey.privateKey] }, (client) => {
      client.on('error', () => {});
      client.on('authentication', (attempt) => {
        logins.push(attempt.username);
        attempt.reject();
      });
    });
    const port = await listening(server as unknown as Server);
    const options = { host: '127.0.0.1', port, username: 'somebody', privateKey };

    const wrong = fingerprintOf(Buffer.from('another key'));
    const refused = connectSsh({ ...options, hostKeyFingerprint: wrong });
    await expect(refused).rejects.toMatchObject({
      kind: 'host-key-changed',
      message: expect.stringContaining(wrong),
    });
    const { fingerprint } = await scanHostKey(options);
    expect(logins).toEqual([]);

    await expect(connectSsh({ ...options, hostKeyFingerprint: fingerprint })).rejects.toMatchObject({
      kind: 'auth-refused',
    });
    expect(logins).toContain('somebody');
  });

  it('notices that the host key was changed', async (context) => {
    const sshd = await ownSshd(context);
    const registered = await optionsFor(sshd);
    await (await connectSsh(registered)).close();
    await sshd.rotateHostKey();
    await expect(connectSsh(registered)).rejects.toMatchObject({ kind: 'host-key-changed' });
  });

  it('tells a refused key from a box that is not there', async (context) => {
    const sshd = needSshd(context);
    const { privateKey } = await loadOrCreateKey(join(folder, 'stranger'));
    await expect(connect(sshd, { privateKey })).rejects.toMatchObject({ kind: 'auth-refused' });
    await expect(connect(sshd, { privateKey: 'no key' })).rejects.toMatchObject({ kind: 'auth-refused' });

    const closed = createServer();
    const port = await listening(closed);
    await new Promise((resolve) => closed.close(resolve));
    await expect(connect(sshd, { port })).rejects.toMatchObject({ kind: 'unreachable' });
    await expect(scanHostKey({ host: '127.0.0.1', port })).rejects.toMatchObject({ kind: 'unreachable' });
    await expect(connect(sshd, { host: 'no-such-host.invalid' })).rejects.toMatchObject({
      kind: 'unreachable',
    });
  });

  it('gives up on a port that accepts and never speaks', async (context) => {
    const silent = createServer();
    const port = await listening(silent);
    const changes = { port, readyTimeoutMs: 300 };
    await expect(connect(needSshd(context), changes)).rejects.toMatchObject({ kind: 'unreachable' });
    await expect(scanHostKey({ host: '127.0.0.1', ...changes })).rejects.toMatchObject({
      kind: 'unreachable',
    });
  });
});

describe('a connection to a box', () => {
  it.for(['dropConnections', 'freezeConnections'] as const)(
    'fails whatever is under way as lost after %s',
    async (how, context) => {
      const sshd = await ownSshd(context);
      const transport = await connect(sshd, { keepaliveMs: 200 });
      const losses: BoxError[] = [];
      transport.onLost((error) => losses.push(error));
      const channel = await transport.open(['cat']);
      const lines = channel.lines[Symbol.asyncIterator]();
      channel.send('ready');
      expect(await lines.next()).toMatchObject({ value: 'ready' });
      const note = join(folder, `pid-${how}`);
      const exec = transport.exec(['/bin/sh', '-c', `echo $$ > ${note}; exec sleep 600`], {
        timeoutMs: 60_000,
      });
      const notedPid = async () => Number(await readFile(note, 'utf8').catch(() => ''));
      await expect.poll(notedPid, { timeout: 10_000 }).toBeGreaterThan(0);
      const left = await notedPid();
      // Nobody tells a command without input that its connection is gone.
      onTestFinished(async () => void ((await alive(left)) && process.kill(left, 'SIGKILL')));
      const lost = { kind: 'channel-lost' };
      const [execEnd, lineEnd, channelEnd] = await Promise.all([
        exec.catch((error: unknown) => error),
        lines.next(),
        channel.closed,
        sshd[how](),
      ]);
      expect(execEnd).toMatchObject(lost);
      expect(lineEnd).toMatchObject({ done: true });
      expect(channelEnd).toMatchObject({ lost: true });
      expect(losses).toMatchObject([lost]);
      await expect(transport.exec(['true'], { timeoutMs: 1_000 })).rejects.toMatchObject(lost);
      await expect(transport.open(['true'])).rejects.toMatchObject(lost);
    },
  );

  it('queues commands rather than meeting the server’s limit of sessions', async (context) => {
    const transport = await connect(await ownSshd(context, { maxSessions: 2 }));
    const held = await transport.open(['cat']);
    const results = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        transport.exec(['echo', String(index)], { timeoutMs: 30_000 }),
      ),
    );
    expect(results.map((result) => result.stdout)).toEqual(
      Array.from({ length: 12 }, (_, index) => `${index}\n`),
    );
    held.end();
    for await (const _ of held.lines);
    expect(await held.closed).toMatchObject({ lost: false });
  });
});

describe('a login shell that talks', () => {
  it('does not disturb commands', async (context) => {
    const wrapper = join(folder, 'talks.sh');
    await writeFile(
      wrapper,
      'echo "Welcome to gpu7!"; echo "quota: 93 %" >&2; printf "no newline"; eval "$SSH_ORIGINAL_COMMAND"\n',
    );
    const sshd = await ownSshd(context, { configLines: [`ForceCommand /bin/sh ${wrapper}`] });
    await writeFile(join(sshd.home, '.bashrc'), 'echo "from bashrc"\n');
    const transport = await connect(sshd);
    const result = await transport.exec(['/bin/sh', '-c', 'echo out; echo err >&2'], { timeoutMs: 20_000 });
    expect(result).toEqual({ code: 0, stdout: 'out\n', stderr: 'err\n' });
  });

  it('instead of running commands is named with what it said', async (context) => {
    const sshd = await ownSshd(context, {
      configLines: ['ForceCommand echo This account is not available.; exit 1'],
    });
    const transport = await connect(sshd);
    const refusal = {
      kind: 'protocol-error',
      message: expect.stringContaining('This account is not available.'),
    };
    await expect(transport.exec(['true'], { timeoutMs: 20_000 })).rejects.toMatchObject(refusal);
    const channel = await transport.open(['cat']);
    await expect(channel.lines[Symbol.asyncIterator]().next()).rejects.toMatchObject(refusal);
  });
});

describe('putting the runner on a box', () => {
  it('uploads it once, and again when it was damaged', async (context) => {
    const transport = await connect(needSshd(context));
    const archive = someArchive(200_000);
    const root = join(folder, 'root with blanks & "quotes"');
    const first = await installRunner(transport, archive, root);
    expect(first).toMatchObject({ root, runner: join(root, 'runner', `${archive.hash}.zip`) });
    expect(await readFile(first.runner)).toEqual(archive.bytes);
    const before = await stat(first.runner);
    expect(await installRunner(transport, archive, root)).toEqual(first);
    expect((await stat(first.runner)).ino).toBe(before.ino);

    await truncate(first.runner, 1_000);
    await installRunner(transport, archive, root);
    expect(await readFile(first.runner)).toEqual(archive.bytes);
  });

  it('goes to the home folder where no root is named', async (context) => {
    const sshd = needSshd(context);
    const { root } = await installRunner(await connect(sshd), someArchive(100));
    expect(root).toBe(join(sshd.home, '.hotlap'));
  });

  it('reports a full disk as such and leaves no half file', async (context) => {
    const disk = join(folder, 'disk');
    await mkdir(disk);
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'hotlap', disk]).then(
      () => true,
      () => false,
    );
    if (!mounted) context.skip('a small file system can only be mounted by root');
    onTestFinished(async () => void (await run('umount', [disk])));
    const installing = installRunner(localTransport(), someArchive(300_000), disk);
    await expect(installing).rejects.toMatchObject({ kind: 'disk-full' });
    expect((await run('ls', [join(disk, 'runner')])).stdout).toBe('');
  });

  it('says which Python it found when none is new enough', async (context) => {
    const bin = join(folder, 'old');
    await mkdir(bin);
    await writeFile(join(bin, 'python3'), '#!/bin/sh\necho 3.6.9\nexit 1\n');
    await chmod(join(bin, 'python3'), 0o755);
    for (const [PATH, words] of [
      [bin, `${bin}/python3 3.6.9`],
      [join(folder, 'nothing'), 'there is no python3 on the PATH'],
    ] as const) {
      const wrapper = join(folder, 'path.sh');
      await writeFile(wrapper, `PATH='${PATH}'\nexport PATH\neval "$SSH_ORIGINAL_COMMAND"\n`);
      const sshd = await ownSshd(context, { configLines: [`ForceCommand /bin/sh ${wrapper}`] });
      const installing = installRunner(await connect(sshd), someArchive(10), folder);
      await expect(installing).rejects.toMatchObject({
        kind: 'no-python',
        message: expect.stringContaining(words),
      });
    }
  });
});
