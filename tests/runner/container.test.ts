/**
 * Docker and Podman as the sandbox: what their commands are asked for, and the life of a container.
 *
 * The daemon is a stand-in (docker_stand_in.py) and, where HOTLAP_TEST_CONTAINER names one, a real engine too. The same
 * variable has hostile.test.ts run its whole list in containers.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jobSpec, verbValue } from '../../src/domain/protocol.ts';
import { type Container, containerUnderTest, noContainer } from '../support/container-under-test.ts';
import { type Agent, HONEST, lastLine, listProcesses, onlyStage, TestBox, waitFor } from './runner-client.ts';

const STAND_IN = join(import.meta.dirname, '../fixtures/runner/docker_stand_in.py');
const RUNNER = join(import.meta.dirname, '../../deploy/box/runner');
const standIn: Container = { engine: 'docker', image: 'stand-in:1' };
const real = containerUnderTest();

const outer = new TestBox();
const probe = verbValue.probe.parse(outer.cli('probe', [])[0]);
const noSandbox =
  probe.sandbox === 'none' ? `no bubblewrap here for the stand-in: ${probe.sandbox_problem}` : '';

let folder: string;
let daemon: ChildProcess;
const pathBefore = process.env.PATH;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hotlap-engine-'));
  copyFileSync(STAND_IN, join(folder, 'docker'));
  process.env.DOCKER_STAND_IN = folder;
  daemon = spawn('python3', [STAND_IN, 'serve'], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((ready) => daemon.stdout?.once('data', ready));
});
afterAll(async () => {
  process.env.PATH = pathBefore;
  await outer.close();
  daemon.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** What the stand-in was asked, in order. */
function calls(): string[][] {
  return readFileSync(join(folder, 'calls.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as string[]);
}

/** `token` stands in the command line of a process, for as long as the submission runs. */
const hanging = (token: string) => `import subprocess, sys
def custom_kernel(data):
    print("begun", flush=True)
    subprocess.run([sys.executable, "-c", "import time; time.sleep(3600)", "${token}"])
`;

describe.each([
  ['a stand-in for Docker', standIn, noSandbox],
  ['the engine of HOTLAP_TEST_CONTAINER', real ?? standIn, real === null ? noContainer : ''],
])('a job in %s', (_, sandbox, missing) => {
  const isStandIn = sandbox === standIn;
  let box: TestBox;
  let agent: Agent;

  beforeAll(async () => {
    if (missing !== '') return;
    process.env.PATH = isStandIn ? `${folder}:${pathBefore}` : pathBefore;
    box = new TestBox();
    agent = await box.agent();
  });
  afterAll(async () => {
    if (missing !== '') return;
    await box.close();
    expect(running()).toEqual([]);
  });

  function running(): string[] {
    if (isStandIn) return JSON.parse(readFileSync(join(folder, 'running.json'), 'utf8')) as string[];
    const listed = execFileSync(sandbox.engine, ['ps', '-aq', '--filter', 'label=hotlap=job'], {
      encoding: 'utf8',
    });
    return listed.split('\n').filter((id) => id !== '');
  }

  it('passes, with its caches, its seed and its result pipe', async ({ skip }) => {
    skip(missing !== '', missing);
    const submission = `
import os
path = os.path.join(os.environ["TRITON_CACHE_DIR"], "built")
if __name__ == "__main__":
    os.makedirs(os.path.dirname(path))
    open(path, "w").write("by the warm-up")
print(open(path).read(), os.getpid() < 20, os.path.exists("/cases.txt"), sorted(os.listdir("/work")))
${HONEST}`;
    const job = box.job({
      submission,
      change: { sandbox, warmup: { file: 'submission.py', timeout_s: 20 } },
    });
    const { result, events } = await agent.run(job, 4711);
    const stage = onlyStage(result);
    expect(result, JSON.stringify(result)).toMatchObject({ outcome: 'finished', sandbox: sandbox.engine });
    expect(events[0]).toMatchObject({ type: 'started', sandbox: sandbox.engine });
    expect(lastLine(stage, 'check')).toBe('pass');
    expect(stage.stdout).toBe("by the warm-up True False ['cases.py', 'eval.py', 'submission.py']\n");
    expect(stage.exceeded).toEqual([]);
    expect(stage.stderr).toBe('');
  });

  it('sees an environment of ours, of the image’s only what is on the list, and a machine that is shut', async ({
    skip,
  }) => {
    skip(missing !== '', missing);
    const look = `import errno, json, os, socket
def attempt(action):
    try:
        action()
        return "done"
    except OSError as error:
        return errno.errorcode[error.errno]
def custom_kernel(data):
    status = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
    print("LOOK " + json.dumps({
        "env": sorted(os.environ),
        "caps": [status["CapEff"], status["CapBnd"], status["NoNewPrivs"], status["Seccomp"]],
        "uid": os.getuid(),
        "first": attempt(lambda: open("/proc/1/environ").read()),
        "kill": attempt(lambda: os.kill(1, 9)),
        "door": sorted(os.listdir("/run/hotlap")),
        "root": attempt(lambda: open("/x", "w")),
        "file": attempt(lambda: open("/work/eval.py", "a")),
        "work": attempt(lambda: open("/work/new", "w").close()),
        "network": attempt(lambda: socket.create_connection(("192.0.2.1", 80), 2)),
        "ptrace": attempt(lambda: os.sched_getaffinity(0)),
    }), flush=True)
    return sorted(data)
`;
    const { result } = await agent.run(
      box.job({ submission: look, harness: 'pool', change: { sandbox } }),
      99,
    );
    const stage = onlyStage(result);
    const line = stage.stdout.split('\n').find((text) => text.startsWith('LOOK ')) ?? JSON.stringify(result);
    const seen = JSON.parse(line.slice(5)) as Record<string, unknown> & { env: string[]; uid: number };
    expect(seen.env).toContain('TRITON_CACHE_DIR');
    expect(seen.env.includes('CUDA_HOME')).toBe(isStandIn);
    expect(seen.env.filter((name) => /SECRET|DOCKER|HOTLAP/.test(name))).toEqual([]);
    expect(seen).toMatchObject({
      caps: ['0000000000000000', '0000000000000000', '1', '2'],
      first: 'EACCES',
      kill: 'done',
      root: 'EROFS',
      work: 'done',
      network: 'ENETUNREACH',
      door: ['cache_pack.py', 'cases.txt', 'container_init.py', 'launcher.py', 'warmup.py'],
    });
    expect(seen.file).toMatch(/^E(ACCES|ROFS|PERM)$/);
    if (process.getuid?.() === 0) expect(seen.uid).toBeGreaterThan(60_000);
    expect(lastLine(stage, 'check')).toBe('pass');
  });

  it.for([
    [
      'a signal',
      'import os, signal\ndef custom_kernel(data):\n    os.kill(os.getpid(), signal.SIGSEGV)\n',
      { signal: 11 },
    ],
    [
      'an exit with 125, which is the engine’s own word',
      'import os\ndef custom_kernel(data):\n    os._exit(125)\n',
      { exit_code: 125 },
    ],
  ] as const)('reports %s', async ([, submission, end], { skip }) => {
    skip(missing !== '', missing);
    const { result } = await agent.run(box.job({ submission, change: { sandbox } }));
    expect(onlyStage(result)).toMatchObject(end);
  });

  it('ends at the time limit with what it had written, and on a cancel, and leaves no container', async ({
    skip,
  }) => {
    skip(missing !== '', missing);
    const token = `hotlap-hang-${process.pid}-${isStandIn}`;
    const submission = hanging(token);
    const { result } = await agent.run(box.job({ submission, timeoutS: 4, change: { sandbox } }));
    expect(onlyStage(result)).toMatchObject({ timed_out: true, exit_code: 114, stdout: 'begun\n' });

    const job = box.job({ submission, timeoutS: 600, change: { sandbox } });
    await agent.start(job);
    await waitFor('the submission', () => listProcesses(token).length > 0);
    expect(await agent.request('cancel', { job_key: job.job_key })).toEqual({ found: true });
    expect((await agent.follow(job.job_key)).result.outcome).toBe('cancelled');
    expect(listProcesses(token)).toEqual([]);
    await waitFor('its end', () => running().length === 0);
  });

  it('ends by itself when its supervisor is killed', async ({ skip }) => {
    skip(missing !== '', missing);
    const token = `hotlap-orphan-${process.pid}-${isStandIn}`;
    const job = box.job({ submission: hanging(token), timeoutS: 600, change: { sandbox } });
    await agent.start(job);
    await waitFor('the submission', () => listProcesses(token).length > 0);
    const pid = Number(readFileSync(join(box.jobFolder(job.job_key), 'supervisor.pid'), 'utf8'));
    process.kill(pid, 'SIGKILL');
    await waitFor('its end', () => listProcesses(token).length === 0 && running().length === 0);
    await agent.request('sweep', { keep: [] });
  });
});

describe('a container of the stand-in', () => {
  let box: TestBox;
  let agent: Agent;
  beforeAll(async () => {
    process.env.PATH = `${folder}:${pathBefore}`;
    box = new TestBox();
    agent = await box.agent();
  });
  afterAll(() => box.close());

  it('is asked for with exactly these options', async ({ skip }) => {
    skip(noSandbox !== '', noSandbox);
    const limits = { memory_mib: 1024, processes: 99 };
    await agent.run(box.job({ submission: HONEST, change: { sandbox: standIn, limits } }));
    const run =
      calls().findLast(([verb, ...rest]) => verb === 'run' && rest.join().includes('container_init')) ?? [];
    const shown = run.map((word) =>
      word
        .replace(/^(\d{5,}|0):(\d{5,}|0)$/, 'UID:UID')
        .replace(/hotlap-stage-0-[0-9a-f]{16}/, 'NAME')
        .replace(/source=[^,]*\/([^/,]+),/, 'source=$1,')
        .replace(/^(nofile|nproc)=(\d+):\2$/, '$1=N:N'),
    );
    const tmpfs = (path: string, mib: number) => [
      '--tmpfs',
      `${path}:rw,exec,nosuid,nodev,mode=1777,size=${mib * 1024 * 1024}`,
    ];
    const mount = (source: string, target: string) => [
      '--mount',
      `type=bind,source=${source},target=${target},readonly`,
    ];
    expect(shown).toEqual([
      ...['run', '--rm', '--pull', 'never', '--name', 'NAME', '--label', 'hotlap=job', '--hostname', 'job'],
      ...['--network', 'none', '--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
      ...['--ipc', 'private', '--log-driver', 'none', '--no-healthcheck', '--workdir', '/'],
      ...[
        '--user',
        'UID:UID',
        '--memory',
        '1073741824b',
        '--memory-swap',
        '1073741824b',
        '--pids-limit',
        '99',
      ],
      ...['--ulimit', 'nofile=N:N', '--ulimit', 'nproc=N:N', '--shm-size', '536870912b'],
      ...['/tmp', '/home/job', '/work', '/cache'].flatMap((path) => tmpfs(path, 512)),
      ...['cases.py', 'eval.py', 'submission.py'].flatMap((name) => mount(name, `/work/${name}`)),
      ...mount('own', '/run/hotlap'),
      ...mount('passwd', '/etc/passwd'),
      ...mount('group', '/etc/group'),
      ...[
        '--entrypoint',
        '/usr/bin/python3',
        'stand-in:1',
        '/run/hotlap/container_init.py',
        '/run/hotlap/door',
      ],
    ]);
  });

  it('is given its GPUs, and no others, in the words of each engine', () => {
    const asked = JSON.parse(
      pythonOf(`
import json
from container_command import gpu_options
from gpus import Gpu
nvidia = ["/dev/nvidia0", "/dev/nvidia1", "/dev/nvidiactl"]
cards = [Gpu(0, "H100", 1, "1", uuid="GPU-a"), Gpu(1, "H100", 1, "1", uuid="GPU-b")]
amd = ["/dev/dri", "/dev/kfd"]
print(json.dumps([gpu_options(*each) for each in (
    ("docker", nvidia, None), ("docker", nvidia, cards[:1]), ("docker", nvidia, cards), ("docker", [], []),
    ("podman", nvidia, None), ("podman", nvidia, cards), ("docker", amd, None), ("podman", amd, None),
)]))`),
    ) as string[][];
    expect(asked).toEqual([
      ['--gpus', 'all'],
      ['--gpus', '"device=GPU-a"'],
      ['--gpus', '"device=GPU-a,GPU-b"'],
      [],
      ['--device', 'nvidia.com/gpu=all'],
      ['--device', 'nvidia.com/gpu=GPU-a', '--device', 'nvidia.com/gpu=GPU-b'],
      ['--device', '/dev/dri', '--device', '/dev/kfd'],
      ['--device', '/dev/dri', '--device', '/dev/kfd'],
    ]);
  });

  it('is no container where the image is missing, has volumes, or the engine is away: the box is at fault', async ({
    skip,
  }) => {
    skip(noSandbox !== '', noSandbox);
    for (const [image, said] of [
      ['gone:1', 'docker has no image gone:1 here; bring it with: docker pull gone:1'],
      ['with-volume:1', 'declares volumes (/data)'],
    ] as const) {
      const sandbox = { engine: 'docker', image } as const;
      const { result } = await agent.run(box.job({ submission: HONEST, change: { sandbox } }));
      expect(result).toMatchObject({ outcome: 'box-error', sandbox: 'none', stages: [] });
      expect(result.error).toMatchObject({ kind: 'sandbox-failed', message: expect.stringContaining(said) });
      const looked = await agent.request('probe', { sandbox });
      expect(looked).toMatchObject({ sandbox: 'none', sandbox_problem: expect.stringContaining(said) });
    }
    expect(await agent.request('probe', { sandbox: standIn })).toMatchObject({ sandbox: 'docker' });
  });

  it('is refused for an image that would be an option of the command', async () => {
    const sandbox = { engine: 'docker', image: '--privileged' } as const;
    const job = box.job({ submission: HONEST, change: { sandbox } });
    await expect(agent.start(job)).rejects.toThrow('no name of an image');
    expect(jobSpec.safeParse(job).success).toBe(false);
  });

  it('is the box’s fault when the daemon goes away in the middle', async ({ skip }) => {
    skip(noSandbox !== '', noSandbox);
    const token = `hotlap-lost-${process.pid}`;
    const job = box.job({ submission: hanging(token), timeoutS: 600, change: { sandbox: standIn } });
    await agent.start(job);
    await waitFor('the submission', () => listProcesses(token).length > 0);
    daemon.kill('SIGKILL');
    const { result } = await agent.follow(job.job_key);
    expect(result.outcome).toBe('box-error');
    expect(result.error).toMatchObject({ kind: 'sandbox-failed' });
    expect(result.error?.message).toContain('unexpected EOF');
  });
});

function pythonOf(code: string): string {
  return execFileSync(
    'python3',
    ['-c', `import sys\nsys.path.insert(0, ${JSON.stringify(RUNNER)})\n${code}`],
    {
      encoding: 'utf8',
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
    },
  );
}
