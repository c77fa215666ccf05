/** What the existing website asks the schema `leaderboard`: queries of our own with the shapes of its own. */

/** Best run of each user on each GPU type, as the page of one board asks for it. */
export const boardQuery = `
  with info as (
    select name, deadline, task ->> 'lang' as lang, description, task -> 'files' ->> 'reference.py' as reference,
      task -> 'benchmarks' as benchmarks, visibility
    from leaderboard.leaderboard where id = $1
  ), types as (select distinct gpu_type from leaderboard.gpu_type where leaderboard_id = $1
  ), own as (
    select r.runner, u.id as user_id, u.user_name, r.score, s.file_name, s.id as submission_id,
      rank() over (partition by r.runner, u.id order by r.score asc) as place
    from leaderboard.runs r
    join leaderboard.submission s on r.submission_id = s.id
    left join leaderboard.user_info u on s.user_id = u.id
    where not r.secret and r.score is not null and r.passed and s.leaderboard_id = $1
  ), counts as (
    select s.user_id, r.runner, count(distinct s.id) as submissions
    from leaderboard.submission s join leaderboard.runs r on r.submission_id = s.id
    where s.leaderboard_id = $1 and not r.secret and r.score is not null and r.passed group by 1, 2
  )
  select jsonb_build_object(
    'leaderboard', (select to_jsonb(info) || jsonb_build_object('gpu_types', (select jsonb_agg(gpu_type) from types))
      from info),
    'rankings', (select jsonb_object_agg(t.gpu_type, (
      select jsonb_agg(jsonb_build_object('user_name', o.user_name, 'score', o.score, 'file_name', o.file_name,
        'submission_id', o.submission_id, 'submissions', c.submissions) order by o.score)
      from own o left join counts c on c.user_id = o.user_id and c.runner = o.runner
      where o.place = 1 and o.runner = t.gpu_type)) from types t)) as board`;

/** Every board with the three best on its foremost GPU type, as the home page asks for it. */
export const summaryQuery = `
  with types as (
    select leaderboard_id, jsonb_agg(distinct gpu_type) as gpu_types from leaderboard.gpu_type group by 1
  ), foremost as (
    select distinct on (leaderboard_id) leaderboard_id, gpu_type from leaderboard.gpu_type
    order by leaderboard_id, case gpu_type when 'B200' then 1 when 'H100' then 2 else 7 end, gpu_type
  ), best as (
    select s.leaderboard_id, u.user_name, min(r.score) as score
    from leaderboard.runs r
    join leaderboard.submission s on r.submission_id = s.id
    join foremost f on f.leaderboard_id = s.leaderboard_id and f.gpu_type = r.runner
    left join leaderboard.user_info u on s.user_id = u.id
    where not r.secret and r.score is not null and r.passed
    group by s.leaderboard_id, s.user_id, u.user_name
  ), placed as (
    select *, rank() over (partition by leaderboard_id order by score) as place from best
  ), top as (
    select leaderboard_id, jsonb_agg(jsonb_build_object('rank', place, 'score', score, 'user_name', user_name)
      order by place) as top_users
    from placed where place <= 3 group by 1
  )
  select l.id, jsonb_build_object('id', l.id, 'name', l.name, 'deadline', l.deadline,
    'gpu_types', coalesce(t.gpu_types, '[]'), 'priority_gpu_type', f.gpu_type, 'top_users', top.top_users) as summary,
    l.deadline < now() as ended
  from leaderboard.leaderboard l
  left join types t on t.leaderboard_id = l.id
  left join foremost f on f.leaderboard_id = l.id
  left join top on top.leaderboard_id = l.id
  order by l.id desc`;

/** One's own submissions of a board with their public runs: what the browser polls after a submission. */
export const ownQuery = `
  select s.id, s.leaderboard_id, s.file_name, s.submission_time, s.done, j.status, j.error, j.last_heartbeat,
    j.created_at,
    coalesce((
      select jsonb_agg(jsonb_build_object('start_time', r.start_time, 'end_time', r.end_time, 'mode', r.mode,
        'passed', r.passed, 'score', r.score, 'meta', coalesce(r.meta::jsonb, '{}'),
        'result', coalesce(r.result::jsonb, '{}'), 'compilation', coalesce(r.compilation::jsonb, '{}'))
        order by r.start_time)
      from leaderboard.runs r where r.submission_id = s.id and r.secret = false), '[]')::json as runs
  from leaderboard.submission s
  left join leaderboard.submission_job_status j on j.submission_id = s.id
  where s.leaderboard_id = $1 and s.user_id = $2
  order by s.submission_time desc limit 100 offset 0`;

/** Scores over time, of some users or of everybody. */
export const trendQuery = (users: boolean) => `
  select s.id, s.user_id, u.user_name, s.file_name, s.submission_time, r.score, r.passed, r.runner, r.mode
  from leaderboard.submission s
  join leaderboard.runs r on r.submission_id = s.id
  left join leaderboard.user_info u on s.user_id = u.id
  where ${users ? 's.user_id in ($2, $3) and' : ''} s.leaderboard_id = $1
    and r.score is not null and r.passed = true and not r.secret
    and not exists (select 1 from leaderboard.runs x
      where x.submission_id = s.id and x.secret and x.runner = r.runner and x.passed = false)
  order by s.submission_time`;

export const usersQuery = `
  select distinct u.id, u.user_name from leaderboard.user_info u
  join leaderboard.submission s on s.user_id = u.id
  where s.leaderboard_id = $1 and u.user_name ilike $2 order by u.user_name limit 20`;

export const codeQuery = `
  select s.id, s.leaderboard_id, c.id as code_id, c.code
  from leaderboard.submission s join leaderboard.code_files c on c.id = s.code_id
  where s.leaderboard_id = $1 and s.id = any ($2::int[]) order by s.id desc`;

/** At login: an account is made, or gets its token where it has none. */
export const loginQuery = `
  insert into leaderboard.user_info (id, user_name, web_auth_id) values ($1, $2, $3)
  on conflict (id) do update set web_auth_id = excluded.web_auth_id
  where leaderboard.user_info.web_auth_id is null
  returning id, user_name, web_auth_id`;
