import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loginShellLine, quote, START_MARK, START_MARK_END } from '../../src/boxes/shell.ts';

const run = promisify(execFile);

describe('quoting for a POSIX shell', () => {
  it('leaves plain words alone and wraps all else', () => {
    expect(quote('/usr/bin/python3')).toBe('/usr/bin/python3');
    expect(quote('')).toBe("''");
    expect(quote("it's")).toBe("'it'\\''s'");
  });

  it('refuses a NUL character, which no argument can hold', () => {
    expect(() => quote('a\0b')).toThrow(TypeError);
  });
});

describe('a command line for a login shell', () => {
  it('hands every argument on unchanged, after the start mark', async () => {
    const argument = fc.string({ unit: 'binary', maxLength: 12 }).map((text) => text.replaceAll('\0', ''));
    await fc.assert(
      fc.asyncProperty(fc.array(argument, { minLength: 1, maxLength: 5 }), async (given) => {
        const wellFormed = given.map((text) => text.toWellFormed());
        const line = loginShellLine(['printf', '%s\\n--\\n', ...wellFormed]);
        const shell = run('/bin/sh', ['-c', line]);
        const { stdout, stderr } = await shell;
        const mark = START_MARK + shell.child.pid + START_MARK_END;
        expect(stdout).toBe(mark + wellFormed.map((text) => `${text}\n--\n`).join(''));
        expect(stderr).toBe(mark);
      }),
      { numRuns: 40 },
    );
  });

  it('shows the login shell nothing that sh, fish or csh would read differently', () => {
    const line = loginShellLine(['echo', 'a!b\\c\'d"e$f`g\nh~*?%^{}']);
    // Within single quotes fish reads \\ and \' and csh reads ! and a newline; all else is literal to each of them.
    const inner = /^exec \/bin\/sh -c '([^']*)'$/.exec(line)?.[1];
    expect(inner).toBeDefined();
    expect(inner).not.toMatch(/[!\n]|\\\\|\\$/);
    const data = /"%b" "([^"]*)"/.exec(inner ?? '')?.[1];
    expect(data).toMatch(/^(?:[A-Za-z0-9 _./:=@+,-]|\\0[0-3][0-7]{2})*$/);
  });

  it('hides the start mark from a shell that echoes what it reads', () => {
    expect(loginShellLine(['true'])).not.toContain(START_MARK.trim());
  });
});
