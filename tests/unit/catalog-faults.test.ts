/** A faulty problem is left out and named with file, line and what to mend; the others go on. */
import { execFileSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadCatalog } from '../../src/catalog/load.ts';
import { CatalogFolder, leastTask, setOf } from './catalog-folder.ts';

let folder: CatalogFolder;
beforeEach(async () => {
  folder = await CatalogFolder.make();
  // What goes on beside every fault.
  await folder.write({
    'good.yaml': setOf('  - {directory: good, name: good, deadline: "", gpus: [H100]}'),
    'good/task.yml': leastTask,
    'good/eval.py': 'print("eval")\n',
  });
});
afterEach(() => folder.remove());

async function onlyFault(): Promise<string> {
  const catalog = await loadCatalog(folder.root);
  expect(catalog.entries.map((entry) => entry.leaderboard)).toEqual(['good']);
  const [fault, ...others] = catalog.faults;
  expect(others).toEqual([]);
  return fault ?? 'no fault';
}

const faultOfTask = async (task: string, entry?: string) => {
  await folder.writeProblem(task, entry);
  return onlyFault();
};

describe('a faulty task.yml', () => {
  it.each([
    ['not valid YAML', leastTask.replace('{size: 1, seed: 2}', '{size: 1, seed: 2'), ':9: not valid YAML'],
    ['a tab for indentation', `${leastTask}templates:\n\tPython: a.py\n`, ': not valid YAML'],
    ['a key that stands twice', `${leastTask}lang: py\n`, ':12: not valid YAML'],
    ['no map', '- 1\n', ':1: must be a map'],
    ['empty', '', ':1: must be a map'],
    [
      'another language',
      leastTask.replace('lang: py', 'lang: rust'),
      ':1: lang: must be "py", "cu" or "model"',
    ],
    [
      'no description',
      leastTask.replace('description: Do it.\n', ''),
      'description: must be the problem statement',
    ],
    ['no submission', leastTask.replace('"@SUBMISSION@"', 'eval.py'), ':4: files: no file has the source'],
    [
      'two submissions',
      leastTask.replace('source: eval.py', 'source: "@SUBMISSION@"'),
      ':5: files.1: "@SUBMISSION@" may stand once only',
    ],
    [
      'a main that is no file',
      leastTask.replace('main: eval.py', 'main: run.py'),
      ':6: config.main: "run.py"',
    ],
    ['a main of another world', leastTask.replace('main: eval.py', 'main: constructor'), ':6: config.main:'],
    ['the submission as main', leastTask.replace('main: eval.py', 'main: submission.py'), ':6: config.main:'],
    [
      'a file listed twice',
      leastTask.replace('name: submission.py', 'name: eval.py'),
      ':5: files.1: "eval.py" is listed twice',
    ],
    [
      'a missing source',
      leastTask.replace('source: eval.py', 'source: gone.py'),
      ':5: files.1: the source "gone.py" is not there',
    ],
    [
      'a directory as source',
      leastTask.replace('source: eval.py', 'source: ..'),
      ':5: files.1: the source ".." is not a readable file',
    ],
    [
      'a name above the run',
      leastTask.replace('name: eval.py', 'name: ../eval.py'),
      ':5: files.1: "../eval.py" must stay inside',
    ],
    [
      'an absolute name',
      leastTask.replace('name: eval.py', 'name: /tmp/eval.py'),
      ':5: files.1: "/tmp/eval.py" must stay inside',
    ],
    ['an empty name', leastTask.replace('name: eval.py', 'name: ""'), ':5: files.1:'],
    ['a name of two lines', leastTask.replace('name: eval.py', 'name: "a\\nb"'), ':5: files.1:'],
    [
      'a file and a folder of one name',
      leastTask.replace('config', '  - {name: eval.py/more.py, source: eval.py}\nconfig'),
      ':6: files.2: "eval.py/more.py" and "eval.py" cannot both be there',
    ],
    [
      'a character that cannot be stored',
      leastTask.replace('Do it.', '"Do\\0 it."'),
      ':2: description: holds a NUL',
    ],
    [
      'half of a character in a case',
      leastTask.replace('size: 5', 'size: "\\uD800"'),
      ':11: benchmarks.1: holds a NUL',
    ],
    [
      'a configuration that is no map',
      leastTask.replace('{main: eval.py}', 'eval.py'),
      ':6: config: must be',
    ],
    [
      'no main',
      leastTask.replace('{main: eval.py}', '{}'),
      ':6: config.main: must be the evaluation program',
    ],
    [
      'a missing template',
      `${leastTask}templates: {Python: gone.py}\n`,
      ':12: templates.Python: the source "gone.py"',
    ],
    [
      'an unknown ranking',
      `${leastTask}ranking_by: best\n`,
      ':12: ranking_by: must be one of last, mean, geom',
    ],
    ['a limit of no seconds', `${leastTask}test_timeout: 0\n`, ':12: test_timeout:'],
    [
      'a limit in words',
      `${leastTask}test_timeout: "3 min"\n`,
      ':12: test_timeout: must be a number of seconds',
    ],
    [
      'a limit of half seconds',
      `${leastTask}ranked_timeout: 1.5\n`,
      ':12: ranked_timeout: must be whole seconds',
    ],
    ['a limit beyond a day', `${leastTask}ranked_timeout: 99999999999999999999\n`, ':12: ranked_timeout:'],
    [
      'a case that is no map',
      leastTask.replace('{size: 1, seed: 2}', 'size 1'),
      ':8: tests.0: a case must be a map',
    ],
    ['a case with a separator', leastTask.replace('{size: 5,', '{size: "5; 6",'), ':11: benchmarks.1:'],
    ['tests that are no list', leastTask.replace('- {size: 1, seed: 2}', 'size: 1'), ':8: tests:'],
    [
      'no world size',
      `${leastTask}multi_gpu: true\n`,
      ':8: tests.0: a multi_gpu problem needs world_size in every case',
    ],
    ['an alias without an anchor', leastTask.replace('{size: 1, seed: 2}', '*nobody'), ':8: '],
    [
      'an alias in the place of a list',
      leastTask.replace('tests:', 'tests: &cases').replace(/benchmarks:[\s\S]*/, 'benchmarks: *cases\n'),
      ':9: benchmarks: ',
    ],
  ])('with %s is named', async (_, task, expected) => {
    const fault = await faultOfTask(task);
    expect(fault).toContain('s/p/task.yml');
    expect(fault).toContain(expected);
  });

  it('with a world size in some cases only is named by the first without', async () => {
    const task = `${leastTask.replace('{size: 1,', '{world_size: 8, size: 1,').replace('{size: 3,', '{world_size: 8, size: 3,')}multi_gpu: true\n`;
    expect(await faultOfTask(task)).toContain(':11: benchmarks.1: a multi_gpu problem');
  });

  it('with a case that its own evaluation program would refuse is named by that case', async () => {
    await folder.writeProblem(leastTask.replace('{size: 5,', '{size: 0.5,'));
    const pattern = String.raw`\s*([a-z]+):\s*([a-z]+|[0-9]+)\s*`;
    await folder.write({ 's/p/eval.py': `import re\nassert re.fullmatch(r"${pattern}", part)\n` });
    expect(await onlyFault()).toBe(
      `s/p/task.yml:11: benchmarks.1: "size: 0.5" is not what the evaluation program reads, which is ${pattern}`,
    );
  });

  it('that blows up by its aliases is refused', async () => {
    const rows = Array.from({ length: 9 }, (_, i) => `x${i + 1}: &a${i + 1} [${`*a${i},`.repeat(9)}]`);
    const task = `x0: &a0 [1,1,1,1,1,1,1,1,1]\n${rows.join('\n')}\n${leastTask}`;
    expect(await faultOfTask(task)).toContain('s/p/task.yml');
  });

  const cuda = leastTask
    .replace('lang: py', 'lang: cu')
    .replace('{main: eval.py}', '{sources: [eval.py, submission.py], EXTRA}');
  it.each([
    ['no sources', cuda.replace('[eval.py, submission.py]', '[]'), 'config.sources: must name at least one'],
    [
      'sources that are a word',
      cuda.replace('[eval.py, submission.py]', 'eval.cu'),
      'config.sources: must be',
    ],
    [
      'a source that is no file',
      cuda.replace('[eval.py,', '[gone.cu,'),
      'config.sources: "gone.cu" is not one',
    ],
    [
      'a macro that is no name',
      cuda.replace('EXTRA', 'defines: {"A B": 1}'),
      'config.defines: "A B" is no name of a macro',
    ],
    [
      'a folder above the run',
      cuda.replace('EXTRA', 'include_dirs: [a/../../b]'),
      'config.include_dirs: "a/../../b" must lie inside',
    ],
    [
      'a library with a path',
      cuda.replace('EXTRA', 'libraries: ["a/b"]'),
      'config.libraries: "a/b" is no name',
    ],
    [
      'a library that is a flag',
      cuda.replace('EXTRA', 'libraries: ["-o"]'),
      'config.libraries: "-o" is no name',
    ],
    ['a flag that is no text', cuda.replace('EXTRA', 'compile_flags: [1]'), 'config.compile_flags.0: '],
  ])('in CUDA C++ with %s is named', async (_, task, expected) => {
    expect(await faultOfTask(task.replace(', EXTRA', ''))).toContain(`s/p/task.yml:6: ${expected}`);
  });

  it('that is no UTF-8, or not there at all, is named', async () => {
    await folder.writeProblem(leastTask);
    await folder.write({ 's/p/task.yml': Uint8Array.from([0x6c, 0xff, 0xfe]) });
    expect(await onlyFault()).toBe('s/p/task.yml: the file is not UTF-8 text');
    await folder.write({ 's.yaml': setOf('  - {directory: s/q, name: q, deadline: "", gpus: [H100]}') });
    expect(await onlyFault()).toBe('s/q/task.yml: the file is not there');
  });
});

describe('a source', () => {
  const withSource = (source: string) =>
    leastTask.replace('source: eval.py', `source: ${JSON.stringify(source)}`);
  const leaves = 'leaves the problems directory';

  beforeEach(() => writeFile(path.join(folder.root, '../outside.py'), 'a secret'));

  it('above the root is refused', async () => {
    expect(await faultOfTask(withSource('../../../outside.py'))).toContain(leaves);
  });

  it('of an absolute path is refused', async () => {
    expect(await faultOfTask(withSource(path.join(folder.root, '../outside.py')))).toContain(leaves);
    expect(await faultOfTask(withSource('/etc/hostname'))).toMatch(
      /leaves the problems directory|is not there/,
    );
  });

  it('beside the root with a name that begins like it is refused', async () => {
    await writeFile(`${folder.root}-too.py`, 'a secret');
    expect(await faultOfTask(withSource('../../../problems-too.py'))).toContain(leaves);
  });

  it('behind a symbolic link that leaves the root is refused, for a file and for a directory', async () => {
    await folder.writeProblem(withSource('link.py'));
    await symlink('../../../outside.py', path.join(folder.root, 's/p/link.py'));
    expect(await onlyFault()).toContain(leaves);
    await symlink('../../..', path.join(folder.root, 's/p/up'));
    expect(await faultOfTask(withSource('up/outside.py'))).toContain(leaves);
  });

  it('of a template is refused outside as well', async () => {
    expect(await faultOfTask(`${leastTask}templates: {Python: ../../../outside.py}\n`)).toContain(leaves);
  });

  it('that is a named pipe is refused, not waited for', async () => {
    await folder.writeProblem(withSource('pipe'));
    execFileSync('mkfifo', [path.join(folder.root, 's/p/pipe')]);
    expect(await onlyFault()).toContain('is not a readable file');
  });

  it('with a NUL character in it is refused: it could not be stored', async () => {
    await folder.writeProblem(withSource('data.txt'));
    await folder.write({ 's/p/data.txt': 'a\u0000b' });
    expect(await onlyFault()).toContain('holds a NUL character');
  });

  it('that is not text, or too large, is refused', async () => {
    await folder.write({
      's/p/data.bin': Uint8Array.from([0xff, 0xfe, 0x00]),
      's/p/big.py': 'x'.repeat(1_000_001),
    });
    expect(await faultOfTask(withSource('data.bin'))).toContain('is not UTF-8 text');
    expect(await faultOfTask(withSource('big.py'))).toContain('is larger than');
  });
});

describe('a faulty problem set', () => {
  const faultOfSet = async (text: string) => {
    await folder.write({ 's.yaml': text, 's/p/task.yml': leastTask, 's/p/eval.py': '' });
    return onlyFault();
  };

  it.each([
    ['not valid YAML', 'name: "A\n', /^s\.yaml:\d+: not valid YAML/],
    ['without problems', 'name: A\ndeadline: ""\ndescription: ""\n', /^s\.yaml:1: problems: must be a list/],
    ['with an empty list', 'name: A\nproblems: []\n', /^s\.yaml:2: problems: must list at least one/],
    [
      'without a name',
      setOf('  - {directory: s/p, name: p, gpus: [H100]}').replace('name: A set\n', ''),
      /^s\.yaml:1: name:/,
    ],
    [
      'with a bad leaderboard name',
      setOf('  - {directory: s/p, name: "a b", gpus: [H100]}'),
      /^s\.yaml:5: name: must be 1 to 100/,
    ],
    [
      'with a date that is none',
      setOf('  - {directory: s/p, name: p, deadline: "2026-02-30", gpus: [H100]}'),
      /^s\.yaml:5: deadline: "2026-02-30" is no date/,
    ],
    [
      'with a directory outside',
      setOf('  - {directory: ../x, name: p, gpus: [H100]}'),
      /^s\.yaml:5: directory: leaves/,
    ],
    ['with no GPU type', setOf('  - {directory: s/p, name: p}'), /^s\.yaml:5: gpus: no GPU type is given/],
    [
      'with GPU types that are no list',
      setOf('  - {directory: s/p, name: p, gpus: H100}'),
      /^s\.yaml:5: gpus: must be a list/,
    ],
    ['with a problem that is no map', setOf('  - s/p'), /^s\.yaml:5: /],
    ['with an alias without an anchor', setOf('  - *nobody'), /^s\.yaml:5: /],
  ])('%s is named', async (_, text, expected) => {
    expect(await faultOfSet(text)).toMatch(expected);
  });

  it('that uses the name of another set’s leaderboard, in whatever case, is named; the first keeps it', async () => {
    expect(await faultOfSet(setOf('  - {directory: s/p, name: GOOD, gpus: [H100]}'))).toBe(
      's.yaml:5: the name GOOD is used already in good.yaml',
    );
  });

  it('behind a link that leaves the root is refused, and so are a task and a folder behind one', async () => {
    await folder.writeProblem(leastTask);
    const outside = path.join(folder.root, '../outside');
    await mkdir(outside);
    await writeFile(path.join(outside, 'task.yml'), leastTask);
    await writeFile(path.join(outside, 'eval.py'), 'a secret');
    await symlink('../outside', path.join(folder.root, 'away'));
    await folder.write({ 's.yaml': setOf('  - {directory: away, name: p, gpus: [H100]}') });
    expect(await onlyFault()).toBe('away/task.yml: the file leaves the problems directory');
    await symlink('../outside/task.yml', path.join(folder.root, 'a.yaml'));
    expect((await loadCatalog(folder.root)).faults).toContain(
      'a.yaml: the file leaves the problems directory',
    );
  });

  it('does not hold up the problems beside the faulty one', async () => {
    await folder.write({
      's.yaml': setOf(
        '  - {directory: s/none, name: none, gpus: [H100]}\n  - {directory: good, name: second, gpus: [H100]}',
      ),
    });
    const catalog = await loadCatalog(folder.root);
    expect(catalog.entries.map((entry) => entry.leaderboard)).toEqual(['good', 'second']);
    expect(catalog.faults).toEqual(['s/none/task.yml: the file is not there']);
  });

  it('may be the whole directory: that is named too', async () => {
    const catalog = await loadCatalog(path.join(folder.root, 'nowhere'));
    expect(catalog.entries).toEqual([]);
    expect(catalog.faults).toEqual([expect.stringContaining('nowhere: the problems directory is not there')]);
  });
});
