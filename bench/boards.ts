/**
 * What people read of a long board, at 100,000 submissions and at `--scale` (1,000,000): a page with places and moves, one's
 * own rank, the history picture's data. Pages read summary rows, so that the larger one should take no longer; what is left
 * is deeper indexes.
 */
import { findOwnEntry, listBoardEntries, listRankChanges, listTracks } from '../src/db/board.ts';
import type { Sql } from '../src/db/client.ts';
import { loadBoardHistory } from '../src/db/history.ts';
import { BOARD_GPU, seedBoard } from './boards-seed.ts';
import { freshDatabase } from './fresh-database.ts';
import { median, type Part, type Row } from './row.ts';

const SMALL = 100_000;
const LARGE = 1_000_000;
/** As many submissions as a keen participant sends. */
const EACH = 50;
const READINGS = 200;
const WARMUPS = 15;
const PAGE = 15;
const GOAL = 1.5;

type Reading = (n: number) => Promise<unknown>;

export const boards: Part = {
  name: 'boards',
  about: `pages of a board with ${SMALL} submissions and with --scale (${LARGE})`,
  async measure(say, { scale }) {
    const closers: (() => Promise<unknown>)[] = [];
    try {
      const small = await boardWith(SMALL, closers, say);
      const large = await boardWith(scale ?? LARGE, closers, say);
      const rows: Row[] = [];
      for (const [name, read] of Object.entries(large)) {
        const beside = small[name];
        if (beside) rows.push(await compare(name, beside, read));
      }
      return rows;
    } finally {
      for (const close of closers.reverse()) await close();
    }
  },
};

/** Both in turn, so that whatever else the machine does is felt by both. */
async function compare(name: string, small: Reading, large: Reading): Promise<Row> {
  const times: [number[], number[]] = [[], []];
  for (let n = -WARMUPS; n < READINGS; n++) {
    for (const [side, read] of [small, large].entries()) {
      const since = performance.now();
      await read(n + WARMUPS);
      if (n >= 0) times[side]?.push(performance.now() - since);
    }
  }
  const [baseline, value] = times.map(median) as [number, number];
  const ratio = value / baseline;
  const goal = `at most ${GOAL} times that at ${SMALL}`;
  return {
    part: 'boards',
    name: `${name}, median`,
    unit: 'ms',
    value,
    baseline,
    ratio,
    goal,
    met: ratio <= GOAL,
  };
}

/** Its readings, by name. */
async function boardWith(
  submissions: number,
  closers: (() => Promise<unknown>)[],
  say: (text: string) => void,
): Promise<Record<string, Reading>> {
  const sql = await freshDatabase(closers);
  const since = performance.now();
  const users = Math.round(submissions / EACH);
  const leaderboardId = await seedBoard(sql, { submissions, users });
  say(`${submissions} submissions of ${users} people in ${Math.round((performance.now() - since) / 1000)} s`);
  return readings(sql, leaderboardId, users);
}

function readings(sql: Sql, leaderboardId: number, users: number): Record<string, Reading> {
  const key = { leaderboardId, gpuType: BOARD_GPU, scoreAscending: true };
  const user = (n: number) => `${800_000_000_000_000_001n + BigInt((n * 7919) % users)}`;
  return {
    'board page': async () => {
      const { entries } = await listBoardEntries(sql, key, { limit: PAGE, offset: 0 });
      await Promise.all([listRankChanges(sql, key, entries, new Date()), listTracks(sql, leaderboardId)]);
    },
    'page 20': (n) => listBoardEntries(sql, key, { limit: PAGE, offset: PAGE * (n % 20) }),
    'my rank': (n) => findOwnEntry(sql, key, user(n)),
    history: () => loadBoardHistory(sql, key, 8),
  };
}
