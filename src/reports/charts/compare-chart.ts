/** Two submissions side by side, shape by shape, each with the error of its mean. */
import { formatSeconds } from '../measure.ts';
import { axisStyle, drawChart, heading, palette, shapeNames, shorten, valueAxis } from './draw.ts';

/** Seconds. `errorSeconds`: the standard error of the mean, null where the harness gives none. */
export interface ShapeTime {
  spec: string;
  seconds: number;
  errorSeconds: number | null;
}

export interface Comparison {
  leaderboard: string;
  gpuType: string;
  a: { id: number; shapes: ShapeTime[] };
  b: { id: number; shapes: ShapeTime[] };
}

const ROW = 56;
const MOST_SHAPES = 16;
const A_COLOUR = palette.lines[0];
const B_COLOUR = palette.lines[1];

/** PNG. At least one shape that both have. */
export function compareChart(comparison: Comparison): Buffer {
  const { a, b } = comparison;
  const pairs = a.shapes.flatMap((first) => {
    const second = b.shapes.find((shape) => shape.spec === first.spec);
    return second ? [{ spec: first.spec, first, second }] : [];
  });
  const shown = pairs.slice(0, MOST_SHAPES);
  const left = pairs.length - shown.length;
  const ends = (shape: ShapeTime) => [
    Math.max(shape.seconds - (shape.errorSeconds ?? 0), shape.seconds / 10),
    shape.seconds + (shape.errorSeconds ?? 0),
  ];
  const values = shown.flatMap(({ first, second }) => [...ends(first), ...ends(second)]);
  const subtitle = `mean time per benchmark shape with its standard error${left > 0 ? `; ${left} more not drawn` : ''}`;
  return drawChart(
    {
      title: heading(`${comparison.leaderboard} on ${comparison.gpuType}: #${a.id} and #${b.id}`, subtitle),
      legend: {
        right: 24,
        top: 24,
        icon: 'circle',
        textStyle: { color: palette.text, fontSize: 15 },
        data: [`#${a.id}`, `#${b.id}`],
      },
      grid: { left: 24, right: 120, top: 92, bottom: 20, containLabel: true },
      xAxis: valueAxis(values, formatSeconds),
      yAxis: {
        ...axisStyle,
        type: 'category',
        inverse: true,
        data: shapeNames(shown.map((pair) => pair.spec)).map((name) => shorten(name, 32)),
        axisLabel: { ...axisStyle.axisLabel, fontSize: 13, hideOverlap: false, interval: 0 },
        splitLine: { show: false },
      },
      series: [
        ...errorBars(
          shown.map((pair) => ends(pair.first)),
          A_COLOUR,
          -0.16,
        ),
        ...errorBars(
          shown.map((pair) => ends(pair.second)),
          B_COLOUR,
          0.16,
        ),
        dots(
          `#${a.id}`,
          shown.map((pair) => pair.first.seconds),
          A_COLOUR,
          -0.16,
        ),
        {
          ...dots(
            `#${b.id}`,
            shown.map((pair) => pair.second.seconds),
            B_COLOUR,
            0.16,
          ),
        },
        ratios(
          shown.map((pair) => pair.first.seconds / pair.second.seconds),
          Math.max(...values),
        ),
      ],
    },
    120 + shown.length * ROW,
  );
}

interface RenderApi {
  coord(point: [number, number]): [number, number];
  size(lengths: [number, number]): [number, number];
  value(dimension: number): number;
}

function errorBars(bars: number[][], colour: string, shift: number) {
  const draw = (_: unknown, api: RenderApi) => {
    const row = api.value(0);
    const height = api.size([0, 1])[1];
    const [x1, y] = api.coord([api.value(1), row]);
    const [x2] = api.coord([api.value(2), row]);
    const at = y + height * shift;
    const stroke = { stroke: colour, lineWidth: 2 };
    const cap = (x: number) => ({
      type: 'line',
      shape: { x1: x, y1: at - 5, x2: x, y2: at + 5 },
      style: stroke,
    });
    return {
      type: 'group',
      children: [{ type: 'line', shape: { x1, y1: at, x2, y2: at }, style: stroke }, cap(x1), cap(x2)],
    };
  };
  return [
    {
      type: 'custom',
      renderItem: draw,
      data: bars.map(([low, high], row) => [row, low, high]),
      encode: { x: [1, 2], y: 0 },
    },
  ];
}

function dots(name: string, values: number[], colour: string, shift: number) {
  return {
    type: 'scatter',
    name,
    data: values.map((value, row) => [value, row]),
    symbolSize: 11,
    symbolOffset: [0, shift * ROW * 0.93],
    color: colour,
    z: 3,
  };
}

/** At the right edge of each row: how b stands to a. */
function ratios(factors: number[], right: number) {
  return {
    type: 'scatter',
    symbolSize: 0,
    data: factors.map((factor, row) => ({
      value: [right, row],
      label: {
        show: true,
        position: 'right',
        distance: 18,
        formatter: factor >= 1 ? `${factor.toFixed(2)}× faster` : `${(1 / factor).toFixed(2)}× slower`,
        color: factor >= 1 ? palette.lines[2] : palette.lines[1],
        fontSize: 14,
      },
    })),
  };
}
