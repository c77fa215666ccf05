-- What organisers do, and a record of who did what.

-- Append-only: every row holds the hash of the one before it, so that what is changed, taken out or put in between shows.
-- The newest hash, noted down elsewhere (the bot's log has it), proves all rows up to it.
create table hotlap.audit_log (
  -- Dense, from 1: a number that is missing is a row that was taken out.
  id bigint primary key,
  at timestamptz not null,
  -- An account, or the name of what has none (HOTLAP_ADMIN_TOKEN).
  actor_id text not null,
  actor_name text not null,
  door text not null check (door in ('discord', 'api', 'command-line')),
  -- The rule by which it was allowed: 'admin box add', 'POST /admin/stop'.
  action text not null,
  -- What it was done to: 'leaderboard matmul', 'submission 17'.
  subject text,
  before jsonb,
  after jsonb,
  reason text,
  -- Of the row before, and of this one: SHA-256 in hex, of the hash before, a line feed and audit_text.
  previous_hash text not null,
  hash text not null
);
create index audit_log_actor on hotlap.audit_log (actor_id, id desc);
create index audit_log_action on hotlap.audit_log (action, id desc);
create index audit_log_subject on hotlap.audit_log (subject, id desc);

-- The row as one line that does not depend on settings of the session: jsonb has one text for one value.
create function hotlap.audit_text(entry hotlap.audit_log) returns text language sql stable parallel safe
  return jsonb_build_array(
    entry.id, to_char(entry.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), entry.actor_id, entry.actor_name,
    entry.door, entry.action, entry.subject, entry.before, entry.after, entry.reason)::text;

create function hotlap.audit_hash(entry hotlap.audit_log) returns text language sql stable parallel safe
  return encode(sha256(convert_to(entry.previous_hash || e'\n' || hotlap.audit_text(entry), 'UTF8')), 'hex');

-- One row after the other: the lock is held until the transaction ends, so a row is written last in it.
create function hotlap.chain_audit_entry() returns trigger language plpgsql as $$
declare
  last hotlap.audit_log;
begin
  perform pg_advisory_xact_lock(4077012);
  select * into last from hotlap.audit_log order by id desc limit 1;
  new.id := coalesce(last.id, 0) + 1;
  new.at := clock_timestamp();
  new.previous_hash := coalesce(last.hash, repeat('0', 64));
  new.hash := hotlap.audit_hash(new);
  return new;
end
$$;
create trigger audit_log_chain before insert on hotlap.audit_log
  for each row execute function hotlap.chain_audit_entry();
create trigger audit_log_immutable before update or delete on hotlap.audit_log
  for each row execute function hotlap.refuse_change();
create trigger audit_log_whole before truncate on hotlap.audit_log
  for each statement execute function hotlap.refuse_change();

-- What is wrong with the chain, row by row; nothing where it is whole.
create view hotlap.audit_faults as
  select id, case
      when id <> coalesce(before_id, 0) + 1 then 'missing'
      when previous_hash <> coalesce(before_hash, repeat('0', 64)) then 'broken'
      else 'changed' end as fault
  from (
    select a.id, a.previous_hash, lag(a.id) over chain as before_id, lag(a.hash) over chain as before_hash,
      a.hash = hotlap.audit_hash(a) as holds
    from hotlap.audit_log a window chain as (order by a.id)
  ) rows
  where id <> coalesce(before_id, 0) + 1 or previous_hash <> coalesce(before_hash, repeat('0', 64)) or not holds;

alter table hotlap.leaderboards
  -- A creator's own; null: a set's, run by admins alone.
  add column created_by text,
  -- Whether submissions are taken, whatever the deadline says. Archived ones are left out of lists, too.
  add column stage text not null default 'open' check (stage in ('open', 'closed', 'archived')),
  -- What the set says of the deadline, and whether an organiser's stands over it.
  add column set_deadline timestamptz,
  add column own_deadline boolean not null default false,
  -- What becomes of submissions after the deadline.
  add column late text not null default 'refused' check (late in ('refused', 'unofficial'));
update hotlap.leaderboards set set_deadline = deadline;

-- Who made a board may enter it.
create or replace view hotlap.board_members as
  select distinct il.leaderboard_id, i.claimed_by as user_id
  from hotlap.invite_leaderboards il join hotlap.invites i on i.code = il.code
  where i.claimed_by is not null
  union
  select id, created_by from hotlap.leaderboards where created_by is not null;

-- False: let in after the deadline. It runs like any other and is ranked nowhere.
alter table hotlap.submissions add column official boolean not null default true;

-- As before, but for the official ones alone.
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
  where sc.eligible and s.official
    and s.invalidated_at is null
    and not exists (select from hotlap.users u where u.id = s.user_id and u.invalidated_at is not null)
    and hotlap.is_rankable(
      case l.ranked_by when 'public' then sc.public_score when 'secret' then sc.secret_score else sc.rule_score end);

-- Why a submission was taken out of the rankings, what its owner says to that, and what became of it.
--
--   in force  --appealed, once-->  in force  --answered-->  in force
--      \_______________________________\________________________\____ restored
create table hotlap.rulings (
  id bigint generated always as identity primary key,
  submission_id bigint not null references hotlap.submissions on delete cascade,
  reason text not null,
  -- A file that it rests on: for the owner and organisers.
  evidence_name text,
  evidence bytea,
  made_by text not null,
  made_at timestamptz not null default now(),
  appeal text,
  appealed_at timestamptz,
  answer text,
  answered_by text,
  answered_at timestamptz,
  restored_by text,
  restored_at timestamptz,
  restore_reason text,
  check (num_nulls(evidence_name, evidence) in (0, 2)),
  check (num_nulls(appeal, appealed_at) in (0, 2)),
  check (num_nulls(answer, answered_by, answered_at) in (0, 3))
);
create unique index rulings_in_force on hotlap.rulings (submission_id) where restored_at is null;

-- To the owner: {"rulingId", "event": "invalidated" | "answered" | "restored"}; to organisers: {"rulingId"}
alter table hotlap.outbox
  drop constraint outbox_kind,
  drop constraint outbox_submission,
  add constraint outbox_kind check (kind in
    ('result', 'announcement', 'box-notice', 'rejudge-notice', 'ruling-notice', 'appeal-notice')),
  add constraint outbox_submission check ((kind in ('result', 'announcement')) = (submission_id is not null));
