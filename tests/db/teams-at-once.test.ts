/** Teams when several people act at once: names, sizes, invitations, and boards that come out right. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { findTeamOf, listTeamInvites, listTeamMembers } from '../../src/db/teams.ts';
import { createTeam, inviteToTeam, joinTeam, leaveTeam, setTeamRules } from '../../src/intake/teams.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { type Person, rankedSubmission } from './ranking-scene.ts';
import { makeBoard, makeBox, makeUser, testRecord } from './scene.ts';
import { makeTeam, refusal, teamLines, teamName } from './team-scene.ts';

let database: TestDatabase;
let boxId: number;
beforeAll(async () => {
  database = await testDatabase({ maxConnections: 12 });
  boxId = (await makeBox(database.sql, ['CPU'])).id;
  await setTeamRules(database.sql, { waitDays: 0 }, testRecord());
});
afterAll(() => database.drop());

const ranked = (board: LeaderboardWithTask, options: Parameters<typeof rankedSubmission>[3]) =>
  rankedSubmission(database.sql, boxId, board, options);

describe('when several act at once', () => {
  it('one name is taken once, and nobody is in two teams', async () => {
    const { sql } = database;
    const people = Array.from({ length: 6 }, () => makeUser());
    const name = teamName();
    const make = (user: Person, wanted: string) =>
      refusal(createTeam(sql, user, { name: wanted, shares: false }, testRecord()));
    const answers = await Promise.all(people.map((user, i) => make(user, i % 2 ? name : name.toUpperCase())));
    expect(answers.toSorted()).toEqual(['done', ...Array(5).fill('team-exists')]);
    const [one] = people.filter((_, i) => answers[i] !== 'done') as [Person];
    const twice = await Promise.all(['a', 'b', 'c'].map((end) => make(one, `${name} ${end}`)));
    expect(twice.toSorted()).toEqual(['done', 'in-a-team', 'in-a-team']);
  });

  it('a team is never larger than allowed, an invitation is used once, and boards come out right', async () => {
    const { sql } = database;
    const board = await makeBoard(sql);
    const [founder, ...others] = Array.from({ length: 7 }, () => makeUser()) as [Person, ...Person[]];
    await Promise.all([founder, ...others].map((user, i) => ranked(board, { user, score: i + 1 })));
    const name = await makeTeam(database.sql, [founder]);
    for (const other of others) await inviteToTeam(sql, founder.id, other, testRecord());
    const answers = await Promise.all(
      [...others, ...others].map((user) => refusal(joinTeam(sql, user, name, testRecord()))),
    );
    const members = await listTeamMembers(sql, (await findTeamOf(sql, founder.id))?.id ?? 0);
    expect(members).toHaveLength(4);
    expect(answers.filter((answer) => answer === 'done')).toHaveLength(3);
    expect(new Set(answers)).toEqual(new Set(['done', 'team-full', 'in-a-team']));
    expect(await teamLines(database.sql, board)).toHaveLength(4);
    // The invitations of those whom the size kept out are still good.
    expect(await listTeamInvites(sql, (await findTeamOf(sql, founder.id))?.id ?? 0)).toHaveLength(3);
    const ids = members.map((member) => member.userId).filter((id) => id !== founder.id);
    // Results, leaving and joining in any order.
    const keep = ids[0] ?? '';
    const [kept] = others.filter((user) => user.id === keep) as [Person];
    const [waiting] = others.filter((user) => !ids.includes(user.id)) as [Person];
    await Promise.all([
      ...ids.slice(1).map((id) => leaveTeam(sql, id, testRecord())),
      ranked(board, { user: kept, score: 0.2 }),
      ranked(board, { user: founder, score: 0.1 }),
      refusal(joinTeam(sql, waiting, name, testRecord())),
    ]);
    const now = await teamLines(database.sql, board);
    const inside = (await listTeamMembers(sql, (await findTeamOf(sql, founder.id))?.id ?? 0)).length;
    expect(now).toHaveLength(7 - inside + 1);
    expect(now[0]).toMatchObject([1, expect.any(Number), founder.id, name]);
    await sql`select hotlap.refresh_entries(${board.id}, null, null)`;
    expect(await teamLines(database.sql, board)).toEqual(now);
  });
});
