/** Boards, people, submissions and boxes for the database tests, made by the product's own functions. */
import { ChangeRecord } from '../../src/db/audit.ts';
import { type BoxRow, insertBox } from '../../src/db/boxes.ts';
import type { Sql } from '../../src/db/client.ts';
import type { Lease } from '../../src/db/jobs.ts';
import {
  findLeaderboard,
  type LeaderboardWithTask,
  saveLeaderboard,
  storeTaskVersion,
} from '../../src/db/leaderboards.ts';
import { evenLanes } from '../../src/domain/box.ts';
import type { Outcome } from '../../src/domain/outcome.ts';
import type { Mode } from '../../src/domain/submission.ts';
import { type Task, taskHash } from '../../src/domain/task.ts';
import { accept } from '../../src/intake/accept.ts';
import { quietLog } from '../support/quiet-log.ts';
import { outcomeOfJob, passedTests, stageReport, timedBenchmarks } from '../unit/stage-report.ts';

export const plainTask: Task = {
  lang: 'py',
  description: 'Do it.',
  files: { 'eval.py': 'evaluate()' },
  submissionFile: 'submission.py',
  main: 'eval.py',
  templates: {},
  tests: ['n: 1; seed: 1'],
  benchmarks: ['n: 10; seed: 2'],
  rankingBy: 'geom',
  testTimeoutS: 10,
  benchmarkTimeoutS: 20,
  rankedTimeoutS: 30,
  multiGpu: false,
  worldSize: null,
  scoreAscending: true,
};

let made = 0;

/** A leaderboard of its own name, so that tests don't meet. */
export async function makeBoard(
  sql: Sql,
  options: { gpus?: string[]; scoreAscending?: boolean; task?: Partial<Task> } = {},
): Promise<LeaderboardWithTask> {
  const { gpus = ['CPU'], scoreAscending = true } = options;
  const task = { ...plainTask, scoreAscending, ...options.task };
  const name = `board-${++made}`;
  await saveLeaderboard(sql, {
    name,
    setName: 'set',
    directory: `set/${name}`,
    deadline: null,
    taskVersionId: await storeTaskVersion(sql, taskHash(task), task),
    scoreAscending,
    gpus,
  });
  const board = await findLeaderboard(sql, name);
  if (!board) throw new Error('the board that was just saved is not there');
  return board;
}

export function makeUser(): { id: string; name: string } {
  const id = `${900_000 + ++made}`;
  return { id, name: `user ${id}` };
}

/** Through the same door as every submission. Without `reply` nobody waits for the answer. */
export function submit(
  sql: Sql,
  board: LeaderboardWithTask,
  options: {
    user?: { id: string; name: string };
    mode?: Mode;
    gpus?: string[];
    reply?: { channelId: string; interactionToken: string; expiresAt: Date } | null;
    code?: string;
    supersede?: boolean;
  } = {},
): Promise<number> {
  const {
    user = makeUser(),
    mode = 'leaderboard',
    gpus = board.gpus,
    reply = null,
    code = 'pass\n',
    supersede = false,
  } = options;
  const file = { name: 'submission.py', bytes: Buffer.from(code) };
  return accept(sql, { file, board, mode, gpus: { gpus } }, gpus, {
    user,
    door: 'discord',
    reply,
    supersede,
  });
}

/** A box of its own name. */
export async function makeBox(sql: Sql, gpuTypes: string[], slots = 1): Promise<BoxRow> {
  const box = await insertBox(sql, {
    name: `box-${++made}`,
    kind: 'local',
    host: null,
    port: null,
    username: null,
    hostKey: null,
    lanes: evenLanes(gpuTypes, slots),
    wholeTypes: [],
    probe: null,
  });
  if (!box) throw new Error('the name of the box was taken');
  return box;
}

/** Leases this very job, where a claim would take whichever is next. */
export async function leaseJob(
  sql: Sql,
  boxId: number,
  job: { submissionId: number; secret?: boolean; gpuType?: string; rejudgeId?: number },
): Promise<Lease> {
  const { submissionId, secret = false, gpuType = 'CPU', rejudgeId = null } = job;
  const [row] = await sql<Lease[]>`
    update hotlap.jobs set status = 'leased', box_id = ${boxId}, attempt = attempt + 1,
      lease_token = gen_random_uuid(), lease_expires_at = now() + interval '30 seconds'
    where submission_id = ${submissionId} and secret = ${secret} and gpu_type = ${gpuType} and status = 'queued'
      and rejudge_id is not distinct from ${rejudgeId}
    returning id as "jobId", submission_id as "submissionId", rejudge_id as "rejudgeId", remeasure,
      lease_token as token, attempt, box_id as "boxId",
      false as "takenOver"`;
  if (!row) throw new Error('that job is not queued');
  return row;
}

/** A ranked job that passed with this score. */
export function passedWith(seconds: number): Outcome {
  const means = [seconds * 1e9];
  return outcomeOfJob([
    stageReport('test', passedTests(1)),
    stageReport('benchmark', timedBenchmarks(means)),
    stageReport('leaderboard', timedBenchmarks(means)),
  ]);
}

/** A job whose first test is wrong; `message` is what the participant would read. */
export function failedWith(message: string): Outcome {
  const text = `test-count: 1\ntest.0.spec: n: 1; seed: 1\ntest.0.status: fail\ntest.0.error: ${message}\ncheck: fail`;
  const report = stageReport('test', text, { stdout: message, stderr: message });
  return outcomeOfJob([report], {}, ['benchmark', 'leaderboard']);
}

/** A job of one passed stage. */
export function passedIn(mode: 'test' | 'benchmark'): Outcome {
  const text = mode === 'test' ? passedTests(1) : timedBenchmarks([1000]);
  return outcomeOfJob([stageReport(mode, text)]);
}

export function cancelledOutcome(): Outcome {
  return outcomeOfJob([], { outcome: 'cancelled' }, ['test', 'benchmark', 'leaderboard']);
}

/** For what is to be written into the audit log along with a change. */
export function testRecord(): ChangeRecord {
  return new ChangeRecord({ id: 'tester', name: 'tester', door: 'discord' }, 'test', quietLog);
}
