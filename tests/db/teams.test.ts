/** Teams on boards: one place for each, from joining to leaving, at deadlines, and when several people act at once. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { banUser } from '../../src/db/bans.ts';
import { findNeighbourAhead, findOwnEntry, listBoardEntries, listRankChanges } from '../../src/db/board.ts';
import { readBoardPage } from '../../src/db/board-page.ts';
import { setDeadline, setStage } from '../../src/db/board-settings.ts';
import { loadBoardHistory, loadBoardSpread } from '../../src/db/history.ts';
import { setSubmissionInvalid, setUserInvalid } from '../../src/db/invalidations.ts';
import { claimInvite, createInvites, setVisibility } from '../../src/db/invites.ts';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { findReason, listStandings, listUnranked } from '../../src/db/standings.ts';
import { findOwnSubmission } from '../../src/db/submission-list.ts';
import { listSharedSubmissions } from '../../src/db/submissions.ts';
import { findTeamOf, isSharedWith, listTeams } from '../../src/db/teams.ts';
import {
  createTeam,
  disbandTeam,
  inviteToTeam,
  joinTeam,
  leaveTeam,
  removeFromTeam,
  renameTeam,
  setTeamRules,
  setTeamSharing,
} from '../../src/intake/teams.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { ageHistory, type Person, rankedSubmission, setRule } from './ranking-scene.ts';
import { makeBoard, makeBox, makeUser, testRecord } from './scene.ts';
import { enter, makeTeam, refusal, teamLines } from './team-scene.ts';

let database: TestDatabase;
let boxId: number;
beforeAll(async () => {
  database = await testDatabase({ maxConnections: 12 });
  boxId = (await makeBox(database.sql, ['CPU', 'H100'])).id;
  // What one test leaves behind does not keep the next one's people waiting.
  await setTeamRules(database.sql, { waitDays: 0 }, testRecord());
});
afterAll(() => database.drop());

type Options = Parameters<typeof rankedSubmission>[3];
const ranked = (board: LeaderboardWithTask, options: Options = {}) =>
  rankedSubmission(database.sql, boxId, board, options);
const key = (board: LeaderboardWithTask, gpuType = 'CPU') => ({
  leaderboardId: board.id,
  gpuType,
  scoreAscending: board.scoreAscending,
});

describe('a team', () => {
  it('takes one place with the best entry of its members, from joining to leaving', async () => {
    const board = await makeBoard(database.sql);
    const [ann, bob, eve] = [makeUser(), makeUser(), makeUser()];
    const ofAnn = await ranked(board, { user: ann, score: 3 });
    const ofEve = await ranked(board, { user: eve, score: 2 });
    const ofBob = await ranked(board, { user: bob, score: 1 });
    await ageHistory(database.sql, board.id, 30);
    const name = await makeTeam(database.sql, [ann, bob]);
    const together = [
      [1, ofBob, bob.id, name],
      [2, ofEve, eve.id, null],
    ];
    expect(await teamLines(database.sql, board)).toEqual(together);
    // What stands under the other one is said as such, to the one as to the other.
    expect(await findOwnEntry(database.sql, key(board), ann.id)).toMatchObject({
      rank: 1,
      submissionId: ofBob,
    });
    expect(await findReason(database.sql, { leaderboardId: board.id, track: 'CPU' }, ann.id)).toBeNull();
    const [standing] = await listStandings(database.sql, ofAnn, true);
    expect(standing).toMatchObject({ rank: null, notRanked: { code: 'behind-mate' } });
    expect(standing?.notRanked?.cause).toBe(`submission #${ofBob} of a team mate is better`);
    expect((await loadBoardSpread(database.sql, key(board), ann.id)).mine).toEqual({ score: 1, rank: 1 });
    const { people } = await listUnranked(
      database.sql,
      { leaderboardId: board.id, track: 'CPU', isComposite: false },
      { limit: 9, upTo: 1e9, before: 1e9 },
    );
    expect(people.map((row) => [row.userId, row.reason.code])).toEqual([[ann.id, 'behind-mate']]);
    const page = await readBoardPage(
      database.sql,
      { leaderboard: board.name, gpu: 'CPU', userId: null },
      { limit: 9, offset: 0 },
    );
    expect(JSON.parse(page?.text ?? '')).toMatchObject([
      { rank: 1, user_id: bob.id, user_name: `${name} (${bob.name})` },
      { rank: 2, user_id: eve.id, user_name: eve.name },
    ]);

    // The website lists whoever has a score there.
    const scored = await database.sql<{ id: number }[]>`
      select submission_id as id from leaderboard.runs
      where score is not null and submission_id = any(${[ofAnn, ofBob, ofEve]}) order by score`;
    expect(scored.map((run) => run.id)).toEqual([ofBob, ofEve]);

    // The team's place is the team's, whoever holds it.
    await ageHistory(database.sql, board.id, 30);
    const better = await ranked(board, { user: ann, score: 0.5 });
    await ageHistory(database.sql, board.id, 10);
    expect(await teamLines(database.sql, board)).toEqual([
      [1, better, ann.id, name],
      [2, ofEve, eve.id, null],
    ]);
    const { entries } = await listBoardEntries(database.sql, key(board), { limit: 9, offset: 0 });
    const changes = await listRankChanges(database.sql, key(board), entries, new Date());
    expect(changes.get(ann.id)).toEqual({ day: 0, week: 'new' });
    const drawn = await loadBoardHistory(database.sql, key(board), 8);
    expect(drawn.people.map((line) => [line.name, line.improvements.map((item) => item.score)])).toEqual([
      [name, [3, 1, 0.5]],
      [eve.name, [2]],
    ]);

    await leaveTeam(database.sql, ann.id, testRecord());
    expect(await teamLines(database.sql, board)).toEqual([
      [1, better, ann.id, null],
      [2, ofBob, bob.id, name],
      [3, ofEve, eve.id, null],
    ]);
    // History is as it was.
    const hours = (count: number) => new Date(Date.now() - count * 3_600_000);
    expect(await teamLines(database.sql, board, 'CPU', hours(20))).toEqual(together);
    expect((await teamLines(database.sql, board, 'CPU', hours(50))).map(([, id]) => id)).toEqual([
      ofBob,
      ofEve,
      ofAnn,
    ]);
  });

  it('falls back on its next best entry when one is taken out, or its member', async () => {
    const board = await makeBoard(database.sql);
    const [ann, bob] = [makeUser(), makeUser()];
    const name = await makeTeam(database.sql, [ann, bob]);
    const ofAnn = await ranked(board, { user: ann, score: 3 });
    const ofBob = await ranked(board, { user: bob, score: 1 });
    const why = { by: 'test', reason: 'copied' };
    await setUserInvalid(database.sql, bob.id, why);
    expect(await teamLines(database.sql, board)).toEqual([[1, ofAnn, ann.id, name]]);
    await setUserInvalid(database.sql, bob.id, null);
    expect(await teamLines(database.sql, board)).toEqual([[1, ofBob, bob.id, name]]);
    await setSubmissionInvalid(database.sql, ofBob, why);
    expect(await teamLines(database.sql, board)).toEqual([[1, ofAnn, ann.id, name]]);
  });

  it('is one on composites, too: of each member the best that one of its people has', async () => {
    const board = await setRule(database.sql, await makeBoard(database.sql, { gpus: ['CPU', 'H100'] }), {
      categories: ['language'],
      composites: [
        {
          name: 'both',
          combine: 'mean',
          members: [
            { gpu: 'CPU', weight: 0.5 },
            { gpu: 'H100', weight: 0.5 },
          ],
        },
      ],
    });
    const [ann, bob, eve] = [makeUser(), makeUser(), makeUser()];
    await ranked(board, { user: ann, gpus: ['CPU'], score: 2 });
    const ofBob = await ranked(board, { user: bob, gpus: ['H100'], score: 4 });
    const ofEve = await ranked(board, { user: eve, gpus: ['CPU', 'H100'], score: 5 });
    expect(await teamLines(database.sql, board, 'both')).toEqual([[1, ofEve, eve.id, null]]);
    const lacking = { leaderboardId: board.id, track: 'both' };
    expect((await findReason(database.sql, lacking, ann.id))?.code).toBe('member-missing');
    const name = await makeTeam(database.sql, [ann, bob]);
    expect(await teamLines(database.sql, board, 'both')).toEqual([
      [1, ofBob, bob.id, name],
      [2, ofEve, eve.id, null],
    ]);
    expect(await findReason(database.sql, lacking, ann.id)).toBeNull();
    const all = { limit: 9, upTo: 1e9, before: 1e9 };
    expect(await listUnranked(database.sql, { ...lacking, isComposite: true }, all)).toEqual({
      people: [],
      total: 0,
    });
    await ranked(board, { user: bob, gpus: ['CPU'], score: 3 });
    expect(
      (await teamLines(database.sql, board, 'CPU / Python')).map(([rank, , user]) => [rank, user]),
    ).toEqual([
      [1, ann.id],
      [2, eve.id],
    ]);
    await disbandTeam(database.sql, { founderId: ann.id }, testRecord());
    expect((await teamLines(database.sql, board, 'both')).map(([, , user]) => user)).toEqual([
      bob.id,
      eve.id,
    ]);
    expect((await teamLines(database.sql, board, 'CPU / Python')).map(([, , user]) => user)).toEqual([
      ann.id,
      bob.id,
      eve.id,
    ]);
  });

  it('counts on a board that is over, or was closed, as it was then; until the end is moved', async () => {
    const [over, closed, open] = [
      await makeBoard(database.sql),
      await makeBoard(database.sql),
      await makeBoard(database.sql),
    ];
    const boards = [over, closed, open];
    const [ann, bob] = [makeUser(), makeUser()];
    for (const board of boards) {
      await ranked(board, { user: ann, score: 1 });
      await ranked(board, { user: bob, score: 2 });
    }
    await setDeadline(database.sql, over.id, new Date(Date.now() - 1000), testRecord());
    await setStage(database.sql, closed.id, 'closed', testRecord());
    const counts = async () =>
      Promise.all(boards.map(async (board) => (await teamLines(database.sql, board)).length));
    await makeTeam(database.sql, [ann, bob]);
    expect(await counts()).toEqual([2, 2, 1]);
    // Nor does a later result there, or being ranked anew.
    await setUserInvalid(database.sql, bob.id, { by: 'test', reason: 'a look' });
    await setUserInvalid(database.sql, bob.id, null);
    expect(await counts()).toEqual([2, 2, 1]);
    await setStage(database.sql, closed.id, 'open', testRecord());
    await setDeadline(database.sql, over.id, new Date(Date.now() + 3_600_000), testRecord());
    expect(await counts()).toEqual([1, 1, 1]);
    await setStage(database.sql, closed.id, 'archived', testRecord());
    await leaveTeam(database.sql, bob.id, testRecord());
    expect(await counts()).toEqual([2, 1, 2]);
  });

  it('needs the founder for what is the founder’s, and goes on when that one leaves', async () => {
    const [ann, bob, eve] = [makeUser(), makeUser(), makeUser()];
    const { sql } = database;
    const name = await makeTeam(database.sql, [ann, bob]);
    expect(await refusal(inviteToTeam(sql, bob.id, eve, testRecord()))).toBe('not-the-founder');
    expect(await refusal(removeFromTeam(sql, bob.id, ann.id, testRecord()))).toBe('not-the-founder');
    expect(await refusal(setTeamSharing(sql, bob.id, true, testRecord()))).toBe('not-the-founder');
    expect(await refusal(renameTeam(sql, { founderId: bob.id }, 'Other', testRecord()))).toBe(
      'not-the-founder',
    );
    expect(await refusal(disbandTeam(sql, { founderId: eve.id }, testRecord()))).toBe('no-team');
    expect(await refusal(removeFromTeam(sql, ann.id, eve.id, testRecord()))).toBe('not-a-member');
    expect(await refusal(removeFromTeam(sql, ann.id, ann.id, testRecord()))).toBe('not-a-member');
    expect(await refusal(joinTeam(sql, eve, name, testRecord()))).toBe('not-invited');
    await inviteToTeam(sql, ann.id, eve, testRecord());
    expect(await removeFromTeam(sql, ann.id, eve.id, testRecord())).toMatchObject({ was: 'invited' });
    expect(await refusal(joinTeam(sql, eve, name, testRecord()))).toBe('not-invited');
    // What others read or are asked is not a banned founder's to write.
    await banUser(sql, { userId: ann.id, reason: null, endsAt: null }, testRecord());
    expect(await refusal(inviteToTeam(sql, ann.id, eve, testRecord()))).toBe('banned');
    expect(await refusal(renameTeam(sql, { founderId: ann.id }, `${name} a`, testRecord()))).toBe('banned');
    expect((await leaveTeam(sql, ann.id, testRecord())).next).toEqual({ founderId: bob.id });
    await renameTeam(sql, { founderId: bob.id }, `${name} b`, testRecord());
    expect((await leaveTeam(sql, bob.id, testRecord())).next).toBe('ended');
    expect((await listTeams(sql, { typed: name }, { limit: 5, offset: 0 })).total).toBe(0);
    // Its name is free again.
    await createTeam(sql, eve, { name: `${name} b`, shares: false }, testRecord());
  });

  it('keeps those who left others behind waiting, but not from coming back', async () => {
    const [ann, bob, eve] = [makeUser(), makeUser(), makeUser()];
    const { sql } = database;
    const first = await makeTeam(database.sql, [ann, bob]);
    await makeTeam(database.sql, [eve]);
    await setTeamRules(sql, { waitDays: 7 }, testRecord());
    try {
      await leaveTeam(sql, bob.id, testRecord());
      await inviteToTeam(sql, eve.id, bob, testRecord());
      const second = (await findTeamOf(sql, eve.id))?.name ?? '';
      expect(await refusal(joinTeam(sql, bob, second, testRecord()))).toBe('team-wait');
      expect(await refusal(createTeam(sql, bob, { name: 'Bob alone', shares: false }, testRecord()))).toBe(
        'team-wait',
      );
      await enter(database.sql, ann, bob, first);
      await leaveTeam(sql, bob.id, testRecord());
      await sql`
        update hotlap.team_members set joined_at = joined_at - interval '8 days', left_at = left_at - interval '8 days'
        where user_id = ${bob.id}`;
      expect(await refusal(joinTeam(sql, bob, second, testRecord()))).toBe('done');
      // Whoever was alone has carried nothing away.
      const lone = makeUser();
      await makeTeam(database.sql, [lone]);
      await leaveTeam(sql, lone.id, testRecord());
      expect(await refusal(makeTeam(database.sql, [lone]))).toBe('done');
    } finally {
      await setTeamRules(sql, { waitDays: 0 }, testRecord());
    }
  });
});

describe('those who asked to be told', () => {
  it('hear of it when their team is passed, and not when it stays ahead under another member', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    const [ann, bob, eve] = [makeUser(), makeUser(), makeUser()];
    await makeTeam(database.sql, [ann, bob]);
    await ranked(board, { user: ann, score: 2 });
    await ranked(board, { user: eve, score: 3 });
    for (const { id } of [ann, bob, eve]) {
      await sql`insert into hotlap.notice_settings (user_id, kinds) values (${id}, '{overtaken}')`;
    }
    const told = async () => {
      const rows = await sql<{ who: string }[]>`
        select payload ->> 'userId' as who from hotlap.outbox
        where kind = 'notice' and (payload -> 'leaderboardId')::bigint = ${board.id} order by who`;
      return rows.map((row) => row.who);
    };
    await ranked(board, { user: bob, score: 1 });
    expect(await told()).toEqual([]);
    const first = await ranked(board, { user: eve, score: 0.5 });
    expect(await told()).toEqual([ann.id, bob.id]);
    const ahead = await findNeighbourAhead(sql, key(board), ann.id);
    expect(ahead).toEqual({ userId: eve.id, userName: eve.name, teamName: null, score: 0.5 });
    await ranked(board, { user: ann, score: 0.1 });
    expect((await findNeighbourAhead(sql, key(board), eve.id))?.teamName).toBe(
      (await findTeamOf(sql, bob.id))?.name,
    );
    const [podium] = await sql<{ places: object[] }[]>`select hotlap.podium_of(${board.id}, 'CPU') as places`;
    expect(podium?.places).toMatchObject([
      { rank: 1, userId: ann.id, teamName: expect.any(String) },
      { rank: 2, submissionId: first, teamName: null },
    ]);
  });
});

describe('what members see of each other', () => {
  it('is what was sent while both were in the team and it shared; nobody else sees anything', async () => {
    const board = await makeBoard(database.sql);
    const [ann, bob, eve] = [makeUser(), makeUser(), makeUser()];
    const { sql } = database;
    const seen = async (viewer: Person) => {
      const { items, total } = await listSharedSubmissions(
        sql,
        { userId: viewer.id },
        { limit: 9, offset: 0 },
      );
      expect(total).toBe(items.length);
      for (const { id } of items) {
        expect(await isSharedWith(sql, id, viewer.id)).toBe(true);
        expect((await findOwnSubmission(sql, id, viewer.id))?.id).toBe(id);
      }
      return items.map((item) => item.id);
    };
    await ranked(board, { user: ann, score: 9 });
    const name = await makeTeam(database.sql, [ann, bob]);
    const silent = await ranked(board, { user: ann, score: 8 });
    expect(await seen(bob)).toEqual([]);
    await setTeamSharing(sql, ann.id, true, testRecord());
    const shown = await ranked(board, { user: ann, score: 7 });
    const other = await ranked(board, { user: bob, score: 6 });
    expect([await seen(bob), await seen(ann), await seen(eve)]).toEqual([[shown], [other], []]);
    expect(await findOwnSubmission(sql, silent, bob.id)).toBeNull();
    expect(await findOwnSubmission(sql, shown, eve.id)).toBeNull();
    // Whoever comes later sees what comes later.
    await enter(database.sql, ann, eve, name);
    expect(await seen(eve)).toEqual([]);
    const later = await ranked(board, { user: ann, score: 5 });
    expect(await seen(eve)).toEqual([later]);
    // A closed board stays closed.
    await setVisibility(sql, board.name, 'closed', testRecord());
    expect(await seen(eve)).toEqual([]);
    const [code = ''] = await createInvites(sql, { leaderboardIds: [board.id], count: 1 }, testRecord());
    await claimInvite(sql, code, eve, testRecord());
    expect(await seen(eve)).toEqual([later]);
    await removeFromTeam(sql, ann.id, eve.id, testRecord());
    expect(await seen(eve)).toEqual([]);
    await setVisibility(sql, board.name, 'public', testRecord());
    await setTeamSharing(sql, ann.id, false, testRecord());
    expect(await seen(bob)).toEqual([]);
    await setTeamSharing(sql, ann.id, true, testRecord());
    expect(await seen(bob)).toEqual([]);
  });
});
