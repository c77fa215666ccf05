/**
 * When a queued job will start and end: the queue is played forward on the slots that there are.
 *
 * Each job ahead takes as long as jobs of its kind (leaderboard, mode, GPU type, public or secret) have taken lately:
 * once with the quick ones (lower quartile), once with the slow ones (upper decile). The two ends make the range.
 */

export interface QueuedJob {
  jobId: number;
  submissionId: number;
  userId: string;
  /** An organiser's: its submission has been judged before. */
  rejudge: boolean;
  /** In lower case: boxes and leaderboards may spell it differently. */
  gpu: string;
  /** From 1, in the order of the queue of its GPU type. */
  position: number;
  quickMs: number;
  slowMs: number;
}

export interface RunningJob {
  gpu: string;
  ranMs: number;
  quickMs: number;
  slowMs: number;
}

export interface QueueSnapshot {
  queued: QueuedJob[];
  running: RunningJob[];
  /** Slots of boxes that can be reached, by GPU type in lower case. */
  slots: Map<string, number>;
}

/** Milliseconds from now until the job has ended; null while no box of its type can be reached. */
export interface Eta {
  lowMs: number;
  highMs: number;
}

export interface Place {
  /** Jobs of the same GPU type that come first. */
  ahead: number;
  eta: Eta | null;
}

/** For every queued job. Linear in the length of the queue, times the logarithm of the slots at the most. */
export function forecast(queue: QueueSnapshot): Map<number, Place> {
  const places = new Map<number, Place>();
  for (const gpu of new Set(queue.queued.map((job) => job.gpu))) {
    const jobs = queue.queued.filter((job) => job.gpu === gpu).sort((a, b) => a.position - b.position);
    const running = queue.running.filter((job) => job.gpu === gpu);
    const slots = queue.slots.get(gpu) ?? 0;
    const low = endTimes(jobs, running, slots, 'quickMs');
    const high = endTimes(jobs, running, slots, 'slowMs');
    for (const [index, job] of jobs.entries()) {
      const [lowMs, highMs] = [low[index], high[index]];
      places.set(job.jobId, {
        ahead: index,
        eta: lowMs === undefined || highMs === undefined ? null : { lowMs, highMs: Math.max(lowMs, highMs) },
      });
    }
  }
  return places;
}

function endTimes(
  jobs: QueuedJob[],
  running: RunningJob[],
  slots: number,
  length: 'quickMs' | 'slowMs',
): number[] {
  if (slots === 0) return [];
  // When each slot is free: those with a running job when that has ended, the others now.
  const freeAt = running.map((job) => Math.max(0, job[length] - job.ranMs)).sort((a, b) => a - b);
  while (freeAt.length < slots) freeAt.unshift(0);
  // More run than there are slots now: the first of them to end have no successor.
  freeAt.splice(0, freeAt.length - slots);
  return jobs.map((job) => {
    const start = freeAt.shift() ?? 0;
    const end = start + job[length];
    const at = freeAt.findIndex((time) => time > end);
    if (at === -1) freeAt.push(end);
    else freeAt.splice(at, 0, end);
    return end;
  });
}
