/** `kill -9` in mid-job: real processes, a real SSH box, and the box's own count of starts. */

import type { APIMessage } from 'discord-api-types/v10';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sshdMissing } from '../support/sshd.ts';
import { told } from './load.ts';
import { BOARD, longSubmission } from './problems.ts';
import { Stage } from './stage.ts';

const LONG_S = 20;

function text(message: APIMessage): string {
  return JSON.stringify(message.embeds);
}

describe.skipIf(sshdMissing() !== null)('a kill -9 while a 20-second job runs', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.open();
  });

  afterAll(async () => {
    await stage?.close();
  });

  it('does not restart the job, its progress goes on, and its owner gets the result', async () => {
    stage.bot.start();
    await stage.bot.untilReady(60_000);
    const [owner] = stage.users;
    if (!owner) throw new Error('the stage has users');
    const { file, mode, tag } = longSubmission(LONG_S);
    const handle = await owner.slash('/submit', { file, leaderboard: BOARD, mode });
    await handle.waitFor((message) => /1 (of|\/) 3/.test(text(message)), { timeoutMs: 60_000 });

    await stage.bot.stop('SIGKILL');
    const [left] = await stage.sql`select status, attempt from hotlap.jobs`;
    expect(left).toEqual({ status: 'running', attempt: 1 });
    const shownBefore = handle.history().length;
    stage.bot.start();

    const result = await handle.waitFor((message) => told(message)?.how === 'result', { timeoutMs: 90_000 });
    expect(result.embeds[0]?.title).toBe('Passed · #1');
    const shownAfter = handle.history().slice(shownBefore, -1).map(text);
    expect(shownAfter.some((shown) => /[23] (of|\/) 3/.test(shown))).toBe(true);

    expect(stage.witness.starts.map((start) => start.key)).toEqual(['1.1']);
    const jobs = await stage.sql`
      select j.status, j.attempt, j.passed, r.stdout, extract(epoch from r.finished_at - r.started_at)::float8 as seconds
      from hotlap.jobs j join hotlap.runs r on r.job_id = j.id`;
    expect(jobs).toHaveLength(1);
    expect(jobs[0]).toMatchObject({ status: 'finished', attempt: 1, passed: true });
    expect(jobs[0]?.stdout).toContain(tag);
    // One run from its beginning to its end: a second start would have had to sleep again.
    expect(jobs[0]?.seconds).toBeGreaterThan(LONG_S - 1);
  });
});
