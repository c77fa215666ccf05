import { describe, expect, it } from 'vitest';
import {
  judgeCanary,
  judgeIdle,
  judgeLanes,
  judgeNeighbours,
  judgeProbe,
} from '../../src/domain/box-health.ts';
import type { Canary, GpuHealth, ProbeReport } from '../../src/domain/protocol.ts';

const probe: ProbeReport = {
  hostname: 'gpu1',
  platform: 'Linux',
  cpu: 'a CPU',
  cpu_count: 8,
  memory_mib: 64_000,
  python: '3.11.2',
  python_path: '/usr/bin/python3',
  gpus: [{ index: 0, model: 'NVIDIA H100', memory_mib: 81_559, driver: '580', memory_used_mib: 600 }],
  torch: '2.9',
  nvcc: null,
  profiler: null,
  sandbox: 'bwrap',
  sandbox_problem: null,
  limits: 'cgroup-v2',
  disk_free_mib: 200_000,
  clock_utc: '2026-11-20T12:00:00.000Z',
};
const at = new Date('2026-11-20T12:00:00.400Z');
const baseline: Canary = { cpu_ns: 2e6, gpus: [{ index: 0, matmul_ns: 1e6, copy_ns: 2e6 }] };
const measured = (change: { cpu?: number; matmul?: number; copy?: number }): Canary => ({
  cpu_ns: 2e6 * (change.cpu ?? 1),
  gpus: [{ index: 0, matmul_ns: 1e6 * (change.matmul ?? 1), copy_ns: 2e6 * (change.copy ?? 1) }],
});

describe('a machine that is being registered', () => {
  it('is taken on the organiser’s word where no GPU is found, and says so', () => {
    const bare = { ...probe, gpus: [] };
    expect(judgeLanes(1, ['H100'], bare)).toMatchObject({ state: 'warn' });
    expect(judgeLanes(1, ['H100'], bare).text).toContain('no GPU was found there');
    expect(judgeLanes(2, ['cpu'], bare)).toEqual({ name: 'Lanes', state: 'ok', text: '2 for cpu' });
    expect(judgeLanes(1, ['H100'], probe).state).toBe('ok');
  });

  it('says when another box is the same machine', () => {
    const others = [
      { name: 'alpha', kind: 'ssh', host: 'GPU1.example.org', port: 22 },
      { name: 'cluster', kind: 'slurm', host: 'gpu1.example.org', port: 22 },
      { name: 'local', kind: 'local', host: null, port: null },
    ];
    expect(judgeNeighbours({ host: 'gpu1.example.org', port: 22 }, others)).toMatchObject({ state: 'warn' });
    expect(judgeNeighbours({ host: 'gpu1.example.org', port: 22 }, others)?.text).toMatch(/^alpha is this/);
    expect(judgeNeighbours({ host: 'gpu1.example.org', port: 2222 }, others)).toBe(null);
    expect(judgeNeighbours({ host: null, port: null }, others)).toBe(null);
  });
});

describe('the canary', () => {
  it('allows for the usual noise, more on a CPU than on a GPU', () => {
    expect(judgeCanary(baseline, measured({ cpu: 1.5, matmul: 1.05, copy: 0.8 })).state).toBe('ok');
  });

  it.each([
    [{ matmul: 1.2 }, 'the matrix product on GPU 0 takes 1.20 times as long'],
    [{ copy: 1.5 }, 'the memory copy on GPU 0 takes 1.50 times as long'],
    [{ cpu: 2 }, 'the CPU part takes 2.00 times as long'],
  ])('says how far %j is from its first measure', (change, words) => {
    const finding = judgeCanary(baseline, measured(change));
    expect(finding.state).toBe('bad');
    expect(finding.text).toContain(words);
  });

  it('has nothing to say about a GPU that was not measured at first', () => {
    expect(judgeCanary({ cpu_ns: 2e6, gpus: [] }, measured({ matmul: 9 })).state).toBe('ok');
  });
});

describe('a GPU on which nothing of ours runs', () => {
  const gpu = (change: Partial<GpuHealth>): GpuHealth => ({
    index: 0,
    utilization_percent: 0,
    memory_used_mib: 600,
    temperature_c: 40,
    processes: [],
    ...change,
  });

  it('may hold what it held when it was registered', () => {
    expect(judgeIdle([gpu({ memory_used_mib: 900 })], probe).state).toBe('ok');
    expect(judgeIdle([], null)).toMatchObject({ state: 'ok', text: 'no GPU to look at' });
  });

  it('is not idle while somebody computes on it or keeps its memory, and it says who', () => {
    const finding = judgeIdle(
      [gpu({ memory_used_mib: 30_112, processes: ['python3 (pid 4711, bob, 30000 MiB)'] })],
      probe,
    );
    expect(finding.state).toBe('bad');
    expect(finding.text).toContain('30112 MiB in use by python3 (pid 4711, bob, 30000 MiB)');
    expect(judgeIdle([gpu({ utilization_percent: 43 })], probe).text).toContain('43 % busy');
  });
});

describe('a machine beside what was registered', () => {
  const states = (change: Partial<ProbeReport>, unsafe = false) =>
    Object.fromEntries(
      judgeProbe({ ...probe, ...change }, { probe, unsafe }, at).map((finding) => [
        finding.name,
        finding.state,
      ]),
    );

  it('is in order when nothing changed', () => {
    expect(states({})).toEqual({ GPUs: 'ok', Sandbox: 'ok', Disk: 'ok', Clock: 'ok' });
  });

  it('may not have lost a GPU, its sandbox or its disk', () => {
    expect(states({ gpus: [] }).GPUs).toBe('bad');
    expect(states({ sandbox: 'none', sandbox_problem: 'no bwrap' }).Sandbox).toBe('bad');
    expect(states({ disk_free_mib: 100 }).Disk).toBe('bad');
  });

  it('is warned about where it can still be used', () => {
    expect(states({ sandbox: 'none', sandbox_problem: 'no bwrap' }, true).Sandbox).toBe('warn');
    expect(states({ disk_free_mib: 5000 }).Disk).toBe('warn');
    expect(states({ clock_utc: '2026-11-20T12:05:00.000Z' }).Clock).toBe('warn');
  });
});
