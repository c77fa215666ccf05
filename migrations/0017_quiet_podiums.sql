-- A board that begins to announce its podium, because it is opened to everybody, taken out of the archive or ranked by public
-- scores again, begins with the podium of that moment: what happened before is no news, even if nobody has looked meanwhile.
create function hotlap.begin_with_podium() returns trigger language plpgsql as $$
begin
  insert into hotlap.podiums (leaderboard_id, gpu_type, announced)
    select new.id, g.gpu_type, hotlap.podium_of(new.id, g.gpu_type)
    from hotlap.leaderboard_gpus g where g.leaderboard_id = new.id
    order by g.gpu_type
    on conflict (leaderboard_id, gpu_type) do update set announced = excluded.announced, changed_at = null;
  return null;
end
$$;
create trigger leaderboards_podium after update on hotlap.leaderboards
  for each row when (hotlap.announces_podium(new) and not hotlap.announces_podium(old))
  execute function hotlap.begin_with_podium();
