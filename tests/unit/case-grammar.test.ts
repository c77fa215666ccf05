import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { findUnreadablePart } from '../../src/catalog/case-grammar.ts';

/** As the public programs have it, in words of our own. */
const program = (pattern: string) => ({
  'eval.py': `import re\nPART = ${pattern}\ndef read(line):\n    for part in line.split(";"):\n        if not re.fullmatch(PART, part):\n            exit(113)\n`,
});
const letters = String.raw`r"\s*([a-zA-Z]+):\s*([a-zA-Z]+|[+-]?[0-9]+)\s*"`;
const words = String.raw`r"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*:\s*([a-zA-Z_][a-zA-Z0-9_]*|[+-]?[0-9]+)\s*"`;
const lists = String.raw`r"\s*([a-zA-Z_]+):\s*(\[[^\]]*\]|[+-]?[0-9]+|[a-zA-Z]+)\s*"`;

describe('a case is readable', () => {
  it.each([
    [letters, 'size: 128; seed: 5'],
    [letters, 'nomask: True; distribution: normal; size: -1'],
    [words, 'num_tokens: 8; case: lapack_dense_even_spectrum'],
    [words, 'B: 1; T: 64'],
    [lists, 'm: [96, 128, 160]; g: 3'],
    [words.replaceAll('"', "'"), 'vocab_size: 128256'],
  ])('by %s when it is %s', (pattern, line) => {
    expect(findUnreadablePart(program(pattern), [line])).toBe(null);
  });

  it('as far as can be told where the expression is none, several, in pieces or beyond JavaScript', () => {
    const line = ['what ever: it is [1, 2]'];
    expect(findUnreadablePart({}, line)).toBe(null);
    expect(findUnreadablePart({ 'eval.py': 'import json\n' }, line)).toBe(null);
    expect(findUnreadablePart({ 'eval.cu': letters, 'notes.txt': letters }, line)).toBe(null);
    expect(findUnreadablePart(program(letters.replace('[a-zA-Z]+|', '(?>x)|')), line)).toBe(null);
    expect(findUnreadablePart(program(`(${letters}\n    r"more")`), line)).toBe(null);
    expect(findUnreadablePart(program('r"([a-z]+)"'), line)).toBe(null);
    const both = { ...program(letters), 'more.py': program(lists)['eval.py'] };
    expect(findUnreadablePart(both, ['a: [1]'])).toBe(null);
    expect(findUnreadablePart(program(letters), ['größe: 1'])).toBe(null);
  });

  it('when the expression takes for ever: it is not waited for', () => {
    const slow = 'r"((a+)+:)?([a-z]+: [0-9]+)|((a|a)*)*b"';
    expect(findUnreadablePart(program(slow), [`${'a'.repeat(60)}!`])).toBe(null);
  });
});

describe('a case is not readable', () => {
  it.each([
    [letters, ['size: 1', 'size: 1; num_tokens: 8'], 1, 'num_tokens: 8'],
    [letters, ['size: 1.5'], 0, 'size: 1.5'],
    [letters, ['m: [1, 2]'], 0, 'm: [1, 2]'],
    [words, ['case: two words'], 0, 'case: two words'],
    [lists, ['m: None: 3'], 0, 'm: None: 3'],
  ])('by %s among %j', (pattern, cases, index, part) => {
    expect(findUnreadablePart(program(pattern), cases)).toMatchObject({ index, part });
  });

  it('by the harness of this repository', () => {
    const judge = readFileSync(path.join(import.meta.dirname, '../../problems/harness/judge.py'), 'utf8');
    const files = { 'judge.py': judge };
    expect(findUnreadablePart(files, ['size: 128; name: a_b.c-d; flag: True; seed: 5'])).toBe(null);
    expect(findUnreadablePart(files, ['size: 128; share: 0.5'])?.part).toBe('share: 0.5');
    expect(findUnreadablePart(files, ['sizes: [1, 2]'])?.part).toBe('sizes: [1, 2]');
  });
});
