/** `problem check`, as its reader meets it. */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runOnTerminal, runProgram } from '../support/program.ts';
import { leastTask, setOf } from '../unit/catalog-folder.ts';

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'hotlap-check-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

async function write(files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(scratch, name, '..'), { recursive: true });
    await writeFile(join(scratch, name), text);
  }
}

const check = (path: string, options: Parameters<typeof runProgram>[1] = {}) =>
  runProgram(['problem', 'check', path], options);
/** One that has nothing to be said against. */
const task = `${leastTask}ranking_by: geom\n`;
const evaluation = 'import os\nos.environ["POPCORN_FD"]\n';

describe('problem check', () => {
  it('finds nothing wrong with the sets of this repository', async () => {
    const { code, stdout, stderr } = await check('problems');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('problems/starter.yaml');
    expect(stdout).toMatch(
      /window-sums +starter\/window_sums +5 tests, 3 benchmarks, ranked by geom, on CPU/,
    );
    expect(stdout).toContain('No faults, 0 warnings. Next: node src/main.ts problem run problems <file>');
  });

  it('says file, line, key, what was expected and what to do for each fault, and goes on', async () => {
    await write({
      'a/set.yaml': setOf(
        [
          '  - {directory: s/good, name: good, deadline: "", gpus: [CPU]}',
          '  - {directory: s/when, name: when, deadline: "31.12.2026", gpus: [CPU]}',
          '  - {directory: s/gone, name: gone, deadline: "", gpus: [CPU]}',
          '  - {directory: s/limit, name: limit, deadline: "", gpus: [CPU]}',
          '  - {directory: s/yaml, name: yaml, deadline: "", gpus: [CPU]}',
          '  - {directory: s/python, name: python, deadline: "", gpus: [CPU], prize: 5}',
        ].join('\n'),
      ),
      'a/s/good/task.yml': task,
      'a/s/good/eval.py': evaluation,
      'a/s/when/task.yml': task,
      'a/s/when/eval.py': evaluation,
      'a/s/limit/task.yml': `${task}test_timeout: soon\n`,
      'a/s/limit/eval.py': evaluation,
      'a/s/yaml/task.yml': task.replace('tests:', 'tests: ['),
      'a/s/python/task.yml': task.replace('ranking_by: geom', 'templates: {Python: start.py}\nrank_by: mean'),
      'a/s/python/eval.py': `import helpers\n${evaluation}def broken(:\n`,
      'a/s/python/start.py': '#!POPCORN leaderbord python\n',
    });
    const { code, stdout } = await check(join(scratch, 'a'));
    expect(code).toBe(1);
    expect(stdout).toMatch(/^ {2}good .*\n {2}python /m);
    const root = join(scratch, 'a');
    for (const [head, text, todo] of [
      [`fault  ${root}/set.yaml:6`, 'deadline: "31.12.2026" is no date', 'Write "YYYY-MM-DD"'],
      [`fault  ${root}/s/gone/task.yml`, 'the file is not there', 'Make it, or correct `directory`'],
      [
        `fault  ${root}/s/limit/task.yml:13`,
        'test_timeout: must be a number of seconds',
        'Write whole seconds',
      ],
      [`fault  ${root}/s/yaml/task.yml:8`, 'not valid YAML', 'Look at this line and the one above'],
      [`fault  ${root}/s/python/eval.py:4`, 'not valid Python', 'Mend it'],
      [`warning  ${root}/set.yaml:10`, 'unknown key "prize" is ignored', 'It has no effect here'],
      [`warning  ${root}/s/python/task.yml:13`, 'unknown key "rank_by"', 'It has no effect here'],
      [
        `warning  ${root}/s/python/task.yml\n`,
        'ranking_by: absent, which means last',
        'Write ranking_by: geom',
      ],
      [
        `warning  ${root}/s/python/start.py:1`,
        'Line 1 of the file is not a header line',
        '#!POPCORN leaderboard',
      ],
    ]) {
      const at = stdout.indexOf(head ?? '');
      expect(at, `${head} in\n${stdout}`).toBeGreaterThan(0);
      const paragraph = stdout.slice(at).split('\n\n')[0] ?? '';
      expect(paragraph).toContain(text);
      expect(paragraph).toMatch(new RegExp(`\n {2}to do: .*${todo?.replace(/[(){}[\]]/g, '\\$&')}`));
    }
    expect(stdout).toContain('\n  > 13 | test_timeout: soon\n');
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('5 faults, 4 warnings. Mend them and check again.');
  });

  it('looks at one set, one problem, or one that no set names', async () => {
    await write({
      'b/one.yaml': setOf('  - {directory: p/first, name: first, deadline: "", gpus: [CPU]}'),
      'b/two.yaml': setOf(
        '  - {directory: p/second, name: second, deadline: "", gpus: [CPU]}\n  - {directory: p/third, name: third}',
      ),
      'b/p/first/task.yml': task,
      'b/p/second/task.yml': task.replace('lang: py', 'lang: cobol'),
      'b/p/third/task.yml': task,
      'b/p/loose/task.yml': task.replace('source: eval.py', 'source: ../shared.py'),
      'b/p/shared.py': 'import os, extra\nos.environ["POPCORN_FD"]\n',
      'b/p/extra.py': '',
      ...Object.fromEntries(['first', 'second', 'third'].map((name) => [`b/p/${name}/eval.py`, evaluation])),
    });
    const [set, problem, other, loose] = await Promise.all([
      check(join(scratch, 'b/one.yaml')),
      check('first', { cwd: join(scratch, 'b/p') }),
      check(join(scratch, 'b/p/second/task.yml')),
      check(join(scratch, 'b/p/loose')),
    ]);
    for (const { code, stdout } of [set, problem]) {
      expect({ code, stdout }).toMatchObject({ code: 0 });
      expect(stdout).toMatch(/ first .*\n\nNo faults, 0 warnings/);
      expect(stdout).not.toMatch(/second|third/);
    }
    expect(other.code).toBe(1);
    expect(other.stdout).toMatch(/^\nfault {2}.*second\/task.yml:1\n {2}lang: must be/);
    expect(other.stdout).toContain('1 fault, 0 warnings');
    expect(loose.stdout).toContain('No set names this problem');
    expect(loose.stdout).toMatch(/^ {2}loose +1 test, 2 benchmarks, ranked by geom$/m);
    expect(loose.stdout).toContain(
      `warning  ${scratch}/b/p/shared.py:1\n  extra is imported, and extra.py is not one`,
    );
  });

  it('uses colours on a terminal alone, and not where NO_COLOR stands', async () => {
    const [piped, terminal, plain] = await Promise.all([
      check('problems/starter.yaml'),
      runOnTerminal(['problem', 'check', 'problems/starter.yaml'], { env: { TERM: 'xterm' } }),
      runOnTerminal(['problem', 'check', 'problems/starter.yaml'], { env: { TERM: 'xterm', NO_COLOR: '1' } }),
    ]);
    expect(piped.stdout).not.toContain('\u001b');
    expect(terminal.stdout).toContain('\u001b[32mwindow-sums');
    expect(plain.stdout).not.toContain('\u001b');
    expect(plain.stdout.replaceAll('\r\n', '\n')).toBe(piped.stdout);
  });

  it('works on a copy of the sets without the rest of the repository', async () => {
    await cp('problems', join(scratch, 'c'), { recursive: true });
    expect(await check('.', { cwd: join(scratch, 'c') })).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('wrong usage', () => {
  it.concurrent.each([
    [['problem'], /^Usage: /],
    [['problem', 'chekc', 'x'], /There is no "problem chekc"\.\n {2}to do: Write: .* --help/],
    [['problem', 'check'], /"problem check" takes one path/],
    [['problem', 'check', 'a', 'b'], /"problem check" takes one path/],
    [['problem', 'check', '--deep', 'x'], /Unknown option '--deep'\.\n {2}to do: /],
    [['problem', 'check', 'no/such/folder'], /no\/such\/folder is not there\.\n {2}to do: Give /],
    [['problem', 'check', 'src/domain'], /has no set .* and no task\.yml/],
    [['problem', 'check', 'README.md'], /README\.md is neither a set/],
    [['problems'], /There is no "problems"\.\nUsage: /],
  ])('%j ends with 2 and says what to do', async (args, said) => {
    const { code, stdout, stderr } = await runProgram(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(said);
  });

  it('is answered with the usage where it is asked for', async () => {
    const ends = await Promise.all(
      [['--help'], ['problem', '--help'], ['problem', 'check', '-h'], ['problem', 'run', '--help']].map(
        (args) => runProgram(args),
      ),
    );
    for (const end of ends) {
      expect(end).toMatchObject({ code: 0, stderr: '' });
      expect(end.stdout).toMatch(/^Usage: /);
      for (const line of end.stdout.split('\n')) expect(line.length).toBeLessThan(115);
    }
  });
});
