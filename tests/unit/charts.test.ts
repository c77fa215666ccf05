/** The pictures come out for every kind of data. What they look like is looked at by people; see docs/images. */
import { createCanvas, loadImage } from '@napi-rs/canvas';
import { describe, expect, it } from 'vitest';
import { compareChart } from '../../src/reports/charts/compare-chart.ts';
import { drawableName, formatTick, shapeNames } from '../../src/reports/charts/draw.ts';
import { historyChart } from '../../src/reports/charts/history-chart.ts';
import { progressChart } from '../../src/reports/charts/progress-chart.ts';
import { spreadChart } from '../../src/reports/charts/spread-chart.ts';

const board = { leaderboard: 'matrix-product', gpuType: 'H100', unit: 's' };
const at = (day: number) => new Date(Date.UTC(2026, 10, day));
const until = at(20);

/** Which of these colours are in the picture, and how large it is. */
async function look(png: Buffer) {
  const image = await loadImage(png);
  const canvas = createCanvas(image.width, image.height);
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  // One number for each pixel, red lowest.
  const pixels = new Set(new Uint32Array(data.buffer));
  const colours = new Set(
    [...pixels].map(
      (pixel) =>
        `#${[0, 8, 16].map((shift) => ((pixel >> shift) & 255).toString(16).padStart(2, '0')).join('')}`,
    ),
  );
  return { width: image.width, height: image.height, colours };
}

const BLUE = '#5aa9ff';
const GOLD = '#f0b232';
const BROWN = '#6b5426';
const WHITE = '#f2f3f5';

describe('a picture', () => {
  it('of a board’s history shows a line per person, the record and text', async () => {
    const people = Array.from({ length: 8 }, (_, i) => ({
      name: `person ${i}`,
      improvements: [
        { at: at(1 + i), score: 0.1 / (i + 1) },
        { at: at(9 + i), score: 0.01 / (i + 1) },
      ],
    }));
    const record = people.flatMap((person) => person.improvements).sort((a, b) => b.score - a.score);
    const seen = await look(historyChart({ ...board, scoreAscending: true, people, record, until }));
    expect(seen.width).toBe(1440);
    for (const colour of [BLUE, BROWN, WHITE]) expect(seen.colours).toContain(colour);
  });

  it.each([
    ['one point', [{ at: at(3), score: 0.5 }]],
    [
      'equal values',
      [
        { at: at(3), score: 0.5 },
        { at: at(4), score: 0.5 },
      ],
    ],
    ['a moment that is now', [{ at: until, score: 1e-7 }]],
  ])('of a history of %s comes out', async (_, improvements) => {
    const people = [{ name: '名前', improvements }];
    const seen = await look(
      historyChart({ ...board, scoreAscending: false, people, record: improvements, until }),
    );
    expect(seen.colours).toContain(BLUE);
  });

  it.each([1, 30])(
    'of the progress over %i submissions comes out, with more shapes than can be drawn',
    async (count) => {
      const submissions = Array.from({ length: count }, (_, i) => ({
        id: i + 1,
        shapes: Array.from({ length: 12 }, (__, shape) => ({
          spec: `n: ${shape}; seed: 1`,
          seconds: 0.001 * (shape + 1),
        })),
      }));
      expect((await look(progressChart({ ...board, submissions }))).colours).toContain(BLUE);
    },
  );

  it('of two submissions grows with the shapes that both have', async () => {
    const shapes = (count: number, seconds: number) =>
      Array.from({ length: count }, (_, i) => ({
        spec: `n: ${i}`,
        seconds,
        errorSeconds: i % 2 ? null : seconds / 2,
      }));
    const of = (count: number) =>
      look(
        compareChart({
          ...board,
          a: { id: 1, shapes: shapes(count, 0.01) },
          b: { id: 2, shapes: shapes(count, 0.02) },
        }),
      );
    const [small, large] = [await of(1), await of(10)];
    expect(large.height).toBeGreaterThan(small.height);
    expect(small.colours).toContain(BLUE);
  });

  it.each([
    ['one entry', [0.5], { score: 0.5, rank: 1 }, true],
    ['equal entries', [0.5, 0.5, 0.5], { score: 0.5, rank: 1 }, true],
    [
      'fifty entries',
      Array.from({ length: 50 }, (_, i) => 0.001 * 1.2 ** i),
      { score: 0.001 * 1.2 ** 7, rank: 8 },
      true,
    ],
    ['somebody who is not ranked', [0.5, 0.7], null, false],
    // More than a call may have arguments.
    [
      'a very long board',
      Array.from({ length: 300_000 }, (_, i) => 1 + i / 1e5),
      { score: 1.5, rank: 9 },
      true,
    ],
  ])('of the spread of %s shows one’s own place where there is one', async (_, scores, mine, hasPlace) => {
    const seen = await look(spreadChart({ ...board, scoreAscending: true, scores, mine }));
    expect(seen.colours.has(GOLD)).toBe(hasPlace);
  });
});

describe('text in a picture', () => {
  it('tells ticks apart in one unit, however close they are', () => {
    const close = { min: 0.0012338, max: 0.0012346 };
    expect([0.0012342, 0.0012344].map((value) => formatTick(value, close, 's'))).toEqual([
      '1.2342 ms',
      '1.2344 ms',
    ]);
    expect([0, 0.5].map((value) => formatTick(value, { min: 0, max: 2.1 }, 's'))).toEqual(['0.0 s', '0.5 s']);
    expect(formatTick(1500, { min: 900, max: 2400 }, 'tokens/s')).toBe('1500 tokens/s');
    expect(formatTick(0.4, { min: 0.2, max: 0.46 }, 'points')).toBe('0.40 points');
    expect(formatTick(7, { min: 0, max: 100 }, '')).toBe('7');
  });

  it('keeps of a name what the font has', () => {
    expect(drawableName('mira')).toBe('mira');
    expect(drawableName('Ωmega ⚡ Łukasz')).toBe('Ωmega  Łukasz');
    expect(drawableName('名前')).toBe(null);
    expect(drawableName('a'.repeat(40))).toBe(`${'a'.repeat(15)}…`);
  });

  it('names shapes without their seeds where they differ without them', () => {
    expect(shapeNames(['m: 1; seed: 4', 'm: 2; seed: 4'])).toEqual(['m: 1', 'm: 2']);
    expect(shapeNames(['seed: 4; m: 1', 'seed: -5; m: 2'])).toEqual(['m: 1', 'm: 2']);
    expect(shapeNames(['m: 1; seed: 4', 'm: 1; seed: 5'])).toEqual(['m: 1; seed: 4', 'm: 1; seed: 5']);
    expect(shapeNames(['seed: 4'])).toEqual(['seed: 4']);
  });
});
