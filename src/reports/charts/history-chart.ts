/** How the best scores of a board came about: a step line per participant, and the record. */
import {
  axisStyle,
  drawableName,
  drawChart,
  HEADING,
  heading,
  legendBelow,
  palette,
  valueAxis,
} from './draw.ts';

/** One moment at which somebody improved. */
export interface Improvement {
  at: Date;
  score: number;
}

export interface BoardHistory {
  leaderboard: string;
  gpuType: string;
  scoreAscending: boolean;
  /** What scores are measured in (domain/ranking-rule.ts). */
  unit: string;
  /** In the order of the board; each with its improvements in order of time. */
  people: { name: string; improvements: Improvement[] }[];
  record: Improvement[];
  /** Until when the lines go. */
  until: Date;
}

const HEIGHT = 420;
/** So that a first entry of this moment has an axis to lie on. */
const LEAST_MS = 10 * 60_000;
const timeLabels = {
  year: '{yyyy}',
  month: '{MMM}',
  day: '{MMM} {d}',
  hour: '{HH}:{mm}',
  minute: '{HH}:{mm}',
};

/** PNG. At least one person with one improvement. */
export function historyChart(history: BoardHistory): Buffer {
  const { people, record, until } = history;
  const values = [...record, ...people.flatMap((person) => person.improvements)].map((item) => item.score);
  const times = people.flatMap((person) => person.improvements).map((item) => item.at.getTime());
  const line = (improvements: Improvement[]) => {
    const points: object[] = improvements.map((item) => ({ value: [item.at.getTime(), item.score] }));
    const last = improvements.at(-1);
    // What stands still goes on until now, where nobody improved.
    if (last && last.at < until) points.push({ value: [until.getTime(), last.score], symbol: 'none' });
    return points;
  };
  const names = people.map((person, index) => `${index + 1}  ${drawableName(person.name) ?? 'participant'}`);
  const below = legendBelow(names, 3);
  const better = history.scoreAscending ? 'lower is better' : 'higher is better';
  return drawChart(
    {
      title: heading(
        `${history.leaderboard} on ${history.gpuType}`,
        `best score over time${people.length > 1 ? ` of the first ${people.length}` : ''}, ${better}; broad band: the record`,
      ),
      legend: below.legend,
      grid: { left: 24, right: 28, top: HEADING, bottom: below.height + 24, containLabel: true },
      xAxis: {
        ...axisStyle,
        type: 'time',
        min: Math.min(until.getTime() - LEAST_MS, ...times),
        max: until.getTime(),
        splitLine: { show: false },
        axisLabel: { ...axisStyle.axisLabel, formatter: timeLabels },
      },
      yAxis: valueAxis(values, history.unit),
      series: [
        ...people.map((person, index) => ({
          type: 'line',
          name: names[index],
          step: 'end',
          data: line(person.improvements),
          symbol: 'circle',
          symbolSize: 6,
          lineStyle: { width: 2.5 },
          color: palette.lines[index % palette.lines.length],
        })),
        {
          // Behind the line of whoever holds it, which would be lost below one of the same width.
          type: 'line',
          step: 'end',
          data: line(record),
          symbol: 'none',
          lineStyle: { width: 9, cap: 'round' },
          color: palette.band,
          z: 1,
        },
      ],
    },
    HEIGHT + below.height,
  );
}
