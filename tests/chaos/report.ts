/** The table that `npm run chaos` prints, and whether all is well. */
import type { Verdict } from './audit.ts';
import type { ChaosReport } from './run.ts';

const columns = ['trials', 'accepted', 'finished', 'lost', 'stored twice', 're-run needlessly'];

/** A submission counts for every fault during which it was open, and once in the sum. */
export function renderReport(report: ChaosReport): string {
  const kinds = [...new Set(report.trials.map((trial) => trial.kind))].sort();
  const rows = kinds.map((kind) => {
    const trials = report.trials.filter((trial) => trial.kind === kind);
    const met = report.verdicts.filter((verdict) =>
      trials.some((trial) => verdict.openFrom < trial.to && trial.from < verdict.openTo),
    );
    return [kind, String(trials.length), ...counts(met)];
  });
  const sum = ['all, each once', String(report.trials.length), ...counts(report.verdicts)];
  const lines = table([['fault', ...columns], ...rows, sum]);
  const { answered, unanswered } = report.tried;
  const found = findings(report);
  return [
    ...lines,
    '',
    `${answered + unanswered} tries to submit: ${unanswered} met no bot, ${answered} were answered, ${report.verdicts.length} accepted`,
    ...report.notes,
    ...(found.length > 0
      ? ['', 'What is wrong:', ...found.map((text) => `  ${text}`)]
      : ['', 'Nothing is wrong.']),
  ].join('\n');
}

/** Everything that makes the run fail. */
export function findings(report: ChaosReport): string[] {
  return [
    ...report.verdicts.flatMap(({ lost, twice, rerun, wrong }) => [...lost, ...twice, ...rerun, ...wrong]),
    ...report.complaints,
    ...(report.verdicts.length === 0 ? ['nothing was accepted: the run shows nothing'] : []),
  ];
}

function counts(verdicts: Verdict[]): string[] {
  const number = (has: (verdict: Verdict) => boolean) => String(verdicts.filter(has).length);
  return [
    String(verdicts.length),
    number((verdict) => verdict.finished),
    number((verdict) => verdict.lost.length > 0),
    number((verdict) => verdict.twice.length > 0),
    number((verdict) => verdict.rerun.length > 0),
  ];
}

function table(rows: string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}
