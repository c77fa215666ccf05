-- People, leaderboards and the task versions they run.

create table hotlap.settings (
  key text primary key,
  value jsonb not null,
  updated_at timestamptz not null default now()
);

-- A Discord id as it is; others carry their provider (github:583231).
create table hotlap.users (
  id text primary key,
  name text not null,
  created_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now()
);

create table hotlap.task_versions (
  id bigint generated always as identity primary key,
  content_hash text not null unique,
  definition jsonb not null,
  created_at timestamptz not null default now()
);

create function hotlap.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'rows of % are immutable', tg_table_name;
end
$$;

create trigger task_versions_immutable before update on hotlap.task_versions
  for each row execute function hotlap.refuse_change();

create table hotlap.leaderboards (
  id bigint generated always as identity primary key,
  name text not null check (name ~ '^[A-Za-z0-9_.-]{1,100}$'),
  set_name text not null,
  directory text not null,
  deadline timestamptz,
  task_version_id bigint not null references hotlap.task_versions,
  -- From the task; true means that a lower score is better.
  score_ascending boolean not null default true,
  -- How entries are ranked; the score is the public one unless it says {"score": "secret"}.
  ranking jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
-- One client writes names in lower case, so two names must not differ by case alone.
create unique index leaderboards_name on hotlap.leaderboards (lower(name));

create table hotlap.leaderboard_gpus (
  leaderboard_id bigint not null references hotlap.leaderboards on delete cascade,
  gpu_type text not null,
  position int not null,
  primary key (leaderboard_id, gpu_type)
);
