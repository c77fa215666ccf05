/**
 * What profile mode recorded on a box, fetched piece by piece: a recording is too large for a line of the protocol. The
 * job has ended, and its folder stays until `forgetJob`.
 */
import { createHash } from 'node:crypto';
import type { JobResult, StageReport } from '../domain/protocol.ts';
import type { BoxConnection } from './connection.ts';

/** A zip archive of what one stage recorded. */
export interface Trace {
  stage: string;
  content: Buffer;
}

/** Throws BoxError. A recording that is gone, or not what was announced, is left out. */
export async function fetchTraces(connection: BoxConnection, result: JobResult): Promise<Trace[]> {
  const traces: Trace[] = [];
  for (const report of result.stages) {
    const content = await fetchTrace(connection, result.job_key, report);
    if (content !== null) traces.push({ stage: report.name, content });
  }
  return traces;
}

async function fetchTrace(
  connection: BoxConnection,
  jobKey: string,
  report: StageReport,
): Promise<Buffer | null> {
  const announced = report.profile?.trace;
  if (!announced) return null;
  const agent = await connection.agent();
  const pieces: Buffer[] = [];
  let size = 0;
  while (size < announced.bytes) {
    const piece = await agent.trace(jobKey, report.name, size);
    if (piece === null || piece.length === 0) return null;
    pieces.push(piece);
    size += piece.length;
  }
  const content = Buffer.concat(pieces);
  return createHash('sha256').update(content).digest('hex') === announced.sha256 ? content : null;
}
