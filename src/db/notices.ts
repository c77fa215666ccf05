/**
 * Notices that people asked for. Each is owed in the outbox under a key of its own, so that none comes twice; one that is
 * for later waits there until its time. Whether it still holds is looked at again when it is sent (discord/notices.ts).
 */
import type { NoticeKind } from '../domain/notice.ts';
import type { ChangeRecord } from './audit.ts';
import type { Db, Sql } from './client.ts';

export interface NoticeSettings {
  kinds: NoticeKind[];
  /** Discord has taken no message to them since then; null: all is well, as far as is known. */
  unreachableSince: Date | null;
}

export async function findNoticeSettings(db: Db, userId: string): Promise<NoticeSettings> {
  const [row] = await db<NoticeSettings[]>`
    select kinds, unreachable_since as "unreachableSince" from hotlap.notice_settings where user_id = ${userId}`;
  return row ?? { kinds: [], unreachableSince: null };
}

/** The account has to be known. */
export async function saveNoticeSettings(
  sql: Sql,
  userId: string,
  kinds: NoticeKind[],
  record: ChangeRecord,
): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtextextended(${`notify:${userId}`}, 0))`;
    const before = await findNoticeSettings(tx, userId);
    await tx`
      insert into hotlap.notice_settings (user_id, kinds) values (${userId}, ${kinds})
      on conflict (user_id) do update set kinds = excluded.kinds, updated_at = now()`;
    if (kinds.includes('quota')) await oweQuotaNotices(tx, userId);
    if (before.kinds.join() === kinds.join()) record.settle();
    else
      await record.note(tx, {
        subject: `user ${userId}`,
        before: { notices: before.kinds },
        after: { notices: kinds },
      });
  });
}

export async function noteReachable(db: Db, userId: string, isReachable: boolean): Promise<void> {
  await db`
    update hotlap.notice_settings
    set unreachable_since = case when ${isReachable} then null else coalesce(unreachable_since, now()) end
    where user_id = ${userId}`;
}

/** Whether somebody wants such a notice now. */
export async function wantsNotice(db: Db, userId: string, kind: NoticeKind): Promise<boolean> {
  const [row] = await db<{ wants: boolean }[]>`select hotlap.wants_notice(${userId}, ${kind}) as wants`;
  return row?.wants ?? false;
}

/** Somebody who has just been told of a board is not told again before. */
const OVERTAKEN_PAUSE = '10 minutes';
/** Far down a large board being passed is nothing to write of; Discord takes few direct messages a second. */
const MOST_OVERTAKEN = 100;

/** In the transaction that ends a submission, after it was ranked: its owner's, and those of whoever it has passed. */
export async function oweSubmissionNotices(tx: Db, submissionId: number): Promise<void> {
  // Where the reply is beyond its life the result itself comes by direct message.
  await tx`
    insert into hotlap.outbox (kind, dedupe_key, payload)
    select 'notice', 'finished:' || s.id || ':' || s.rerun,
      jsonb_build_object('notice', 'finished', 'userId', s.user_id, 'submissionId', s.id)
    from hotlap.submissions s
    left join hotlap.submission_replies r on r.submission_id = s.id
    where s.id = ${submissionId} and s.status <> 'cancelled' and hotlap.wants_notice(s.user_id, 'finished')
      and (r.submission_id is null or r.token_expires_at > now() + interval '10 seconds')
    on conflict (dedupe_key) do nothing`;
  await tx`
    insert into hotlap.outbox (kind, dedupe_key, payload, not_before)
    select 'notice', concat_ws(':', 'overtaken', mine.submission_id, mine.gpu_type, n.user_id),
      jsonb_build_object('notice', 'overtaken', 'userId', n.user_id, 'leaderboardId', mine.leaderboard_id,
        'gpuType', mine.gpu_type),
      greatest(now(), (
        select max(o.sent_at) + ${OVERTAKEN_PAUSE}::interval from hotlap.outbox o
        where o.kind = 'notice' and o.payload ->> 'userId' = n.user_id and o.payload ->> 'notice' = 'overtaken'
          and o.payload -> 'leaderboardId' = to_jsonb(mine.leaderboard_id) and o.payload ->> 'gpuType' = mine.gpu_type))
    from hotlap.best_entries mine
    join hotlap.leaderboards l on l.id = mine.leaderboard_id and l.stage <> 'archived'
    left join lateral (
      -- What stood there until this one came, of its owner or their team; nothing where they were not ranked just before.
      select h.sort_key
      from (
        select * from hotlap.board_history h
        where h.leaderboard_id = mine.leaderboard_id and h.track = mine.gpu_type and h.user_id = mine.user_id
        union all
        select * from hotlap.board_history h
        where h.leaderboard_id = mine.leaderboard_id and h.track = mine.gpu_type and h.team_id = mine.team_id
          and h.user_id <> mine.user_id
      ) h
      where h.submission_id <> mine.submission_id and h.until = (
          select min(own.since) from hotlap.board_history own
          where own.leaderboard_id = mine.leaderboard_id and own.track = mine.gpu_type and own.user_id = mine.user_id
            and own.submission_id = mine.submission_id)
      limit 1
    ) earlier on true
    join hotlap.notice_settings n on 'overtaken' = any(n.kinds) and n.unreachable_since is null
    -- A team is passed with all its members.
    join hotlap.best_entries other on other.leaderboard_id = mine.leaderboard_id and other.gpu_type = mine.gpu_type
      and other.user_id = hotlap.entry_holder(mine.leaderboard_id, mine.gpu_type, n.user_id)
      and other.user_id <> mine.user_id and other.sort_key > mine.sort_key
      and (earlier.sort_key is null or other.sort_key <= earlier.sort_key)
    where mine.submission_id = ${submissionId}
      and (l.visibility = 'public' or exists (
        select from hotlap.board_members m where m.leaderboard_id = l.id and m.user_id = n.user_id))
      -- One that waits tells of this one, too.
      and not exists (
        select from hotlap.outbox o
        where o.kind = 'notice' and o.status = 'owed' and o.payload ->> 'userId' = n.user_id
          and o.payload ->> 'notice' = 'overtaken' and o.payload -> 'leaderboardId' = to_jsonb(mine.leaderboard_id)
          and o.payload ->> 'gpuType' = mine.gpu_type)
    order by other.sort_key limit ${MOST_OVERTAKEN}
    on conflict (dedupe_key) do nothing`;
}

/** Since when a place on a GPU type is a user's or their team's, as far as they know: the entry, or the last notice of it. */
export async function findPlaceKnownSince(
  db: Db,
  key: { userId: string; leaderboardId: number; gpuType: string },
): Promise<Date | null> {
  const [row] = await db<{ at: Date }[]>`
    select greatest(h.since, (
        select max(o.sent_at) from hotlap.outbox o
        where o.kind = 'notice' and o.payload ->> 'userId' = ${key.userId} and o.payload ->> 'notice' = 'overtaken'
          and o.payload -> 'leaderboardId' = to_jsonb(h.leaderboard_id) and o.payload ->> 'gpuType' = h.track)) as at
    from hotlap.board_history h
    where h.leaderboard_id = ${key.leaderboardId} and h.track = ${key.gpuType} and h.until = 'infinity'
      and h.user_id = (select hotlap.entry_holder(${key.leaderboardId}, ${key.gpuType}, ${key.userId}))`;
  return row?.at ?? null;
}

/** For those who take part: 24 hours before the end of a board, and one. A deadline that is moved is another one. */
export async function oweDeadlineNotices(db: Db): Promise<void> {
  await db`
    with owed as (
      insert into hotlap.outbox (kind, dedupe_key, payload)
      select 'notice', concat_ws(':', 'deadline', l.id, ends.ms, ends.hours, n.user_id),
        jsonb_build_object('notice', 'deadline', 'userId', n.user_id, 'leaderboardId', l.id,
          'deadlineMs', ends.ms, 'hours', ends.hours)
      from hotlap.leaderboards l
      cross join lateral (
        select floor(extract(epoch from l.deadline) * 1000)::bigint as ms,
          case when l.deadline <= now() + interval '1 hour' then 1 else 24 end as hours
      ) ends
      join hotlap.notice_settings n on 'deadline' = any(n.kinds) and n.unreachable_since is null
      where l.stage = 'open' and l.deadline > now() and l.deadline <= now() + interval '24 hours'
        and (
          exists (select from hotlap.board_members m where m.leaderboard_id = l.id and m.user_id = n.user_id)
          or l.visibility = 'public' and exists (
            select from hotlap.submissions s where s.leaderboard_id = l.id and s.user_id = n.user_id))
      on conflict (dedupe_key) do nothing
      returning 1
    )
    select pg_notify('hotlap_outbox', '') from owed limit 1`;
}

/** In how many milliseconds the next notice of a deadline is due; null: no deadline is ahead. */
export async function untilDeadlineNotice(db: Db): Promise<number | null> {
  const [row] = await db<{ ms: number | null }[]>`
    select (1000 * extract(epoch from min(at) - now()))::float8 as ms
    from hotlap.leaderboards l
    cross join unnest(array[l.deadline - interval '24 hours', l.deadline - interval '1 hour']) at
    where l.stage = 'open' and at > now()`;
  return row?.ms ?? null;
}

/** Of limits that the user has used up: for when some of it is back. */
export async function oweQuotaNotices(tx: Db, userId: string): Promise<void> {
  await tx`
    insert into hotlap.outbox (kind, dedupe_key, payload, not_before)
    select 'notice', concat_ws(':', 'quota', r.leaderboard_id, r.category, extract(epoch from back.at), ${userId}::text),
      jsonb_build_object('notice', 'quota', 'userId', ${userId}::text, 'leaderboardId', r.leaderboard_id,
        'category', r.category), back.at
    from hotlap.rate_limits r
    cross join lateral hotlap.quota_back_at(${userId}, r.leaderboard_id, r.category, r.max_per_hour) back (at)
    where back.at is not null and hotlap.wants_notice(${userId}, 'quota')
      -- One that waits looks again when its time has come.
      and not exists (
        select from hotlap.outbox o
        where o.kind = 'notice' and o.status = 'owed' and o.payload ->> 'userId' = ${userId}
          and o.payload ->> 'notice' = 'quota' and o.payload -> 'leaderboardId' = to_jsonb(r.leaderboard_id)
          and o.payload ->> 'category' = r.category)
    on conflict (dedupe_key) do nothing`;
}

/** What a box's failure gave back may be there at once. */
export async function hurryQuotaNotices(tx: Db, userId: string): Promise<void> {
  await tx`
    update hotlap.outbox set not_before = now()
    where kind = 'notice' and status = 'owed' and payload ->> 'userId' = ${userId} and payload ->> 'notice' = 'quota'`;
}

/** How a user stands with one limit; null: there is none any more. `backAt` null: some of it is left. */
export async function findQuotaBack(
  db: Db,
  key: { userId: string; leaderboardId: number; category: string },
): Promise<{ maxPerHour: number; backAt: Date | null } | null> {
  const [row] = await db<{ maxPerHour: number; backAt: Date | null }[]>`
    select max_per_hour as "maxPerHour",
      hotlap.quota_back_at(${key.userId}, leaderboard_id, category, max_per_hour) as "backAt"
    from hotlap.rate_limits where leaderboard_id = ${key.leaderboardId} and category = ${key.category}`;
  return row ?? null;
}
