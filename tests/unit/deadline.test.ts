import { describe, expect, it } from 'vitest';
import { parseDeadline } from '../../src/catalog/deadline.ts';

describe('a deadline', () => {
  it.each([
    ['2026-07-01', '2026-07-01T00:00:00.000Z'],
    ['2026-07-01 18:30', '2026-07-01T18:30:00.000Z'],
    ['2025-11-29 6:59', '2025-11-29T06:59:00.000Z'],
    ['2026-02-21 7:30', '2026-02-21T07:30:00.000Z'],
    ['2026-01-01 00:00', '2026-01-01T00:00:00.000Z'],
    ['2100-12-31', '2100-12-31T00:00:00.000Z'],
    ['2028-02-29 23:59', '2028-02-29T23:59:00.000Z'],
    [' 2026-07-01 ', '2026-07-01T00:00:00.000Z'],
  ])('%j is %s, whatever the time zone here is', (text, iso) => {
    const zone = process.env.TZ;
    try {
      for (const here of ['America/Los_Angeles', 'Pacific/Kiritimati', 'UTC']) {
        process.env.TZ = here;
        expect(parseDeadline(text)?.toISOString()).toBe(iso);
      }
    } finally {
      if (zone === undefined) delete process.env.TZ;
      else process.env.TZ = zone;
    }
  });

  it('that is empty is none', () => {
    expect(parseDeadline('')).toBe(null);
    expect(parseDeadline('  ')).toBe(null);
  });

  it.each([
    '2026-02-30',
    '2025-02-29',
    '2026-13-01',
    '2026-00-10',
    '2026-01-00',
    '2026-07-01 24:00',
    '2026-07-01 12:60',
    '2026-07-01 12',
    '2026-07-01T12:00',
    '2026-07-01 12:00:00',
    '2026-07-01 12:00 UTC',
    '01.07.2026',
    '26-07-01',
    '0026-07-01',
    'soon',
    'null',
  ])('%j is refused', (text) => {
    expect(parseDeadline(text)).toBe(undefined);
  });
});
