/** What `problem run` reports: for people as text, for programs as one object. */
import type { StageOutcome } from '../domain/outcome.ts';
import type { ProbeReport } from '../domain/protocol.ts';
import { failureLabels } from '../domain/rank.ts';
import type { Failure } from '../domain/stage-failure.ts';
import { type Mode, modeLabels, type RunView } from '../domain/submission.ts';
import { type ProblemEntry, scoreUnit } from '../domain/task.ts';
import { formatDuration, formatScore } from '../reports/measure.ts';
import { runDetails } from '../reports/report-file.ts';
import { harnessNote } from './harness-note.ts';
import { indented, printable, styled } from './terminal.ts';
import type { RunResult } from './this-machine.ts';

export interface Report {
  entry: ProblemEntry;
  file: string;
  mode: Mode;
  gpu: string;
  machine: ProbeReport;
  passed: boolean;
  /** The public run and, in ranked mode where that passed, the secret one. */
  runs: RunResult[];
}

export function reportText(report: Report, stream: NodeJS.WriteStream): string {
  const { entry, file, mode, gpu, machine } = report;
  const head = [
    `${styled(stream, 'bold', entry.leaderboard)}: ${file}, ${modeLabels[mode]}, on ${gpu}`,
    styled(stream, 'dim', machineLine(machine)),
  ];
  const parts = [head.join('\n'), ...report.runs.map((run) => runText(run, report, stream))];
  if (mode === 'leaderboard' && report.runs.length === 1) {
    parts.push(styled(stream, 'dim', 'Secret run: not started, because the public run did not pass.'));
  }
  return `${[...parts, verdict(report, stream)].join('\n\n')}\n`;
}

function machineLine({ cpu, gpus, python, torch, sandbox, limits }: ProbeReport): string {
  const parts = [
    ...gpus.map((gpu) => gpu.model),
    cpu,
    `Python ${python}`,
    torch === null ? '' : `torch ${torch}`,
    `sandbox ${sandbox}`,
    limits === undefined ? '' : `limits ${limits}`,
  ];
  return parts.filter((part) => part !== '').join(', ');
}

function runText({ seed, outcome }: RunResult, { mode, gpu }: Report, stream: NodeJS.WriteStream): string {
  const name =
    seed !== null
      ? `Secret run, seed ${seed}. Participants read of it only whether it passed, and their own score.`
      : mode === 'leaderboard'
        ? 'Public run'
        : 'Run';
  const stages = outcome.stages.map((stage) => {
    const word = stage.passed ? styled(stream, 'green', 'passed') : styled(stream, ['bold', 'red'], 'failed');
    const head = `${styled(stream, 'bold', stage.name)}: ${word} after ${formatDuration(stage.durationMs)}`;
    const view = viewOf(stage, outcome, gpu, seed !== null);
    const details = coloured(printable(runDetails(view)), stream);
    return `  ${head}${details === '' ? '' : `\n${indented(details, '    ')}`}`;
  });
  return [styled(stream, 'bold', name), ...stages].join('\n');
}

/** As the database keeps it: so that this report and the participants' come from the same code. */
function viewOf(
  stage: StageOutcome,
  outcome: RunResult['outcome'],
  gpuType: string,
  secret: boolean,
): RunView {
  return {
    gpuType,
    secret,
    stage: stage.name,
    mode: stage.mode,
    passed: stage.passed,
    score: null,
    startedAt: new Date(stage.startedAt),
    finishedAt: new Date(stage.finishedAt),
    exitCode: stage.exitCode,
    failure: stage.failure,
    compilation: stage.compilation,
    warmup: stage.warmup,
    profile: stage.profile,
    result: stage.lines,
    stdout: stage.stdout,
    stderr: stage.stderr,
    system: outcome.system,
    sandbox: outcome.sandbox,
  };
}

function coloured(text: string, stream: NodeJS.WriteStream): string {
  return text
    .replace(/^FAIL(?= {2})/gm, (word) => styled(stream, 'red', word))
    .replace(/^pass(?= {2})/gm, (word) => styled(stream, 'green', word));
}

function verdict(report: Report, stream: NodeJS.WriteStream): string {
  const { passed, runs, mode } = report;
  const unit = scoreUnit(report.entry.task);
  const [open, secret] = runs;
  if (passed) {
    const scores =
      mode === 'leaderboard'
        ? `: public score ${formatScore(open?.score ?? null, unit)}, secret score ${formatScore(secret?.score ?? null, unit)}`
        : '';
    return `${styled(stream, ['bold', 'green'], 'Passed')}${scores}.`;
  }
  const failed = runs.at(-1);
  const failure = failed?.outcome.failure ?? null;
  const where = secret ? 'Only the secret run failed: the same problem with other numbers. ' : '';
  const lines = [
    `${styled(stream, ['bold', 'red'], 'Failed')}: ${where}${failure ? printable(failureLine(failure)) : 'a stage is missing.'}`,
  ];
  const note = failed && harnessNote(failed.outcome);
  if (note) lines.push(`${styled(stream, 'cyan', 'to do:')} ${note}`);
  return lines.join('\n');
}

function failureLine({ kind, stage, summary }: Failure): string {
  return `${failureLabels[kind]} (${stage}). ${summary}`;
}

/** Times in milliseconds where the name ends in Ms, in nanoseconds where in Ns; scores in the unit of the task. */
export function reportJson(report: Report) {
  const { entry, file, mode, gpu, machine, passed, runs } = report;
  return {
    passed,
    leaderboard: entry.leaderboard,
    directory: entry.directory,
    file,
    mode,
    gpu,
    scoreUnit: scoreUnit(entry.task),
    publicScore: runs[0]?.score ?? null,
    secretScore: runs[1]?.score ?? null,
    failure: runs.at(-1)?.outcome.failure ?? null,
    machine,
    runs: runs.map(({ seed, outcome, score }) => ({ secret: seed !== null, seed, score, ...outcome })),
  };
}
