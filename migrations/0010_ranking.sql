-- Ranking rules, repeated measurements, boards over time, human scores.
--
-- How a score comes about:
--
--   measurements        what each job of a ranked submission measured, again and again where a board measures again
--   submission_scores   one value per submission and GPU type: the stored public or secret score, or, where the board's
--                       rule asks for more (metric, aggregation, windows, points), what refresh_rule_scores makes of it
--   eligible_entries    what may be ranked, by either way
--   best_entries        the best of each user on each GPU type; track_entries: the same for what a rule adds (languages,
--                       benchmarks, composites). Both are kept by refresh_entries, in the transaction that changed
--                       something
--   board_history       every state that a row of these two ever had; board_tallies: how many there are, for ranks;
--                       board_records: the line of the record
--
-- Whatever changes a score, an entry's standing or a rule calls refresh_entries.

-- More than picking one of the two stored scores is asked for.
alter table hotlap.leaderboards add column ranked_by text not null generated always as (case
  when ranking ?| array['metric', 'aggregation', 'windows', 'weights'] then 'rule'
  when ranking ->> 'score' = 'secret' then 'secret'
  else 'public' end) stored;

-- Triton, CUDA, Python ...: a category, not a judgement (domain/language.ts).
alter table hotlap.submissions add column language text;
update hotlap.submissions set language = case when file_name ~* '\.(cu|cuh|cpp)$' then 'CUDA' else 'Python' end;

-- Taken out by an organiser: ranked nowhere. The rows stay.
alter table hotlap.submissions
  add column invalidated_at timestamptz, add column invalidated_by text, add column invalid_reason text;
alter table hotlap.users
  add column invalidated_at timestamptz, add column invalidated_by text, add column invalid_reason text;
create index submissions_invalid on hotlap.submissions (id) where invalidated_at is not null;
create index users_invalid on hotlap.users (id) where invalidated_at is not null;

-- Measuring again: the number of the repetition; null for every other job. Such a job changes nothing of its
-- submission but its measurements.
alter table hotlap.jobs
  add column remeasure int,
  -- By another version of the task than the submission's; null: by that one, or the rejudge's.
  add column task_version_id bigint references hotlap.task_versions;
drop index hotlap.jobs_once;
create unique index jobs_once on hotlap.jobs
  (submission_id, gpu_type, secret, coalesce(rejudge_id, 0), coalesce(remeasure, 0));
create unique index jobs_remeasured_once on hotlap.jobs (submission_id, gpu_type)
  where remeasure is not null and status in ('queued', 'leased', 'running');
create index jobs_remeasure on hotlap.jobs (lower(gpu_type))
  where remeasure is not null and status in ('queued', 'leased', 'running');

create or replace function hotlap.job_counts(job hotlap.jobs) returns boolean
  language sql stable parallel safe
  return job.remeasure is null and job.rejudge_id is not distinct from (
    select sc.rejudge_id from hotlap.submission_scores sc
    where sc.submission_id = job.submission_id and sc.gpu_type = job.gpu_type);

-- What a job of a ranked submission measured, failures included. Never changed.
create table hotlap.measurements (
  id bigint generated always as identity primary key,
  job_id bigint unique references hotlap.jobs on delete cascade,
  submission_id bigint not null references hotlap.submissions on delete cascade,
  leaderboard_id bigint not null references hotlap.leaderboards on delete cascade,
  user_id text not null references hotlap.users,
  gpu_type text not null,
  secret boolean not null,
  task_version_id bigint not null references hotlap.task_versions,
  rejudge_id bigint,
  remeasure int,
  passed boolean not null,
  -- What the task itself makes of the run (domain/score.ts).
  score double precision,
  -- Of each benchmark in order: mean and standard error, in seconds. An error that is not known is null.
  case_seconds double precision[] not null default '{}',
  case_errors double precision[] not null default '{}',
  -- {"throughput": 1200.5}: what the run reports by name.
  metrics jsonb not null default '{}',
  -- {"kind", "stage", "summary", "detail"} of a run that did not pass.
  failure jsonb,
  measured_at timestamptz not null
);
create index measurements_entry on hotlap.measurements (submission_id, gpu_type, measured_at, id);
create index measurements_user on hotlap.measurements (user_id, leaderboard_id, gpu_type);
create index measurements_board on hotlap.measurements (leaderboard_id, gpu_type, measured_at desc, id desc);

-- Names of metrics that runs of a board have reported, for whoever writes a rule.
create table hotlap.board_metrics (
  leaderboard_id bigint not null references hotlap.leaderboards on delete cascade,
  name text not null,
  primary key (leaderboard_id, name)
);

insert into hotlap.measurements (job_id, submission_id, leaderboard_id, user_id, gpu_type, secret, task_version_id,
    rejudge_id, passed, score, case_seconds, case_errors, failure, measured_at)
  select j.id, j.submission_id, j.leaderboard_id, j.user_id, j.gpu_type, j.secret,
    coalesce(r.task_version_id, s.task_version_id), j.rejudge_id, j.passed, j.score, c.means, c.errors, j.failure,
    coalesce(run.finished_at, j.finished_at)
  from hotlap.jobs j
  join hotlap.submissions s on s.id = j.submission_id
  left join hotlap.rejudges r on r.id = j.rejudge_id
  left join hotlap.runs run on run.job_id = j.id and run.stage = 'leaderboard' and run.passed
  cross join lateral (
    select coalesce(array_agg(mean / 1e9 order by i), '{}') as means,
      coalesce(array_agg(error / 1e9 order by i), '{}') as errors
    from (
      select (regexp_match(line ->> 0, '^benchmark\.(\d{1,5})\.'))[1]::int as i,
        max((line ->> 1)::double precision) filter (where line ->> 0 like 'benchmark.%.mean') as mean,
        max((line ->> 1)::double precision) filter (where line ->> 0 like 'benchmark.%.err') as error
      from jsonb_array_elements(run.result) line
      where line ->> 0 ~ '^benchmark\.\d{1,5}\.(mean|err)$' and line ->> 1 ~ '^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,2})?$'
      group by 1
    ) cases where mean is not null
  ) c
  where j.mode = 'leaderboard' and j.status = 'finished' order by j.id;

alter table hotlap.submission_scores
  -- By the board's rule where that asks for more than one of the two scores (leaderboards.ranked_by); else null.
  add column rule_score double precision,
  add column sort_key double precision[],
  add column recent double precision,
  add column steady double precision,
  add column anchor double precision,
  -- Why the rule does not rank what has passed: 'metric-missing:throughput' (domain/not-ranked.ts).
  add column unranked text,
  -- Time alone changes a window then.
  add column changes_at timestamptz;
create index submission_scores_changes on hotlap.submission_scores (changes_at) where changes_at is not null;

-- Human scores: every revision stays, one for each judge and scorer counts.
create table hotlap.reviews (
  id bigint generated always as identity primary key,
  submission_id bigint not null references hotlap.submissions on delete cascade,
  scorer text not null,
  judge_id text not null references hotlap.users,
  value double precision not null check (value >= 0 and value <= 1),
  reason text not null check (reason <> ''),
  created_at timestamptz not null default now(),
  -- By a later one of the same judge.
  superseded_at timestamptz
);
create unique index reviews_live on hotlap.reviews (submission_id, scorer, judge_id) where superseded_at is null;
create index reviews_judge on hotlap.reviews (judge_id, id desc);

-- NaN is above infinity in PostgreSQL, so that it is no score either.
create function hotlap.is_rankable(score double precision) returns boolean
  language sql immutable parallel safe
  return score > 0 and score < 'Infinity';

-- Twelve significant digits: what is equal on paper is equal here, whatever order it was summed up in.
create function hotlap.twelve_digits(x double precision) returns double precision
  language sql immutable parallel safe
  return case when x > 0 and x < 'Infinity' then round(x::numeric, 11 - floor(log(x))::int)::double precision else x end;

create or replace view hotlap.eligible_entries as
  select
    s.leaderboard_id,
    sc.gpu_type,
    s.user_id,
    s.id as submission_id,
    case l.ranked_by when 'public' then sc.public_score when 'secret' then sc.secret_score else sc.rule_score end as score,
    s.created_at as achieved_at,
    l.score_ascending,
    -- Always sorts upwards.
    case when l.ranked_by = 'rule' then sc.sort_key else array[hotlap.sort_score(
      case l.ranked_by when 'public' then sc.public_score else sc.secret_score end, l.score_ascending)] end as sort_key,
    -- What others may read: secret scores, and what is made of them, are their owner's.
    case when l.ranked_by <> 'rule' then sc.public_score
      when l.ranking ->> 'score' is distinct from 'secret' then sc.rule_score end as shown_score,
    case when l.ranking ->> 'score' is distinct from 'secret' then sc.recent end as recent,
    case when l.ranking ->> 'score' is distinct from 'secret' then sc.steady end as steady,
    case when l.ranking ->> 'score' is distinct from 'secret' then sc.anchor end as anchor,
    -- Times that everybody may read.
    l.ranking ->> 'score' is distinct from 'secret' and not l.ranking ?| array['metric', 'weights'] as is_time
  from hotlap.submission_scores sc
  join hotlap.submissions s on s.id = sc.submission_id
  join hotlap.leaderboards l on l.id = s.leaderboard_id
  where sc.eligible
    and s.invalidated_at is null
    and not exists (select from hotlap.users u where u.id = s.user_id and u.invalidated_at is not null)
    and hotlap.is_rankable(
      case l.ranked_by when 'public' then sc.public_score when 'secret' then sc.secret_score else sc.rule_score end);

-- As before, but for the website's sake also without scores where they are not times, or their owners' alone: it sorts by
-- what it shows, and calls it seconds.
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
  where not r.secret and r.counts;

-- Where in the tally an entry counts: steps of a quarter of a per cent, in the order of the keys. The last one is for keys that
-- are missing.
create function hotlap.tally_step(sort_key double precision[]) returns int
  language sql immutable parallel safe
  return case
    when sort_key[1] = 'Infinity' then 2147483647
    when sort_key[1] > 0 then floor(400 * ln(sort_key[1]))::int
    else -1 - floor(400 * ln(-sort_key[1]))::int end;

alter table hotlap.best_entries
  add column sort_key double precision[],
  add column shown_score double precision,
  add column recent double precision,
  add column steady double precision,
  add column anchor double precision,
  -- Ranked runs of the user that passed there, measured again or not; and whether the rule asks for more.
  add column runs int not null default 0,
  add column provisional boolean not null default false;
update hotlap.best_entries e set sort_key = n.sort_key, shown_score = n.shown_score
  from hotlap.eligible_entries n where n.submission_id = e.submission_id and n.gpu_type = e.gpu_type;
alter table hotlap.best_entries alter column sort_key set not null;
-- A page of a board in its order, by whatever rule.
drop index hotlap.best_entries_order, hotlap.best_entries_order_down;
create index best_entries_rank on hotlap.best_entries
  (leaderboard_id, gpu_type, sort_key, achieved_at, submission_id);
create index best_entries_step on hotlap.best_entries (leaderboard_id, gpu_type, hotlap.tally_step(sort_key), sort_key);

-- What a rule adds to the GPU types of its board: `H100 / Triton`, `H100 / shape 2`, and composites by their name.
create table hotlap.track_entries (
  leaderboard_id bigint not null references hotlap.leaderboards on delete cascade,
  track text not null,
  user_id text not null references hotlap.users,
  -- Of a composite: the one that completed it.
  submission_id bigint not null references hotlap.submissions on delete cascade,
  score double precision not null,
  -- Null where secret scores are in it.
  shown_score double precision,
  sort_key double precision[] not null,
  recent double precision,
  steady double precision,
  anchor double precision,
  runs int not null default 0,
  provisional boolean not null default false,
  achieved_at timestamptz not null,
  primary key (leaderboard_id, track, user_id)
);
create index track_entries_rank on hotlap.track_entries (leaderboard_id, track, sort_key, achieved_at, submission_id);
create index track_entries_step on hotlap.track_entries (leaderboard_id, track, hotlap.tally_step(sort_key), sort_key);
create index track_entries_submission on hotlap.track_entries (submission_id);

-- All tracks of all boards as one: what pages read.
create view hotlap.board_entries as
  select leaderboard_id, gpu_type as track, user_id, submission_id, score, shown_score, sort_key, recent, steady, anchor,
    runs, provisional, achieved_at
  from hotlap.best_entries
  union all
  select leaderboard_id, track, user_id, submission_id, score, shown_score, sort_key, recent, steady, anchor, runs,
    provisional, achieved_at
  from hotlap.track_entries;

-- The members of every composite, taken from the rules when they are set.
create table hotlap.composite_members (
  leaderboard_id bigint not null references hotlap.leaderboards on delete cascade,
  track text not null,
  position int not null,
  member_leaderboard_id bigint not null references hotlap.leaderboards on delete cascade,
  gpu_type text not null,
  weight double precision not null,
  combine text not null check (combine in ('geom', 'mean')),
  -- How many members the rule names: one whose board is gone is missing, and nobody is ranked.
  members int not null,
  primary key (leaderboard_id, track, position)
);
create index composite_members_of on hotlap.composite_members (member_leaderboard_id, gpu_type);

-- Every state of every entry, for as long as it stood: a board at any moment is what stood then. Old states are thinned
-- to those that stood at midnight (db/board-history.ts).
create table hotlap.board_history (
  leaderboard_id bigint not null references hotlap.leaderboards on delete cascade,
  track text not null,
  user_id text not null references hotlap.users,
  submission_id bigint not null references hotlap.submissions on delete cascade,
  score double precision not null,
  shown_score double precision,
  sort_key double precision[] not null,
  recent double precision,
  steady double precision,
  anchor double precision,
  provisional boolean not null,
  achieved_at timestamptz not null,
  since timestamptz not null,
  until timestamptz not null default 'infinity',
  check (since < until)
);
create unique index board_history_user on hotlap.board_history (leaderboard_id, track, user_id, since);
create index board_history_rank on hotlap.board_history
  (leaderboard_id, track, sort_key, achieved_at, submission_id) include (since, until, user_id);
create index board_history_submission on hotlap.board_history (submission_id);
create index board_history_closed on hotlap.board_history (until) where until < 'infinity';

-- How many entries a track has in each step: ranks and totals without counting rows. Only ever added to, so that nobody
-- waits for anybody; summed up now and then.
create table hotlap.board_tallies (
  leaderboard_id bigint not null references hotlap.leaderboards on delete cascade,
  track text not null,
  step int not null,
  entries bigint not null
);
create index board_tallies_track on hotlap.board_tallies (leaderboard_id, track, step) include (entries);

-- Entries that were better than all before them, on each GPU type: the line of the record, read instead of everything that
-- was ever eligible. Two that are written at the same moment may not know of each other: whoever reads takes those alone
-- that beat all earlier ones. Boards with windows have none, because their scores move.
create table hotlap.board_records (
  leaderboard_id bigint not null references hotlap.leaderboards on delete cascade,
  track text not null,
  submission_id bigint not null references hotlap.submissions on delete cascade,
  user_id text not null references hotlap.users,
  shown_score double precision,
  sort_key double precision[] not null,
  achieved_at timestamptz not null,
  primary key (leaderboard_id, track, submission_id)
);
create index board_records_user on hotlap.board_records (leaderboard_id, user_id);
create index board_records_submission on hotlap.board_records (submission_id);

-- Keeps history and tally in step with an entry, whoever writes it. The two tables name their track differently.
create function hotlap.note_entry() returns trigger language plpgsql as $$
declare
  before record := old;
  after record := new;
  before_track text := to_jsonb(old) ->> tg_argv[0];
  after_track text := to_jsonb(new) ->> tg_argv[0];
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
    -- What stood for no time at all never stood; a transaction that began earlier does not go back before a later one.
    delete from hotlap.board_history h
      where h.leaderboard_id = before.leaderboard_id and h.track = before_track and h.user_id = before.user_id
        and h.until = 'infinity' and h.since >= now();
    update hotlap.board_history h set until = now()
      where h.leaderboard_id = before.leaderboard_id and h.track = before_track and h.user_id = before.user_id
        and h.until = 'infinity';
    insert into hotlap.board_tallies (leaderboard_id, track, step, entries)
      select before.leaderboard_id, before_track, hotlap.tally_step(before.sort_key), -1
      -- A board that is being deleted takes its tally along.
      where exists (select from hotlap.leaderboards l where l.id = before.leaderboard_id);
  end if;
  if tg_op <> 'DELETE' then
    insert into hotlap.board_history (leaderboard_id, track, user_id, submission_id, score, shown_score, sort_key, recent,
        steady, anchor, provisional, achieved_at, since)
      values (after.leaderboard_id, after_track, after.user_id, after.submission_id, after.score, after.shown_score,
        after.sort_key, after.recent, after.steady, after.anchor, after.provisional, after.achieved_at, greatest(now(), (
          select max(h.until) from hotlap.board_history h
          where h.leaderboard_id = after.leaderboard_id and h.track = after_track and h.user_id = after.user_id
            and h.until < 'infinity')));
    insert into hotlap.board_tallies (leaderboard_id, track, step, entries)
      values (after.leaderboard_id, after_track, hotlap.tally_step(after.sort_key), 1);
  end if;
  return null;
end
$$;
create trigger best_entries_noted after insert or update or delete on hotlap.best_entries
  for each row execute function hotlap.note_entry('gpu_type');
create trigger track_entries_noted after insert or update or delete on hotlap.track_entries
  for each row execute function hotlap.note_entry('track');

-- Whoever writes a score alone means the plain order.
create function hotlap.fill_in_entry() returns trigger language plpgsql as $$
begin
  if new.sort_key is null or (tg_op = 'UPDATE' and new.score is distinct from old.score
      and new.sort_key is not distinct from old.sort_key) then
    new.sort_key := array[hotlap.sort_score(new.score,
      (select l.score_ascending from hotlap.leaderboards l where l.id = new.leaderboard_id))];
    new.shown_score := case when exists (
      select from hotlap.leaderboards l where l.id = new.leaderboard_id and l.ranking ->> 'score' = 'secret')
      then null else new.score end;
  end if;
  return new;
end
$$;
create trigger best_entries_filled_in before insert or update on hotlap.best_entries
  for each row execute function hotlap.fill_in_entry();

insert into hotlap.board_history (leaderboard_id, track, user_id, submission_id, score, shown_score, sort_key, provisional,
    achieved_at, since)
  select leaderboard_id, gpu_type, user_id, submission_id, score, shown_score, sort_key, false, achieved_at,
    least(achieved_at, now() - interval '1 microsecond')
  from hotlap.best_entries;
insert into hotlap.board_tallies (leaderboard_id, track, step, entries)
  select leaderboard_id, gpu_type, hotlap.tally_step(sort_key), count(*) from hotlap.best_entries group by 1, 2, 3;
insert into hotlap.board_records (leaderboard_id, track, submission_id, user_id, shown_score, sort_key, achieved_at)
  select leaderboard_id, gpu_type, submission_id, user_id, shown_score, sort_key, achieved_at
  from (
    select e.*, min(e.sort_key) over (
      partition by e.leaderboard_id, e.gpu_type order by e.achieved_at, e.submission_id
      rows between unbounded preceding and 1 preceding) as best_before
    from hotlap.eligible_entries e
  ) entry
  where best_before is null or sort_key < best_before;

-- From 1; ties share it.
create function hotlap.rank_of(board bigint, of_track text, key double precision[]) returns bigint
  language sql stable parallel safe
  return 1 + (
    select coalesce(sum(t.entries), 0)::bigint from hotlap.board_tallies t
    where t.leaderboard_id = board and t.track = of_track and t.step < hotlap.tally_step(key)
  ) + (
    select count(*) from hotlap.best_entries e
    where e.leaderboard_id = board and e.gpu_type = of_track
      and hotlap.tally_step(e.sort_key) = hotlap.tally_step(key) and e.sort_key < key
  ) + (
    select count(*) from hotlap.track_entries e
    where e.leaderboard_id = board and e.track = of_track
      and hotlap.tally_step(e.sort_key) = hotlap.tally_step(key) and e.sort_key < key
  );

-- What a board measures: a metric by name, or the benchmark times as the rule sums them up, or the task's own score.
-- Null where the run has no such thing.
create function hotlap.measured_value(m hotlap.measurements, rule jsonb) returns double precision
  language sql immutable parallel safe
  return case
    when rule ? 'metric' then (m.metrics ->> (rule ->> 'metric'))::double precision
    when not rule ? 'aggregation' then m.score
    when cardinality(m.case_seconds) = 0 or exists (
      select from unnest(m.case_seconds) t where not hotlap.is_rankable(t)) then null
    else case rule ->> 'aggregation'
      when 'last' then m.case_seconds[cardinality(m.case_seconds)]
      when 'mean' then (select hotlap.twelve_digits(avg(t)) from unnest(m.case_seconds) t)
      when 'geom' then (select hotlap.twelve_digits(exp(avg(ln(t)))) from unnest(m.case_seconds) t)
      when 'weighted' then case when cardinality(m.case_seconds) = jsonb_array_length(rule -> 'shapeWeights') then (
        select hotlap.twelve_digits(sum(t * (rule -> 'shapeWeights' ->> (i - 1)::int)::double precision))
        from unnest(m.case_seconds) with ordinality c (t, i)) end
      end
    end;

-- Points of what was measured, between 0 and 1: half at the reference, and never all of them.
create function hotlap.measured_points(value double precision, reference double precision, ascending boolean)
  returns double precision
  language sql immutable parallel safe
  return case when ascending then reference / (reference + value) else value / (reference + value) end;

-- The scores of boards whose rule asks for more than a stored score. `windows`: means over the last 7, 3 and 1 days up
-- to now, or up to the deadline; each is there once the first measurement is so old.
create function hotlap.refresh_rule_scores(board bigint, of_gpus text[], of_users text[]) returns void
  language sql as $$
  with b as (
    select l.ranking as rule, coalesce(l.ranking ->> 'score' = 'secret', false) as secret,
      coalesce((l.ranking -> 'windows')::boolean, false) as windows,
      l.score_ascending as ascending,
      coalesce(l.ranking ->> 'direction' = 'lower', (v.definition ->> 'scoreAscending')::boolean) as measured_ascending,
      least(now(), coalesce(l.deadline, 'infinity')) as moment, coalesce(l.deadline, 'infinity') as deadline,
      (l.ranking ->> 'reference')::double precision as reference,
      l.ranking -> 'weights' as weights,
      coalesce((l.ranking -> 'weights' ->> 'measured')::double precision, 0) as measured_weight,
      not l.ranking ? 'weights' or l.ranking -> 'weights' ? 'measured' as needs_value
    from hotlap.leaderboards l join hotlap.task_versions v on v.id = l.task_version_id where l.id = board
  ), sc as (
    select sc.submission_id, sc.gpu_type, sc.rejudge_id, sc.eligible,
      coalesce(r.task_version_id, s.task_version_id) as task_version_id
    from hotlap.submissions s
    join hotlap.submission_scores sc on sc.submission_id = s.id
    left join hotlap.rejudges r on r.id = sc.rejudge_id
    where s.leaderboard_id = board and s.user_id = any(of_users)
      and (of_gpus is null or sc.gpu_type = any(of_gpus))
  ), measured as (
    select sc.submission_id, sc.gpu_type, m.id, m.measured_at, m.remeasure is null as own,
      hotlap.measured_value(m, b.rule) as value
    from b cross join sc
    join hotlap.measurements m on m.submission_id = sc.submission_id and m.gpu_type = sc.gpu_type
    where m.passed and m.secret = b.secret and m.task_version_id = sc.task_version_id
      and (m.remeasure is not null or m.rejudge_id is not distinct from sc.rejudge_id)
  ), usable as (
    select *, min(measured_at) over (partition by submission_id, gpu_type) as first_at
    from measured where hotlap.is_rankable(value)
  ), windowed as (
    select submission_id, gpu_type,
      (array_agg(value order by measured_at desc, id desc))[1] as latest,
      (array_agg(value order by measured_at desc, id desc) filter (where own))[1] as own,
      case when min(first_at) <= b.moment - interval '1 day' then hotlap.twelve_digits(
        avg(value) filter (where measured_at > b.moment - interval '1 day' and measured_at <= b.moment)) end as recent,
      case when min(first_at) <= b.moment - interval '3 days' then hotlap.twelve_digits(
        avg(value) filter (where measured_at > b.moment - interval '3 days' and measured_at <= b.moment)) end as steady,
      case when min(first_at) <= b.moment - interval '7 days' then hotlap.twelve_digits(
        avg(value) filter (where measured_at > b.moment - interval '7 days' and measured_at <= b.moment)) end as anchor
    from usable cross join b group by submission_id, gpu_type, b.moment
  ), turning as (
    -- A window begins to count, or a measurement leaves one. At the deadline it is looked at for the last time.
    select submission_id, gpu_type, least(min(turns_at), min(b.deadline)) as changes_at
    from usable u cross join b cross join lateral (
      select u.measured_at + span from unnest(array[interval '1 day', '3 days', '7 days']) span
    ) t (turns_at)
    where b.windows and now() < b.deadline and turns_at > b.moment group by 1, 2
  ), raw as (
    -- Also what is not usable, to tell what is missing from what is zero.
    select submission_id, gpu_type, (array_agg(value order by own desc, measured_at desc, id desc))[1] as value
    from measured group by 1, 2
  ), judged as (
    select r.submission_id, r.scorer, avg(r.value) as value
    from hotlap.reviews r where r.superseded_at is null and r.submission_id in (select submission_id from sc) group by 1, 2
  ), points as (
    select sc.submission_id, sc.gpu_type,
      coalesce(sum(w.weight * coalesce(j.value, 0.5) order by w.name), 0) as given,
      min(w.name) filter (where j.value is null and coalesce((s.scorer ->> 'required')::boolean, true)) as missing
    from sc cross join b
    cross join lateral (
      select key as name, value::double precision as weight from jsonb_each(b.weights) where key <> 'measured') w
    left join judged j on j.submission_id = sc.submission_id and j.scorer = w.name
    left join lateral (
      select e.scorer from jsonb_array_elements(b.rule -> 'scorers') e (scorer) where e.scorer ->> 'name' = w.name) s on true
    where b.weights is not null group by 1, 2
  ), made as (
    select sc.submission_id, sc.gpu_type, sc.eligible, b.windows, b.ascending, b.needs_value, b.rule, raw.value as raw,
      p.missing, t.changes_at, v.latest, v.own, v.recent, v.steady, v.anchor
    from sc cross join b
    left join raw on raw.submission_id = sc.submission_id and raw.gpu_type = sc.gpu_type
    left join windowed w on w.submission_id = sc.submission_id and w.gpu_type = sc.gpu_type
    left join turning t on t.submission_id = sc.submission_id and t.gpu_type = sc.gpu_type
    left join points p on p.submission_id = sc.submission_id and p.gpu_type = sc.gpu_type
    cross join lateral (
      select max(made) filter (where kind = 1) as latest, max(made) filter (where kind = 2) as own,
        max(made) filter (where kind = 3) as recent, max(made) filter (where kind = 4) as steady,
        max(made) filter (where kind = 5) as anchor
      from (
        select kind, case
          when b.weights is null then value
          when not b.needs_value then hotlap.twelve_digits(p.given)
          else hotlap.twelve_digits(coalesce(p.given, 0)
            + b.measured_weight * hotlap.measured_points(value, b.reference, b.measured_ascending)) end as made
        from (values (1, w.latest), (2, w.own), (3, w.recent), (4, w.steady), (5, w.anchor)) all_kinds (kind, value)
      ) converted
    ) v
  ), ruled as (
    select submission_id, gpu_type, changes_at,
      case when windows then recent end as recent, case when windows then steady end as steady,
      case when windows then anchor end as anchor,
      case when windows then coalesce(anchor, steady, recent, latest) else own end as score,
      case when windows then array(
        select coalesce(hotlap.sort_score(value, ascending), 'Infinity') from unnest(array[anchor, steady, recent, latest]) value)
      else array[hotlap.sort_score(own, ascending)] end as sort_key,
      case
        when not eligible then null
        when needs_value and case when windows then latest else own end is null then case
          when raw is not null then 'not-positive'
          when rule ? 'metric' then 'metric-missing:' || (rule ->> 'metric')
          when rule ->> 'aggregation' = 'weighted' then 'shapes-differ'
          else 'no-score' end
        when missing is not null then 'scorer-missing:' || missing
        when not needs_value and not hotlap.is_rankable(own) then 'no-points'
      end as unranked
    from made
  )
  update hotlap.submission_scores sc set
    rule_score = case when r.unranked is null then r.score end,
    sort_key = case when r.unranked is null then r.sort_key end,
    recent = r.recent, steady = r.steady, anchor = r.anchor, unranked = r.unranked, changes_at = r.changes_at
  from ruled r
  where sc.submission_id = r.submission_id and sc.gpu_type = r.gpu_type
    and (sc.rule_score, sc.sort_key, sc.recent, sc.steady, sc.anchor, sc.unranked, sc.changes_at) is distinct from (
      case when r.unranked is null then r.score end, case when r.unranked is null then r.sort_key end,
      r.recent, r.steady, r.anchor, r.unranked, r.changes_at)
$$;

-- Composites of these boards, for these users, or everybody who is ranked on a member.
create function hotlap.refresh_composites(hosts bigint[], of_users text[]) returns void language plpgsql as $$
declare
  one text;
begin
  -- Two members of one user's may change at the same moment, on two boards.
  for one in select distinct u from unnest(of_users) u order by 1 loop
    perform pg_advisory_xact_lock(hashtextextended('composite:' || one, 0));
  end loop;
  with made as (
    select m.leaderboard_id, m.track, e.user_id, l.score_ascending, hotlap.twelve_digits(case m.combine
        when 'geom' then exp(sum(m.weight * ln(e.score) order by m.position))
        else sum(m.weight * e.score order by m.position) end) as score,
      bool_or(ml.ranking ->> 'score' = 'secret') is true as hidden, bool_or(e.provisional) as provisional,
      min(e.runs) as runs, max(e.achieved_at) as achieved_at,
      (array_agg(e.submission_id order by e.achieved_at desc, e.submission_id desc))[1] as submission_id
    from hotlap.composite_members m
    join hotlap.best_entries e on e.leaderboard_id = m.member_leaderboard_id and e.gpu_type = m.gpu_type
    join hotlap.leaderboards ml on ml.id = m.member_leaderboard_id
    -- All members have the same direction.
    join hotlap.leaderboards l on l.id = (
      select o.member_leaderboard_id from hotlap.composite_members o
      where o.leaderboard_id = m.leaderboard_id and o.track = m.track order by o.position limit 1)
    where m.leaderboard_id = any(hosts) and (of_users is null or e.user_id = any(of_users))
    group by m.leaderboard_id, m.track, m.combine, m.members, e.user_id, l.score_ascending
    having count(*) = m.members
  ), wanted as (
    select * from made where hotlap.is_rankable(score)
  ), gone as (
    delete from hotlap.track_entries t
    using (
      select l.id as leaderboard_id, c ->> 'name' as track
      from hotlap.leaderboards l, jsonb_array_elements(l.ranking -> 'composites') c where l.id = any(hosts)) c
    where t.leaderboard_id = c.leaderboard_id and t.track = c.track and (of_users is null or t.user_id = any(of_users))
      and not exists (select from wanted w
        where w.leaderboard_id = t.leaderboard_id and w.track = t.track and w.user_id = t.user_id)
  )
  insert into hotlap.track_entries as t (leaderboard_id, track, user_id, submission_id, score, shown_score, sort_key, runs,
      provisional, achieved_at)
    select leaderboard_id, track, user_id, submission_id, score, case when not hidden then score end,
      array[hotlap.sort_score(score, score_ascending)], runs, provisional, achieved_at
    from wanted
  on conflict (leaderboard_id, track, user_id) do update set
    submission_id = excluded.submission_id, score = excluded.score, shown_score = excluded.shown_score,
    sort_key = excluded.sort_key, runs = excluded.runs, provisional = excluded.provisional,
    achieved_at = excluded.achieved_at
  where (t.submission_id, t.score, t.shown_score, t.sort_key, t.runs, t.provisional, t.achieved_at) is distinct from
    (excluded.submission_id, excluded.score, excluded.shown_score, excluded.sort_key, excluded.runs,
     excluded.provisional, excluded.achieved_at);
end
$$;

-- Locks of all who write entries, always in this order: everything (shared; alone for whoever ranks a whole board anew,
-- composites of other boards with it), the board (shared; alone without users), its users, composites of users. Whoever
-- refreshes several boards in one transaction locks all of them first, by number.
create function hotlap.lock_entries(board bigint, of_users text[], alone boolean) returns void language plpgsql as $$
declare
  one text;
begin
  if alone then
    perform pg_advisory_xact_lock(hashtextextended('entries', 0));
  else
    perform pg_advisory_xact_lock_shared(hashtextextended('entries', 0));
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

-- Everything that ranks these users on these GPU types of a board; null: all of them. The one way to an entry.
create function hotlap.refresh_entries(board bigint, of_gpus text[], of_users text[]) returns void language plpgsql as $$
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
  end if;
  select * into b from hotlap.leaderboards l where l.id = board;
  if not found then return; end if;
  if b.ranked_by = 'rule' then perform hotlap.refresh_rule_scores(board, of_gpus, users); end if;

  with best as (
    select distinct on (e.gpu_type, e.user_id) e.*
    from hotlap.eligible_entries e
    where e.leaderboard_id = board and e.user_id = any(users) and (of_gpus is null or e.gpu_type = any(of_gpus))
    order by e.gpu_type, e.user_id, e.sort_key, e.achieved_at, e.submission_id
  ), counted as (
    select m.user_id, m.gpu_type, count(*)::int as runs
    from hotlap.measurements m join hotlap.submissions s on s.id = m.submission_id
    where b.ranking ? 'minimumRuns' and m.leaderboard_id = board and m.user_id = any(users) and m.passed
      and m.rejudge_id is null and m.secret = coalesce(b.ranking ->> 'score' = 'secret', false)
      and s.invalidated_at is null
    group by 1, 2
  ), wanted as (
    select best.*, coalesce(c.runs, 0) as runs,
      coalesce(c.runs, 0) < coalesce((b.ranking ->> 'minimumRuns')::int, 0) as provisional
    from best left join counted c on c.user_id = best.user_id and c.gpu_type = best.gpu_type
  ), gone as (
    delete from hotlap.best_entries e
    where e.leaderboard_id = board and e.user_id = any(users) and (of_gpus is null or e.gpu_type = any(of_gpus))
      and not exists (select from best where best.gpu_type = e.gpu_type and best.user_id = e.user_id)
  )
  insert into hotlap.best_entries as e (leaderboard_id, gpu_type, user_id, submission_id, score, achieved_at, sort_key,
      shown_score, recent, steady, anchor, runs, provisional)
    select leaderboard_id, gpu_type, user_id, submission_id, score, achieved_at, sort_key, shown_score, recent, steady,
      anchor, runs, provisional
    from wanted
  on conflict (leaderboard_id, gpu_type, user_id) do update set
    submission_id = excluded.submission_id, score = excluded.score, achieved_at = excluded.achieved_at,
    sort_key = excluded.sort_key, shown_score = excluded.shown_score, recent = excluded.recent,
    steady = excluded.steady, anchor = excluded.anchor, runs = excluded.runs, provisional = excluded.provisional
  where (e.submission_id, e.score, e.achieved_at, e.sort_key, e.shown_score, e.recent, e.steady, e.anchor, e.runs,
      e.provisional) is distinct from
    (excluded.submission_id, excluded.score, excluded.achieved_at, excluded.sort_key, excluded.shown_score,
     excluded.recent, excluded.steady, excluded.anchor, excluded.runs, excluded.provisional);

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

-- From all that is eligible.
create function hotlap.rebuild_records(board bigint, of_gpus text[]) returns void language sql as $$
  delete from hotlap.board_records r where r.leaderboard_id = board and r.track = any(of_gpus);
  insert into hotlap.board_records (leaderboard_id, track, submission_id, user_id, shown_score, sort_key, achieved_at)
    select board, gpu_type, submission_id, user_id, shown_score, sort_key, achieved_at
    from (
      select e.*, min(e.sort_key) over (
        partition by e.gpu_type order by e.achieved_at, e.submission_id rows between unbounded preceding and 1 preceding
      ) as best_before
      from hotlap.eligible_entries e where e.leaderboard_id = board and e.gpu_type = any(of_gpus)
    ) entry
    where best_before is null or sort_key < best_before
    on conflict do nothing
$$;

-- Takes in what is a record now, and makes the line of a GPU type anew where one of its entries is not what it was.
create function hotlap.refresh_records(board bigint, of_gpus text[], of_users text[], whole boolean) returns void
  language plpgsql as $$
declare
  broken text[];
begin
  if whole then
    delete from hotlap.board_records r where r.leaderboard_id = board;
    broken := array(select gpu_type from hotlap.best_entries where leaderboard_id = board group by 1);
  else
    with gone as (
      delete from hotlap.board_records r
      where r.leaderboard_id = board and r.user_id = any(of_users) and not exists (
        select from hotlap.eligible_entries e
        where e.submission_id = r.submission_id and e.gpu_type = r.track and e.sort_key = r.sort_key)
      returning r.track
    )
    select coalesce(array_agg(distinct track), '{}') into broken from gone;
  end if;
  if cardinality(broken) > 0 then perform hotlap.rebuild_records(board, broken); end if;
  with record as (
    select e.* from hotlap.best_entries e
    where e.leaderboard_id = board and e.user_id = any(of_users) and (of_gpus is null or e.gpu_type = any(of_gpus))
      and not exists (
        select from hotlap.board_records r
        where r.leaderboard_id = board and r.track = e.gpu_type and r.sort_key <= e.sort_key
          and (r.achieved_at, r.submission_id) <= (e.achieved_at, e.submission_id))
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
create function hotlap.refresh_categories(b hotlap.leaderboards, of_gpus text[], users text[], whole boolean)
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
      -- Benchmarks of another version of the task may be others.
      and coalesce(r.task_version_id, s.task_version_id) = b.task_version_id
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
