-- Submissions that are archives: kept as bytes like any other, and shown by what is in them.

-- Null: the content is a text. Whoever shows code shows this instead where it is set.
alter table hotlap.code_blobs add column listing text;

-- The website decodes what it gets.
create or replace view leaderboard.code_files as
  select id, case when listing is null then content else convert_to(listing, 'UTF8') end as code
  from hotlap.code_blobs;
