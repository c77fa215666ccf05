/**
 * Reading an uploaded .zip or .tar.gz without trusting a byte of it.
 *
 * Nothing here writes to disk: files are handed over one by one, under paths that have been checked. Every limit is
 * counted on what really comes out, never on what a header claims. The first thing that is wrong ends the reading with
 * an `ArchiveError`, so a caller keeps what it was given only when the whole archive was good.
 */
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Parser, type ReadEntry } from 'tar';
import { type Entry, fromBufferPromise, type ZipFile } from 'yauzl';

/** A sentence for the person who sent the archive; it goes after "was not unpacked: ". */
export class ArchiveError extends Error {
  override name = 'ArchiveError';
}

export interface ArchiveRules {
  maxEntries: number;
  /** Of all files together, unpacked. */
  maxBytes: number;
  /**
   * `skip` leaves links out and reports them; `refuse` is for archives from people; `inside` is too, where links that
   * stay inside of the archive belong to it: they are reported as `path -> target`.
   */
  links: 'refuse' | 'skip' | 'inside';
  /** False: bytes are counted, and never kept. */
  contents?: boolean;
}

export interface ArchiveContent {
  count: number;
  /** Links that were left out, or seen to stay inside. */
  skipped: string[];
}

/** `bytes` are empty where contents are not kept; `size` is always the file's. */
type OnFile = (path: string, bytes: Buffer, size: number) => void;

/** Reads a .zip or a .tar.gz, told apart by their first bytes. Paths have forward slashes and no `.` or `..`. */
export async function readArchive(
  bytes: Uint8Array,
  rules: ArchiveRules,
  onFile: OnFile,
): Promise<ArchiveContent> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length === 0) throw new ArchiveError('it is empty');
  if (buffer[0] === 0x1f && buffer[1] === 0x8b) {
    const unpacked = Readable.from([buffer]).pipe(createGunzip());
    return readTar(unpacked, rules, onFile);
  }
  // The second one is a zip without any file.
  if ([0x04034b50, 0x06054b50].includes(buffer.length >= 4 ? buffer.readUInt32LE(0) : 0)) {
    return readZip(buffer, rules, onFile);
  }
  throw new ArchiveError('it is neither a .zip nor a .tar.gz file');
}

/** What has come out so far, and every rule that holds for both formats. */
class Reading {
  readonly #rules: ArchiveRules;
  readonly #onFile: OnFile;
  readonly #files = new Set<string>();
  readonly #folders = new Set<string>();
  #entries = 0;
  #bytes = 0;
  readonly skipped: string[] = [];

  constructor(rules: ArchiveRules, onFile: OnFile) {
    this.#rules = rules;
    this.#onFile = onFile;
  }

  /** Before anything of an entry is looked at. */
  countEntry(): void {
    this.#entries += 1;
    this.refuseMany(this.#entries);
  }

  refuseMany(entries: number): void {
    const { maxEntries } = this.#rules;
    if (entries > maxEntries) throw new ArchiveError(`it holds more than ${maxEntries} files and folders`);
  }

  countBytes(length: number): void {
    this.#bytes += length;
    const { maxBytes } = this.#rules;
    if (this.#bytes > maxBytes)
      throw new ArchiveError(`it unpacks to more than ${Math.floor(maxBytes / 1e6)} MB`);
  }

  /** `target` as it is written: from the link's own folder on, or, of a second name for a file, from the top. */
  link(name: string, target: string, isSecondName: boolean): void {
    if (this.#rules.links === 'refuse')
      throw new ArchiveError(`${quoted(name)} is a link; put the file itself into the archive`);
    if (this.#rules.links === 'skip') {
      this.skipped.push(name);
      return;
    }
    const path = checkedPath(name);
    const folder = isSecondName ? '' : posix.dirname(path);
    const place = posix.join(folder, target);
    if (target.startsWith('/') || place === '..' || place.startsWith('../'))
      throw new ArchiveError(`the link ${quoted(name)} leads out of the archive`);
    this.file(path, NOTHING, 0);
    this.skipped.push(`${path} -> ${checkedPath(place)}`);
  }

  get keepsContents(): boolean {
    return this.#rules.contents ?? true;
  }

  folder(name: string): void {
    const path = checkedPath(name);
    if (path === '') return;
    if (this.#files.has(path)) throw new ArchiveError(`${quoted(path)} is in it as a file and as a folder`);
    this.#enter(path);
    this.#folders.add(path);
  }

  file(name: string, bytes: Buffer, size: number): void {
    const path = checkedPath(name);
    if (path === '') throw new ArchiveError('a file in it has no name');
    if (this.#files.has(path)) throw new ArchiveError(`${quoted(path)} is in it twice`);
    if (this.#folders.has(path)) throw new ArchiveError(`${quoted(path)} is in it as a file and as a folder`);
    this.#enter(path);
    this.#files.add(path);
    this.#onFile(path, bytes, size);
  }

  /** Every folder above a path is a folder, and stays one. */
  #enter(path: string): void {
    for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1)) {
      const above = path.slice(0, end);
      if (this.#files.has(above))
        throw new ArchiveError(`${quoted(above)} is in it as a file and as a folder`);
      this.#folders.add(above);
    }
  }

  end(): ArchiveContent {
    return { count: this.#files.size, skipped: this.skipped };
  }
}

const NOTHING = Buffer.alloc(0);
const MAX_TARGET_BYTES = 4096;
const MAX_PATH_BYTES = 1024;
const MAX_NAME_BYTES = 255;
const MAX_DEPTH = 40;

/** The path inside the archive's own folder, or an ArchiveError. */
function checkedPath(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\u0000-\u001f\u007f\\]/.test(name))
    throw new ArchiveError(`the name ${quoted(name)} has a backslash or a control character in it`);
  if (name.startsWith('/') || /^[A-Za-z]:/.test(name))
    throw new ArchiveError(`${quoted(name)} is an absolute path`);
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw new ArchiveError(`${quoted(name)} leaves the archive's folder`);
  const path = parts.join('/');
  if (
    Buffer.byteLength(path) > MAX_PATH_BYTES ||
    parts.length > MAX_DEPTH ||
    parts.some((part) => Buffer.byteLength(part) > MAX_NAME_BYTES)
  ) {
    throw new ArchiveError(`the path ${quoted(name)} is too long`);
  }
  return path;
}

function quoted(name: string): string {
  return `"${name.length > 80 ? `${name.slice(0, 79)}…` : name}"`;
}

/** Reads a tar stream that is not compressed. */
export async function readTar(
  stream: AsyncIterable<Buffer>,
  rules: ArchiveRules,
  onFile: OnFile,
): Promise<ArchiveContent> {
  const reading = new Reading(rules, onFile);
  let failure: unknown = null;
  let seen = 0;
  // Padding, headers and long names count too: a stream of nothing else must end as well.
  const maxStream = rules.maxBytes + rules.maxEntries * 4096 + 1_000_000;
  // Nor does it unpack zstd by itself: a kilobyte of that fills the memory within one write.
  const parser = new Parser({ strict: true, zstd: false });
  const guarded = (work: () => void) => {
    if (failure !== null) return;
    try {
      work();
    } catch (error) {
      failure = error;
    }
  };
  parser.on('error', (error: unknown) => {
    failure ??= error;
  });
  parser.on('entry', (entry: ReadEntry) => {
    guarded(() => reading.countEntry());
    readTarEntry(entry, reading, guarded);
  });
  const ended = new Promise<void>((resolve) => parser.on('end', resolve));
  try {
    for await (const chunk of stream) {
      // The parser would unpack a second layer by itself, past our counting.
      if (seen === 0 && chunk[0] === 0x1f) throw new ArchiveError('it is compressed twice');
      seen += chunk.length;
      if (seen > maxStream)
        throw new ArchiveError(`it unpacks to more than ${Math.floor(rules.maxBytes / 1e6)} MB`);
      parser.write(chunk);
      if (failure !== null) throw failure;
    }
    parser.end();
    if (failure !== null) throw failure;
    await ended;
    if (failure !== null) throw failure;
  } catch (error) {
    throw asArchiveError(error);
  }
  return reading.end();
}

/** Everything happens while the parser is being written to, so nothing is ever buffered but one file. */
function readTarEntry(entry: ReadEntry, reading: Reading, guarded: (work: () => void) => void): void {
  const { path, type } = entry;
  if (type === 'File' || type === 'OldFile' || type === 'ContiguousFile') {
    const chunks: Buffer[] = [];
    let size = 0;
    entry.on('data', (chunk: Buffer) =>
      guarded(() => {
        reading.countBytes(chunk.length);
        size += chunk.length;
        if (reading.keepsContents) chunks.push(Buffer.from(chunk));
      }),
    );
    entry.on('end', () => guarded(() => reading.file(path, Buffer.concat(chunks), size)));
    return;
  }
  guarded(() => {
    if (type === 'Directory') reading.folder(path);
    else if (type === 'SymbolicLink' || type === 'Link')
      reading.link(path, entry.linkpath ?? '', type === 'Link');
    else throw new ArchiveError(`${quoted(path)} is neither a file nor a folder`);
  });
  entry.resume();
}

const S_IFMT = 0o170000;
const S_IFLNK = 0o120000;
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;

async function readZip(buffer: Buffer, rules: ArchiveRules, onFile: OnFile): Promise<ArchiveContent> {
  const reading = new Reading(rules, onFile);
  try {
    const zip = await fromBufferPromise(buffer, { strictFileNames: true });
    reading.refuseMany(zip.entryCount);
    for await (const entry of zip.eachEntry()) {
      reading.countEntry();
      await readZipEntry(zip, entry, reading);
    }
  } catch (error) {
    throw asArchiveError(error);
  }
  return reading.end();
}

async function readZipEntry(zip: ZipFile, entry: Entry, reading: Reading): Promise<void> {
  const name = entry.fileName;
  // The upper half is the Unix mode where the archive was made by such a system, else nought.
  const kind = (entry.externalFileAttributes >>> 16) & S_IFMT;
  if (name.endsWith('/') || kind === S_IFDIR) return reading.folder(name);
  if (kind !== 0 && kind !== S_IFREG && kind !== S_IFLNK)
    throw new ArchiveError(`${quoted(name)} is neither a file nor a folder`);
  if (entry.isEncrypted()) throw new ArchiveError('it is encrypted; send one without a password');
  if (!entry.canDecodeFileData())
    throw new ArchiveError(`${quoted(name)} is compressed in a way that is not supported; use plain zip`);
  const isLink = kind === S_IFLNK;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of await zip.openReadStreamPromise(entry)) {
    reading.countBytes(chunk.length);
    size += chunk.length;
    if (isLink && size > MAX_TARGET_BYTES) throw new ArchiveError(`the link ${quoted(name)} has no end`);
    if (isLink || reading.keepsContents) chunks.push(chunk);
  }
  if (isLink) reading.link(name, Buffer.concat(chunks).toString('utf8'), false);
  else reading.file(name, Buffer.concat(chunks), size);
}

/** What the libraries throw, in their words: they describe the archive, never this machine. */
function asArchiveError(error: unknown): ArchiveError {
  if (error instanceof ArchiveError) return error;
  const text = error instanceof Error ? error.message : 'unknown';
  const name = /^(absolute path|invalid relative path|invalid characters in fileName): (.*)$/s.exec(text);
  if (name?.[2] !== undefined) {
    return name[1] === 'invalid characters in fileName'
      ? new ArchiveError(`the name ${quoted(name[2])} has a backslash in it`)
      : new ArchiveError(`${quoted(name[2])} leaves the archive's folder`);
  }
  return new ArchiveError(`it is damaged (${text.slice(0, 120)})`);
}
