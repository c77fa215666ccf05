/** What public problem sets look like (problem-format 1.1 to 1.3), in small sets of our own. */
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadCatalog } from '../../src/catalog/load.ts';
import type { ProblemEntry } from '../../src/domain/task.ts';
import { CatalogFolder, leastTask, setOf } from './catalog-folder.ts';

let folder: CatalogFolder;
beforeEach(async () => {
  folder = await CatalogFolder.make();
});
afterEach(() => folder.remove());

async function onlyEntry(): Promise<ProblemEntry> {
  const catalog = await loadCatalog(folder.root);
  expect(catalog.faults).toEqual([]);
  const [entry, ...others] = catalog.entries;
  expect(others).toEqual([]);
  if (!entry) throw new Error('no problem was loaded');
  return entry;
}

describe('a problem set', () => {
  it('of the least that is needed loads with the format’s defaults', async () => {
    await folder.writeProblem(leastTask);
    expect(await onlyEntry()).toEqual({
      set: 's',
      directory: 's/p',
      leaderboard: 'p',
      deadline: null,
      gpus: ['H100'],
      task: {
        lang: 'py',
        description: 'Do it.',
        files: { 'eval.py': 'print("eval")\n' },
        submissionFile: 'submission.py',
        main: 'eval.py',
        templates: {},
        tests: ['size: 1; seed: 2'],
        benchmarks: ['size: 3; seed: 4', 'size: 5; seed: 6'],
        rankingBy: 'last',
        testTimeoutS: 180,
        benchmarkTimeoutS: 180,
        rankedTimeoutS: 180,
        multiGpu: false,
        worldSize: null,
        scoreAscending: true,
      },
    });
  });

  it('may have a deadline with a one-digit hour, an empty one, non-ASCII text and no newline at its end', async () => {
    const set = `name: "Größe — 大"\ndeadline: "2100-12-31"\ndescription: "em — dash"\nproblems:\n- directory: s/p\n  name: a_1\n  deadline: "2025-11-29 6:59"\n  gpus: [H100]\n- directory: s/p\n  name: b-2\n  deadline: ""\n  gpus:\n  - MI300x8`;
    await folder.writeProblem(leastTask.replace('Do it.', '"∑ αβγ"'));
    await folder.write({ 's.yaml': set });
    const catalog = await loadCatalog(folder.root);
    expect(catalog).toMatchObject({ faults: [], warnings: [] });
    expect(
      catalog.entries.map((entry) => [entry.leaderboard, entry.deadline?.toISOString(), entry.gpus]),
    ).toEqual([
      ['a_1', '2025-11-29T06:59:00.000Z', ['H100']],
      ['b-2', undefined, ['MI300x8']],
    ]);
    expect(catalog.entries[0]?.task.description).toBe('∑ αβγ');
  });

  it('may have comments between and after its items, no blank after a quoted key, and True and False', async () => {
    const cases = `tests:
  - {"m":7168, "l":1, "seed":402}   # trailing
  # - {m: 1, seed: 1}
  - {m: 64, has_bias: True, seed: 1}

  - {m: 64, has_bias: False, seed: 1}
  - {m: 64, has_bias: False, seed: 1}
# a comment in the first column
benchmarks:
  - {m: [96, 128, 160], n: [4096, 4096, 4096], g: 3, seed: 7}
  - B: 1
    D: 64
    case: lapack_dense_even_spectrum
`;
    await folder.writeProblem(leastTask.slice(0, leastTask.indexOf('tests:')) + cases);
    const { task } = await onlyEntry();
    expect(task.tests).toEqual([
      'm: 7168; l: 1; seed: 402',
      'm: 64; has_bias: True; seed: 1',
      'm: 64; has_bias: False; seed: 1',
      'm: 64; has_bias: False; seed: 1',
    ]);
    expect(task.benchmarks).toEqual([
      'm: [96, 128, 160]; n: [4096, 4096, 4096]; g: 3; seed: 7',
      'B: 1; D: 64; case: lapack_dense_even_spectrum',
    ]);
  });

  it('may rename files and take them from beside and above its directory', async () => {
    const files = `files:
  - {"name": "submission.py", "source": "@SUBMISSION@"}
  - {"name": "eval.py", "source": "../eval_better_bench.py"}
  - {"name": "utils.py", "source": "../../other/utils.py"}
  - {"name": "sub/deep.txt", "source": "notes.txt"}
`;
    await folder.writeProblem(leastTask.replace(/files:[\s\S]*?config/, `${files}config`));
    await folder.write({
      's/eval_better_bench.py': 'better\n',
      'other/utils.py': 'right\n',
      's/p/utils.py': 'stale\n',
      's/p/notes.txt': 'ünïcode\n',
      's/p/unlisted.py': 'never read',
    });
    expect((await onlyEntry()).task.files).toEqual({
      'eval.py': 'better\n',
      'utils.py': 'right\n',
      'sub/deep.txt': 'ünïcode\n',
    });
  });

  it('never has a file read that no task lists, be it unreadable as text', async () => {
    await folder.writeProblem(leastTask);
    await folder.write({
      's/p/binary.so': Uint8Array.from([0xff, 0xfe, 0x00]),
      's/p/submission.py': 'the starter',
    });
    expect(Object.keys((await onlyEntry()).task.files)).toEqual(['eval.py']);
  });

  it('wins with its GPU types over those of the task, which stand in where it has none', async () => {
    await folder.writeProblem(`${leastTask}gpus: ["A100"]\n`, 'gpus: ["B200", "NVIDIA"]');
    expect((await onlyEntry()).gpus).toEqual(['B200', 'NVIDIA']);
    await folder.write({ 's.yaml': setOf('  - {directory: s/p, name: p, deadline: ""}') });
    expect((await onlyEntry()).gpus).toEqual(['A100']);
  });

  it('names a GPU type once, in whatever case it stands there twice', async () => {
    await folder.writeProblem(leastTask, 'gpus: ["H100", "A100", "h100", "L4", "A100"]');
    expect((await onlyEntry()).gpus).toEqual(['H100', 'A100', 'L4']);
  });

  it('is warned about keys that nobody knows, with file and line, and loads', async () => {
    await folder.writeProblem(
      `${leastTask}name: old\nseed: 3\nmilestones: []\n`,
      'gpus: ["H100"], color: red',
    );
    await folder.write({
      't.yaml': `organiser: me\n${setOf('  - {directory: s/p, name: q, deadline: ""}')}`,
    });
    const catalog = await loadCatalog(folder.root);
    expect(catalog.entries).toHaveLength(1);
    expect(catalog.faults).toEqual([expect.stringContaining('t.yaml:6: gpus:')]);
    expect(catalog.warnings).toEqual([
      's.yaml:5: unknown key "color" is ignored',
      's/p/task.yml:12: unknown key "name" is ignored',
      't.yaml:1: unknown key "organiser" is ignored',
      's/p/task.yml:12: unknown key "name" is ignored',
    ]);
  });

  it('gives templates by language, time limits and the world size', async () => {
    const extra = `templates: {Python: template.py, CuteDSL: ../cute.py}
ranking_by: geom
test_timeout: 420
benchmark_timeout: 900
ranked_timeout: 1200
multi_gpu: true
score_ascending: false
`;
    await folder.writeProblem(leastTask.replaceAll('seed:', 'world_size: 8, seed:') + extra);
    await folder.write({ 's/p/template.py': 'a template', 's/cute.py': 'another' });
    expect((await onlyEntry()).task).toMatchObject({
      templates: { Python: 'a template', CuteDSL: 'another' },
      rankingBy: 'geom',
      testTimeoutS: 420,
      benchmarkTimeoutS: 900,
      rankedTimeoutS: 1200,
      multiGpu: true,
      worldSize: 8,
      scoreAscending: false,
    });
  });

  it('hands its files on byte by byte, with a mark at their beginning and other ends of lines', async () => {
    await folder.writeProblem(leastTask);
    await folder.write({ 's/p/eval.py': '\ufeffprint("eval")\r\n\tno end' });
    expect((await onlyEntry()).task.files['eval.py']).toBe('\ufeffprint("eval")\r\n\tno end');
    const task = `\ufeff${leastTask.replaceAll('\n', '\r\n')}`;
    await folder.write({ 's/p/task.yml': task });
    expect((await onlyEntry()).task.tests).toEqual(['size: 1; seed: 2']);
  });

  it('may leave its deadline and its GPU types empty', async () => {
    await folder.writeProblem(`${leastTask}gpus: ["A100"]\n`);
    await folder.write({
      's.yaml': setOf('  - directory: s/p\n    name: p\n    deadline:\n    gpus:').replace('""', ''),
    });
    expect(await onlyEntry()).toMatchObject({ deadline: null, gpus: ['A100'] });
  });

  it('is warned about keys of its files and its configuration too', async () => {
    const task = leastTask
      .replace('source: eval.py}', 'source: eval.py, mode: 644}')
      .replace('{main: eval.py}', '{main: eval.py, sources: [a.cu]}');
    await folder.writeProblem(task);
    const { entries, warnings } = await loadCatalog(folder.root);
    expect(entries).toHaveLength(1);
    expect(warnings).toEqual([
      's/p/task.yml:5: unknown key "mode" is ignored',
      's/p/task.yml:6: unknown key "sources" is ignored',
    ]);
  });

  it.each(['yes', 'Off', '1_000', '007', '0b11', '12:30', '1e3', '2.5e3'])(
    'is warned about the word %s, which other platforms read otherwise',
    async (word) => {
      await folder.writeProblem(leastTask.replace('size: 3', `size: ${word}`));
      const { warnings } = await loadCatalog(folder.root);
      expect(warnings).toEqual([
        expect.stringContaining(`s/p/task.yml:10: benchmarks.0: "${word}" means something else`),
      ]);
    },
  );

  it('is not warned about words that everybody reads alike', async () => {
    const values = [
      '"yes"',
      "'1_000'",
      '0',
      '-7',
      '0.5',
      '1.0e+3',
      'n',
      'none',
      '0x1F',
      '[1, 2]',
      'a_1',
      '2d',
    ];
    await folder.writeProblem(leastTask.replace('size: 3', `size: [${values.join(', ')}], on: 1`));
    expect((await loadCatalog(folder.root)).warnings).toEqual([]);
  });

  it('may reach its files through a symbolic link that stays inside', async () => {
    await folder.writeProblem(leastTask);
    await mkdir(path.join(folder.root, 'shared'));
    await writeFile(path.join(folder.root, 'shared/eval.py'), 'shared\n');
    await symlink('../../shared/eval.py', path.join(folder.root, 's/p/linked.py'));
    await folder.write({ 's/p/task.yml': leastTask.replace('source: eval.py', 'source: linked.py') });
    expect((await onlyEntry()).task.files['eval.py']).toBe('shared\n');
  });
});

describe('the problems of this repository', () => {
  it('load without a fault and without a warning', async () => {
    const catalog = await loadCatalog(path.resolve(import.meta.dirname, '../../problems'));
    expect(catalog).toMatchObject({ faults: [], warnings: [] });
    expect(catalog.entries.length).toBeGreaterThanOrEqual(9);
    for (const { task } of catalog.entries) {
      expect(task.tests.length * task.benchmarks.length).toBeGreaterThan(0);
      expect(Object.keys(task.templates)).toContain('Python');
    }
  });
});
