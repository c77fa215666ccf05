-- What compilers and profilers leave beside a result.

alter table hotlap.runs
  -- {"success", "command", "stdout", "stderr", "exitCode"}: of a build, or of PyTorch's inline compiler in the warm-up.
  add column compilation jsonb,
  -- Of profile mode: {"profiler": "ncu" | "rocprofv3" | "", "problem": why the box's profiler was not used after all}
  add column profile jsonb;

-- Zip archives of what profile mode recorded, for the owner to download.
create table hotlap.traces (
  id bigint generated always as identity primary key,
  submission_id bigint not null references hotlap.submissions on delete cascade,
  job_id bigint not null references hotlap.jobs on delete cascade,
  gpu_type text not null,
  stage text not null,
  content bytea not null,
  created_at timestamptz not null default now(),
  unique (job_id, stage)
);
-- They are compressed already.
alter table hotlap.traces alter column content set storage external;
create index traces_submission on hotlap.traces (submission_id, id);

-- As in 0007, with what the compiler said: the website shows nothing of a run whose compilation failed.
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
  where not r.secret and r.counts;
