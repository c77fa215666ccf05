/** A box looks through an archive itself when it unpacks it: the same hostile ones, and nothing lands outside. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type TarEntry, tarBomb, tarGz } from '../support/tar-archive.ts';
import { type ZipEntry, zipOf } from '../support/zip-archive.ts';

const RUNNER = join(import.meta.dirname, '../../deploy/box/runner');
const tar = (entry: TarEntry) => tarGz([{ name: 'f/vllm/a.py', content: 'a' }, entry]);
const zip = (entry: ZipEntry) => zipOf([{ name: 'f/vllm/a.py', content: 'a' }, entry]);

/** Name, archive, and what is said of it; a number: so many files were written. */
const cases: [string, Uint8Array, string | number][] = [
  ['honest tar', tar({ name: 'f/b.py', content: 'b' }), 2],
  ['honest zip', zip({ name: 'f/b.py', content: 'b' }), 2],
  ['link inside', tar({ name: 'f/l', type: '2', link: 'vllm/a.py' }), 1],
  ['hard link inside', tar({ name: 'f/h', type: '1', link: 'f/vllm/a.py' }), 1],
  ['zip link inside', zip({ name: 'f/l', content: 'vllm/a.py', mode: 0o120777 }), 1],
  ['climbing tar', tar({ name: '../evil', content: 'x' }), "'../evil' leads out of the archive"],
  ['climbing zip', zip({ name: 'f/../../evil', content: 'x' }), 'leads out of the archive'],
  ['absolute tar', tar({ name: '/tmp/evil', content: 'x' }), "'/tmp/evil' is not a relative path"],
  ['backslash', zip({ name: 'f\\..\\..\\evil', content: 'x' }), 'is not a relative path'],
  ['link out', tar({ name: 'f/l', type: '2', link: '../../evil' }), "the link 'f/l' leads out"],
  ['link to the root', tar({ name: 'f/l', type: '2', link: '/etc/passwd' }), "the link 'f/l' leads out"],
  ['hard link out', tar({ name: 'f/h', type: '1', link: '../../evil' }), 'leads out of the archive'],
  ['zip link out', zip({ name: 'f/l', content: '../../evil', mode: 0o120777 }), "the link 'f/l' leads out"],
  ['device', tar({ name: 'f/d', type: '3' }), "'f/d' is a device or pipe"],
  ['zip device', zip({ name: 'f/d', mode: 0o020666 }), "'f/d' is a device or pipe"],
  ['encrypted', zip({ name: 'f/e', content: 'x', flags: 1 }), 'it is encrypted'],
  ['bomb', tarBomb(12), 'it is larger than 8 MiB when unpacked'],
  ['many', tarGz(Array.from({ length: 20_001 }, (_, n) => ({ name: `f/${n}` }))), 'more than 20000 entries'],
  ['cut off', tar({ name: 'f/b.py', content: 'b' }).subarray(0, 40), 'it is damaged'],
  ['no archive', Buffer.from('import os\n'), 'it is neither a .tar.gz nor a .zip'],
  [
    'written through a link',
    tarGz([
      { name: 'f/l', type: '2', link: 'vllm' },
      { name: 'f/l/x', content: 'x' },
    ]),
    "'f/l' is there twice",
  ],
];

const SCRIPT = `
import json, os, sys, tempfile
sys.path.insert(0, sys.argv[1])
import serving_unpack
serving_unpack.MOST_BYTES = 8 << 20
found = {}
for name in sorted(os.listdir(sys.argv[2])):
    folder = tempfile.mkdtemp(dir=sys.argv[3])
    with open(os.path.join(sys.argv[2], name), "rb") as source:
        try:
            found[name] = serving_unpack.unpack(source, folder)
        except serving_unpack.Unusable as error:
            found[name] = str(error)
print(json.dumps(found))
`;

let folder: string;
let found: Record<string, string | number>;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hotlap-unpack-'));
  for (const name of ['in', 'out']) mkdirSync(join(folder, name));
  for (const [name, bytes] of cases) writeFileSync(join(folder, 'in', name), bytes);
  const argv = ['-c', SCRIPT, RUNNER, join(folder, 'in'), join(folder, 'out')];
  found = JSON.parse(execFileSync('python3', argv, { encoding: 'utf8' }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.each(cases)('%s', (name, _, wanted) => {
  if (typeof wanted === 'number') expect(found[name]).toBe(wanted);
  else expect(found[name]).toContain(wanted);
});

it('nothing was written beside the folders that were given', () => {
  expect(readdirSync(folder).sort()).toEqual(['in', 'out']);
  expect(readdirSync(join(folder, 'out'))).toHaveLength(cases.length);
  expect(readdirSync(join(folder, 'out')).filter((name) => name.includes('evil'))).toEqual([]);
});
