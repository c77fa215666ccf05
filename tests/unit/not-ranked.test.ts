import { describe, expect, it } from 'vitest';
import { languageOf } from '../../src/domain/language.ts';
import {
  explainCause,
  explainRule,
  notRanked,
  type ReasonCode,
  reasons,
} from '../../src/domain/not-ranked.ts';
import { failureLabels, standingOf } from '../../src/domain/rank.ts';
import { readMetricLines } from '../../src/domain/result-lines.ts';
import { failureKinds } from '../../src/domain/stage-failure.ts';
import { outcomeOf, timedBenchmarks } from './stage-report.ts';

describe('the table of reasons', () => {
  it('gives each a cause, a phase and a next step, and no two the same cause', () => {
    const rows = Object.values(reasons);
    for (const row of rows) {
      expect(row.next).toMatch(/[.]$/);
      expect(row.cause).not.toMatch(/[.]$/);
    }
    expect(new Set(rows.map((row) => row.cause)).size).toBe(rows.length);
  });

  it('finds the row of a stored cause again, whatever is filled in', () => {
    const details = {
      mode: 'test',
      stage: 'leaderboard',
      metric: 'x_y',
      scorer: 'clarity',
      member: 'H100 of scan',
      id: 12,
      language: 'Inline C++',
      shape: 3,
    };
    for (const code of Object.keys(reasons) as ReasonCode[]) {
      const reason = notRanked(code, details);
      expect(reason.cause).not.toMatch(/[{}]/);
      expect(explainCause(reason.cause)).toEqual(reason);
    }
    expect(explainCause('something else')).toBe(null);
    expect(explainRule('metric-missing:throughput').cause).toBe('the run reported no metric throughput');
    expect(explainRule('scorer-missing:clarity')).toMatchObject({ code: 'scorer-missing', phase: 'judging' });
  });

  it('is where all causes of a failed job come from', () => {
    const job = { state: 'failed', score: null } as const;
    for (const kind of failureKinds) {
      const { reason } = standingOf({ ...job, failure: { kind, stage: 'test' } }, null);
      expect(reason).toBe(`${failureLabels[kind]} (test)`);
      expect(explainCause(reason ?? '')?.code).toBe(kind);
    }
  });
});

describe('a score', () => {
  const passed = (score: number | null) => ({ state: 'passed', score, failure: null }) as const;

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('of %d never ranks, by either run', (odd) => {
    for (const standing of [standingOf(passed(odd), passed(1)), standingOf(passed(1), passed(odd))]) {
      expect(standing).toMatchObject({
        eligible: false,
        reason: 'its value is not a finite number above zero',
      });
    }
    expect(standingOf(passed(1), passed(1)).eligible).toBe(true);
  });
});

describe('named metrics', () => {
  it('are read where they are finite numbers, and pass the strict reading once each', () => {
    const lines =
      'metric.throughput: 1234.5\nmetric.ttft_p99_ms: 1e2\nmetric.zero: 0\nmetric.bad: nan\nmetric.worse: inf\n';
    const text = timedBenchmarks([1000]).replace('check: pass', `${lines}check: pass`);
    const outcome = outcomeOf('leaderboard', text);
    expect(outcome.passed).toBe(true);
    expect(outcome.stages[0]?.metrics).toEqual({ throughput: 1234.5, ttft_p99_ms: 100, zero: 0 });
    const twice = text.replace('check: pass', 'metric.zero: 1\ncheck: pass');
    expect(outcomeOf('leaderboard', twice).failure?.summary).toContain('comes twice');
    expect(outcomeOf('leaderboard', `${text}\nmetric.late: 1`).failure?.summary).toContain(
      'after the verdict',
    );
    expect(outcomeOf('leaderboard', text.replace('metric.zero', 'metric.Zero')).passed).toBe(false);
  });

  it('are nothing else', () => {
    expect(
      readMetricLines(
        new Map([
          ['metric.', '1'],
          ['metrics.a', '1'],
          ['benchmark.0.mean', '1'],
          ['metric.huge', '1e308'],
          ['metric.tiny', '-1e-320'],
        ]),
      ),
    ).toEqual({});
  });
});

describe('the language of a submission', () => {
  it.each([
    ['a.cu', '', 'CUDA'],
    ['a.CUH', '', 'CUDA'],
    ['a.py', 'import torch\nimport triton.language as tl\n', 'Triton'],
    ['a.py', 'from triton import jit', 'Triton'],
    ['a.py', '# no triton here\nimport torch', 'Python'],
    ['a.py', 'import tritonclient', 'Python'],
    ['a.py', 'from torch.utils.cpp_extension import load_inline', 'Inline C++'],
    ['a.py', 'import cutlass.cute as cute', 'CuTe'],
    ['a.tar.gz', '', 'Archive'],
  ])('%s with %j is %s', (name, source, language) => {
    expect(languageOf(name, Buffer.from(source))).toBe(language);
  });
});
