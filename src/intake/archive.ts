/**
 * An archive as a submission: looked through before it is queued, and never unpacked here. What is kept of it is its bytes
 * and a listing, which is what people see of it wherever others see code.
 *
 * A box looks again when it unpacks it (deploy/box/runner/serving_unpack.py): two readers of a format may disagree.
 */
import { ArchiveError, type ArchiveRules, readArchive } from '../domain/archive.ts';
import { UserError } from '../domain/errors.ts';
import { ARCHIVE_EXTENSIONS, MAX_ARCHIVE_BYTES } from '../domain/serving-task.ts';
import type { Task } from '../domain/task.ts';
import { MAX_SOURCE_BYTES, type SourceFile } from './validate.ts';

const rules: ArchiveRules = {
  maxEntries: 20_000,
  maxBytes: 512 * 1024 * 1024,
  links: 'inside',
  contents: false,
};
const MAX_LISTED = 500;
/** Of packers on macOS; they say nothing of the tree. */
const chaff = /^(__MACOSX|\.DS_Store|\._[^/]*)(\/|$)/;

export function isArchiveName(name: string): boolean {
  return ARCHIVE_EXTENSIONS.some((extension) => name.toLowerCase().endsWith(extension));
}

/** How large a file of this name may be, whatever board it is for. */
export function maxBytesOf(name: string): number {
  return isArchiveName(name) ? MAX_ARCHIVE_BYTES : MAX_SOURCE_BYTES;
}

/** What is in it, as text. Throws UserError. */
export async function listArchive(file: SourceFile, task: Pick<Task, 'serving'>): Promise<string> {
  const { name, bytes } = file;
  if (bytes.length === 0) throw new UserError('file-empty', { file: name });
  if (bytes.length > MAX_ARCHIVE_BYTES) {
    throw new UserError('file-too-large', { file: name, size: bytes.length, limit: MAX_ARCHIVE_BYTES });
  }
  const files: { path: string; size: number }[] = [];
  let links: string[];
  try {
    const content = await readArchive(bytes, rules, (path, _none, size) => files.push({ path, size }));
    links = content.skipped;
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    throw new UserError('archive-unusable', { file: name, problem: error.message });
  }
  checkLayout(
    name,
    files.map((item) => item.path),
    task.serving?.engine.package ?? null,
  );
  return listing(files, links);
}

/** A fork has one folder at its top, and in it the package that it is a fork of. */
function checkLayout(file: string, paths: string[], packageName: string | null): void {
  const own = paths.filter((path) => !chaff.test(path));
  if (own.length === 0) throw new UserError('archive-unusable', { file, problem: 'there is no file in it' });
  if (packageName === null) return;
  const fork = { file, package: packageName };
  if (own.some((path) => path.startsWith(`${packageName}/`))) throw new UserError('archive-layout', fork);
  const tops = new Set(own.map((path) => path.split('/', 1)[0]));
  const [top] = tops;
  const isFork = tops.size === 1 && own.some((path) => path.startsWith(`${top}/${packageName}/`));
  if (!isFork) throw new UserError('archive-without-package', fork);
}

function listing(files: { path: string; size: number }[], links: string[]): string {
  const total = files.reduce((sum, item) => sum + item.size, 0);
  const targets = new Map(links.map((link) => [link.split(' -> ', 1)[0] ?? '', link]));
  const width = String(Math.max(0, ...files.map((item) => item.size))).length;
  const lines = files
    .toSorted((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, size }) => `${String(size).padStart(width)}  ${targets.get(path) ?? path}`);
  const more = lines.length > MAX_LISTED ? [`and ${lines.length - MAX_LISTED} more`] : [];
  const head = `An archive: ${files.length} ${files.length === 1 ? 'file' : 'files'}, ${total} bytes unpacked.`;
  return [head, '', ...lines.slice(0, MAX_LISTED), ...more, ''].join('\n');
}
