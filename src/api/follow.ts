/** Follows one submission on an event stream to its end. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Sql } from '../db/client.ts';
import { findSubmissionView, listRuns } from '../db/submissions.ts';
import { findTrace, listTraces } from '../db/traces.ts';
import { failedByUs, type SubmissionView, withPlaces } from '../domain/submission.ts';
import type { Log } from '../log.ts';
import { phaseWords } from '../reports/serving-phases.ts';
import type { EventStream } from './event-stream.ts';
import { fullResult, type LoadedTrace } from './full-result.ts';
import { patiently } from './patience.ts';
import type { Progress } from './progress.ts';
import type { QueueView } from './queue-view.ts';
import { tracePath } from './trace-path.ts';

const MIN_INTERVAL_MS = 500;
/** Places in the queue change without a word. */
const LOOK_AGAIN_MS = 9_000;

export interface FollowParts {
  sql: Sql;
  log: Log;
  queue: QueueView;
  progress: Progress;
  /** Aborted when this process ends. */
  closing: AbortSignal;
}

/** Never throws: whatever goes wrong is told on the stream. */
export async function follow(parts: FollowParts, stream: EventStream, submissionId: number): Promise<void> {
  try {
    await followToEnd(parts, stream, submissionId);
  } catch (error) {
    parts.log.error({ error, submissionId }, 'a stream broke off');
    const detail = `The connection to submission #${submissionId} was lost on our side; it goes on, and your list shows it.`;
    stream.send('error', { status: 'error', detail, status_code: 503 });
  } finally {
    stream.end();
  }
}

async function followToEnd(parts: FollowParts, stream: EventStream, submissionId: number): Promise<void> {
  const { sql, progress, closing } = parts;
  let wake = () => {};
  const unwatch = progress.watch(submissionId, () => wake());
  try {
    while (!stream.gone.aborted) {
      const changed = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const view = await patiently(() => viewWithPlaces(parts, submissionId));
      if (!view) {
        stream.send('error', {
          status: 'error',
          detail: `Submission #${submissionId} was deleted.`,
          status_code: 410,
        });
        return;
      }
      if (!['queued', 'running'].includes(view.status)) return await sendEnd(sql, stream, view);
      if (closing.aborted) {
        const detail = `The server restarts. Submission #${submissionId} goes on; your list shows its result.`;
        stream.send('error', { status: 'error', detail, status_code: 503 });
        return;
      }
      stream.tellStatus(statusOf(view));
      await pause(MIN_INTERVAL_MS, stream.gone, closing);
      await Promise.race([changed, pause(LOOK_AGAIN_MS, stream.gone, closing)]);
    }
  } finally {
    unwatch();
  }
}

async function pause(ms: number, ...signals: AbortSignal[]): Promise<void> {
  await delay(ms, undefined, { signal: AbortSignal.any(signals) }).catch(() => {});
}

async function viewWithPlaces(parts: FollowParts, id: number): Promise<SubmissionView | null> {
  const view = await findSubmissionView(parts.sql, id, true);
  const waiting = (view?.gpus ?? [])
    .filter(({ publicJob }) => publicJob.status === 'queued' && publicJob.boxesReady > 0)
    .map(({ publicJob }) => publicJob.jobId);
  return view && waiting.length > 0 ? withPlaces(view, await parts.queue.places(waiting)) : view;
}

function statusOf(view: SubmissionView): object {
  const lines = view.gpus.map((gpu) => {
    const secret = gpu.publicJob.status === 'finished' ? gpu.secretJob : null;
    const job = secret ?? gpu.publicJob;
    const where = `${gpu.gpuType}${secret ? ' (secret run)' : ''}`;
    if (job.status !== 'queued') {
      const { progress } = job;
      const count = progress && progress.of > 0 ? ` ${progress.done}/${progress.of}` : '';
      const stage = progress?.stage ?? 'starting';
      const words = phaseWords(progress?.state ?? '') ?? stage;
      return { stage, position: null, text: `${where}: ${words}${count}` };
    }
    if (job.boxesReady === 0) return { stage: 'queued', position: null, text: `${where}: waits for a box` };
    const ahead = job.place?.ahead ?? null;
    const text = ahead === null ? 'queued' : `queued, ${ahead} ahead`;
    return { stage: 'queued', position: ahead, text: `${where}: ${text}` };
  });
  return {
    status: 'processing',
    submission_id: view.id,
    stage: lines[0]?.stage ?? 'queued',
    queue_position: lines[0]?.position ?? null,
    message: `Submission ${view.id}: ${lines.map((line) => line.text).join('; ')}`,
  };
}

/** The client writes what comes in the stream to files; a line of it should stay one that clients take. */
const INLINE_BYTES = 16_000_000;

async function loadTraces(sql: Sql, submissionId: number): Promise<LoadedTrace[]> {
  const traces: LoadedTrace[] = [];
  let left = INLINE_BYTES;
  for (const row of await listTraces(sql, submissionId)) {
    const fits = row.bytes <= left;
    if (fits) left -= row.bytes;
    const content = fits ? ((await findTrace(sql, row.id))?.content ?? null) : null;
    traces.push({ ...row, content, path: tracePath(submissionId, row.id) });
  }
  return traces;
}

async function sendEnd(sql: Sql, stream: EventStream, view: SubmissionView): Promise<void> {
  const refuse = (detail: string, status: number) =>
    stream.send('error', { status: 'error', detail, status_code: status, submission_id: view.id });
  if (view.status === 'cancelled') return refuse(`Submission #${view.id} was cancelled.`, 409);
  if (view.status === 'rejected')
    return refuse(`Submission #${view.id} was rejected: ${view.reason ?? ''}`, 403);
  if (failedByUs(view)) {
    return refuse(`A box failed, not your code. Submit it again: ${view.reason ?? ''}`, 503);
  }
  const runs = await patiently(() => listRuns(sql, view.id, true));
  const traces = view.mode === 'profile' ? await patiently(() => loadTraces(sql, view.id)) : [];
  stream.send('result', fullResult(view, runs, traces));
}
