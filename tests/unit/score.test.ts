import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { leaderboardScore, scoreOf } from '../../src/domain/score.ts';
import { type Ranking, rankings } from '../../src/domain/task.ts';
import { outcomeOf, outcomeOfJob, passedTests, stageReport, timedBenchmarks } from './stage-report.ts';

const means = fc.array(fc.double({ min: 1e-3, max: 1e13, noNaN: true }), { minLength: 1, maxLength: 20 });

describe('a score', () => {
  it('is in seconds', () => {
    expect(scoreOf([1_500_000_000], 'last')).toBe(1.5);
    expect(scoreOf([1e9, 3e9], 'mean')).toBe(2);
    expect(scoreOf([1e9, 4e9], 'geom')).toBeCloseTo(2, 12);
  });

  it('by the last benchmark needs exactly one', () => {
    expect(scoreOf([1e9, 2e9], 'last')).toBe(null);
  });

  it.each(rankings)(
    'by %s is none without a time, and with one that is not positive and finite',
    (ranking) => {
      expect(scoreOf([], ranking)).toBe(null);
      for (const bad of [0, -0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
        expect(scoreOf([bad], ranking)).toBe(null);
        expect(scoreOf([1e9, bad], ranking)).toBe(null);
      }
    },
  );

  it.each(rankings)(
    'by %s is none where the time in seconds underflows to zero: zero would win for ever',
    (ranking) => {
      expect(scoreOf([5e-324], ranking)).toBe(null);
      expect(scoreOf([1e-320], ranking)).toBe(null);
    },
  );

  it('by the geometric mean does not underflow or overflow with many small or large times', () => {
    expect(scoreOf(Array(1000).fill(1e-3), 'geom')).toBeCloseTo(1e-12, 24);
    const large = scoreOf(Array(1000).fill(1e13), 'geom') ?? 0;
    expect(large / 1e4).toBeCloseTo(1, 9);
  });

  it.each<Ranking>(['mean', 'geom'])('by %s lies between the least and the greatest time', (ranking) => {
    fc.assert(
      fc.property(means, (times) => {
        const score = scoreOf(times, ranking) ?? Number.NaN;
        expect(score).toBeGreaterThanOrEqual((Math.min(...times) / 1e9) * (1 - 1e-9));
        expect(score).toBeLessThanOrEqual((Math.max(...times) / 1e9) * (1 + 1e-9));
      }),
    );
  });

  it.each<Ranking>(['mean', 'geom'])('by %s grows with the times, and depends on no order', (ranking) => {
    fc.assert(
      fc.property(means, fc.double({ min: 0.01, max: 100, noNaN: true }), (times, factor) => {
        const score = scoreOf(times, ranking) ?? Number.NaN;
        const scaled =
          scoreOf(
            times.map((time) => time * factor),
            ranking,
          ) ?? Number.NaN;
        expect(scaled / (score * factor)).toBeCloseTo(1, 9);
        const reversed = scoreOf(times.toReversed(), ranking) ?? Number.NaN;
        expect(reversed / score).toBeCloseTo(1, 9);
      }),
    );
  });

  it('by the geometric mean lies below the arithmetic one', () => {
    fc.assert(
      fc.property(means, (times) => {
        expect(scoreOf(times, 'geom') ?? Number.NaN).toBeLessThanOrEqual(
          (scoreOf(times, 'mean') ?? 0) * (1 + 1e-9),
        );
      }),
    );
  });
});

describe('the score of a ranked job', () => {
  const task = (rankingBy: Ranking) => ({ rankingBy });
  const outcome = (timed: number[], ranked: number[], changes = {}) =>
    outcomeOfJob([
      stageReport('test', passedTests(1)),
      stageReport('benchmark', timedBenchmarks(timed)),
      stageReport('leaderboard', timedBenchmarks(ranked), changes),
    ]);

  it('is that of its leaderboard stage, not of its benchmark stage', () => {
    expect(leaderboardScore(outcome([9e9, 9e9], [1e9, 4e9]), task('geom'))).toBeCloseTo(2, 12);
    expect(leaderboardScore(outcome([9e9], [3e9]), task('last'))).toBe(3);
  });

  it('is none where the stage failed or did not run', () => {
    expect(leaderboardScore(outcome([1e9, 1e9], [1e9, 1e9], { exit_code: 1 }), task('geom'))).toBe(null);
    const tested = outcomeOfJob([stageReport('test', passedTests(1))]);
    expect(leaderboardScore(tested, task('geom'))).toBe(null);
  });

  it('is none where other cases were timed than were sent', () => {
    const sent = ['size: 1; seed: 5', 'size: 2; seed: 5', 'size: 3; seed: 5'];
    for (const ranking of rankings) {
      const fewer = outcomeOf('leaderboard', timedBenchmarks([1e9, 2e9]), {}, sent);
      expect(leaderboardScore(fewer, task(ranking))).toBe(null);
      const more = outcomeOf('leaderboard', timedBenchmarks([1e9, 2e9]), {}, sent.slice(0, 1));
      expect(leaderboardScore(more, task(ranking))).toBe(null);
    }
    // By its specs the report is of two cases, of which only the last one counts here: none was sent alone.
    expect(leaderboardScore(outcome([1e9], [1e9, 1e9]), task('last'))).toBe(null);
  });

  it('is the time of the last case where the harness times that one alone', () => {
    const text = timedBenchmarks([4e9]).replace('size: 1;', 'size: 3;');
    const sent = ['size: 1; seed: 5', 'size: 2; seed: 5', 'size: 3; seed: 5'];
    for (const ranking of rankings) {
      expect(leaderboardScore(outcomeOf('leaderboard', text, {}, sent), task(ranking))).toBeCloseTo(4, 12);
    }
  });

  it('is none for a job that was cancelled', () => {
    const stages = [stageReport('leaderboard', timedBenchmarks([1e9]))];
    const cancelled = outcomeOfJob(stages, { outcome: 'cancelled' });
    expect(leaderboardScore(cancelled, task('last'))).toBe(null);
  });
});
