-- What the HTTP API and organisers need: lists that are quick, boards that are closed, bans, limits, deletions.

-- A submission in its owner's list, kept with every result: a page of the list reads rows, not raw runs.
alter table hotlap.submissions
  -- [{"gpu_type": "H100", "score": 0.001}, ...]; json and not jsonb, because it is only ever handed out as it is.
  add column shown_runs json not null default '[]',
  -- {"H100": 0.001, "A100": null}; null: not run, or not passed.
  add column secret_scores json not null default '{}',
  -- The best of them by the board's direction.
  add column secret_score double precision;

-- Public runs that passed, of a ranked submission that has ended; none once a secret run has failed. Everybody may see
-- these. Outside ranked mode there is nothing that counts, and nothing is shown.
create function hotlap.summarise_submission(wanted bigint) returns void language sql as $$
  update hotlap.submissions s set
    shown_runs = case
      when s.mode <> 'leaderboard' or s.status in ('queued', 'running') or exists (
        select from hotlap.jobs j
        where j.submission_id = s.id and j.secret and j.status = 'finished' and not j.passed
          and hotlap.job_counts(j)) then '[]'::json
      else coalesce((
        select jsonb_agg(jsonb_build_object('gpu_type', r.gpu_type, 'score', r.score) order by r.gpu_type, r.id)
        from hotlap.runs r join hotlap.jobs j on j.id = r.job_id
        where r.submission_id = s.id and not r.secret and r.passed and hotlap.job_counts(j)), '[]')::json
    end,
    secret_scores = coalesce((
      select jsonb_object_agg(sc.gpu_type, sc.secret_score)
      from hotlap.submission_scores sc where sc.submission_id = s.id), '{}')::json,
    secret_score = (
      select case when l.score_ascending then min(sc.secret_score) else max(sc.secret_score) end
      from hotlap.submission_scores sc join hotlap.leaderboards l on l.id = s.leaderboard_id
      where sc.submission_id = s.id group by l.score_ascending)
  where s.id = wanted
$$;
select hotlap.summarise_submission(id) from hotlap.submissions where mode = 'leaderboard';

create index submissions_user_board on hotlap.submissions (user_id, leaderboard_id, id desc);
create index submissions_open on hotlap.submissions (id) where status in ('queued', 'running');
create index jobs_open_by_gpu on hotlap.jobs (lower(gpu_type), status) where status in ('queued', 'leased', 'running');

-- A page of a board in its order, for both directions, without sorting.
drop index hotlap.best_entries_order;
create index best_entries_order on hotlap.best_entries
  (leaderboard_id, gpu_type, score, achieved_at, submission_id);
create index best_entries_order_down on hotlap.best_entries
  (leaderboard_id, gpu_type, score desc, achieved_at, submission_id);

-- Who may see and use a closed board: whoever holds an invite.
create table hotlap.invites (
  code text primary key,
  created_by text not null,
  created_at timestamptz not null default now(),
  -- Once claimed, a code is that person's and works for nobody else.
  claimed_by text references hotlap.users,
  claimed_at timestamptz,
  check ((claimed_by is null) = (claimed_at is null))
);
create index invites_claimed_by on hotlap.invites (claimed_by);

create table hotlap.invite_leaderboards (
  code text not null references hotlap.invites on delete cascade,
  leaderboard_id bigint not null references hotlap.leaderboards on delete cascade,
  primary key (code, leaderboard_id)
);
create index invite_leaderboards_board on hotlap.invite_leaderboards (leaderboard_id);

-- Who may enter a closed board. Revoking an invite takes the membership with it.
create view hotlap.board_members as
  select distinct il.leaderboard_id, i.claimed_by as user_id
  from hotlap.invite_leaderboards il join hotlap.invites i on i.code = il.code
  where i.claimed_by is not null;

-- A ban keeps somebody from submitting, by every door. The rows stay when it is over.
create table hotlap.bans (
  id bigint generated always as identity primary key,
  user_id text not null references hotlap.users,
  reason text,
  banned_by text not null,
  banned_at timestamptz not null default now(),
  -- null: until it is lifted.
  ends_at timestamptz,
  lifted_by text,
  lifted_at timestamptz,
  check ((lifted_by is null) = (lifted_at is null))
);
create index bans_user on hotlap.bans (user_id, id desc) where lifted_at is null;

create view hotlap.active_bans as
  select * from hotlap.bans where lifted_at is null and (ends_at is null or ends_at > now());

-- How many submissions an hour a user may send to a board; no row: as many as they like. Test, benchmark and profile
-- count together.
create table hotlap.rate_limits (
  leaderboard_id bigint not null references hotlap.leaderboards on delete cascade,
  category text not null check (category in ('test', 'leaderboard')),
  max_per_hour int not null check (max_per_hour > 0),
  set_by text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (leaderboard_id, category)
);

-- What has been used of it. No reference to the submission: deleting that one gives nothing back.
create table hotlap.quota_uses (
  submission_id bigint primary key,
  user_id text not null references hotlap.users,
  leaderboard_id bigint not null references hotlap.leaderboards on delete cascade,
  category text not null,
  used_at timestamptz not null default now(),
  -- Our failures cost nobody quota.
  given_back_at timestamptz
);
create index quota_uses_recent on hotlap.quota_uses (user_id, leaderboard_id, category, used_at)
  where given_back_at is null;
insert into hotlap.quota_uses (submission_id, user_id, leaderboard_id, category, used_at)
  select id, user_id, leaderboard_id, case mode when 'leaderboard' then 'leaderboard' else 'test' end, created_at
  from hotlap.submissions where created_at > now() - interval '1 hour';

-- What is left of a submission that was deleted: enough to say what it was and to find its code.
create table hotlap.deleted_submissions (
  id bigint primary key,
  user_id text not null references hotlap.users,
  leaderboard text not null,
  code_sha256 text not null references hotlap.code_blobs,
  file_name text not null,
  mode text not null,
  status text not null,
  -- [{"gpu_type", "public_score", "secret_score", "eligible"}, ...]
  scores jsonb not null,
  created_at timestamptz not null,
  deleted_by text not null,
  deleted_at timestamptz not null default now()
);

-- A deletion takes along whatever hangs on a submission or a board, and whatever hangs on that: all foreign keys on the
-- way cascade from here on. Tables of later migrations say so themselves.
do $$
declare
  key record;
begin
  for key in
    with recursive taken as (
      select unnest(array['hotlap.submissions', 'hotlap.leaderboards']::regclass[]) as relation
      union
      select c.conrelid::regclass from pg_constraint c join taken t on c.confrelid = t.relation where c.contype = 'f'
    )
    select c.conrelid::regclass as holder, c.conname as name, pg_get_constraintdef(c.oid) as definition
    from pg_constraint c
    where c.contype = 'f' and c.confdeltype = 'a' and c.confrelid in (select relation from taken)
  loop
    execute format('alter table %s drop constraint %I, add constraint %I %s on delete cascade',
      key.holder, key.name, key.name, key.definition);
  end loop;
end
$$;
