/** A restart in mid-job, asked for and not: real processes, a real SSH box, and the box's own count of starts. */
import type { APIMessage } from 'discord-api-types/v10';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sshdMissing } from '../support/sshd.ts';
import { told } from './load.ts';
import { BOARD, longSubmission } from './problems.ts';
import { Stage } from './stage.ts';

function progressIn(message: APIMessage): number {
  return Number(/test, (\d) of 3/.exec(JSON.stringify(message.embeds))?.[1] ?? 0);
}

describe.skipIf(sshdMissing() !== null)('a restart while a job runs', () => {
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.open();
  });

  afterAll(async () => {
    await stage?.close();
  });

  it.each([
    { title: 'a drained bot, a job of 20 s', signal: 'SIGTERM', wholeS: 20 },
    // Whoever was killed cannot give up its lease: 15 s pass before anybody else may look after the job.
    { title: 'kill -9, a job of 42 s', signal: 'SIGKILL', wholeS: 42 },
  ] as const)(
    '$title: it is not restarted, its progress goes on, its owner gets the result',
    async (given) => {
      stage.bot.start();
      await stage.bot.untilReady(60_000);
      const [owner] = stage.users;
      if (!owner) throw new Error('the stage has users');
      const { file, mode, tag } = longSubmission(given.wholeS);
      const handle = await owner.slash('/submit', { file, leaderboard: BOARD, mode });
      await handle.waitFor((message) => progressIn(message) === 1, { timeoutMs: 60_000 });

      await stage.bot.stop(given.signal);
      const [left] = await stage.sql`select id, status, attempt from hotlap.jobs order by id desc limit 1`;
      expect(left).toMatchObject({ status: 'running', attempt: 1 });
      const shownBefore = handle.history().length;
      stage.bot.start();

      const result = await handle.waitFor((message) => told(message)?.how === 'result', {
        timeoutMs: 90_000,
      });
      expect(result.embeds[0]?.title).toMatch(/^Passed · #/);
      const shownAfter = handle.history().slice(shownBefore, -1).map(progressIn);
      expect(Math.max(0, ...shownAfter)).toBeGreaterThanOrEqual(2);

      expect(stage.witness.startsOf(left?.id).map((start) => start.key)).toEqual([`${left?.id}.1`]);
      const runs = await stage.sql`
      select j.status, j.attempt, j.passed, r.stdout,
        extract(epoch from r.finished_at - r.started_at)::float8 as seconds
      from hotlap.jobs j join hotlap.runs r on r.job_id = j.id where j.id = ${left?.id}`;
      expect(runs).toHaveLength(1);
      expect(runs[0]).toMatchObject({ status: 'finished', attempt: 1, passed: true });
      expect(runs[0]?.stdout).toContain(tag);
      // One run from its beginning to its end.
      expect(runs[0]?.seconds).toBeGreaterThan(given.wholeS - 1);
      await stage.bot.stop('SIGTERM');
    },
  );
});
