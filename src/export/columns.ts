/** The tables of an export: which columns they have, of what kind, and where they come from. */
import type { ExportedCode, ExportedRun, ExportedScore, ExportedSubmission } from '../db/export-tables.ts';

/** `bytes` is binary in Parquet; in JSON lines it is text where it is UTF-8, else base64 under `NAME_base64`. */
export type ColumnKind = 'text' | 'int' | 'number' | 'flag' | 'time' | 'bytes';

export interface Column<Row> {
  name: string;
  kind: ColumnKind;
  of(row: Row): string | number | boolean | Date | Uint8Array | null;
  /** Left out unless secrets were asked for. */
  secret?: true;
}

export const submissionColumns: Column<ExportedSubmission>[] = [
  { name: 'submission_id', kind: 'int', of: (row) => row.id },
  { name: 'leaderboard', kind: 'text', of: (row) => row.leaderboard },
  { name: 'user_id', kind: 'text', of: (row) => row.userId },
  { name: 'user_name', kind: 'text', of: (row) => row.userName },
  { name: 'team', kind: 'text', of: (row) => row.team },
  { name: 'file_name', kind: 'text', of: (row) => row.fileName },
  { name: 'code_sha256', kind: 'text', of: (row) => row.codeSha256 },
  { name: 'mode', kind: 'text', of: (row) => row.mode },
  { name: 'language', kind: 'text', of: (row) => row.language },
  { name: 'door', kind: 'text', of: (row) => row.door },
  { name: 'status', kind: 'text', of: (row) => row.status },
  { name: 'reason', kind: 'text', of: (row) => row.reason },
  { name: 'official', kind: 'flag', of: (row) => row.official },
  { name: 'invalidated_because', kind: 'text', of: (row) => row.invalidReason },
  { name: 'task_sha256', kind: 'text', of: (row) => row.taskHash },
  { name: 'submitted_at', kind: 'time', of: (row) => row.createdAt },
  { name: 'finished_at', kind: 'time', of: (row) => row.finishedAt },
  { name: 'secret_seed', kind: 'int', of: (row) => row.secretSeed, secret: true },
];

export const runColumns: Column<ExportedRun>[] = [
  { name: 'run_id', kind: 'int', of: (row) => row.id },
  { name: 'submission_id', kind: 'int', of: (row) => row.submissionId },
  { name: 'gpu_type', kind: 'text', of: (row) => row.gpuType },
  { name: 'secret', kind: 'flag', of: (row) => row.secret },
  { name: 'stage', kind: 'text', of: (row) => row.stage },
  { name: 'mode', kind: 'text', of: (row) => row.mode },
  { name: 'passed', kind: 'flag', of: (row) => row.passed },
  { name: 'score', kind: 'number', of: (row) => row.score },
  { name: 'counts', kind: 'flag', of: (row) => row.counts },
  { name: 'started_at', kind: 'time', of: (row) => row.startedAt },
  { name: 'finished_at', kind: 'time', of: (row) => row.finishedAt },
  { name: 'exit_code', kind: 'int', of: (row) => row.exitCode },
  { name: 'failure_kind', kind: 'text', of: (row) => row.failureKind },
  { name: 'failure_summary', kind: 'text', of: (row) => row.failureSummary },
  { name: 'result', kind: 'text', of: (row) => row.result },
  { name: 'stdout', kind: 'text', of: (row) => row.stdout },
  { name: 'stderr', kind: 'text', of: (row) => row.stderr },
  { name: 'system', kind: 'text', of: (row) => row.system },
  { name: 'sandbox', kind: 'text', of: (row) => row.sandbox },
];

export const scoreColumns: Column<ExportedScore>[] = [
  { name: 'submission_id', kind: 'int', of: (row) => row.submissionId },
  { name: 'gpu_type', kind: 'text', of: (row) => row.gpuType },
  { name: 'public_score', kind: 'number', of: (row) => row.publicScore },
  { name: 'secret_score', kind: 'number', of: (row) => row.secretScore, secret: true },
  { name: 'eligible', kind: 'flag', of: (row) => row.eligible },
  { name: 'reason', kind: 'text', of: (row) => row.reason },
  { name: 'is_entry', kind: 'flag', of: (row) => row.isEntry },
];

export const codeColumns: Column<ExportedCode>[] = [
  { name: 'sha256', kind: 'text', of: (row) => row.sha256 },
  { name: 'content', kind: 'bytes', of: (row) => row.content },
];
