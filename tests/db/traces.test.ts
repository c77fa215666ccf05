/** What compilers and profilers leave beside a result: stored with it, once, and shown to whom it belongs. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storeJobResult } from '../../src/db/results.ts';
import { listRuns } from '../../src/db/submissions.ts';
import { findTrace, listTraces } from '../../src/db/traces.ts';
import { traceFiles, traceFilesOf } from '../../src/discord/trace-files.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { outcomeOfJob, passedTests, stageReport } from '../unit/stage-report.ts';
import { leaseJob, makeBoard, makeBox, passedIn, submit } from './scene.ts';

let database: TestDatabase;
let boxId: number;
beforeAll(async () => {
  database = await testDatabase();
  boxId = (await makeBox(database.sql, ['none'])).id;
});
afterAll(() => database.drop());

/** A submission in profile mode that left these recordings, by the number of their benchmark from 0. */
async function profiled(contents: Buffer[], gpus = ['CPU']): Promise<number> {
  const { sql } = database;
  const submissionId = await submit(sql, await makeBoard(sql, { gpus }), { mode: 'profile' });
  for (const gpuType of gpus) {
    const lease = await leaseJob(sql, boxId, { submissionId, gpuType });
    const traces = contents.map((content, index) => ({ stage: `profile.${index}`, content }));
    expect(await storeJobResult(sql, lease, passedIn('test'), null, { traces })).toBe(true);
    // A result that comes twice changes nothing.
    expect(await storeJobResult(sql, lease, passedIn('test'), null, { traces })).toBe(false);
  }
  return submissionId;
}

describe('the recordings of a submission', () => {
  it('are stored with its result, once, by GPU type and benchmark', async () => {
    const id = await profiled([Buffer.from('one'), Buffer.from('two')], ['CPU', 'H100']);
    const rows = await listTraces(database.sql, id);
    expect(rows.map((row) => [row.gpuType, row.stage, row.bytes])).toEqual([
      ['CPU', 'profile.0', 3],
      ['CPU', 'profile.1', 3],
      ['H100', 'profile.0', 3],
      ['H100', 'profile.1', 3],
    ]);
    const second = await findTrace(database.sql, rows[1]?.id ?? 0);
    expect(second).toMatchObject({ submissionId: id, gpuType: 'CPU', stage: 'profile.1' });
    expect(second?.content.toString()).toBe('two');
    expect(await findTrace(database.sql, 2 ** 40)).toBe(null);
  });

  it('are attached under names that tell them apart', async () => {
    const id = await profiled([Buffer.from('one'), Buffer.from('two')], ['CPU', 'a/b c']);
    const { files, note } = await traceFiles(database.sql, id);
    expect(note).toBe(null);
    expect(files.map((file) => [file.name, String(file.data)])).toEqual([
      [`trace-${id}-CPU-1.zip`, 'one'],
      [`trace-${id}-CPU-2.zip`, 'two'],
      [`trace-${id}-a_b_c-1.zip`, 'one'],
      [`trace-${id}-a_b_c-2.zip`, 'two'],
    ]);
  });

  it('that are too large for Discord are named, and fetched in parts that make the whole', async () => {
    const large = randomBytes(20_000_000);
    const id = await profiled([Buffer.from('small'), large]);
    const { files, note } = await traceFiles(database.sql, id);
    expect(files.map((file) => file.name)).toEqual([`trace-${id}-CPU-1.zip`]);
    expect(note).toBe('Not attached: benchmark 2. /submissions trace fetches it.');
    const parts = await traceFilesOf(database.sql, id, 2);
    expect(parts.files.map((file) => file.name)).toEqual(
      ['001', '002', '003'].map((part) => `trace-${id}-CPU-2.zip.${part}`),
    );
    for (const file of parts.files) expect((file.data as Buffer).length).toBeLessThan(10 * 1024 * 1024);
    expect(Buffer.concat(parts.files.map((file) => file.data as Buffer)).equals(large)).toBe(true);
    expect(parts.note).toContain('cat ');
    expect((await traceFilesOf(database.sql, id, 3)).files).toEqual([]);
  });

  it('that are too many for one message are named', async () => {
    const id = await profiled(Array.from({ length: 12 }, (_, i) => Buffer.from(`${i}`)));
    const { files, note } = await traceFiles(database.sql, id);
    expect(files).toHaveLength(8);
    expect(note).toBe('Not attached: benchmark 9, 10, 11, 12. /submissions trace fetches it.');
  });

  it('are none of a submission that left none', async () => {
    const id = await profiled([]);
    expect(await traceFiles(database.sql, id)).toEqual({ files: [], note: null });
  });
});

describe('what a compiler said', () => {
  const build = {
    ...{ exit_code: 0, signal: null, timed_out: false, duration_ms: 5, command: 'nvcc eval.cu' },
    ...{ stdout: 'made it', stderr: 'ptxas info : 32 registers' },
  };
  const outcome = outcomeOfJob([
    stageReport('test', passedTests(1), { build, profile: { profiler: 'ncu', problem: null, trace: null } }),
  ]);

  it('is kept with the run, and of a secret run shown to nobody', async () => {
    const { sql } = database;
    const submissionId = await submit(sql, await makeBoard(sql));
    for (const secret of [false, true]) {
      const lease = await leaseJob(sql, boxId, { submissionId, secret });
      expect(await storeJobResult(sql, lease, outcome, null)).toBe(true);
    }
    for (const withSecrets of [true, false]) {
      const [open, secret] = await listRuns(sql, submissionId, withSecrets);
      expect(open).toMatchObject({
        secret: false,
        compilation: {
          success: true,
          command: 'nvcc eval.cu',
          stdout: 'made it',
          stderr: 'ptxas info : 32 registers',
          exitCode: 0,
        },
        profile: { profiler: 'ncu', problem: null },
      });
      expect(secret).toMatchObject({ secret: true, compilation: null });
    }
    const website = await sql`select compilation from leaderboard.runs where submission_id = ${submissionId}`;
    expect(website).toEqual([
      {
        compilation: {
          success: true,
          command: 'nvcc eval.cu',
          stdout: 'made it',
          stderr: 'ptxas info : 32 registers',
          exit_code: 0,
        },
      },
    ]);
  });
});
