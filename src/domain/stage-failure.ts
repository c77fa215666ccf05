/**
 * Why a stage failed, in the terms that a participant works with.
 *
 * A harness that ends with 0 or 112 has reached its verdict, so what it calls a failed case is a wrong result. One that
 * ends otherwise went down with the submission, whatever it managed to write first. Failed runs are read leniently: a
 * failing harness writes what it can.
 */
import { crashReason } from './crash-reason.ts';
import type { StageReport } from './protocol.ts';
import { caseNumbers, errorTexts, readTestLines, realLines } from './result-lines.ts';
import { strictFault } from './strict-pass.ts';

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

const PASSING_EXIT_CODES = [0, 112];
const DETAIL_CHARS = 3000;
const SUMMARY_CHARS = 500;
/**
 * `submission.cu(12): error: ...` of nvcc, `submission.cu:12:3: error: ...` of the host's compiler, `ptxas fatal   : ...`,
 * `undefined reference to ...` of the linker.
 */
const COMPILER_ERROR = /\b(?:error|fatal)\b *[:#]|undefined reference/i;

/** Null for a stage that passed. `sent` are the lines of its case file. */
export function findFailure(report: StageReport, sent: string[]): Failure | null {
  const failed = (kind: FailureKind, summary: string, detail: string): Failure => ({
    kind,
    stage: report.name,
    // A cut may fall into the middle of a character.
    summary: summary.slice(0, SUMMARY_CHARS).toWellFormed(),
    detail: detail.slice(-DETAIL_CHARS).toWellFormed(),
  });
  const last = new Map(report.lines);

  const { build } = report;
  if (build?.timed_out) return failed('timeout', 'Compiling took too long and was stopped.', build.stderr);
  if (build && build.exit_code !== 0) return failed('syntax', compilerError(build), compilerOutput(build));

  if (report.overflow) return failed('flood', 'More than 1 MiB of results was written.', report.stderr);
  if (report.timed_out) return failed('timeout', timeoutSummary(report, last), report.stderr);
  const checkPassed = last.get('check') === 'pass';
  const exitedWell = report.exit_code !== null && PASSING_EXIT_CODES.includes(report.exit_code);
  if (checkPassed && exitedWell && !report.worker_died) {
    const fault = strictFault(report, sent);
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

function timeoutSummary(report: StageReport, last: Map<string, string>): string {
  const tests = readTestLines(last);
  const passed = tests.filter((test) => test.passed).length;
  const done = tests.length > 0 ? ` ${passed} ${passed === 1 ? 'test' : 'tests'} had passed.` : '';
  return `Stopped after the limit of ${report.timeout_s} s.${done}`;
}

type Build = NonNullable<StageReport['build']>;

/** nvcc writes to both. */
function compilerOutput(build: Build): string {
  return [build.stdout, build.stderr]
    .map((text) => text.trimEnd())
    .filter((text) => text !== '')
    .join('\n');
}

function compilerError(build: Build): string {
  const lines = compilerOutput(build).split('\n');
  const error = lines.find((line) => COMPILER_ERROR.test(line.slice(0, 1000)))?.trim();
  if (error) return error;
  if (build.signal !== null) return `The compiler was ended by signal ${build.signal}.`;
  return `The compiler ended with exit code ${build.exit_code ?? 'none'}.`;
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

function wrongCase(
  report: StageReport,
  last: Map<string, string>,
): { summary: string; detail: string } | null {
  const tests = caseNumbers(last, 'test');
  const [test, ...others] = tests.filter((i) => last.get(`test.${i}.status`) === 'fail');
  if (test !== undefined) {
    const more = others.length > 0 ? ` (and ${others.length} more)` : '';
    const of = Math.max(tests.length, test + 1);
    return describeCase(last, `test.${test}`, `Test ${test + 1} of ${of} failed${more}`);
  }
  const benchmark = caseNumbers(last, 'benchmark').find((i) => last.get(`benchmark.${i}.status`) === 'fail');
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
