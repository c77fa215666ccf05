/**
 * What a run that served a model says about itself, as text: the gate, and a table of figures for each shape. Both come
 * from the run's result lines.
 */
import { decimal } from '../domain/result-lines.ts';
import { servingMetric, shownMetrics } from '../domain/serving-metrics.ts';
import { formatValue } from './measure.ts';

/** Whether the lines are those of such a run. */
export function isServingRun(lines: ReadonlyMap<string, string>): boolean {
  return lines.has('measured_perplexity') || lines.has('shape_0_completed');
}

/** The gate in sentences, as far as there was one. */
export function gateText(lines: ReadonlyMap<string, string>): string {
  return ['gate', 'forced_gate', 'audit'].flatMap((key) => lines.get(key) ?? []).join('\n');
}

/** In full: a baseline is copied from here. */
const gateFigures = [
  'measured_perplexity',
  'baseline_perplexity',
  'tolerance',
  'forced_perplexity',
  'reference_perplexity',
  'forced_agreement',
  'audit_off',
];

/** The gate in figures, a line each, by their names in the API. */
export function gateNumbers(lines: ReadonlyMap<string, string>): string {
  return gateFigures.flatMap((key) => (lines.has(key) ? [`${key}: ${lines.get(key)}`] : [])).join('\n');
}

/** One table a shape; empty where nothing was measured. Mean, median and 99th percentile stand beside each other. */
export function servingTables(lines: ReadonlyMap<string, string>): string[] {
  const tables: string[] = [];
  for (let shape = 0; lines.has(`shape_${shape}_completed`); shape++) {
    const at = (name: string) => decimal(lines.get(`shape_${shape}_${name}`) ?? '');
    const requests = at('completed');
    const tokensIn = Math.round(at('total_input_tokens') / requests);
    const tokensOut = Math.round(at('total_output_tokens') / requests);
    const rowsOf = (metrics: typeof shownMetrics) =>
      metrics.flatMap(({ label, names }) => row(label, names, at));
    const latencies = rowsOf(spread);
    tables.push(
      [
        `shape ${shape}: ${tokensIn} tokens in, ${tokensOut} out`,
        `${requests} requests in ${formatValue(at('duration'))} s`,
        ...rowsOf(single),
        ...(latencies.length > 0 ? [LATENCY_HEAD, ...latencies] : []),
      ].join('\n'),
    );
  }
  return tables;
}

const single = shownMetrics.filter(({ names }) => names.length === 1);
const spread = shownMetrics.filter(({ names }) => names.length > 1);

/** So that a whole row can be read on a phone: thirty characters. */
const LABEL_CHARS = 9;
const LATENCY_LABEL_CHARS = 5;
const VALUE_CHARS = 8;

/** Over the columns of latencies, which have one unit. */
const LATENCY_HEAD = `${'ms'.padEnd(LATENCY_LABEL_CHARS)}${['mean', 'median', 'p99'].map((word) => word.padStart(VALUE_CHARS)).join('')}`;

function row(label: string, names: string[], at: (name: string) => number): string[] {
  const values = names.map(at);
  if (values.some((value) => !Number.isFinite(value))) return [];
  const cells = values.map((value) => formatValue(value).padStart(VALUE_CHARS)).join('');
  if (names.length > 1) return [`${label.padEnd(LATENCY_LABEL_CHARS)}${cells}`];
  return [`${label.padEnd(LABEL_CHARS)}${cells} ${servingMetric(names[0] ?? '', 0)?.unit ?? ''}`];
}
