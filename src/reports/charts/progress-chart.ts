/** One participant's own way: the time of each benchmark shape over their submissions. */
import {
  axisStyle,
  drawChart,
  HEADING,
  heading,
  legendBelow,
  shapeNames,
  shorten,
  valueAxis,
} from './draw.ts';

export interface Progress {
  leaderboard: string;
  gpuType: string;
  /** In order of time. */
  submissions: { id: number; shapes: { spec: string; seconds: number }[] }[];
}

const HEIGHT = 420;
/** More lines than this cannot be told apart. */
const MOST_SHAPES = 8;

/** PNG. At least one submission with one shape. */
export function progressChart(progress: Progress): Buffer {
  const specs = [...new Set(progress.submissions.flatMap((item) => item.shapes.map((shape) => shape.spec)))];
  const shown = specs.slice(0, MOST_SHAPES);
  const names = shapeNames(shown);
  const left = specs.length - shown.length;
  const values = progress.submissions.flatMap((item) =>
    item.shapes.filter((shape) => shown.includes(shape.spec)).map((shape) => shape.seconds),
  );
  const lines = shown.map((spec, index) => shorten(names[index] ?? spec, 84));
  const below = legendBelow(lines, 1);
  const subtitle = `mean time per benchmark shape, lower is better${left > 0 ? `; ${left} more shapes not drawn` : ''}`;
  return drawChart(
    {
      title: heading(`${progress.leaderboard} on ${progress.gpuType}`, subtitle),
      legend: below.legend,
      grid: { left: 24, right: 32, top: HEADING, bottom: below.height + 24, containLabel: true },
      xAxis: {
        ...axisStyle,
        type: 'category',
        data: progress.submissions.map((item) => `#${item.id}`),
        splitLine: { show: false },
      },
      yAxis: valueAxis(values, 's'),
      series: shown.map((spec, index) => ({
        type: 'line',
        name: lines[index],
        data: progress.submissions.map(
          (item) => item.shapes.find((shape) => shape.spec === spec)?.seconds ?? null,
        ),
        connectNulls: true,
        symbol: 'circle',
        symbolSize: 8,
        lineStyle: { width: 2.5 },
      })),
    },
    HEIGHT + below.height,
  );
}
