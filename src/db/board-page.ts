/**
 * A page of a board for the HTTP API: the page that is asked for most. One round trip, and the database writes the JSON,
 * because reading rows into objects only to write them out again is most of the work there is. What it says is what
 * `listBoardPage` says; a test holds the two together.
 */
import type { Db } from './client.ts';
import { type BoardAccess, boardAccess } from './invites.ts';

export interface BoardText extends BoardAccess {
  /** As the board spells the type that was asked for; null where it has none such. */
  gpu: string | null;
  /** The page, an array of objects with the keys of the HTTP API; null where the person may not enter. */
  text: string | null;
}

/** Board and GPU type by their names in any case. Null when there is no such board. */
export async function readBoardPage(
  db: Db,
  wanted: { leaderboard: string; gpu: string; userId: string | null },
  page: { limit: number; offset: number },
): Promise<BoardText | null> {
  const [row] = await db<BoardText[]>`
    with board as (
      select ${boardAccess(db, wanted.userId)},
        (select g.gpu_type from hotlap.leaderboard_gpus g
          where g.leaderboard_id = l.id and lower(g.gpu_type) = lower(${wanted.gpu})) as gpu
      from hotlap.leaderboards l where lower(l.name) = lower(${wanted.leaderboard})
    )
    select b.*, case when b."mayEnter" and b.gpu is not null then (
        select coalesce(json_agg(p), '[]')::text from (
          select placed.submission_id,
            -- Whoever ties with the first of a page may tie with the page before it.
            case when placed.place > 1 or ${page.offset}::bigint = 0 then placed.place + ${page.offset}
              else hotlap.rank_of(b.id, b.gpu, placed.sort_key) end as rank,
            s.file_name as submission_name,
            to_char(s.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as submission_time,
            placed.shown_score as submission_score, b.name as leaderboard_name, placed.user_id,
            coalesce((select t.name from hotlap.teams t where t.id = placed.team_id) || ' (' || u.name || ')', u.name)
              as user_name, b.gpu as gpu_type
          from (
            select e.*, rank() over (order by e.sort_key) as place from (
              select submission_id, user_id, team_id, sort_key, shown_score, achieved_at from hotlap.best_entries
              where leaderboard_id = b.id and gpu_type = b.gpu
              order by sort_key, achieved_at, submission_id limit ${page.limit} offset ${page.offset}
            ) e
          ) placed
          join hotlap.users u on u.id = placed.user_id
          join hotlap.submissions s on s.id = placed.submission_id
          order by placed.sort_key, placed.achieved_at, placed.submission_id
        ) p
      ) end as text
    from board b`;
  return row ?? null;
}
