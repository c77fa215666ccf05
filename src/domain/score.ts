/** One score out of many benchmark times, or the one figure that a task names. */
import type { Outcome } from './outcome.ts';
import type { Ranking, Task } from './task.ts';

/**
 * Seconds; lower is better unless the task says otherwise. `geom` is (prod t_i)^(1/n), computed through logarithms so
 * that many small times don't underflow. Null when there is nothing to score: no times, a time that is not positive
 * and finite, or `last` over anything but exactly one case (problem-format 2.4).
 */
export function scoreOf(meansNs: number[], ranking: Ranking): number | null {
  if (meansNs.length === 0) return null;
  const seconds = meansNs.map((mean) => mean / 1e9);
  if (seconds.some((value) => !Number.isFinite(value) || value <= 0)) return null;
  switch (ranking) {
    case 'last':
      return seconds.length === 1 ? (seconds[0] ?? null) : null;
    case 'mean':
      return seconds.reduce((sum, value) => sum + value, 0) / seconds.length;
    case 'geom':
      return Math.exp(seconds.reduce((sum, value) => sum + Math.log(value), 0) / seconds.length);
  }
}

/**
 * The score of a job's leaderboard stage, in the task's unit, or null where that stage did not run or did not pass. Every case that was
 * sent counts, or the last one alone where the harness times no other in this mode (problem-format 2.4): what has passed
 * has been held against what was sent.
 */
export function leaderboardScore(outcome: Outcome, task: Pick<Task, 'rankingBy' | 'serving'>): number | null {
  const stage = outcome.stages.find((item) => item.mode === 'leaderboard');
  if (!outcome.passed || !stage?.passed) return null;
  if (task.rankingBy === 'custom') {
    const value = stage.metrics[task.serving?.metric ?? ''];
    return value !== undefined && value > 0 ? value : null;
  }
  return scoreOf(
    stage.benchmarks.map((item) => item.meanNs),
    task.rankingBy,
  );
}
