/** How much the queries of the website read: a page must not become slow because the contest is popular. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { makeBoard, makeBox } from './scene.ts';
import { seedSubmissions } from './seed-submissions.ts';
import { boardQuery, ownQuery, summaryQuery, trendQuery } from './website-queries.ts';

describe('the website’s pages, with many submissions', () => {
  let database: TestDatabase;
  let board: LeaderboardWithTask;
  let userId: string;

  beforeAll(async () => {
    database = await testDatabase();
    const boxId = (await makeBox(database.sql, ['CPU'])).id;
    board = await makeBoard(database.sql, { gpus: ['CPU'] });
    userId = await seedSubmissions(database.sql, board, boxId, { submissions: 5000, users: 200 });
    await database.sql.unsafe('vacuum analyze');
  });
  afterAll(() => database.drop());

  /** Which indexes and tables a query reads, and how many 8 KiB pages in all. */
  async function reads(query: string, parameters: (string | number)[]) {
    const [row] = await database.sql.unsafe(`explain (analyze, buffers, format json) ${query}`, parameters);
    const plan = row?.['QUERY PLAN'][0].Plan as PlanNode;
    const nodes = (function* walk(node: PlanNode): Generator<PlanNode> {
      yield node;
      for (const child of node.Plans ?? []) yield* walk(child);
    })(plan);
    const sequential = [...nodes]
      .filter((node) => node['Node Type'] === 'Seq Scan')
      .map((node) => node['Relation Name']);
    return { sequential, pages: plan['Shared Hit Blocks'] + plan['Shared Read Blocks'] };
  }

  interface PlanNode {
    'Node Type': string;
    'Relation Name'?: string;
    'Shared Hit Blocks': number;
    'Shared Read Blocks': number;
    Plans?: PlanNode[];
  }

  it('never read the table of all runs, and for one’s own submissions little of anything', async () => {
    const [size] = await database.sql<{ pages: number }[]>`
      select (pg_relation_size('hotlap.runs') / 8192) as pages`;
    const some = (size?.pages ?? 0) / 5;
    const cases: [string, string, (string | number)[], number][] = [
      ['summary', summaryQuery, [], Number.POSITIVE_INFINITY],
      ['board', boardQuery, [board.id], Number.POSITIVE_INFINITY],
      ['trend of everybody', trendQuery(false), [board.id], Number.POSITIVE_INFINITY],
      ['trend of some', trendQuery(true), [board.id, userId, '1'], some],
      ['own submissions', ownQuery, [board.id, userId], some],
    ];
    for (const [name, query, parameters, mostPages] of cases) {
      const { sequential, pages } = await reads(query, parameters);
      expect(sequential, name).not.toContain('runs');
      expect(pages, name).toBeLessThan(mostPages);
    }
  });

  it('show what was seeded', async () => {
    const [row] = await database.sql.unsafe(boardQuery, [board.id]);
    expect(row?.board.rankings.CPU).toHaveLength(200);
    const [own] = await database.sql.unsafe(ownQuery, [board.id, userId]);
    expect(own?.runs.length).toBeGreaterThan(0);
  });
});
