/** The database of a big contest for bench/api.ts, as the product would have filled it, written by sets. */
import type { Sql } from '../src/db/client.ts';

export interface Seeded {
  users: string[];
  /** Of each user, ranked ones, newest first. */
  submissions: Map<string, number[]>;
}

export const GPUS = ['H100', 'A100'];
export const BOARDS = 5;

/** Six of ten submissions are ranked, three are tests, one is a benchmark; one of twenty failed its tests. */
export async function seedContest(sql: Sql, size: { submissions: number; users: number }): Promise<Seeded> {
  const { submissions, users } = size;
  await sql.begin(async (tx) => {
    await tx`
      insert into hotlap.users (id, name)
      select (800000000000000000 + n)::text, 'Participant ' || n from generate_series(1, ${users}::int) n`;
    // The rows fit each other by their making; checking a million references takes a minute.
    await tx`set local session_replication_role = replica`;
    // The token of each is its id.
    await tx`
      insert into hotlap.api_tokens (sha256, kind, user_id, name)
      select encode(sha256(id::bytea), 'hex'), 'personal', id, 'bench' from hotlap.users`;
    const task = { lang: 'py', description: 'Measured.', files: {}, tests: [], benchmarks: [] };
    await tx`insert into hotlap.task_versions (content_hash, definition) values ('seeded', ${tx.json(task)})`;
    await tx`
      insert into hotlap.leaderboards (name, set_name, directory, task_version_id)
      select 'contest-' || n, 'bench', 'bench/' || n, v.id
      from generate_series(0, ${BOARDS - 1}::int) n, hotlap.task_versions v`;
    await tx`
      insert into hotlap.leaderboard_gpus (leaderboard_id, gpu_type, position)
      select l.id, g.gpu, g.n from hotlap.leaderboards l, unnest(${GPUS}::text[]) with ordinality g (gpu, n)`;
    // As long as an honest kernel, each its own.
    await tx`
      insert into hotlap.code_blobs (sha256, content)
      select encode(sha256(('code ' || n)::bytea), 'hex'), convert_to(repeat('x = ' || n || ' # a line of code' || E'\n', 120), 'UTF8')
      from generate_series(0, 999) n`;
    await tx`
      insert into hotlap.submissions (user_id, leaderboard_id, task_version_id, code_sha256, file_name, mode, door,
        status, reason, created_at, finished_at)
      select (800000000000000001 + n % ${users}::int)::text, l.id, l.task_version_id,
        encode(sha256(('code ' || n % 1000)::bytea), 'hex'), 'submission_v' || n % 50 || '.py',
        case when k.kind < 6 then 'leaderboard' when k.kind < 9 then 'test' else 'benchmark' end, 'api',
        case when n % 20 = 0 then 'failed' else 'done' end,
        case when n % 20 = 0 then 'H100: wrong result (test)' end, k.at, k.at + interval '30 seconds'
      from generate_series(1, ${submissions}::int) n
      cross join lateral (select n / ${users}::int % 10 as kind, now() - (${submissions}::int - n) * interval '10 seconds' as at) k
      join hotlap.leaderboards l on l.name = 'contest-' || n % ${BOARDS}::int order by n`;
    await tx`
      insert into hotlap.jobs (submission_id, user_id, leaderboard_id, mode, gpu_type, secret, status, priority, attempt,
        passed, score, created_at, started_at, finished_at)
      select s.id, s.user_id, s.leaderboard_id, s.mode, g.gpu, kind.secret,
        case when s.status = 'failed' and kind.secret then 'cancelled' else 'finished' end, 30, 1,
        case when s.status = 'failed' and kind.secret then null else s.status = 'done' end,
        case when s.mode = 'leaderboard' and s.status = 'done' then 0.001 + (s.id * 7919 + g.n * 13) % 99991 / 1e7 end,
        s.created_at, s.created_at + interval '3 seconds', s.finished_at
      from hotlap.submissions s, unnest(${GPUS}::text[]) with ordinality g (gpu, n), (values (false), (true)) kind (secret)
      where (g.n = 1 or s.mode = 'leaderboard') and (not kind.secret or s.mode = 'leaderboard')
      order by s.id, g.n, kind.secret`;
    await tx`
      insert into hotlap.runs (job_id, submission_id, gpu_type, secret, stage, mode, passed, score, started_at,
        finished_at, exit_code, result, stdout, stderr, system, sandbox)
      select j.id, j.submission_id, j.gpu_type, j.secret, stage, stage, j.passed,
        case when stage = 'leaderboard' then j.score end, j.started_at, j.finished_at, 0,
        (select jsonb_agg(jsonb_build_array('benchmark.' || k || '.mean', (7919 * k + 0.125)::text))
          from generate_series(0, 15) k), 'a line of output', '', '{"gpu": "NVIDIA H100"}', 'bwrap'
      from hotlap.jobs j, (values ('test'), ('benchmark'), ('leaderboard')) stages (stage)
      where j.status = 'finished' and (stage = j.mode or (j.mode = 'leaderboard' and (j.passed or stage = 'test')))
      order by j.id`;
    await tx`
      insert into hotlap.submission_scores (submission_id, gpu_type, public_score, secret_score, eligible, reason)
      select p.submission_id, p.gpu_type, p.score, s.score, p.passed and coalesce(s.passed, false),
        case when not p.passed then 'wrong result (test)' end
      from hotlap.jobs p join hotlap.jobs s on s.submission_id = p.submission_id and s.gpu_type = p.gpu_type and s.secret
      where not p.secret order by p.id`;
    // Entries keep their history and tallies by triggers.
    await tx`set local session_replication_role = origin`;
    await tx`select hotlap.refresh_entries(id, null, null) from hotlap.leaderboards order by id`;
    // What hotlap.summarise_submission does, for all at once.
    await tx`
      update hotlap.submissions s set shown_runs = coalesce(r.shown, '[]')::json, secret_scores = sc.scores::json,
        secret_score = sc.best
      from (
        select submission_id, jsonb_object_agg(gpu_type, secret_score) as scores, min(secret_score) as best
        from hotlap.submission_scores group by 1
      ) sc left join (
        select submission_id,
          jsonb_agg(jsonb_build_object('gpu_type', gpu_type, 'score', score) order by gpu_type, id) as shown
        from hotlap.runs where not secret and passed group by 1
      ) r using (submission_id)
      where s.id = sc.submission_id`;
  });
  await sql`vacuum full analyze hotlap.submissions`;
  await sql`vacuum analyze`;
  const rows = await sql<{ userId: string; ids: number[] }[]>`
    select user_id as "userId", array_agg(id order by id desc) as ids
    from hotlap.submissions where mode = 'leaderboard' group by 1 order by 1`;
  return {
    users: rows.map((row) => row.userId),
    submissions: new Map(rows.map((row) => [row.userId, row.ids])),
  };
}
