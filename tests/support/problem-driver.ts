/**
 * Runs a problem of this repository for a test: its harness is started as a runner would start it, in a fresh
 * folder with exactly the files that its task.yml lists, and its result pipe is read to the end.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { parse } from 'yaml';

export type Value = string | number | boolean;
export type Row = Record<string, Value>;
export type Task = {
  files: { name: string; source: string }[];
  config: { main: string };
  templates: Record<string, string>;
  tests: Row[];
  benchmarks: Row[];
};
export type Problem = { directory: string; name: string; deadline: string; gpus: string[] };
export type Mode = 'test' | 'benchmark' | 'leaderboard' | 'profile';
export type Outcome = {
  code: number | null;
  lines: [string, string][];
  get: (key: string) => string;
  stderr: string;
};

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../problems');
export const sets = readdirSync(root).filter((name) => name.endsWith('.yaml'));
export const loadYaml = (path: string): unknown => parse(readFileSync(join(root, path), 'utf8'));
export const problemsOf = (set: string) => (loadYaml(set) as { problems: Problem[] }).problems;
export const loadTask = (directory: string) => loadYaml(join(directory, 'task.yml')) as Task;
export const readText = (directory: string, name: string) =>
  readFileSync(join(root, directory, name), 'utf8');

export const pythonText = (value: Value) =>
  typeof value === 'boolean' ? (value ? 'True' : 'False') : `${value}`;
export const caseLines = (rows: Row[]) =>
  rows
    .map((row) => Object.entries(row).map(([key, value]) => `${key}: ${pythonText(value)}`))
    .map((parts) => `${parts.join('; ')}\n`)
    .join('');

/**
 * Runs one mode; a harness that is still alive after `limitMs` is killed and the test fails on its exit code.
 * `addressMib` limits the address space of each process, as a box without control groups does.
 */
export async function evaluate(
  directory: string,
  submission: string,
  mode: string,
  options: { cases?: string; env?: Record<string, string>; limitMs?: number; addressMib?: number } = {},
): Promise<Outcome> {
  const task = loadTask(directory);
  const folder = mkdtempSync(join(tmpdir(), 'hotlap-problem-'));
  try {
    for (const { name, source } of task.files) {
      writeFileSync(join(folder, name), source === '@SUBMISSION@' ? submission : readText(directory, source));
    }
    const rows = mode === 'test' ? task.tests : task.benchmarks;
    writeFileSync(join(folder, 'cases.txt'), options.cases ?? caseLines(rows));
    const limit = options.addressMib ? `ulimit -v ${options.addressMib * 1024} && ` : '';
    const command = [task.config.main, mode, join(folder, 'cases.txt')];
    const child = spawn('sh', ['-c', `${limit}exec python3 "$@"`, 'sh', ...command], {
      cwd: folder,
      env: { PATH: process.env.PATH, POPCORN_FD: '3', OMP_NUM_THREADS: '1', ...options.env },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      detached: true,
    });
    const texts = ['', '', '', ''];
    for (const fd of [1, 2, 3]) child.stdio[fd]?.on('data', (chunk) => (texts[fd] += chunk));
    const killGroup = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // Nothing of the group is left.
      }
    };
    const timer = setTimeout(killGroup, options.limitMs ?? 60_000);
    const code = await new Promise<number | null>((done) => child.once('exit', (status) => done(status)));
    clearTimeout(timer);
    killGroup();
    await Promise.all(
      [1, 2, 3].map((fd) => {
        const stream = child.stdio[fd];
        return !stream || stream.closed ? null : new Promise((done) => stream.once('close', done));
      }),
    );
    const lines = (texts[3] ?? '')
      .split('\n')
      .filter((line) => line !== '')
      .map((line): [string, string] => {
        const at = line.indexOf(':');
        return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
      });
    const map = new Map(lines);
    return { code, lines, get: (key) => map.get(key) ?? '', stderr: texts[2] ?? '' };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const means = (outcome: Outcome) =>
  outcome.lines.filter(([key]) => key.endsWith('.mean')).map(([, value]) => Number(value));
export const geometricMean = (values: number[]) =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

export function expectPassed(outcome: Outcome, mode: Mode, specs: string[]) {
  expect(outcome.lines.filter(([key]) => key.endsWith('.error'))).toEqual([]);
  expect(outcome.code, outcome.stderr).toBe(0);
  const word = mode === 'test' ? 'test' : 'benchmark';
  const perCase = {
    test: ['spec', 'status'],
    benchmark: ['spec', 'runs', 'mean', 'std', 'err', 'best', 'worst'],
    leaderboard: ['spec', 'runs', 'mean', 'std', 'err', 'best', 'worst'],
    profile: ['spec', 'report'],
  }[mode];
  const keys = specs.flatMap((_, i) => perCase.map((key) => `${word}.${i}.${key}`));
  expect(outcome.lines.map(([key]) => key)).toEqual([`${word}-count`, ...keys, 'check']);
  expect(outcome.get(`${word}-count`)).toBe(`${specs.length}`);
  expect(outcome.get('check')).toBe('pass');
  specs.forEach((spec, i) => {
    expect(outcome.get(`${word}.${i}.spec`)).toBe(spec);
    if (mode === 'test') expect(outcome.get(`test.${i}.status`)).toBe('pass');
    if (mode !== 'benchmark' && mode !== 'leaderboard') return;
    const number = (key: string) => Number(outcome.get(`benchmark.${i}.${key}`));
    expect(number('runs')).toBeGreaterThanOrEqual(3);
    expect(number('best')).toBeGreaterThan(0);
    expect(number('mean')).toBeGreaterThanOrEqual(number('best') * (1 - 1e-12));
    expect(number('mean')).toBeLessThanOrEqual(number('worst') * (1 + 1e-12));
    expect(number('err')).toBeCloseTo(number('std') / Math.sqrt(number('runs')), 3);
  });
}

export const specsOf = (rows: Row[]) => caseLines(rows).trimEnd().split('\n');
