-- What a box is made of, how it is, and who looks at it just now.

alter table hotlap.boxes
  drop constraint boxes_kind_check,
  drop constraint boxes_state_check,
  drop constraint boxes_check,
  add constraint boxes_kind check (kind in ('local', 'ssh', 'slurm')),
  -- ready <-> offline by themselves; draining by an organiser; quarantined by evidence, and back when it is healthy.
  add constraint boxes_state check (state in ('ready', 'draining', 'quarantined', 'offline', 'removed')),
  -- A cluster's login node may be this machine itself.
  add constraint boxes_address check (kind = 'local' or (kind = 'slurm' and host is null)
    or (host is not null and port is not null and username is not null and host_key is not null)),
  -- One per slot: {"gpus": ["H100"], "device": 0}. Device null: no GPU of its own.
  add column lanes jsonb,
  -- GPU types whose jobs take the whole box: MI300x8 on one with eight MI300.
  add column whole_types text[] not null default '{}',
  -- An organiser lets submissions run here without a sandbox; every result says so.
  add column unsafe boolean not null default false,
  -- {"engine": "bubblewrap"}, or {"engine": "docker" | "podman", "image": "..."}
  add column sandbox jsonb not null default '{"engine": "bubblewrap"}',
  -- How jobs are handed to a cluster: {"partition", "account", "qos", "gres", "options": [...]}
  add column slurm jsonb,
  -- What the canary measured when the box was registered; later runs are held against it.
  add column baseline jsonb,
  -- Somebody looks at it alone until then: nothing is claimed for it.
  add column check_token uuid,
  add column check_until timestamptz,
  add column checked_at timestamptz,
  -- Quarantined: when it is looked at again, and how often it was quarantined since a job last ended well there.
  add column check_after timestamptz,
  add column quarantines int not null default 0;

update hotlap.boxes b set lanes = (
  select jsonb_agg(lane) from (
    select jsonb_build_object('gpus', to_jsonb(b.gpu_types), 'device', null) as lane from generate_series(1, b.slots)
  ) l);

alter table hotlap.boxes
  alter column lanes set not null,
  add constraint boxes_lanes check (jsonb_array_length(lanes) between 1 and 64),
  drop column slots;

alter table hotlap.jobs
  -- All GPUs of a box at once.
  add column multi_gpu boolean not null default false,
  -- The slots that it occupies: so many from `slot` on.
  add column slot_count int not null default 1;

-- One slot, one job: two schedulers cannot both put one there. The 64 numbers of a box's slots lie side by side, so
-- that a range of them and its box are one range.
drop index hotlap.jobs_slot;
alter table hotlap.jobs add constraint jobs_slots exclude using gist (
  int8range(box_id * 64 + slot, box_id * 64 + slot + slot_count) with &&
) where (status in ('leased', 'running') and slot is not null);
