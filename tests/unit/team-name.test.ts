import { describe, expect, it } from 'vitest';
import { parseTeamName, TEAM_NAME_CHARS } from '../../src/domain/team.ts';

describe('a name of a team', () => {
  it.each([
    ['Warp Drive', 'Warp Drive'],
    ['  Warp \t Drive ', 'Warp Drive'],
    ['C++ & Friends!', 'C++ & Friends!'],
    ['e\u0301quipe', '\u00e9quipe'],
    ['日本', '日本'],
    ['x'.repeat(TEAM_NAME_CHARS), 'x'.repeat(TEAM_NAME_CHARS)],
  ])('%j is kept as %j', (text, name) => {
    expect(parseTeamName(text)).toBe(name);
  });

  it.each([
    '',
    'a',
    '   ',
    '@everyone',
    '<@1234>',
    'a`b',
    '[a](b)',
    'a\u202eb',
    'a\u200bb',
    'a\u0000b',
    '-a',
    'x'.repeat(TEAM_NAME_CHARS + 1),
  ])('%j is none', (text) => {
    expect(parseTeamName(text)).toBeNull();
  });
});
