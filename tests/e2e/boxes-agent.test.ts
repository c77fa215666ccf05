/** What Hotlap makes of an agent that misbehaves: real processes that speak the protocol wrongly. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { BoxAgent } from '../../src/boxes/agent.ts';
import { BoxConnection } from '../../src/boxes/connection.ts';
import { localTransport } from '../../src/boxes/local.ts';
import { JobMayStillRun, runOnBox } from '../../src/boxes/run-on-box.ts';
import { loadRunnerArchive } from '../../src/boxes/runner-archive.ts';
import type { JobSpec } from '../../src/domain/protocol.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hotlap-boxes-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function localConnection(runner: string): Promise<BoxConnection> {
  const connection = new BoxConnection(
    { id: '1', name: 'odd', kind: 'local', host: null, port: null, username: null, hostKeyFingerprint: null },
    { archive: await loadRunnerArchive(runner), instance: 'test', dataDir: runner },
  );
  onTestFinished(() => connection.close());
  return connection;
}

async function ended(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return text === '' || /\) [ZX] /.test(text);
}

describe('an agent that is not what it should be', () => {
  const hello = 'print(\'{"hello":{"protocol":1,"runner":"x","pid":1,"python":"3"}}\', flush=True)\n';
  it.each([
    ['greets with other words', 'print("Have a lot of fun")', 'protocol-error', '“Have a lot of fun”'],
    ['speaks another version', hello.replace('":1', '":99'), 'protocol-error', 'protocol 99'],
    ['crashes at once', 'raise SystemExit("no such module")', 'runner-crashed', 'no such module'],
    [
      'answers what does not fit',
      `${hello}input()\nprint('{"id":1,"ok":true,"value":{"state":"odd"}}')`,
      'protocol-error',
      'state',
    ],
    ['talks instead of answering', `${hello}input()\nprint("Warning!")`, 'protocol-error', '“Warning!”'],
    [
      'ends instead of answering',
      `${hello}input()\nraise SystemExit("out of memory")`,
      'channel-lost',
      'out of memory',
    ],
  ] as const)('and %s is reported in words', async (_, program, kind, words) => {
    const source = await mkdtemp(join(folder, 'runner-'));
    await writeFile(join(source, '__main__.py'), program);
    const transport = localTransport();
    onTestFinished(() => transport.close());
    const options = { root: join(source, 'root'), instance: 'test' };
    const asking = BoxAgent.connect(transport, await loadRunnerArchive(source), options).then((agent) =>
      agent.status('1.1'),
    );
    await expect(asking).rejects.toMatchObject({ kind, message: expect.stringContaining(words) });
  });

  it('and ends at every request is given up after a while', async () => {
    const source = await mkdtemp(join(folder, 'runner-'));
    await writeFile(join(source, '__main__.py'), `${hello}input()\nraise SystemExit("out of memory")\n`);
    const connection = await localConnection(source);
    const job = { protocol: 1, job_key: '1.1' } as JobSpec;
    const failure = runOnBox(connection, job, { seed: null, onEvent: () => {}, patienceMs: 700 });
    await expect(failure).rejects.toBeInstanceOf(JobMayStillRun);
    await expect(failure).rejects.toMatchObject({
      kind: 'channel-lost',
      message: expect.stringContaining('out of memory'),
    });
  });

  it('is not handed out again, even while its process lingers', async () => {
    const source = await mkdtemp(join(folder, 'runner-'));
    const lingers = `import os, time\n${hello.replace('"pid":1', '"pid":%d').replace("}}'", "}}' % os.getpid()")}`;
    await writeFile(
      join(source, '__main__.py'),
      `${lingers}input()\nprint("Warning!", flush=True)\ntime.sleep(600)\n`,
    );
    const connection = await localConnection(source);
    const first = await connection.agent();
    await expect(first.status('1.1')).rejects.toMatchObject({ kind: 'protocol-error' });
    expect(await connection.agent()).not.toBe(first);
    await expect.poll(() => ended(first.hello.pid), { timeout: 20_000 }).toBe(true);
  });
});
