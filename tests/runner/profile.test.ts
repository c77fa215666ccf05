/** Profile mode under stand-ins for the profilers of GPU machines, and without any. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { strFromU8, unzipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readOutcome } from '../../src/domain/outcome.ts';
import type { JobSpec, StageReport } from '../../src/domain/protocol.ts';
import { installFakeGpus } from '../support/fake-gpus.ts';
import { Toolkit } from '../support/toolkit.ts';
import { type Agent, HONEST, lastLine, onlyStage, TestBox } from './runner-client.ts';

/** An evaluation program that can profile: its report tells what it sees, and its trace lies beside the profiler's. */
const PROFILING = `
import base64, json, os, sys
from submission import custom_kernel
def main():
    if sys.argv[1] != "profile":
        return 2
    with os.fdopen(int(os.environ["POPCORN_FD"]), "w") as pipe:
        sent = open(sys.argv[2]).read().splitlines()
        print(f"benchmark-count: {len(sent)}\\nbenchmark.0.spec: {sent[0]}", file=pipe, flush=True)
        good = custom_kernel([2, 1]) == [1, 2]
        watched = os.environ.get("POPCORN_NCU") == "1"
        if not watched:
            print("benchmark.0.report:", base64.b64encode(b"by its own means???", b"+*").decode(), file=pipe)
        with open(os.path.join(os.environ["HOTLAP_PROFILE_DIR"], "own.json"), "w") as trace:
            json.dump({"watched": watched}, trace)
        print("check:", "pass" if good else "fail", file=pipe, flush=True)
    return 0 if good else 112
sys.exit(main())
`;
const CASES = ['size: 1; seed: 1\n', 'size: 2; seed: 1\n'];

const profileJob = (box: TestBox, submission: string, change: Partial<JobSpec> = {}): JobSpec =>
  box.job({
    submission,
    files: { 'eval.py': PROFILING },
    stages: CASES.slice(0, 1).map((cases, i) => ({
      name: `profile.${i}`,
      mode: 'profile',
      timeout_s: 30,
      cases,
    })),
    change,
  });

async function unzipped(agent: Agent, jobKey: string, report: StageReport): Promise<Record<string, string>> {
  const bytes: Buffer[] = [];
  for (let from = 0; from < (report.profile?.trace?.bytes ?? 0); ) {
    const { piece } = await agent.request('trace', { job_key: jobKey, stage: report.name, from });
    if (!piece) throw new Error('the recording is shorter than announced');
    bytes.push(Buffer.from(piece, 'base64'));
    from += Buffer.from(piece, 'base64').length;
  }
  const files = unzipSync(Buffer.concat(bytes));
  return Object.fromEntries(Object.entries(files).map(([name, data]) => [name, strFromU8(data)]));
}

describe('on a machine with ncu', () => {
  const toolkit = new Toolkit(['ncu', 'nvcc']);
  let box: TestBox;
  let agent: Agent;
  beforeAll(async () => {
    await installFakeGpus(toolkit.bin, [{}]);
    box = new TestBox(undefined, toolkit.bin);
    agent = await box.agent();
  });
  afterAll(async () => {
    await box.close();
    toolkit.remove();
  });

  it.each(['auto', 'off'] as const)(
    'each benchmark is recorded in a call of its own, with sandbox %s, and can be fetched',
    async (sandbox) => {
      const stages = CASES.map((cases, i) => ({
        name: `profile.${i}`,
        mode: 'profile' as const,
        timeout_s: 30,
        cases,
      }));
      const job = profileJob(box, HONEST, { sandbox, stages });
      const { result } = await agent.run(job);
      const outcome = readOutcome(result, job.stages);
      expect(outcome).toMatchObject({ passed: true, failure: null });
      expect(result.stages.map((stage) => lastLine(stage, 'benchmark.0.spec'))).toEqual([
        'size: 1; seed: 1',
        'size: 2; seed: 1',
      ]);
      for (const [index, report] of result.stages.entries()) {
        expect(report.profile).toMatchObject({ profiler: 'ncu', problem: null });
        const files = await unzipped(agent, job.job_key, report);
        expect(Object.keys(files).sort()).toEqual(['details.txt', 'own.json', 'profile.ncu-rep']);
        const called = JSON.parse(files['profile.ncu-rep'] ?? '') as { options: string[]; ncu: string };
        expect(called.ncu).toBe('1');
        expect(called.options.join(' ')).toMatch(
          /^--set full --target-processes all --nvtx --nvtx-include custom_kernel\/ --import-source 1 -c 10 -o \S+\/profile\.ncu-rep$/,
        );
        expect(files['own.json']).toBe('{"watched": true}');
        expect(files['details.txt']).toMatch(/^details of {"options"/);
        // The evaluation program wrote no report of its own.
        expect(outcome.stages[index]?.profiles[0]?.report).toBe(files['details.txt']);
        expect(outcome.stages[index]?.profile).toEqual({ profiler: 'ncu', problem: null });
      }
      const { piece } = await agent.request('trace', { job_key: job.job_key, stage: 'profile.7', from: 0 });
      expect(piece).toBe(null);
      await agent.request('forget', { job_key: job.job_key });
      expect(await agent.request('trace', { job_key: job.job_key, stage: 'profile.0', from: 0 })).toEqual({
        piece: null,
      });
    },
  );

  it.each([
    ['forbidden', 'ncu: ERR_NVGPUCTRPERM - The user does not have permission'],
    ['broken', 'ncu: cannot start'],
    ['silent', 'ncu recorded nothing'],
  ])(
    'a profiler that is %s is named, and the evaluation program profiles by itself',
    async (mood, problem) => {
      writeFileSync(join(toolkit.bin, 'mood'), mood);
      try {
        const job = profileJob(box, HONEST);
        const { result } = await agent.run(job);
        const report = onlyStage(result);
        expect(report.profile).toMatchObject({ profiler: '', problem: expect.stringContaining(problem) });
        expect(await unzipped(agent, job.job_key, report)).toEqual({ 'own.json': '{"watched": false}' });
        const outcome = readOutcome(result, job.stages);
        expect(outcome.passed).toBe(true);
        expect(outcome.stages[0]?.profiles[0]?.report).toBe('by its own means???');
      } finally {
        rmSync(join(toolkit.bin, 'mood'));
      }
    },
  );

  it('a wrong or crashing submission fails as in any other mode', async () => {
    for (const [code, kind] of [
      ['return []', 'wrong'],
      ['import os; os.kill(os.getpid(), 11)', 'crash'],
    ] as const) {
      const job = profileJob(box, `def custom_kernel(data):\n    ${code}\n`);
      const { result } = await agent.run(job);
      expect(readOutcome(result, job.stages).failure?.kind).toBe(kind);
    }
  });

  it('a program in CUDA C++ is profiled as well', async () => {
    const program = PROFILING.replace('from submission import custom_kernel', 'custom_kernel = sorted')
      .replace('sys.exit(main())', '')
      .trim()
      .split('\n')
      .map((line) => `//py ${line}`)
      .join('\n');
    const build = { sources: ['eval.cu'], include_dirs: [], defines: {}, flags: [], libraries: [] };
    const job = profileJob(box, '', {
      lang: 'cu',
      main: 'eval.out',
      files: { 'eval.cu': program },
      build: { ...build, arch: null, timeout_s: 30 },
    });
    const { result } = await agent.run(job);
    expect(onlyStage(result)).toMatchObject({ exit_code: 0, profile: { profiler: 'ncu', problem: null } });
    expect(Object.keys(await unzipped(agent, job.job_key, onlyStage(result)))).toContain('profile.ncu-rep');
  });
});

describe('a recording', () => {
  let box: TestBox;
  let agent: Agent;
  beforeAll(async () => {
    box = new TestBox();
    agent = await box.agent();
  });
  afterAll(() => box.close());

  const leaving = (code: string) =>
    `import os\nfolder = os.environ.get("HOTLAP_PROFILE_DIR")\ndef custom_kernel(data):\n${code.replaceAll(/^/gm, '    ')}\n    return sorted(data)\n`;

  it('holds ordinary files alone, wherever they lie, and nothing that a link leads to', async () => {
    const submission = leaving(`os.makedirs(folder + "/deep/er")
open(folder + "/deep/er/a.txt", "w").write("mine")
os.symlink("/etc/passwd", folder + "/passwd")
os.symlink("/etc", folder + "/etc")
os.mkfifo(folder + "/pipe")`);
    const job = profileJob(box, submission);
    const { result } = await agent.run(job);
    expect(onlyStage(result).profile).toMatchObject({ profiler: '', problem: null });
    expect(await unzipped(agent, job.job_key, onlyStage(result))).toEqual({
      'own.json': '{"watched": false}',
      'deep/er/a.txt': 'mine',
    });
  });

  it.each([
    ['too large', 'open(folder + "/big", "wb").write(os.urandom(30 << 20))'],
    ['too large before it is compressed', 'open(folder + "/sparse", "wb").truncate(1 << 30)'],
    ['taken away', 'os.rmdir(folder); open(folder, "w").close(); os.unlink(folder); os.mkdir(folder)'],
  ])('that is %s is left out, and the report still comes', async (kind, code) => {
    const job = profileJob(box, leaving(code));
    const { result } = await agent.run(job);
    const outcome = readOutcome(result, job.stages);
    expect(outcome.passed).toBe(true);
    expect(outcome.stages[0]?.profiles).toHaveLength(1);
    if (kind !== 'taken away') expect(onlyStage(result).profile?.trace).toBe(null);
  });

  it('cannot be asked for by a name that leads elsewhere', async () => {
    const job = profileJob(box, HONEST);
    await agent.run(job);
    for (const stage of ['../result', '.', '..', 'a/b', '', 7]) {
      await expect(agent.request('trace', { job_key: job.job_key, stage, from: 0 })).rejects.toMatchObject({
        kind: 'bad-request',
      });
    }
  });

  it('is not made of a harness that cannot profile, which says so', async () => {
    const job = profileJob(box, HONEST, {
      files: { 'eval.py': 'import sys\nsys.exit(2)\n', 'submission.py': HONEST },
    });
    const { result } = await agent.run(job);
    expect(readOutcome(result, job.stages).failure?.summary).toBe(
      'The evaluation program of this problem cannot profile (exit code 2).',
    );
  });
});

it('on a machine with rocprofv3 its traces and the compiled kernels are recorded', async () => {
  const toolkit = new Toolkit(['rocprofv3', 'rocm-smi']);
  const box = new TestBox(undefined, toolkit.bin);
  try {
    const agent = await box.agent();
    const job = profileJob(box, HONEST, { world_size: 8 });
    const { result } = await agent.run(job);
    expect(result.system).toMatchObject({ gpu: 'AMD Instinct MI300X', device_count: 1 });
    expect(onlyStage(result).profile).toMatchObject({ profiler: 'rocprofv3', problem: null });
    const files = await unzipped(agent, job.job_key, onlyStage(result));
    expect(Object.keys(files).sort()).toEqual([
      '_code_object0000.o',
      'own.json',
      'rocprofv3/host/profile_results.pftrace',
    ]);
    expect(files['rocprofv3/host/profile_results.pftrace']).toMatch(
      /^--hip-trace --kernel-trace --rccl-trace --marker-trace --memory-copy-trace --scratch-memory-trace --output-format pftrace csv -d \S+\/rocprofv3 -o profile$/,
    );
  } finally {
    await box.close();
    toolkit.remove();
  }
});
