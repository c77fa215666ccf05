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
  /** The submission that is the entry there of the owner, or of their team, and who made it. */
  entryId: number | null;
  entryUserId: string | null;
  rank: number | null;
}

const facts = (db: Db) => db`
  select s.id as "submissionId", g.gpu_type as "gpuType", s.user_id as "userId", u.name as "userName", s.mode,
    sc.eligible, sc.reason, sc.unranked,
    case l.ranked_by when 'public' then sc.public_score when 'secret' then sc.secret_score else sc.rule_score end as score,
    s.official, s.invalidated_at is not null as "submissionInvalid", u.invalidated_at is not null as "userInvalid",
    g.started, g.open, e.submission_id as "entryId", e.user_id as "entryUserId",
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
    on e.leaderboard_id = s.leaderboard_id and e.gpu_type = g.gpu_type
      and e.user_id = hotlap.entry_holder(s.leaderboard_id, g.gpu_type, s.user_id)`;

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
  if (row.entryId === null) return null;
  return notRanked(row.entryUserId === row.userId ? 'behind-own' : 'behind-mate', { id: row.entryId });
}

/** The same on a track; who is ranked on the GPU type and not on a benchmark of it lacks that benchmark's time. */
function reasonOn(row: Facts, category: string): NotRanked | null {
  const reason = reasonOf(row);
  const shape = /^shape (\d+)$/.exec(category)?.[1];
  if (shape === undefined || (reason !== null && reason.code !== 'behind-own')) return reason;
  return notRanked('shape-untimed', { shape });
}

/** `H100 / Triton`: entries of one language alone. */
const languageOf = (category: string) => (category.startsWith('shape ') ? '' : category);

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

/** Of many submissions on one GPU type: rank, and what they lack. Those that were not sent there are left out. */
export async function listStandingsOn(
  db: Db,
  gpuType: string,
  submissionIds: number[],
): Promise<Map<number, Pick<Standing, 'rank' | 'notRanked'>>> {
  const rows = await db<Facts[]>`
    ${facts(db)} from hotlap.submissions s ${joins(db)}
    where s.id = any(${submissionIds}) and g.gpu_type = ${gpuType}`;
  return new Map(rows.map((row) => [row.submissionId, { rank: row.rank, notRanked: reasonOf(row) }]));
}

export interface Unranked {
  userId: string;
  userName: string;
  /** The newest of theirs that could have been ranked. */
  submissionId: number;
  reason: NotRanked;
}

/** Submissions up to `upTo` alone, so that nobody comes twice who sends something meanwhile; `before`: the next page. */
export interface UnrankedPage {
  limit: number;
  upTo: number;
  before: number;
}

/** Who has sent ranked work for a track and has no entry there, with the newest submission and its reason, newest first. */
export async function listUnranked(
  db: Db,
  key: { leaderboardId: number; track: string; isComposite: boolean },
  page: UnrankedPage,
): Promise<{ people: Unranked[]; total: number }> {
  return key.isComposite ? listIncomplete(db, key, page) : listUnrankedOnGpu(db, key, page);
}

const hasNoEntry = (db: Db, key: { leaderboardId: number; track: string }) => db`
  not exists (select from hotlap.board_entries b
    where b.leaderboard_id = ${key.leaderboardId} and b.track = ${key.track} and b.user_id = u.id)`;

async function listUnrankedOnGpu(
  db: Db,
  key: { leaderboardId: number; track: string },
  page: UnrankedPage,
): Promise<{ people: Unranked[]; total: number }> {
  const [gpuType = '', category = ''] = key.track.split(' / ');
  const language = languageOf(category);
  const rows = await db<(Facts & { total: number })[]>`
    with newest as materialized (
      -- Person by person: each look-up is one of an index, and a board has far fewer people than submissions.
      select n.id from hotlap.users u cross join lateral (
        select s.id from hotlap.submissions s
        where s.user_id = u.id and s.leaderboard_id = ${key.leaderboardId} and s.mode = 'leaderboard'
          and s.id <= ${page.upTo} ${language === '' ? db`` : db`and s.language = ${language}`}
          and exists (select from hotlap.jobs j where j.submission_id = s.id and j.gpu_type = ${gpuType})
        order by s.id desc limit 1
      ) n
      where ${hasNoEntry(db, key)}
    )
    ${facts(db)}, (select count(*) from newest) as total
    from (select id from newest where id < ${page.before} order by id desc limit ${page.limit}) chosen
    join hotlap.submissions s on s.id = chosen.id ${joins(db)}
    where g.gpu_type = ${gpuType}
    order by s.id desc`;
  const people = rows.map((row) => ({
    userId: row.userId,
    userName: row.userName,
    submissionId: row.submissionId,
    reason: reasonOn(row, category) ?? notRanked('no-score'),
  }));
  return { people, total: rows[0]?.total ?? 0 };
}

/** Who is ranked on some member of a composite, and not on each. */
async function listIncomplete(
  db: Db,
  key: { leaderboardId: number; track: string },
  page: UnrankedPage,
): Promise<{ people: Unranked[]; total: number }> {
  const rows = await db<
    (Omit<Unranked, 'reason'> & { total: number; board: string | null; gpuType: string; here: boolean })[]
  >`
    with member as materialized (
      select * from hotlap.composite_members where leaderboard_id = ${key.leaderboardId} and track = ${key.track}
    ), incomplete as materialized (
      select u.id, u.name, max(e.submission_id) as submission_id
      from member m
      join hotlap.best_entries e on e.leaderboard_id = m.member_leaderboard_id and e.gpu_type = m.gpu_type
      join hotlap.users u on u.id = e.user_id
      where e.submission_id <= ${page.upTo} and ${hasNoEntry(db, key)}
        and not exists (select from hotlap.board_teams own
          join hotlap.board_entries b on b.leaderboard_id = own.leaderboard_id and b.team_id = own.team_id
          where own.leaderboard_id = ${key.leaderboardId} and own.user_id = u.id and b.track = ${key.track})
      group by u.id, u.name
    )
    select i.id as "userId", i.name as "userName", i.submission_id as "submissionId", missing.*,
      (select count(*) from incomplete) as total
    from incomplete i
    left join lateral (
      select l.name as board, m.gpu_type as "gpuType", l.id = ${key.leaderboardId} as here
      from member m join hotlap.leaderboards l on l.id = m.member_leaderboard_id
      where not exists (select from hotlap.best_entries e
        where e.leaderboard_id = m.member_leaderboard_id and e.gpu_type = m.gpu_type
          and e.user_id = any(hotlap.with_mates(${key.leaderboardId}, array[i.id])))
      order by m.position limit 1
    ) missing on true
    where i.submission_id < ${page.before} order by i.submission_id desc limit ${page.limit}`;
  const people = rows.map(({ board, gpuType, here, total: _total, ...person }) => ({
    ...person,
    reason: memberMissing(board === null ? null : { board, gpuType, here }),
  }));
  return { people, total: rows[0]?.total ?? 0 };
}

/** Null: a member whose board is gone. */
function memberMissing(member: { board: string; gpuType: string; here: boolean } | null): NotRanked {
  if (member === null) return notRanked('member-missing', { member: 'a board that is gone' });
  const where = member.here ? member.gpuType : `${member.gpuType} of ${member.board}`;
  return notRanked('member-missing', { member: where });
}

/** Why a person is not on a track: what their newest ranked submission lacks. Null: they are on it, or their team is. */
export async function findReason(
  db: Db,
  key: { leaderboardId: number; track: string },
  userId: string,
): Promise<NotRanked | null> {
  const [entry] = await db`
    select 1 from hotlap.board_entries e
    where e.leaderboard_id = ${key.leaderboardId} and e.track = ${key.track}
      and e.user_id = hotlap.entry_holder(${key.leaderboardId}, ${key.track}, ${userId})`;
  if (entry) return null;
  const [member] = await db<{ board: string; gpuType: string; here: boolean }[]>`
    select l.name as board, m.gpu_type as "gpuType", l.id = ${key.leaderboardId} as here
    from hotlap.composite_members m join hotlap.leaderboards l on l.id = m.member_leaderboard_id
    where m.leaderboard_id = ${key.leaderboardId} and m.track = ${key.track}
      and not exists (select from hotlap.best_entries e
        where e.leaderboard_id = m.member_leaderboard_id and e.gpu_type = m.gpu_type
          and e.user_id = any(hotlap.with_mates(${key.leaderboardId}, array[${userId}])))
    order by m.position limit 1`;
  if (member) return memberMissing(member);
  const [gpu = '', category = ''] = key.track.split(' / ');
  const language = languageOf(category);
  const [row] = await db<Facts[]>`
    ${facts(db)} from hotlap.submissions s ${joins(db)}
    where s.leaderboard_id = ${key.leaderboardId} and s.user_id = ${userId} and s.mode = 'leaderboard'
      and g.gpu_type = ${gpu} ${language === '' ? db`` : db`and s.language = ${language}`}
    order by s.id desc limit 1`;
  if (!row) return language === '' ? notRanked('never-sent') : notRanked('other-language', { language });
  return reasonOn(row, category) ?? notRanked('no-score');
}
