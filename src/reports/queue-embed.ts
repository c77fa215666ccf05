/** The queue as one person sees it: everybody's work as counts, their own by number. */
import type { APIEmbed } from 'discord-api-types/v10';
import type { Place, QueueSnapshot } from '../domain/eta.ts';
import { colours } from './colours.ts';
import { cut } from './markdown.ts';
import { etaText } from './measure.ts';

const MAX_OWN = 10;

export function queueEmbed(queue: QueueSnapshot, places: Map<number, Place>, userId: string): APIEmbed {
  const gpus = new Set([...queue.slots.keys(), ...[...queue.queued, ...queue.running].map((job) => job.gpu)]);
  const lines = [...gpus].sort().map((gpu) => gpuLine(queue, gpu));
  const own = queue.queued
    .filter((job) => job.userId === userId && !job.rejudge)
    .sort((a, b) => a.position - b.position);
  const shown = own.slice(0, MAX_OWN).map((job) => {
    const place = places.get(job.jobId);
    return `#${job.submissionId} on ${job.gpu.toUpperCase()}: position ${job.position}${etaText(place?.eta ?? null)}`;
  });
  if (own.length > MAX_OWN) shown.push(`and ${own.length - MAX_OWN} more`);
  return {
    title: 'Queue',
    color: colours.running,
    description: cut(lines.join('\n') || 'No box is registered yet, and nothing waits.', 4096),
    fields: [{ name: 'Yours', value: cut(shown.join('\n') || 'Nothing of yours waits.', 1024) }],
  };
}

function gpuLine(queue: QueueSnapshot, gpu: string): string {
  const slots = queue.slots.get(gpu) ?? 0;
  const running = queue.running.filter((job) => job.gpu === gpu).length;
  const queued = queue.queued.filter((job) => job.gpu === gpu);
  const waiting = queued.filter((job) => !job.rejudge).length;
  const again = queued.length - waiting;
  const where =
    slots === 0 ? 'no box can be reached' : `${running} of ${slots} ${slots === 1 ? 'slot' : 'slots'} busy`;
  return `**${gpu.toUpperCase()}** ${where}, ${waiting} ${waiting === 1 ? 'job' : 'jobs'} waiting${again > 0 ? `; ${again} of a rejudge come after all others` : ''}`;
}
