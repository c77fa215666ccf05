/** One long board for bench/boards.ts: what pages read, as the product would have kept it, written by sets. */
import { foldTallies } from '../src/db/board-history.ts';
import type { Sql } from '../src/db/client.ts';
import type { Task } from '../src/domain/task.ts';

export const BOARD_GPU = 'H100';

/** Everybody improves slowly; one of twenty failed. Returns the board's id. */
export async function seedBoard(sql: Sql, size: { submissions: number; users: number }): Promise<number> {
  const { submissions, users } = size;
  const boardId = await sql.begin(async (tx) => {
    // The rows fit each other by their making; checking millions of references takes minutes.
    await tx`set local session_replication_role = replica`;
    await tx`
      insert into hotlap.users (id, name, bare_id)
      select (800000000000000000 + n)::text, 'Participant ' || n, (800000000000000000 + n)::text
      from generate_series(1, ${users}::int) n`;
    const task: Task = {
      lang: 'py',
      description: 'Measured.',
      files: {},
      submissionFile: 'submission.py',
      main: 'eval.py',
      templates: {},
      tests: [],
      benchmarks: [],
      rankingBy: 'geom',
      scoreAscending: true,
      testTimeoutS: 60,
      benchmarkTimeoutS: 60,
      rankedTimeoutS: 60,
      multiGpu: false,
      worldSize: null,
    };
    await tx`insert into hotlap.task_versions (content_hash, definition) values ('seeded', ${tx.json({ ...task })})`;
    const [board] = await tx<{ id: number }[]>`
      insert into hotlap.leaderboards (name, set_name, directory, task_version_id)
      select 'long', 'bench', 'bench/long', id from hotlap.task_versions returning id`;
    if (!board) throw new Error('inserting the board returned no row');
    await tx`
      insert into hotlap.leaderboard_versions (leaderboard_id, number, task_version_id)
      select id, 1, task_version_id from hotlap.leaderboards`;
    await tx`
      insert into hotlap.leaderboard_gpus (leaderboard_id, gpu_type, position) values (${board.id}, ${BOARD_GPU}, 0)`;
    await tx`
      insert into hotlap.code_blobs (sha256, content) values (${'0'.repeat(64)}, 'x')`;
    await tx`
      insert into hotlap.submissions (user_id, leaderboard_id, task_version_id, code_sha256, file_name, mode, door, status,
        created_at, finished_at, language)
      select (800000000000000001 + n % ${users}::int)::text, l.id, l.task_version_id, ${'0'.repeat(64)}, 'submission.py',
        'leaderboard', 'api', case when n % 20 = 0 then 'failed' else 'done' end,
        now() - (${submissions}::int - n) * interval '5 seconds', now(), 'Python'
      from generate_series(1, ${submissions}::int) n, hotlap.leaderboards l order by n`;
    await tx`
      insert into hotlap.submission_scores (submission_id, gpu_type, public_score, secret_score, eligible, reason)
      select id, ${BOARD_GPU}, s.score, s.score, s.status = 'done', case when s.status <> 'done' then 'wrong result (test)' end
      from (
        select s.*, 0.001 * (1 + (s.id * 7919) % 99991 / 1e5) * (1 + 4.0 * exp(-3.0 * s.id / ${submissions}::int)) as score
        from hotlap.submissions s
      ) s order by id`;
    // Entries keep their history, tally and records by triggers and functions; a server that runs has counted its rows.
    await tx`set local session_replication_role = origin`;
    await tx`analyze`;
    await tx`select hotlap.refresh_entries(${board.id}, null, null)`;
    // As if everybody had come to their place over the last weeks.
    await tx`
      update hotlap.board_history set since = least(now() - interval '1 second',
        now() - (('x' || substr(md5(user_id), 1, 6))::bit(24)::int % 1000000) * interval '2 seconds')`;
    return board.id;
  });
  await foldTallies(sql);
  // Filled at one stroke, they lie as far apart as they never would otherwise.
  await sql`vacuum full hotlap.board_tallies`;
  await sql`vacuum analyze`;
  return boardId;
}
