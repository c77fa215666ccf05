/**
 * A problem that no set names yet. The catalog reads sets, so one is made for it: in a temporary folder, beside copies of
 * exactly the files that its task.yml lists, in the same places to each other. Nothing is written where the problem lies.
 */
import { copyFile, mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { parseDocument } from 'yaml';
import { type Catalog, loadCatalog } from '../catalog/load.ts';

/** What is larger is refused by the catalog for its size, so only the size is copied. */
const MAX_COPIED_BYTES = 2_000_000;

export interface LoneProblem {
  /** The folder that all files of the problem are in. */
  root: string;
  catalog: Catalog;
  /** False: neither a set nor the task names a GPU type; the entry says CPU. */
  namesGpus: boolean;
}

/** `directory` is absolute and holds a task.yml. */
export async function loadLoneProblem(directory: string): Promise<LoneProblem> {
  const task = readTaskOutline(await readFile(join(directory, 'task.yml'), 'utf8').catch(() => ''));
  const files = [join(directory, 'task.yml'), ...task.sources.map((source) => resolve(directory, source))];
  const root = files.map(dirname).reduce(sharedFolder);
  const copy = await mkdtemp(join(tmpdir(), 'hotlap-problem-'));
  try {
    for (const file of files) await copyOne(file, join(copy, relative(root, file)));
    const entry = {
      directory: relative(root, directory) || '.',
      name: basename(directory)
        .replace(/[^A-Za-z0-9_.-]/g, '_')
        .slice(0, 100),
      ...(!task.namesGpus && { gpus: ['CPU'] }),
    };
    // JSON is YAML.
    await writeFile(join(copy, 'hotlap.yaml'), JSON.stringify({ name: entry.name, problems: [entry] }));
    return { root, catalog: await loadCatalog(copy), namesGpus: task.namesGpus };
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

/** As far as it can be told: the task may be at fault, and then the catalog says so. */
function readTaskOutline(text: string): { sources: string[]; namesGpus: boolean } {
  let task: Record<string, unknown> = {};
  try {
    task = (parseDocument(text).toJS() ?? {}) as Record<string, unknown>;
  } catch {
    // An alias that leads nowhere.
  }
  const files: unknown[] = Array.isArray(task.files) ? task.files : [];
  const sources = files.map((file) => (file as { source?: unknown } | null)?.source);
  const templates = Object.values((task.templates ?? {}) as Record<string, unknown>);
  return {
    sources: [...sources, ...templates].filter(
      (source): source is string => typeof source === 'string' && source !== '@SUBMISSION@',
    ),
    namesGpus: Array.isArray(task.gpus) && task.gpus.length > 0,
  };
}

function sharedFolder(a: string, b: string): string {
  const [left, right] = [a.split(sep), b.split(sep)];
  const length = left.findIndex((part, index) => part !== right[index]);
  return left.slice(0, length === -1 ? left.length : length).join(sep) || sep;
}

async function copyOne(from: string, to: string): Promise<void> {
  const found = await stat(from).catch(() => null);
  if (!found?.isFile()) return;
  await mkdir(dirname(to), { recursive: true });
  if (found.size <= MAX_COPIED_BYTES) return copyFile(from, to);
  await writeFile(to, '');
  await truncate(to, found.size);
}
