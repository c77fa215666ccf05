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
