/** What was submitted within the last 24 hours: bars by the hour, a colour for each mode. */
import { type Mode, modeLabels, modes } from '../../domain/submission.ts';
import { axisStyle, drawChart, heading, palette } from './draw.ts';

export interface Activity {
  /** Whose: a leaderboard's name, or null for all. */
  leaderboard: string | null;
  hours: { hour: Date; mode: Mode; submissions: number }[];
  now: Date;
}

const HEIGHT = 380;
const HOURS = 24;
const HOUR_MS = 3_600_000;

/** PNG. */
export function activityChart({ leaderboard, hours, now }: Activity): Buffer {
  const first = Math.floor(now.getTime() / HOUR_MS) - HOURS + 1;
  const counts = (mode: Mode) => {
    const bars = new Array<number>(HOURS).fill(0);
    for (const item of hours.filter((each) => each.mode === mode)) {
      const index = Math.floor(item.hour.getTime() / HOUR_MS) - first;
      if (index >= 0 && index < HOURS) bars[index] = (bars[index] ?? 0) + item.submissions;
    }
    return bars;
  };
  const total = hours.reduce((sum, item) => sum + item.submissions, 0);
  // Ranked is what a contest is about: at the bottom, in the first colour.
  const order: Mode[] = ['leaderboard', ...modes.filter((mode) => mode !== 'leaderboard')];
  const shown = order.filter((mode) => hours.some((item) => item.mode === mode));
  return drawChart(
    {
      title: heading(
        leaderboard ?? 'All leaderboards',
        `${total} ${total === 1 ? 'submission' : 'submissions'} within the last 24 hours, by the hour (UTC)`,
      ),
      legend: {
        right: 24,
        top: 70,
        icon: 'roundRect',
        itemWidth: 14,
        itemHeight: 8,
        itemGap: 14,
        textStyle: { color: palette.text, fontSize: 14 },
        data: shown.map((mode) => modeLabels[mode]),
      },
      grid: { left: 24, right: 24, top: 104, bottom: 24, containLabel: true },
      xAxis: {
        ...axisStyle,
        type: 'category',
        data: Array.from({ length: HOURS }, (_, index) =>
          new Date((first + index) * HOUR_MS).toISOString().slice(11, 16),
        ),
        splitLine: { show: false },
        axisLabel: { ...axisStyle.axisLabel, interval: 2 },
      },
      yAxis: { ...axisStyle, type: 'value', minInterval: 1, max: total === 0 ? 1 : null },
      series: shown.map((mode, index) => ({
        type: 'bar',
        stack: 'all',
        name: modeLabels[mode],
        barCategoryGap: '18%',
        data: counts(mode),
        itemStyle: { borderRadius: 2 },
        color: palette.lines[index % palette.lines.length],
      })),
    },
    HEIGHT,
  );
}
