/** Names of teams as suggestions. */
import type { Sql } from '../../src/db/client.ts';
import { listTeams } from '../../src/db/teams.ts';
import type { Choice } from '../../src/discord/command.ts';

const MOST = 25;

/** `invited`: of those alone that have invited this person. */
export async function completeTeam(sql: Sql, typed: string, invited?: string): Promise<Choice[]> {
  const filter = invited === undefined ? { typed } : { typed, invited };
  const { teams } = await listTeams(sql, filter, { limit: MOST, offset: 0 });
  return teams.map(({ name, members, founderName }) => ({
    name: `${name} · ${members} ${members === 1 ? 'member' : 'members'}, founder ${founderName}`.slice(
      0,
      100,
    ),
    value: name,
  }));
}
