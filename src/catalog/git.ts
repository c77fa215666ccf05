/**
 * Reading problems out of a git repository with the system's `git`.
 *
 * Nothing of the repository is ever checked out: a bare clone of its newest commit goes into a scratch folder, and
 * `git archive` hands its files over as a tar stream, which is read under the same limits as an upload. So no hook, no
 * filter and no link of the repository comes into play. git asks nobody for a password, reads no configuration of this
 * machine, speaks only the one protocol that the address names, and has limits of time and of disk.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { UserError } from '../domain/errors.ts';
import type { Commit } from '../domain/problem-source.ts';

export interface GitWish {
  url: string;
  branch: string | null;
  folder: string | null;
}

const TIMEOUT_MS = 120_000;
const MAX_PACK_BYTES = 300_000_000;
/** What `ulimit -f` counts in. */
const ULIMIT_BLOCK_BYTES = 512;
const MAX_STDERR_CHARS = 4000;

/** Clones into `scratch`. Throws UserError `git-refused`. */
export async function cloneNewest(wish: GitWish, scratch: string): Promise<Commit> {
  const protocol = checkedProtocol(wish);
  const branch = wish.branch === null ? [] : ['--branch', wish.branch];
  await git(wish, protocol, scratch, [
    ...['clone', '--quiet', '--bare', '--depth', '1', '--single-branch', '--no-tags', ...branch],
    ...['--', wish.url, join(scratch, 'repository')],
  ]);
  const line = await git(wish, protocol, scratch, [
    ...repository(scratch),
    ...['log', '-1', '--format=%H%x00%cI%x00%s'],
  ]);
  const [hash = '', committedAt = '', subject = ''] = line.trimEnd().split('\0');
  return { hash, subject, committedAt: new Date(committedAt) };
}

/** The files of the newest commit as a tar stream. `read` consumes it; what it throws is thrown. */
export async function readCommit<T>(
  wish: GitWish,
  scratch: string,
  read: (tar: AsyncIterable<Buffer>) => Promise<T>,
): Promise<T> {
  const tree = wish.folder === null ? 'HEAD' : `HEAD:${plainFolder(wish.folder)}`;
  if (wish.folder !== null) {
    const kind = ['cat-file', '-t', tree];
    const found = await git(wish, 'file', scratch, [...repository(scratch), ...kind]).catch(() => '');
    if (found.trim() !== 'tree') {
      throw refusal(
        wish,
        `it has no folder ${wish.folder}`,
        'Name a folder as it is in that branch, or leave it out.',
      );
    }
  }
  const child = start('file', scratch, [...repository(scratch), 'archive', '--format=tar', tree]);
  const ended = finished(child);
  try {
    const result = await read(child.stdout);
    await ended.then((end) => refuseFailure(wish, end));
    return result;
  } finally {
    kill(child);
    await ended;
  }
}

const repository = (scratch: string) => ['-C', join(scratch, 'repository')];

function plainFolder(folder: string): string {
  return folder.split('/').filter(Boolean).join('/');
}

/** The protocol that git may speak, from an address that is safe to hand to it. */
function checkedProtocol(wish: GitWish): string {
  const { url, branch, folder } = wish;
  const remedy = 'Use an address such as https://github.com/owner/problems or git@host:owner/problems.git.';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\s\u0000-\u001f]/.test(url) || url.startsWith('-'))
    throw refusal(wish, 'that is no address of a repository', remedy);
  if (branch !== null && !/^[\w][\w./+@-]{0,199}$/.test(branch))
    throw refusal(wish, `${branch} is no name of a branch`, 'Use a branch or a tag.');
  if (folder !== null && (folder.includes('..') || !/^[\w ./+@-]{1,300}$/.test(folder)))
    throw refusal(wish, `${folder} is no folder in a repository`, 'Name it from the top, such as problems.');
  // git@host:path, which is not a URL.
  if (/^[\w.-]+@[\w.-]+:(?!\/\/)[\w./~+-]+$/.test(url)) return 'ssh';
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || !['https:', 'ssh:', 'file:'].includes(parsed.protocol))
    throw refusal(wish, 'only https, ssh and file addresses are read', remedy);
  if (parsed.password !== '' || (parsed.protocol === 'https:' && parsed.username !== '')) {
    throw refusal(
      { ...wish, url: `${parsed.protocol}//${parsed.host}${parsed.pathname}` },
      'the address has a password or a token in it, which everybody who reads it here would have',
      'Change that password now. Use ssh with a key of the account that Hotlap runs as, or upload an archive.',
    );
  }
  return parsed.protocol.slice(0, -1);
}

/** From outside git needs its proxy and its certificates; everything else of ours stays here. */
const passedOn = [
  'PATH',
  'LANG',
  'SSH_AUTH_SOCK',
  'https_proxy',
  'HTTPS_PROXY',
  'http_proxy',
  'HTTP_PROXY',
  'all_proxy',
  'ALL_PROXY',
  'no_proxy',
  'NO_PROXY',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'GIT_SSL_CAINFO',
];

function environment(protocol: string, scratch: string): Record<string, string> {
  const kept = passedOn.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    ...Object.fromEntries(kept),
    HOME: scratch,
    LC_ALL: 'C',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: 'true',
    SSH_ASKPASS: 'true',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ALLOW_PROTOCOL: protocol,
    GIT_SSH_COMMAND: 'ssh -o BatchMode=yes -o ConnectTimeout=15 -o StrictHostKeyChecking=accept-new',
  };
}

const settings = [
  ...['-c', 'core.hooksPath=/dev/null'],
  ...['-c', 'init.templateDir='],
  ...['-c', 'credential.helper='],
  ...['-c', 'gc.auto=0'],
  ...['-c', 'http.lowSpeedLimit=1000'],
  ...['-c', 'http.lowSpeedTime=20'],
];

type Git = ReturnType<typeof start>;

function start(protocol: string, scratch: string, args: string[]) {
  const limited = `ulimit -f ${Math.floor(MAX_PACK_BYTES / ULIMIT_BLOCK_BYTES)} && exec git "$@"`;
  const child = spawn('sh', ['-c', limited, 'sh', ...settings, ...args], {
    env: environment(protocol, scratch),
    cwd: scratch,
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that its helpers end with it.
    detached: true,
  });
  return child;
}

function kill(child: Git): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Nothing of the group is left.
  }
}

interface GitEnd {
  code: number | null;
  stderr: string;
  timedOut: boolean;
}

/** Never rejects. */
async function finished(child: Git): Promise<GitEnd> {
  let stderr = '';
  let timedOut = false;
  child.stderr.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-MAX_STDERR_CHARS);
  });
  const timer = setTimeout(() => {
    timedOut = true;
    kill(child);
  }, TIMEOUT_MS);
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, stderr, timedOut };
  } catch {
    return { code: null, stderr: 'sh: not found', timedOut };
  } finally {
    clearTimeout(timer);
  }
}

async function git(wish: GitWish, protocol: string, scratch: string, args: string[]): Promise<string> {
  const child = start(protocol, scratch, args);
  const [stdout, end] = await Promise.all([textOf(child.stdout), finished(child)]);
  refuseFailure(wish, end);
  return stdout;
}

async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

const privateRemedy =
  'Check the address. A private repository needs ssh with a key of the account that Hotlap runs as; or upload an archive.';

/** What git says, what it means, and what to do. */
const meanings: [RegExp, string, string][] = [
  [
    /not found$|: git: /m,
    'git is not installed where Hotlap runs',
    'Install git there, or upload an archive.',
  ],
  [
    /Remote branch .* not found/,
    'it has no such branch or tag',
    'Check its name; leave it out for the default.',
  ],
  [
    /signal 25|File too large|file size limit|invalid index-pack output/i,
    `it is larger than ${MAX_PACK_BYTES / 1e6} MB, or damaged`,
    'Upload an archive of its problems folder instead.',
  ],
  [
    /Authentication failed|could not read Username|terminal prompts disabled|Permission denied|[Rr]epository .*not found|does not appear to be a git repository|does not exist|Host key verification failed/,
    'it does not exist, or is not open to everybody',
    privateRemedy,
  ],
  [
    /Could not resolve host|Failed to connect|Connection (refused|timed out|reset)|Operation (timed out|too slow)|unable to access/,
    'its server cannot be reached from here',
    'Try again in a moment, or upload an archive.',
  ],
  [
    /does not have any commits|empty repository|bad revision 'HEAD'/,
    'it is empty',
    'Push the problems first.',
  ],
];

function refuseFailure(wish: GitWish, end: GitEnd): void {
  if (end.timedOut) {
    const problem = `reading it took longer than ${TIMEOUT_MS / 1000} s`;
    throw refusal(wish, problem, 'Try again later, or upload an archive of its problems folder.');
  }
  if (end.code === 0) return;
  const known = meanings.find(([pattern]) => pattern.test(end.stderr));
  if (known) throw refusal(wish, known[1], known[2]);
  const last = end.stderr
    .split('\n')
    .findLast((line) => /^(fatal|error): /.test(line))
    ?.replace(/^(fatal|error): /, '');
  throw refusal(wish, `git says: ${last ?? 'nothing'}`, privateRemedy);
}

function refusal(wish: GitWish, problem: string, remedy: string): UserError {
  return new UserError('git-refused', { url: wish.url, problem, remedy });
}
