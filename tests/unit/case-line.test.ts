/** Case lines, held against the real Python that the public format was written by. */
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isMap, isSeq, parseDocument } from 'yaml';
import { CaseError, caseLine, pythonFloat } from '../../src/catalog/case-line.ts';

/** Like the catalog reads a file. */
function parsed(yaml: string): unknown {
  const document = parseDocument(yaml, { intAsBigInt: true });
  expect(document.errors).toEqual([]);
  return document.contents;
}

const lineOf = (yaml: string) => caseLine(parsed(yaml)).text;

/** A value as Python source and as YAML, so that both sides read it with their own parser. */
interface Written {
  python: string;
  yaml: string;
}

/** JSON's escapes for everything beyond printable ASCII: both languages read them alike in double quotes. */
function quoted(text: string): Written {
  const yaml = JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  // Python takes a surrogate pair for two characters; YAML and JSON take it for one.
  const python = [...text].map((char) => `\\U${(char.codePointAt(0) ?? 0).toString(16).padStart(8, '0')}`);
  const pairless = [...text].some((char) => char.length > 1)
    ? `"${[...text].map((char) => (char.length > 1 ? char : JSON.stringify(char).slice(1, -1))).join('')}"`
    : yaml;
  return { python: `'${python.join('')}'`, yaml: pairless };
}

function writtenFloat(value: number): Written {
  const text = value.toExponential();
  // YAML 1.2 reads 5e+20 as a float as well, Python too; the point keeps every reader from an integer.
  const withPoint = text.includes('.') ? text : text.replace('e', '.0e');
  return { python: withPoint, yaml: withPoint };
}

const integers = fc
  .oneof(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), fc.bigInt({ min: -1000n, max: 1000n }))
  .map((value): Written => ({ python: `${value}`, yaml: `${value}` }));
const floats = fc
  .oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc
      .tuple(fc.integer({ min: 1, max: 99_999 }), fc.integer({ min: -25, max: 25 }))
      .map(([m, e]) => m * 10 ** e),
    fc.constantFrom(
      0,
      -0,
      1e16,
      9999999999999998,
      1e-4,
      0.00009999,
      1e22,
      5e-324,
      1.7976931348623157e308,
      0.1,
      100,
    ),
  )
  .map(writtenFloat);
const specials = fc.constantFrom<Written>(
  { python: "float('inf')", yaml: '.inf' },
  { python: "-float('inf')", yaml: '-.Inf' },
  { python: "float('nan')", yaml: '.nan' },
  { python: 'True', yaml: 'True' },
  { python: 'True', yaml: 'true' },
  { python: 'False', yaml: 'False' },
  { python: 'None', yaml: 'null' },
  { python: 'None', yaml: '~' },
);
const plainWords = fc.constantFrom(
  'normal',
  'cauchy',
  'lapack_dense',
  "it's",
  'say "so"',
  `both ' and "`,
  'Größe',
  '',
  '数',
);
// Every character that Unicode has had since long before either parser, and the ones that Python escapes.
const characters = fc.oneof(
  fc.integer({ min: 0x20, max: 0x24f }),
  fc.integer({ min: 0, max: 0x1f }),
  fc.constantFrom(
    0x5c,
    0x27,
    0x22,
    0x7f,
    0x85,
    0xa0,
    0xad,
    0x3b1,
    0x200b,
    0x2028,
    0x3000,
    0xe000,
    0xfeff,
    0xffff,
    0x1f600,
    0xe0001,
    0x10ffff,
  ),
);
const anyText = fc.array(characters, { maxLength: 8 }).map((points) => String.fromCodePoint(...points));
// A separator of cases is refused, wherever it stands.
const texts = fc.oneof(plainWords, anyText).filter((text) => !text.includes(';'));
const topTexts = texts.filter((text) => !/[\n\r]/.test(text)).map(quoted);

const { nested } = fc.letrec<{ nested: Written; list: Written; map: Written }>((tie) => ({
  nested: fc.oneof({ maxDepth: 3 }, integers, floats, specials, texts.map(quoted), tie('list'), tie('map')),
  list: fc.array(tie('nested'), { maxLength: 4 }).map((items) => ({
    python: `[${items.map((item) => item.python).join(', ')}]`,
    yaml: `[${items.map((item) => item.yaml).join(', ')}]`,
  })),
  map: fc
    .uniqueArray(fc.tuple(plainWords, tie('nested')), { maxLength: 3, selector: ([key]) => key })
    .map((pairs) => ({
      python: `{${pairs.map(([key, item]) => `${quoted(key).python}: ${item.python}`).join(', ')}}`,
      yaml: `{${pairs.map(([key, item]) => `${quoted(key).yaml}: ${item.yaml}`).join(', ')}}`,
    })),
}));

const cases = fc.uniqueArray(
  fc.tuple(
    fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/),
    fc.oneof(
      integers,
      floats,
      specials,
      topTexts,
      nested.filter((item) => !item.python.startsWith("'")),
    ),
  ),
  { minLength: 1, maxLength: 5, selector: ([key]) => key },
);

const PROGRAM = `
import ast, json, sys
inf, nan = float('inf'), float('nan')
for line in json.load(sys.stdin):
    pairs = [(key, eval(source)) for key, source in line]
    print(json.dumps('; '.join(key + ': ' + str(value) for key, value in pairs)))
`;

describe('a case line', () => {
  it('is what str() of Python makes of every value', () => {
    const samples = fc.sample(cases, 3000);
    const input = JSON.stringify(samples.map((pairs) => pairs.map(([key, item]) => [key, item.python])));
    const output = execFileSync('python3', ['-c', PROGRAM], { input, encoding: 'utf8', maxBuffer: 1e8 });
    const expected = output
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as string);
    expect(expected).toHaveLength(samples.length);
    const different = samples.flatMap((pairs, index) => {
      const yaml = `{${pairs.map(([key, item]) => `"${key}": ${item.yaml}`).join(', ')}}`;
      const line = lineOf(yaml);
      return line === expected[index] ? [] : [{ yaml, line, python: expected[index] }];
    });
    expect(different.slice(0, 5)).toEqual([]);
  });

  it('keeps the order of the YAML and writes booleans and lists as the public harnesses read them', () => {
    expect(lineOf('{world_size: 8, m: 64, has_bias: True, seed: 42}')).toBe(
      'world_size: 8; m: 64; has_bias: True; seed: 42',
    );
    expect(lineOf('{nomask: false, distribution: "normal", B: 1}')).toBe(
      'nomask: False; distribution: normal; B: 1',
    );
    expect(lineOf('{m: [96, 128, 160], g: 3}')).toBe('m: [96, 128, 160]; g: 3');
    expect(lineOf('{"m":7168, "l":1, "seed":402}')).toBe('m: 7168; l: 1; seed: 402');
    expect(lineOf('size: 128\nseed: 5 # a comment\n')).toBe('size: 128; seed: 5');
  });

  it('tells the world size', () => {
    expect(caseLine(parsed('{world_size: 8, m: 1}')).worldSize).toBe(8);
    expect(caseLine(parsed('{m: 1}')).worldSize).toBe(null);
    expect(caseLine(parsed('{world_size: many}')).worldSize).toBe(null);
  });

  it.each([
    ['is no map', '[1, 2]'],
    ['is empty', '{}'],
    ['has a key with a blank', '{"a b": 1}'],
    ['has a key that is no word', '{[1]: 2}'],
    ['has a text with a separator', '{a: "b; c: d"}'],
    ['has a list with a separator in it', '{a: [1, "b; c"]}'],
    ['has a text of two lines', '{a: "b\\nc"}'],
  ])('is refused when the case %s', (_, yaml) => {
    expect(() => lineOf(yaml)).toThrow(CaseError);
  });

  it('is refused with an alias in it, in words', () => {
    const document = parseDocument('- {a: &x 1}\n- {a: *x}\n', { intAsBigInt: true });
    const list = document.contents;
    if (!isSeq(list) || !isMap(list.items[1])) throw new Error('two cases were written');
    expect(() => caseLine(list.items[1])).toThrow('alias');
  });
});

describe('a Python float', () => {
  it('reads back as the same number', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = pythonFloat(value);
        expect(Object.is(Number(text), value)).toBe(true);
        expect(text).toMatch(/[.e]/);
      }),
    );
  });
});
