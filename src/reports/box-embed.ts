/** Boxes as organisers see them. */
import type { APIEmbed } from 'discord-api-types/v10';
import type { ProbeReport } from '../domain/protocol.ts';
import { colours } from './colours.ts';
import { code, cut, plain } from './markdown.ts';

export interface BoxView {
  name: string;
  kind: string;
  /** `user@host:port`, or null for the local machine. */
  address: string | null;
  gpuTypes: string[];
  slots: number;
  state: string;
  problem: string | null;
  probe: ProbeReport | null;
  running: number;
}

export function boxListEmbed(boxes: BoxView[]): APIEmbed {
  const lines = boxes.map((box) => {
    const mark = box.state === 'ready' ? '🟢' : '🔴';
    const where = box.address === null ? 'this machine' : code(box.address);
    const load = `${box.running} of ${box.slots} ${box.slots === 1 ? 'slot' : 'slots'} busy`;
    const problem = box.problem ? `\n${cut(box.problem, 200)}` : '';
    return `${mark} **${box.name}** · ${box.gpuTypes.join(', ')} · ${where} · ${box.state}, ${load}${problem}`;
  });
  return {
    title: 'Boxes',
    color: colours.running,
    description: cut(lines.join('\n') || 'No box is registered. `/admin box add` registers one.', 4096),
  };
}

/** What a probe found, a line each. */
export function probeLines(probe: ProbeReport): string[] {
  const gpus = probe.gpus.map(
    (gpu) => `${gpu.model}, ${Math.round(gpu.memory_mib / 1024)} GiB, driver ${gpu.driver}`,
  );
  return [
    `**Machine** ${probe.hostname}: ${probe.cpu_count} × ${probe.cpu}, ${Math.round(probe.memory_mib / 1024)} GiB memory`,
    `**GPUs** ${gpus.join('; ') || 'none'}`,
    `**Software** Python ${probe.python}, torch ${probe.torch ?? 'not found'}, nvcc ${probe.nvcc ?? 'not found'}`,
    `**Sandbox** ${probe.sandbox}${probe.sandbox_problem ? ` (${probe.sandbox_problem})` : ''}`,
    `**Free disk** ${Math.round(probe.disk_free_mib / 1024)} GiB`,
  ];
}

/** What organisers read when a box goes away or comes back. */
export function boxNoticeEmbed(notice: { box: string; state: string; message: string }): APIEmbed {
  const back = notice.state === 'ready';
  return {
    title: cut(back ? `Box ${notice.box} is back` : `Box ${notice.box} cannot be used`, 256),
    color: back ? colours.good : colours.ours,
    description: cut(
      back ? 'Its jobs go on.' : `${plain(notice.message)}\nJobs for it wait; none is lost.`,
      4096,
    ),
  };
}
