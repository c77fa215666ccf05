/**
 * The rules of the repository's layout, as data, and the check that holds a tree against them.
 * Nothing here runs the code it looks at: files are read as text, and type-only imports count like others.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/**
 * What the files of each area may import beside their own area. An area is a folder of `src`, a file of `src`, or a
 * folder at the top. `main.ts` and `app.ts` put the parts together and may import everything.
 */
const mayImport: Record<string, readonly string[]> = {
  'src/domain': [],
  'src/playground': [],
  'src/reports': ['src/domain'],
  'src/db': ['src/domain', 'src/log.ts'],
  'src/boxes': ['src/domain', 'src/log.ts'],
  'src/catalog': ['src/db', 'src/domain', 'src/log.ts'],
  'src/intake': ['src/db', 'src/domain', 'src/log.ts'],
  'src/scheduler': ['src/db', 'src/boxes', 'src/domain', 'src/log.ts'],
  'src/export': ['src/db', 'src/domain'],
  'src/discord': ['src/db', 'src/reports', 'src/domain', 'src/log.ts'],
  'src/api': ['src/export', 'src/intake', 'src/db', 'src/reports', 'src/domain', 'src/log.ts'],
  'src/problem-cli': ['src/catalog', 'src/boxes', 'src/intake', 'src/reports', 'src/domain', 'src/log.ts'],
  'src/config.ts': ['src/config-sign-in.ts', 'src/config-variable.ts'],
  'src/config-sign-in.ts': [],
  'src/config-variable.ts': [],
  'src/sync-command.ts': [
    'src/catalog',
    'src/db',
    'src/reports',
    'src/domain',
    'src/config.ts',
    'src/log.ts',
  ],
  'src/log.ts': ['src/config.ts'],
  commands: ['src/discord', 'src/export', 'src/intake', 'src/db', 'src/reports', 'src/domain', 'src/log.ts'],
};
const mayImportAll = ['src/main.ts', 'src/app.ts'];

/** Folders whose files are ours and follow the house rules. Problems follow the public format instead. */
const houseFolders = ['src', 'commands', 'tests', 'deploy', 'bench'];
const notOurs = /(^|\/)(node_modules|fixtures|__pycache__)(\/|$)/;
const forbiddenName = /(^|[-_.])(utils?|helpers?|common|managers?|services?)([-_.]|$)/;
const MAX_LINES = 400;

const importStatement =
  /(?:^|[;\n])\s*(?:import|export)\s[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|(?:^|[;\n])\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/g;
const defaultExport = /(^|\n)\s*export\s+(default\b|\{[^}]*\bas\s+default\b)/;
const sqlTemplate = /\b(sql|tx|db|connection)(<[^`;]*>)?`/;

interface SourceFile {
  /** Path from the root, with forward slashes. */
  name: string;
  text: string;
  imports: string[];
}

async function listFiles(root: string, folder: string): Promise<string[]> {
  const entries = await readdir(path.join(root, folder), { withFileTypes: true }).catch(() => []);
  const found = await Promise.all(
    entries.map(async (entry) => {
      const name = `${folder}/${entry.name}`;
      if (notOurs.test(name)) return [];
      return entry.isDirectory() ? listFiles(root, name) : [name];
    }),
  );
  return found.flat().sort();
}

/** Comments may quote what code may not do. Whole-line comments only: that is how the house writes them. */
function withoutComments(text: string): string {
  return text.replace(/^\s*(\/\/|\*|\/\*).*$/gm, '');
}

async function readSource(root: string, name: string): Promise<SourceFile> {
  const text = await readFile(path.join(root, name), 'utf8');
  const imports = [...withoutComments(text).matchAll(importStatement)].map((match) => {
    const target = match[1] ?? match[2] ?? match[3] ?? '';
    return target.startsWith('.')
      ? path.posix.normalize(path.posix.join(path.posix.dirname(name), target))
      : target;
  });
  return { name, text, imports };
}

function areaOf(name: string): string {
  const [top = '', second = ''] = name.split('/');
  return top === 'src' ? `src/${second}` : top;
}

function checkImports(file: SourceFile): string[] {
  const area = areaOf(file.name);
  const faults: string[] = [];
  const allowed = mayImport[area];
  if (!allowed && !mayImportAll.includes(file.name)) {
    return [`${file.name}: ${area} is not in the import table of tests/support/layout.ts`];
  }
  for (const target of file.imports) {
    if (target === 'postgres' && area !== 'src/db') faults.push(`${file.name}: only src/db imports postgres`);
    const inTree = /^(src|commands|tests|bench|deploy)\//.test(target);
    if (!inTree || mayImportAll.includes(file.name) || areaOf(target) === area) continue;
    if (!allowed?.includes(areaOf(target))) faults.push(`${file.name}: ${area} may not import ${target}`);
  }
  return faults;
}

/** Reports each cycle once, by the path that closes it. */
function findCycles(files: SourceFile[]): string[] {
  const byName = new Map(files.map((file) => [file.name, file]));
  const finished = new Set<string>();
  const faults: string[] = [];
  const visit = (name: string, trail: string[]): void => {
    const seenAt = trail.indexOf(name);
    if (seenAt >= 0) {
      faults.push(`cycle: ${[...trail.slice(seenAt), name].join(' -> ')}`);
      return;
    }
    const file = byName.get(name);
    if (!file || finished.has(name)) return;
    for (const target of file.imports) visit(target, [...trail, name]);
    finished.add(name);
  };
  for (const file of files) visit(file.name, []);
  return faults;
}

/**
 * A command's file is named after it, so that a command is found by its name. The list of them is `index.ts`; a folder
 * holds the parts of the command of its name.
 */
function checkCommandName(file: SourceFile): string[] {
  if (!/^commands\/[^/]+$/.test(file.name) || file.name === 'commands/index.ts') return [];
  const command = /\.setName\(\s*'([^']+)'/.exec(file.text)?.[1];
  const expected = path.posix.basename(file.name, '.ts');
  if (command === expected) return [];
  return [`${file.name}: declares ${command ? `/${command}` : 'no command'}; a command's file has its name`];
}

function checkText(file: SourceFile): string[] {
  const faults: string[] = [];
  const code = withoutComments(file.text);
  if (defaultExport.test(code) && !file.name.endsWith('.config.ts'))
    faults.push(`${file.name}: default export`);
  const product = file.name.startsWith('src/') || file.name.startsWith('commands/');
  if (product && areaOf(file.name) !== 'src/db' && sqlTemplate.test(code)) {
    faults.push(`${file.name}: SQL outside of src/db`);
  }
  return faults;
}

async function checkNameAndSize(root: string, name: string): Promise<string[]> {
  const faults: string[] = [];
  const base = path.posix.basename(name);
  if (forbiddenName.test(base)) faults.push(`${name}: a name that says nothing (${base})`);
  if (/\.(ts|mjs|py|sh|css)$/.test(name)) {
    const lines = (await readFile(path.join(root, name), 'utf8')).split('\n').length - 1;
    if (lines > MAX_LINES) faults.push(`${name}: ${lines} lines; ${MAX_LINES} at the most`);
  }
  if (/\.ts$/.test(name) && !/^[a-z0-9]+([-.][a-z0-9]+)*\.ts$/.test(base))
    faults.push(`${name}: not kebab-case`);
  return faults;
}

/** Holds the tree below `root` against every rule. Returns one sentence per fault; none means that it is in order. */
export async function checkLayout(root: string): Promise<string[]> {
  const all = (await Promise.all(houseFolders.map((folder) => listFiles(root, folder)))).flat();
  const sources = await Promise.all(
    all.filter((name) => name.endsWith('.ts')).map((name) => readSource(root, name)),
  );
  const product = sources.filter((file) => /^(src|commands)\//.test(file.name));
  return [
    ...product.flatMap(checkImports),
    ...findCycles(product),
    ...product.flatMap(checkCommandName),
    ...sources.flatMap(checkText),
    ...(await Promise.all(all.map((name) => checkNameAndSize(root, name)))).flat(),
  ];
}
