/** The export of a contest, read back by readers that are not ours: every table, type and null against the database. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { unzipSync } from 'fflate';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { storeBoxFailure, storeJobResult } from '../../src/db/results.ts';
import { invalidateSubmission } from '../../src/db/rulings.ts';
import { type ExportRequest, writeExport } from '../../src/export/write-export.ts';
import { accept } from '../../src/intake/accept.ts';
import { createTeam } from '../../src/intake/teams.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { outcomeOfJob, passedTests, stageReport, timedBenchmarks } from '../unit/stage-report.ts';
import { rankedSubmission } from './ranking-scene.ts';
import { failedWith, leaseJob, makeBoard, makeBox, makeUser, submit, testRecord } from './scene.ts';

const tables = ['submissions', 'runs', 'scores', 'code'] as const;
type Table = (typeof tables)[number];
type Row = Record<string, unknown>;

const SECRET_OUTPUT = 'what-only-the-secret-run-wrote';
const SECRET_SCORE = 0.123456789123;
/** No text, as an archive is none. */
const ARCHIVE = Buffer.from([0x50, 0x4b, 3, 4, 0xff, 0xfe, 0, 0x80]);
const CODE = 'def f():\n    return "ü \u2028 , \\"quoted\\" 😀"\n';

let database: TestDatabase;
let directory: string;
let board: LeaderboardWithTask;
let other: LeaderboardWithTask;
let ids: {
  ranked: number;
  wrong: number;
  broken: number;
  queued: number;
  archive: number;
  elsewhere: number;
};
let seed: number;

beforeAll(async () => {
  database = await testDatabase();
  directory = await mkdtemp(path.join(tmpdir(), 'hotlap-test-export-'));
  const { sql } = database;
  const boxId = (await makeBox(sql, ['CPU', 'H100'])).id;
  board = await makeBoard(sql, { gpus: ['CPU', 'H100'] });
  other = await makeBoard(sql);
  const user = makeUser();

  const ranked = await submit(sql, board, { user, gpus: ['CPU'], code: CODE });
  for (const secret of [false, true]) {
    const lease = await leaseJob(sql, boxId, { submissionId: ranked, secret });
    const output = secret ? { stdout: SECRET_OUTPUT, stderr: SECRET_OUTPUT } : { stdout: 'public output' };
    const outcome = outcomeOfJob([
      stageReport('test', passedTests(1)),
      stageReport('leaderboard', timedBenchmarks([secret ? SECRET_SCORE * 1e9 : 5e8]), output),
    ]);
    await storeJobResult(sql, lease, outcome, secret ? SECRET_SCORE : 0.5);
  }
  const wrong = await submit(sql, board, { user, gpus: ['H100'], mode: 'leaderboard' });
  const wrongLease = await leaseJob(sql, boxId, { submissionId: wrong, gpuType: 'H100' });
  await storeJobResult(sql, wrongLease, failedWith('not the double'), null);
  const broken = await submit(sql, board, { gpus: ['CPU'], mode: 'test' });
  const brokenLease = await leaseJob(sql, boxId, { submissionId: broken });
  await storeBoxFailure(sql, brokenLease, { kind: 'disk-full', message: 'full' });
  const queued = await submit(sql, board, { code: CODE });
  const gpus = ['CPU'];
  const archive = await accept(
    sql,
    { file: { name: 'engine.zip', bytes: ARCHIVE }, board, mode: 'test', gpus: { gpus }, listing: 'a.py' },
    gpus,
    { user: makeUser(), door: 'api', reply: null },
  );
  const elsewhere = await rankedSubmission(sql, boxId, other, { code: CODE, score: 2 });
  ids = { ranked, wrong, broken, queued, archive, elsewhere };
  await invalidateSubmission(
    sql,
    { submissionId: archive, reason: 'It is no kernel.', evidence: null },
    testRecord(),
  );
  const [row] = await sql<{ seed: number }[]>`
    select secret_seed as seed from hotlap.submissions where id = ${ranked}`;
  seed = row?.seed ?? 0;
});
afterAll(async () => {
  await database.drop();
  await rm(directory, { recursive: true, force: true });
});

let made = 0;
async function exported(options: Partial<ExportRequest>) {
  const request = {
    leaderboardIds: [board.id],
    secrets: false,
    format: 'parquet' as const,
    directory,
    fileName: `set-${++made}.zip`,
    title: 'A contest',
    ...options,
  };
  const result = await writeExport(database.sql, request);
  const zip = await readFile(result.path);
  expect(zip.length).toBe(result.bytes);
  return { result, zip, files: unzipSync(zip) };
}

const bufferOf = (file: Uint8Array) => Uint8Array.from(file).buffer;

async function parquetOf(files: Record<string, Uint8Array>): Promise<Record<Table, Row[]>> {
  const read = async (table: Table) => {
    const file = bufferOf(files[`${table}.parquet`] ?? new Uint8Array());
    // Binary stays binary where the column says nothing of text.
    return [table, await parquetReadObjects({ file, utf8: false })] as const;
  };
  return Object.fromEntries(await Promise.all(tables.map(read))) as Record<Table, Row[]>;
}

function jsonOf(files: Record<string, Uint8Array>): Record<Table, Row[]> {
  const read = (table: Table) => {
    const text = Buffer.from(files[`${table}.jsonl`] ?? []).toString('utf8');
    expect(text.endsWith('\n')).toBe(true);
    const lines = text.slice(0, -1).split('\n');
    return [table, lines.map((line) => JSON.parse(line))] as const;
  };
  return Object.fromEntries(tables.map(read)) as Record<Table, Row[]>;
}

async function counts(leaderboardId: number, secrets: boolean): Promise<Record<Table, number>> {
  const { sql } = database;
  const own = sql`select id from hotlap.submissions where leaderboard_id = ${leaderboardId}`;
  const [row] = await sql<Record<Table, number>[]>`
    select (select count(*) from hotlap.submissions where id in (${own})) as submissions,
      (select count(*) from hotlap.runs where submission_id in (${own}) and (${secrets} or not secret)) as runs,
      (select count(*) from hotlap.submission_scores where submission_id in (${own})) as scores,
      (select count(distinct code_sha256) from hotlap.submissions where id in (${own})) as code`;
  if (!row) throw new Error('no counts');
  return row;
}

const byId = (rows: Row[], id: number) => rows.find((row) => Number(row.submission_id) === id);

describe('an export as Parquet', () => {
  it('has every row of the database, with its types and its nulls', async () => {
    const [owner] = await database.sql<{ id: string }[]>`
      select user_id as id from hotlap.submissions where id = ${ids.ranked}`;
    const member = { id: owner?.id ?? '', name: `user ${owner?.id}` };
    await createTeam(database.sql, member, { name: 'Exporters', shares: false }, testRecord());
    const { result, files } = await exported({});
    expect(Object.keys(files).sort()).toEqual(
      ['README.md', ...tables.map((name) => `${name}.parquet`)].sort(),
    );
    const read = await parquetOf(files);
    const wanted = await counts(board.id, false);
    expect(result.rows).toEqual(wanted);
    for (const table of tables) expect([table, read[table].length]).toEqual([table, wanted[table]]);
    expect(wanted).toMatchObject({ submissions: 5, code: 3 });

    const [row] = await database.sql<{ createdAt: Date; finishedAt: Date; sha: string; userId: string }[]>`
      select created_at as "createdAt", finished_at as "finishedAt", code_sha256 as sha, user_id as "userId"
      from hotlap.submissions where id = ${ids.ranked}`;
    expect(byId(read.submissions, ids.ranked)).toEqual({
      submission_id: BigInt(ids.ranked),
      leaderboard: board.name,
      user_id: row?.userId,
      user_name: `user ${row?.userId}`,
      team: 'Exporters',
      file_name: 'submission.py',
      code_sha256: row?.sha,
      mode: 'leaderboard',
      language: 'Python',
      door: 'discord',
      status: 'done',
      reason: null,
      official: true,
      invalidated_because: null,
      task_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      submitted_at: row?.createdAt,
      finished_at: row?.finishedAt,
    });
    expect(byId(read.submissions, ids.queued)).toMatchObject({ status: 'queued', finished_at: null });
    expect(byId(read.submissions, ids.archive)).toMatchObject({
      door: 'api',
      invalidated_because: 'It is no kernel.',
    });
    expect(byId(read.scores, ids.ranked)).toEqual({
      submission_id: BigInt(ids.ranked),
      gpu_type: 'CPU',
      public_score: 0.5,
      eligible: true,
      reason: null,
      is_entry: true,
    });
    expect(byId(read.scores, ids.wrong)).toMatchObject({
      public_score: null,
      eligible: false,
      is_entry: false,
    });
    const run = read.runs.find((item) => item.stdout === 'public output');
    expect(run).toMatchObject({
      secret: false,
      stage: 'leaderboard',
      passed: true,
      score: 0.5,
      counts: true,
    });
    expect(run?.started_at).toBeInstanceOf(Date);
    expect(run?.failure_kind).toBeNull();
    expect(JSON.parse(String(run?.result))).toContainEqual(['check', 'pass']);
    expect(byId(read.runs, ids.wrong)).toMatchObject({ passed: false, failure_kind: 'wrong', score: null });

    const { schema } = parquetMetadata(bufferOf(files['submissions.parquet'] ?? new Uint8Array()));
    const types = Object.fromEntries(schema.map(({ name, type, converted_type: as }) => [name, [type, as]]));
    expect(types).toMatchObject({
      submission_id: ['INT64', undefined],
      leaderboard: ['BYTE_ARRAY', 'UTF8'],
      official: ['BOOLEAN', undefined],
      submitted_at: ['INT64', 'TIMESTAMP_MILLIS'],
    });
    expect(await readdir(directory)).toContain(path.basename(result.path));
    expect((await readdir(directory)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('has each file of code once, under its hash', async () => {
    const { code, submissions } = await parquetOf((await exported({})).files);
    const hashes = code.map(({ content, sha256 }) => {
      const bytes = content as Uint8Array;
      expect(bytes).toBeInstanceOf(Uint8Array);
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256);
      return sha256;
    });
    expect(new Set(hashes)).toEqual(new Set(submissions.map((row) => row.code_sha256)));
    const sha = byId(submissions, ids.archive)?.code_sha256;
    expect(Buffer.from(code.find((row) => row.sha256 === sha)?.content as Uint8Array)).toEqual(ARCHIVE);
  });

  it('is of one board, or of all', async () => {
    const all = await parquetOf((await exported({ leaderboardIds: null })).files);
    const names = new Set(all.submissions.map((row) => row.leaderboard));
    expect(names).toEqual(new Set([board.name, other.name]));
    expect(all.submissions).toHaveLength(6);
    // Both boards have this file.
    expect(all.code).toHaveLength(3);
    const none = await exported({ leaderboardIds: [9_999_999] });
    expect(none.result.rows).toEqual({ submissions: 0, runs: 0, scores: 0, code: 0 });
    expect((await parquetOf(none.files)).runs).toEqual([]);
  });
});

describe('an export as JSON lines', () => {
  it('says the same as the Parquet', async () => {
    const json = jsonOf((await exported({ format: 'jsonl' })).files);
    const parquet = await parquetOf((await exported({})).files);
    const plain = (rows: Row[]) =>
      JSON.parse(JSON.stringify(rows, (_, value) => (typeof value === 'bigint' ? Number(value) : value)));
    for (const table of ['submissions', 'runs', 'scores'] as const)
      expect(json[table]).toEqual(plain(parquet[table]));
    const contents = json.code.map(({ sha256, content, content_base64: base64 }) => {
      const bytes =
        base64 === undefined ? Buffer.from(String(content)) : Buffer.from(String(base64), 'base64');
      return [sha256, createHash('sha256').update(bytes).digest('hex')];
    });
    for (const [name, hash] of contents) expect(hash).toBe(name);
    expect(json.code.filter((row) => row.content_base64 !== undefined)).toHaveLength(1);
    expect(json.code.some((row) => row.content === CODE)).toBe(true);
  });
});

describe('what is secret', () => {
  /** Wherever it stands in the files: as text, as bytes of a number, or behind a reader's decompression. */
  async function found(options: Partial<ExportRequest>): Promise<string[]> {
    const { zip, files } = await exported(options);
    const asDouble = Buffer.alloc(8);
    asDouble.writeDoubleLE(SECRET_SCORE);
    const asInt = Buffer.alloc(8);
    asInt.writeBigInt64LE(BigInt(seed));
    const isJson = options.format === 'jsonl';
    const rows = isJson ? jsonOf(files) : await parquetOf(files);
    const read = JSON.stringify(rows, (_, value) => (typeof value === 'bigint' ? Number(value) : value));
    const places = [zip, ...Object.values(files).map((file) => Buffer.from(file)), Buffer.from(read)];
    const marks = {
      seed: [Buffer.from(String(seed)), asInt],
      'secret score': [Buffer.from('123456789'), asDouble],
      'secret output': [Buffer.from(SECRET_OUTPUT)],
      'secret run': [Buffer.from('"secret":true')],
    };
    return Object.entries(marks).flatMap(([name, texts]) =>
      texts.some((text) => places.some((place) => place.includes(text))) ? [name] : [],
    );
  }

  it.each(['parquet', 'jsonl'] as const)('is in no byte of a %s export, unless asked for', async (format) => {
    expect(await found({ format })).toEqual([]);
    expect(await found({ format, leaderboardIds: null })).toEqual([]);
    const all = ['seed', 'secret score', 'secret output', 'secret run'];
    expect(await found({ format, secrets: true })).toEqual(all);
  });

  it('is in columns of its own where it was asked for, and the README says so', async () => {
    const { result, files } = await exported({ secrets: true });
    expect(result.rows).toEqual(await counts(board.id, true));
    const read = await parquetOf(files);
    expect(byId(read.submissions, ids.ranked)?.secret_seed).toBe(BigInt(seed));
    expect(byId(read.submissions, ids.broken)?.secret_seed).toBeNull();
    expect(byId(read.scores, ids.ranked)?.secret_score).toBe(SECRET_SCORE);
    expect(byId(read.scores, ids.wrong)?.secret_score).toBeNull();
    const readme = (of: Record<string, Uint8Array>) => Buffer.from(of['README.md'] ?? []).toString();
    expect(readme(files)).toContain('**With secrets**');
    const without = (await exported({})).files;
    expect(readme(without)).toContain('Without secrets');
    const columns = Object.keys((await parquetOf(without)).scores[0] ?? {});
    expect(columns).not.toContain('secret_score');
  });
});
