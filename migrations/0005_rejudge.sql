-- Versions of a board's task, where problems come from, and judging again.

-- What a run is made of and judged by: equal marks, comparable results. What is left out counts at once; the same list is
-- in domain/task-changes.ts.
alter table hotlap.task_versions add column judging_mark text
  generated always as (md5((definition - '{description,templates,scoreAscending}'::text[])::text)) stored;

-- Every version that a board has had, numbered from 1. One that comes back has its old number.
create table hotlap.leaderboard_versions (
  leaderboard_id bigint not null references hotlap.leaderboards on delete cascade,
  number int not null,
  task_version_id bigint not null references hotlap.task_versions,
  since timestamptz not null default now(),
  primary key (leaderboard_id, number),
  unique (leaderboard_id, task_version_id)
);
insert into hotlap.leaderboard_versions (leaderboard_id, number, task_version_id, since)
  select l.id, row_number() over (partition by l.id order by v.id), v.id, v.created_at
  from hotlap.leaderboards l
  join hotlap.task_versions v on v.id = l.task_version_id
    or v.id in (select s.task_version_id from hotlap.submissions s where s.leaderboard_id = l.id);

-- {"kind": "directory"}, {"kind": "git", "url", "branch", "folder", "commit"} or {"kind": "archive", "name", "sha256"}
alter table hotlap.leaderboards add column origin jsonb not null default '{"kind": "directory"}';

-- Judging submissions again, by another version of their task. planned -> running -> ready -> applied; any of the first
-- three -> cancelled. Until it is applied the board knows nothing of it, and afterwards nothing of it is removed.
create table hotlap.rejudges (
  id bigint generated always as identity primary key,
  leaderboard_id bigint not null references hotlap.leaderboards on delete cascade,
  task_version_id bigint not null references hotlap.task_versions,
  -- {"kind": "all"}, {"kind": "top", "count": 10}, {"kind": "user", "userId": "1"} or {"kind": "since", "at": "2026-..."}
  scope jsonb not null,
  status text not null default 'planned' check (status in ('planned', 'running', 'ready', 'applied', 'cancelled')),
  -- An account, or the name of a door that has none.
  requested_by text not null,
  ended_by text,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  ready_at timestamptz,
  ended_at timestamptz
);
create unique index rejudges_open on hotlap.rejudges (leaderboard_id) where status in ('planned', 'running', 'ready');

-- What is judged again. `judged`: there is a new verdict on the code, and not only a failure of ours. The old_ columns
-- hold what stood on the board until this was applied.
create table hotlap.rejudge_entries (
  rejudge_id bigint not null references hotlap.rejudges on delete cascade,
  submission_id bigint not null references hotlap.submissions on delete cascade,
  gpu_type text not null,
  judged boolean not null default false,
  public_score double precision,
  secret_score double precision,
  eligible boolean not null default false,
  reason text,
  old_public_score double precision,
  old_secret_score double precision,
  old_eligible boolean,
  old_reason text,
  primary key (rejudge_id, submission_id, gpu_type)
);
create index rejudge_entries_submission on hotlap.rejudge_entries (submission_id);

-- The board before and after, kept when a rejudge is applied.
create table hotlap.rejudge_places (
  rejudge_id bigint not null references hotlap.rejudges on delete cascade,
  gpu_type text not null,
  user_id text not null references hotlap.users,
  submission_before bigint,
  score_before double precision,
  rank_before int,
  submission_after bigint,
  score_after double precision,
  rank_after int,
  primary key (rejudge_id, gpu_type, user_id)
);

-- Null: from the submission's own jobs. Else from the jobs of the rejudge that was applied last.
alter table hotlap.submission_scores add column rejudge_id bigint references hotlap.rejudges;

alter table hotlap.jobs
  -- Null: the submission's own job.
  add column rejudge_id bigint references hotlap.rejudges,
  drop constraint jobs_submission_id_gpu_type_secret_key;
create unique index jobs_once on hotlap.jobs (submission_id, gpu_type, secret, coalesce(rejudge_id, 0));
create index jobs_rejudge on hotlap.jobs (rejudge_id, status) where rejudge_id is not null;

-- Whether a job is the one that its submission's score on that GPU type comes from, or will.
create function hotlap.job_counts(job hotlap.jobs) returns boolean
  language sql stable parallel safe
  return job.rejudge_id is not distinct from (
    select sc.rejudge_id from hotlap.submission_scores sc
    where sc.submission_id = job.submission_id and sc.gpu_type = job.gpu_type);

-- As before, but for `recent`: what organisers have run again is held against nobody.
create or replace view hotlap.queue as
  with recent as (
    select user_id, sum(extract(epoch from finished_at - started_at)) as seconds
    from hotlap.jobs
    where finished_at > now() - interval '30 minutes' and started_at is not null and priority < 100 group by 1
  ), queued as (
    select j.id, j.submission_id, j.user_id, lower(j.gpu_type) as gpu, j.priority, j.not_before, j.box_id,
      j.priority >= 100 as idle_work, min(j.turn) over own as joined,
      -- What waits for its next attempt holds up nothing else of its user.
      row_number() over (own order by j.not_before > now(), j.priority, j.id) as own_order
    from hotlap.jobs j where j.status = 'queued'
    window own as (partition by j.user_id, lower(j.gpu_type), j.priority >= 100)
  ), taking_turns as (
    select q.*, q.own_order + max(greatest(q.joined, case when q.own_order = 1 then (
        select max(s.turn) from hotlap.jobs s
        where s.user_id = q.user_id and lower(s.gpu_type) = q.gpu and s.started_at is not null and s.priority < 100
      ) end)) over (partition by q.user_id, q.gpu, q.idle_work) as turn
    from queued q
  )
  select q.id as job_id, q.submission_id, q.user_id, q.gpu, q.not_before, q.box_id as last_box_id, q.turn,
    row_number() over (
      partition by q.gpu order by q.idle_work, q.turn, q.priority, coalesce(t.seconds, 0), q.id
    ) as position
  from taking_turns q
  left join recent t on t.user_id = q.user_id;

-- Organisers are told when a rejudge has run: {"rejudgeId": 3}
alter table hotlap.outbox
  drop constraint outbox_kind_check,
  drop constraint outbox_check,
  add constraint outbox_kind check (kind in ('result', 'announcement', 'box-notice', 'rejudge-notice')),
  add constraint outbox_submission check ((kind in ('box-notice', 'rejudge-notice')) = (submission_id is null));
