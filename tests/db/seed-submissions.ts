/** Many submissions at once, for tests of plans: what the product would have stored, written by sets. */
import type { Sql } from '../../src/db/client.ts';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';

/**
 * Of ten submissions six are ranked, three are tests and one is a benchmark; one of twenty failed. All on the board's
 * first GPU type. Returns the id of one of the users.
 */
export async function seedSubmissions(
  sql: Sql,
  board: LeaderboardWithTask,
  boxId: number,
  options: { submissions: number; users: number },
): Promise<string> {
  const { submissions, users } = options;
  const [gpu = ''] = board.gpus;
  const firstUser = 700_000_000_000_000_000n;
  await sql.begin(async (tx) => {
    await tx`
      insert into hotlap.users (id, name)
      select (${firstUser.toString()}::bigint + i)::text, 'seeded ' || i from generate_series(1, ${users}::int) i`;
    await tx`
      insert into hotlap.code_blobs (sha256, content)
      select encode(sha256(('seeded ' || i)::bytea), 'hex'), ('seeded ' || i)::bytea
      from generate_series(0, 99) i on conflict do nothing`;
    const since = new Date();
    await tx`
      insert into hotlap.submissions (user_id, leaderboard_id, task_version_id, code_sha256, file_name, mode, door,
        status, reason, created_at, finished_at)
      select (${firstUser.toString()}::bigint + 1 + i / 10 % ${users}::int)::text, ${board.id}, ${board.taskVersionId},
        encode(sha256(('seeded ' || i % 100)::bytea), 'hex'), 'seeded.py',
        case when i % 10 < 6 then 'leaderboard' when i % 10 < 9 then 'test' else 'benchmark' end, 'api',
        case when i % 20 = 0 then 'failed' else 'done' end, case when i % 20 = 0 then 'wrong result (test)' end,
        ${since}::timestamptz - (${submissions}::int - i) * interval '1 minute',
        ${since}::timestamptz - (${submissions}::int - i) * interval '1 minute' + interval '30 seconds'
      from generate_series(1, ${submissions}::int) i order by i`;
    await tx`
      insert into hotlap.jobs (submission_id, gpu_type, secret, status, priority, attempt, box_id, passed, score,
        created_at, started_at, finished_at, user_id, leaderboard_id, mode)
      select s.id, ${gpu}, kind.secret, 'finished', 30, 1, ${boxId}, s.status = 'done',
        case when s.mode = 'leaderboard' and s.status = 'done' then 0.001 + s.id % 9973 / 1e6 end,
        s.created_at, s.created_at, s.finished_at, s.user_id, s.leaderboard_id, s.mode
      from hotlap.submissions s, (values (false), (true)) kind (secret)
      where s.file_name = 'seeded.py' and s.leaderboard_id = ${board.id}
        and (not kind.secret or s.mode = 'leaderboard') order by s.id, kind.secret`;
    // As long as the result of a task with sixteen benchmarks.
    await tx`
      insert into hotlap.runs (job_id, submission_id, gpu_type, box_id, secret, stage, mode, passed, score,
        started_at, finished_at, exit_code, result, stdout, stderr, system, sandbox)
      select j.id, j.submission_id, j.gpu_type, ${boxId}, j.secret, stage, stage, j.passed,
        case when stage = 'leaderboard' then j.score end, j.started_at, j.finished_at, 0,
        (select jsonb_agg(jsonb_build_array('benchmark.' || k || '.mean', 7919 * k + 0.125))
          from generate_series(0, 31) k), '', '', '{}', 'bwrap'
      from hotlap.jobs j, (values ('test'), ('benchmark'), ('leaderboard')) stages (stage)
      where j.leaderboard_id = ${board.id}
        and (stage = j.mode or (j.mode = 'leaderboard' and (j.passed or stage = 'test'))) order by j.id`;
    await tx`
      insert into hotlap.submission_scores (submission_id, gpu_type, public_score, secret_score, eligible, reason)
      select p.submission_id, p.gpu_type, p.score, s.score, p.passed and s.passed,
        case when not p.passed then 'wrong result (test)' end
      from hotlap.jobs p join hotlap.jobs s on s.submission_id = p.submission_id and s.secret
      where not p.secret and p.leaderboard_id = ${board.id}`;
  });
  return (firstUser + 1n).toString();
}
