-- Ranking, second part: plans that hold on long boards, a board that stands still for whoever pages through it, records whose
-- result came late, and boards of single benchmarks for runs that timed all of them.

-- What a transaction changes on boards stands since it got the first lock of those who write entries, not since it began:
-- whoever asks for a board as it was before every holder of that lock began reads what no commit changes any more
-- (db/board-history.ts).
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
  for one in select distinct u from unnest(of_users) u order by 1 loop
    perform pg_advisory_xact_lock(hashtextextended('best:' || board || ':' || one, 0));
  end loop;
end
$$;

-- For each row of a board that is ranked anew: a plan that was made while the tables were small must not read all of them, nor
-- all of the board. So states are found in their order in time, which one index alone has.
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
      before.anchor, before.provisional, before.achieved_at)
      is not distinct from (after.submission_id, after.score, after.shown_score, after.sort_key, after.recent,
      after.steady, after.anchor, after.provisional, after.achieved_at);
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
        steady, anchor, provisional, achieved_at, since)
      values (after.leaderboard_id, after_track, after.user_id, after.submission_id, after.score, after.shown_score,
        after.sort_key, after.recent, after.steady, after.anchor, after.provisional, after.achieved_at, greatest(moment, (
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

-- Places at a moment, of whoever of these users was ranked then. The planner takes a third of a board for what lies above
-- somebody and would read all of it; along the index it is as much as there is above the last of them.
create function hotlap.ranks_at(board bigint, of_track text, of_users text[], moment timestamptz)
  returns table (user_id text, rank bigint)
  language sql stable set enable_seqscan = off as $$
  with wanted as (
    select h.user_id, h.sort_key from hotlap.board_history h
    where h.leaderboard_id = board and h.track = of_track and h.user_id = any(of_users)
      and h.since <= moment and h.until > moment
  ), ranked as (
    select h.user_id, rank() over (order by h.sort_key) as rank from hotlap.board_history h
    where h.leaderboard_id = board and h.track = of_track and h.since <= moment and h.until > moment
      and h.sort_key <= (select max(w.sort_key) from wanted w)
  )
  select r.user_id, r.rank from ranked r join wanted w on w.user_id = r.user_id
$$;

-- Takes in what is a record now, and makes the line of a GPU type anew where one of its entries is not what it was. All
-- entries of these users are asked, not their best alone: a result may come after that of a later and better submission.
create or replace function hotlap.refresh_records(board bigint, of_gpus text[], of_users text[], whole boolean)
  returns void language plpgsql as $$
declare
  broken text[];
begin
  if whole then
    delete from hotlap.board_records r where r.leaderboard_id = board;
    perform hotlap.rebuild_records(board, array(
      select gpu_type from hotlap.best_entries where leaderboard_id = board group by 1));
    return;
  end if;
  with gone as (
    delete from hotlap.board_records r
    where r.leaderboard_id = board and r.user_id = any(of_users) and not exists (
      select from hotlap.eligible_entries e
      where e.submission_id = r.submission_id and e.gpu_type = r.track and e.sort_key = r.sort_key)
    returning r.track
  )
  select coalesce(array_agg(distinct track), '{}') into broken from gone;
  if cardinality(broken) > 0 then perform hotlap.rebuild_records(board, broken); end if;
  with unbeaten as (
    select e.*, min(e.sort_key) over (
      partition by e.gpu_type order by e.achieved_at, e.submission_id rows between unbounded preceding and 1 preceding
    ) as best_before
    from hotlap.eligible_entries e
    where e.leaderboard_id = board and e.user_id = any(of_users) and (of_gpus is null or e.gpu_type = any(of_gpus))
      and not exists (
        select from hotlap.board_records r
        where r.leaderboard_id = board and r.track = e.gpu_type and r.sort_key <= e.sort_key
          and (r.achieved_at, r.submission_id) <= (e.achieved_at, e.submission_id))
  ), record as (
    select * from unbeaten where best_before is null or sort_key < best_before
  ), beaten as (
    delete from hotlap.board_records r using record n
    where r.leaderboard_id = board and r.track = n.gpu_type and r.sort_key >= n.sort_key
      and (r.achieved_at, r.submission_id) > (n.achieved_at, n.submission_id)
  )
  insert into hotlap.board_records (leaderboard_id, track, submission_id, user_id, shown_score, sort_key, achieved_at)
    select leaderboard_id, gpu_type, submission_id, user_id, shown_score, sort_key, achieved_at from record
  on conflict do nothing;
end
$$;

-- Boards of their own for languages and for benchmarks. `whole`: what the rule no longer names goes.
create or replace function hotlap.refresh_categories(b hotlap.leaderboards, of_gpus text[], users text[], whole boolean)
  returns void language sql as $$
  with entries as (
    select e.* from hotlap.eligible_entries e
    where e.leaderboard_id = b.id and e.user_id = any(users) and (of_gpus is null or e.gpu_type = any(of_gpus))
  ), candidates as (
    select e.gpu_type || ' / ' || s.language as track, e.user_id, e.submission_id, e.score, e.shown_score, e.sort_key,
      e.recent, e.steady, e.anchor, e.achieved_at
    from entries e join hotlap.submissions s on s.id = e.submission_id
    where b.ranking -> 'categories' ? 'language' and s.language is not null
    union all
    -- By the time of the run itself: nothing else is known of a single benchmark.
    select e.gpu_type || ' / shape ' || c.shape, e.user_id, e.submission_id, c.seconds,
      case when b.ranking ->> 'score' is distinct from 'secret' then c.seconds end, array[c.seconds],
      null, null, null, e.achieved_at
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
    select distinct on (track, user_id) * from candidates
    order by track, user_id, sort_key, achieved_at, submission_id
  ), gone as (
    delete from hotlap.track_entries t
    where t.leaderboard_id = b.id and t.user_id = any(users)
      and case when whole then not exists (
          select from jsonb_array_elements(b.ranking -> 'composites') c where c ->> 'name' = t.track)
        else t.track like '% / %' and (of_gpus is null or split_part(t.track, ' / ', 1) = any(of_gpus)) end
      and not exists (select from wanted w where w.track = t.track and w.user_id = t.user_id)
  )
  insert into hotlap.track_entries as t (leaderboard_id, track, user_id, submission_id, score, shown_score, sort_key,
      recent, steady, anchor, achieved_at)
    select b.id, track, user_id, submission_id, score, shown_score, sort_key, recent, steady, anchor, achieved_at from wanted
  on conflict (leaderboard_id, track, user_id) do update set
    submission_id = excluded.submission_id, score = excluded.score, shown_score = excluded.shown_score,
    sort_key = excluded.sort_key, recent = excluded.recent, steady = excluded.steady, anchor = excluded.anchor,
    achieved_at = excluded.achieved_at
  where (t.submission_id, t.score, t.shown_score, t.sort_key, t.recent, t.steady, t.anchor, t.achieved_at) is distinct from
    (excluded.submission_id, excluded.score, excluded.shown_score, excluded.sort_key, excluded.recent, excluded.steady,
     excluded.anchor, excluded.achieved_at)
$$;
