/** Tasks in CUDA C++, built by a stand-in for nvcc, and by the real one where there is one. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readOutcome } from '../../src/domain/outcome.ts';
import type { JobSpec } from '../../src/domain/protocol.ts';
import { Toolkit } from '../support/toolkit.ts';
import { type Agent, lastLine, onlyStage, TestBox, TWO_CASES } from './runner-client.ts';

const fixture = (name: string) => readFileSync(join(import.meta.dirname, '../fixtures/cuda', name), 'utf8');
const has = (program: string) => {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** An evaluation program for the stand-in: it tells what it sees, and passes. */
const SPY = `#include "more.h"
//py import json, os, sys
//py def main():
//py     with os.fdopen(int(os.environ["POPCORN_FD"]), "w") as out:
//py         sent = open(sys.argv[2]).read().splitlines()
//py         kind = "test" if sys.argv[1] == "test" else "benchmark"
//py         print(f"{kind}-count: {len(sent)}", file=out)
//py         for i, line in enumerate(sent):
//py             print(f"{kind}.{i}.spec: {line}\\n{kind}.{i}.status: pass", file=out)
//py             if kind == "benchmark":
//py                 print(f"{kind}.{i}.runs: 1\\n{kind}.{i}.mean: 1000", file=out)
//py         print("check: pass", file=out)
//py     print(json.dumps({"argv": sys.argv, "files": sorted(os.listdir(".")), "defines": DEFINES,
//py         "seed": os.environ.get("POPCORN_SEED"), "launch": os.environ.get("HOTLAP_LAUNCH_FD"), "more": MORE,
//py         "result": custom_kernel(3)}))
`;
const SUBMISSION = '//py def custom_kernel(data):\n//py     return data * 2\n';

const stages = (...modes: JobSpec['stages'][number]['mode'][]) =>
  modes.map((mode) => ({ name: mode, mode, timeout_s: 20, cases: TWO_CASES }));

function cudaJob(box: TestBox, change: Partial<JobSpec>, build: Partial<NonNullable<JobSpec['build']>> = {}) {
  return box.job({
    submission: '',
    change: {
      lang: 'cu',
      main: 'eval.out',
      files: {
        'eval.cu': SPY,
        'lib/more.h': '//py MORE = "included"\n',
        'submission.cu': SUBMISSION,
        'data.txt': '7',
      },
      build: {
        sources: ['eval.cu', 'submission.cu'],
        include_dirs: ['lib'],
        defines: { TILE: '64', FAST: null },
        flags: ['-lineinfo'],
        libraries: ['cublas'],
        arch: '90a',
        timeout_s: 60,
        ...build,
      },
      ...change,
    },
  });
}

const withSubmission = (text: string): Partial<JobSpec> => ({
  files: { 'eval.cu': SPY, 'lib/more.h': '//py MORE = 1\n', 'submission.cu': text },
});

describe.each(['auto', 'off'] as const)('a task in CUDA C++ with sandbox %s', (sandbox) => {
  const toolkit = new Toolkit(['nvcc']);
  let box: TestBox;
  let agent: Agent;
  beforeAll(async () => {
    box = new TestBox(undefined, toolkit.bin);
    agent = await box.agent();
  });
  afterAll(async () => {
    await box.close();
    toolkit.remove();
  });

  it('is built once, and what is built runs in every stage without its sources', async () => {
    const job = cudaJob(box, { sandbox, stages: stages('test', 'benchmark', 'leaderboard') });
    const { result, events } = await agent.run(job, 4711);
    expect(result).toMatchObject({ outcome: 'finished', error: null });
    expect(readOutcome(result, job.stages)).toMatchObject({ passed: true, failure: null });
    const [first, ...later] = result.stages;
    expect(first?.build).toMatchObject({ exit_code: 0, timed_out: false });
    expect(first?.build?.command).toMatch(
      /^nvcc -std=c\+\+20 -O3 -DNDEBUG --extended-lambda --expt-relaxed-constexpr -Xptxas=-v -Xnvlink=-v -lineinfo -Ilib -DTILE=64 -DFAST -gencode=arch=compute_90a,code=sm_90a eval.cu submission.cu -lcublas -o \S+\/eval.out$/,
    );
    expect(first?.build?.stderr).toContain('ptxas info');
    // The compiler saw neither the secret seed nor the cases.
    expect(first?.build?.stdout).toContain('in sight: [False, False]');
    expect(later.map((stage) => stage.build)).toEqual([null, null]);
    for (const stage of result.stages) {
      const seen = JSON.parse(stage.stdout) as Record<string, unknown>;
      expect(seen).toMatchObject({ more: 'included', result: 6, seed: '4711', launch: null });
      expect(seen.defines).toEqual({ NDEBUG: '', TILE: '64', FAST: '' });
      expect(seen.files).toEqual(['data.txt', 'lib']);
      expect(seen.argv).toEqual([expect.stringMatching(/eval\.out$/), stage.mode, expect.any(String)]);
    }
    const states = events.flatMap((event) => (event.type === 'stage' ? [event.state] : []));
    expect(states).toEqual(['building', 'running', 'finished', 'running', 'finished', 'running', 'finished']);
  });

  it('that does not compile is told by the compiler’s own words, and nothing of it runs', async () => {
    const job = cudaJob(box, {
      sandbox,
      stages: stages('test', 'benchmark'),
      ...withSubmission('int a;\n#error identifier "foo" is undefined\n'),
    });
    const { result } = await agent.run(job);
    const stage = onlyStage(result);
    expect(stage).toMatchObject({ exit_code: null, lines: [], build: { exit_code: 2 } });
    const outcome = readOutcome(result, job.stages);
    expect(outcome.failure).toMatchObject({
      kind: 'syntax',
      summary: 'submission.cu(2): error: identifier "foo" is undefined',
    });
    expect(outcome.failure?.detail).toContain('1 error detected');
    expect(outcome.stages[0]?.compilation).toMatchObject({ success: false, exitCode: 2 });
  });

  it('cannot include what is not its own', async () => {
    for (const path of ['/etc/shadow', '../../own/cases.txt', box.archive]) {
      const job = cudaJob(box, { sandbox: 'auto', ...withSubmission(`#include "${path}"\n`) });
      const { result } = await agent.run(job);
      expect(onlyStage(result).build?.exit_code, path).not.toBe(0);
    }
  });

  it('that takes for ever to compile is stopped', async () => {
    const job = cudaJob(box, { sandbox, ...withSubmission('//hang\n') }, { timeout_s: 1 });
    const { result } = await agent.run(job);
    expect(onlyStage(result).build).toMatchObject({ timed_out: true, exit_code: 114 });
    expect(readOutcome(result, job.stages).failure).toMatchObject({
      kind: 'timeout',
      summary: 'Compiling took too long and was stopped.',
    });
  });

  it('that crashes is told by its signal', async () => {
    const crash = '//py def custom_kernel(data):\n//py     os.kill(os.getpid(), 11)\n';
    const job = cudaJob(box, { sandbox, ...withSubmission(crash) });
    const { result } = await agent.run(job);
    expect(onlyStage(result)).toMatchObject({ signal: 11, build: { exit_code: 0 } });
    expect(readOutcome(result, job.stages).failure?.kind).toBe('crash');
  });

  it('is built for the GPU that is there where its type tells no architecture', async () => {
    const { result } = await agent.run(cudaJob(box, { sandbox }, { arch: null, libraries: [] }));
    expect(onlyStage(result).build?.command).toContain(' -arch=native eval.cu submission.cu -o ');
  });

  it('that includes from where the machine has nothing, or nothing to show, fails by the machine', async () => {
    for (const folder of ['/opt/no-such-tiles/include', '/etc', '/', '/root']) {
      const { result } = await agent.run(cudaJob(box, { sandbox }, { include_dirs: ['lib', folder] }));
      expect(result).toMatchObject({ outcome: 'box-error', error: { kind: 'tool-missing' } });
      expect(result.error?.message).toContain(folder);
    }
    const { result } = await agent.run(cudaJob(box, { sandbox }, { include_dirs: ['lib', '/usr/share'] }));
    expect(onlyStage(result).build?.command).toContain('-I/usr/share');
  });
});

/** Of the host's compiler alone, so that neither a GPU nor its toolkit is needed to build it. */
const inCpp = {
  'eval.cu': fixture('eval.cu'),
  'task.h': fixture('task.h'),
  'submission.cu': fixture('submission.cu'),
};
const plain = { include_dirs: [], defines: {}, flags: [], libraries: [], timeout_s: 300 };

it('a task in C++ is built, tested and timed, and the compiler’s words reach its author', async (test) => {
  if (!has('g++')) test.skip('this machine has no g++');
  const toolkit = new Toolkit(['nvcc']);
  const box = new TestBox(undefined, toolkit.bin);
  try {
    const agent = await box.agent();
    const all = stages('test', 'benchmark', 'leaderboard');
    const { result } = await agent.run(cudaJob(box, { files: inCpp, stages: all }, plain), 12);
    expect(readOutcome(result, all)).toMatchObject({ passed: true, failure: null });
    expect(lastLine(result.stages[2] ?? onlyStage(result), 'benchmark.0.spec')).toBe('size: 20; seed: 2');

    const broken = { ...inCpp, 'submission.cu': inCpp['submission.cu'].replace('return copy', 'return cpy') };
    const failed = await agent.run(cudaJob(box, { files: broken }, plain));
    expect(readOutcome(failed.result, all).failure).toMatchObject({
      kind: 'syntax',
      summary: expect.stringMatching(/^submission\.cu:7:\d+: error: .*cpy.* was not declared/),
    });
  } finally {
    await box.close();
    toolkit.remove();
  }
});

it('a machine without nvcc says that it lacks it', async (test) => {
  if (has('nvcc')) test.skip('this machine has nvcc');
  const box = new TestBox();
  try {
    const agent = await box.agent();
    const { result } = await agent.run(cudaJob(box, {}));
    expect(result).toMatchObject({ outcome: 'box-error', error: { kind: 'tool-missing' }, stages: [] });
    expect(result.error?.message).toContain('nvcc is not installed');
  } finally {
    await box.close();
  }
});

it('the real nvcc builds a task that runs', async (test) => {
  if (!has('nvcc')) test.skip('this machine has no nvcc');
  const box = new TestBox();
  try {
    const agent = await box.agent();
    const modes = stages('test', 'leaderboard');
    const { result } = await agent.run(
      cudaJob(box, { files: inCpp, stages: modes }, { ...plain, arch: null }),
    );
    expect(readOutcome(result, modes)).toMatchObject({ passed: true, failure: null });
  } finally {
    await box.close();
  }
});
