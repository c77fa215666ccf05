/** What counts as a healthy box: pure judgements over what it says of itself, in sentences for organisers. */
import { CPU_TYPE } from './box.ts';
import type { Canary, GpuHealth, ProbeReport } from './protocol.ts';

/** One thing that was looked at. Only `bad` keeps a box from work. */
export interface Finding {
  name: string;
  state: 'ok' | 'warn' | 'bad' | 'skipped';
  text: string;
}

/** A GPU's best times vary by a percent or two; a CPU's on a shared machine by much more. */
const GPU_DRIFT = 1.1;
const CPU_DRIFT = 1.6;
/** The driver's own share, and what a desktop takes, come and go. */
const MEMORY_SLACK_MIB = 512;
const IDLE_PERCENT = 10;
const LEAST_DISK_MIB = 1024;
const LITTLE_DISK_MIB = 10 * 1024;
const CLOCK_SKEW_S = 30;

/** How far the canary is from what it measured when the box was registered. */
export function judgeCanary(baseline: Canary, now: Canary): Finding {
  const slow: string[] = [];
  const compare = (what: string, before: number, after: number, limit: number) => {
    if (after > before * limit)
      slow.push(
        `${what} takes ${(after / before).toFixed(2)} times as long as when it was registered (${ms(before)} then, ${ms(after)} now)`,
      );
  };
  compare('the CPU part', baseline.cpu_ns, now.cpu_ns, CPU_DRIFT);
  for (const gpu of now.gpus) {
    const before = baseline.gpus.find((each) => each.index === gpu.index);
    if (!before) continue;
    compare(`the matrix product on GPU ${gpu.index}`, before.matmul_ns, gpu.matmul_ns, GPU_DRIFT);
    compare(`the memory copy on GPU ${gpu.index}`, before.copy_ns, gpu.copy_ns, GPU_DRIFT);
  }
  if (slow.length > 0) return { name: 'Canary', state: 'bad', text: `${slow.join('; ')}.` };
  return { name: 'Canary', state: 'ok', text: canaryText(now) };
}

export function canaryText(measured: Canary): string {
  const gpus = measured.gpus.map(
    (gpu) => `GPU ${gpu.index}: product ${ms(gpu.matmul_ns)}, copy ${ms(gpu.copy_ns)}`,
  );
  return [`CPU ${ms(measured.cpu_ns)}`, ...gpus].join('; ');
}

/** GPUs on which nothing of ours runs: nobody else may be using them either. */
export function judgeIdle(gpus: GpuHealth[], probe: ProbeReport | null): Finding {
  const busy = gpus.flatMap((gpu) => {
    const before = probe?.gpus.find((each) => each.index === gpu.index)?.memory_used_mib ?? 0;
    const isBusy = gpu.utilization_percent > IDLE_PERCENT;
    const isFull = gpu.memory_used_mib > before + MEMORY_SLACK_MIB;
    if (!isBusy && !isFull) return [];
    const by = gpu.processes.length > 0 ? ` by ${gpu.processes.join(', ')}` : '';
    return [
      `GPU ${gpu.index} is not idle though nothing of Hotlap runs on it: ${gpu.utilization_percent} % busy, ${gpu.memory_used_mib} MiB in use${by}`,
    ];
  });
  if (busy.length > 0) return { name: 'Idle', state: 'bad', text: `${busy.join('; ')}.` };
  const temperatures = gpus.flatMap((gpu) => (gpu.temperature_c === null ? [] : [`${gpu.temperature_c} °C`]));
  const text =
    gpus.length === 0 ? 'no GPU to look at' : `nothing else uses the GPUs (${temperatures.join(', ')})`;
  return { name: 'Idle', state: 'ok', text };
}

/** What the machine is and has, for whoever registers it. */
export function describeMachine(probe: ProbeReport): Finding[] {
  const memory = `${Math.round(probe.memory_mib / 1024)} GiB memory`;
  const software = [
    `Python ${probe.python}`,
    probe.torch ? `torch ${probe.torch}${probe.runtime ? ` (${probe.runtime})` : ''}` : 'no torch',
    probe.nvcc ? `nvcc ${probe.nvcc}` : 'no nvcc',
    probe.profiler ?? 'no profiler',
  ];
  return [
    { name: 'Machine', state: 'ok', text: `${probe.hostname}: ${probe.cpu_count} × ${probe.cpu}, ${memory}` },
    { name: 'Software', state: 'ok', text: software.join(', ') },
  ];
}

/** The lanes of a machine that is being registered; a type that nothing found there bears out is worth a look. */
export function judgeLanes(lanes: number, types: string[], probe: ProbeReport): Finding {
  const text = `${lanes} for ${types.join(', ')}`;
  const unproved = types.filter((type) => type.toUpperCase() !== CPU_TYPE);
  if (probe.gpus.length > 0 || unproved.length === 0) return { name: 'Lanes', state: 'ok', text };
  return {
    name: 'Lanes',
    state: 'warn',
    text: `${text}, on your word: no GPU was found there. Leave \`gpu\` out, or see to the driver`,
  };
}

/** Whether another box is the same machine; null when none is. */
export function judgeNeighbours(
  address: { host: string | null; port: number | null },
  others: { name: string; kind: string; host: string | null; port: number | null }[],
): Finding | null {
  const host = address.host?.toLowerCase();
  const same = others.filter(
    (other) =>
      other.kind === 'ssh' &&
      host !== undefined &&
      other.host?.toLowerCase() === host &&
      other.port === address.port,
  );
  if (same.length === 0) return null;
  const names = same.map(({ name }) => name).join(', ');
  const text = `${names} is this machine too: jobs of both run at once and spoil each other's times. Remove one of them`;
  return { name: 'Address', state: 'warn', text };
}

/** The machine as it is now beside what was registered. `at`: when the probe was answered. */
export function judgeProbe(
  now: ProbeReport,
  registered: { probe: ProbeReport | null; unsafe: boolean },
  at: Date,
): Finding[] {
  return [
    judgeGpus(now, registered.probe),
    judgeSandbox(now, registered.unsafe),
    judgeDisk(now),
    judgeClock(now, at),
  ];
}

/** A cluster's answer: its GPUs and its clock are those of the node that happened to be looked at. */
export function judgeCluster(now: ProbeReport, registered: { unsafe: boolean }): Finding[] {
  const partitions = (now.slurm?.partitions ?? []).map(
    ({ name, nodes, gres }) =>
      `${name}: ${nodes} ${nodes === 1 ? 'node' : 'nodes'}${gres && ` with ${gres}`}`,
  );
  return [
    { name: 'Cluster', state: 'ok', text: partitions.join('; ') },
    judgeSandbox(now, registered.unsafe),
    judgeDisk(now),
  ];
}

function judgeGpus(now: ProbeReport, before: ProbeReport | null): Finding {
  const missing = (before?.gpus ?? []).filter(
    (gpu) => !now.gpus.some((each) => each.index === gpu.index && each.model === gpu.model),
  );
  if (missing.length > 0) {
    const names = missing.map((gpu) => `${gpu.index} (${gpu.model})`).join(', ');
    return {
      name: 'GPUs',
      state: 'bad',
      text: `GPU ${names} is gone: reboot the machine, or remove the box and add it again.`,
    };
  }
  const models = now.gpus.map(
    (gpu) => `${gpu.model}, ${Math.round(gpu.memory_mib / 1024)} GiB, driver ${gpu.driver}`,
  );
  return { name: 'GPUs', state: 'ok', text: models.join('; ') || 'none' };
}

function judgeSandbox(now: ProbeReport, unsafe: boolean): Finding {
  if (now.sandbox !== 'none')
    return { name: 'Sandbox', state: 'ok', text: `${now.sandbox}, limits by ${now.limits ?? 'rlimits'}` };
  const why = now.sandbox_problem ?? 'unknown';
  if (unsafe)
    return {
      name: 'Sandbox',
      state: 'warn',
      text: `none (${why}); allowed by \`unsafe\`, and every result says so`,
    };
  return { name: 'Sandbox', state: 'bad', text: `none: ${why}. Run \`deploy/box/install.sh\` there.` };
}

function judgeDisk(now: ProbeReport): Finding {
  const text = `${(now.disk_free_mib / 1024).toFixed(1)} GiB free`;
  if (now.disk_free_mib < LEAST_DISK_MIB)
    return { name: 'Disk', state: 'bad', text: `${text}: make room in the home of the box’s user.` };
  return { name: 'Disk', state: now.disk_free_mib < LITTLE_DISK_MIB ? 'warn' : 'ok', text };
}

function judgeClock(now: ProbeReport, at: Date): Finding {
  const skewS = Math.abs(Date.parse(now.clock_utc) - at.getTime()) / 1000;
  const text = skewS < 1 ? 'right to the second' : `${Math.round(skewS)} s off`;
  return skewS > CLOCK_SKEW_S
    ? { name: 'Clock', state: 'warn', text: `${text}: let the machine keep its time by NTP` }
    : { name: 'Clock', state: 'ok', text };
}

function ms(ns: number): string {
  return `${(ns / 1e6).toPrecision(3)} ms`;
}
