/**
 * Whether the lines of a stage that claims to have passed look as an honest harness writes them (threats 5.5): a forged
 * verdict looks like a pass, so that a pass is read strictly.
 *
 * The lines are held against what was sent: the same number of cases, and each `spec` that is given word for word. One
 * exception, which two public harnesses need: in mode leaderboard they time the last case alone.
 */
import type { StageReport } from './protocol.ts';
import { caseNumbers, decimal } from './result-lines.ts';

type Kind = 'test' | 'benchmark';

/** No call of a function takes less, on any machine. */
const LEAST_MEAN_NS = 10;
/** Of clocks against each other. */
const CLOCK_SLACK = 1.01;
/** Room for the rounding of a mean of equal values. */
const ROUNDING = 1e-6;

/** What does not fit, or null. `sent` are the lines of the case file. */
export function strictFault(report: StageReport, sent: string[]): string | null {
  if (report.malformed_lines > 0) return 'a line is not `key: value`';
  const kind = report.mode === 'test' ? 'test' : 'benchmark';
  const last = new Map(report.lines);
  const fault = keyFault(report, kind) ?? countFault(report.mode, last, kind, sent);
  if (fault) return fault;
  const numbers = caseNumbers(last, kind);
  if (report.mode === 'test') {
    const failed = numbers.find((i) => last.get(`test.${i}.status`) !== 'pass');
    return failed === undefined ? null : `test ${failed} has not passed`;
  }
  if (report.mode === 'profile') return null;
  for (const i of numbers) {
    const timing = timingFault(last, i);
    if (timing) return timing;
  }
  return wallFault(report, last, numbers);
}

/** Each key once, of this mode's kind, the cases in their order and the verdict at the end. */
function keyFault(report: StageReport, kind: Kind): string | null {
  const metric = kind === 'benchmark' ? '|metric\\.[a-z][a-z0-9_]{0,39}' : '';
  const pattern = new RegExp(
    `^(?:${kind}-count|error|check|${kind}\\.(\\d{1,5})\\.[A-Za-z_]\\w{0,63}${metric})$`,
  );
  const seen = new Set<string>();
  let highest = 0;
  for (const [key] of report.lines) {
    const match = pattern.exec(key);
    if (!match) return `the key ${quote(key)} means nothing in mode ${report.mode}`;
    if (seen.has(key)) return `the key ${quote(key)} comes twice`;
    // One public harness ends with a line `error`, whatever became of it.
    if (seen.has('check') && key !== 'error') return `the key ${quote(key)} comes after the verdict`;
    if (match[1] !== undefined && !seen.has(`${kind}-count`)) return `${kind}-count does not come first`;
    if (Number(match[1] ?? highest) < highest) return `the key ${quote(key)} comes after a later case`;
    highest = Number(match[1] ?? highest);
    seen.add(key);
  }
  return null;
}

function countFault(mode: string, last: Map<string, string>, kind: Kind, sent: string[]): string | null {
  const count = decimal(last.get(`${kind}-count`) ?? '');
  if (!Number.isInteger(count) || count < 1) return `${kind}-count is missing`;
  const expected = mode === 'leaderboard' && count === 1 ? sent.slice(-1) : sent;
  if (count !== expected.length) return `${kind}-count is ${count}, not ${expected.length}`;
  const numbers = caseNumbers(last, kind);
  // A case that is not counted would be read, and timed, without having been looked at.
  if (numbers.some((i) => i >= count)) return `there are more cases than ${kind}-count says`;
  if (mode !== 'profile' && numbers.length < count) return `${kind} ${missingFrom(numbers)} is missing`;
  for (const i of numbers) {
    const spec = last.get(`${kind}.${i}.spec`);
    if (spec !== undefined && spec !== expected[i]?.trim())
      return `${kind} ${i} is not the case that was sent`;
  }
  return null;
}

function missingFrom(numbers: number[]): number {
  const gap = numbers.findIndex((number, index) => number !== index);
  return gap === -1 ? numbers.length : gap;
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
  if (mean < LEAST_MEAN_NS) return `benchmark ${i} has a mean time below ${LEAST_MEAN_NS} ns`;
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
  const slack = mean * ROUNDING;
  if (best !== null && best > mean + slack) return `benchmark ${i} has a best time above its mean`;
  if (worst !== null && worst < mean - slack) return `benchmark ${i} has a worst time below its mean`;
  return spreadFault(i, runs, mean, read('std'), read('err'));
}

/** err is std over the root of runs. Twice or half of it is let pass: harnesses differ in what they divide by. */
function spreadFault(
  i: number,
  runs: number,
  mean: number,
  std: number | null,
  err: number | null,
): string | null {
  if (runs === 1 || std === null || err === null) return null;
  const expected = std / Math.sqrt(runs);
  const slack = mean * ROUNDING;
  const fits = err <= 2 * expected + slack && err >= expected / 2 - slack;
  return fits ? null : `benchmark ${i} has an err that does not follow from its std`;
}

/** What was timed took place while the process ran. Harnesses that time several calls at once only stay further below. */
function wallFault(report: StageReport, last: Map<string, string>, numbers: number[]): string | null {
  const measuredNs = numbers.reduce((sum, i) => {
    const value = (name: string) => decimal(last.get(`benchmark.${i}.${name}`) ?? '');
    return sum + value('runs') * value('mean');
  }, 0);
  if (measuredNs <= report.duration_ms * 1e6 * CLOCK_SLACK) return null;
  return `its benchmarks sum up to ${seconds(measuredNs / 1e9)}, but it ran for ${seconds(report.duration_ms / 1e3)}`;
}

function seconds(value: number): string {
  return `${value.toPrecision(3)} s`;
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
