/**
 * The four pictures as their commands make them, from the question to the file that goes to Discord: reading the board of
 * 100,000 submissions (`--scale`), drawing, and packing the PNG.
 */
import type { ChatInputCommandInteraction } from 'discord.js';
import { history, spread } from '../commands/leaderboard/pictures.ts';
import { compare, progress } from '../commands/submissions/pictures.ts';
import type { Sql } from '../src/db/client.ts';
import { findLeaderboard } from '../src/db/leaderboards.ts';
import type { CommandContext } from '../src/discord/command.ts';
import { BOARD_GPU, seedBoard } from './boards-seed.ts';
import { freshDatabase } from './fresh-database.ts';
import { median, type Part, type Row } from './row.ts';

const SUBMISSIONS = 100_000;
const EACH = 50;
const SHAPES = 16;
const READINGS = 40;
const WARMUPS = 3;
const GOAL_MS = 500;

export const pictures: Part = {
  name: 'pictures',
  about: `the four pictures of a board with --scale (${SUBMISSIONS}) submissions, from the command to the PNG`,
  async measure(_, { scale }) {
    const closers: (() => Promise<unknown>)[] = [];
    try {
      const sql = await freshDatabase(closers);
      const submissions = scale ?? SUBMISSIONS;
      await seedBoard(sql, { submissions, users: Math.round(submissions / EACH) });
      const commands = await picturesOf(sql);
      const rows: Row[] = [];
      for (const [name, draw] of Object.entries(commands)) rows.push(await time(name, draw));
      return rows;
    } finally {
      for (const close of closers.reverse()) await close();
    }
  },
};

/** Beside the processor time of this process, which is what is left of it on a machine with nothing else to do. */
async function time(name: string, draw: () => Promise<void>): Promise<Row> {
  const times: number[] = [];
  const busy: number[] = [];
  for (let n = -WARMUPS; n < READINGS; n++) {
    const since = performance.now();
    const used = process.cpuUsage();
    await draw();
    if (n < 0) continue;
    times.push(performance.now() - since);
    const { user, system } = process.cpuUsage(used);
    busy.push((user + system) / 1000);
  }
  const value = median(times);
  const baseline = median(busy);
  return {
    part: 'pictures',
    name: `${name}, median, beside processor time`,
    unit: 'ms',
    value,
    baseline,
    ratio: value / baseline,
    goal: `under ${GOAL_MS} ms`,
    met: value < GOAL_MS,
  };
}

async function picturesOf(sql: Sql): Promise<Record<string, () => Promise<void>>> {
  const board = await findLeaderboard(sql, 'long');
  if (!board) throw new Error('the board that was just filled is not there');
  const userId = '800000000000000002';
  const [own] = await sql<{ ids: number[] }[]>`
    select array_agg(id order by id) as ids from hotlap.submissions where user_id = ${userId} and status = 'done'`;
  const [a, b] = own?.ids ?? [];
  if (a === undefined || b === undefined) throw new Error('the participant has sent nothing');
  await seedRuns(sql, userId);
  const context = { sql } as unknown as CommandContext;
  // The commands ask for the person and answer with files; nothing of Discord is measured.
  const interaction = {
    user: { id: userId },
    async editReply({ files }: { files: unknown[] }) {
      if (files.length === 0) throw new Error('there is no picture');
    },
  } as unknown as ChatInputCommandInteraction;
  return {
    '/leaderboard history': () => history(interaction, context, board, BOARD_GPU),
    '/submissions progress': () => progress(interaction, context, board, BOARD_GPU),
    '/submissions compare': () => compare(interaction, context, a, b),
    '/leaderboard spread': () => spread(interaction, context, board, BOARD_GPU),
  };
}

/** Ranked runs of one participant with all their benchmark lines. */
async function seedRuns(sql: Sql, userId: string): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    await tx`
      insert into hotlap.runs (job_id, submission_id, gpu_type, secret, stage, mode, passed, score, started_at, finished_at,
        result, stdout, stderr, system, sandbox)
      select s.id, s.id, ${BOARD_GPU}, false, 'leaderboard', 'leaderboard', true, 0.001, s.created_at, s.created_at, lines.of_all,
        '', '', '{}', 'none'
      from hotlap.submissions s
      cross join lateral (
        select jsonb_agg(jsonb_build_array('benchmark.' || i || '.' || key, value)) as of_all
        from generate_series(0, ${SHAPES}::int - 1) i
        cross join lateral (values
          ('spec', 'm: ' || 64 * (i + 1) || '; n: 1024; seed: 5'), ('runs', '10'),
          ('mean', (1e6 * (i + 1) * (1 + 1e3 / s.id))::text), ('err', (2e4 * (i + 1))::text)) line (key, value)
      ) lines
      where s.user_id = ${userId} and s.status = 'done'`;
  });
}
