-- Submissions that are archives, and scores that are no seconds.

-- Null: the content is a text. Whoever shows code shows this instead where it is set.
alter table hotlap.code_blobs add column listing text;

-- The website decodes what it gets.
create or replace view leaderboard.code_files as
  select id, case when listing is null then content else convert_to(listing, 'UTF8') end as code
  from hotlap.code_blobs;

-- What the scores of a task are measured in: seconds, unless it serves a model. Beside the definition, which is large.
alter table hotlap.task_versions
  add column score_unit text not null generated always as (coalesce(definition #>> '{serving,unit}', 's')) stored;
