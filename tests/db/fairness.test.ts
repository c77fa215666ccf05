/** Whose job is next: turns between people, quick feedback inside a turn, re-runs in idle times. */
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { setBoxState } from '../../src/db/boxes.ts';
import { claimJob, type Lease, requeueJob } from '../../src/db/jobs.ts';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { loadQueue } from '../../src/db/queue.ts';
import { forecast } from '../../src/domain/eta.ts';
import { modes } from '../../src/domain/submission.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { Contest, seededRandom } from './contest.ts';
import { makeBoard, makeBox, makeUser, submit } from './scene.ts';

let database: TestDatabase;
let board: LeaderboardWithTask;
beforeAll(async () => {
  database = await testDatabase({ maxConnections: 10 });
  board = await makeBoard(database.sql);
});
afterAll(() => database.drop());
beforeEach(async () => {
  const { sql } = database;
  await sql`truncate hotlap.submissions, hotlap.jobs cascade`;
  await sql`update hotlap.boxes set state = 'removed'`;
});

type User = ReturnType<typeof makeUser>;

/** The first of the queue, always ended at once: the order in which one slot would take them. */
async function claimOrder(): Promise<Lease[]> {
  const box = await makeBox(database.sql, ['CPU'], 64);
  const leases = [];
  for (let lease = await claimJob(database.sql, box); lease; lease = await claimJob(database.sql, box))
    leases.push(lease);
  return leases;
}

const submissionsOf = (leases: Lease[]) => leases.map((lease) => lease.submissionId);

/** `seconds` of GPU time, so long ago. */
async function usedGpu(user: User, seconds: number, endedSecondsAgo = 0): Promise<void> {
  const id = await submit(database.sql, board, { user, mode: 'test' });
  await database.sql`
    update hotlap.jobs set status = 'finished', passed = true, attempt = 1,
      started_at = now() - make_interval(secs => ${seconds + endedSecondsAgo}),
      finished_at = now() - make_interval(secs => ${endedSecondsAgo})
    where submission_id = ${id}`;
}

async function manyFiles(user: User, count: number, modeOf: (index: number) => (typeof modes)[number]) {
  for (let from = 0; from < count; from += 10) {
    const batch = Array.from({ length: Math.min(10, count - from) }, (_, i) => modeOf(from + i));
    await Promise.all(batch.map((mode) => submit(database.sql, board, { user, mode })));
  }
}

describe('one participant with 500 queued files', () => {
  for (const boxes of [1, 2, 3]) {
    it(`delays another’s first file, in any mode, by at most one job per box (boxes: ${boxes})`, async () => {
      const { sql } = database;
      const random = seededRandom(40 + boxes);
      const hog = makeUser();
      await manyFiles(hog, 500, (index) =>
        index % 25 === 0 ? 'leaderboard' : index % 4 === 0 ? 'benchmark' : 'test',
      );
      const rows = await Promise.all(Array.from({ length: boxes }, () => makeBox(sql, ['CPU'])));
      const contest = new Contest(sql, rows, () => 500 + 60_000 * random());
      await contest.fill();
      for (const mode of [...modes, ...modes]) {
        for (let warm = Math.floor(random() * 6); warm >= 0; warm--) {
          await contest.endNext();
          await contest.fill();
        }
        const other = makeUser();
        const before = contest.started.length;
        const delaying = new Set(
          contest.running.filter((job) => job.userId === hog.id).map((job) => job.jobId),
        );
        await submit(sql, board, { user: other, mode });
        await contest.fill();
        while (!contest.started.some((job) => job.userId === other.id)) {
          await contest.endNext();
          await contest.fill();
        }
        const since = contest.started.slice(before);
        const first = since.findIndex((job) => job.userId === other.id);
        for (const job of since.slice(0, first)) if (job.userId === hog.id) delaying.add(job.jobId);
        expect(delaying.size, `${mode}: jobs that ran first`).toBeLessThanOrEqual(boxes);
      }
    });
  }

  it('delays nobody for long who has used the boxes a lot of late', async () => {
    const { sql } = database;
    const random = seededRandom(7);
    const [hog, busy] = [makeUser(), makeUser()];
    const contest = new Contest(sql, [await makeBox(sql, ['CPU'])], () => 1000 + 4000 * random());
    await manyFiles(busy, 12, () => 'leaderboard');
    await contest.fill();
    for (let ended = 0; ended < 20; ended++) {
      await contest.endNext();
      await contest.fill();
    }
    await manyFiles(hog, 500, () => 'test');
    const before = contest.started.length;
    for (let ended = 0; ended < 12; ended++) {
      await contest.endNext();
      await contest.fill();
    }
    const order = contest.started.slice(before).map((job) => (job.userId === busy.id ? 'busy' : 'hog'));
    // They take turns; the newcomer may make up for one.
    for (let at = 0; at + 3 <= 8; at++) expect(order.slice(at, at + 3), order.join(' ')).toContain('busy');
  });
});

describe('inside a turn', () => {
  it('test goes before benchmark and profile, and ranked comes last, whoever came first', async () => {
    const { sql } = database;
    const ids: Record<string, number> = {};
    for (const mode of ['leaderboard', 'profile', 'benchmark', 'test'] as const) {
      ids[mode] = await submit(sql, board, { mode });
    }
    const order = submissionsOf(await claimOrder());
    expect(order).toEqual([ids.test, ids.profile, ids.benchmark, ids.leaderboard, ids.leaderboard]);
  });

  it('whoever used the least GPU time of late goes first, then whoever came first', async () => {
    const { sql } = database;
    const [much, some, none, alsoNone, longAgo] = [
      makeUser(),
      makeUser(),
      makeUser(),
      makeUser(),
      makeUser(),
    ];
    await usedGpu(much, 900);
    await usedGpu(some, 30);
    await usedGpu(longAgo, 3000, 3600);
    const order = [];
    for (const user of [much, some, none, alsoNone, longAgo]) {
      order.push(await submit(sql, board, { user, mode: 'test' }));
    }
    const [byMuch, bySome, byNone, byAlsoNone, byLongAgo] = order;
    expect(submissionsOf(await claimOrder())).toEqual([byNone, byAlsoNone, byLongAgo, bySome, byMuch]);
  });

  it('counts nothing of one GPU type against its user on another', async () => {
    const { sql } = database;
    const both = await makeBoard(sql, { gpus: ['CPU', 'H100'] });
    const [here, there] = [makeUser(), makeUser()];
    for (let i = 0; i < 5; i++) await submit(sql, both, { user: there, mode: 'test', gpus: ['H100'] });
    const slow = await submit(sql, both, { user: there, mode: 'test', gpus: ['CPU'] });
    const quick = await submit(sql, both, { user: here, mode: 'test', gpus: ['CPU'] });
    expect(submissionsOf(await claimOrder())).toEqual([slow, quick]);
  });
});

describe('a user', () => {
  it('gets their own quick feedback before their own ranked files', async () => {
    const user = makeUser();
    const ranked = [];
    for (let i = 0; i < 3; i++) ranked.push(await submit(database.sql, board, { user }));
    const test = await submit(database.sql, board, { user, mode: 'test' });
    const order = submissionsOf(await claimOrder());
    expect(order[0]).toBe(test);
    expect(order.slice(1)).toEqual(ranked.flatMap((id) => [id, id]));
  });

  it('is not held up by a job of their own that waits for its next attempt, nor set back by it', async () => {
    const { sql } = database;
    const [user, other] = [makeUser(), makeUser()];
    const box = await makeBox(sql, ['CPU'], 64);
    await submit(sql, board, { user, mode: 'test' });
    const failed = await claimJob(sql, box);
    if (!failed) throw new Error('nothing to claim');
    await requeueJob(sql, failed, { kind: 'disk-full', message: '', delayMs: 600_000 });
    const theirs = await submit(sql, board, { user: other, mode: 'benchmark' });
    const next = await submit(sql, board, { user, mode: 'test' });
    const last = await submit(sql, board, { user: other, mode: 'benchmark' });
    // The failed attempt was a turn of theirs, the one that is put off takes none.
    expect(submissionsOf(await claimOrder())).toEqual([theirs, next, last]);
  });
});

describe('work for idle times', () => {
  it('comes after everything else, and takes no turn of its user', async () => {
    const { sql } = database;
    const [user, other] = [makeUser(), makeUser()];
    const idle = [];
    for (let i = 0; i < 4; i++) idle.push(await submit(sql, board, { user, mode: 'test' }));
    await sql`update hotlap.jobs set priority = 100`;
    const box = await makeBox(sql, ['CPU'], 2);
    for (let i = 0; i < 2; i++) expect((await claimJob(sql, box))?.submissionId).toBe(idle[i]);
    const rankedOne = await submit(sql, board, { user: other });
    const rankedTwo = await submit(sql, board, { user: other });
    const own = await submit(sql, board, { user, mode: 'test' });
    expect(submissionsOf(await claimOrder())).toEqual([
      own,
      ...[rankedOne, rankedOne, rankedTwo, rankedTwo],
      ...idle.slice(2),
    ]);
  });
});

describe('a job that a box failed', () => {
  async function failedJob() {
    const { sql } = database;
    const [bad, good] = [await makeBox(sql, ['CPU']), await makeBox(sql, ['cpu', 'H100'])];
    await submit(sql, board, { mode: 'test' });
    const lease = await claimJob(sql, bad);
    if (!lease) throw new Error('nothing to claim');
    await requeueJob(sql, lease, { kind: 'runner-crashed', message: '', delayMs: 0 });
    return { bad, good, jobId: lease.jobId };
  }

  it('goes to another box of its GPU type', async () => {
    const { bad, good, jobId } = await failedJob();
    expect(await claimJob(database.sql, bad)).toBe(null);
    expect(await claimJob(database.sql, good)).toMatchObject({ jobId, boxId: good.id, attempt: 2 });
  });

  it('comes back to it when the other one took none for a minute', async () => {
    const { bad, jobId } = await failedJob();
    await database.sql`update hotlap.jobs set not_before = now() - interval '59 seconds'`;
    expect(await claimJob(database.sql, bad)).toBe(null);
    await database.sql`update hotlap.jobs set not_before = now() - interval '61 seconds'`;
    expect(await claimJob(database.sql, bad)).toMatchObject({ jobId, boxId: bad.id });
  });

  it('comes back at once when no other box of its type can be reached', async () => {
    const { bad, good, jobId } = await failedJob();
    await setBoxState(database.sql, good.id, 'offline', 'no route');
    expect(await claimJob(database.sql, bad)).toMatchObject({ jobId, boxId: bad.id });
  });

  it('does not keep the box from the jobs behind it', async () => {
    const { bad } = await failedJob();
    const behind = await submit(database.sql, board, { mode: 'leaderboard' });
    expect((await claimJob(database.sql, bad))?.submissionId).toBe(behind);
  });
});

describe('positions', () => {
  it('are the order of claims, whatever waits, runs and ran before', async () => {
    const { sql } = database;
    const users = Array.from({ length: 4 }, () => makeUser());
    const entry = fc.record({ user: fc.nat(3), mode: fc.constantFrom(...modes), claimsAfter: fc.nat(2) });
    const history = fc.record({ entries: fc.array(entry, { minLength: 1, maxLength: 14 }), ends: fc.nat(6) });
    await fc.assert(
      fc.asyncProperty(history, async ({ entries, ends }) => {
        await sql`truncate hotlap.submissions, hotlap.jobs cascade`;
        await sql`update hotlap.boxes set state = 'removed'`;
        const early = await makeBox(sql, ['CPU'], 64);
        for (const { user, mode, claimsAfter } of entries) {
          await submit(sql, board, { user: users[user] ?? makeUser(), mode });
          for (let i = 0; i < claimsAfter; i++) await claimJob(sql, early);
        }
        await sql`
          update hotlap.jobs set status = 'finished', passed = true, lease_token = null, finished_at = now(),
            started_at = now() - make_interval(secs => id % 7)
          where id in (select id from hotlap.jobs where status = 'leased' order by id limit ${ends})`;
        const snapshot = await loadQueue(sql);
        const places = forecast(snapshot);
        const shown = snapshot.queued.toSorted((a, b) => a.position - b.position);
        expect(shown.map((job) => job.position)).toEqual(shown.map((_, index) => index + 1));
        expect(shown.map((job) => places.get(job.jobId)?.ahead)).toEqual(shown.map((_, index) => index));
        expect((await claimOrder()).map((lease) => lease.jobId)).toEqual(shown.map((job) => job.jobId));
      }),
      { numRuns: 25 },
    );
  });
});
