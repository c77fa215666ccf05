/** Why a submission is not ranked: the facts, and which row of the table of reasons they are (domain/not-ranked.ts). */
import { explainCause, explainRule, type NotRanked, notRanked } from '../domain/not-ranked.ts';
import { isRankable } from '../domain/rank.ts';
import { rankingRule, unitOf } from '../domain/ranking-rule.ts';
import { type Mode, modeLabels } from '../domain/submission.ts';
import type { Db } from './client.ts';

interface Facts {
  submissionId: number;
  gpuType: string;
  userId: string;
  userName: string;
  mode: Mode;
  /** Null before the first of its jobs there has ended. */
  eligible: boolean | null;
  reason: string | null;
  unranked: string | null;
  /** What its board goes by. */
  score: number | null;
  official: boolean;
  submissionInvalid: boolean;
  userInvalid: boolean;
  started: boolean;
  open: boolean;
  /** The submission that is the owner's entry there. */
  entryId: number | null;
  rank: number | null;
}

const facts = (db: Db) => db`
  select s.id as "submissionId", g.gpu_type as "gpuType", s.user_id as "userId", u.name as "userName", s.mode,
    sc.eligible, sc.reason, sc.unranked,
    case l.ranked_by when 'public' then sc.public_score when 'secret' then sc.secret_score else sc.rule_score end as score,
    s.official, s.invalidated_at is not null as "submissionInvalid", u.invalidated_at is not null as "userInvalid",
    g.started, g.open, e.submission_id as "entryId",
    case when e.submission_id = s.id then hotlap.rank_of(e.leaderboard_id, e.gpu_type, e.sort_key) end as rank`;

const joins = (db: Db) => db`
  join hotlap.users u on u.id = s.user_id
  join hotlap.leaderboards l on l.id = s.leaderboard_id
  cross join lateral (
    select j.gpu_type, bool_or(j.started_at is not null) as started,
      bool_or(j.status in ('queued', 'leased', 'running')) as open
    from hotlap.jobs j where j.submission_id = s.id and j.rejudge_id is null and j.remeasure is null group by 1
  ) g
  left join hotlap.submission_scores sc on sc.submission_id = s.id and sc.gpu_type = g.gpu_type
  left join hotlap.best_entries e
    on e.leaderboard_id = s.leaderboard_id and e.gpu_type = g.gpu_type and e.user_id = s.user_id`;

function reasonOf(row: Facts): NotRanked | null {
  if (row.rank !== null) return null;
  if (row.mode !== 'leaderboard') return notRanked('other-mode', { mode: modeLabels[row.mode] });
  if (!row.official) return notRanked('unofficial');
  if (row.userInvalid) return notRanked('user-invalid');
  if (row.submissionInvalid) return notRanked('submission-invalid');
  if (!row.eligible) {
    if (row.reason !== null)
      return explainCause(row.reason) ?? { ...notRanked('public-failed'), cause: row.reason };
    return notRanked(row.started ? 'running' : row.open ? 'waiting' : 'cancelled');
  }
  if (row.unranked !== null) return explainRule(row.unranked);
  if (!isRankable(row.score)) return notRanked('not-positive');
  return row.entryId === null ? null : notRanked('behind-own', { id: row.entryId });
}

export interface Standing {
  gpuType: string;
  rank: number | null;
  /** Null while it is the owner's entry. */
  notRanked: NotRanked | null;
  /** By the board's rule; null where the viewer may not see it, or the stored scores are all there is. */
  boardScore: { score: number | null; unit: string } | null;
}

/** How a submission stands on each of its GPU types. `withSecrets`: the viewer is the owner or an admin. */
export async function listStandings(db: Db, submissionId: number, withSecrets: boolean): Promise<Standing[]> {
  const rows = await db<(Facts & { ranking: unknown; rankedBy: string; taskUnit: string })[]>`
    ${facts(db)}, l.ranking, l.ranked_by as "rankedBy",
      v.score_unit as "taskUnit"
    from hotlap.submissions s ${joins(db)}
    join hotlap.task_versions v on v.id = l.task_version_id
    where s.id = ${submissionId} order by g.gpu_type`;
  return rows.map(({ ranking, rankedBy, taskUnit, ...row }) => {
    const rule = rankingRule.parse(ranking);
    const isHidden = rule.score === 'secret' && !withSecrets;
    const shown = { score: row.score, unit: unitOf(rule, taskUnit) };
    return {
      gpuType: row.gpuType,
      rank: row.rank,
      notRanked: reasonOf(row),
      boardScore: rankedBy === 'rule' && !isHidden ? shown : null,
    };
  });
}

/** Who has sent ranked work for a GPU type of a board and has no entry there, with the newest submission and its reason. */
export async function listUnranked(
  db: Db,
  key: { leaderboardId: number; gpuType: string },
  page: { limit: number; offset: number },
): Promise<{ userId: string; userName: string; submissionId: number; reason: NotRanked }[]> {
  const rows = await db<Facts[]>`
    ${facts(db)}
    from (
      select distinct on (s.user_id) s.* from hotlap.submissions s
      where s.leaderboard_id = ${key.leaderboardId} and s.mode = 'leaderboard'
        and exists (select from hotlap.jobs j where j.submission_id = s.id and j.gpu_type = ${key.gpuType})
        and not exists (select from hotlap.best_entries b
          where b.leaderboard_id = ${key.leaderboardId} and b.gpu_type = ${key.gpuType} and b.user_id = s.user_id)
      order by s.user_id, s.id desc
    ) s ${joins(db)}
    where g.gpu_type = ${key.gpuType}
    order by s.id desc limit ${page.limit} offset ${page.offset}`;
  return rows.map((row) => ({
    userId: row.userId,
    userName: row.userName,
    submissionId: row.submissionId,
    reason: reasonOf(row) ?? notRanked('no-score'),
  }));
}

/** Why a person is not on a track: what their newest ranked submission lacks. Null: they are on it. */
export async function findReason(
  db: Db,
  key: { leaderboardId: number; track: string },
  userId: string,
): Promise<NotRanked | null> {
  const [entry] = await db`
    select 1 from hotlap.board_entries e
    where e.leaderboard_id = ${key.leaderboardId} and e.track = ${key.track} and e.user_id = ${userId}`;
  if (entry) return null;
  const [member] = await db<{ leaderboard: string; gpuType: string; here: boolean }[]>`
    select l.name as leaderboard, m.gpu_type as "gpuType", l.id = ${key.leaderboardId} as here
    from hotlap.composite_members m join hotlap.leaderboards l on l.id = m.member_leaderboard_id
    where m.leaderboard_id = ${key.leaderboardId} and m.track = ${key.track}
      and not exists (select from hotlap.best_entries e
        where e.leaderboard_id = m.member_leaderboard_id and e.gpu_type = m.gpu_type and e.user_id = ${userId})
    order by m.position limit 1`;
  if (member) {
    const where = member.here ? member.gpuType : `${member.gpuType} of ${member.leaderboard}`;
    return notRanked('member-missing', { member: where });
  }
  const [gpu = ''] = key.track.split(' / ');
  const [row] = await db<Facts[]>`
    ${facts(db)} from hotlap.submissions s ${joins(db)}
    where s.leaderboard_id = ${key.leaderboardId} and s.user_id = ${userId} and s.mode = 'leaderboard'
      and g.gpu_type = ${gpu}
    order by s.id desc limit 1`;
  return row ? (reasonOf(row) ?? notRanked('never-sent')) : notRanked('never-sent');
}
