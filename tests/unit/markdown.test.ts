import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { code, codeBlock, cut, plain } from '../../src/reports/markdown.ts';
import { nastyText } from './nasty-views.ts';

describe('a code block', () => {
  it('cannot be left by its content, however many backticks that has', () => {
    for (let count = 1; count <= 12; count++) {
      for (const text of ['`'.repeat(count), `a${'`'.repeat(count)}b`, `x\n${'`'.repeat(count)}\ny`]) {
        const block = codeBlock(text, 1000);
        expect(block.slice(3, -3)).not.toContain('```');
        expect(block).toMatch(/^```\n[\s\S]*\n```$/);
        expect(block.replaceAll('\u200b', '')).toBe(`\`\`\`\n${text}\n\`\`\``);
      }
    }
  });

  it('keeps to its length, in whole characters, and keeps the tail', () => {
    fc.assert(
      fc.property(nastyText(5000), fc.integer({ min: 60, max: 1000 }), (text, limit) => {
        const block = codeBlock(text, limit);
        expect(block.length).toBeLessThanOrEqual(limit);
        expect(block.slice(3, -3)).not.toContain('```');
        expect(block.isWellFormed()).toBe(true);
      }),
    );
    expect(codeBlock(`${'x'.repeat(500)} the end`, 60)).toContain(' the end\n```');
  });
});

describe('inline code', () => {
  it('cannot be left by its content and is never empty', () => {
    fc.assert(
      fc.property(nastyText(200), (text) => {
        const shown = code(text);
        expect(shown.slice(1, -1)).not.toMatch(/[`\n]/);
        expect(shown.length).toBeGreaterThan(2);
      }),
    );
  });
});

describe('plain text', () => {
  it.each(['@everyone', '@here', '<@123>', '<@&123>', '<#5>'])('mentions nobody: %s', (text) => {
    expect(plain(text)).not.toContain(text);
  });

  it('formats and links nothing', () => {
    expect(plain('**a** __b__ ~~c~~ `d` ||e|| [f](g) # h > i \\')).toBe(
      '\\*\\*a\\*\\* \\_\\_b\\_\\_ \\~\\~c\\~\\~ \\`d\\` \\|\\|e\\|\\| \\[f\\](g) \\# h \\> i \\\\',
    );
  });
});

describe('a cut', () => {
  it('leaves short text alone and never splits a character', () => {
    expect(cut('abc', 3)).toBe('abc');
    expect(cut('abcd', 3)).toBe('ab…');
    for (const length of [4, 5, 6, 7]) {
      const text = cut('😀😀😀😀', length);
      expect(text.length).toBeLessThanOrEqual(length);
      expect(text.isWellFormed()).toBe(true);
    }
  });
});
