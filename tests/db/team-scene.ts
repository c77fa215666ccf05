/** Teams for the database tests, by the product's own functions. */
import { expect } from 'vitest';
import { listBoardEntries } from '../../src/db/board.ts';
import type { Sql } from '../../src/db/client.ts';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { UserError } from '../../src/domain/errors.ts';
import { createTeam, inviteToTeam, joinTeam } from '../../src/intake/teams.ts';
import type { Person } from './ranking-scene.ts';
import { testRecord } from './scene.ts';

/** `[rank, submission, who, team]` of everybody on a track. */
export async function teamLines(
  sql: Sql,
  board: LeaderboardWithTask,
  track = 'CPU',
  asOf: Date | null = null,
): Promise<[number, number, string, string | null][]> {
  const key = { leaderboardId: board.id, gpuType: track };
  const { entries, total } = await listBoardEntries(sql, key, { limit: 50, offset: 0 }, asOf);
  expect(total).toBe(entries.length);
  return entries.map(({ rank, submissionId, userId, team }) => [
    rank,
    submissionId,
    userId,
    team?.name ?? null,
  ]);
}

let named = 0;

/** A name that no other team has. */
export const teamName = () => `Team ${++named}`;

/** The first one is its founder. Returns its name. */
export async function makeTeam(sql: Sql, members: Person[]): Promise<string> {
  const [founder, ...others] = members as [Person, ...Person[]];
  const { name } = await createTeam(sql, founder, { name: teamName(), shares: false }, testRecord());
  for (const other of others) await enter(sql, founder, other, name);
  return name;
}

export async function enter(sql: Sql, founder: Person, other: Person, name: string): Promise<void> {
  await inviteToTeam(sql, founder.id, other, testRecord());
  await joinTeam(sql, other, name, testRecord());
}

/** The code of the refusal; `done` where there is none. */
export async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'done';
  } catch (error) {
    if (error instanceof UserError) return error.code;
    throw error;
  }
}
