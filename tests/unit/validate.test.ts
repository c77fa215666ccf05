import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/domain/errors.ts';
import type { Directives } from '../../src/intake/directives.ts';
import {
  checkAgainstBoard,
  chooseGpus,
  chooseLeaderboard,
  chooseMode,
  type LeaderboardFacts,
  MAX_SOURCE_BYTES,
  readSource,
  refuseLargeFile,
  type Wishes,
} from '../../src/intake/validate.ts';

function refusalOf(act: () => unknown): UserError {
  try {
    act();
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error('was not refused');
}

const codeOf = (act: () => unknown) => refusalOf(act).code;
const file = (text: string | Uint8Array, name = 'submission.py') => ({
  name,
  bytes: typeof text === 'string' ? Buffer.from(text) : text,
});
const wishes = (changes: Partial<Wishes> = {}): Wishes => ({
  leaderboard: null,
  gpus: [],
  mode: null,
  ...changes,
});
const header = (changes: Partial<Directives> = {}): Directives => ({
  leaderboard: null,
  gpus: [],
  ...changes,
});
const board = (changes: Partial<LeaderboardFacts> = {}): LeaderboardFacts => ({
  name: 'sort',
  deadline: null,
  stage: 'open',
  late: 'refused',
  gpus: ['A100', 'H100', 'MI300'],
  task: { lang: 'py' },
  ...changes,
});

describe('a file', () => {
  it('is read as UTF-8, without its byte order mark', () => {
    expect(readSource(file('print("naïve ✓")\n'))).toBe('print("naïve ✓")\n');
    expect(readSource(file('\ufeffx = 1'))).toBe('x = 1');
  });

  it.each([
    ['empty', ''],
    ['nothing but blanks', ' \n\t\r\n'],
    ['nothing but a byte order mark', '\ufeff'],
  ])('that is %s is refused as empty', (_, text) => {
    expect(codeOf(() => readSource(file(text)))).toBe('file-empty');
  });

  it.each([
    ['Latin-1', Buffer.from([0x78, 0xe9, 0x0a])],
    ['UTF-16', Buffer.from('\ufeffx = 1', 'utf16le')],
    ['an encoded surrogate', Buffer.from([0x78, 0xed, 0xa0, 0x80])],
    ['a ZIP archive', Buffer.from([0x50, 0x4b, 0x03, 0x04, 0x14, 0x00, 0x08, 0x00])],
    ['text with a NUL character', Buffer.from('x = 1\u0000')],
  ])('of %s is refused as no UTF-8 text', (_, bytes) => {
    expect(codeOf(() => readSource(file(bytes)))).toBe('file-not-utf8');
  });

  it('may have exactly the limit, and not a byte more', () => {
    expect(readSource(file('x'.repeat(MAX_SOURCE_BYTES)))).toHaveLength(MAX_SOURCE_BYTES);
    const error = refusalOf(() => readSource(file('x'.repeat(MAX_SOURCE_BYTES + 1))));
    expect(error.code).toBe('file-too-large');
    expect(error.text).toContain(`${MAX_SOURCE_BYTES + 1} bytes`);
    expect(error.text).toContain(`at most ${MAX_SOURCE_BYTES} bytes`);
  });

  it('is refused by its declared size before it is fetched', () => {
    expect(() => refuseLargeFile('a.py', MAX_SOURCE_BYTES)).not.toThrow();
    expect(codeOf(() => refuseLargeFile('a.py', MAX_SOURCE_BYTES + 1))).toBe('file-too-large');
  });

  it.each(['', '../evil.py', 'a/b.py', 'a\\b.py', 'a\nb.py', 'a\u0000.py', `${'x'.repeat(118)}.py`])(
    'named %j is refused by its name',
    (name) => {
      expect(codeOf(() => readSource(file('x = 1', name)))).toBe('file-name');
    },
  );

  it.each(['a b.py', 'Lösung.py', '.py', 'x'.repeat(117) + '.py'])('may be named %j', (name) => {
    expect(readSource(file('x = 1', name))).toBe('x = 1');
  });
});

describe('the leaderboard', () => {
  it('is the one that option or header names', () => {
    expect(chooseLeaderboard(wishes({ leaderboard: 'sort' }), header(), [])).toBe('sort');
    expect(chooseLeaderboard(wishes(), header({ leaderboard: 'sort' }), [])).toBe('sort');
    expect(chooseLeaderboard(wishes({ leaderboard: 'Sort' }), header({ leaderboard: 'sort' }), [])).toBe(
      'Sort',
    );
  });

  it('must be named, and the open ones are listed', () => {
    const error = refusalOf(() => chooseLeaderboard(wishes(), header(), ['sort', 'matmul']));
    expect(error.code).toBe('no-leaderboard');
    expect(error.next).toContain('Open now: sort, matmul.');
    expect(refusalOf(() => chooseLeaderboard(wishes(), header(), [])).next).toContain('Open now: none.');
  });

  it('must be the same by option and header', () => {
    const error = refusalOf(() =>
      chooseLeaderboard(wishes({ leaderboard: 'sort' }), header({ leaderboard: 'matmul' }), []),
    );
    expect(error.code).toBe('header-contradicts-leaderboard');
    expect(error.text).toContain('matmul');
    expect(error.text).toContain('sort');
  });

  it('takes only files with its extension, in any case', () => {
    expect(() => checkAgainstBoard('A.PY', board(), new Date())).not.toThrow();
    for (const name of ['a.cu', 'a.py.txt', 'py', 'a', 'a.ipynb']) {
      expect(codeOf(() => checkAgainstBoard(name, board(), new Date()))).toBe('file-extension');
    }
  });

  it('takes files up to its deadline and none after it', () => {
    const deadline = new Date('2026-07-01T06:59:00Z');
    expect(() => checkAgainstBoard('a.py', board({ deadline }), deadline)).not.toThrow();
    const late = new Date(deadline.getTime() + 1);
    const error = refusalOf(() => checkAgainstBoard('a.py', board({ deadline }), late));
    expect(error.code).toBe('deadline-passed');
    expect(error.text).toContain('2026-07-01 06:59 UTC');
  });
});

describe('the mode', () => {
  it.each([
    [null, 'leaderboard'],
    ['ranked', 'leaderboard'],
    ['leaderboard', 'leaderboard'],
    [' Test ', 'test'],
    ['BENCHMARK', 'benchmark'],
    ['profile', 'profile'],
  ])('%j means %s', (text, mode) => {
    expect(chooseMode(wishes({ mode: text }))).toBe(mode);
  });

  it.each(['', 'private', 'tests', 'submit'])('%j is refused', (mode) => {
    expect(codeOf(() => chooseMode(wishes({ mode })))).toBe('unknown-mode');
  });
});

describe('the GPU types', () => {
  it('are those that option or header names, as the leaderboard spells them and each once', () => {
    expect(chooseGpus(wishes({ gpus: ['mi300', 'A100', 'MI300'] }), header(), board())).toEqual({
      gpus: ['MI300', 'A100'],
    });
    expect(chooseGpus(wishes(), header({ gpus: ['h100'] }), board())).toEqual({ gpus: ['H100'] });
  });

  it('may be named by both in another order', () => {
    const chosen = chooseGpus(
      wishes({ gpus: ['A100', 'H100'] }),
      header({ gpus: ['h100', 'a100'] }),
      board(),
    );
    expect(chosen).toEqual({ gpus: ['A100', 'H100'] });
  });

  it.each([
    [['A100'], ['H100']],
    [['A100'], ['A100', 'H100']],
    [['A100', 'H100'], ['A100']],
  ])('must be the same by option (%j) and header (%j)', (option, named) => {
    const act = () => chooseGpus(wishes({ gpus: option }), header({ gpus: named }), board());
    expect(codeOf(act)).toBe('header-contradicts-gpu');
  });

  it('must be among those of the leaderboard', () => {
    const error = refusalOf(() => chooseGpus(wishes({ gpus: ['B200'] }), header(), board()));
    expect(error.code).toBe('unknown-gpu');
    expect(error.next).toContain('A100, H100, MI300');
    expect(codeOf(() => chooseGpus(wishes({ gpus: ['A100'] }), header({ gpus: ['B200'] }), board()))).toBe(
      'unknown-gpu',
    );
  });

  it('are asked for only where there is a choice', () => {
    expect(chooseGpus(wishes(), header(), board())).toEqual({ askAmong: ['A100', 'H100', 'MI300'] });
    expect(chooseGpus(wishes(), header(), board({ gpus: ['CPU'] }))).toEqual({ gpus: ['CPU'] });
  });
});
