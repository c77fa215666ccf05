-- Threads of boards, announced podiums, and notices that people ask for. Nothing here is told by itself: whoever runs the
-- bot looks for what is due (discord/herald.ts) when `hotlap_news` says that something may be.

alter table hotlap.leaderboards
  -- Its thread in the forum, and what that was told last (board_news); null: there is none.
  add column thread_id text,
  add column thread_told jsonb,
  -- Discord refused it: not tried again before.
  add column thread_retry_at timestamptz,
  -- Where a new podium is announced.
  add column podium text not null default 'thread' check (podium in ('thread', 'channel', 'off'));

-- What the thread of a board has to tell. Of a board for invited people it tells that alone.
create function hotlap.board_news(board hotlap.leaderboards) returns jsonb language sql stable parallel safe
  return case when board.visibility = 'closed' then jsonb_build_object('visibility', 'closed') else jsonb_build_object(
    'visibility', 'public', 'stage', board.stage, 'late', board.late, 'ranking', board.ranking,
    'taskVersionId', board.task_version_id,
    'deadline', to_char(board.deadline at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'gpus', (select coalesce(jsonb_agg(g.gpu_type order by g.position), '[]') from hotlap.leaderboard_gpus g
      where g.leaderboard_id = board.id)) end;

-- The first three of a GPU type: [{"userId", "userName", "submissionId", "rank", "score", "provisional"}, ...]
create function hotlap.podium_of(board bigint, of_gpu text) returns jsonb language sql stable parallel safe
  return (
    select coalesce(jsonb_agg(jsonb_build_object(
      'userId', e.user_id, 'userName', u.name, 'submissionId', e.submission_id, 'rank', e.rank, 'score', e.shown_score,
      'provisional', e.provisional) order by e.sort_key, e.achieved_at, e.submission_id), '[]')
    from (
      select best.*, rank() over (order by best.sort_key) as rank
      from (
        select * from hotlap.best_entries b where b.leaderboard_id = board and b.gpu_type = of_gpu
        order by b.sort_key, b.achieved_at, b.submission_id limit 3
      ) best
    ) e join hotlap.users u on u.id = e.user_id);

-- What was announced last, and since when it is another podium; no row: nobody was on it.
create table hotlap.podiums (
  leaderboard_id bigint not null references hotlap.leaderboards on delete cascade,
  gpu_type text not null,
  announced jsonb not null default '[]',
  changed_at timestamptz,
  primary key (leaderboard_id, gpu_type)
);
insert into hotlap.podiums (leaderboard_id, gpu_type, announced)
  select leaderboard_id, gpu_type, hotlap.podium_of(leaderboard_id, gpu_type) from hotlap.leaderboard_gpus;

-- Secret scores and boards for invited people are nobody else's to read.
create function hotlap.announces_podium(board hotlap.leaderboards) returns boolean language sql immutable parallel safe
  return board.podium <> 'off' and board.visibility = 'public' and board.stage <> 'archived'
    and board.ranking ->> 'score' is distinct from 'secret';

create function hotlap.tell_news() returns trigger language plpgsql as $$
begin
  perform pg_notify('hotlap_news', '');
  return null;
end
$$;
create trigger leaderboards_news after insert or update on hotlap.leaderboards
  for each statement execute function hotlap.tell_news();
create trigger best_entries_news after insert or update or delete on hotlap.best_entries
  for each statement execute function hotlap.tell_news();

-- A board that is deleted leaves its thread a last word.
create function hotlap.end_thread() returns trigger language plpgsql as $$
begin
  insert into hotlap.outbox (kind, dedupe_key, payload)
    values ('thread-end', 'thread-end:' || old.id, jsonb_build_object('threadId', old.thread_id, 'leaderboard', old.name))
    on conflict (dedupe_key) do nothing;
  perform pg_notify('hotlap_outbox', '');
  return null;
end
$$;
create trigger leaderboards_thread_end after delete on hotlap.leaderboards
  for each row when (old.thread_id is not null) execute function hotlap.end_thread();

-- Who wants to be told of what, by direct message.
create table hotlap.notice_settings (
  user_id text primary key references hotlap.users,
  kinds text[] not null check (kinds <@ array['finished', 'overtaken', 'deadline', 'quota']),
  -- Discord takes no message to them; nothing is owed until they say that it does.
  unreachable_since timestamptz,
  updated_at timestamptz not null default now()
);

create function hotlap.wants_notice(of_user text, kind text) returns boolean language sql stable parallel safe
  return exists (
    select from hotlap.notice_settings n
    where n.user_id = of_user and kind = any(n.kinds) and n.unreachable_since is null);

-- When a user who has used up a limit may submit again; null while some of it is left.
create function hotlap.quota_back_at(of_user text, board bigint, of_category text, allowed int) returns timestamptz
  language sql stable parallel safe
  return (
    select u.used_at + interval '1 hour'
    from hotlap.quota_uses u
    where u.user_id = of_user and u.leaderboard_id = board and u.category = of_category and u.given_back_at is null
      and u.used_at > now() - interval '1 hour'
    order by u.used_at desc offset allowed - 1 limit 1);

-- podium: {"leaderboardId", "changes": [{"gpuType", "before", "after"}]}; board-thread: {"leaderboardId"};
-- thread-end: {"threadId", "leaderboard"}; channel-trouble: {"channelId", "purpose", "words"};
-- notice: {"notice", "userId", ...} (domain/notice.ts)
alter table hotlap.outbox
  drop constraint outbox_kind,
  add constraint outbox_kind check (kind in
    ('result', 'announcement', 'box-notice', 'rejudge-notice', 'ruling-notice', 'appeal-notice',
     'board-thread', 'thread-end', 'channel-trouble', 'podium', 'notice'));
create index outbox_notices on hotlap.outbox ((payload ->> 'userId'), id desc) where kind = 'notice';
create index outbox_threads on hotlap.outbox ((payload ->> 'leaderboardId'))
  where kind = 'board-thread' and status = 'owed';
