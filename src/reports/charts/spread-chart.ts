/** How the scores of a board are spread, and where one's own lies. */
import { formatScore } from '../measure.ts';
import { axisStyle, drawChart, HEADING, heading, palette } from './draw.ts';

export interface Spread {
  leaderboard: string;
  gpuType: string;
  scoreAscending: boolean;
  /** What scores are measured in (domain/ranking-rule.ts). */
  unit: string;
  /** Of everybody who is ranked; at least one. */
  scores: number[];
  /** Null when the viewer is not ranked. */
  mine: { score: number; rank: number } | null;
}

const HEIGHT = 400;
const MOST_BINS = 24;

/** PNG. */
export function spreadChart(spread: Spread): Buffer {
  const { bins, binOf } = makeBins(spread.scores);
  const { mine, unit } = spread;
  const ownBin = mine === null ? -1 : binOf(mine.score);
  const place =
    mine === null
      ? 'you are not ranked'
      : `you are number ${mine.rank} with ${formatScore(mine.score, unit)}`;
  const better = spread.scoreAscending ? 'further left is better' : 'further right is better';
  return drawChart(
    {
      title: heading(
        `${spread.leaderboard} on ${spread.gpuType}`,
        `best scores of ${spread.scores.length} ${spread.scores.length === 1 ? 'participant' : 'participants'}, ${better}; ${place}`,
      ),
      grid: { left: 24, right: 40, top: HEADING + 16, bottom: 24, containLabel: true },
      xAxis: {
        ...axisStyle,
        type: 'category',
        data: bins.map((bin) => formatScore(bin.middle, unit)),
        splitLine: { show: false },
      },
      yAxis: { ...axisStyle, type: 'value', minInterval: 1, axisLabel: { ...axisStyle.axisLabel } },
      series: [
        {
          type: 'bar',
          barCategoryGap: bins.length === 1 ? '80%' : '12%',
          data: bins.map((bin, index) => ({
            value: bin.count,
            itemStyle: {
              color: index === ownBin ? palette.accent : palette.lines[0],
              borderRadius: [3, 3, 0, 0],
            },
            label: {
              show: index === ownBin,
              position: 'top',
              formatter: 'you',
              color: palette.accent,
              fontSize: 15,
              fontWeight: 600,
            },
          })),
        },
      ],
    },
    HEIGHT,
  );
}

interface Bin {
  middle: number;
  count: number;
}

/** Of equal width, or of equal ratio where the scores spread over more than a factor of twenty. */
function makeBins(scores: number[]): { bins: Bin[]; binOf(score: number): number } {
  // A long board has more scores than a call may have arguments.
  const low = scores.reduce((least, score) => Math.min(least, score), Number.POSITIVE_INFINITY);
  const high = scores.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY);
  if (low === high) return { bins: [{ middle: low, count: scores.length }], binOf: () => 0 };
  const isLog = low > 0 && high / low > 20;
  const scale = isLog ? Math.log : (value: number) => value;
  const unscale = isLog ? Math.exp : (value: number) => value;
  const count = Math.min(MOST_BINS, Math.max(6, Math.ceil(2 * Math.sqrt(scores.length))));
  const width = (scale(high) - scale(low)) / count;
  const bins = Array.from({ length: count }, (_, index) => ({
    middle: unscale(scale(low) + (index + 0.5) * width),
    count: 0,
  }));
  const binOf = (score: number) => Math.min(count - 1, Math.floor((scale(score) - scale(low)) / width));
  for (const score of scores) {
    const bin = bins[binOf(score)];
    if (bin) bin.count += 1;
  }
  return { bins, binOf };
}
