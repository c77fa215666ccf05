/**
 * What Hotlap adds to a job: jobs of a null problem over a real SSH box with one lane, through the front door and the
 * real scheduler. All times of a job are on one clock, because box and scheduler are this machine.
 *
 *   committed --(dispatch)--> first runner event ... finished on the box --(store)--> result committed
 *                                                    finished on the box --(idle gap)--> the next job started there
 */
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { loadQueue } from '../src/db/queue.ts';
import { forecast } from '../src/domain/eta.ts';
import { sshdMissing } from '../tests/support/sshd.ts';
import { timeBareExecs, timeTransportExecs } from './bare-exec.ts';
import { BOARD, DispatchLane, type JobTimes, nowMs } from './dispatch-lane.ts';
import { median, type Part, type Row } from './row.ts';

const EXECS = 60;
const SINGLES = 40;
const WARMUP_JOBS = 5;
const BACK_TO_BACK = 60;
const QUEUED = 10_000;
const JOBS_BEFORE_LONG_QUEUE = 40;
const FIRST_READINGS = 40;
const READINGS = 120;
const IDLE_MS = 100;
const DEADLINE_MS = 120_000;

const DISPATCH_GOAL_EXECS = 5;
const GAP_GOAL_MS = 150;
const MEMORY_GOAL = 1.2;

export const dispatch: Part = {
  name: 'dispatch',
  about: 'from a committed submission to its stored result, on a real SSH box',
  async measure(say) {
    const missing = sshdMissing();
    if (missing !== null) {
      say(`nothing to measure: ${missing}`);
      return [];
    }
    const lane = await DispatchLane.open();
    try {
      return await measureOn(lane, say);
    } finally {
      await lane.close();
    }
  },
};

async function measureOn(lane: DispatchLane, say: (text: string) => void): Promise<Row[]> {
  // Half before the jobs and half after them, so that a machine that gets busier disturbs both sides alike.
  const bare = await timeBareExecs(lane.sshd, EXECS / 2);
  const transport = await timeTransportExecs(lane.sshd, EXECS / 2);
  await lane.startScheduler();
  const singles = await runSingles(lane);
  say(`${SINGLES} single jobs`);
  const row = await runBackToBack(lane, BACK_TO_BACK);
  say(`${BACK_TO_BACK} jobs in a row`);
  bare.push(...(await timeBareExecs(lane.sshd, EXECS / 2)));
  transport.push(...(await timeTransportExecs(lane.sshd, EXECS / 2)));
  const long = await runUnderLongQueue(lane);
  say(`${JOBS_BEFORE_LONG_QUEUE} jobs with ${QUEUED} queued, ${READINGS} readings of their places`);

  const bareMs = median(bare);
  const plain = (name: string, unit: string, value: number): Row =>
    figure(name, unit, value, null, null, null);
  return [
    plain('exec true, ssh2 alone', 'ms', bareMs),
    figure('exec true, our transport', 'ms', median(transport), bareMs, null, null),
    figure(
      'committed to first runner event',
      'ms',
      median(singles.dispatchMs),
      bareMs,
      `within ${DISPATCH_GOAL_EXECS} bare execs`,
      median(singles.dispatchMs) <= DISPATCH_GOAL_EXECS * bareMs,
    ),
    plain('of that, until start is sent', 'ms', median(singles.toStartMs)),
    plain('of that, from start to the first event', 'ms', median(singles.toEventMs)),
    plain('finished on the box to result stored', 'ms', median(singles.storeMs)),
    goal('idle gap between two jobs', 'ms', median(row.gapsMs), GAP_GOAL_MS),
    plain('null jobs per second, one lane', '1/s', row.perSecond),
    goal(`idle gap with ${QUEUED} queued`, 'ms', median(long.gapsMs), GAP_GOAL_MS),
    memory(`memory of the scheduler, ${QUEUED} queued`, long.queuedMib, long.emptyMib),
    plain(`reading ${QUEUED} places and times`, 'ms', long.placesMs),
    memory(`memory after ${READINGS} such readings, beside ${FIRST_READINGS}`, long.lastMib, long.firstMib),
  ];
}

function figure(
  name: string,
  unit: string,
  value: number,
  baseline: number | null,
  goalText: string | null,
  met: boolean | null,
): Row {
  const ratio = baseline === null ? null : value / baseline;
  return { part: 'dispatch', name, unit, value, baseline, ratio, goal: goalText, met };
}

function goal(name: string, unit: string, value: number, belowMs: number): Row {
  return figure(name, unit, value, null, `under ${belowMs} ${unit}`, value < belowMs);
}

interface Singles {
  dispatchMs: number[];
  toStartMs: number[];
  toEventMs: number[];
  storeMs: number[];
}

function memory(name: string, value: number, baseline: number): Row {
  return figure(
    name,
    'MiB',
    value,
    baseline,
    `at most ${MEMORY_GOAL} times`,
    value <= MEMORY_GOAL * baseline,
  );
}

/** One job at a time, the lane idle before each. */
async function runSingles(lane: DispatchLane): Promise<Singles> {
  const found: Singles = { dispatchMs: [], toStartMs: [], toEventMs: [], storeMs: [] };
  let storedAt = 0;
  // Told to the bot with the commit that ends a submission.
  const listener = await lane.sql.listen('hotlap_outbox', () => {
    storedAt = nowMs();
  });
  for (let i = -WARMUP_JOBS; i < SINGLES; i++) {
    storedAt = 0;
    const { jobId, committed } = await lane.submit('single');
    await waitFor(`job ${jobId}`, () => storedAt > 0);
    const times = timesOf(lane, jobId);
    // Until the folder on the box is gone and the lane waits again.
    await delay(IDLE_MS);
    if (i < 0) continue;
    found.dispatchMs.push(times.firstEvent - committed);
    found.toStartMs.push(times.startSent - committed);
    found.toEventMs.push(times.firstEvent - times.startSent);
    found.storeMs.push(storedAt - times.finished);
  }
  await listener.unlisten();
  return found;
}

/** `count` jobs that are all there at once, and how the lane gets from one to the next. */
async function runBackToBack(lane: DispatchLane, count: number) {
  const ids: number[] = [];
  for (let i = 0; i < count; i++) ids.push((await lane.submit(`user ${i % 10}`)).jobId);
  await waitFor('the jobs in a row', async () => (await countOpen(lane)) === 0);
  const ran = [...lane.times.values()].filter((times) => ids.includes(times.jobId));
  const gapsMs = gaps(ran);
  const firstMs = Math.min(...ran.map((times) => times.started));
  const lastMs = Math.max(...ran.map((times) => times.finished));
  return { gapsMs, perSecond: (1000 * (ran.length - 1)) / (lastMs - firstMs) };
}

/** With the queue of a big contest's last hour: jobs go on, then places are read as the live replies read them. */
async function runUnderLongQueue(lane: DispatchLane) {
  const emptyMib = await settledMemoryMib();
  const before = lane.times.size;
  await fillQueue(lane);
  await waitFor('jobs before a long queue', () => lane.times.size - before > JOBS_BEFORE_LONG_QUEUE);
  const queuedMib = await settledMemoryMib();
  // The first of them had the row's filling before it.
  const gapsMs = gaps([...lane.times.values()].slice(before + 1));

  const places: number[] = [];
  let firstMib = 0;
  for (let i = 1; i <= READINGS; i++) {
    const since = performance.now();
    const known = forecast(await loadQueue(lane.sql)).size;
    places.push(performance.now() - since);
    if (known < QUEUED / 2) throw new Error(`only ${known} places were read`);
    if (i === FIRST_READINGS) firstMib = await settledMemoryMib();
  }
  const lastMib = await settledMemoryMib();
  return { gapsMs, emptyMib, queuedMib, placesMs: median(places), firstMib, lastMib };
}

/** Rows as `accept` would store them, of a hundred people. */
async function fillQueue(lane: DispatchLane): Promise<void> {
  await lane.sql.begin(async (tx) => {
    await tx`
      insert into hotlap.users (id, name) select 'long ' || n, 'long ' || n from generate_series(1, 100) n`;
    await tx`
      with rows as (
        insert into hotlap.submissions
          (user_id, leaderboard_id, task_version_id, code_sha256, file_name, mode, door)
        select 'long ' || (1 + n % 100), l.id, l.task_version_id, c.sha256, 'submission.py', 'test', 'discord'
        from hotlap.leaderboards l, hotlap.code_blobs c, generate_series(1, ${QUEUED}::int) n
        where l.name = ${BOARD} order by n
        returning id, user_id, leaderboard_id, mode
      )
      insert into hotlap.jobs (submission_id, user_id, leaderboard_id, mode, gpu_type, secret, priority)
      select id, user_id, leaderboard_id, mode, 'CPU', false, 10 from rows`;
    await tx`select pg_notify('hotlap_jobs', '')`;
  });
}

/** From the end of one job on the box to the start of the next one there. */
function gaps(ran: JobTimes[]): number[] {
  const inOrder = ran.filter((times) => times.finished > 0).sort((a, b) => a.started - b.started);
  return inOrder.slice(1).map((times, i) => times.started - (inOrder[i]?.finished ?? Number.NaN));
}

async function countOpen(lane: DispatchLane): Promise<number> {
  const [row] = await lane.sql<{ open: number }[]>`
    select count(*) as open from hotlap.jobs where status in ('queued', 'leased', 'running')`;
  return row?.open ?? 0;
}

function timesOf(lane: DispatchLane, jobId: number): JobTimes {
  const times = lane.times.get(jobId);
  if (!times || times.firstEvent === 0 || times.finished === 0)
    throw new Error(`job ${jobId} was not seen to run`);
  return times;
}

/** Resident memory after everything that can go has gone. */
async function settledMemoryMib(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  await delay(IDLE_MS);
  collect();
  return process.memoryUsage().rss / 2 ** 20;
}

async function waitFor(what: string, look: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!(await look())) {
    if (performance.now() > deadline) throw new Error(`waited ${DEADLINE_MS} ms for ${what}`);
    await delay(5);
  }
}
