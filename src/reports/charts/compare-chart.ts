/** Two submissions side by side, shape by shape, each with the error of its mean. */
import { axisStyle, drawChart, HEADING, heading, palette, shapeNames, shorten, valueAxis } from './draw.ts';

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
/** Its radius. */
const DOT = 5.5;
/** Of the two of a row from its middle. */
const SHIFT = 0.16;
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
  const more = left > 0 ? `; ${left} more not drawn` : '';
  const factors = shown.map(({ first, second }) => first.seconds / second.seconds);
  return drawChart(
    {
      title: heading(
        `${comparison.leaderboard} on ${comparison.gpuType}`,
        `#${b.id} against #${a.id}: mean time per benchmark shape with its standard error${more}`,
      ),
      legend: {
        right: 24,
        top: 88,
        icon: 'circle',
        textStyle: { color: palette.text, fontSize: 15 },
        data: [`#${a.id}`, `#${b.id}`],
      },
      grid: { left: 24, right: 24, top: HEADING + 12, bottom: 20, containLabel: true },
      xAxis: valueAxis(values, 's'),
      yAxis: [
        {
          ...rowAxis,
          data: shapeNames(shown.map((pair) => pair.spec)).map((name) => shorten(name, 26)),
          axisLabel: { ...rowAxis.axisLabel, fontSize: 13 },
        },
        {
          ...rowAxis,
          position: 'right',
          axisLine: { show: false },
          data: factors.map(factorText),
          axisLabel: {
            ...rowAxis.axisLabel,
            margin: 18,
            color: (_: string, index: number) => factorColour(factors[index] ?? 1),
          },
        },
      ],
      series: [
        times(
          `#${a.id}`,
          shown.map(({ first }) => [first.seconds, ...ends(first)]),
          A_COLOUR,
          -SHIFT,
        ),
        times(
          `#${b.id}`,
          shown.map(({ second }) => [second.seconds, ...ends(second)]),
          B_COLOUR,
          SHIFT,
        ),
      ],
    },
    HEADING + 40 + shown.length * ROW,
  );
}

const rowAxis = {
  ...axisStyle,
  type: 'category' as const,
  inverse: true,
  axisLabel: { ...axisStyle.axisLabel, hideOverlap: false, interval: 0 },
  splitLine: { show: false },
};

/** How b stands to a. */
function factorText(factor: number): string {
  if (isEqual(factor)) return 'equal';
  return factor > 1 ? `${factor.toFixed(2)}× faster` : `${(1 / factor).toFixed(2)}× slower`;
}

function factorColour(factor: number): string {
  if (isEqual(factor)) return palette.quiet;
  return factor > 1 ? palette.lines[2] : palette.lines[1];
}

/** As far as two digits tell. */
function isEqual(factor: number): boolean {
  return Math.max(factor, 1 / factor).toFixed(2) === '1.00';
}

interface RenderApi {
  coord(point: [number, number]): [number, number];
  size(lengths: [number, number]): [number, number];
  value(dimension: number): number;
}

/** A dot with its error bar in each row, `shift` rows below the middle. `rows`: value, low and high end. */
function times(name: string, rows: number[][], colour: string, shift: number) {
  const draw = (_: unknown, api: RenderApi) => {
    const row = api.value(0);
    const at = (seconds: number) => api.coord([seconds, row])[0];
    const y = api.coord([0, row])[1] + api.size([0, 1])[1] * shift;
    const [middle, low, high] = [at(api.value(1)), at(api.value(2)), at(api.value(3))];
    const line = (x1: number, y1: number, x2: number, y2: number) => ({
      type: 'line',
      shape: { x1, y1, x2, y2 },
      style: { stroke: colour, lineWidth: 2 },
    });
    const dot = { type: 'circle', shape: { cx: middle, cy: y, r: DOT }, style: { fill: colour } };
    const bar = [line(low, y, high, y), line(low, y - 5, low, y + 5), line(high, y - 5, high, y + 5)];
    // Ends that the dot covers would only make it a square.
    return { type: 'group', children: high - low > 2 * DOT + 4 ? [...bar, dot] : [dot] };
  };
  return {
    type: 'custom',
    name,
    renderItem: draw,
    data: rows.map(([value, low, high], row) => [row, value, low, high]),
    encode: { x: [1, 2, 3], y: 0 },
    color: colour,
  };
}
