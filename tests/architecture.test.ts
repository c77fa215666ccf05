import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { renderEnvExample } from '../src/config.ts';
import { checkLayout } from './support/layout.ts';

const repository = path.resolve(import.meta.dirname, '..');

describe('this repository', () => {
  it('follows the layout, the import table and the house rules', async () => {
    expect(await checkLayout(repository)).toEqual([]);
  });

  it('has an .env.example with exactly the variables of the code, each with its comment and default', async () => {
    expect(await readFile(path.join(repository, '.env.example'), 'utf8')).toBe(renderEnvExample());
  });
});

describe('the check of the layout', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'hotlap-test-layout-'));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  async function faultsOf(files: Record<string, string>): Promise<string[]> {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(path.dirname(path.join(root, name)), { recursive: true });
      await writeFile(path.join(root, name), text);
    }
    return checkLayout(root);
  }

  it('accepts a tree in order', async () => {
    const faults = await faultsOf({
      'src/app.ts': "import { claim } from './db/jobs.ts';\nimport { score } from './domain/score.ts';\n",
      'src/domain/score.ts': 'export const score = 1;\n',
      'src/db/jobs.ts':
        "import postgres from 'postgres';\nimport { score } from '../domain/score.ts';\nsql`select 1`;\n",
      'src/intake/accept.ts':
        "// Never write sql`select 1` here.\nimport type { Db } from '../db/client.ts';\n",
      'commands/submit.ts': ".setName('submit').addOption((option) => option.setName('file'))\n",
      'commands/index.ts': "import { submit } from './submit.ts';\n",
      'tests/unit/score.test.ts': "import { score } from '../../src/domain/score.ts';\n",
      'tests/fixtures/utils.py': 'pass\n',
    });
    expect(faults).toEqual([]);
  });

  it.each([
    ['src/domain/rank.ts', "import { sql } from '../db/client.ts';"],
    ['src/domain/rank.ts', "import type { Log } from '../log.ts';"],
    ['src/domain/rank.ts', "import {\n  a,\n  type B,\n} from '../boxes/ssh.ts';"],
    ['src/domain/rank.ts', "import '../boxes/ssh.ts';"],
    ['src/domain/rank.ts', "const a = await import('../boxes/ssh.ts');"],
    ['src/domain/rank.ts', "export { a } from '../boxes/ssh.ts';"],
    ['src/playground/world.ts', "import { ids } from '../domain/ids.ts';"],
    ['src/scheduler/lanes.ts', "import { client } from '../discord/client.ts';"],
    ['src/discord/dispatch.ts', "import { Scheduler } from '../scheduler/scheduler.ts';"],
    ['src/intake/accept.ts', "import { parseConfig } from '../config.ts';"],
    ['commands/submit.ts', ".setName('submit');\nimport { run } from '../src/boxes/run-on-box.ts';"],
    ['src/db/jobs.ts', "import { database } from '../../tests/support/database.ts';"],
  ])('refuses a forbidden import: %s with %s', async (name, text) => {
    expect(await faultsOf({ [name]: text })).toEqual([expect.stringContaining('may not import')]);
  });

  it('refuses an area that the table does not know', async () => {
    expect(await faultsOf({ 'src/billing/invoice.ts': '' })).toEqual([
      expect.stringContaining('import table'),
    ]);
  });

  it('finds a cycle, also one through types and several files', async () => {
    const faults = await faultsOf({
      'src/domain/a.ts': "import { b } from './b.ts';\n",
      'src/domain/b.ts': "import type { C } from './c.ts';\n",
      'src/domain/c.ts': "import { a } from './a.ts';\n",
    });
    expect(faults).toEqual([
      'cycle: src/domain/a.ts -> src/domain/b.ts -> src/domain/c.ts -> src/domain/a.ts',
    ]);
  });

  it.each([
    ['src/intake/accept.ts', 'await sql`select 1`;'],
    ['src/discord/announcer.ts', 'await tx<Row[]>`delete from outbox`;'],
    ['src/app.ts', 'await context.sql<{ a: 1 }[]>`select 1`;'],
  ])('refuses SQL outside of src/db: %s with %s', async (name, text) => {
    expect(await faultsOf({ [name]: text })).toEqual([`${name}: SQL outside of src/db`]);
  });

  it('refuses the database driver outside of src/db, even in the wiring', async () => {
    const faults = await faultsOf({ 'src/app.ts': "import postgres from 'postgres';\n" });
    expect(faults).toEqual(['src/app.ts: only src/db imports postgres']);
  });

  it.each(['export default class A {}', 'const a = 1;\nexport { a as default };'])(
    'refuses a default export: %s',
    async (text) => {
      expect(await faultsOf({ 'src/domain/a.ts': text })).toEqual(['src/domain/a.ts: default export']);
    },
  );

  it.each(['utils.ts', 'date-helpers.ts', 'common.ts', 'box-manager.ts', 'service.ts'])(
    'refuses the file name %s',
    async (base) => {
      expect(await faultsOf({ [`src/domain/${base}`]: '' })).toEqual([
        expect.stringContaining('says nothing'),
      ]);
    },
  );

  it('refuses a file that is too long, a name in another case, and a command under another name', async () => {
    const faults = await faultsOf({
      'src/domain/long.ts': 'a;\n'.repeat(401),
      'src/domain/rankOf.ts': '',
      'commands/submit.ts': ".setName('send')\n",
    });
    expect(faults).toEqual([
      "commands/submit.ts: declares /send; a command's file has its name",
      'src/domain/long.ts: 401 lines; 400 at the most',
      'src/domain/rankOf.ts: not kebab-case',
    ]);
  });
});
