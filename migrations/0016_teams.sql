-- Teams: people who compete under one name. The best entry among the members takes the team's one place.
--
-- A team is the server's, not a board's. Whose entries count for which team is a matter of time: on a board, of the moment at
-- which its deadline passes (or at which an organiser closed it), so that what happens later moves nobody there; on a board
-- that is open, of now. Members keep their submissions: whoever leaves takes them along.

create table hotlap.teams (
  id bigint generated always as identity primary key,
  name text not null check (name ~ '^\S.{0,30}\S$'),
  -- Who invites, names and ends it; the member of longest standing after a founder who left.
  founder_id text not null references hotlap.users,
  created_at timestamptz not null default now(),
  -- Members see each other's submissions from then on; null: they do not.
  shared_since timestamptz,
  disbanded_at timestamptz
);
create unique index teams_name on hotlap.teams (lower(name)) where disbanded_at is null;

-- Every membership there ever was, for as long as it lasted. Nobody has two at a time.
create table hotlap.team_members (
  team_id bigint not null references hotlap.teams,
  user_id text not null references hotlap.users,
  joined_at timestamptz not null,
  left_at timestamptz not null default 'infinity',
  primary key (user_id, joined_at),
  check (joined_at < left_at)
);
create unique index team_members_now on hotlap.team_members (user_id) where left_at = 'infinity';
create index team_members_team on hotlap.team_members (team_id, left_at);

create table hotlap.team_invites (
  team_id bigint not null references hotlap.teams,
  user_id text not null references hotlap.users,
  invited_at timestamptz not null default now(),
  primary key (team_id, user_id)
);
create index team_invites_user on hotlap.team_invites (user_id);

-- The moment whose teams a board goes by.
alter table hotlap.leaderboards add column closed_at timestamptz;
update hotlap.leaderboards set closed_at = updated_at where stage <> 'open';
alter table hotlap.leaderboards
  add column teams_at timestamptz not null generated always as (least(deadline, closed_at, 'infinity')) stored;

create function hotlap.note_closing() returns trigger language plpgsql as $$
begin
  new.closed_at := case when new.stage = 'open' then null else coalesce(new.closed_at, now()) end;
  return new;
end
$$;
create trigger leaderboards_closing before insert or update of stage on hotlap.leaderboards
  for each row execute function hotlap.note_closing();

-- Which team somebody's entries on a board count for. Whoever is not in it counts alone.
create view hotlap.board_teams as
  select l.id as leaderboard_id, m.user_id, m.team_id
  from hotlap.leaderboards l join hotlap.team_members m
    on m.joined_at <= l.teams_at and (m.left_at > l.teams_at or m.left_at = 'infinity');

-- The functions below are asked for every rank and every result: their plans are kept, and most people are in no team.
create function hotlap.team_on(board bigint, of_user text) returns bigint language plpgsql stable parallel safe as $$
begin
  if not exists (select from hotlap.team_members m where m.user_id = of_user) then return null; end if;
  return (select t.team_id from hotlap.board_teams t where t.leaderboard_id = board and t.user_id = of_user);
end
$$;

-- These users and, on this board, their team mates.
create function hotlap.with_mates(board bigint, of_users text[]) returns text[]
  language plpgsql stable parallel safe as $$
begin
  if not exists (select from hotlap.team_members m where m.user_id = any(of_users)) then return of_users; end if;
  return array(
    select u from unnest(of_users) u
    union
    select mate.user_id from hotlap.board_teams own
    join hotlap.board_teams mate on mate.leaderboard_id = own.leaderboard_id and mate.team_id = own.team_id
    where own.leaderboard_id = board and own.user_id = any(of_users));
end
$$;

-- What members may read of each other: what was sent while both were in the team and the team shared. Boards that are closed
-- to somebody stay closed.
create view hotlap.shared_submissions as
  select s.id as submission_id, mate.user_id as viewer_id
  from hotlap.team_members own
  join hotlap.teams t on t.id = own.team_id
  join hotlap.team_members mate on mate.team_id = own.team_id and mate.user_id <> own.user_id
  join hotlap.submissions s on s.user_id = own.user_id
  join hotlap.leaderboards l on l.id = s.leaderboard_id
  where own.left_at = 'infinity' and mate.left_at = 'infinity'
    and s.created_at >= t.shared_since and s.created_at >= own.joined_at and s.created_at >= mate.joined_at
    and (l.visibility = 'public' or exists (
      select from hotlap.board_members b where b.leaderboard_id = l.id and b.user_id = mate.user_id));

-- The entry of a team stands under the member who made it.
alter table hotlap.best_entries
  add column team_id bigint references hotlap.teams,
  add constraint best_entries_team exclude using btree (leaderboard_id with =, gpu_type with =, team_id with =)
    where (team_id is not null) deferrable;
alter table hotlap.track_entries
  add column team_id bigint references hotlap.teams,
  add constraint track_entries_team exclude using btree (leaderboard_id with =, track with =, team_id with =)
    where (team_id is not null) deferrable;
alter table hotlap.board_history add column team_id bigint references hotlap.teams;
create index board_history_team on hotlap.board_history (leaderboard_id, track, team_id) where team_id is not null;

create or replace view hotlap.board_entries as
  select leaderboard_id, gpu_type as track, user_id, submission_id, score, shown_score, sort_key, recent, steady, anchor,
    runs, provisional, achieved_at, team_id
  from hotlap.best_entries
  union all
  select leaderboard_id, track, user_id, submission_id, score, shown_score, sort_key, recent, steady, anchor, runs,
    provisional, achieved_at, team_id
  from hotlap.track_entries;

-- Under whom somebody's place on a track stands: themselves, or the team mate with the better entry.
create function hotlap.entry_holder(board bigint, of_track text, of_user text) returns text
  language plpgsql stable parallel safe as $$
declare
  team bigint := hotlap.team_on(board, of_user);
begin
  if team is null then return of_user; end if;
  return coalesce((
    select e.user_id from hotlap.board_entries e
    where e.leaderboard_id = board and e.track = of_track and e.team_id = team), of_user);
end
$$;

-- As before, with the team.
create or replace function hotlap.note_entry() returns trigger language plpgsql set enable_seqscan = off as $$
declare
  before record := old;
  after record := new;
  before_track text := to_jsonb(old) ->> tg_argv[0];
  after_track text := to_jsonb(new) ->> tg_argv[0];
  moment timestamptz := coalesce(nullif(current_setting('hotlap.entries_since', true), '')::timestamptz, now());
  stood tid;
  stood_since timestamptz;
  same boolean;
begin
  if tg_op = 'UPDATE' then
    same := (before.submission_id, before.score, before.shown_score, before.sort_key, before.recent, before.steady,
      before.anchor, before.provisional, before.achieved_at, before.team_id)
      is not distinct from (after.submission_id, after.score, after.shown_score, after.sort_key, after.recent,
      after.steady, after.anchor, after.provisional, after.achieved_at, after.team_id);
    if same then return null; end if;
  end if;
  if tg_op <> 'INSERT' then
    select h.ctid, h.since into stood, stood_since from hotlap.board_history h
      where h.leaderboard_id = before.leaderboard_id and h.track = before_track and h.user_id = before.user_id
        and h.until = 'infinity'
      order by h.since desc limit 1;
    -- What stood for no time at all never stood; a transaction that began earlier does not go back before a later one.
    if stood_since >= moment then
      delete from hotlap.board_history h where h.ctid = stood;
    else
      update hotlap.board_history h set until = moment where h.ctid = stood;
    end if;
    insert into hotlap.board_tallies (leaderboard_id, track, step, entries)
      select before.leaderboard_id, before_track, hotlap.tally_step(before.sort_key), -1
      -- A board that is being deleted takes its tally along.
      where exists (select from hotlap.leaderboards l where l.id = before.leaderboard_id);
  end if;
  if tg_op <> 'DELETE' then
    insert into hotlap.board_history (leaderboard_id, track, user_id, submission_id, score, shown_score, sort_key, recent,
        steady, anchor, provisional, achieved_at, team_id, since)
      values (after.leaderboard_id, after_track, after.user_id, after.submission_id, after.score, after.shown_score,
        after.sort_key, after.recent, after.steady, after.anchor, after.provisional, after.achieved_at, after.team_id,
        greatest(moment, (
          select h.until from hotlap.board_history h
          where h.leaderboard_id = after.leaderboard_id and h.track = after_track and h.user_id = after.user_id
            and h.until < 'infinity'
          order by h.since desc limit 1)));
    insert into hotlap.board_tallies (leaderboard_id, track, step, entries)
      values (after.leaderboard_id, after_track, hotlap.tally_step(after.sort_key), 1);
  end if;
  return null;
end
$$;

-- As before; with whoever is listed, their team mates. Whoever changes a membership has the first lock alone, so that mates
-- stay mates until the transaction ends.
create or replace function hotlap.lock_entries(board bigint, of_users text[], alone boolean) returns void language plpgsql as $$
declare
  one text;
begin
  if alone then
    perform pg_advisory_xact_lock(hashtextextended('entries', 0));
  else
    perform pg_advisory_xact_lock_shared(hashtextextended('entries', 0));
  end if;
  if coalesce(current_setting('hotlap.entries_since', true), '') = '' then
    perform set_config('hotlap.entries_since', clock_timestamp()::text, true);
  end if;
  if of_users is null then
    perform pg_advisory_xact_lock(hashtextextended('board:' || board, 0));
    return;
  end if;
  perform pg_advisory_xact_lock_shared(hashtextextended('board:' || board, 0));
  for one in select distinct u from unnest(hotlap.with_mates(board, of_users)) u order by 1 loop
    perform pg_advisory_xact_lock(hashtextextended('best:' || board || ':' || one, 0));
  end loop;
end
$$;

create or replace function hotlap.refresh_entries(board bigint, of_gpus text[], of_users text[]) returns void language plpgsql as $$
declare
  b hotlap.leaderboards;
  users text[] := of_users;
  hosts bigint[];
begin
  perform hotlap.lock_entries(board, of_users, of_users is null);
  if users is null then
    users := array(select distinct user_id from hotlap.submissions where leaderboard_id = board
      union select user_id from hotlap.best_entries where leaderboard_id = board
      union select user_id from hotlap.track_entries where leaderboard_id = board);
  else
    users := hotlap.with_mates(board, users);
  end if;
  select * into b from hotlap.leaderboards l where l.id = board;
  if not found then return; end if;
  if b.ranked_by = 'rule' then perform hotlap.refresh_rule_scores(board, of_gpus, users); end if;

  with best as (
    -- One of each team, and one of each person without.
    select distinct on (e.gpu_type, t.team_id, alone) e.*, t.team_id, alone
    from hotlap.eligible_entries e
    left join hotlap.board_teams t on t.leaderboard_id = board and t.user_id = e.user_id
    cross join lateral (select case when t.team_id is null then e.user_id end as alone) a
    where e.leaderboard_id = board and e.user_id = any(users) and (of_gpus is null or e.gpu_type = any(of_gpus))
    order by e.gpu_type, t.team_id, alone, e.sort_key, e.achieved_at, e.submission_id
  ), counted as (
    select t.team_id, case when t.team_id is null then m.user_id end as alone, m.gpu_type, count(*)::int as runs
    from hotlap.measurements m join hotlap.submissions s on s.id = m.submission_id
    left join hotlap.board_teams t on t.leaderboard_id = board and t.user_id = m.user_id
    where b.ranking ? 'minimumRuns' and m.leaderboard_id = board and m.user_id = any(users) and m.passed
      and m.rejudge_id is null and m.secret = coalesce(b.ranking ->> 'score' = 'secret', false)
      and s.invalidated_at is null
    group by 1, 2, 3
  ), wanted as (
    select best.*, coalesce(c.runs, 0) as runs,
      coalesce(c.runs, 0) < coalesce((b.ranking ->> 'minimumRuns')::int, 0) as provisional
    from best left join counted c
      on c.gpu_type = best.gpu_type and (c.team_id = best.team_id or c.alone = best.alone)
  ), gone as (
    delete from hotlap.best_entries e
    where e.leaderboard_id = board and e.user_id = any(users) and (of_gpus is null or e.gpu_type = any(of_gpus))
      and not exists (select from best where best.gpu_type = e.gpu_type and best.user_id = e.user_id)
  )
  insert into hotlap.best_entries as e (leaderboard_id, gpu_type, user_id, submission_id, score, achieved_at, sort_key,
      shown_score, recent, steady, anchor, runs, provisional, team_id)
    select leaderboard_id, gpu_type, user_id, submission_id, score, achieved_at, sort_key, shown_score, recent, steady,
      anchor, runs, provisional, team_id
    from wanted
  on conflict (leaderboard_id, gpu_type, user_id) do update set
    submission_id = excluded.submission_id, score = excluded.score, achieved_at = excluded.achieved_at,
    sort_key = excluded.sort_key, shown_score = excluded.shown_score, recent = excluded.recent,
    steady = excluded.steady, anchor = excluded.anchor, runs = excluded.runs, provisional = excluded.provisional,
    team_id = excluded.team_id
  where (e.submission_id, e.score, e.achieved_at, e.sort_key, e.shown_score, e.recent, e.steady, e.anchor, e.runs,
      e.provisional, e.team_id) is distinct from
    (excluded.submission_id, excluded.score, excluded.achieved_at, excluded.sort_key, excluded.shown_score,
     excluded.recent, excluded.steady, excluded.anchor, excluded.runs, excluded.provisional, excluded.team_id);

  if not b.ranking ? 'windows' then
    perform hotlap.refresh_records(board, of_gpus, users, of_users is null);
  elsif of_users is null then
    delete from hotlap.board_records r where r.leaderboard_id = board;
  end if;

  if b.ranking ? 'categories' or of_users is null then perform hotlap.refresh_categories(b, of_gpus, users, of_users is null); end if;

  hosts := array(select distinct m.leaderboard_id from hotlap.composite_members m
    where m.member_leaderboard_id = board and (of_gpus is null or m.gpu_type = any(of_gpus)));
  if of_users is null then
    hosts := hosts || board;
    perform hotlap.refresh_composites(hosts, null);
  elsif cardinality(hosts) > 0 then
    perform hotlap.refresh_composites(hosts, users);
  end if;
end
$$;

-- Composites of these boards, for these users and their team mates, or everybody who is ranked on a member. A team on the
-- board of the composite has, of each member, the best entry that one of its people has there.
create or replace function hotlap.refresh_composites(hosts bigint[], of_users text[]) returns void language plpgsql as $$
declare
  one text;
  host bigint;
  users text[];
begin
  -- Two members of one user's may change at the same moment, on two boards.
  for one in select distinct u from unnest(hosts) h, unnest(hotlap.with_mates(h, of_users)) u order by 1 loop
    perform pg_advisory_xact_lock(hashtextextended('composite:' || one, 0));
  end loop;
  foreach host in array hosts loop
    if of_users is not null then users := hotlap.with_mates(host, of_users); end if;
    with best as (
      select distinct on (m.track, m.position, t.team_id, alone) m.*, e.user_id, e.submission_id, e.score, e.provisional,
        e.runs, e.achieved_at, t.team_id, alone
      from hotlap.composite_members m
      join hotlap.best_entries e on e.leaderboard_id = m.member_leaderboard_id and e.gpu_type = m.gpu_type
      left join hotlap.board_teams t on t.leaderboard_id = host and t.user_id = e.user_id
      cross join lateral (select case when t.team_id is null then e.user_id end as alone) a
      where m.leaderboard_id = host and (users is null or e.user_id = any(users))
      order by m.track, m.position, t.team_id, alone, e.sort_key, e.achieved_at, e.submission_id
    ), made as (
      select m.track, m.team_id, l.score_ascending, hotlap.twelve_digits(case m.combine
          when 'geom' then exp(sum(m.weight * ln(m.score) order by m.position))
          else sum(m.weight * m.score order by m.position) end) as score,
        bool_or(ml.ranking ->> 'score' = 'secret') is true as hidden, bool_or(m.provisional) as provisional,
        min(m.runs) as runs, max(m.achieved_at) as achieved_at,
        (array_agg(m.submission_id order by m.achieved_at desc, m.submission_id desc))[1] as submission_id,
        (array_agg(m.user_id order by m.achieved_at desc, m.submission_id desc))[1] as user_id
      from best m
      join hotlap.leaderboards ml on ml.id = m.member_leaderboard_id
      -- All members have the same direction.
      join hotlap.leaderboards l on l.id = (
        select o.member_leaderboard_id from hotlap.composite_members o
        where o.leaderboard_id = host and o.track = m.track order by o.position limit 1)
      group by m.track, m.combine, m.members, m.team_id, m.alone, l.score_ascending
      having count(*) = m.members
    ), wanted as (
      select * from made where hotlap.is_rankable(score)
    ), gone as (
      delete from hotlap.track_entries t
      using (
        select c ->> 'name' as track
        from hotlap.leaderboards l, jsonb_array_elements(l.ranking -> 'composites') c where l.id = host) c
      where t.leaderboard_id = host and t.track = c.track and (users is null or t.user_id = any(users))
        and not exists (select from wanted w where w.track = t.track and w.user_id = t.user_id)
    )
    insert into hotlap.track_entries as t (leaderboard_id, track, user_id, submission_id, score, shown_score, sort_key,
        runs, provisional, achieved_at, team_id)
      select host, track, user_id, submission_id, score, case when not hidden then score end,
        array[hotlap.sort_score(score, score_ascending)], runs, provisional, achieved_at, team_id
      from wanted
    on conflict (leaderboard_id, track, user_id) do update set
      submission_id = excluded.submission_id, score = excluded.score, shown_score = excluded.shown_score,
      sort_key = excluded.sort_key, runs = excluded.runs, provisional = excluded.provisional,
      achieved_at = excluded.achieved_at, team_id = excluded.team_id
    where (t.submission_id, t.score, t.shown_score, t.sort_key, t.runs, t.provisional, t.achieved_at, t.team_id)
      is distinct from (excluded.submission_id, excluded.score, excluded.shown_score, excluded.sort_key, excluded.runs,
        excluded.provisional, excluded.achieved_at, excluded.team_id);
  end loop;
end
$$;

create or replace function hotlap.refresh_categories(b hotlap.leaderboards, of_gpus text[], users text[], whole boolean)
  returns void language sql as $$
  with entries as (
    select e.*, t.team_id from hotlap.eligible_entries e
    left join hotlap.board_teams t on t.leaderboard_id = b.id and t.user_id = e.user_id
    where e.leaderboard_id = b.id and e.user_id = any(users) and (of_gpus is null or e.gpu_type = any(of_gpus))
  ), candidates as (
    select e.gpu_type || ' / ' || s.language as track, e.user_id, e.submission_id, e.score, e.shown_score, e.sort_key,
      e.recent, e.steady, e.anchor, e.achieved_at, e.team_id
    from entries e join hotlap.submissions s on s.id = e.submission_id
    where b.ranking -> 'categories' ? 'language' and s.language is not null
    union all
    -- By the time of the run itself: nothing else is known of a single benchmark.
    select e.gpu_type || ' / shape ' || c.shape, e.user_id, e.submission_id, c.seconds,
      case when b.ranking ->> 'score' is distinct from 'secret' then c.seconds end, array[c.seconds],
      null, null, null, e.achieved_at, e.team_id
    from entries e
    join hotlap.submissions s on s.id = e.submission_id
    join hotlap.submission_scores sc on sc.submission_id = e.submission_id and sc.gpu_type = e.gpu_type
    left join hotlap.rejudges r on r.id = sc.rejudge_id
    cross join lateral (
      select m.case_seconds from hotlap.measurements m
      where m.submission_id = e.submission_id and m.gpu_type = e.gpu_type and m.passed and m.remeasure is null
        and m.secret = coalesce(b.ranking ->> 'score' = 'secret', false)
        and m.rejudge_id is not distinct from sc.rejudge_id
      order by m.measured_at desc, m.id desc limit 1
    ) m
    cross join lateral unnest(m.case_seconds) with ordinality c (seconds, shape)
    where b.ranking -> 'categories' ? 'shape' and hotlap.is_rankable(c.seconds)
      -- Benchmarks of another version of the task may be others, and a harness may time the last one alone.
      and coalesce(r.task_version_id, s.task_version_id) = b.task_version_id
      and cardinality(m.case_seconds) = (
        select jsonb_array_length(v.definition -> 'benchmarks') from hotlap.task_versions v where v.id = b.task_version_id)
  ), wanted as (
    select distinct on (track, team_id, case when team_id is null then user_id end) * from candidates
    order by track, team_id, case when team_id is null then user_id end, sort_key, achieved_at, submission_id
  ), gone as (
    delete from hotlap.track_entries t
    where t.leaderboard_id = b.id and t.user_id = any(users)
      and case when whole then not exists (
          select from jsonb_array_elements(b.ranking -> 'composites') c where c ->> 'name' = t.track)
        else t.track like '% / %' and (of_gpus is null or split_part(t.track, ' / ', 1) = any(of_gpus)) end
      and not exists (select from wanted w where w.track = t.track and w.user_id = t.user_id)
  )
  insert into hotlap.track_entries as t (leaderboard_id, track, user_id, submission_id, score, shown_score, sort_key,
      recent, steady, anchor, achieved_at, team_id)
    select b.id, track, user_id, submission_id, score, shown_score, sort_key, recent, steady, anchor, achieved_at, team_id
    from wanted
  on conflict (leaderboard_id, track, user_id) do update set
    submission_id = excluded.submission_id, score = excluded.score, shown_score = excluded.shown_score,
    sort_key = excluded.sort_key, recent = excluded.recent, steady = excluded.steady, anchor = excluded.anchor,
    achieved_at = excluded.achieved_at, team_id = excluded.team_id
  where (t.submission_id, t.score, t.shown_score, t.sort_key, t.recent, t.steady, t.anchor, t.achieved_at, t.team_id)
    is distinct from (excluded.submission_id, excluded.score, excluded.shown_score, excluded.sort_key, excluded.recent,
      excluded.steady, excluded.anchor, excluded.achieved_at, excluded.team_id)
$$;

-- Places at a moment, of whoever of these was ranked then: entries of these users, and of these teams, whoever made them.
drop function hotlap.ranks_at(bigint, text, text[], timestamptz);
create function hotlap.ranks_at(board bigint, of_track text, of_users text[], of_teams bigint[], moment timestamptz)
  returns table (user_id text, team_id bigint, rank bigint)
  language sql stable set enable_seqscan = off as $$
  with wanted as (
    select h.user_id, h.sort_key from hotlap.board_history h
    where h.leaderboard_id = board and h.track = of_track and h.user_id = any(of_users)
      and h.since <= moment and h.until > moment
    union
    select h.user_id, h.sort_key from hotlap.board_history h
    where h.leaderboard_id = board and h.track = of_track and h.team_id = any(of_teams)
      and h.since <= moment and h.until > moment
  ), ranked as (
    select h.user_id, h.team_id, rank() over (order by h.sort_key) as rank from hotlap.board_history h
    where h.leaderboard_id = board and h.track = of_track and h.since <= moment and h.until > moment
      and h.sort_key <= (select max(w.sort_key) from wanted w)
  )
  select r.user_id, r.team_id, r.rank from ranked r join wanted w on w.user_id = r.user_id
$$;

-- Ranks these users, on all boards or one, where they have sent ranked work: a membership began or ended, or the moment moved
-- that a board goes by.
create function hotlap.refresh_teams(board bigint, of_users text[]) returns void language plpgsql as $$
declare
  one bigint;
begin
  for one in
    select distinct s.leaderboard_id from hotlap.submissions s
    where s.user_id = any(of_users) and s.mode = 'leaderboard' and s.leaderboard_id = coalesce(board, s.leaderboard_id)
    order by 1
  loop
    perform hotlap.refresh_entries(one, null, of_users);
  end loop;
end
$$;

-- A deadline that is moved takes in, or leaves out, what became of teams meanwhile.
create function hotlap.note_teams_at() returns trigger language plpgsql as $$
declare
  concerned text[];
begin
  concerned := array(
    select distinct mate.user_id
    from hotlap.team_members m join hotlap.team_members mate on mate.team_id = m.team_id
    where (m.joined_at <= old.teams_at and (m.left_at > old.teams_at or m.left_at = 'infinity'))
      <> (m.joined_at <= new.teams_at and (m.left_at > new.teams_at or m.left_at = 'infinity')));
  if cardinality(concerned) > 0 then
    perform hotlap.lock_entries(new.id, concerned, false);
    perform hotlap.refresh_teams(new.id, concerned);
    -- Also where what they sent is on its members alone.
    perform hotlap.refresh_composites(array[new.id], concerned);
  end if;
  return null;
end
$$;
create trigger leaderboards_teams_at after update on hotlap.leaderboards
  for each row when (old.teams_at is distinct from new.teams_at) execute function hotlap.note_teams_at();

-- As before, with the team: {..., "teamId", "teamName"}
create or replace function hotlap.podium_of(board bigint, of_gpu text) returns jsonb language sql stable parallel safe
  return (
    select coalesce(jsonb_agg(jsonb_build_object(
      'userId', e.user_id, 'userName', u.name, 'teamId', e.team_id, 'teamName', t.name,
      'submissionId', e.submission_id, 'rank', e.rank, 'score', e.shown_score,
      'provisional', e.provisional) order by e.sort_key, e.achieved_at, e.submission_id), '[]')
    from (
      select best.*, rank() over (order by best.sort_key) as rank
      from (
        select * from hotlap.best_entries b where b.leaderboard_id = board and b.gpu_type = of_gpu
        order by b.sort_key, b.achieved_at, b.submission_id limit 3
      ) best
    ) e join hotlap.users u on u.id = e.user_id left join hotlap.teams t on t.id = e.team_id);

-- As before; of a team, those alone have a score who hold its entry, because the website lists everybody who has one.
create or replace view leaderboard.runs as
  select r.id, r.submission_id, r.gpu_type as runner, r.mode,
    false as secret,
    r.passed,
    (e.score + 0 * e.submission_id)::text::numeric as score,
    r.started_at as start_time, r.finished_at as end_time,
    jsonb_build_object(
      'success', r.passed, 'exit_code', r.exit_code,
      'duration', extract(epoch from r.finished_at - r.started_at),
      'stdout', r.stdout, 'stderr', r.stderr
    ) as meta,
    (select coalesce(jsonb_object_agg(line ->> 0, line ->> 1), '{}')
      from jsonb_array_elements(r.result) line) as result,
    case when r.compilation is not null then
      r.compilation - 'exitCode' || jsonb_build_object('exit_code', r.compilation -> 'exitCode') end as compilation
  from hotlap.runs r
  left join hotlap.eligible_entries e
    on e.submission_id = r.submission_id and e.gpu_type = r.gpu_type and r.mode = 'leaderboard' and e.score_ascending
      and e.is_time
      and (not exists (select from hotlap.team_members m where m.user_id = e.user_id) or exists (
        select from hotlap.best_entries b
        where b.leaderboard_id = e.leaderboard_id and b.gpu_type = e.gpu_type and b.user_id = e.user_id))
  where not r.secret and r.counts;
