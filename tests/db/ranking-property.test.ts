/** The ranking in SQL against the same rules in plain loops, over random boards. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Db } from '../../src/db/client.ts';
import { findRankedBoard, refreshEntries, setRankingRule } from '../../src/db/ranking.ts';
import { endMemberships, listTeamMembers, rankMembers, startMembership } from '../../src/db/teams.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { GPUS, type RandomContest, randomContest, SHAPES, writeContest } from './random-boards.ts';
import {
  type Entry,
  type RandomBoard,
  referenceRanking,
  type Submitted,
  same,
  type Tracks,
} from './reference-ranking.ts';

const BOARDS_A_RUN = 10;
const RUNS = 100;

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.drop());

interface Row {
  board: number;
  track: string;
  user: string;
  submission: number;
  score: number;
  anchor: number | null;
  steady: number | null;
  recent: number | null;
  provisional: boolean;
  runs: number;
  rank: number;
  team: number | null;
}

async function ranked(tx: Db, contest: RandomContest): Promise<Map<number, Map<string, Row[]>>> {
  const rows = await tx<Row[]>`
    select e.leaderboard_id as board, e.track, e.user_id as user, e.submission_id as submission, e.score, e.anchor, e.steady,
      e.recent, e.provisional, e.runs, e.team_id as team, hotlap.rank_of(e.leaderboard_id, e.track, e.sort_key) as rank
    from hotlap.board_entries e where e.leaderboard_id = any(${contest.boards.map((board) => board.id)})
    order by e.sort_key, e.achieved_at, e.submission_id`;
  const boards = new Map<number, Map<string, Row[]>>();
  for (const row of rows) {
    const tracks = boards.get(row.board) ?? new Map<string, Row[]>();
    boards.set(row.board, tracks.set(row.track, [...(tracks.get(row.track) ?? []), row]));
  }
  return boards;
}

/** Numbers that the two came to by other ways. */
function near(a: number | null, b: number | null): boolean {
  return a === null || b === null ? a === b : same(a, b);
}

function differences(
  contest: RandomContest,
  expected: Map<number, Tracks>,
  actual: Map<number, Map<string, Row[]>>,
) {
  const faults: string[] = [];
  for (const board of contest.boards) {
    const [want, got] = [
      expected.get(board.id) ?? new Map<string, Entry[]>(),
      actual.get(board.id) ?? new Map<string, Row[]>(),
    ];
    const hidden = board.rule.score === 'secret';
    for (const track of new Set([...want.keys(), ...got.keys()])) {
      const [entries, rows] = [want.get(track) ?? [], got.get(track) ?? []];
      const fits =
        entries.length === rows.length &&
        entries.every((entry, i) => {
          const row = rows[i] as Row;
          const windows = [row.anchor, row.steady, row.recent];
          return (
            row.user === entry.user &&
            row.team === entry.team &&
            row.submission === entry.submission &&
            row.rank === entry.rank &&
            near(row.score, entry.score) &&
            row.provisional === entry.provisional &&
            row.runs === entry.runs &&
            windows.every((value, k) => near(value, hidden ? null : (entry.windows[k] ?? null)))
          );
        });
      if (!fits) {
        const rule = JSON.stringify(board.rule);
        faults.push(
          `${board.name} (${rule}), ${track}:\n expected ${JSON.stringify(entries)}\n got ${JSON.stringify(rows)}`,
        );
      }
    }
  }
  return faults;
}

async function expectReference(tx: Db, contest: RandomContest): Promise<void> {
  const expected = referenceRanking(contest, GPUS, SHAPES);
  expect(differences(contest, expected.ranked, await ranked(tx, contest))).toEqual([]);
  const records = await tx<{ board: number; track: string; ids: number[] }[]>`
    select leaderboard_id as board, track, array_agg(submission_id order by achieved_at, submission_id) as ids
    from hotlap.board_records where leaderboard_id = any(${contest.boards.map((board) => board.id)}) group by 1, 2`;
  for (const board of contest.boards) {
    for (const gpu of GPUS) {
      const line = records.find((row) => row.board === board.id && row.track === gpu)?.ids ?? [];
      expect(line, JSON.stringify(board.rule)).toEqual(expected.records.get(board.id)?.get(gpu));
    }
  }
}

async function setRules(tx: Db, contest: RandomContest): Promise<void> {
  for (const board of contest.boards) {
    const found = await findRankedBoard(tx, board.name);
    if (!found) throw new Error('the board that was just written is not there');
    await setRankingRule(tx, found, board.rule);
  }
}

/** Runs the work in a transaction that is undone, so that the next random contest meets an empty database. */
async function undone(work: (tx: Db) => Promise<void>): Promise<void> {
  const undo = new Error('undo');
  await database.sql
    .begin(async (tx) => {
      await work(tx);
      throw undo;
    })
    .catch((error: unknown) => {
      if (error !== undo) throw error;
    });
}

describe('the ranking in SQL', () => {
  it(`equals the rules in plain loops on ${BOARDS_A_RUN * RUNS} random boards`, async () => {
    await fc.assert(
      fc.asyncProperty(randomContest(BOARDS_A_RUN), (contest) =>
        undone(async (tx) => {
          await writeContest(tx, contest);
          await setRules(tx, contest);
          await expectReference(tx, contest);
        }),
      ),
      { numRuns: RUNS },
    );
  });

  it('comes to the same when only those are ranked anew whom a change concerns', async () => {
    const change = fc.record({
      submission: fc.nat(),
      gpu: fc.constantFrom(...GPUS),
      what: fc.constantFrom('eligible', 'invalid', 'measured', 'reviews', 'team', 'team', 'deadline'),
      team: fc.option(fc.nat()),
    });
    await fc.assert(
      fc.asyncProperty(
        randomContest(3),
        fc.array(change, { minLength: 1, maxLength: 6 }),
        (contest, changes) =>
          undone(async (tx) => {
            await writeContest(tx, contest);
            await setRules(tx, contest);
            for (const { submission, gpu, what, team } of changes) {
              const board = contest.boards[submission % contest.boards.length];
              const changed = board?.submissions[submission % Math.max(1, board.submissions.length)];
              if (!board || !changed) continue;
              if (what === 'team') {
                const to = team === null ? null : (contest.teams[team % contest.teams.length] ?? null);
                await moveUser(tx, contest, changed.user, to);
                continue;
              }
              if (what === 'deadline') {
                await moveDeadline(tx, board, [null, 100, -12, -30][(team ?? 0) % 4] ?? null);
                continue;
              }
              await applyChange(tx, changed, gpu, what);
              // Results of one GPU type concern that one; the others concern all.
              const gpuTypes = what === 'eligible' ? [gpu] : null;
              await refreshEntries(tx, { leaderboardId: board.id, gpuTypes, userIds: [changed.user] });
            }
            await expectReference(tx, contest);
          }),
      ),
      { numRuns: 60 },
    );
  });
});

/** Into another team, or out of all. */
async function moveUser(tx: Db, contest: RandomContest, user: string, team: number | null): Promise<void> {
  const before = contest.stays.get(user) ?? [];
  contest.stays.set(user, [...before, { team, hoursAgo: 0 }]);
  await endMemberships(tx, [user]);
  if (team !== null) await startMembership(tx, team, user);
  const members = await Promise.all(contest.teams.map((id) => listTeamMembers(tx, id)));
  await rankMembers(tx, [user, ...members.flat().map((member) => member.userId)]);
}

/** What became of teams in between is taken in or left out by itself. Windows are not: they end there, too. */
async function moveDeadline(tx: Db, board: RandomBoard, hours: number | null): Promise<void> {
  if (board.rule.windows) return;
  board.deadlineHours = hours;
  await tx`update hotlap.leaderboards set deadline = now() + make_interval(hours => ${hours}) where id = ${board.id}`;
}

async function applyChange(
  tx: Db,
  submission: Submitted,
  gpu: string,
  what: 'eligible' | 'invalid' | 'measured' | 'reviews',
): Promise<void> {
  const { id } = submission;
  switch (what) {
    case 'eligible':
      submission.scores = submission.scores.map((score) =>
        score.gpu === gpu ? { ...score, eligible: !score.eligible } : score,
      );
      await tx`
        update hotlap.submission_scores set eligible = not eligible where submission_id = ${id} and gpu_type = ${gpu}`;
      return;
    case 'invalid':
      submission.invalid = !submission.invalid;
      await tx`
        update hotlap.submissions set invalidated_at = ${submission.invalid ? tx`now()` : null} where id = ${id}`;
      return;
    case 'measured':
      submission.measured = submission.measured.filter((item) => item.gpu !== gpu);
      await tx`delete from hotlap.measurements where submission_id = ${id} and gpu_type = ${gpu}`;
      return;
    case 'reviews':
      submission.reviews = [];
      await tx`delete from hotlap.reviews where submission_id = ${id}`;
  }
}
