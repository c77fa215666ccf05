import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { forecast, type QueuedJob, type QueueSnapshot, type RunningJob } from '../../src/domain/eta.ts';
import { etaText } from '../../src/reports/measure.ts';

const quickAndSlow = fc
  .tuple(fc.nat(600_000), fc.nat(600_000))
  .map(([a, b]) => ({ quickMs: Math.min(a, b), slowMs: Math.max(a, b) }));
const runningJob = fc.record({ gpu: fc.constant('cpu'), ranMs: fc.nat(900_000) });

/** A queue of one GPU type, in the order in which it is listed. */
const snapshot = fc
  .record({
    durations: fc.array(quickAndSlow, { minLength: 1, maxLength: 40 }),
    running: fc.array(fc.tuple(runningJob, quickAndSlow), { maxLength: 8 }),
    free: fc.nat(4),
  })
  .map(({ durations, running, free }): QueueSnapshot => {
    const slots = Math.max(1, running.length + free);
    return {
      queued: durations.map((length, index) => queuedJob(index, length)),
      running: running.map(([job, length]): RunningJob => ({ ...job, ...length })),
      slots: new Map([['cpu', slots]]),
    };
  });

function queuedJob(index: number, length: { quickMs: number; slowMs: number }, gpu = 'cpu'): QueuedJob {
  return {
    rejudge: false,
    jobId: 100 + index,
    submissionId: index,
    userId: 'u',
    gpu,
    position: index + 1,
    ...length,
  };
}

const same = (ms: number) => ({ quickMs: ms, slowMs: ms });

function endsOf(queue: QueueSnapshot): { lowMs: number; highMs: number }[] {
  const places = forecast(queue);
  return queue.queued
    .toSorted((a, b) => a.position - b.position)
    .map((job) => places.get(job.jobId)?.eta ?? { lowMs: Number.NaN, highMs: Number.NaN });
}

describe('a forecast', () => {
  it('plays the queue forward on the slots, the rest of what runs included', () => {
    const queue: QueueSnapshot = {
      queued: [queuedJob(0, same(10)), queuedJob(1, same(20)), queuedJob(2, same(5))],
      running: [
        { gpu: 'cpu', ranMs: 10, ...same(40) },
        { gpu: 'cpu', ranMs: 99, ...same(40) },
      ],
      slots: new Map([['cpu', 2]]),
    };
    // One slot is overdue and counts as free now, the other one is free in 30.
    expect(endsOf(queue)).toEqual([
      { lowMs: 10, highMs: 10 },
      { lowMs: 30, highMs: 30 },
      { lowMs: 35, highMs: 35 },
    ]);
  });

  it('keeps GPU types apart, and gives no time where no box can be reached', () => {
    const places = forecast({
      queued: [queuedJob(0, same(10)), { ...queuedJob(1, same(10), 'h100'), position: 1 }],
      running: [{ gpu: 'h100', ranMs: 0, ...same(1000) }],
      slots: new Map([['cpu', 1]]),
    });
    expect(places.get(100)).toEqual({ ahead: 0, eta: { lowMs: 10, highMs: 10 } });
    expect(places.get(101)).toEqual({ ahead: 0, eta: null });
  });

  it('is a range with its ends in order, for every job, with as many ahead as stand before it', () => {
    fc.assert(
      fc.property(snapshot, (queue) => {
        const places = forecast(queue);
        expect(places.size).toBe(queue.queued.length);
        for (const job of queue.queued) {
          const place = places.get(job.jobId);
          expect(place?.ahead).toBe(job.position - 1);
          expect(place?.eta?.lowMs).toBeGreaterThanOrEqual(job.quickMs);
          expect(place?.eta?.highMs).toBeGreaterThanOrEqual(place?.eta?.lowMs ?? Number.NaN);
        }
      }),
    );
  });

  it('on one slot never ends a job before the one ahead of it', () => {
    fc.assert(
      fc.property(snapshot, (queue) => {
        const one = { ...queue, running: queue.running.slice(0, 1), slots: new Map([['cpu', 1]]) };
        const ends = endsOf(one);
        for (let at = 1; at < ends.length; at++) {
          expect(ends[at]?.lowMs).toBeGreaterThanOrEqual(ends[at - 1]?.lowMs ?? 0);
          expect(ends[at]?.highMs).toBeGreaterThanOrEqual(ends[at - 1]?.highMs ?? 0);
        }
      }),
    );
  });

  it('is never later with one slot more', () => {
    fc.assert(
      fc.property(snapshot, (queue) => {
        const slots = queue.slots.get('cpu') ?? 0;
        const more = endsOf({ ...queue, slots: new Map([['cpu', slots + 1]]) });
        for (const [at, end] of endsOf(queue).entries()) {
          expect(more[at]?.lowMs).toBeLessThanOrEqual(end.lowMs);
          expect(more[at]?.highMs).toBeLessThanOrEqual(end.highMs);
        }
      }),
    );
  });

  it('is never earlier with another job on a slot that was free', () => {
    fc.assert(
      fc.property(snapshot, runningJob, quickAndSlow, (queue, extra, length) => {
        const slots = queue.running.length + 1;
        const free = { ...queue, slots: new Map([['cpu', slots]]) };
        const busy = { ...free, running: [...free.running, { ...extra, ...length }] };
        const later = endsOf(busy);
        for (const [at, end] of endsOf(free).entries()) {
          expect(later[at]?.lowMs).toBeGreaterThanOrEqual(end.lowMs);
          expect(later[at]?.highMs).toBeGreaterThanOrEqual(end.highMs);
        }
      }),
    );
  });

  it('uses no more slots than there are, when more jobs run than a box that shrank has', () => {
    const queue: QueueSnapshot = {
      queued: [queuedJob(0, same(10)), queuedJob(1, same(10))],
      running: [100, 200, 300].map((ms) => ({ gpu: 'cpu', ranMs: 0, ...same(ms) })),
      slots: new Map([['cpu', 1]]),
    };
    // Two of the three have to end without a successor.
    expect(endsOf(queue)).toEqual([
      { lowMs: 310, highMs: 310 },
      { lowMs: 320, highMs: 320 },
    ]);
  });
});

describe('an estimated time', () => {
  it.each([
    [null, ''],
    [{ lowMs: 0, highMs: 9_000 }, ', done in about 10 s'],
    [{ lowMs: 12_000, highMs: 47_000 }, ', done in about 10 s to 50 s'],
    [{ lowMs: 80_000, highMs: 300_000 }, ', done in about 80 s to 5 min'],
    [{ lowMs: 3_600_000, highMs: 7_300_000 }, ', done in about 60 min to 2 h'],
  ])('%j reads "%s"', (eta, text) => {
    expect(etaText(eta)).toBe(text);
  });

  it('never reads shorter for a longer time', () => {
    const size = (text: string) => {
      const [, number = '0', unit = 's'] = /about (\d+) (s|min|h)/.exec(text) ?? [];
      return Number(number) * { s: 1, min: 60, h: 3600 }[unit as 's' | 'min' | 'h'];
    };
    fc.assert(
      fc.property(fc.nat(40_000_000), fc.nat(40_000_000), (a, b) => {
        const [less, more] = [Math.min(a, b), Math.max(a, b)];
        const read = (ms: number) => size(etaText({ lowMs: ms, highMs: ms }));
        expect(read(less)).toBeLessThanOrEqual(read(more));
      }),
    );
  });
});
