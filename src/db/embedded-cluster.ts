/**
 * The files of the embedded server: password, cluster, and where they are.
 *
 *   <dataDir>/postgres            the cluster, or a symbolic link to it (see below)
 *   <dataDir>/postgres-password   password of the one role; 0600
 *   <dataDir>/postgres.log        what the server prints
 *
 * Several processes may come here at once and any of them may be killed anywhere, so nothing is locked: each makes
 * its own complete copy under a name of its own and publishes it by one atomic step that only the first can do.
 *
 * Under root the server has an account of its own. Where that account cannot reach <dataDir> the cluster is made in
 * a system folder, and the link remembers where.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmod,
  chown,
  link,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Log } from '../log.ts';
import { canEnter, cleanEnvironment, type Identity, runningAsRoot, SYSTEM_DIR } from './embedded-account.ts';

const run = promisify(execFile);

/** The one role of the embedded server, and its database. */
export const ROLE = 'hotlap';

function hasCode(error: unknown, ...codes: string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException).code ?? '');
}

async function exists(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

/** Reads the password, or makes one. A hard link publishes it: the second process reads the first one's. */
export async function loadPassword(dataDir: string): Promise<string> {
  const file = path.join(dataDir, 'postgres-password');
  const draft = `${file}.${process.pid}`;
  if (!(await exists(file))) {
    await writeFile(draft, randomBytes(24).toString('hex'), { mode: 0o600 });
    await link(draft, file).catch((error: unknown) => {
      if (!hasCode(error, 'EEXIST')) throw error;
    });
    await rm(draft, { force: true });
  }
  return (await readFile(file, 'utf8')).trim();
}

/** Folders that a killed process left behind while it made a cluster. */
async function sweepStaging(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const owner = /^postgres-making-(\d+)-/.exec(name)?.[1];
    if (owner === undefined) continue;
    try {
      process.kill(Number(owner), 0);
    } catch (error) {
      if (hasCode(error, 'ESRCH')) await rm(path.join(parent, name), { recursive: true, force: true });
    }
  }
}

/** initdb in a folder of our own below `parent`. Returns that folder and the finished cluster inside. */
async function makeCluster(programs: string, parent: string, identity: Identity, password: string) {
  const suffix = randomBytes(6).toString('hex');
  const staging = path.join(parent, `postgres-making-${process.pid}-${suffix}`);
  const passwordFile = path.join(staging, 'password');
  const cluster = path.join(staging, `postgres-${suffix}`);
  await mkdir(staging, { mode: 0o700 });
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (identity.uid !== undefined) {
    await chown(staging, identity.uid, identity.gid);
    await chown(passwordFile, identity.uid, identity.gid);
  }
  const flags = [
    `--pgdata=${cluster}`,
    `--username=${ROLE}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    // Sorting must not depend on the locales that this machine happens to have.
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--no-instructions',
  ];
  try {
    await run(path.join(programs, 'bin', 'initdb'), flags, { ...identity, cwd: '/', env: cleanEnvironment });
  } catch (cause) {
    await rm(staging, { recursive: true, force: true });
    throw new Error(`PostgreSQL could not create its files below ${parent}; is the disk full?`, { cause });
  }
  return { staging, cluster };
}

/** Checks that the programs at hand can open the cluster: a new major version cannot read an older one's files. */
async function checkVersion(cluster: string, programs: string): Promise<void> {
  const made = (await readFile(path.join(cluster, 'PG_VERSION'), 'utf8')).trim();
  const { stdout } = await run(path.join(programs, 'bin', 'postgres'), ['--version'], {
    env: cleanEnvironment,
  });
  const ours = /(\d+)/.exec(stdout)?.[1];
  if (made !== ours) {
    throw new Error(
      `The data in ${cluster} was written by PostgreSQL ${made}, and this version of Hotlap brings ${ours}. ` +
        'Start the version of Hotlap that wrote it, save the data, and load it into the new one.',
    );
  }
}

/** Makes the cluster of `dataDir` unless it exists. Returns its real path. */
export async function ensureCluster(options: {
  dataDir: string;
  programs: string;
  identity: Identity;
  password: string;
  log: Log;
}): Promise<string> {
  const { dataDir, programs, identity, password, log } = options;
  const entry = path.join(dataDir, 'postgres');
  if (!(await exists(entry))) {
    const inPlace = await reachable(dataDir, identity);
    const parent = inPlace ? dataDir : SYSTEM_DIR;
    if (!inPlace) await mkdir(SYSTEM_DIR, { recursive: true, mode: 0o755 });
    await sweepStaging(parent);
    log.info({ parent }, 'creating the PostgreSQL database');
    const { staging, cluster } = await makeCluster(programs, parent, identity, password);
    await publish(cluster, entry, inPlace, log);
    await rm(staging, { recursive: true, force: true });
  }
  await checkVersion(entry, programs);
  return entry;
}

async function reachable(dataDir: string, identity: Identity): Promise<boolean> {
  if (!runningAsRoot()) return true;
  // Entering is not reading: names and files inside keep their own modes.
  await chmod(dataDir, (await stat(dataDir)).mode | 0o011);
  return canEnter(dataDir, identity);
}

async function publish(cluster: string, entry: string, inPlace: boolean, log: Log): Promise<void> {
  if (inPlace) {
    await rename(cluster, entry).catch((error: unknown) => {
      if (!hasCode(error, 'ENOTEMPTY', 'EEXIST')) throw error;
    });
    return;
  }
  const home = path.join(SYSTEM_DIR, path.basename(cluster));
  await rename(cluster, home);
  try {
    await symlink(home, entry);
    log.warn({ home, entry }, 'the database lies outside the data folder, which its account cannot reach');
  } catch (error) {
    await rm(home, { recursive: true, force: true });
    if (!hasCode(error, 'EEXIST')) throw error;
  }
}
