-- Runs without a board, runs on one box alone, what makes two runs the same, and lists of runs.

-- Null: a run without a board, of an organiser. Boards, lists and rankings join their board, so that it is in none.
alter table hotlap.submissions alter column leaderboard_id drop not null;
alter table hotlap.jobs alter column leaderboard_id drop not null;

alter table hotlap.jobs
  -- Only this box may have it; null: any of its GPU type.
  add column only_box_id bigint references hotlap.boxes,
  -- What was run by what, as one hash (domain/run-configuration.ts): written with the result of a public run.
  add column configuration text check (configuration ~ '^[0-9a-f]{64}$');
create index jobs_configuration on hotlap.jobs (configuration, finished_at desc) where configuration is not null;

-- {"exitCode", "timedOut", "durationMs", "stdout", "stderr"} of the warm-up before the stage, where there was one.
alter table hotlap.runs add column warmup jsonb;

-- "Same code as #123".
create index submissions_code on hotlap.submissions (code_sha256, id);
-- Pages of runs in the order of their ends; those that have not ended come last.
create index submissions_ended on hotlap.submissions (finished_at desc nulls last, id desc);

-- As before, but for runs without a board: the website knows submissions by their boards.
create or replace view leaderboard.submission as
  select s.id, s.leaderboard_id, u.bare_id as user_id, s.file_name, s.created_at as submission_time,
    s.status not in ('queued', 'running') as done, c.id as code_id
  from hotlap.submissions s
  join hotlap.users u on u.id = s.user_id
  left join hotlap.code_blobs c on c.sha256 = s.code_sha256
  where s.leaderboard_id is not null;
