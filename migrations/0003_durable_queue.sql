-- A queue that is fair, that several schedulers share, and that can be looked into.

alter table hotlap.jobs
  add column user_id text references hotlap.users,
  add column leaderboard_id bigint references hotlap.leaderboards,
  add column mode text,
  -- Which of the box's slots it occupies; the last one while it is not on a box.
  add column slot int,
  -- Failures of boxes since it was queued: the retry table's row. `attempt` never goes back, it names folders.
  add column failures int not null default 0,
  add column cancel_requested_at timestamptz,
  -- Of the queue of its GPU type (the view hotlap.queue). Queued: the last turn that was over when it came. Started: the
  -- one that it was started in.
  add column turn bigint not null default 0;

update hotlap.jobs j set user_id = s.user_id, leaderboard_id = s.leaderboard_id, mode = s.mode
  from hotlap.submissions s where s.id = j.submission_id;

alter table hotlap.jobs
  alter column user_id set not null,
  alter column leaderboard_id set not null,
  alter column mode set not null;

-- One slot, one job: two schedulers cannot both put one there.
create unique index jobs_slot on hotlap.jobs (box_id, slot) where status in ('leased', 'running');
create index jobs_finished on hotlap.jobs (finished_at) where finished_at is not null;
create index jobs_durations on hotlap.jobs (leaderboard_id, mode, gpu_type, secret, finished_at desc)
  where status = 'finished';
create index jobs_turns on hotlap.jobs (lower(gpu_type), turn) where started_at is not null and priority < 100;
create index jobs_user_turns on hotlap.jobs (user_id, lower(gpu_type), turn)
  where started_at is not null and priority < 100;
create index jobs_user_open on hotlap.jobs (user_id) where status in ('queued', 'leased', 'running');

-- What happened to each start on a box: the history behind "attempt".
create table hotlap.job_attempts (
  job_id bigint not null references hotlap.jobs,
  attempt int not null,
  box_id bigint not null references hotlap.boxes,
  started_at timestamptz not null default now(),
  ended_at timestamptz,
  -- finished, cancelled, stopped (by us, to run again), or the kind of the box's failure
  ended_by text,
  primary key (job_id, attempt)
);

-- How often a submission was run again as a whole, after a failure of ours.
alter table hotlap.submissions add column rerun int not null default 0;

-- The order of the queue, in one place: who claims, who shows positions and who estimates times all read it.
--
-- Re-runs for organisers come last. Everybody else takes turns, for each GPU type on its own: a user's next job belongs
-- to the turn after the one in which they last started something, the one after it to the next, and so on. Whoever
-- comes anew joins the turn that has been reached; those who wait in it have each had their job before anybody has
-- the next. So one participant with hundreds of files delays another's first one by no more than what is running.
-- Inside a turn quick feedback (test, benchmark) goes first, then whoever used the least GPU time in the last half
-- hour, then age. A claim changes no other job's turn: positions are the order of claims.
create view hotlap.queue as
  with recent as (
    select user_id, sum(extract(epoch from finished_at - started_at)) as seconds
    from hotlap.jobs where finished_at > now() - interval '30 minutes' and started_at is not null group by 1
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

-- Cancelled by its sender: what has not ended by then does not count.
alter table hotlap.submissions add column cancelled_at timestamptz;
