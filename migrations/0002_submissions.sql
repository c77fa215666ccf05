-- The queue and its results. Status columns move one way; which moves exist is written beside each update in src/db.

create table hotlap.boxes (
  id bigint generated always as identity primary key,
  name text not null,
  kind text not null check (kind in ('local', 'ssh')),
  host text,
  port int,
  username text,
  -- SHA256:... of the server's key, pinned when the box was added.
  host_key text,
  gpu_types text[] not null check (cardinality(gpu_types) > 0),
  slots int not null default 1 check (slots between 1 and 64),
  state text not null default 'ready' check (state in ('ready', 'offline', 'removed')),
  problem text,
  probe jsonb,
  created_at timestamptz not null default now(),
  check (kind <> 'ssh' or (host is not null and port is not null and username is not null and host_key is not null))
);
-- A removed box keeps its row for the runs that it did; its name is free again.
create unique index boxes_name on hotlap.boxes (lower(name)) where state <> 'removed';

create table hotlap.box_events (
  id bigint generated always as identity primary key,
  box_id bigint not null references hotlap.boxes,
  kind text not null,
  message text not null,
  at timestamptz not null default now()
);
create index box_events_box on hotlap.box_events (box_id, id desc);

create table hotlap.code_blobs (
  sha256 text primary key check (sha256 ~ '^[0-9a-f]{64}$'),
  content bytea not null,
  created_at timestamptz not null default now()
);

create table hotlap.submissions (
  id bigint generated always as identity primary key,
  user_id text not null references hotlap.users,
  leaderboard_id bigint not null references hotlap.leaderboards,
  task_version_id bigint not null references hotlap.task_versions,
  code_sha256 text not null references hotlap.code_blobs,
  file_name text not null,
  mode text not null check (mode in ('test', 'benchmark', 'leaderboard', 'profile')),
  door text not null,
  status text not null default 'queued'
    check (status in ('queued', 'running', 'done', 'failed', 'cancelled', 'rejected')),
  -- Why it failed or is not ranked, in words that anyone may read.
  reason text,
  -- Fresh for every ranked submission; read by nothing but the scheduler.
  secret_seed bigint check (secret_seed >= 0 and secret_seed < 2147483648),
  created_at timestamptz not null default now(),
  finished_at timestamptz
);
create index submissions_user on hotlap.submissions (user_id, id desc);
create index submissions_leaderboard on hotlap.submissions (leaderboard_id, id desc);

-- Where a person waits for the answer: an interaction reply until its token dies, then a direct message.
create table hotlap.submission_replies (
  submission_id bigint primary key references hotlap.submissions on delete cascade,
  channel_id text not null,
  interaction_token text not null,
  token_expires_at timestamptz not null
);

create table hotlap.jobs (
  id bigint generated always as identity primary key,
  submission_id bigint not null references hotlap.submissions,
  gpu_type text not null,
  secret boolean not null,
  status text not null default 'queued'
    check (status in ('queued', 'leased', 'running', 'finished', 'failed', 'cancelled')),
  priority int not null,
  -- Counts starts on a box; with the id it names the job's folder there.
  attempt int not null default 0,
  not_before timestamptz not null default now(),
  box_id bigint references hotlap.boxes,
  lease_token uuid,
  lease_expires_at timestamptz,
  -- What it is doing, for people: {"stage": "test", "state": "running", "done": 3, "of": 5}
  progress jsonb,
  -- Set with status 'finished': did the participant's code pass, and if not, why.
  passed boolean,
  failure jsonb,
  score double precision,
  -- Our last error, for operators.
  box_error text,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  unique (submission_id, gpu_type, secret),
  check ((status in ('leased', 'running')) = (lease_token is not null))
);
create index jobs_queue on hotlap.jobs (priority, id) where status = 'queued';
create index jobs_leased on hotlap.jobs (box_id, lease_expires_at) where status in ('leased', 'running');

create table hotlap.runs (
  id bigint generated always as identity primary key,
  job_id bigint not null references hotlap.jobs,
  submission_id bigint not null references hotlap.submissions,
  gpu_type text not null,
  box_id bigint references hotlap.boxes,
  secret boolean not null,
  stage text not null,
  mode text not null,
  passed boolean not null,
  score double precision,
  started_at timestamptz not null,
  finished_at timestamptz not null,
  exit_code int,
  failure jsonb,
  -- The result lines in the order in which they came: [["test-count", "5"], ...]
  result jsonb not null,
  stdout text not null,
  stderr text not null,
  system jsonb not null,
  sandbox text not null,
  unique (job_id, stage)
);
create index runs_submission on hotlap.runs (submission_id, id);

create table hotlap.submission_scores (
  submission_id bigint not null references hotlap.submissions,
  gpu_type text not null,
  public_score double precision,
  secret_score double precision,
  eligible boolean not null,
  reason text,
  updated_at timestamptz not null default now(),
  primary key (submission_id, gpu_type)
);

-- What /leaderboard show reads: the best eligible entry of each user.
create table hotlap.best_entries (
  leaderboard_id bigint not null references hotlap.leaderboards on delete cascade,
  gpu_type text not null,
  user_id text not null references hotlap.users,
  submission_id bigint not null references hotlap.submissions,
  score double precision not null,
  achieved_at timestamptz not null,
  primary key (leaderboard_id, gpu_type, user_id)
);
create index best_entries_order on hotlap.best_entries (leaderboard_id, gpu_type, score, achieved_at);

-- Messages still owed to Discord. `dedupe_key` makes owing idempotent; it is the message's nonce as well.
create table hotlap.outbox (
  id bigint generated always as identity primary key,
  kind text not null check (kind in ('result', 'announcement', 'box-notice')),
  submission_id bigint references hotlap.submissions,
  dedupe_key text not null unique,
  -- Of a box notice: {"box", "state", "message"}
  payload jsonb not null default '{}',
  status text not null default 'owed' check (status in ('owed', 'sent', 'given-up')),
  attempts int not null default 0,
  not_before timestamptz not null default now(),
  last_error text,
  created_at timestamptz not null default now(),
  sent_at timestamptz,
  check ((kind = 'box-notice') = (submission_id is null))
);
create index outbox_owed on hotlap.outbox (not_before, id) where status = 'owed';

-- The ranking rule's one place in SQL: which (submission, GPU) pairs are entries, and with what score.
create view hotlap.eligible_entries as
  select
    s.leaderboard_id,
    sc.gpu_type,
    s.user_id,
    s.id as submission_id,
    case when l.ranking ->> 'score' = 'secret' then sc.secret_score else sc.public_score end as score,
    s.created_at as achieved_at,
    l.score_ascending
  from hotlap.submission_scores sc
  join hotlap.submissions s on s.id = sc.submission_id
  join hotlap.leaderboards l on l.id = s.leaderboard_id
  where sc.eligible;

-- Direction as a number that always sorts upwards: the best entry has the least sort_score.
create function hotlap.sort_score(score double precision, ascending boolean) returns double precision
  language sql immutable parallel safe
  return case when ascending then score else -score end;
