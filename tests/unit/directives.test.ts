import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/domain/errors.ts';
import { readDirectives, withHeader } from '../../src/intake/directives.ts';

function refusal(source: string): UserError {
  try {
    readDirectives(source);
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error('was not refused');
}

describe('header lines', () => {
  it('name the leaderboard and the GPU types', () => {
    expect(readDirectives('#!POPCORN leaderboard sort\n#!POPCORN gpus A100 H100\nimport torch\n')).toEqual({
      leaderboard: 'sort',
      gpus: ['A100', 'H100'],
    });
  });

  it('are written with // in C++ and CUDA files', () => {
    expect(readDirectives('//!POPCORN leaderboard sort\n// a note\n//!POPCORN gpus L4\nint main;')).toEqual({
      leaderboard: 'sort',
      gpus: ['L4'],
    });
  });

  it('are found after blank lines, comments and a shebang', () => {
    const source = '#!/usr/bin/env python3\n\n   \n# by me\n#!POPCORN leaderboard sort\n';
    expect(readDirectives(source).leaderboard).toBe('sort');
  });

  it.each(['x = 1', '"""A docstring."""', 'import torch', '/* a block comment */'])(
    'are not read after the first line of code: %s',
    (code) => {
      const source = `# first\n${code}\n#!POPCORN leaderboard sort\n#!POPCORN nonsense\n`;
      expect(readDirectives(source)).toEqual({ leaderboard: null, gpus: [] });
    },
  );

  it('are not read beyond line 500', () => {
    const behind = (lines: number) => `${'# note\n'.repeat(lines)}#!POPCORN leaderboard sort\n`;
    expect(readDirectives(behind(499)).leaderboard).toBe('sort');
    expect(readDirectives(behind(500)).leaderboard).toBe(null);
  });

  it('may be written in any case, singular, and with blanks around', () => {
    expect(readDirectives('  #!popcorn   LeaderBoard\tSort-V2  \n\t#!Popcorn GPU h100\n')).toEqual({
      leaderboard: 'Sort-V2',
      gpus: ['h100'],
    });
  });

  it('may follow a byte order mark and end as Windows ends lines', () => {
    expect(readDirectives('\ufeff#!POPCORN leaderboard sort\r\n#!POPCORN gpus A100 H100\r\n')).toEqual({
      leaderboard: 'sort',
      gpus: ['A100', 'H100'],
    });
  });

  it('may say the same twice', () => {
    const source =
      '#!POPCORN leaderboard sort\n#!POPCORN gpus A100\n#!POPCORN leaderboard SORT\n#!POPCORN gpu a100\n';
    expect(readDirectives(source)).toEqual({ leaderboard: 'SORT', gpus: ['a100'] });
  });

  it('are optional', () => {
    expect(readDirectives('')).toEqual({ leaderboard: null, gpus: [] });
    expect(readDirectives('# POPCORN leaderboard sort\n#!POPCORNS leaderboard sort\n')).toEqual({
      leaderboard: null,
      gpus: [],
    });
  });

  it.each([
    ['without a key', '#!POPCORN'],
    ['with an unknown key', '#!POPCORN leaderbord sort'],
    ['without the name of the leaderboard', '#!POPCORN leaderboard'],
    ['with two leaderboards', '#!POPCORN leaderboard sort matmul'],
    ['without a GPU type', '//!POPCORN gpus   '],
    ['that names another leaderboard', '#!POPCORN leaderboard sort\n#!POPCORN leaderboard matmul'],
    ['that names other GPU types', '#!POPCORN gpus A100\n#!POPCORN gpu A100 H100'],
  ])('%s is refused with its line number', (_, lines) => {
    const error = refusal(`# first\n${lines}\nx = 1\n`);
    const count = lines.split('\n').length;
    expect(error.code).toBe(count === 1 ? 'bad-directive' : 'directive-twice');
    expect(error.text).toContain(`Line ${1 + count} of the file`);
    expect(error.text).toContain(lines.split('\n').at(-1)?.trim());
  });

  it('are quoted without their backticks, and not at length', () => {
    const { text } = refusal(`#!POPCORN \`\`\`@everyone ${'x'.repeat(100_000)}`);
    expect(text.match(/`/g)).toHaveLength(2);
    expect(text.length).toBeLessThan(200);
  });

  it('are read in time that grows with their length alone', () => {
    // A pattern that backtracked over this line would have kept the whole bot busy for many minutes.
    const line = `#!POPCORN${' '.repeat(450_000)}${'a'.repeat(450_000)}\u2028b`;
    expect(refusal(line).code).toBe('bad-directive');
    expect(
      readDirectives(`#!POPCORN${'\t'.repeat(400_000)}leaderboard${' '.repeat(400_000)}sort`).leaderboard,
    ).toBe('sort');
  }, 5000);
});

describe('a template that is handed out', () => {
  const python = { name: 'sort', gpus: ['H100'], task: { lang: 'py' } } as const;
  const header = '#!POPCORN leaderboard sort\n#!POPCORN gpus H100\n';

  it('names its board, and its GPU type where there is only one', () => {
    expect(withHeader('import torch\n', { ...python, gpus: ['H100'] })).toBe(`${header}import torch\n`);
    expect(withHeader('import torch\n', { ...python, gpus: ['H100', 'A100'] })).toBe(
      '#!POPCORN leaderboard sort\nimport torch\n',
    );
    const cuda = { name: 'sort', gpus: ['L4'], task: { lang: 'cu' } } as const;
    expect(withHeader('int main;', { ...cuda, gpus: ['L4'] })).toBe(
      '//!POPCORN leaderboard sort\n//!POPCORN gpus L4\nint main;',
    );
  });

  it('keeps its comments, loses the lines of another board, and nothing below its first line of code', () => {
    const template =
      '\ufeff#!/usr/bin/env python3\n# By us.\n#!POPCORN leaderboard other\n #!popcorn gpu A100\n\nx = 1\n#!POPCORN leaderboard z\n';
    expect(withHeader(template, { ...python, gpus: ['H100'] })).toBe(
      `#!/usr/bin/env python3\n${header}# By us.\n\nx = 1\n#!POPCORN leaderboard z\n`,
    );
    expect(withHeader('# Nothing but this', { ...python, gpus: ['H100'] })).toBe(
      `${header}# Nothing but this`,
    );
  });

  it('can be submitted as it is', () => {
    const made = withHeader('#!POPCORN leaderboard other\npass\n', { ...python, gpus: ['H100'] });
    expect(readDirectives(made)).toEqual({ leaderboard: 'sort', gpus: ['H100'] });
  });
});
