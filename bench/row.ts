/** One measured figure, as `--json` writes it. */
export interface Row {
  part: string;
  name: string;
  unit: string;
  value: number;
  /** Measured in the same run, in the same unit; null where nothing compares. */
  baseline: number | null;
  /** value / baseline */
  ratio: number | null;
  /** In words, such as `under 60 ms`; null where the figure is only told. */
  goal: string | null;
  met: boolean | null;
}

export interface Part {
  name: string;
  /** One line on what is measured. */
  about: string;
  /** `say` shows progress; `scale`: how big, where the part knows sizes. */
  measure(say: (text: string) => void, options: { scale: number | null }): Promise<Row[]>;
}

/** The middle value; of an even number of values, the mean of the two in the middle. */
export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
