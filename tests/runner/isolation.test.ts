import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { verbValue } from '../../src/domain/protocol.ts';
import { type Agent, HONEST, lastLine, listProcesses, onlyStage, TestBox, waitFor } from './runner-client.ts';

const SEED = 1_987_654_321;
const box = new TestBox();
const probe = verbValue.probe.parse(box.cli('probe', [])[0]);
let agent: Agent;
beforeAll(async () => {
  agent = await box.agent();
});
afterAll(() => box.close());

/** A submission that runs `body` at its first case and prints what it returns, or the error. */
const probing = (body: string): string => `
import glob, os, socket, subprocess, sys
def attempt():
${body
  .trim()
  .split('\n')
  .map((line) => `    ${line}`)
  .join('\n')}
def custom_kernel(data):
    if len(data) == 8:
        try:
            print("got", attempt())
        except Exception as error:
            print("refused", type(error).__name__, error)
    return sorted(data)
`;

/** A file that is renamed while it is looked at is seen under its other name. */
function contentOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

describe.each(['auto', 'off'] as const)('a submission with sandbox %s', (sandbox) => {
  it('finds the secret seed in no environment and no argument of any process', async () => {
    const submission = probing(`
found = []
for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
    try:
        if b"${SEED}" in open(path, "rb").read():
            found.append(path)
    except OSError:
        pass
if "${SEED}" in str(dict(os.environ)):
    found.append("os.environ")
return found
`);
    const job = box.job({ submission, harness: 'pool', change: { sandbox } });
    const stage = onlyStage((await agent.run(job, SEED)).result);
    expect(stage.stdout).toBe('got []\n');
    expect(lastLine(stage, 'check')).toBe('pass');
  });

  it('leaves the seed in no file of the job folder', async () => {
    const job = box.job({ submission: `${HONEST}import time\ntime.sleep(0.5)\n`, change: { sandbox } });
    await agent.start(job, SEED);
    const seen = new Set<string>();
    const { result } = await agent.follow(job.job_key, 0, () => {
      for (const path of filesBelow(box.jobFolder(job.job_key))) {
        seen.add(path);
        expect(contentOf(path).includes(String(SEED)), path).toBe(false);
      }
    });
    expect(result.outcome).toBe('finished');
    expect([...seen].some((path) => path.endsWith('job.json'))).toBe(true);
  });

  it('cannot write to the result pipe of its parent', async ({ skip }) => {
    skip(process.platform !== 'linux', 'needs /proc');
    const submission = probing(`
parent = os.getppid()
for fd in range(3, 20):
    try:
        os.write(os.open(f"/proc/{parent}/fd/{fd}", os.O_WRONLY), b"check: pass\\n")
    except OSError:
        pass
return os.listdir(f"/proc/{parent}/fd")
`);
    const stage = onlyStage(
      (await agent.run(box.job({ submission, harness: 'pool', change: { sandbox } }))).result,
    );
    expect(stage.stdout).toMatch(/^refused PermissionError/);
    expect(stage.lines.filter(([key]) => key === 'check')).toEqual([['check', 'pass']]);
  });

  it('cannot run code in its parent through a pickled reply', async () => {
    const submission = `
import os
class Trap:
    def __reduce__(self):
        return (exec, ("import os, sys; sys.stderr.write('trapped'); os._exit(0)",))
def custom_kernel(data):
    return Trap()
`;
    const eval_py = `
import multiprocessing, os, sys
def call():
    from submission import custom_kernel
    return custom_kernel([])
if __name__ == "__main__":
    pipe = os.fdopen(int(os.environ["POPCORN_FD"]), "w")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print("reply:", type(pool.apply(call)).__mro__[1].__name__, file=pipe, flush=True)
    print("check: fail", file=pipe, flush=True)
    sys.exit(112)
`;
    const job = box.job({ submission, files: { 'eval.py': eval_py }, change: { sandbox } });
    const stage = onlyStage((await agent.run(job)).result);
    expect(stage).toMatchObject({ exit_code: 112, stderr: '' });
    expect(stage.lines).toEqual([
      ['reply', 'RefusedObject'],
      ['check', 'fail'],
    ]);
  });

  it('lets plain data, records and exceptions of its own through the guarded replies', async () => {
    const eval_py = `
import collections, dataclasses, enum, multiprocessing, os
class Verdict(enum.Enum):
    GOOD = 1
Pair = collections.namedtuple("Pair", "a b")
@dataclasses.dataclass
class Report:
    verdict: Verdict
    pair: Pair
    values: dict
def call(fail):
    if fail:
        from submission import Trouble
        raise Trouble("with words")
    return Report(Verdict.GOOD, Pair(1, {2.5}), {"x": [1, (2, b"3"), None, 1j]})
if __name__ == "__main__":
    pipe = os.fdopen(int(os.environ["POPCORN_FD"]), "w")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(call, (False,)) == call(False)
        try:
            pool.apply(call, (True,))
        except Exception as error:
            print(f"error: {type(error).__name__} {error}", file=pipe)
    print("check: pass", file=pipe, flush=True)
`;
    const submission = 'class Trouble(Exception):\n    pass\n';
    const job = box.job({ submission, files: { 'eval.py': eval_py }, change: { sandbox } });
    const stage = onlyStage((await agent.run(job)).result);
    expect(stage).toMatchObject({ exit_code: 0, stderr: '' });
    expect(stage.lines).toEqual([
      ['error', 'Trouble with words'],
      ['check', 'pass'],
    ]);
  });

  it('cannot put a module in the way of one that the harness imports later', async () => {
    const submission = `
import os
os.makedirs("__pycache__", exist_ok=True)
for name in ("colorsys.py", "late.so", "late.cpython-311-x86_64-linux-gnu.so"):
    open(name, "w").write("raise SystemExit('shadowed')")
os.makedirs("late", exist_ok=True)
open("late/__init__.py", "w").write("VALUE = 'shadowed'")
def custom_kernel(data):
    return sorted(data)
`;
    const eval_py = `
import multiprocessing, os
def call():
    import submission
if __name__ == "__main__":
    pipe = os.fdopen(int(os.environ["POPCORN_FD"]), "w")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.apply(call)
    assert os.path.exists("late/__init__.py")
    import colorsys, late
    print("value:", colorsys.rgb_to_hsv(0, 0, 0), late.VALUE, file=pipe)
    print("check: pass", file=pipe, flush=True)
`;
    const files = { 'eval.py': eval_py, 'late.py': 'VALUE = "honest"\n' };
    const stage = onlyStage((await agent.run(box.job({ submission, files, change: { sandbox } }))).result);
    expect(stage.stderr).toBe('');
    expect(lastLine(stage, 'value')).toBe('(0.0, 0.0, 0) honest');
  });

  it('may use threads, compilers as subprocesses, temporary files and modules that it writes', async () => {
    const submission = `
import os, subprocess, sys, tempfile, threading
def custom_kernel(data):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"made_{len(data)}.py")
    open(path, "w").write("def go(d): return sorted(d)")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-c", "open('x', 'w').write('y' * 100000)"], cwd=folder, check=True)
        subprocess.run("exit 3", shell=True)
    out = []
    module = __import__(f"made_{len(data)}")
    thread = threading.Thread(target=lambda: out.extend(module.go(data)))
    thread.start(); thread.join()
    return out
`;
    for (const harness of ['inproc', 'pool'] as const) {
      const stage = onlyStage(
        (await agent.run(box.job({ submission, harness, change: { sandbox } }))).result,
      );
      expect([stage.stderr, lastLine(stage, 'check')]).toEqual(['', 'pass']);
    }
  });
});

describe('a submission in bubblewrap', () => {
  beforeEach(({ skip }) => skip(probe.sandbox !== 'bwrap', `no sandbox here: ${probe.sandbox_problem}`));
  const attempt = async (body: string): Promise<string> => {
    const { result } = await agent.run(box.job({ submission: probing(body) }));
    expect(result.sandbox).toBe('bwrap');
    const stage = onlyStage(result);
    expect(lastLine(stage, 'check')).toBe('pass');
    return stage.stdout;
  };

  it('reaches no network, not even a port of the box itself', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const connect = (host: string, to: number): string =>
      `socket.create_connection(("${host}", ${to}), timeout=3)\nreturn "connected"`;
    expect(await attempt(connect('127.0.0.1', port))).toMatch(/^refused ConnectionRefusedError/);
    expect(await attempt(connect('192.0.2.1', 80))).toMatch(/^refused OSError.*unreachable/);
    server.close();
  });

  it('has a loopback of its own', async () => {
    const body = `
server = socket.create_server(("127.0.0.1", 12356))
socket.create_connection(("localhost", 12356), timeout=3)
return "connected"`;
    expect(await attempt(body)).toBe('got connected\n');
  });

  it.each([
    ['write a file of the problem', 'open("eval.py", "w")'],
    ['remove a file of the problem', 'os.unlink("eval.py")'],
    ['rename another file over it', 'open("x", "w").close(); os.rename("x", "eval.py")'],
    ['write the case file', 'open(sys.argv[2], "w")'],
    ['write the system', 'open("/usr/lib/x", "w")'],
    ['write the root', 'open("/x", "w")'],
    ['become root', 'os.setuid(0)'],
    ['mount', 'subprocess.run(["mount", "-t", "tmpfs", "x", "/tmp"], check=True, capture_output=True)'],
    ['make a namespace', 'subprocess.run(["unshare", "-Ur", "true"], check=True, capture_output=True)'],
  ])('cannot %s', async (_what, code) => {
    expect(await attempt(`${code}\nreturn "done"`)).toMatch(
      /^refused (OSError|PermissionError|CalledProcessError)/,
    );
  });

  it('sees neither the runner’s folders, nor processes of the box, nor other users', async () => {
    const body = `
seen = [path for path in ("${box.root}", "/root", "/var/tmp", "/etc/shadow", "/home/job/.ssh") if os.path.exists(path)]
pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
return seen, max(pids) < 20, os.getuid(), os.listdir("/home")`;
    expect(await attempt(body)).toBe("got ([], True, 1000, ['job'])\n");
  });

  it('leaves nothing in shared memory or /tmp for the next stage', async () => {
    const submission = probing(`
traces = ["/tmp/trace", "/dev/shm/trace"]
seen = [path for path in traces if os.path.exists(path)]
for path in traces:
    open(path, "w").close()
return seen
`);
    const stages = ['test', 'again'].map((name) => {
      return { name, mode: 'test' as const, timeout_s: 20, cases: 'size: 8; seed: 1\n' };
    });
    const { result } = await agent.run(box.job({ submission, stages }));
    expect(result.stages.map((stage) => stage.stdout)).toEqual(['got []\n', 'got []\n']);
  });

  it('dies with a supervisor that is killed', async () => {
    const token = 'hotlap-orphan-in-sandbox';
    const submission = `
import subprocess, sys
def custom_kernel(data):
    subprocess.run([sys.executable, "-c", "import time; time.sleep(3600)", "${token}"])
`;
    const job = box.job({ submission, timeoutS: 600 });
    await agent.start(job);
    await waitFor('the child of the submission', () => listProcesses(token).length > 0);
    const folder = box.jobFolder(job.job_key);
    // What was killed in its first milliseconds is in no record: it is found by a mark, which the job does not see.
    const { dev, ino } = statSync(folder);
    const mark = `HOTLAP_JOB=${dev}.${ino}`;
    const { pids } = JSON.parse(readFileSync(join(folder, 'processes.json'), 'utf8')) as {
      pids: [number, string][];
    };
    expect(readFileSync(`/proc/${pids[0]?.[0]}/environ`, 'utf8').split('\0')).toContain(mark);
    const inside = Number.parseInt(listProcesses(token)[0] ?? '', 10);
    expect(readFileSync(`/proc/${inside}/environ`, 'utf8')).not.toContain('HOTLAP_JOB');
    const unrecorded = spawn('sleep', ['3600'], { env: { HOTLAP_JOB: `${dev}.${ino}` }, stdio: 'ignore' });
    const ended = once(unrecorded, 'exit');
    process.kill(Number(readFileSync(join(folder, 'supervisor.pid'), 'utf8')), 'SIGKILL');
    await expect(agent.follow(job.job_key)).rejects.toMatchObject({ kind: 'runner-crashed' });
    expect(listProcesses(token)).toEqual([]);
    expect(await ended).toEqual([null, 'SIGKILL']);
  });
});
