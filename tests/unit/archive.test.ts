/** What an archive may do to us: nothing. Every refusal is a sentence, and no byte of it lands outside its own folder. */
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSource } from '../../src/catalog/source.ts';
import { ArchiveError, type ArchiveRules, readArchive } from '../../src/domain/archive.ts';
import { UserError } from '../../src/domain/errors.ts';
import { type TarEntry, tarBomb, tarGz, tarOf } from '../support/tar-archive.ts';
import { zipOf } from '../support/zip-archive.ts';

const rules: ArchiveRules = { maxEntries: 50, maxBytes: 100_000, links: 'refuse' };

async function unpack(bytes: Uint8Array, changed: Partial<ArchiveRules> = {}) {
  const files: Record<string, string> = {};
  const content = await readArchive(bytes, { ...rules, ...changed }, (path, body) => {
    files[path] = body.toString();
  });
  return { files, ...content };
}

describe('an honest archive', () => {
  const files = {
    'set.yaml': 'name: x\n',
    'set/one/task.yml': 'lang: py\n',
    'set/ünï.txt': 'ü',
    'empty.txt': '',
  };

  it('is read from .zip and from .tar.gz alike', async () => {
    const entries: TarEntry[] = [
      { name: './', type: '5' },
      { name: './set/', type: '5' },
      ...Object.entries(files).map(([name, content]) => ({ name: `./${name}`, content })),
    ];
    expect((await unpack(zipOf(files))).files).toEqual(files);
    expect((await unpack(tarGz(entries))).files).toEqual(files);
  });

  it('gives back what went in, whatever that was', async () => {
    const name = fc.stringMatching(/^[a-z]{1,8}(\/[a-z]{1,8}){0,3}\.txt$/);
    const some = fc.dictionary(name, fc.uint8Array({ maxLength: 2000 }), { minKeys: 1, maxKeys: 12 });
    await fc.assert(
      fc.asyncProperty(some, async (content) => {
        const read: Record<string, number[]> = {};
        const keep = (path: string, body: Buffer) => {
          read[path] = [...body];
        };
        const wanted = Object.fromEntries(Object.entries(content).map(([key, body]) => [key, [...body]]));
        const tar = tarGz(Object.entries(content).map(([key, body]) => ({ name: key, content: body })));
        await readArchive(tar, rules, keep);
        expect(read).toEqual(wanted);
        for (const key of Object.keys(read)) delete read[key];
        await readArchive(zipOf(content), rules, keep);
        expect(read).toEqual(wanted);
      }),
      { numRuns: 40 },
    );
  });

  it('may hold links where they are left out and reported', async () => {
    const tar = tarGz([
      { name: 'a.txt', content: 'a' },
      { name: 'l', type: '2', link: '/etc/passwd' },
    ]);
    expect(await unpack(tar, { links: 'skip' })).toMatchObject({ files: { 'a.txt': 'a' }, skipped: ['l'] });
  });
});

const many = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`d/${index}`, '']));

/** Each with a word of the sentence that it must get. */
const hostile: [string, () => Uint8Array, RegExp][] = [
  ['a zip that climbs out', () => zipOf({ '../evil.txt': 'x' }), /leaves the archive/],
  ['a zip that climbs out from below', () => zipOf({ 'a/../../evil.txt': 'x' }), /leaves the archive/],
  ['a zip with an absolute path', () => zipOf({ '/tmp/evil.txt': 'x' }), /leaves the archive|absolute/],
  ['a zip with a drive letter', () => zipOf({ 'C:/evil.txt': 'x' }), /leaves the archive|absolute/],
  ['a zip with backslashes', () => zipOf({ '..\\evil.txt': 'x' }), /backslash/],
  ['a zip with a NUL in a name', () => zipOf({ 'a\u0000b': 'x' }), /control character/],
  [
    'a zip with a symbolic link',
    () => zipOf([{ name: 'link', content: '/etc/passwd', mode: 0o120777 }]),
    /is a link/,
  ],
  ['a zip with a device', () => zipOf([{ name: 'dev', mode: 0o020666 }]), /neither a file nor a folder/],
  ['an encrypted zip', () => zipOf([{ name: 'a', content: 'x', flags: 1 }]), /encrypted/],
  ['a zip of 100,000 files', () => zipOf(many(100_000)), /more than 50 files/],
  ['a zip that is a bomb', () => zipOf({ a: '0'.repeat(5_000_000) }), /unpacks to more/],
  [
    'a zip of many files that are a bomb together',
    () => zipOf({ a: '0'.repeat(60_000), b: '1'.repeat(60_000) }),
    /unpacks to more/,
  ],
  ['a zip that is cut off', () => zipOf({ a: 'x'.repeat(999) }).slice(0, 60), /damaged/],
  ['a zip with a name twice but for a dot', () => zipOf({ 'a/x': '1', 'a/./x': '2' }), /twice/],
  ['a zip with a file where a folder is', () => zipOf({ a: '1', 'a/b': '2' }), /file and as a folder/],
  ['a zip with an endless path', () => zipOf({ [`${'d/'.repeat(60)}x`]: '1' }), /too long/],
  ['a zip with an endless name', () => zipOf({ ['n'.repeat(300)]: '1' }), /too long/],
  ['a tar that climbs out', () => tarGz([{ name: '../evil.txt', content: 'x' }]), /leaves the archive/],
  ['a tar with an absolute path', () => tarGz([{ name: '/tmp/evil.txt', content: 'x' }]), /absolute/],
  ['a tar with a symbolic link', () => tarGz([{ name: 'l', type: '2', link: '/tmp' }]), /is a link/],
  [
    'a tar that writes through its own link',
    () =>
      tarGz([
        { name: 'l', type: '2', link: '/tmp' },
        { name: 'l/evil.txt', content: 'x' },
      ]),
    /is a link/,
  ],
  ['a tar with a hard link', () => tarGz([{ name: 'h', type: '1', link: '../../etc/passwd' }]), /is a link/],
  ['a tar with a device', () => tarGz([{ name: 'd', type: '3' }]), /neither a file nor a folder/],
  [
    'a tar with a file as a folder',
    () =>
      tarGz([
        { name: 'a', content: '1' },
        { name: 'a/b', content: '2' },
      ]),
    /file and as a folder/,
  ],
  [
    'a tar with a folder as a file',
    () =>
      tarGz([
        { name: 'a/b', content: '1' },
        { name: 'a', content: '2' },
      ]),
    /file and as a folder/,
  ],
  [
    'a tar of 100,000 files',
    () => tarGz(Object.keys(many(100_000)).map((name) => ({ name }))),
    /more than 50 files/,
  ],
  ['a tar that is a bomb', () => tarBomb(120), /unpacks to more/],
  ['a tar of nothing but padding', () => gzipSync(Buffer.alloc(5_000_000)), /unpacks to more|damaged/],
  [
    'a tar with a header of 20 MB',
    () => tarGz([{ name: 'p', type: 'x', content: '1'.repeat(20_000_000) }]),
    /unpacks to more|damaged/,
  ],
  [
    'a tar that is compressed twice',
    () => gzipSync(tarGz([{ name: 'a', content: 'x' }])),
    /compressed twice/,
  ],
  [
    'a tar that is compressed twice, the second time with zstd',
    () => gzipSync(zstdCompressSync(tarOf([{ name: 'a', content: 'x' }]))),
    /damaged/,
  ],
  [
    'a tar that is cut off',
    () => gzipSync(tarOf([{ name: 'a', content: 'x'.repeat(4000) }]).subarray(0, 1500)),
    /damaged/,
  ],
  [
    'a gzip that is cut off',
    () => tarGz([{ name: 'a', content: 'x'.repeat(4000) }]).subarray(0, 40),
    /damaged/,
  ],
  ['a gzip of something else', () => gzipSync('hello '.repeat(300)), /damaged/],
  [
    'a tar without compression',
    () => tarOf([{ name: 'a', content: 'x' }]),
    /neither a \.zip nor a \.tar\.gz/,
  ],
  ['a picture', () => Buffer.from('\x89PNG\r\n'), /neither a \.zip nor a \.tar\.gz/],
  ['no byte at all', () => new Uint8Array(), /empty/],
];

describe('a hostile archive', () => {
  it.each(hostile)('is refused in a sentence: %s', async (_, make, sentence) => {
    const failure = await unpack(make()).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ArchiveError);
    expect((failure as Error).message).toMatch(sentence);
  });

  it('is refused, or read to its end, whatever its bytes are', async () => {
    const honest = [
      zipOf({ 'a/b.txt': 'hello', c: 'x'.repeat(500) }),
      tarGz([{ name: 'a/b', content: 'hello' }]),
    ];
    const mutated = fc.record({
      from: fc.constantFrom(...honest),
      edits: fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { minLength: 1, maxLength: 6 }),
    });
    await fc.assert(
      fc.asyncProperty(mutated, async ({ from, edits }) => {
        const bytes = Uint8Array.from(from);
        for (const [at, value] of edits) bytes[at % bytes.length] = value;
        const result = await unpack(bytes).catch((error: unknown) => error);
        if (result instanceof Error) expect(result).toBeInstanceOf(ArchiveError);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a hostile archive that is unpacked as problems', () => {
  let outer: string;
  const before = process.env.TMPDIR;
  beforeAll(async () => {
    outer = await mkdtemp(join(tmpdir(), 'hotlap-test-archive-'));
    await mkdir(join(outer, 'tmp'));
    process.env.TMPDIR = join(outer, 'tmp');
  });
  afterAll(async () => {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    await rm(outer, { recursive: true, force: true });
  });

  it('leaves nothing behind, neither in the temporary folder nor beside it', async () => {
    for (const [name, make] of hostile) {
      const failure = await openSource({ kind: 'archive', name: 'set.zip', bytes: make() }).then(
        async (source) => {
          // What is within the larger limits of problems, and holds none.
          await source.close();
          return null;
        },
        (error: unknown) => error,
      );
      expect(failure, name).toBeInstanceOf(UserError);
      // Some of them keep to the larger limits that problems have, and hold none.
      const { code, text } = failure as UserError;
      if (code !== 'no-problem-sets') expect(text, name).toMatch(/^`set\.zip` was not unpacked: /);
      expect(await readdir(join(outer, 'tmp')), name).toEqual([]);
      expect(await readdir(outer), name).toEqual(['tmp']);
    }
  });

  it('is removed when its reader has done with it', async () => {
    const bytes = zipOf({ 'repo-main/problems/s.yaml': 'name: s\n', 'repo-main/README.md': 'x' });
    const source = await openSource({ kind: 'archive', name: 'repo.zip', bytes });
    expect(source.root.endsWith('repo-main/problems')).toBe(true);
    expect(await readdir(source.root)).toEqual(['s.yaml']);
    await source.close();
    expect(await readdir(join(outer, 'tmp'))).toEqual([]);
  });
});
