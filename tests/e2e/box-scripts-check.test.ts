/**
 * deploy/box/check.sh, run for real on this machine.
 *
 * Stand-ins only for what this machine cannot be: an NVIDIA driver (a program that answers `nvidia-smi`'s documented
 * queries) and a kernel with other settings (a folder that looks like /proc and /sys).
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { quietMachine, run, standInSmi } from '../support/box-machine.ts';

const CHECK = path.resolve('deploy/box/check.sh');

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'hotlap-box-check-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

interface Finding {
  status: string;
  check: string;
  what: string;
  why: string;
  fix: string;
}

async function check(
  args: readonly string[] = [],
  bin?: string,
): Promise<{ code: number; findings: Finding[] }> {
  const env = { ...process.env, PATH: `${bin === undefined ? '' : `${bin}:`}/usr/bin:/bin` };
  const { code, stdout, stderr } = await run('/bin/sh', [CHECK, '--json', ...args], { env });
  expect(stderr).toBe('');
  return {
    code,
    findings: stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Finding),
  };
}

const of = (findings: readonly Finding[], name: string) =>
  findings.filter((finding) => finding.check === name).map((finding) => finding.status);

describe('check.sh', () => {
  beforeEach((context) => {
    if (process.platform !== 'linux') context.skip('it reads /proc and /sys, which only Linux has');
  });

  it('looks at this machine, and its exit code is the worst of what it found', async () => {
    const { code, findings } = await check();
    const found = new Set(findings.map((finding) => finding.status));
    expect(code).toBe(found.has('fail') ? 2 : found.has('warn') ? 1 : 0);
    const names =
      'governor turbo smt steal load numa hugepages swap cpu-heat cgroup updates clock disk disk-type home nofile nproc userns bubblewrap stage-limits python torch logout sshd gpu'.split(
        ' ',
      );
    expect(findings.map((finding) => finding.check)).toEqual(expect.arrayContaining(names));
    for (const finding of findings) {
      expect(finding.status).toMatch(/^(ok|warn|fail|skip)$/);
      if (finding.status === 'warn' || finding.status === 'fail') {
        expect(finding.why, finding.check).not.toBe('');
        expect(finding.fix, finding.check).not.toBe('');
      }
    }
  });

  it('prints the same as lines to read, also when it comes through standard input', async () => {
    const { stdout } = await run('/bin/sh', ['-s'], { input: await readFile(CHECK, 'utf8') });
    const lines = stdout.trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(20);
    for (const line of lines) expect(line).toMatch(/^(ok {4}|skip {2}|(warn|fail) {2}.* {2}— .* {2}— fix: )/);
  });

  it('refuses an option that it does not have', async () => {
    const { code, stderr } = await run('/bin/sh', [CHECK, '--jsno']);
    expect(code).toBe(64);
    expect(stderr).toContain('--jsno');
  });

  it('finds nothing to say against a quiet machine', async () => {
    const { code, findings } = await check(['--root', await quietMachine(folder, {})]);
    expect(findings.filter((finding) => finding.status !== 'skip' && finding.status !== 'ok')).toEqual([]);
    expect(code).toBe(0);
  });

  const cpu = 'sys/devices/system/cpu';
  it.each<[string, 'warn' | 'fail', Record<string, string>]>([
    ['governor', 'warn', { [`${cpu}/cpu1/cpufreq/scaling_governor`]: 'powersave' }],
    ['turbo', 'warn', { [`${cpu}/intel_pstate/no_turbo`]: '0' }],
    ['turbo', 'warn', { [`${cpu}/intel_pstate/no_turbo`]: '', [`${cpu}/cpufreq/boost`]: '1' }],
    ['smt', 'warn', { [`${cpu}/smt/active`]: '1' }],
    ['steal', 'warn', { 'proc/stat': 'cpu  900 0 50 9000 0 0 0 50 0 0' }],
    ['numa', 'warn', { 'sys/devices/system/node/node1/x': '', 'proc/sys/kernel/numa_balancing': '1' }],
    ['hugepages', 'warn', { 'sys/kernel/mm/transparent_hugepage/enabled': '[always] madvise never' }],
    ['swap', 'warn', { 'proc/meminfo': 'SwapTotal: 2000000 kB\nSwapFree: 1000000 kB' }],
    ['cpu-heat', 'warn', { [`${cpu}/cpu0/thermal_throttle/core_throttle_count`]: '7' }],
    ['cgroup', 'warn', { 'sys/fs/cgroup/a/cpu.max': '150000 100000' }],
    [
      'cgroup',
      'warn',
      { 'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '50000', 'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000' },
    ],
    [
      'nofile',
      'warn',
      { 'proc/self/limits': 'Max open files            1024                 4096                 files' },
    ],
    ['userns', 'fail', { 'proc/sys/user/max_user_namespaces': '0' }],
    ['userns', 'fail', { 'proc/sys/kernel/unprivileged_userns_clone': '0' }],
    ['userns', 'warn', { 'proc/sys/kernel/apparmor_restrict_unprivileged_userns': '1' }],
    ['logout', 'fail', { 'etc/systemd/logind.conf': '[Login]\nKillUserProcesses=yes' }],
    ['sshd', 'warn', { 'etc/ssh/sshd_config.d/a.conf': 'maxsessions 2' }],
    ['sshd', 'fail', { 'etc/ssh/sshd_config': 'ForceCommand /bin/menu' }],
    ['profiling', 'warn', { 'proc/driver/nvidia/params': 'ModifyDeviceFiles: 1\nRmProfilingAdminOnly: 1' }],
    ['amd-clocks', 'warn', { 'sys/class/drm/card0/device/power_dpm_force_performance_level': 'auto' }],
  ])('tells of %s (%s)', async (name, status, files) => {
    const { code, findings } = await check(['--root', await quietMachine(folder, files)]);
    const found = findings.filter((finding) => finding.status === 'warn' || finding.status === 'fail');
    expect(found.map((finding) => [finding.check, finding.status])).toEqual([[name, status]]);
    expect(code).toBe(status === 'fail' ? 2 : 1);
  });

  const fine = {
    index: '0',
    name: 'NVIDIA H100 80GB HBM3',
    driver_version: '550.54.15',
    persistence_mode: 'Enabled',
    'clocks.sm': '1590',
    'clocks.max.sm': '1980',
    'clocks_event_reasons.active': '0x0000000000000001',
    'power.limit': '700.00',
    'power.default_limit': '700.00',
    'ecc.mode.current': 'Enabled',
    'ecc.errors.uncorrected.volatile.total': '0',
    'mig.mode.current': 'Disabled',
    'pcie.link.width.current': '16',
    'pcie.link.width.max': '16',
    'temperature.gpu': '34',
    'utilization.gpu': '0',
    'memory.used': '4',
    compute_mode: 'Default',
  };
  const gpuNames =
    'persistence gpu-clocks gpu-throttled gpu-power gpu-ecc gpu-mig gpu-pcie gpu-heat gpu-memory gpu-mode gpu-processes'.split(
      ' ',
    );

  it('finds a GPU that is set up well to be so', async () => {
    const { findings } = await check([], await standInSmi(folder, [fine]));
    for (const name of gpuNames) expect(of(findings, name), name).toEqual(['ok']);
    expect(findings).toContainEqual(
      expect.objectContaining({
        check: 'gpu',
        status: 'ok',
        what: 'GPU 0: NVIDIA H100 80GB HBM3, driver 550.54.15',
      }),
    );
  });

  it('tells what is wrong with which GPU by what nvidia-smi answers', async () => {
    const faults: [string, string, Partial<Record<keyof typeof fine, string>>][] = [
      ['persistence', 'warn', { persistence_mode: 'Disabled' }],
      ['gpu-clocks', 'warn', { 'clocks.sm': '345' }],
      ['gpu-clocks', 'warn', { 'clocks.sm': '1980' }],
      ['gpu-clocks', 'skip', { 'utilization.gpu': '98' }],
      ['gpu-throttled', 'warn', { 'clocks_event_reasons.active': '0x0000000000000004' }],
      ['gpu-throttled', 'warn', { 'clocks_event_reasons.active': '0x0000000000000020' }],
      ['gpu-throttled', 'warn', { 'clocks_event_reasons.active': '0x0000000000000088' }],
      ['gpu-power', 'warn', { 'power.limit': '450.00' }],
      ['gpu-ecc', 'warn', { 'ecc.mode.current': 'Disabled' }],
      ['gpu-ecc', 'fail', { 'ecc.errors.uncorrected.volatile.total': '3' }],
      ['gpu-mig', 'fail', { 'mig.mode.current': 'Enabled' }],
      ['gpu-pcie', 'warn', { 'pcie.link.width.current': '4' }],
      ['gpu-heat', 'warn', { 'temperature.gpu': '88' }],
      ['gpu-memory', 'warn', { 'memory.used': '20480' }],
      ['gpu-mode', 'warn', { compute_mode: 'Exclusive_Process' }],
    ];
    const cards = faults.map(([, , change], index) => ({ ...fine, ...change, index: String(index) }));
    const { code, findings } = await check([], await standInSmi(folder, cards));
    expect(code).toBe(2);
    faults.forEach(([name, status], index) => {
      const ofCard = findings.filter(
        (finding) => finding.what.startsWith(`GPU ${index}:`) || finding.what === `GPU ${index}`,
      );
      const found = ofCard
        .filter((finding) => finding.status !== 'ok')
        .map((finding) => [finding.check, finding.status]);
      expect(found, `card ${index}`).toEqual([[name, status]]);
    });
  });

  it('looks at each GPU, names what runs there, and reads an older driver that lacks features', async () => {
    const { 'clocks_event_reasons.active': _, ...rest } = fine;
    const old = {
      ...rest,
      index: '1',
      name: 'Quadro P400',
      'clocks_throttle_reasons.active': '0x0000000000000040',
    };
    const lacking = {
      ...old,
      'ecc.mode.current': '[N/A]',
      'mig.mode.current': '[N/A]',
      'power.limit': '[N/A]',
      'power.default_limit': '[N/A]',
    };
    const zero = { ...rest, 'clocks_throttle_reasons.active': '0x0000000000000000' };
    const { findings } = await check(
      [],
      await standInSmi(folder, [zero, lacking], { apps: '4711, python3, 1024 MiB' }),
    );
    expect(of(findings, 'gpu-throttled')).toEqual(['ok', 'warn']);
    expect(of(findings, 'gpu-power')).toEqual(['ok', 'ok']);
    expect(of(findings, 'gpu-ecc')).toEqual(['ok', 'ok']);
    expect(findings.find((finding) => finding.check === 'gpu-processes')).toMatchObject({
      status: 'warn',
      what: '4711, python3, 1024 MiB',
    });
  });

  it('says what nvidia-smi says when the driver is broken', async () => {
    const words = 'Failed to initialize NVML: Driver/library version mismatch';
    const { code, findings } = await check([], await standInSmi(folder, [], { broken: words }));
    expect(code).toBe(2);
    expect(findings.find((finding) => finding.check === 'gpu')).toMatchObject({
      status: 'fail',
      what: `nvidia-smi says: ${words}`,
    });
  });

  it.each([
    ['13.0', 'fail'],
    ['12.9', 'warn'],
    ['12.4', 'ok'],
    ['11.8', 'ok'],
  ])('compares CUDA %s of the compiler with what the driver knows (%s)', async (version, status) => {
    const bin = await standInSmi(folder, [fine]);
    const text = `Cuda compilation tools, release ${version}, V${version}.131`;
    await writeFile(path.join(bin, 'nvcc'), `#!/bin/sh\necho '${text}'\n`, { mode: 0o755 });
    const { findings } = await check([], bin);
    const found = findings.find((finding) => finding.check === 'cuda' && finding.what.startsWith('nvcc'));
    expect(found?.status).toBe(status);
  });
});
