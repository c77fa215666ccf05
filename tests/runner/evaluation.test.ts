import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Agent,
  HONEST,
  lastLine,
  listProcesses,
  onlyStage,
  TestBox,
  TWO_CASES,
} from './runner-client.ts';

const WRONG = 'def custom_kernel(data):\n    return data\n';
/** Stands for an evaluation program whose output matters byte by byte. */
const emitting = (body: string): Record<string, string> => ({
  'eval.py': `import os, sys, time\npipe = os.fdopen(int(os.environ["POPCORN_FD"]), "w")\n${body}\n`,
});

describe.each(['auto', 'off'] as const)('the runner with sandbox %s', (sandbox) => {
  let box: TestBox;
  let agent: Agent;
  beforeAll(async () => {
    box = new TestBox();
    agent = await box.agent();
  });
  afterAll(() => box.close());

  describe.each(['inproc', 'pool'] as const)('with a harness of kind %s', (harness) => {
    it('passes an honest submission through test, benchmark and leaderboard', async () => {
      const stages = (['test', 'benchmark', 'leaderboard'] as const).map((mode) => {
        return { name: mode, mode, timeout_s: 20, cases: TWO_CASES };
      });
      const { result, events } = await agent.run(
        box.job({ submission: HONEST, harness, stages, change: { sandbox } }),
      );
      expect(result).toMatchObject({ outcome: 'finished', error: null });
      expect(result.stages.map((stage) => [stage.name, stage.exit_code, lastLine(stage, 'check')])).toEqual([
        ['test', 0, 'pass'],
        ['benchmark', 0, 'pass'],
        ['leaderboard', 0, 'pass'],
      ]);
      expect(result.stages[0]?.lines.slice(0, 3)).toEqual([
        ['test-count', '2'],
        ['test.0.spec', 'size: 8; seed: 1'],
        ['test.0.status', 'pass'],
      ]);
      expect(Number(result.stages[2] && lastLine(result.stages[2], 'benchmark.1.mean'))).toBeGreaterThan(0);
      expect(events.map((event) => event.n)).toEqual(events.map((_, index) => index));
      expect(events[0]).toMatchObject({ type: 'started', sandbox: result.sandbox });
      expect(events.filter((event) => event.type === 'progress')).toHaveLength(6);
      expect(events.filter((event) => event.type === 'stage' && event.state === 'finished')).toMatchObject([
        { stage: 'test', passed: true },
        { stage: 'benchmark', passed: true },
        { stage: 'leaderboard', passed: true },
      ]);
      expect(events.at(-1)).toMatchObject({ type: 'finished', outcome: 'finished' });
    });

    it('ends the job at the first stage that does not pass', async () => {
      const stages = (['test', 'benchmark'] as const).map((mode) => {
        return { name: mode, mode, timeout_s: 20, cases: TWO_CASES };
      });
      const job = box.job({ submission: WRONG, harness, stages, change: { sandbox } });
      const { result, events } = await agent.run(job);
      const stage = onlyStage(result);
      expect(stage).toMatchObject({ exit_code: 112, worker_died: false, timed_out: false });
      expect(lastLine(stage, 'check')).toBe('fail');
      expect(lastLine(stage, 'test.1.error')).toBe('the list is not sorted');
      expect(events).toContainEqual(expect.objectContaining({ state: 'finished', passed: false }));
    });

    it('applies the secret seed', async () => {
      const spy = 'def custom_kernel(data):\n    print(len(data), data[0])\n    return sorted(data)\n';
      const open = await agent.run(box.job({ submission: spy, harness, change: { sandbox } }));
      const secret = await agent.run(box.job({ submission: spy, harness, change: { sandbox } }), 12345);
      expect(onlyStage(open.result).stdout).toMatch(/^8 \d+\n20 \d+\n$/);
      expect(onlyStage(secret.result).stdout).toMatch(/^8 \d+\n20 \d+\n$/);
      expect(onlyStage(secret.result).stdout).not.toBe(onlyStage(open.result).stdout);
      expect(lastLine(onlyStage(secret.result), 'test.0.spec')).toBe('size: 8; seed: 1');
    });

    it('reports a crash with its traceback and without frames of the launcher', async () => {
      const job = box.job({
        submission: 'def custom_kernel(data):\n    raise ValueError("no such luck")\n',
        harness,
        change: { sandbox },
      });
      const stage = onlyStage((await agent.run(job)).result);
      expect(stage).toMatchObject({ exit_code: 1, signal: null, worker_died: false });
      expect(stage.stderr).toContain('ValueError: no such luck');
      expect(stage.stderr).not.toContain('launcher.py');
    });
  });

  it.each([
    ['os._exit(3)', 3, null],
    ['os._exit(0)', 0, null],
    ['os.kill(os.getpid(), signal.SIGSEGV)', null, 11],
  ])('notices at once that a pool worker died of %s', async (death, exitCode, signal) => {
    const submission = `import os, signal\ndef custom_kernel(data):\n    ${death}\n`;
    const job = box.job({ submission, harness: 'pool', timeoutS: 600, change: { sandbox } });
    const stage = onlyStage((await agent.run(job)).result);
    expect(stage).toMatchObject({ worker_died: true, timed_out: false, exit_code: exitCode, signal });
    expect(stage.lines).toContainEqual(['test-count', '2']);
  });

  it('notices a worker’s death that the pool itself notices first', async () => {
    const eval_py = `
import multiprocessing, multiprocessing.pool, os
def die():
    os._exit(3)
if __name__ == "__main__":
    join = multiprocessing.pool.Pool._join_exited_workers
    def join_late(pool):
        # Where the pool looks for the dead and replaces them, one dies right now.
        pool[0].join()
        return join(pool)
    multiprocessing.pool.Pool._join_exited_workers = staticmethod(join_late)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.apply(die)
`;
    const job = box.job({
      submission: HONEST,
      files: { 'eval.py': eval_py },
      timeoutS: 60,
      change: { sandbox },
    });
    const stage = onlyStage((await agent.run(job)).result);
    expect(stage).toMatchObject({ worker_died: true, timed_out: false, exit_code: 3 });
  });

  it('takes workers that end on purpose for what they are', async () => {
    const eval_py = `
import multiprocessing, os
def half(x):
    return x / 2
if __name__ == "__main__":
    pipe = os.fdopen(int(os.environ["POPCORN_FD"]), "w")
    context = multiprocessing.get_context("spawn")
    for kind in ("terminated", "closed", "replaced", "forgotten"):
        pool = context.Pool(1, maxtasksperchild=1 if kind == "replaced" else None)
        assert [pool.apply(half, (i,)) for i in range(2)] == [0, 0.5]
        if kind == "terminated":
            pool.terminate()
        elif kind != "forgotten":
            pool.close()
            pool.join()
    print("check: pass", file=pipe, flush=True)
`;
    const job = box.job({ submission: HONEST, files: { 'eval.py': eval_py }, change: { sandbox } });
    const stage = onlyStage((await agent.run(job)).result);
    expect(stage).toMatchObject({ exit_code: 0, worker_died: false, lines: [['check', 'pass']] });
  });

  it('tells a crash by signal from an exit code', async () => {
    const submission =
      'import os, signal\ndef custom_kernel(data):\n    os.kill(os.getpid(), signal.SIGSEGV)\n';
    const stage = onlyStage((await agent.run(box.job({ submission, change: { sandbox } }))).result);
    expect(stage).toMatchObject({ exit_code: null, signal: 11, worker_died: false });
  });

  it('fails a stage that exits with 0 but says check: fail', async () => {
    const job = box.job({
      submission: HONEST,
      files: emitting('print("check: fail", file=pipe, flush=True)'),
      change: { sandbox },
    });
    const { result, events } = await agent.run(job);
    expect(onlyStage(result).exit_code).toBe(0);
    expect(events).toContainEqual(expect.objectContaining({ state: 'finished', passed: false }));
  });

  it('ends a hanging stage at its time limit and keeps the lines that came', async () => {
    const submission =
      'import time\ndef custom_kernel(data):\n    time.sleep(3600 if len(data) > 8 else 0)\n    return sorted(data)\n';
    const job = box.job({ submission, harness: 'pool', timeoutS: 2, change: { sandbox } });
    const stage = onlyStage((await agent.run(job)).result);
    expect(stage).toMatchObject({ timed_out: true, exit_code: 114, signal: null, worker_died: false });
    expect(stage.lines.map(([key]) => key)).toEqual([
      'test-count',
      'test.0.spec',
      'test.0.status',
      'test.1.spec',
    ]);
  });

  it('reads more from the result pipe than a pipe holds', async () => {
    const body =
      'for i in range(3000):\n    print(f"key.{i}: {\'x\' * 50}", file=pipe)\nprint("check: pass", file=pipe, flush=True)';
    const stage = onlyStage(
      (await agent.run(box.job({ submission: HONEST, files: emitting(body), change: { sandbox } }))).result,
    );
    expect(stage).toMatchObject({ exit_code: 0, overflow: false, malformed_lines: 0 });
    expect(stage.lines).toHaveLength(3001);
  });

  it('ends a stage that writes without end to the result pipe', async () => {
    const body = 'while True:\n    print("key: " + "x" * 1000, file=pipe, flush=True)';
    const job = box.job({ submission: HONEST, files: emitting(body), timeoutS: 600, change: { sandbox } });
    const { result, events } = await agent.run(job);
    expect(onlyStage(result)).toMatchObject({ overflow: true, timed_out: false });
    expect(onlyStage(result).lines.length).toBeGreaterThan(900);
    expect(events).toContainEqual(expect.objectContaining({ state: 'finished', passed: false }));
  });

  it('keeps duplicates and their order, and counts what is no line of the protocol', async () => {
    const body =
      'pipe.write("a: 1\\n\\nno colon\\n b :2: 3 \\na: 4\\n: nameless\\ntail: kept"); pipe.flush()';
    const job = box.job({ submission: HONEST, files: emitting(body), change: { sandbox } });
    const stage = onlyStage((await agent.run(job)).result);
    expect(stage.lines).toEqual([
      ['a', '1'],
      ['b', '2: 3'],
      ['a', '4'],
      ['tail', 'kept'],
    ]);
    expect(stage.malformed_lines).toBe(2);
  });

  it('keeps the tail of an endless output and still ends at the limit', async () => {
    const body = 'while True:\n    sys.stdout.write("spam " * 2000)\n    sys.stderr.write("grim " * 2000)';
    const job = box.job({ submission: HONEST, files: emitting(body), timeoutS: 1.5, change: { sandbox } });
    const stage = onlyStage((await agent.run(job)).result);
    expect(stage.timed_out).toBe(true);
    expect([stage.stdout.length, stage.stderr.length]).toEqual([16_384, 16_384]);
    expect(stage.stdout).toMatch(/spam spam/);
  });

  it('is not held up by a child that keeps the outputs open, and leaves no daemon alive', async () => {
    const token = `hotlap-daemon-${sandbox}`;
    const submission = `
import os, subprocess, sys, time
def custom_kernel(data):
    if len(data) == 8:
        code = "import os, sys, time; os.setsid(); print(sys.argv); time.sleep(3600)"
        subprocess.Popen([sys.executable, "-c", code, "${token}"], close_fds=False, pass_fds=[int(os.environ["POPCORN_FD"])])
        time.sleep(0.2)
    return sorted(data)
`;
    const job = box.job({ submission, timeoutS: 600, change: { sandbox } });
    const stage = onlyStage((await agent.run(job)).result);
    expect(stage).toMatchObject({ exit_code: 0, timed_out: false });
    expect(stage.stdout).toContain(token);
    expect(listProcesses(token)).toEqual([]);
  });

  it('gives every stage a fresh directory and carries only the cache', async () => {
    const submission = `
import os
places = [".", os.environ["HOME"], os.environ["TMPDIR"], os.environ["TORCH_EXTENSIONS_DIR"]]
def custom_kernel(data):
    for place in places:
        os.makedirs(place, exist_ok=True)
        path = os.path.join(place, "trace")
        print(place == places[3], os.path.exists(path))
        open(path, "w").close()
    return sorted(data)
if __name__ == "__main__":
    custom_kernel([])
`;
    const stages = (['test', 'benchmark'] as const).map((mode) => {
      return { name: mode, mode, timeout_s: 20, cases: 'size: 3; seed: 1\n' };
    });
    const job = box.job({
      submission,
      stages,
      change: { sandbox, warmup: { file: 'submission.py', timeout_s: 20 } },
    });
    const { result, events } = await agent.run(job);
    expect(result.stages).toHaveLength(2);
    const fresh = ['False False', 'False False', 'False False'];
    expect(result.stages[0]?.warmup).toMatchObject({ exit_code: 0 });
    expect(result.stages[0]?.warmup?.stdout.trim().split('\n')).toEqual([...fresh, 'True False']);
    expect(result.stages[0]?.stdout.trim().split('\n').slice(0, 4)).toEqual([...fresh, 'True True']);
    expect(result.stages[1]?.stdout.trim().split('\n').slice(0, 4)).toEqual([...fresh, 'True True']);
    // One is enough: every later stage gets what it left.
    expect(result.stages[1]?.warmup).toBe(null);
    expect(events.filter((event) => event.type === 'stage' && event.state === 'warmup')).toHaveLength(1);
  });

  it('reports a warm-up that fails or hangs and goes on', async () => {
    const crash = `${HONEST}if __name__ == "__main__":\n    raise SystemExit("cold")\n`;
    const hang = `${HONEST}if __name__ == "__main__":\n    import time; time.sleep(3600)\n`;
    for (const [submission, expected] of [
      [crash, { exit_code: 1, stderr: 'cold\n' }],
      [hang, { exit_code: 114, timed_out: true }],
    ] as const) {
      const change = { sandbox, warmup: { file: 'submission.py', timeout_s: 1 } };
      const stage = onlyStage((await agent.run(box.job({ submission, change }))).result);
      expect(stage.warmup).toMatchObject(expected);
      expect(lastLine(stage, 'check')).toBe('pass');
    }
  });

  it('passes an allow-listed environment, the job’s own variables and the world size', async () => {
    const body =
      'import json\nprint(json.dumps(dict(os.environ)))\nprint("check: pass", file=pipe, flush=True)';
    const job = box.job({
      submission: HONEST,
      files: emitting(body),
      change: { sandbox, env: { CUDA_VISIBLE_DEVICES: '3' }, world_size: 4 },
    });
    const stage = onlyStage((await agent.run(job)).result);
    const env = JSON.parse(stage.stdout) as Record<string, string>;
    expect(env).toMatchObject({ CUDA_VISIBLE_DEVICES: '3', POPCORN_GPUS: '4', LANG: 'C.UTF-8' });
    expect(env).not.toHaveProperty('POPCORN_SEED');
    expect(env).not.toHaveProperty('HOTLAP_LAUNCH_FD');
    expect(env).not.toHaveProperty('VITEST');
  });
});
