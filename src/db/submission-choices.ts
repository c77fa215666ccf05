/** Submissions as suggestions for organisers who type a number or a name. */
import type { Db } from './client.ts';

export interface SubmissionChoice {
  id: number;
  leaderboard: string;
  userName: string;
  mode: string;
  createdAt: Date;
}

/** Newest first. `creatorId` null: of all boards; else of those that this person made. */
export async function listSubmissionChoices(
  db: Db,
  filter: { typed: string; creatorId: string | null; invalid: boolean | null },
): Promise<SubmissionChoice[]> {
  const { typed, creatorId, invalid } = filter;
  return db<SubmissionChoice[]>`
    select s.id, l.name as leaderboard, u.name as "userName", s.mode, s.created_at as "createdAt"
    from hotlap.submissions s
    join hotlap.leaderboards l on l.id = s.leaderboard_id
    join hotlap.users u on u.id = s.user_id
    where (${creatorId}::text is null or l.created_by = ${creatorId})
      and (${invalid}::boolean is null or (s.invalidated_at is not null) = ${invalid})
      and (s.id::text like ${`${typed.replace(/\D/g, '')}%`} and ${/^\d+$/.test(typed)}
        or position(${typed.toLowerCase()} in lower(u.name)) > 0
        or position(${typed.toLowerCase()} in lower(l.name)) > 0)
    order by s.id desc limit 25`;
}
