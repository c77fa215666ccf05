/** Asks /health from a thread of its own, so that a load generator that is busy in this process is not what is measured. */
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { type Load, load } from './http-load.ts';

interface Probe {
  url: string;
  pauseMs: number;
  durationMs: number;
}

/** @throws when an answer is not 200 */
export async function probeHealth(probe: Probe): Promise<Load> {
  const worker = new Worker(new URL(import.meta.url), { workerData: probe });
  const [measured] = (await once(worker, 'message')) as [Load];
  return measured;
}

if (!isMainThread) {
  const probe = workerData as Probe;
  parentPort?.postMessage(await load({ ...probe, connections: 1, next: () => ({ path: '/health' }) }));
}
