/** Case lines, held against the real Python that the public format was written by. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isMap, isSeq, parseDocument } from 'yaml';
import { caseLine } from '../../src/catalog/case-line.ts';
import { loadCatalog } from '../../src/catalog/load.ts';
import { pythonFloat, UnwritableValue } from '../../src/catalog/python-str.ts';
import { jobStages } from '../../src/domain/job.ts';
import { PythonProcess } from '../support/python-process.ts';
import { CatalogFolder, leastTask } from './catalog-folder.ts';

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
// biome-ignore lint/suspicious/noControlCharactersInRegex: what ends a line for Python is refused
const lineEnds = /[\n\r\v\f\u0000\u001c-\u001e\u0085\u2028\u2029]/;
const topTexts = texts.filter((text) => !lineEnds.test(text)).map(quoted);

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

/** Answers with the lines of a case file, as the format's own runner joins them. */
const PROGRAM = `
inf, nan = float('inf'), float('nan')
def answer(cases):
    made = [{key: eval(source) for key, source in case} for case in cases]
    return ''.join('; '.join(f'{key}: {value}' for key, value in case.items()) + '\\n' for case in made)
`;

let python: PythonProcess;
beforeAll(() => {
  python = new PythonProcess(PROGRAM);
});
afterAll(() => python.close());

/** With what Python makes of the same cases. */
async function expectAsPython(sources: [string, Written][][], bytes: string): Promise<void> {
  const question = sources.map((pairs) => pairs.map(([key, item]) => [key, item.python]));
  expect(bytes).toBe(await python.ask(question));
}

const asYaml = (pairs: [string, Written][]) =>
  `{${pairs.map(([key, item]) => `"${key}": ${item.yaml}`).join(', ')}}`;

describe('a case line', () => {
  it('is what str() of Python makes of every value', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async (pairs) => expectAsPython([pairs], `${lineOf(asYaml(pairs))}\n`)),
      { numRuns: 1500 },
    );
  });

  it('reaches the case file of every mode byte by byte, from the file on disk', async () => {
    const folder = await CatalogFolder.make();
    const lists = fc.tuple(
      fc.array(cases, { minLength: 1, maxLength: 4 }),
      fc.array(cases, { minLength: 1, maxLength: 4 }),
      fc.constantFrom('last', 'mean', 'geom'),
    );
    try {
      await fc.assert(
        fc.asyncProperty(lists, async ([tests, benchmarks, ranking]) => {
          const rows = (list: typeof tests) => list.map((pairs) => `  - ${asYaml(pairs)}\n`).join('');
          const head = leastTask.slice(0, leastTask.indexOf('tests:'));
          await folder.writeProblem(
            `${head}ranking_by: ${ranking}\ntests:\n${rows(tests)}benchmarks:\n${rows(benchmarks)}`,
          );
          const catalog = await loadCatalog(folder.root);
          expect(catalog.faults).toEqual([]);
          const task = catalog.entries[0]?.task;
          if (!task) throw new Error('no problem was loaded');
          const timed = ranking === 'last' ? benchmarks.slice(-1) : benchmarks;
          const [test, benchmark, ranked] = jobStages(task, 'leaderboard');
          await expectAsPython(tests, test?.cases ?? '');
          await expectAsPython(timed, benchmark?.cases ?? '');
          await expectAsPython(timed, ranked?.cases ?? '');
          for (const [index, stage] of jobStages(task, 'profile').entries()) {
            await expectAsPython(benchmarks.slice(index, index + 1), stage.cases);
          }
        }),
        { numRuns: 100 },
      );
    } finally {
      await folder.remove();
    }
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
    for (const size of ['many', '0', '-1', '2.0', '99999']) {
      expect(caseLine(parsed(`{world_size: ${size}}`)).worldSize).toBe(null);
    }
  });

  it.each([
    ['is no map', '[1, 2]'],
    ['is empty', '{}'],
    ['has a key with a blank', '{"a b": 1}'],
    ['has a key that is no word', '{[1]: 2}'],
    ['has a text with a separator', '{a: "b; c: d"}'],
    ['has a list with a separator in it', '{a: [1, "b; c"]}'],
    ['has a text of two lines', '{a: "b\\nc"}'],
    ['has a text with another end of a line', '{a: "b\\u2028c"}'],
    ['has a text with a NUL', '{a: "b\\0c"}'],
  ])('is refused when the case %s', (_, yaml) => {
    expect(() => lineOf(yaml)).toThrow(UnwritableValue);
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
