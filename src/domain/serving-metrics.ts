/**
 * The figures of a serving benchmark: their names, which are those of `vllm bench serve --save-result`, what they are
 * measured in, and which way is better. What each means: docs/model-serving.md.
 */

export interface ServingMetric {
  unit: string;
  /** True: lower is better. */
  ascending: boolean;
}

const latencies = ['ttft', 'tpot', 'itl', 'e2el'] as const;
const statistics = ['mean', 'median', 'p99'] as const;

const metrics = new Map<string, ServingMetric>([
  ['request_throughput', { unit: 'req/s', ascending: false }],
  ['request_goodput', { unit: 'req/s', ascending: false }],
  ['output_throughput', { unit: 'tok/s', ascending: false }],
  ['total_token_throughput', { unit: 'tok/s', ascending: false }],
  ...statistics.flatMap((statistic) =>
    latencies.map((latency) => [`${statistic}_${latency}_ms`, { unit: 'ms', ascending: true }] as const),
  ),
]);

export const servingMetricNames = [...metrics.keys()];

/** `request_throughput` of the first shape, or `shape_1_mean_ttft_ms`; null for a name that nothing has. */
export function servingMetric(name: string, shapes: number): ServingMetric | null {
  const [, number, base = name] = /^shape_(\d{1,3})_(.*)$/.exec(name) ?? [];
  if (number !== undefined && Number(number) >= shapes) return null;
  return metrics.get(base) ?? null;
}

/** What people read in a table of one shape, in this order. */
export const shownMetrics: { label: string; names: string[] }[] = [
  { label: 'requests', names: ['request_throughput'] },
  { label: 'goodput', names: ['request_goodput'] },
  { label: 'output', names: ['output_throughput'] },
  { label: 'total', names: ['total_token_throughput'] },
  ...latencies.map((latency) => ({
    label: latency.toUpperCase(),
    names: statistics.map((statistic) => `${statistic}_${latency}_ms`),
  })),
];
