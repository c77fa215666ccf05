/**
 * The line format of every public evaluation program (problem-format 2.7), as written by a stand-in of each, for honest
 * passes, honest failures, crashes, timeouts and runs that end half-way: each must get the verdict and the score that
 * the format gives it, for every ranking.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { jobStages } from '../../src/domain/job.ts';
import { type Outcome, readOutcome } from '../../src/domain/outcome.ts';
import type { StageReport } from '../../src/domain/protocol.ts';
import { leaderboardScore } from '../../src/domain/score.ts';
import type { Mode } from '../../src/domain/submission.ts';
import { type Ranking, rankings } from '../../src/domain/task.ts';
import { plainTask } from '../db/scene.ts';
import { PythonProcess } from '../support/python-process.ts';
import { jobResult, stageReport } from './stage-report.ts';

const HARNESS = readFileSync(path.join(import.meta.dirname, '../fixtures/variants/eval.py'), 'utf8');

/** Plays one stage in its own process; `hang` and `die` end it as the runner would see it. */
const PROGRAM = `
import sys, traceback, types
harness = types.ModuleType("harness")
sys.modules["harness"] = harness
exec(compile(SOURCE, "eval.py", "exec"), harness.__dict__)
class Stopped(BaseException):
    pass
def stop(how):
    raise Stopped(how)
def answer(order):
    lines, end = [], {"exit_code": None, "signal": None, "timed_out": False, "stderr": ""}
    space = {"hang": lambda: stop("hang"), "die": lambda: stop("die")}
    exec(order["submission"], space)
    evaluation = harness.Evaluation(
        harness.VARIANTS[order["variant"]],
        lambda case: harness.check(space["custom_kernel"], case),
        lambda key, value: lines.append(f"{key}: {value}"),
    )
    try:
        cases = harness.read_cases(order["cases"].splitlines(), order["secret"])
        end["exit_code"] = evaluation.run(order["mode"], cases)
    except Stopped as stopped:
        end.update({"timed_out": True, "exit_code": 114} if str(stopped) == "hang" else {"signal": 11})
    except Exception:
        end.update(exit_code=1, stderr=traceback.format_exc())
    # As the runner splits them: a line that is no key and value is counted, not kept.
    text = "\\n".join(lines).split("\\n")
    whole = [line for line in text if ":" in line]
    return {**end, "text": "\\n".join(whole), "malformed": len([line for line in text if line]) - len(whole)}
`;

const answered = z.object({
  exit_code: z.number().nullable(),
  signal: z.number().nullable(),
  timed_out: z.boolean(),
  stderr: z.string(),
  text: z.string(),
  malformed: z.number(),
});

let python: PythonProcess;
beforeAll(() => {
  python = new PythonProcess(`SOURCE = ${JSON.stringify(HARNESS)}\n${PROGRAM}`);
});
afterAll(() => python.close());

const variants = [
  ...['c33495f1', '3f1aab08', '7a762dc0', '7bbde85d', '94f5b0a0', '60142493', '365f5182', '666ddf88'],
  ...['fef54da0', '106951f2', '8fbb9c03', '3ee30917', 'ad577ad6', 'c4c6ec6d', '1cfede31', '6d8a6235'],
  ...['df49d403', 'eval.cu'],
];
/** Those that time the last case alone in mode leaderboard. */
const lastCaseAlone = ['c33495f1', '3f1aab08', 'eval.cu'];

const task = (rankingBy: Ranking) => ({
  ...plainTask,
  tests: ['size: 8; seed: 1', 'size: 20; seed: 2'],
  benchmarks: ['size: 100; seed: 3', 'size: 400; seed: 4'],
  rankingBy,
});

const submissionOf = (body: string) => `def custom_kernel(data):\n    ${body}\n    return sorted(data)\n`;

/**
 * A ranked job, or one of another mode: stage after stage until one does not pass, like the runner. In mode leaderboard
 * the submission does what `ranked` says, if that is given.
 */
async function play(
  variant: string,
  body: string,
  rankingBy: Ranking,
  { mode = 'leaderboard', ranked = body }: { mode?: Mode; ranked?: string } = {},
): Promise<Outcome> {
  const stages = jobStages(task(rankingBy), mode);
  const reports: StageReport[] = [];
  for (const stage of stages) {
    const submission = submissionOf(stage.mode === 'leaderboard' ? ranked : body);
    const order = { variant, submission, mode: stage.mode, cases: stage.cases, secret: 77 };
    const { text, malformed, ...end } = answered.parse(await python.ask(order));
    const changes = { ...end, name: stage.name, malformed_lines: malformed, duration_ms: 2000 };
    const report = stageReport(stage.mode, text, changes);
    reports.push(report);
    const passed = new Map(report.lines).get('check') === 'pass';
    if (!passed || (end.exit_code !== 0 && end.exit_code !== 112)) break;
  }
  return readOutcome(jobResult(reports), stages);
}

describe.each(variants)('the lines of variant %s', (variant) => {
  const ranked = (rankingBy: Ranking) => {
    // 100 ns for each number: 10 and 40 microseconds.
    if (rankingBy === 'last' || lastCaseAlone.includes(variant)) return 40e-6;
    return rankingBy === 'mean' ? 25e-6 : 20e-6;
  };

  it.each(rankings)('of an honest pass give the score by %s', async (rankingBy) => {
    const outcome = await play(variant, 'pass', rankingBy);
    expect(outcome).toMatchObject({ passed: true, failure: null });
    expect(outcome.stages).toHaveLength(3);
    expect(leaderboardScore(outcome, task(rankingBy))).toBeCloseTo(ranked(rankingBy), 15);
  });

  it('of a wrong test name it, with its message', async () => {
    const outcome = await play(variant, 'if len(data) == 20: return []', 'geom');
    expect(outcome.failure).toMatchObject({
      kind: 'wrong',
      stage: 'test',
      summary: 'Test 2 of 2 failed: size: 20; seed: 2',
    });
    expect(outcome.failure?.detail).toContain('mismatch found!');
    expect(outcome.stages[0]?.tests.map((test) => test.passed)).toEqual([true, false]);
    expect(leaderboardScore(outcome, task('geom'))).toBe(null);
  });

  it.each(rankings)('of a wrong benchmark give no score by %s', async (rankingBy) => {
    const outcome = await play(variant, 'if len(data) == 400: return []', rankingBy);
    expect(outcome.failure).toMatchObject({ kind: 'wrong', stage: 'benchmark' });
    expect(outcome.failure?.detail).toContain('mismatch found!');
    expect(leaderboardScore(outcome, task(rankingBy))).toBe(null);
  });

  it.each(rankings)('of a run that is wrong in mode leaderboard alone give no score by %s', async (by) => {
    const outcome = await play(variant, 'pass', by, { ranked: 'if len(data) == 400: return []' });
    expect(outcome.stages.map((stage) => stage.passed)).toEqual([true, true, false]);
    expect(outcome.failure).toMatchObject({ kind: 'wrong', stage: 'leaderboard' });
    expect(leaderboardScore(outcome, task(by))).toBe(null);
  });

  it('of a crash tell the exception', async () => {
    const outcome = await play(variant, 'if len(data) == 400: raise ValueError("no luck")', 'geom');
    expect(outcome.failure).toMatchObject({
      kind: 'crash',
      stage: 'benchmark',
      summary: 'ValueError: no luck',
    });
    expect(leaderboardScore(outcome, task('geom'))).toBe(null);
  });

  it('of a run that ended half-way keep what had come, and the signal', async () => {
    const outcome = await play(variant, 'if len(data) == 400: die()', 'mean');
    expect(outcome.failure).toMatchObject({
      kind: 'crash',
      stage: 'benchmark',
      summary: 'Ended by signal 11 (SIGSEGV).',
    });
    expect(outcome.stages[1]?.benchmarks.map((item) => item.meanNs)).toEqual([10_000]);
    expect(leaderboardScore(outcome, task('mean'))).toBe(null);
  });

  it('of a timeout tell what had passed', async () => {
    const outcome = await play(variant, 'if len(data) == 20: hang()', 'last');
    expect(outcome.failure).toMatchObject({ kind: 'timeout', stage: 'test' });
    expect(outcome.failure?.summary).toContain('1 test had passed');
    const later = await play(variant, 'if len(data) == 400: hang()', 'geom');
    expect(later.failure).toMatchObject({ kind: 'timeout', stage: 'benchmark' });
    expect(leaderboardScore(later, task('geom'))).toBe(null);
  });

  it('in mode profile are a report for each benchmark, or say that there is none', async () => {
    const outcome = await play(variant, 'pass', 'last', { mode: 'profile' });
    if (outcome.passed) {
      expect(outcome.stages.map((stage) => stage.profiles)).toEqual([
        [{ spec: 'size: 100; seed: 3', report: 'hello?>~\n' }],
        [{ spec: 'size: 400; seed: 4', report: 'hello?>~\n' }],
      ]);
    } else {
      expect(outcome.failure?.summary).toBe(
        'The evaluation program of this problem cannot profile (exit code 2).',
      );
    }
  });
});
