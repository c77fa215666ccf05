/** Archives as submissions: what is refused before it is queued, in which words, and what people see of the others. */
import { describe, expect, it } from 'vitest';
import { engineProfiles } from '../../src/domain/engine-profiles.ts';
import { UserError } from '../../src/domain/errors.ts';
import { MAX_ARCHIVE_BYTES } from '../../src/domain/serving-task.ts';
import type { Task } from '../../src/domain/task.ts';
import { isArchiveName, listArchive, maxBytesOf } from '../../src/intake/archive.ts';
import { MAX_SOURCE_BYTES } from '../../src/intake/validate.ts';
import { type TarEntry, tarBomb, tarGz } from '../support/tar-archive.ts';
import { type ZipEntry, zipOf } from '../support/zip-archive.ts';

const board = (engine: keyof typeof engineProfiles = 'vllm') =>
  ({ serving: { engine: engineProfiles[engine] } }) as unknown as Pick<Task, 'serving'>;
const list = (bytes: Uint8Array, name = 'fork.tar.gz', engine: keyof typeof engineProfiles = 'vllm') =>
  listArchive({ name, bytes }, board(engine));
const fork: TarEntry[] = [
  { name: 'vllm-fork/', type: '5' },
  { name: 'vllm-fork/vllm/__init__.py', content: 'x = 1\n' },
  { name: 'vllm-fork/setup.py', content: '' },
];

describe('an honest archive', () => {
  it('is listed by name and size, from a tar and from a zip alike', async () => {
    const text =
      'An archive: 2 files, 6 bytes unpacked.\n\n0  vllm-fork/setup.py\n6  vllm-fork/vllm/__init__.py\n';
    expect(await list(tarGz(fork))).toBe(text);
    const zip = zipOf({ 'vllm-fork/vllm/__init__.py': 'x = 1\n', 'vllm-fork/setup.py': '' });
    expect(await list(zip, 'FORK.ZIP')).toBe(text);
  });

  it('may hold links that stay inside, and what packers on macOS leave', async () => {
    const links: TarEntry[] = [
      { name: 'vllm-fork/vllm/b.py', type: '2', link: '../setup.py' },
      { name: 'vllm-fork/vllm/c.py', type: '1', link: 'vllm-fork/setup.py' },
      { name: '._vllm-fork', content: 'chaff' },
      { name: '__MACOSX/x', content: 'chaff' },
    ];
    const text = await list(tarGz([...fork, ...links]));
    expect(text).toContain('vllm-fork/vllm/b.py -> vllm-fork/setup.py\n');
    expect(text).toContain('vllm-fork/vllm/c.py -> vllm-fork/setup.py\n');
    const zip: ZipEntry[] = [
      { name: 'f/vllm/a.py', content: 'a' },
      { name: 'f/vllm/b.py', content: 'a.py', mode: 0o120777 },
    ];
    expect(await list(zipOf(zip))).toContain('f/vllm/b.py -> f/vllm/a.py\n');
  });

  it('is cut where it is long', async () => {
    const many = Array.from({ length: 700 }, (_, n) => ({ name: `f/vllm/${n}.py`, content: '' }));
    const text = await list(tarGz(many));
    expect(text.split('\n')).toHaveLength(504);
    expect(text).toContain('and 200 more\n');
  });

  it('has its own limit of size, by its name', () => {
    expect(['a.tar.gz', 'a.TGZ', 'a.zip', 'a.gz', 'a.py', 'zip'].map(isArchiveName)).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
    expect([maxBytesOf('a.zip'), maxBytesOf('a.py')]).toEqual([MAX_ARCHIVE_BYTES, MAX_SOURCE_BYTES]);
  });

  it('needs no package where it is the engine itself', async () => {
    expect(await list(tarGz([{ name: 'serve', content: '#!/bin/sh' }]), 'e.tgz', 'openai')).toContain(
      'serve',
    );
  });
});

const evil = (entry: TarEntry) => () => tarGz([...fork, entry]);
const zipped = (entry: ZipEntry) => () => zipOf([{ name: 'f/vllm/a.py', content: 'a' }, entry]);

/** Each with the code of its refusal and a word of the sentence. */
const hostile: [string, () => Uint8Array, string, RegExp][] = [
  ['climbs out', evil({ name: '../evil.py', content: '' }), 'archive-unusable', /leaves the archive/],
  ['climbs out, as a zip', zipped({ name: 'f/../../evil.py' }), 'archive-unusable', /leaves the archive/],
  ['is absolute', evil({ name: '/etc/passwd', content: '' }), 'archive-unusable', /absolute path/],
  ['links out', evil({ name: 'vllm-fork/l', type: '2', link: '../../etc' }), 'archive-unusable', /leads out/],
  [
    'links to the root',
    evil({ name: 'vllm-fork/l', type: '2', link: '/etc' }),
    'archive-unusable',
    /leads out/,
  ],
  ['links out hard', evil({ name: 'vllm-fork/h', type: '1', link: '../x' }), 'archive-unusable', /leads out/],
  [
    'links out, as a zip',
    zipped({ name: 'f/l', content: '../../etc/passwd', mode: 0o120777 }),
    'archive-unusable',
    /leads out/,
  ],
  [
    'writes through a link',
    () =>
      tarGz([
        ...fork,
        { name: 'vllm-fork/l', type: '2', link: 'vllm' },
        { name: 'vllm-fork/l/x', content: '' },
      ]),
    'archive-unusable',
    /file and as a folder/,
  ],
  [
    'has a device',
    evil({ name: 'vllm-fork/d', type: '3' }),
    'archive-unusable',
    /neither a file nor a folder/,
  ],
  ['has a device, as a zip', zipped({ name: 'f/d', mode: 0o020666 }), 'archive-unusable', /neither a file/],
  ['is encrypted', zipped({ name: 'f/e', content: 'x', flags: 1 }), 'archive-unusable', /is encrypted/],
  ['is a bomb', () => tarBomb(600), 'archive-unusable', /unpacks to more than 536 MB/],
  [
    'has 20,001 files',
    () => tarGz(Array.from({ length: 20_001 }, (_, n) => ({ name: `f/vllm/${n}` }))),
    'archive-unusable',
    /more than 20000 files/,
  ],
  ['is damaged', () => tarGz(fork).subarray(0, 60), 'archive-unusable', /is damaged/],
  ['is no archive', () => Buffer.from('import os\n'), 'archive-unusable', /neither a \.zip nor a \.tar\.gz/],
  ['is empty', () => new Uint8Array(), 'file-empty', /is empty/],
  ['holds no file', () => tarGz([{ name: 'vllm-fork/', type: '5' }]), 'archive-unusable', /no file in it/],
  ['is larger than 50 MB', () => new Uint8Array(MAX_ARCHIVE_BYTES + 1), 'file-too-large', /at most 52428800/],
  [
    'has a bare package at its top',
    () => tarGz([{ name: 'vllm/__init__.py', content: '' }]),
    'archive-layout',
    /a bare `vllm\/` at its top/,
  ],
  [
    'has the package at its top beside other things',
    () => tarGz([{ name: 'setup.py' }, { name: 'vllm/__init__.py' }]),
    'archive-layout',
    /a bare `vllm\/`/,
  ],
  [
    'is something else',
    () => tarGz([{ name: 'f/sglang/a.py' }]),
    'archive-without-package',
    /no fork of `vllm`/,
  ],
];

describe('an archive that', () => {
  it.each(hostile)('%s is refused', async (_, make, code, sentence) => {
    const failure = await list(make()).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UserError);
    expect(failure).toMatchObject({ code, text: expect.stringMatching(sentence) });
  });

  it('has a bare package is told the shape that works', async () => {
    const failure = await list(tarGz([{ name: 'vllm/a.py' }])).catch((error: unknown) => error);
    expect((failure as UserError).next).toBe(
      'Put it one folder down, as `vllm-fork/vllm/`, and submit it again.',
    );
  });
});
