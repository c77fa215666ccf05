/**
 * Recordings of profile mode as attachments. Discord takes 10 MiB for a bot's file and ten files to a message: what is
 * larger goes in parts, and what does not fit beside the report is left to `/submissions trace`.
 */
import type { RawFile } from 'discord.js';
import type { Db } from '../db/client.ts';
import { findTrace, listTraces, type TraceRow } from '../db/traces.ts';

const MAX_FILE_BYTES = 9_500_000;
/** Beside the report and the code. */
const MAX_FILES = 8;
const MAX_BYTES = 24_000_000;

export interface TraceFiles {
  files: RawFile[];
  /** What could not be attached, and how to get it; null: nothing. */
  note: string | null;
}

/** Of a submission, as many as fit into one message. */
export async function traceFiles(db: Db, submissionId: number): Promise<TraceFiles> {
  const rows = await listTraces(db, submissionId);
  const fitting: TraceRow[] = [];
  let bytes = 0;
  for (const row of rows) {
    if (row.bytes > MAX_FILE_BYTES || fitting.length === MAX_FILES || bytes + row.bytes > MAX_BYTES) continue;
    fitting.push(row);
    bytes += row.bytes;
  }
  const files = await Promise.all(fitting.map((row) => loadParts(db, submissionId, row)));
  const left = rows.filter((row) => !fitting.includes(row));
  if (left.length === 0) return { files: files.flat(), note: null };
  const benchmarks = [...new Set(left.map((row) => benchmarkOf(row)))].join(', ');
  return {
    files: files.flat(),
    note: `Not attached: benchmark ${benchmarks}. /submissions trace fetches it.`,
  };
}

/** Of one benchmark of a submission, on every GPU type, in parts where they are large. */
export async function traceFilesOf(db: Db, submissionId: number, benchmark: number): Promise<TraceFiles> {
  const rows = (await listTraces(db, submissionId)).filter((row) => benchmarkOf(row) === benchmark);
  const files = (await Promise.all(rows.map((row) => loadParts(db, submissionId, row)))).flat();
  const inParts = files.some((file) => file.name.endsWith('.001'));
  return {
    files,
    note: inParts ? 'Parts belong together in their order: cat trace-….zip.0* > trace.zip' : null,
  };
}

async function loadParts(db: Db, submissionId: number, row: TraceRow): Promise<RawFile[]> {
  const content = (await findTrace(db, row.id))?.content;
  if (!content) return [];
  const name = `trace-${submissionId}-${row.gpuType.replace(/[^A-Za-z0-9._-]/g, '_')}-${benchmarkOf(row)}.zip`;
  if (content.length <= MAX_FILE_BYTES) return [{ name, data: content, contentType: 'application/zip' }];
  return Array.from({ length: Math.ceil(content.length / MAX_FILE_BYTES) }, (_, part) => ({
    name: `${name}.${String(part + 1).padStart(3, '0')}`,
    data: content.subarray(part * MAX_FILE_BYTES, (part + 1) * MAX_FILE_BYTES),
    contentType: 'application/octet-stream',
  }));
}

/** From 1 on, as people count. */
function benchmarkOf(row: TraceRow): number {
  return Number(/\.(\d+)$/.exec(row.stage)?.[1] ?? 0) + 1;
}
