/** Reading the stages of a job that served a model. The runner itself wrote the lines: no process of the submission's. */
import type { StageReport } from './protocol.ts';
import { decimal } from './result-lines.ts';
import type { ServingReport } from './serving-protocol.ts';
import type { Failure } from './stage-failure.ts';

const SUMMARY_CHARS = 500;
const DETAIL_CHARS = 3000;

/** Null for a stage that passed. */
export function servingFailure(report: StageReport, serving: ServingReport): Failure | null {
  const check = new Map(report.lines).get('check');
  const { failure } = serving;
  if (check === 'pass' && report.exit_code === 0 && failure === null) return null;
  return {
    kind: failure?.kind ?? 'crash',
    stage: report.name,
    // A cut may fall into the middle of a character.
    summary: (failure?.summary ?? 'It did not come to its end.').slice(0, SUMMARY_CHARS).toWellFormed(),
    detail: (failure?.detail ?? '').slice(-DETAIL_CHARS).toWellFormed(),
  };
}

/** Every number among the lines, by its name. */
export function readServingFigures(last: Map<string, string>): Record<string, number> {
  const found = [...last].map(([name, text]) => [name, decimal(text)] as const);
  return Object.fromEntries(found.filter(([, value]) => Number.isFinite(value)));
}

/** How long each phase took and what became of it, as result lines: `phase.install: passed in 1.2 s of 600 s, overlay`. */
export function phaseLines(serving: ServingReport): [string, string][] {
  return serving.phases.map((phase) => {
    const took = `${phase.outcome} in ${(phase.duration_ms / 1000).toFixed(1)} s of ${phase.timeout_s} s`;
    const name = phase.name.replaceAll(' ', '_');
    return [`phase.${name}`, phase.note === '' ? took : `${took}, ${phase.note}`];
  });
}
