/** `problem run`: real processes, the real runner and sandbox, and nothing left behind. */
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { verbValue } from '../../src/domain/protocol.ts';
import { labSubmissions, writeLabProblems } from '../support/lab-problems.ts';
import { runOnTerminal, runProgram, startProgram } from '../support/program.ts';
import { archiveOf, BASELINE, forkArchive, ServingGround } from '../support/serving.ts';
import { listProcesses, TestBox } from './runner-client.ts';

let scratch: string;
/** Where the runs put their own folders. */
let temporary: string;
let lab: string;
/** No set names it. */
let impatient: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'hotlap-run-'));
  await chmod(scratch, 0o755);
  temporary = join(scratch, 'tmp');
  await mkdir(temporary);
  const problems = join(scratch, 'problems');
  await cp('problems/harness', join(problems, 'harness'), { recursive: true });
  await cp('problems/starter/eval.py', join(problems, 'starter/eval.py'));
  await writeLabProblems(problems);
  lab = join(problems, 'lab/doubling');
  // The same problem in a hurry: benchmarks of an instant, and a limit that is worth waiting for.
  const task = await readFile(join(lab, 'task.yml'), 'utf8');
  await writeFile(
    join(lab, 'task.yml'),
    task.replace('20000', '20').replace('40000', '40').replace('test_timeout: 6', 'test_timeout: 20'),
  );
  impatient = join(problems, 'impatient');
  await cp(lab, impatient, { recursive: true });
  const lone = task.replaceAll('../../', '../').replace('test_timeout: 6', 'test_timeout: 2');
  await writeFile(join(impatient, 'task.yml'), lone);
  for (const [name, text] of Object.entries(labSubmissions))
    await writeFile(join(scratch, `${name}.py`), text);
});
afterAll(() => rm(scratch, { recursive: true, force: true }));
afterEach(async () => {
  expect(await readdir(temporary)).toEqual([]);
  expect(listProcesses(temporary)).toEqual([]);
});

const env = () => ({ TMPDIR: temporary });
const run = (name: string, args: string[] = [], dir = lab) =>
  runProgram(['problem', 'run', dir, join(scratch, `${name}.py`), ...args], { env: env() });

describe('problem run', () => {
  it('runs a ranked submission in public and in secret, and reports both', async () => {
    const { code, stdout, stderr } = await run('good');
    expect({ code, stdout, stderr }).toMatchObject({ code: 0 });
    expect(stdout).toMatch(/^lab: good\.py, ranked, on CPU\n.*Python 3\.\d+.*, sandbox \w+, limits /);
    expect(stdout).toMatch(/\n\nPublic run\n {2}test: passed after .*\n {4}pass {2}size: 8; seed: 1\n/);
    expect(stdout).toMatch(
      /\n {2}leaderboard: passed after [\d.]+ s\n {4}[\d.]+ .s ± .* size: 20; seed: 3\n/,
    );
    expect(stdout).toMatch(/\n\nSecret run, seed \d+\. Participants read of it only whether it passed/);
    expect(stdout).toMatch(/\n\nPassed: public score [\d.]+ .s, secret score [\d.]+ .s\.\n$/);
    expect(
      stderr
        .trim()
        .split('\n')
        .map((line) => line.replace(/[\d.]+ s$/, 'N s')),
    ).toEqual(
      ['public', 'secret'].flatMap((which) =>
        ['test', 'benchmark', 'leaderboard'].map((stage) => `${which} run, ${stage}: passed after N s`),
      ),
    );
  });

  it('answers --json with one object and nothing else', async () => {
    const { code, stdout } = await run('publicOnly', ['--json', '--gpu', 'cpu']);
    expect(code).toBe(1);
    const report = JSON.parse(stdout) as Record<string, unknown>;
    expect(report).toMatchObject({
      passed: false,
      leaderboard: 'lab',
      directory: 'lab/doubling',
      file: 'publicOnly.py',
      mode: 'leaderboard',
      gpu: 'CPU',
      publicScore: expect.any(Number),
      secretScore: null,
      failure: { kind: 'wrong', stage: 'test' },
      runs: [
        { secret: false, seed: null, passed: true, stages: [{ name: 'test' }, {}, { passed: true }] },
        { secret: true, seed: expect.any(Number), passed: false, stages: [{ name: 'test', exitCode: 112 }] },
      ],
    });
  });

  it('reports what is wrong with the ones that fail, and ends with 1', async () => {
    const expected = {
      wrong: [
        'FAIL  size: 8; seed: 1\n          not the doubles',
        'Failed: wrong result (test). Test 1 of 2 failed',
      ],
      crashing: ['Error output:\n    Traceback', 'Failed: crashed (test). ValueError: no idea how\n'],
      dying: ['Fatal Python error', 'Failed: crashed (test). ChildProcessError: the process that runs'],
      syntax: ['Failed: does not compile (test). SyntaxError'],
    };
    // At once: runs do not get into each other's way.
    const ends = Object.entries(expected).map(async ([name, said]) => {
      const { code, stdout } = await run(name, ['--mode', 'test']);
      expect(code, stdout).toBe(1);
      for (const text of said) expect(stdout).toContain(text);
    });
    await Promise.all(ends);
  });

  it('ends one that hangs at the limit, and starts no secret run behind it', async () => {
    const { code, stdout } = await run('hanging', [], impatient);
    expect(code).toBe(1);
    expect(stdout).toContain('Secret run: not started');
    expect(stdout).toMatch(/\nFailed: timed out \(test\)\. Stopped after the limit of 2 s\./);
  });

  it('draws one changing line on a terminal, and strangers’ output moves nothing', async () => {
    const loud = 'def custom_kernel(data):\n    print("\\x1b[2J\\x07up", flush=True)\n    return []\n';
    await writeFile(join(scratch, 'loud.py'), loud);
    const args = ['problem', 'run', lab, join(scratch, 'loud.py'), '--mode', 'test'];
    const { code, stdout } = await runOnTerminal(args, { env: { ...env(), TERM: 'xterm', NO_COLOR: '1' } });
    expect(code).toBe(1);
    expect(stdout).toMatch(/run, test: 1 of 2 \(\d+ s of at most 20 s\)/);
    expect(stdout).toContain('\ufffdup');
    expect(stdout).not.toContain('\u001b[2J');
    expect(stdout.replaceAll('\r\u001b[2K', '')).not.toContain('\u001b');
  });

  it('ends the job on Ctrl-C and leaves nothing behind', async () => {
    const program = startProgram(
      ['problem', 'run', lab, join(scratch, 'hanging.py'), '--mode', 'benchmark', '--json'],
      { env: env() },
    );
    const deadline = Date.now() + 30_000;
    while (!listProcesses(temporary).some((line) => line.includes('launcher.py')) && Date.now() < deadline) {
      await new Promise((done) => setTimeout(done, 50));
    }
    program.child.kill('SIGINT');
    const { code, stdout, stderr } = await program.ended;
    expect(code).toBe(130);
    expect(stderr).toContain('interrupted: the job was ended, and nothing of it is left');
    expect(JSON.parse(stdout)).toEqual({ error: { text: 'interrupted', next: '' } });
  });
});

describe('problem run, where nothing can be said about the submission', () => {
  it.each([
    [
      'a GPU type that the problem does not have',
      ['--gpu', 'H100', '--json'],
      /`lab` does not run on `H100`.*\n.*CPU/,
    ],
    ['an unknown mode', ['--mode', 'race'], /--mode race: there is no such mode/],
  ])('refuses %s', async (_, args, said) => {
    const { code, stdout, stderr } = await run('good', args);
    expect(code).toBe(2);
    expect(stderr).toMatch(said);
    if (args.includes('--json'))
      expect(JSON.parse(stdout)).toMatchObject({ error: { next: 'It runs on: CPU.' } });
    else expect(stdout).toBe('');
  });

  it('refuses a file that is missing, empty or for another leaderboard', async () => {
    await writeFile(join(scratch, 'empty.py'), '');
    await writeFile(join(scratch, 'other.py'), `#!POPCORN leaderboard elsewhere\n${labSubmissions.good}`);
    const [missing, empty, other] = await Promise.all([run('missing'), run('empty'), run('other')]);
    expect([missing.code, empty.code, other.code]).toEqual([2, 2, 2]);
    expect(missing.stderr).toContain('missing.py cannot be read (ENOENT)');
    expect(empty.stderr).toContain('`empty.py` is empty.');
    expect(other.stderr).toContain('other.py is for the leaderboard elsewhere');
  });

  it('shows the faults of a problem that cannot be loaded', async () => {
    const broken = join(scratch, 'broken');
    await mkdir(broken);
    await writeFile(join(broken, 'task.yml'), 'lang: py\ndescription: 5\n');
    const { code, stdout, stderr } = await run('good', [], broken);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^fault {2}.*broken\/task\.yml:2\n {2}description: must be/);
    expect(stderr).toContain('error  The problem has faults');
  });

  it('says so when this machine is to blame', async () => {
    const { code, stderr } = await runProgram(['problem', 'run', lab, join(scratch, 'good.py')], {
      env: { ...env(), PATH: temporary },
    });
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /error {2}This machine could not do the work, the code is not to blame: .*\(no-python\)\n/,
    );
    expect(stderr).toContain('to do: Install Python 3.9 or newer');
  });

  it('serves a model from an archive, and says what was measured in its unit', async () => {
    const ground = new ServingGround(await jobPython());
    try {
      const dir = join(scratch, 'problems/tiny');
      await mkdir(dir, { recursive: true });
      await writeFile(join(dir, 'task.yml'), modelTask(ground));
      await writeFile(join(scratch, 'fork.tar.gz'), forkArchive('faster'));
      const served = (args: string[]) =>
        runProgram(['problem', 'run', dir, join(scratch, 'fork.tar.gz'), ...args], { env: env() });
      const { code, stdout } = await served(['--mode', 'benchmark']);
      expect([code, stdout]).toEqual([0, expect.stringMatching(/requests +[\d.]+ req\/s/)]);
      expect(stdout).toContain('The perplexity 1.659 is 0.00%');
      expect(stdout).toMatch(/install: passed in [\d.]+ s of 600 s, overlay/);
      await writeFile(join(scratch, 'fork.tar.gz'), archiveOf({ 'a.py': '' }, 'vllm'));
      const bare = await served(['--mode', 'test']);
      expect([bare.code, bare.stderr]).toEqual([2, expect.stringContaining('`vllm-fork/vllm/`')]);
    } finally {
      ground.close();
    }
  });
});

/** The Python that jobs run with here. */
async function jobPython(): Promise<string> {
  const box = new TestBox();
  const probe = verbValue.probe.parse(box.cli('probe', [])[0]);
  await box.close();
  return probe.python_path;
}

function modelTask(ground: ServingGround): string {
  return `lang: model
description: Serve it.
gpus: ["CPU"]
score_ascending: false
config:
  model_name: ${ground.model}
  tensor_parallel: 1
  benchmark_shapes: [{num_prompts: 6, input_len: 8, output_len: 8}]
  ranking_metric: request_throughput
  perplexity_baseline: ${BASELINE}
  perplexity_tolerance: 0.02
  engine: {python: ${ground.python}}
`;
}
