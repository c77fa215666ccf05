/**
 * Pictures for Discord: an echarts option in, a PNG out, drawn on a canvas of this process.
 *
 * Opaque and dark, so that a picture reads alike on Discord's light and dark themes. As narrow as its layout may be,
 * because a phone shows it at the width of a hand, with so many pixels that it is sharp where it is shown large. The font comes with us: a server has none, and text would be missing.
 */
import { createRequire } from 'node:module';
import { createCanvas, GlobalFonts } from '@napi-rs/canvas';
import { BarChart, CustomChart, LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent, LegendComponent, MarkLineComponent, TitleComponent } from 'echarts/components';
import { type EChartsCoreOption, init, setPlatformAPI, use } from 'echarts/core';
import { LabelLayout, LegacyGridContainLabel } from 'echarts/features';
import { CanvasRenderer } from 'echarts/renderers';
import { formatScore, timeUnit } from '../measure.ts';

const WIDTH = 540;
const DENSITY = 8 / 3;
const MARGIN = 24;
const FONT = 'Inter';

export const palette = {
  background: '#1e1f22',
  text: '#f2f3f5',
  quiet: '#b5bac1',
  grid: '#3a3c42',
  /** One's own place: what the eye should find first. */
  accent: '#f0b232',
  /** The record: seen beside the line that lies on it, and quieter. */
  band: '#6b5426',
  /** Told apart by hue and by lightness, so that they stay apart without colour vision. */
  lines: ['#5aa9ff', '#ff8a65', '#7bd88f', '#c792ea', '#ffd866', '#4dd0e1', '#f48fb1', '#b0bec5'],
} as const;

use([
  ...[BarChart, CustomChart, LineChart, ScatterChart],
  ...[GridComponent, LegendComponent, MarkLineComponent, TitleComponent],
  ...[LabelLayout, LegacyGridContainLabel, CanvasRenderer],
]);

let isPrepared = false;

/** Fonts and the canvas maker are the process's: once. */
function prepare(): void {
  if (isPrepared) return;
  const { resolve } = createRequire(import.meta.url);
  for (const file of ['400Regular/Inter_400Regular.ttf', '600SemiBold/Inter_600SemiBold.ttf']) {
    const path = resolve(`@expo-google-fonts/inter/${file}`);
    if (GlobalFonts.registerFromPath(path, FONT) === null) throw new Error(`the font ${path} cannot be used`);
  }
  // echarts measures text on a canvas of its own. Where it breaks lines it begins with the character NUL, which this one
  // takes for no text at all.
  const ruler = createCanvas(1, 1).getContext('2d');
  setPlatformAPI({
    createCanvas: () => createCanvas(32, 32) as never,
    measureText(text, font) {
      if (font) ruler.font = font;
      return { width: ruler.measureText(text.replaceAll('\0', ' ')).width };
    },
  });
  isPrepared = true;
}

/** Draws the option over the common style. `height` in pixels of layout. */
export function drawChart(option: EChartsCoreOption, height: number): Buffer {
  prepare();
  const canvas = createCanvas(WIDTH * DENSITY, Math.round(height * DENSITY));
  const chart = init(canvas as never, null, { width: WIDTH, height, devicePixelRatio: DENSITY });
  try {
    chart.setOption({
      animation: false,
      backgroundColor: palette.background,
      color: [...palette.lines],
      textStyle: { fontFamily: FONT, fontSize: 15, color: palette.text },
      ...option,
    });
    return canvas.toBuffer('image/png');
  } finally {
    chart.dispose();
  }
}

/** Room above the drawing for the title and two lines below it. */
export const HEADING = 112;

/** Title and, below it, up to two lines that say what is drawn. */
export function heading(title: string, subtitle: string) {
  return {
    text: shorten(title, 40),
    subtext: shorten(subtitle, 140),
    left: MARGIN,
    top: 16,
    itemGap: 8,
    textStyle: { fontFamily: FONT, fontSize: 21, fontWeight: 600, color: palette.text },
    subtextStyle: {
      fontFamily: FONT,
      fontSize: 14,
      lineHeight: 19,
      color: palette.quiet,
      width: WIDTH - 2 * MARGIN,
      overflow: 'break' as const,
    },
  };
}

const LEGEND_ROW = 24;

/** Names below the drawing, in columns, and how high they are. */
export function legendBelow(names: string[], columns: number) {
  const width = (WIDTH - 2 * MARGIN) / columns - 34;
  return {
    height: Math.ceil(names.length / columns) * LEGEND_ROW + 12,
    legend: {
      left: MARGIN - 6,
      bottom: 10,
      width: WIDTH - MARGIN,
      icon: 'roundRect',
      itemWidth: 14,
      itemHeight: 8,
      itemGap: 8,
      textStyle: { color: palette.text, fontSize: 14, width, overflow: 'truncate' as const, lineHeight: 16 },
      data: names,
    },
  };
}

/** Labels, ticks and lines of an axis. */
export const axisStyle = {
  axisLabel: { color: palette.quiet, fontSize: 14, fontFamily: FONT, hideOverlap: true },
  axisLine: { show: true, lineStyle: { color: palette.grid } },
  axisTick: { show: false },
  splitLine: { show: true, lineStyle: { color: palette.grid, width: 1 } },
} as const;

/**
 * A value axis that suits the numbers: logarithmic when they spread over more than a factor of twenty. Around a single
 * value it leaves room, so that the value does not lie on an edge. `unit` as in domain/ranking-rule.ts.
 */
export function valueAxis(values: number[], unit: string) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const isLog = low > 0 && high / low > 20;
  const room = high > low ? (high - low) * 0.08 : Math.abs(high) * 0.1;
  const bounds = isLog
    ? { min: low / 1.25, max: high * 1.25 }
    : { min: Math.max(0, low - room), max: high + room };
  const formatter = isLog
    ? (value: number) => formatScore(value, unit)
    : (value: number) => formatTick(value, bounds, unit);
  return {
    ...axisStyle,
    type: isLog ? ('log' as const) : ('value' as const),
    ...bounds,
    axisLabel: { ...axisStyle.axisLabel, showMinLabel: false, showMaxLabel: false, formatter },
  };
}

/** A value of an axis in the unit of its greatest, with as many digits as tell its ticks apart. */
export function formatTick(value: number, axis: { min: number; max: number }, unit: string): string {
  const [factor, shown] = unit === 's' ? timeUnit(axis.max) : [1, unit];
  const step = ((axis.max - axis.min) * factor) / 5;
  const digits = Math.min(12, Math.max(0, -Math.floor(Math.log10(step))));
  return `${(value * factor).toFixed(digits)} ${shown}`.trimEnd();
}

/**
 * A person's name as far as the font has it: Latin, Greek and Cyrillic. Null when nothing is left to draw, and boxes would
 * stand in its place.
 */
export function drawableName(name: string): string | null {
  const kept = name
    .replace(/[^\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{N}\p{M}\x20-\x7e]/gu, '')
    .trim();
  return kept === '' ? null : shorten(kept, 16);
}

/** Case lines as names of shapes: without the seed, where they differ without it. */
export function shapeNames(specs: string[]): string[] {
  const bare = specs.map((spec) => spec.replace(/(^|;\s*)seed: -?\d+/, '').replace(/^;\s*/, ''));
  return new Set(bare).size === specs.length && bare.every((name) => name !== '') ? bare : specs;
}

export function shorten(text: string, length: number): string {
  const characters = [...text];
  return characters.length > length ? `${characters.slice(0, length - 1).join('')}…` : text;
}
