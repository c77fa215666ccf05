/**
 * What a harness writes on the result pipe: `key: value` lines, in the words of the public protocol (problem-format
 * 2.4). Read here as they are; what they are worth is decided in strict-pass.ts and stage-failure.ts.
 *
 * `last` is always the map of the lines, in which a later line of a key has taken the place of an earlier one.
 */

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

export function readTestLines(last: Map<string, string>): TestCase[] {
  return caseNumbers(last, 'test').map((i) => ({
    spec: last.get(`test.${i}.spec`) ?? '',
    passed: last.get(`test.${i}.status`) === 'pass',
    message: realLines(last.get(`test.${i}.error`) ?? last.get(`test.${i}.message`) ?? ''),
  }));
}

export function readBenchmarkLines(last: Map<string, string>): BenchmarkCase[] {
  const cases: BenchmarkCase[] = [];
  for (const i of caseNumbers(last, 'benchmark')) {
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

/** Profiler text per case. */
export function readProfileLines(last: Map<string, string>): { spec: string; report: string }[] {
  return caseNumbers(last, 'benchmark').flatMap((i) => {
    const encoded = last.get(`benchmark.${i}.report`);
    if (encoded === undefined) return [];
    // The public harnesses write `*` where base64 has `/`.
    const report = Buffer.from(encoded.replaceAll('*', '/'), 'base64').toString('utf8');
    return [{ spec: last.get(`benchmark.${i}.spec`) ?? '', report }];
  });
}

/** In order, as far as the lines go; the count line is a claim, the cases are what is there. */
export function caseNumbers(last: Map<string, string>, kind: 'test' | 'benchmark'): number[] {
  const found = new Set<number>();
  const pattern = new RegExp(`^${kind}\\.(\\d{1,5})\\.`);
  for (const key of last.keys()) {
    const match = pattern.exec(key);
    if (match) found.add(Number(match[1]));
  }
  return [...found].sort((a, b) => a - b);
}

/** As Python prints a number; not JavaScript's own reading, which takes an empty text for 0 and knows hexadecimal. */
export function decimal(text: string): number {
  return /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
}

/** Harnesses join the lines of a message with a literal backslash-n. */
export function realLines(text: string): string {
  return text.replaceAll('\\n', '\n');
}

export function errorTexts(last: Map<string, string>): string[] {
  return [...last].filter(([key]) => key.endsWith('.error') || key === 'error').map(([, text]) => text);
}

/** Of `metric.<name>`: what a run reports beside its times, or instead of them. */
export const METRIC_NAME = /^[a-z][a-z0-9_]{0,39}$/;

/** Means and quotients of such numbers are finite numbers, too, in whatever order they are made. */
const isOrdinary = (value: number) => value === 0 || (Math.abs(value) >= 1e-100 && Math.abs(value) <= 1e100);

/** `metric.<name>: value`, a number for the run as a whole. What is no ordinary number is not there. */
export function readMetricLines(last: Map<string, string>): Record<string, number> {
  const found: [string, number][] = [];
  for (const [key, text] of last) {
    const name = key.startsWith('metric.') ? key.slice('metric.'.length) : '';
    const value = decimal(text);
    if (METRIC_NAME.test(name) && isOrdinary(value)) found.push([name, value]);
  }
  return Object.fromEntries(found);
}
