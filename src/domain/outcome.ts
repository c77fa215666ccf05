/**
 * Reading what a box sent back: from the runner's JSON to a typed Outcome.
 *
 * A stage passed when its process ended with 0 or 112, its last `check` says `pass` and its lines are well formed
 * (problem-format section 5, threats 5.5). Passed runs are read strictly, because a forged verdict looks like a pass;
 * failed runs leniently, because a failing harness writes what it can.
 *
 * Why it failed: a harness that ends with 0 or 112 has reached its verdict, so what it calls a failed case is a wrong
 * result. One that ends otherwise went down with the submission, whatever it managed to write first.
 */
import { crashReason } from './crash-reason.ts';
import type { JobResult, StageReport, SystemInfo } from './protocol.ts';

/** Why a participant's run failed, in the terms that the participant works with. */
export const failureKinds = [
  /** Not valid source: the interpreter or compiler refused it. */
  'syntax',
  /** A test or check gave a wrong result. */
  'wrong',
  /** The submission, or the evaluation with it, ended by an exception, a signal or an exit; or it could not be loaded. */
  'crash',
  'timeout',
  /** Too much on the result pipe. */
  'flood',
  /** Claims to have passed, but its result lines don't fit the protocol. */
  'malformed',
] as const;
export type FailureKind = (typeof failureKinds)[number];

export interface Failure {
  kind: FailureKind;
  stage: string;
  /** One sentence, plain text; may hold the participant's own error text. */
  summary: string;
  /** The tail of stderr, the failing test's message: several lines, may be empty. */
  detail: string;
}

export interface TestCase {
  spec: string;
  passed: boolean;
  message: string;
}

export interface BenchmarkCase {
  spec: string;
  runs: number;
  /** All times in nanoseconds. `best` and `worst` are null where the harness gives none. */
  meanNs: number;
  stdNs: number | null;
  errNs: number | null;
  bestNs: number | null;
  worstNs: number | null;
}

export interface StageOutcome {
  name: string;
  mode: string;
  passed: boolean;
  failure: Failure | null;
  startedAt: string;
  finishedAt: string;
  durationMs: number;
  exitCode: number | null;
  tests: TestCase[];
  benchmarks: BenchmarkCase[];
  /** Decoded profiler text per case, in profile mode. */
  profiles: { spec: string; report: string }[];
  stdout: string;
  stderr: string;
  /** The result lines as they came, in order. */
  lines: [string, string][];
}

export interface Outcome {
  passed: boolean;
  cancelled: boolean;
  failure: Failure | null;
  stages: StageOutcome[];
  system: SystemInfo;
  sandbox: string;
}

const PASSING_EXIT_CODES = [0, 112];
const DETAIL_CHARS = 3000;
const SUMMARY_CHARS = 500;
const MAX_EXIT_CODE = 2 ** 31 - 1;

/** Never throws for anything a participant can cause. `expected` is the number of stages that the job had. */
export function readOutcome(result: JobResult, expected: number): Outcome {
  const { stages: reports, system, sandbox } = storableText(result);
  const stages = reports.map(readStage);
  const failure = stages.find((stage) => stage.failure !== null)?.failure ?? null;
  const cancelled = result.outcome === 'cancelled';
  return {
    passed: !cancelled && failure === null && stages.length === expected,
    cancelled,
    failure,
    stages,
    system,
    sandbox,
  };
}

/** Every string without NUL characters and lone surrogates: PostgreSQL stores neither. */
function storableText<T>(value: T): T {
  if (typeof value === 'string') return value.replaceAll('\u0000', '\ufffd').toWellFormed() as T;
  if (Array.isArray(value)) return value.map(storableText) as T;
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, storableText(item)])) as T;
  }
  return value;
}

function readStage(report: StageReport): StageOutcome {
  const last = new Map(report.lines);
  const tests = readTestLines(last);
  const benchmarks = readBenchmarkLines(last);
  const profiles = readProfileLines(last);
  const failure = findFailure(report, last, tests);
  return {
    name: report.name,
    mode: report.mode,
    passed: failure === null,
    failure,
    startedAt: report.started_at,
    finishedAt: report.finished_at,
    durationMs: report.duration_ms,
    exitCode: exitCodeOf(report),
    tests,
    benchmarks,
    profiles,
    stdout: report.stdout,
    stderr: report.stderr,
    lines: report.lines,
  };
}

/** Null for a number that no process ends with: that of a dead worker can be made up, and is stored as an int4. */
function exitCodeOf(report: StageReport): number | null {
  const code = report.exit_code;
  return code !== null && Math.abs(code) <= MAX_EXIT_CODE ? code : null;
}

function findFailure(report: StageReport, last: Map<string, string>, tests: TestCase[]): Failure | null {
  const failed = (kind: FailureKind, summary: string, detail: string): Failure => ({
    kind,
    stage: report.name,
    // A cut may fall into the middle of a character.
    summary: summary.slice(0, SUMMARY_CHARS).toWellFormed(),
    detail: detail.slice(-DETAIL_CHARS).toWellFormed(),
  });

  if (report.overflow) return failed('flood', 'More than 1 MiB of results was written.', report.stderr);
  if (report.timed_out) {
    const passed = tests.filter((test) => test.passed).length;
    const done = tests.length > 0 ? ` ${passed} ${passed === 1 ? 'test' : 'tests'} had passed.` : '';
    return failed('timeout', `Stopped after the limit of ${report.timeout_s} s.${done}`, report.stderr);
  }
  const checkPassed = last.get('check') === 'pass';
  const exitedWell = report.exit_code !== null && PASSING_EXIT_CODES.includes(report.exit_code);
  if (checkPassed && exitedWell && !report.worker_died) {
    const fault = strictFault(report);
    return fault ? failed('malformed', `The results do not fit the protocol: ${fault}.`, '') : null;
  }

  const syntax = report.signal === null ? syntaxError(report, last) : null;
  if (syntax) return failed('syntax', syntax.summary, syntax.detail);

  const wrong = exitedWell && !report.worker_died ? wrongCase(report, last) : null;
  if (wrong) return failed('wrong', wrong.summary, wrong.detail);

  const errors = errorTexts(last).map(realLines);
  const detail = report.stderr.trim() === '' ? (errors.at(-1) ?? '') : report.stderr;
  return failed('crash', crashReason(report, errors), detail);
}

/** A pass must look like an honest harness wrote it. Returns what does not fit, or null. */
function strictFault(report: StageReport): string | null {
  if (report.malformed_lines > 0) return 'a line is not `key: value`';
  const seen = new Set<string>();
  for (const [key] of report.lines) {
    if (seen.has(key)) return `the key ${quote(key)} comes twice`;
    seen.add(key);
  }
  const last = new Map(report.lines);
  const counted = report.mode === 'test' ? 'test' : 'benchmark';
  const count = decimal(last.get(`${counted}-count`) ?? '');
  if (!Number.isInteger(count) || count < 1) return `${counted}-count is missing`;
  // A case that is not counted would be read, and timed, without having been looked at here.
  if (report.mode !== 'profile' && indices(last, counted).some((i) => i >= count)) {
    return `there are more cases than ${counted}-count says`;
  }
  if (report.mode === 'test') {
    for (let i = 0; i < count; i++) {
      if (last.get(`test.${i}.status`) !== 'pass') return `test ${i} has not passed`;
    }
  } else if (report.mode !== 'profile') {
    for (let i = 0; i < count; i++) {
      const fault = timingFault(last, i);
      if (fault) return fault;
    }
  }
  return null;
}

function timingFault(last: Map<string, string>, i: number): string | null {
  if (last.get(`benchmark.${i}.status`) === 'fail') return `benchmark ${i} has not passed`;
  const read = (name: string) => {
    const text = last.get(`benchmark.${i}.${name}`);
    return text === undefined ? null : decimal(text);
  };
  const mean = read('mean');
  const runs = read('runs');
  if (mean === null || !Number.isFinite(mean) || mean <= 0) return `benchmark ${i} has no positive mean time`;
  if (runs === null || !Number.isInteger(runs) || runs < 1) return `benchmark ${i} has no number of runs`;
  for (const name of ['std', 'err', 'best', 'worst']) {
    const value = read(name);
    // A standard deviation over one run is not a number, and honest harnesses print it so.
    if (runs === 1 && (name === 'std' || name === 'err')) continue;
    if (value !== null && !(Number.isFinite(value) && value >= 0)) {
      return `benchmark ${i} has a ${name} that is no time`;
    }
  }
  const best = read('best');
  const worst = read('worst');
  // Room for the rounding of a mean of equal values.
  const slack = mean * 1e-6;
  if (best !== null && best > mean + slack) return `benchmark ${i} has a best time above its mean`;
  if (worst !== null && worst < mean - slack) return `benchmark ${i} has a worst time below its mean`;
  return null;
}

/** As Python prints a number; not JavaScript's own reading, which takes an empty text for 0 and knows hexadecimal. */
function decimal(text: string): number {
  return /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
}

function syntaxError(
  report: StageReport,
  last: Map<string, string>,
): { summary: string; detail: string } | null {
  const places = [report.stderr, report.warmup?.stderr ?? '', ...errorTexts(last).map(realLines)];
  for (const place of places) {
    const text = place.trimEnd();
    const lastLine = text.slice(text.lastIndexOf('\n') + 1);
    if (/^(SyntaxError|IndentationError|TabError): /.test(lastLine))
      return { summary: lastLine, detail: place };
  }
  return null;
}

function errorTexts(last: Map<string, string>): string[] {
  return [...last].filter(([key]) => key.endsWith('.error') || key === 'error').map(([, text]) => text);
}

function wrongCase(
  report: StageReport,
  last: Map<string, string>,
): { summary: string; detail: string } | null {
  const tests = indices(last, 'test');
  const [test, ...others] = tests.filter((i) => last.get(`test.${i}.status`) === 'fail');
  if (test !== undefined) {
    const more = others.length > 0 ? ` (and ${others.length} more)` : '';
    const of = Math.max(tests.length, test + 1);
    return describeCase(last, `test.${test}`, `Test ${test + 1} of ${of} failed${more}`);
  }
  const benchmark = indices(last, 'benchmark').find((i) => last.get(`benchmark.${i}.status`) === 'fail');
  if (benchmark !== undefined) {
    return describeCase(last, `benchmark.${benchmark}`, `Benchmark ${benchmark + 1} failed its check`);
  }
  if (last.get('check') === 'fail') {
    return {
      summary: `The check of the ${report.name} stage failed.`,
      detail: last.get('error') ?? report.stderr,
    };
  }
  return null;
}

function describeCase(last: Map<string, string>, key: string, what: string) {
  const spec = last.get(`${key}.spec`);
  return {
    summary: spec ? `${what}: ${spec}` : `${what}.`,
    detail: realLines(last.get(`${key}.error`) ?? last.get(`${key}.message`) ?? ''),
  };
}

export function readTestLines(last: Map<string, string>): TestCase[] {
  return indices(last, 'test').map((i) => ({
    spec: last.get(`test.${i}.spec`) ?? '',
    passed: last.get(`test.${i}.status`) === 'pass',
    message: realLines(last.get(`test.${i}.error`) ?? last.get(`test.${i}.message`) ?? ''),
  }));
}

export function readBenchmarkLines(last: Map<string, string>): BenchmarkCase[] {
  const cases: BenchmarkCase[] = [];
  for (const i of indices(last, 'benchmark')) {
    const number = (name: string) => {
      const text = last.get(`benchmark.${i}.${name}`);
      const value = decimal(text ?? '');
      return Number.isFinite(value) ? value : null;
    };
    const meanNs = number('mean');
    if (meanNs === null) continue;
    cases.push({
      spec: last.get(`benchmark.${i}.spec`) ?? '',
      runs: number('runs') ?? 0,
      meanNs,
      stdNs: number('std'),
      errNs: number('err'),
      bestNs: number('best'),
      worstNs: number('worst'),
    });
  }
  return cases;
}

export function readProfileLines(last: Map<string, string>): { spec: string; report: string }[] {
  return indices(last, 'benchmark').flatMap((i) => {
    const encoded = last.get(`benchmark.${i}.report`);
    if (encoded === undefined) return [];
    // The public harnesses write `*` where base64 has `/`.
    const report = Buffer.from(encoded.replaceAll('*', '/'), 'base64').toString('utf8');
    return [{ spec: last.get(`benchmark.${i}.spec`) ?? '', report }];
  });
}

/** 0 .. n-1 as far as the lines go; the count line is a claim, the cases are what is there. */
function indices(last: Map<string, string>, kind: 'test' | 'benchmark'): number[] {
  const found = new Set<number>();
  const pattern = new RegExp(`^${kind}\\.(\\d{1,5})\\.`);
  for (const key of last.keys()) {
    const match = pattern.exec(key);
    if (match) found.add(Number(match[1]));
  }
  return [...found].sort((a, b) => a - b);
}

/** Harnesses join the lines of a message with a literal backslash-n. */
function realLines(text: string): string {
  return text.replaceAll('\\n', '\n');
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
