/** What a job on a lane of its own sees of the machine: GPUs (those of a stand-in for the driver's tool), cores, memory. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobSpec, ProbeReport } from '../../src/domain/protocol.ts';
import { installFakeGpus, setFakeGpus } from '../support/fake-gpus.ts';
import { type Agent, HONEST, TestBox } from './runner-client.ts';

const LOOK = `import json, os
print(json.dumps({
    "cuda": os.environ.get("CUDA_VISIBLE_DEVICES"),
    "hip": os.environ.get("HIP_VISIBLE_DEVICES"),
    "count": os.environ.get("POPCORN_GPUS"),
    "cores": sorted(os.sched_getaffinity(0)),
}))
${HONEST}`;

let tools: string;
let box: TestBox;
let agent: Agent;
let probe: ProbeReport;

beforeAll(async () => {
  tools = mkdtempSync(join(tmpdir(), 'hotlap-gpus-'));
  // A job's user runs programs from it.
  chmodSync(tools, 0o755);
  await installFakeGpus(tools, [{}, { memoryUsedMib: 700 }]);
  box = new TestBox(undefined, tools);
  agent = await box.agent();
  probe = await agent.request('probe', {});
});

afterAll(async () => {
  await box.close();
  rmSync(tools, { recursive: true });
});

async function look(change: Partial<JobSpec>) {
  const { result } = await agent.run(box.job({ submission: LOOK, change }));
  const line = (result.stages[0]?.stdout ?? '').split('\n').find((text) => text.startsWith('{'));
  return {
    result,
    seen: JSON.parse(line ?? '{}') as {
      cuda: string | null;
      hip: string | null;
      count: string | null;
      cores: number[];
    },
  };
}

describe('the GPUs of a box', () => {
  it('are counted for a problem of several GPUs, whatever its cases want, and for no other', async () => {
    expect((await look({ world_size: 8 })).seen.count).toBe('2');
    expect((await look({})).seen.count).toBe(null);
  });

  it('are probed with what already lies in their memory', () => {
    expect(probe.gpus).toEqual([
      {
        index: 0,
        model: 'NVIDIA H100 80GB HBM3',
        memory_mib: 81_559,
        driver: '580.65.06',
        memory_used_mib: 4,
      },
      {
        index: 1,
        model: 'NVIDIA H100 80GB HBM3',
        memory_mib: 81_559,
        driver: '580.65.06',
        memory_used_mib: 700,
      },
    ]);
  });

  it('tell how they are, and who uses them', async () => {
    await setFakeGpus(tools, [
      {},
      {
        utilization: 97,
        memoryUsedMib: 30_500,
        process: { name: '/usr/bin/python3', pid: 1, memoryMib: 30_000 },
      },
    ]);
    const { gpus } = await agent.request('health', {});
    await setFakeGpus(tools, [{}, {}]);
    expect(gpus).toEqual([
      { index: 0, utilization_percent: 0, memory_used_mib: 4, temperature_c: 41, processes: [] },
      {
        index: 1,
        utilization_percent: 97,
        memory_used_mib: 30_500,
        temperature_c: 41,
        processes: ['python3 (pid 1, root, 30000 MiB)'],
      },
    ]);
  });
});

describe('a job', () => {
  it('sees the GPU of its lane, by the name that no order changes', async () => {
    const { result, seen } = await look({ gpus: [1] });
    expect(seen.cuda).toBe(`GPU-${'1'.padStart(32, '0')}`);
    expect(result.system).toMatchObject({ gpu: 'NVIDIA H100 80GB HBM3', device_count: 1 });
  });

  it('sees all GPUs where it has the box to itself, and none where it needs none', async () => {
    const whole = await look({});
    expect(whole.seen.cuda).toBe(null);
    expect(whole.result.system.device_count).toBe(2);
    const none = await look({ gpus: [] });
    expect(none.seen).toMatchObject({ cuda: '', hip: '' });
    expect(none.result.system).toMatchObject({ gpu: '', device_count: 0 });
  });

  it('fails as the box’s fault when its GPU is gone', async () => {
    const { result } = await agent.run(box.job({ submission: LOOK, change: { gpus: [5] } }));
    expect(result).toMatchObject({ outcome: 'box-error', error: { kind: 'runner-crashed' } });
    expect(result.error?.message).toContain('GPU 5 is not there');
  });

  it('runs on cores of its own where the box has several lanes and cores enough', async () => {
    const cores = availableParallelism();
    const all = (await look({})).seen.cores;
    const lanes = await Promise.all([0, 1].map((slot) => look({ lane: { slot, of: 2 } })));
    const [first = [], second = []] = lanes.map((lane) => lane.seen.cores);
    if (cores < 2) {
      expect([first, second]).toEqual([all, all]);
      return;
    }
    expect(first.length).toBeGreaterThan(0);
    expect(first.filter((core) => second.includes(core))).toEqual([]);
    expect([...first, ...second].every((core) => all.includes(core))).toBe(true);
    // More lanes than cores: nothing is pinned rather than two lanes on one core.
    expect((await look({ lane: { slot: 0, of: 63 } })).seen.cores).toEqual(all);
  });

  it('has its lane’s share of the memory', async () => {
    const of = 60;
    const moreMib = Math.floor((probe.memory_mib / of) * 1.3);
    const hungry = `data = bytearray(b"x") * (${moreMib} << 20)\n${HONEST}`;
    const { result } = await agent.run(box.job({ submission: hungry, change: { lane: { slot: 0, of } } }));
    expect(result.outcome).toBe('finished');
    expect(result.stages[0]?.lines.find(([key]) => key === 'check')?.[1]).not.toBe('pass');
    const alone = await agent.run(box.job({ submission: hungry }));
    expect(alone.result.stages[0]?.lines).toContainEqual(['check', 'pass']);
  });

  it.each([[{ slot: 2, of: 2 }], [{ slot: -1, of: 2 }]])(
    'is refused for a lane that there is not: %j',
    async (lane) => {
      await expect(agent.run(box.job({ submission: LOOK, change: { lane } }))).rejects.toMatchObject({
        kind: 'bad-request',
      });
    },
  );
});

describe('a machine whose sandbox does not work', () => {
  let broken: TestBox;
  let there: Agent;

  beforeAll(async () => {
    const programs = join(tools, 'broken');
    mkdirSync(programs);
    writeFileSync(join(programs, 'bwrap'), '#!/bin/sh\necho "bwrap: no permissions" >&2\nexit 1\n', {
      mode: 0o755,
    });
    broken = new TestBox(undefined, programs);
    there = await broken.agent();
  });
  afterAll(() => broken.close());

  it('says so, and runs no job that requires one', async () => {
    const report = await there.request('probe', {});
    expect(report.sandbox).toBe('none');
    expect(report.sandbox_problem).toContain('no permissions');
    const { result } = await there.run(broken.job({ submission: HONEST, change: { sandbox: 'required' } }));
    expect(result).toMatchObject({ outcome: 'box-error', error: { kind: 'sandbox-failed' }, stages: [] });
    expect(result.error?.message).toContain('no permissions');
  });

  it('runs one that does without, and the result says so', async () => {
    const { result } = await there.run(broken.job({ submission: HONEST, change: { sandbox: 'auto' } }));
    expect(result).toMatchObject({ outcome: 'finished', sandbox: 'none' });
  });
});
