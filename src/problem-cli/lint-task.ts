/** What is no fault of a problem, and mostly not meant either. */
import { UserError } from '../domain/errors.ts';
import type { ProblemEntry } from '../domain/task.ts';
import { readDirectives } from '../intake/directives.ts';
import { type Finding, findingOf } from './finding.ts';
import type { ProblemFiles } from './problem-files.ts';
import { counted } from './terminal.ts';

/** `names`: the leaderboards that a template may name; none where no set gave the problem a name. */
export function lintTask(entry: ProblemEntry, problem: ProblemFiles, names: string[]): Finding[] {
  const { task } = entry;
  const { yaml } = problem;
  const findings: Finding[] = [];
  const warn = (path: string[], message: string, next: string) => {
    const finding = findingOf('warning', yaml.fault(path, message).message);
    // The line of something else would be shown for a key that is not there.
    const line = yaml.document.hasIn(path) ? finding.line : null;
    findings.push({ ...finding, line, next });
  };

  if (task.rankingBy === 'last' && task.benchmarks.length > 1) {
    const why = yaml.document.has('ranking_by') ? 'last' : 'absent, which means last';
    warn(
      ['ranking_by'],
      `ranking_by: ${why}: only the last of ${task.benchmarks.length} benchmarks is run and scored`,
      'Write ranking_by: geom, or mean, to time all of them.',
    );
  }
  const cases = [...task.tests, ...task.benchmarks];
  const seedless = cases.filter((line) => !/(^|; )seed: /.test(line)).length;
  if (seedless > 0) {
    warn(
      ['tests'],
      `tests, benchmarks: ${counted(seedless, 'case has', 'cases have')} no seed, so that the secret run has the same input as the public one`,
      'Give every case a seed, and draw all of its input from it.',
    );
  }
  if (task.rankedTimeoutS < task.benchmarkTimeoutS) {
    warn(
      ['ranked_timeout'],
      `ranked_timeout: ${task.rankedTimeoutS} s is less than benchmark_timeout, ${task.benchmarkTimeoutS} s`,
      'Ranked mode measures at least as much as benchmark mode: give it as much time.',
    );
  }
  if (task.description.trim() === '') {
    warn(
      ['description'],
      'description: it is empty',
      'Participants read it as the statement of the problem.',
    );
  }
  if (!task.serving && !Object.values(task.files).some((text) => text.includes('POPCORN_FD'))) {
    warn(
      ['config', 'main'],
      'config.main: none of the files mentions POPCORN_FD, where the results are expected',
      'Write "key: value" lines to that file descriptor, or use the evaluation program of another problem.',
    );
  }
  findings.push(...lintTemplates(problem, names));
  return findings;
}

function lintTemplates(problem: ProblemFiles, names: string[]): Finding[] {
  const findings: Finding[] = [];
  for (const file of problem.files) {
    if (file.name !== null) continue;
    const warn = (line: number, message: string, next: string) =>
      findings.push({ level: 'warning', file: file.path, line, message, next });
    try {
      const { leaderboard } = readDirectives(file.text);
      if (names.length === 0) continue;
      if (leaderboard === null) {
        const header = `#!POPCORN leaderboard ${names[0]}`;
        warn(1, 'the template does not name its leaderboard', `Make "${header}" its first line.`);
      } else if (!names.some((name) => name.toLowerCase() === leaderboard.toLowerCase())) {
        const next = `Name ${names.join(' or ')}, as the set does, or correct the set.`;
        warn(1, `the template names the leaderboard ${leaderboard}`, next);
      }
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      warn(Number(/\bLine (\d+)/.exec(error.text)?.[1] ?? 1), error.text, error.next);
    }
  }
  return findings;
}
