/**
 * A contest in one zip file: `submissions`, `runs`, `scores` and `code` as Parquet or JSON lines, and a README that says
 * what is in it. Written beside its place and renamed once it is whole. Only a page of rows is ever in memory.
 */
import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Zip, ZipDeflate } from 'fflate';
import type { Db, Sql } from '../db/client.ts';
import {
  type ExportFilter,
  inSnapshot,
  pageOfCode,
  pageOfRuns,
  pageOfScores,
  pageOfSubmissions,
} from '../db/export-tables.ts';
import { type Column, codeColumns, runColumns, scoreColumns, submissionColumns } from './columns.ts';
import { JsonTable } from './json-table.ts';
import { ParquetTable } from './parquet-table.ts';

export const exportFormats = ['parquet', 'jsonl'] as const;
export type ExportFormat = (typeof exportFormats)[number];

/** A run has its outputs with it, code is a whole file. */
const PAGE = { submissions: 2000, runs: 200, scores: 2000, code: 50 };

export interface ExportRequest extends ExportFilter {
  format: ExportFormat;
  /** Where it goes; made where it is missing. */
  directory: string;
  /** `hotlap-2026-11-20.zip` */
  fileName: string;
  /** What it is of, for the README. */
  title: string;
}

export interface ExportResult {
  path: string;
  bytes: number;
  rows: { submissions: number; runs: number; scores: number; code: number };
}

export async function writeExport(sql: Sql, request: ExportRequest): Promise<ExportResult> {
  const { directory, fileName } = request;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const work = await mkdtemp(path.join(directory, '.unfinished-'));
  try {
    const rows = await inSnapshot(sql, (tx) => writeTables(tx, request, work));
    await writeFile(path.join(work, 'README.md'), readme(request, rows));
    const zipped = path.join(work, `${randomUUID()}.zip`);
    await zipFiles(
      ['README.md', ...Object.keys(rows).map((table) => `${table}.${request.format}`)].map((name) =>
        path.join(work, name),
      ),
      zipped,
    );
    const target = path.join(directory, fileName);
    await rename(zipped, target);
    return { path: target, bytes: (await stat(target)).size, rows };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function writeTables(tx: Db, request: ExportRequest, work: string): Promise<ExportResult['rows']> {
  const byNumber =
    <Row>(
      page: (db: Db, filter: ExportFilter, after: number, limit: number) => Promise<Row[]>,
      limit: number,
      idOf: (row: Row) => number,
    ) =>
    (last: Row | undefined) =>
      page(tx, request, last ? idOf(last) : 0, limit);
  return {
    submissions: await writeTable(
      request,
      work,
      'submissions',
      submissionColumns,
      byNumber(pageOfSubmissions, PAGE.submissions, (row) => row.id),
    ),
    runs: await writeTable(
      request,
      work,
      'runs',
      runColumns,
      byNumber(pageOfRuns, PAGE.runs, (row) => row.id),
    ),
    scores: await writeTable(
      request,
      work,
      'scores',
      scoreColumns,
      byNumber(pageOfScores, PAGE.scores, (row) => row.submissionId),
    ),
    code: await writeTable(request, work, 'code', codeColumns, (last) =>
      pageOfCode(tx, request, last?.sha256 ?? '', PAGE.code),
    ),
  };
}

async function writeTable<Row>(
  request: ExportRequest,
  work: string,
  name: string,
  columns: Column<Row>[],
  pageAfter: (last: Row | undefined) => Promise<Row[]>,
): Promise<number> {
  const kept = columns.filter((column) => request.secrets || !column.secret);
  const file = path.join(work, `${name}.${request.format}`);
  const table = request.format === 'parquet' ? new ParquetTable(file, kept) : new JsonTable(file, kept);
  let rows = 0;
  for (let last: Row | undefined; ; ) {
    const page = await pageAfter(last);
    last = page.at(-1);
    if (last === undefined) break;
    table.write(page);
    rows += page.length;
  }
  await table.finish();
  return rows;
}

/** One after the other, in pieces. */
async function zipFiles(files: string[], target: string): Promise<void> {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    const ready: Uint8Array[] = [];
    const zip = new Zip((error, data) => {
      if (error) throw error;
      ready.push(data);
    });
    for (const file of files) {
      const entry = new ZipDeflate(path.basename(file), { level: 6 });
      zip.add(entry);
      for await (const piece of createReadStream(file)) {
        entry.push(piece as Buffer);
        yield* ready.splice(0);
      }
      entry.push(new Uint8Array(0), true);
      yield* ready.splice(0);
    }
    zip.end();
    yield* ready.splice(0);
  }
  await pipeline(Readable.from(pieces()), createWriteStream(target, { mode: 0o600, flags: 'wx' }));
}

function readme({ title, format, secrets }: ExportRequest, rows: ExportResult['rows']): string {
  const tables = Object.entries(rows).map(([name, count]) => `- \`${name}.${format}\`: ${count} rows`);
  return `# ${title}

Written by Hotlap at ${new Date().toISOString()}. All tables are of the same moment.

${tables.join('\n')}

\`runs\` and \`scores\` refer to \`submissions\` by \`submission_id\`, and \`submissions\` to \`code\` by \`code_sha256\`. Scores are in
the board's own unit, seconds unless it says otherwise. Times are in UTC.

${
  secrets
    ? '**With secrets**: runs and scores of secret runs, their outputs and seeds are in here. Keep it to yourselves.'
    : 'Without secrets: nothing of secret runs is in here.'
}
`;
}
