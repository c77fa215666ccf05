/** A data set of submissions as a Parquet file. It has its name only once it is whole. */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { SchemaElement } from 'hyparquet';
import { fileWriter, ParquetWriter } from 'hyparquet-writer';
import type { Sql } from '../db/client.ts';
import { type ExportRow, listExportRows } from '../db/export.ts';

/** So many submissions are in memory at once, each with its code. */
const BATCH = 500;

const text = { type: 'BYTE_ARRAY', converted_type: 'UTF8' } as const;
const number = { type: 'DOUBLE' } as const;
const flag = { type: 'BOOLEAN' } as const;
const id = { type: 'INT64' } as const;

const columns: { name: string; element: Omit<SchemaElement, 'name'>; of: (row: ExportRow) => unknown }[] = [
  { name: 'submission_id', element: id, of: (row) => BigInt(row.submissionId) },
  { name: 'leaderboard_id', element: id, of: (row) => BigInt(row.leaderboardId) },
  { name: 'leaderboard_name', element: text, of: (row) => row.leaderboard },
  { name: 'user_id', element: text, of: (row) => row.userId },
  { name: 'user_name', element: text, of: (row) => row.userName },
  { name: 'file_name', element: text, of: (row) => row.fileName },
  { name: 'code', element: text, of: (row) => row.code },
  { name: 'code_sha256', element: text, of: (row) => row.codeSha256 },
  { name: 'mode', element: text, of: (row) => row.mode },
  { name: 'status', element: text, of: (row) => row.status },
  { name: 'reason', element: text, of: (row) => row.reason },
  {
    name: 'submission_time',
    element: { type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' },
    of: (row) => row.submittedAt,
  },
  { name: 'gpu_type', element: text, of: (row) => row.gpu },
  { name: 'passed', element: flag, of: (row) => row.passed },
  { name: 'score', element: number, of: (row) => row.publicScore },
  { name: 'secret_score', element: number, of: (row) => row.secretScore },
  { name: 'ranked', element: flag, of: (row) => row.eligible },
];

export async function writeExport(
  sql: Sql,
  options: { file: string; leaderboardIds: number[]; secretScores: boolean },
): Promise<{ rows: number; bytes: number }> {
  const { file, leaderboardIds, secretScores } = options;
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const unfinished = `${file}.${randomUUID()}`;
  try {
    const kept = columns.filter((column) => secretScores || column.name !== 'secret_score');
    const writer = new ParquetWriter({
      writer: fileWriter(unfinished),
      schema: [
        { name: 'root', num_children: kept.length },
        ...kept.map(({ name, element }) => ({
          name,
          repetition_type: 'OPTIONAL' as const,
          ...element,
        })),
      ],
    });
    let rows = 0;
    for (let after = 0; ; ) {
      const batch = await listExportRows(sql, { leaderboardIds, after, submissions: BATCH, secretScores });
      const last = batch.at(-1);
      if (!last) break;
      after = last.submissionId;
      rows += batch.length;
      writer.write({ columnData: kept.map(({ name, of }) => ({ name, data: batch.map(of) })) });
    }
    writer.finish();
    const { size } = await stat(unfinished);
    await rename(unfinished, file);
    return { rows, bytes: size };
  } finally {
    await rm(unfinished, { force: true });
  }
}
