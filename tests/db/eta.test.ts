/** The time to wait that people are shown, against the time that they then waited: a contest played in fast motion. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { QueueView } from '../../src/api/queue-view.ts';
import type { BoxRow } from '../../src/db/boxes.ts';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { loadQueue } from '../../src/db/queue.ts';
import { forecast } from '../../src/domain/eta.ts';
import type { Mode } from '../../src/domain/submission.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { Contest, type SimulatedJob, seededRandom } from './contest.ts';
import { makeBoard, makeBox, makeUser, submit } from './scene.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase({ maxConnections: 6 });
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.sql`truncate hotlap.submissions, hotlap.jobs cascade`;
  await database.sql`update hotlap.boxes set state = 'removed'`;
});

/** Seconds that a job of a mode takes at the median, and how much its jobs differ (sigma of the logarithm). */
const typicalS: Record<Mode, number> = { test: 6, benchmark: 25, profile: 40, leaderboard: 45 };
const SPREAD = 0.35;

/** Box-Muller. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

interface Guess {
  saidAtMs: number;
  lowMs: number;
  highMs: number;
  endedMs: number | null;
}

/** Plays the contest; what each submission was told when it came, for its last job, and when that had ended. */
async function play(seed: number, boxes: BoxRow[], boards: LeaderboardWithTask[]): Promise<Guess[]> {
  const { sql } = database;
  const random = seededRandom(seed);
  const users = Array.from({ length: 12 }, () => makeUser());
  const difficulty = new Map(boards.map((board, index) => [board.id, 0.6 + 0.7 * index]));
  const durationMs = (job: Pick<SimulatedJob, 'leaderboardId' | 'mode'>) =>
    1000 *
    typicalS[job.mode as Mode] *
    (difficulty.get(job.leaderboardId) ?? 1) *
    Math.exp(SPREAD * normal(random));
  const contest = new Contest(sql, boxes, durationMs);
  const guesses = new Map<number, Guess>();
  const waiting = new Map<number, number>();

  const pick = <T>(items: T[]): T => items[Math.floor(random() * items.length)] as T;
  const arrive = async () => {
    // Some are busier than others, and most files are tried before they are ranked.
    const user = users[Math.floor(users.length * random() ** 2)] ?? makeUser();
    const mode = pick<Mode>(['test', 'test', 'test', 'benchmark', 'leaderboard', 'leaderboard']);
    const id = await submit(sql, pick(boards), { user, mode });
    const snapshot = await loadQueue(sql);
    const places = forecast(snapshot);
    const last = snapshot.queued.filter((job) => job.submissionId === id).at(-1);
    const eta = last && places.get(last.jobId)?.eta;
    if (!last || !eta) throw new Error('a queued job without a time');
    guesses.set(last.jobId, { ...eta, saidAtMs: contest.nowMs, endedMs: null });
    waiting.set(last.jobId, id);
    await contest.fill();
  };

  // In waves, so that there are times with a long queue and times with none.
  let nextArrivalMs = 0;
  for (let arrivals = 0; arrivals < 160 || contest.running.length > 0; ) {
    const endMs = contest.nextEndMs ?? Number.POSITIVE_INFINITY;
    if (arrivals < 160 && nextArrivalMs <= endMs) {
      await contest.passTo(nextArrivalMs);
      await arrive();
      arrivals += 1;
      const busy = 0.55 + 0.75 * Math.sin(arrivals / 20) ** 2;
      nextArrivalMs += (-Math.log(1 - random()) * 17_000) / busy;
    } else {
      const ended = await contest.endNext();
      const guess = ended && guesses.get(ended.jobId);
      if (guess) guess.endedMs = contest.nowMs;
      await contest.fill();
    }
  }
  return [...guesses.values()];
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

describe('the time that a submission is told when it comes', () => {
  it('is off by less than 40 % of the wait at the median, and its range holds at least as many waits', async () => {
    const { sql } = database;
    const boards = [await makeBoard(sql), await makeBoard(sql), await makeBoard(sql)];
    const boxes = [await makeBox(sql, ['CPU']), await makeBox(sql, ['CPU'])];
    const all = await play(2026, boxes, boards);
    // The first of each kind are told an assumption: nothing has been measured yet.
    const guesses = all.slice(30).map((guess) => {
      const waitMs = (guess.endedMs ?? Number.NaN) - guess.saidAtMs;
      const middleMs = (guess.lowMs + guess.highMs) / 2;
      const inRange = guess.lowMs <= waitMs && waitMs <= guess.highMs;
      return { waitMs, errorMs: Math.abs(middleMs - waitMs), inRange };
    });
    const errorS = median(guesses.map((guess) => guess.errorMs)) / 1000;
    const waitS = median(guesses.map((guess) => guess.waitMs)) / 1000;
    const relative = median(guesses.map((guess) => guess.errorMs / guess.waitMs));
    const held = guesses.filter((guess) => guess.inRange).length / guesses.length;
    process.stdout.write(
      `ETA over ${guesses.length} submissions: median wait ${waitS.toFixed(1)} s, median absolute error ` +
        `${errorS.toFixed(1)} s, median error / wait ${(100 * relative).toFixed(0)} %, ` +
        `within the range ${(100 * held).toFixed(0)} %\n`,
    );
    expect(guesses.every((guess) => guess.waitMs > 0)).toBe(true);
    expect(waitS, 'a contest in which people wait').toBeGreaterThan(30);
    expect(relative).toBeLessThan(0.4);
    expect(errorS / waitS).toBeLessThan(0.4);
    expect(held).toBeGreaterThan(0.4);
  });
});

describe('the queue as the HTTP API reads it, once for all who wait', () => {
  it('has the place of a job that came after the last reading', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    await makeBox(sql, ['CPU']);
    const queue = new QueueView(sql);
    expect(await queue.places([])).toEqual(new Map());
    const jobs = async () =>
      (await sql<{ id: number }[]>`select id from hotlap.jobs order by id`).map((job) => job.id);
    for (const ahead of [0, 1]) {
      await submit(sql, board, { mode: 'test' });
      const [id = 0] = (await jobs()).slice(-1);
      expect((await queue.places([id])).get(id)).toMatchObject({ ahead });
    }
  });
});
