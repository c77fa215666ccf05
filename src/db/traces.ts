/** What profile mode recorded, as zip archives. They are their owner's and the admins' alone, like the code. */
import type { Db } from './client.ts';
import type { Lease } from './jobs.ts';

export async function insertTraces(
  tx: Db,
  held: Lease,
  gpuType: string,
  traces: { stage: string; content: Buffer }[],
): Promise<void> {
  for (const { stage, content } of traces) {
    await tx`
      insert into hotlap.traces (submission_id, job_id, gpu_type, stage, content)
      values (${held.submissionId}, ${held.jobId}, ${gpuType}, ${stage}, ${content})`;
  }
}

export interface TraceRow {
  id: number;
  gpuType: string;
  /** `profile.0` for the first benchmark. */
  stage: string;
  bytes: number;
}

/** In the order of GPU types and benchmarks; without their contents. */
export async function listTraces(db: Db, submissionId: number): Promise<TraceRow[]> {
  return db<TraceRow[]>`
    select id, gpu_type as "gpuType", stage, octet_length(content) as bytes
    from hotlap.traces where submission_id = ${submissionId} order by job_id, id`;
}

/** With the submission that it belongs to: whoever asks for it must be allowed to see that one. */
export async function findTrace(
  db: Db,
  id: number,
): Promise<{ submissionId: number; gpuType: string; stage: string; content: Buffer } | null> {
  const [row] = await db<{ submissionId: number; gpuType: string; stage: string; content: Buffer }[]>`
    select submission_id as "submissionId", gpu_type as "gpuType", stage, content
    from hotlap.traces where id = ${id}`;
  return row ?? null;
}
