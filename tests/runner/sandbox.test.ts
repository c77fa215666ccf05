/** What the sandbox is made of, one fact each. What it is worth against attacks: hostile.test.ts. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type JobSpec, verbValue } from '../../src/domain/protocol.ts';
import { type Agent, HONEST, lastLine, listProcesses, onlyStage, TestBox, waitFor } from './runner-client.ts';

const RUNNER = join(import.meta.dirname, '../../deploy/box/runner');
const box = new TestBox();
const probe = verbValue.probe.parse(box.cli('probe', [])[0]);
const isRoot = process.platform === 'linux' && process.getuid?.() === 0;
const noGroups = probe.limits === 'rlimits' ? `no control groups here: ${probe.limits_problem}` : '';
let agent: Agent;
beforeAll(async () => {
  agent = await box.agent();
});
afterAll(() => box.close());

/** Prints what `expression` is when the submission is loaded, as JSON. */
const asking = (expression: string, imports = ''): string =>
  `import ctypes, errno, json, os, resource, stat, sys\n${imports}\nprint(json.dumps(${expression}))\n${HONEST}`;
async function ask(expression: string, change: Partial<JobSpec> = {}, imports = ''): Promise<unknown> {
  const { result } = await agent.run(box.job({ submission: asking(expression, imports), change }));
  const stage = onlyStage(result);
  expect([stage.stderr, lastLine(stage, 'check')]).toEqual(['', 'pass']);
  return JSON.parse(stage.stdout);
}

describe('a probe', () => {
  it('says what bounds a job and whether system calls are filtered, and a result says the same', async () => {
    expect(probe.limits).toBeDefined();
    expect(probe.limits_problem === null).toBe(probe.limits !== 'rlimits');
    const { result } = await agent.run(box.job({ submission: HONEST }));
    expect(result).toMatchObject({ limits: probe.limits, syscall_filter: probe.syscall_filter });
  });
});

describe.each(['auto', 'off'] as const)('a room with sandbox %s', (sandbox) => {
  beforeEach(({ skip }) => {
    skip(sandbox === 'auto' && probe.sandbox === 'none', `no sandbox here: ${probe.sandbox_problem}`);
  });

  it('holds the problem’s files read-only, under another user than the job’s', async ({ skip }) => {
    skip(!isRoot, 'only root has another user to give them to');
    const found = await ask(
      '[[name, os.stat(name).st_uid == os.getuid(), os.access(name, os.W_OK)] for name in sorted(os.listdir("."))]',
      { sandbox },
    );
    expect(found).toEqual([
      ['cases.py', false, false],
      ['eval.py', false, false],
      ['submission.py', false, false],
    ]);
  });

  it('gives each of two jobs a user id of its own', async ({ skip }) => {
    skip(!isRoot, 'only root can');
    const token = `hotlap-uid-${sandbox}`;
    const hang = `import subprocess, sys\ndef custom_kernel(data):\n    subprocess.run([sys.executable, "-c", "import time; time.sleep(3600)", "${token}"])\n`;
    const jobs = [0, 1].map(() => box.job({ submission: hang, timeoutS: 600, change: { sandbox } }));
    for (const job of jobs) await agent.start(job);
    const found = await waitFor('both', () => {
      const pids = listProcesses(token).map((line) => Number.parseInt(line, 10));
      return pids.length === 2 && pids;
    });
    const uids = found.map((pid) => /^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
    expect(new Set(uids).size).toBe(2);
    expect(Math.min(...uids.map(Number))).toBeGreaterThan(60_000);
    for (const job of jobs) await agent.request('cancel', { job_key: job.job_key });
  });

  it('passes what a warm-up compiled to every later room: bytes, times, rights and links', async () => {
    const submission = `
import os
folder = os.environ["TORCH_EXTENSIONS_DIR"]
tool = os.path.join(folder, "deep", "tool")
if __name__ == "__main__" and not os.path.exists(tool):
    os.makedirs(os.path.dirname(tool))
    open(tool, "w").write("#!/bin/sh\\necho built")
    os.chmod(tool, 0o755)
    os.utime(tool, ns=(10**18, 10**18 + 7))
    os.symlink("deep/tool", os.path.join(folder, "link"))
import subprocess
print(os.stat(tool).st_mtime_ns, subprocess.run([os.path.join(folder, "link")], capture_output=True).stdout)
${HONEST}`;
    const { result } = await agent.run(twoStages(submission, sandbox));
    const built = "1000000000000000007 b'built\\n'\n";
    expect(result.stages.map((stage) => [stage.warmup?.stdout, stage.stdout])).toEqual([
      [built, built],
      [undefined, built],
    ]);
  });

  it('passes nothing from one evaluation to the next through the cache', async () => {
    const submission = `
import os
path = os.path.join(os.environ["TORCH_EXTENSIONS_DIR"], "trace")
print(os.path.exists(path))
if __name__ != "__main__":
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "w").close()
${HONEST}`;
    const { result } = await agent.run(twoStages(submission, sandbox));
    expect(result.stages.map((stage) => [stage.warmup?.stdout, stage.stdout])).toEqual([
      ['False\n', 'False\n'],
      [undefined, 'False\n'],
    ]);
  });

  it('shows a warm-up the problem’s modules, but neither the evaluation program nor a case', async () => {
    const submission = `
import os, sys
if __name__ == "__main__":
    own = os.path.join(os.path.dirname(os.getcwd()), "own") if os.getcwd() != "/work" else "/run/hotlap"
    print(sorted(os.listdir(".")), os.stat(os.path.join(own, "cases.txt")).st_size)
${HONEST}`;
    const { result } = await agent.run(twoStages(submission, sandbox));
    expect(result.stages[0]?.warmup?.stdout).toBe("['cases.py', 'submission.py'] 0\n");
  });

  it('dumps no core, and is the first to go when memory runs out', async () => {
    const found = await ask(
      '[resource.getrlimit(resource.RLIMIT_CORE), int(open("/proc/self/oom_score_adj").read())]',
      { sandbox },
    );
    expect(found).toEqual([[0, 0], 1000]);
  });

  it('bounds the processes of a stage, and the report says that it did', async ({ skip }) => {
    skip(noGroups !== '', noGroups);
    const submission = `
import os, time
refused = False
for _ in range(60):
    try:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
    except BlockingIOError:
        refused = True
print(refused)
${HONEST}`;
    const tight = box.job({ submission, change: { sandbox, limits: { processes: 40 } } });
    const stage = onlyStage((await agent.run(tight)).result);
    expect([stage.stdout, stage.exceeded]).toEqual(['True\n', ['processes']]);
    const wide = onlyStage((await agent.run(box.job({ submission, change: { sandbox } }))).result);
    expect([wide.stdout, wide.exceeded]).toEqual(['False\n', []]);
  });

  it('leaves no control group behind, not even when its supervisor is killed', async ({ skip }) => {
    skip(noGroups !== '', noGroups);
    const token = `hotlap-group-${sandbox}`;
    const submission = `import subprocess, sys\ndef custom_kernel(data):\n    subprocess.run([sys.executable, "-c", "import time; time.sleep(3600)", "${token}"])\n`;
    const job = box.job({ submission, timeoutS: 600, change: { sandbox } });
    await agent.start(job);
    await waitFor('the job', () => listProcesses(token).length > 0);
    const record = JSON.parse(readFileSync(join(box.jobFolder(job.job_key), 'processes.json'), 'utf8'));
    const folders = (record as { groups: string[] }).groups;
    expect(folders.map((folder) => existsSync(folder))).toEqual(folders.map(() => true));
    expect(folders.length).toBeGreaterThan(0);
    process.kill(Number(readFileSync(join(box.jobFolder(job.job_key), 'supervisor.pid'), 'utf8')), 'SIGKILL');
    await expect(agent.follow(job.job_key)).rejects.toMatchObject({ kind: 'runner-crashed' });
    expect(listProcesses(token)).toEqual([]);
    expect(folders.map((folder) => existsSync(folder))).toEqual(folders.map(() => false));
  });
});

function twoStages(submission: string, sandbox: JobSpec['sandbox']): JobSpec {
  const stages = ['test', 'again'].map((name) => {
    return { name, mode: 'test' as const, timeout_s: 20, cases: 'size: 3; seed: 1\n' };
  });
  return box.job({
    submission,
    stages,
    change: { sandbox, warmup: { file: 'submission.py', timeout_s: 20 } },
  });
}

describe('inside bubblewrap', () => {
  beforeEach(({ skip }) => skip(probe.sandbox !== 'bwrap', `no sandbox here: ${probe.sandbox_problem}`));

  it('every place that can be written is memory with a size', async () => {
    const found = await ask(
      `sorted({line.split()[4]: line.split()[-1] for line in open("/proc/self/mountinfo") if " rw," in line.split(" - ")[0]
        and line.split()[4] not in ("/proc", "/dev/pts", "/dev/mqueue") and not line.split()[4].startswith("/dev/")
        or line.split()[4] == "/dev/shm"}.items())`,
      { limits: { memory_mib: 512 } },
    );
    const mounts = found as [string, string][];
    expect(mounts.map(([path]) => path)).toEqual(['/cache', '/dev/shm', '/home/job', '/tmp', '/work']);
    for (const [, options] of mounts) expect(options).toMatch(/^rw,size=\d+k/);
  });

  it('has no capability, no new rights and a filter, its first process included', async () => {
    const status = (pid: string): string =>
      `[line.split()[1] for line in open("/proc/${pid}/status") if line.startswith(("CapBnd", "CapEff", "NoNewPrivs", "Seccomp:"))]`;
    const wanted = ['0000000000000000', '0000000000000000', '1', probe.syscall_filter ? '2' : '0'];
    expect(await ask(`[${status('1')}, ${status('self')}]`)).toEqual([wanted, wanted]);
  });

  it('refuses the system calls of the list, and families of sockets that no namespace confines', async ({
    skip,
  }) => {
    skip(!probe.syscall_filter, 'there is no filter for this machine');
    const numbers = pythonOf(
      'import json, platform, seccomp\ncolumn = seccomp._MACHINES[platform.machine()][4]\nprint(json.dumps({name: n[column] for name, n in seccomp._REFUSED.items() if n[column] is not None}))',
    );
    const calls = JSON.parse(numbers) as Record<string, number>;
    expect(Object.keys(calls).length).toBeGreaterThan(40);
    const found = await ask(
      `{name: call(number) for name, number in ${JSON.stringify(calls)}.items()}`,
      {},
      `libc = ctypes.CDLL(None, use_errno=True)
def call(number):
    ctypes.set_errno(0)
    # Arguments that no call accepts, should one get through.
    return libc.syscall(number, -1, -1, -1, -1, -1, -1) == -1 and errno.errorcode[ctypes.get_errno()]`,
    );
    expect(new Set(Object.values(found as Record<string, string>))).toEqual(new Set(['EPERM']));
    const sockets = await ask(
      '[attempt(family, kind) for family, kind in ((1, 1), (2, 2), (10, 1), (16, 3), (40, 1), (38, 5), (17, 3), (31, 3))]',
      {},
      `import socket
def attempt(family, kind):
    try:
        socket.socket(family, kind).close()
        return "made"
    except OSError as error:
        return errno.errorcode[error.errno]`,
    );
    const refused = 'EAFNOSUPPORT';
    expect(sockets).toEqual(['made', 'made', 'made', 'made', refused, refused, refused, refused]);
  });
});

describe('the filter of system calls', () => {
  const [ALLOW, EPERM, ENOSYS, EAFNOSUPPORT] = [0x7fff0000, 0x50001, 0x50026, 0x50061] as const;
  const machines = [
    {
      name: 'x86_64',
      word: 0xc000003e,
      read: 0,
      ptrace: 101,
      mount: 165,
      clone: 56,
      socket: 41,
      keyctl: 250,
    },
    {
      name: 'aarch64',
      word: 0xc00000b7,
      read: 63,
      ptrace: 117,
      mount: 40,
      clone: 220,
      socket: 198,
      keyctl: 219,
    },
  ] as const;

  it.each(machines)('decides as it should on $name', ({ name, word, ...call }) => {
    const program = Buffer.from(
      pythonOf(`import seccomp\nprint(seccomp.build_filter("${name}").hex())`),
      'hex',
    );
    const decide = (number: number, first = 0, machine: number = word): number =>
      runFilter(program, [number, machine, 0, 0, first, 0]);
    expect(decide(call.read)).toBe(ALLOW);
    for (const number of [call.ptrace, call.mount, call.keyctl, 425, 442]) expect(decide(number)).toBe(EPERM);
    expect(decide(435)).toBe(ENOSYS);
    // What the C library passes for a thread, then a child; then a user and a network namespace.
    expect([0x3d0f00, 0x1200011].map((flags) => decide(call.clone, flags))).toEqual([ALLOW, ALLOW]);
    expect([0x10000011, 0x40000011].map((flags) => decide(call.clone, flags))).toEqual([EPERM, EPERM]);
    expect([1, 2, 10, 16].map((family) => decide(call.socket, family))).toEqual(Array(4).fill(ALLOW));
    expect([0, 17, 38, 40].map((family) => decide(call.socket, family))).toEqual(Array(4).fill(EAFNOSUPPORT));
    expect(decide(call.read, 0, 0x40000003)).toBe(EPERM);
    if (name === 'x86_64') expect(decide(0x40000000 + call.read)).toBe(EPERM);
  });

  it('is absent where its tables have no column', () => {
    expect(pythonOf('import seccomp\nprint(seccomp.build_filter("riscv64"))')).toBe('None\n');
  });
});

/** The kernel's machine for such programs, as far as ours go. `words` is struct seccomp_data in 32-bit words. */
function runFilter(program: Buffer, words: number[]): number {
  let accumulator = 0;
  for (let at = 0; at < program.length / 8; at++) {
    const code = program.readUInt16LE(at * 8);
    const [yes, no] = [program.readUInt8(at * 8 + 2), program.readUInt8(at * 8 + 3)];
    const value = program.readUInt32LE(at * 8 + 4);
    if (code === 0x20) accumulator = words[value / 4] ?? Number.NaN;
    else if (code === 0x15) at += accumulator === value ? yes : no;
    else if (code === 0x35) at += accumulator >= value ? yes : no;
    else if (code === 0x45) at += (accumulator & value) !== 0 ? yes : no;
    else if (code === 0x06) return value;
    else throw new Error(`instruction ${code} at ${at}`);
  }
  throw new Error('the program ran off its end');
}

function pythonOf(code: string): string {
  const options = { encoding: 'utf8', env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' } } as const;
  return execFileSync(
    'python3',
    ['-c', `import sys\nsys.path.insert(0, ${JSON.stringify(RUNNER)})\n${code}`],
    options,
  );
}

describe('a box whose sandbox does not work', () => {
  it('still runs a job, and its result says that there was none', () => {
    const folder = mkdtempSync(join(tmpdir(), 'hotlap-broken-'));
    chmodSync(folder, 0o755);
    writeFileSync(join(folder, 'bwrap'), '#!/bin/sh\necho "no namespaces here" >&2\nexit 1\n', {
      mode: 0o755,
    });
    const job = box.job({ submission: HONEST });
    writeFileSync(join(folder, 'job.json'), JSON.stringify(job));
    const run = (...argv: string[]): string =>
      execFileSync('python3', [box.archive, ...argv, '--root', folder], {
        encoding: 'utf8',
        timeout: 30_000,
        env: { ...process.env, PATH: `${folder}:${process.env.PATH}` },
      });
    try {
      run('start', join(folder, 'job.json'));
      const last = JSON.parse(run('follow', job.job_key).trim().split('\n').at(-1) ?? '');
      expect(last).toMatchObject({
        result: { sandbox: 'none', outcome: 'finished', stages: [{ exit_code: 0 }] },
      });
      run('sweep');
      expect(readdirSync(join(folder, 'default', 'jobs'))).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
