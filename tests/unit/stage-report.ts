/** What a runner reports of a stage, written as a harness writes it: for tests that read outcomes. */
import type { Outcome } from '../../src/domain/outcome.ts';
import { readOutcome } from '../../src/domain/outcome.ts';
import type { JobResult, StageReport, StageSpec } from '../../src/domain/protocol.ts';

type SentStage = Pick<StageSpec, 'name' | 'cases'>;

/** `key: value` lines, split as the runner splits them; blank lines mean nothing. */
export function resultLines(text: string): [string, string][] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
    });
}

/** A stage that ended by itself with code 0, silently; `changes` say what is different. */
export function stageReport(mode: string, text: string, changes: Partial<StageReport> = {}): StageReport {
  return {
    name: mode,
    mode,
    started_at: '2026-07-01T10:00:00.000Z',
    finished_at: '2026-07-01T10:00:01.000Z',
    timeout_s: 180,
    exit_code: 0,
    signal: null,
    timed_out: false,
    duration_ms: 1_000_000_000,
    stdout: '',
    stderr: '',
    warmup: null,
    worker_died: false,
    overflow: false,
    lines: resultLines(text),
    malformed_lines: 0,
    ...changes,
  };
}

export function jobResult(stages: StageReport[], changes: Partial<JobResult> = {}): JobResult {
  return {
    protocol: 1,
    job_key: '1.1',
    outcome: 'finished',
    error: null,
    stages,
    system: {
      gpu: 'NVIDIA H100 80GB HBM3',
      device_count: 1,
      cpu: 'Some CPU',
      runtime: 'CUDA 13.0',
      platform: 'Linux',
      torch: '2.12.0',
      hostname: 'box',
    },
    sandbox: 'bwrap',
    ...changes,
  };
}

/**
 * What was sent for a report: the cases that the report names, in order. A case without a `spec` line is none, so that
 * tests that are about the number of cases have to say what was sent.
 */
export function sentFor(report: StageReport): SentStage {
  const kind = report.mode === 'test' ? 'test' : 'benchmark';
  const specs = new Map(report.lines.filter(([key]) => key.startsWith(`${kind}.`) && key.endsWith('.spec')));
  return { name: report.name, cases: [...specs.values()].map((spec) => `${spec}\n`).join('') };
}

/** The outcome of a job of one stage; `sent` are its cases, by default those that the report names. */
export function outcomeOf(
  mode: string,
  text: string,
  changes: Partial<StageReport> = {},
  sent?: string[],
): Outcome {
  const report = stageReport(mode, text, changes);
  const cases = sent?.map((line) => `${line}\n`).join('');
  return readOutcome(jobResult([report]), [cases === undefined ? sentFor(report) : { name: mode, cases }]);
}

/** The outcome of a job of these stages, of which each got the cases that it names. `missing` never came back. */
export function outcomeOfJob(
  reports: StageReport[],
  changes: Partial<JobResult> = {},
  missing: string[] = [],
): Outcome {
  const sent = [...reports.map(sentFor), ...missing.map((name) => ({ name, cases: 'size: 1; seed: 5\n' }))];
  return readOutcome(jobResult(reports, changes), sent);
}

/** Honest lines of `count` passed tests. */
export function passedTests(count: number): string {
  const cases = Array.from({ length: count }, (_, i) => [
    `test.${i}.spec: size: ${i + 1}; seed: 5`,
    `test.${i}.status: pass`,
  ]);
  return [`test-count: ${count}`, ...cases.flat(), 'check: pass'].join('\n');
}

/** Honest lines of benchmarks with these mean times in nanoseconds. */
export function timedBenchmarks(meansNs: number[]): string {
  const cases = meansNs.map((mean, i) =>
    [
      `benchmark.${i}.spec: size: ${i + 1}; seed: 5`,
      `benchmark.${i}.runs: 10`,
      `benchmark.${i}.mean: ${mean}`,
      `benchmark.${i}.std: ${mean / 100}`,
      `benchmark.${i}.err: ${mean / 100 / Math.sqrt(10)}`,
      `benchmark.${i}.best: ${mean * 0.9}`,
      `benchmark.${i}.worst: ${mean * 1.1}`,
    ].join('\n'),
  );
  return [`benchmark-count: ${meansNs.length}`, ...cases, 'check: pass'].join('\n');
}
