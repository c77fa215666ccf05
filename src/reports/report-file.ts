/** The full report of a submission as a text file: every stage, case and time. Of secret runs, only how they ended. */
import type { Profile } from '../domain/outcome.ts';
import {
  type BenchmarkCase,
  readBenchmarkLines,
  readProfileLines,
  readTestLines,
} from '../domain/result-lines.ts';
import { modeLabels, type RunView, type SubmissionView } from '../domain/submission.ts';
import { cut } from './markdown.ts';
import { formatDuration, formatScore, formatSeconds } from './measure.ts';
import { gateNumbers, gateText, isServingRun, servingTables } from './serving-table.ts';

/** Below Discord's 10 MB for a bot's attachment, whatever the characters: at most three bytes each. */
const MAX_CHARS = 3_000_000;

export interface ReportFile {
  name: string;
  text: string;
}

export function reportFile(view: SubmissionView, runs: RunView[]): ReportFile {
  const parts = [head(view), ...runs.map((run) => (run.secret ? title(run) : publicRun(run)))];
  return { name: `report-${view.id}.txt`, text: `${cut(parts.join('\n\n'), MAX_CHARS)}\n` };
}

function head(view: SubmissionView): string {
  const lines = [
    `Submission #${view.id}: ${view.fileName} on ${view.leaderboard}, mode ${modeLabels[view.mode]}`,
    `Status: ${view.status}${view.reason ? ` (${view.reason})` : ''}`,
  ];
  for (const gpu of view.gpus) {
    const secret =
      gpu.secretScore === null ? '' : `, secret score ${formatScore(gpu.secretScore, view.scoreUnit)}`;
    if (view.mode === 'leaderboard')
      lines.push(`${gpu.gpuType}: public score ${formatScore(gpu.publicScore, view.scoreUnit)}${secret}`);
    if (gpu.rejudge)
      lines.push(
        `${gpu.gpuType}: judged again by version ${gpu.rejudge.version} of the task (rejudge #${gpu.rejudge.id}); what follows is from there`,
      );
  }
  return lines.join('\n');
}

function title(run: RunView): string {
  const took = formatDuration(run.finishedAt.getTime() - run.startedAt.getTime());
  const text = `${run.gpuType}, ${run.secret ? 'secret' : 'public'} run, ${run.stage}: ${run.passed ? 'passed' : 'failed'} after ${took}`;
  return `${text}\n${'-'.repeat(text.length)}`;
}

function publicRun(run: RunView): string {
  const circumstances = `${machine(run)}; exit code ${run.exitCode ?? 'none'}; sandbox ${run.sandbox}`;
  return [title(run), circumstances, runDetails(run)].filter((part) => part !== '').join('\n');
}

/** What came of one stage: failure, cases, times, profiles, outputs. Empty where there is nothing to say. */
export function runDetails(run: RunView): string {
  const parts: string[] = [];
  if (run.failure) {
    const { summary, detail } = run.failure;
    // What an output below says is not said twice.
    const isBelow = [run.stderr, compilerText(run)].some((text) => text.includes(detail.trim()));
    parts.push([summary, isBelow ? '' : detail].filter((text) => text !== '').join('\n'));
  }
  if (run.compilation) parts.push(`Compiler:\n${compilerText(run)}`);
  const lines = new Map(run.result);
  const tests = readTestLines(lines);
  if (tests.length > 0) {
    parts.push(
      tests
        .map(
          (test) =>
            `${test.passed ? 'pass' : 'FAIL'}  ${test.spec}${test.message ? `\n      ${test.message.replaceAll('\n', '\n      ')}` : ''}`,
        )
        .join('\n'),
    );
  }
  const benchmarks = readBenchmarkLines(lines);
  if (benchmarks.length > 0) parts.push(benchmarks.map(benchmarkLine).join('\n'));
  if (isServingRun(lines)) parts.push(...servingParts(run, lines));
  if (run.profile) parts.push(profilerLine(run.profile));
  for (const profile of readProfileLines(lines)) parts.push(`Profile of ${profile.spec}\n${profile.report}`);
  if (run.stdout.trim() !== '') parts.push(`Output:\n${run.stdout.trimEnd()}`);
  if (run.stderr.trim() !== '') parts.push(`Error output:\n${run.stderr.trimEnd()}`);
  return parts.join('\n');
}

function compilerText({ compilation }: RunView): string {
  if (!compilation) return '';
  const { command, stdout, stderr } = compilation;
  return [command, stdout, stderr]
    .map((text) => text.trimEnd())
    .filter((text) => text !== '')
    .join('\n');
}

/** By what a stage was profiled, in a sentence. */
export function profilerLine({ profiler, problem }: Profile): string {
  if (profiler !== '') return `Profiled by ${profiler}.`;
  return `Profiled by the evaluation program's own means${problem === null ? '' : `, because the box's profiler failed (${problem})`}.`;
}

/** The gate, the figures of each shape, and what became of each phase. */
function servingParts({ result, failure }: RunView, lines: Map<string, string>): string[] {
  const phases = result.flatMap(([key, text]) =>
    key.startsWith('phase.') ? [`${key.slice('phase.'.length)}: ${text}`] : [],
  );
  // What the failure above says is not said twice.
  const gate = gateText(lines)
    .split('\n')
    .filter((line) => line !== failure?.summary);
  return [gate.join('\n'), gateNumbers(lines), ...servingTables(lines), phases.join('\n')].filter(
    (text) => text !== '',
  );
}

function benchmarkLine(item: BenchmarkCase): string {
  const ns = (value: number | null) => (value === null ? '—' : formatSeconds(value / 1e9));
  return `${ns(item.meanNs)} ± ${ns(item.errNs)} (best ${ns(item.bestNs)}, worst ${ns(item.worstNs)}, ${item.runs} runs)  ${item.spec}`;
}

function machine(run: RunView): string {
  const { gpu, cpu, runtime, torch, platform } = run.system;
  return [gpu, cpu, runtime, torch && `torch ${torch}`, platform].filter((part) => part !== '').join(', ');
}
