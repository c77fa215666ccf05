import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boxErrorRemedies } from '../../src/domain/box-error.ts';
import { UserError, type UserErrorCode, userErrors } from '../../src/domain/errors.ts';

const codes = Object.keys(userErrors) as UserErrorCode[];

function placeholders(code: UserErrorCode): string[] {
  const { text, next } = userErrors[code];
  return [...`${text} ${next}`.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
}

async function sources(folder: string): Promise<{ name: string; text: string }[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => path.join(entry.parentPath, entry.name));
  return Promise.all(names.map(async (name) => ({ name, text: await readFile(name, 'utf8') })));
}

/** The names of an object literal's properties, as far as they are written there. */
function propertyNames(literal: string): string[] {
  const withoutNested = literal.slice(1, -1).replace(/`(?:\$\{[^}]*\}|[^`])*`|'[^']*'|\([^()]*\)/g, '_');
  return withoutNested.split(',').flatMap((part) => /^\s*(\w+)/.exec(part)?.[1] ?? []);
}

/** Every `new UserError(...)`: its codes (a variable may stand for several) and the details that it gives. */
function callsIn(text: string): { codes: UserErrorCode[]; details: string[] }[] {
  return [
    ...text.matchAll(/new UserError\(\s*(?:'([a-z0-9-]+)'|(\w+))\s*(?:,\s*(\{[^;]*?\n?\s*\}|\w+))?,?\s*\)/g),
  ].map(([, code, variable, details = '{}']) => {
    const named = code ? [code] : [...text.matchAll(/'([a-z0-9-]+)'/g)].map((match) => match[1] ?? '');
    const given = details.startsWith('{')
      ? details
      : (new RegExp(`const ${details} = (\\{[^;]*\\});`).exec(text)?.[1] ?? '{}');
    return {
      codes: named.filter((name): name is UserErrorCode => (codes as string[]).includes(name)),
      details: propertyNames(given),
      variable,
    };
  });
}

describe('a refusal', () => {
  it.each(codes)('%s says in sentences what is wrong and what to do next', (code) => {
    const details = Object.fromEntries(placeholders(code).map((name) => [name, 'thing']));
    const error = new UserError(code, details);
    expect(error.text).toMatch(/^\S.*[.:}\w`]$/);
    expect(error.next).not.toBe('');
    expect(`${error.text} ${error.next}`).not.toMatch(/[{}]|undefined|\?/);
    expect(error.status).toBeGreaterThanOrEqual(400);
    expect(error.status).toBeLessThan(600);
  });

  it('is given every detail that its text has a place for, wherever it is thrown', async () => {
    const files = (await Promise.all(['src', 'commands'].map(sources))).flat();
    const calls = files.flatMap(({ name, text }) => callsIn(text).map((call) => ({ name, ...call })));
    const written = files.reduce((sum, { text }) => sum + text.split('new UserError(').length - 1, 0);
    expect(calls).toHaveLength(written);
    expect(written).toBeGreaterThan(20);
    const missing = calls.flatMap(({ name, codes: thrown, details }) =>
      thrown.flatMap((code) =>
        placeholders(code)
          .filter((place) => !details.includes(place))
          .map((place) => `${name}: ${code} lacks ${place}`),
      ),
    );
    expect(missing).toEqual([]);
  });

  it('shows a stranger’s text without backticks, control characters, lone surrogates and length', () => {
    const nasty = fc.array(
      fc.constantFrom(
        '`',
        '\u0000',
        '\n',
        '\r',
        '\u001b[31m',
        '\u007f',
        '\ud83d',
        '\ude00',
        '😀',
        '{file}',
        'x'.repeat(200),
      ),
    );
    fc.assert(
      fc.property(fc.constantFrom(...codes), nasty, (code, parts) => {
        const names = placeholders(code).filter((name) => name !== 'remedy');
        const clean = new UserError(code, Object.fromEntries(names.map((name) => [name, 'x'])));
        const error = new UserError(code, Object.fromEntries(names.map((name) => [name, parts.join('')])));
        for (const [shown, harmless] of [
          [error.text, clean.text],
          [error.next, clean.next],
        ] as const) {
          expect(shown.split('`').length).toBe(harmless.split('`').length);
          // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
          expect(shown).not.toMatch(/[\u0000-\u001f\u007f]/);
          expect(shown.isWellFormed()).toBe(true);
          expect(shown.length).toBeLessThanOrEqual(harmless.length + 300 * names.length);
        }
      }),
    );
  });

  it('keeps the code in a remedy, which is our own sentence', () => {
    const details = { address: 'a`b', problem: 'x', remedy: boxErrorRemedies['auth-refused'] };
    const { text, next } = new UserError('box-refused', details);
    expect(text).toContain('`a b`');
    expect(next).toContain('`~/.ssh/authorized_keys`');
  });

  it('does not read a detail as a template', () => {
    const error = new UserError('unknown-leaderboard', { leaderboard: '{open} $& $1', open: 'secret' });
    expect(error.text).toBe('There is no leaderboard `{open} $& $1`.');
  });
});
