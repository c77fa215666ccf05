-- What the existing website reads and writes: a schema of views over our tables, with the names and types that it knows.
--
-- The website shows what these views show, so they follow our rules, not its own: a run has a score there only where it
-- is an entry of the board, and secret runs are not there at all.

-- The website knows accounts by their provider's number alone: 583231 for github:583231. It makes accounts, too, when
-- somebody signs in there first, and gives them the token with which it submits for them. It reads that token back, so
-- this one cannot be kept as a hash alone; we look it up by the hash like any other.
alter table hotlap.users
  add column bare_id text,
  add column web_auth_id text check (length(web_auth_id) between 16 and 200),
  add column web_auth_sha256 text unique;

create function hotlap.fill_in_user() returns trigger language plpgsql set search_path = pg_catalog as $$
begin
  if new.id is null then
    -- The ids of the providers that the website knows differ in their length.
    new.id := case
      when new.bare_id ~ '^\d{17,20}$' then new.bare_id
      when new.bare_id ~ '^\d{1,16}$' then 'github:' || new.bare_id
      when new.bare_id ~ '^\d{21,40}$' then 'google:' || new.bare_id
    end;
    if new.id is null then
      raise exception 'an account id should be the number that its provider gives it'
        using errcode = 'invalid_parameter_value';
    end if;
  end if;
  new.bare_id := regexp_replace(new.id, '^[a-z]+:', '');
  new.web_auth_sha256 := encode(sha256(convert_to(new.web_auth_id, 'UTF8')), 'hex');
  return new;
end
$$;
create trigger users_fill_in before insert or update of id, bare_id, web_auth_id on hotlap.users
  for each row execute function hotlap.fill_in_user();
update hotlap.users set bare_id = null;
alter table hotlap.users alter column bare_id set not null, add constraint users_bare_id unique (bare_id);

-- Closed boards are for those alone who were invited; the website is told which they are.
alter table hotlap.leaderboards
  add column visibility text not null default 'public' check (visibility in ('public', 'closed'));

-- The website names a file by a number.
alter table hotlap.code_blobs add column id bigint generated always as identity unique;

-- A case as the task's author wrote it: 'size: 128; seed: 5' -> {"size": 128, "seed": 5}
create function hotlap.case_object(line text) returns jsonb language sql immutable parallel safe
  return (
    select coalesce(jsonb_object_agg(
      split_part(pair, ': ', 1),
      case when value ~ '^-?(0|[1-9]\d{0,14})(\.\d{1,15})?$' then value::jsonb else to_jsonb(value) end), '{}')
    from regexp_split_to_table(line, ';\s*') pair, substr(pair, strpos(pair, ': ') + 2) value
    where strpos(pair, ': ') > 1
  );

-- Of a submission that was judged again, which runs its score comes from: hotlap.job_counts, kept with the run, because
-- a page that asked for it run by run would be slow.
alter table hotlap.runs add column counts boolean not null default true;
update hotlap.runs r set counts = false from hotlap.jobs j where j.id = r.job_id and not hotlap.job_counts(j);

create function hotlap.set_run_counts() returns trigger language plpgsql as $$
begin
  new.counts := coalesce((select hotlap.job_counts(j) from hotlap.jobs j where j.id = new.job_id), true);
  return new;
end
$$;
create trigger runs_counts before insert on hotlap.runs for each row execute function hotlap.set_run_counts();

create function hotlap.recount_runs() returns trigger language plpgsql as $$
begin
  update hotlap.runs r set counts = hotlap.job_counts(j)
  from hotlap.jobs j
  where j.id = r.job_id and r.submission_id = new.submission_id and r.gpu_type = new.gpu_type
    and r.counts <> hotlap.job_counts(j);
  return null;
end
$$;
create trigger submission_scores_recount after update of rejudge_id on hotlap.submission_scores
  for each row when (old.rejudge_id is distinct from new.rejudge_id) execute function hotlap.recount_runs();

create schema leaderboard;

create view leaderboard.leaderboard as
  select l.id, l.name,
    -- The website cannot do without one.
    coalesce(l.deadline, timestamptz '9999-12-31 00:00:00+00') as deadline,
    jsonb_build_object(
      'lang', v.definition -> 'lang',
      'files', v.definition -> 'files',
      'tests', (select coalesce(jsonb_agg(hotlap.case_object(line) order by i), '[]')
        from jsonb_array_elements_text(v.definition -> 'tests') with ordinality t (line, i)),
      'benchmarks', (select coalesce(jsonb_agg(hotlap.case_object(line) order by i), '[]')
        from jsonb_array_elements_text(v.definition -> 'benchmarks') with ordinality t (line, i)),
      'ranking_by', v.definition -> 'rankingBy'
    ) as task,
    v.definition ->> 'description' as description,
    l.visibility
  from hotlap.leaderboards l
  left join hotlap.task_versions v on v.id = l.task_version_id;

create view leaderboard.gpu_type as
  select leaderboard_id, gpu_type from hotlap.leaderboard_gpus;

-- The one that is written to: columns of a single table, so that PostgreSQL lets "insert ... on conflict" through.
create view leaderboard.user_info as
  select bare_id as id, name as user_name, web_auth_id from hotlap.users;

create view leaderboard.code_files as
  select id, content as code from hotlap.code_blobs;

-- The outer join is not made where the code is not asked for. The inner one must not be an outer one: beside it the
-- planner sees that the runs below start from the same submission, and reads it once.
create view leaderboard.submission as
  select s.id, s.leaderboard_id, u.bare_id as user_id, s.file_name, s.created_at as submission_time,
    s.status not in ('queued', 'running') as done, c.id as code_id
  from hotlap.submissions s
  join hotlap.users u on u.id = s.user_id
  left join hotlap.code_blobs c on c.sha256 = s.code_sha256;

-- The website looks for "succ", "run" and "fail" in the status.
create view leaderboard.submission_job_status as
  select s.id as submission_id,
    case s.status when 'queued' then 'pending' when 'running' then 'running' when 'done' then 'succeeded'
      else 'failed' end as status,
    case when s.status in ('failed', 'cancelled', 'rejected') then coalesce(s.reason, s.status) end as error,
    coalesce(s.finished_at, (
      select max(coalesce(j.finished_at, j.lease_expires_at - interval '15 seconds', j.created_at))
      from hotlap.jobs j where j.submission_id = s.id)) as last_heartbeat,
    s.created_at
  from hotlap.submissions s;

-- Every board is sorted upwards there and its numbers are called seconds: boards on which more is better have no scores
-- rather than the worst first.
create view leaderboard.runs as
  select r.id, r.submission_id, r.gpu_type as runner, r.mode,
    -- A constant, so that the planner drops what a query asks about secret runs.
    false as secret,
    r.passed,
    -- The addend is nothing, but it tells the planner that a score is never null where there is an entry: "score is not
    -- null", which every ranking asks, then starts from the entries.
    (e.score + 0 * e.submission_id)::text::numeric as score,
    r.started_at as start_time, r.finished_at as end_time,
    jsonb_build_object(
      'success', r.passed, 'exit_code', r.exit_code,
      'duration', extract(epoch from r.finished_at - r.started_at),
      'stdout', r.stdout, 'stderr', r.stderr
    ) as meta,
    (select coalesce(jsonb_object_agg(line ->> 0, line ->> 1), '{}')
      from jsonb_array_elements(r.result) line) as result,
    null::jsonb as compilation
  from hotlap.runs r
  left join hotlap.eligible_entries e
    on e.submission_id = r.submission_id and e.gpu_type = r.gpu_type and r.mode = 'leaderboard' and e.score_ascending
  where not r.secret and r.counts;

-- A ranking reads this instead of the runs, whose rows are long.
create index runs_entries on hotlap.runs (submission_id, gpu_type) include (passed)
  where not secret and counts and mode = 'leaderboard';
