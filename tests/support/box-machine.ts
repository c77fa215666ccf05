/** What the tests of the box scripts run on: this machine, a user namespace of it, and stand-ins for other machines. */
import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end, whatever its exit code. */
export function run(
  file: string,
  args: readonly string[],
  options: { input?: string; env?: NodeJS.ProcessEnv } = {},
) {
  return new Promise<Ended>((resolve, reject) => {
    const child = execFile(
      file,
      args,
      { env: options.env ?? process.env, cwd: '/' },
      (error, stdout, stderr) => {
        if (error !== null && typeof error.code !== 'number') reject(error);
        else resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      },
    );
    // A script that refuses its arguments does not read.
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input ?? '');
  });
}

/** Output of a shell script that is root in a user namespace of its own, where every account keeps its number. */
export async function inUserNamespace(script: string): Promise<string> {
  const child = spawn(
    '/usr/bin/unshare',
    ['--user', '/bin/sh', '-c', `read line; exec /bin/sh -c "$0"`, script],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  let output = '';
  child.stdout.on('data', (data: Buffer) => {
    output += data.toString();
  });
  const closed = new Promise((resolve) => child.once('close', resolve));
  const own = await readlink('/proc/self/ns/user');
  const deadline = Date.now() + 10_000;
  while ((await readlink(`/proc/${child.pid}/ns/user`).catch(() => own)) === own) {
    if (Date.now() > deadline) throw new Error('unshare made no user namespace');
    await delay(10);
  }
  await writeFile(`/proc/${child.pid}/uid_map`, '0 0 65536');
  await writeFile(`/proc/${child.pid}/gid_map`, '0 0 65536');
  child.stdin.end('go\n');
  await closed;
  return output;
}

/** Makes a folder below `folder` that looks like the root of a quiet machine, but for `files` (empty text: none). */
export async function quietMachine(folder: string, files: Record<string, string>): Promise<string> {
  const root = await mkdtemp(path.join(folder, 'machine-'));
  const cpu = 'sys/devices/system/cpu';
  const all = {
    [`${cpu}/cpu0/cpufreq/scaling_governor`]: 'performance',
    [`${cpu}/cpu1/cpufreq/scaling_governor`]: 'performance',
    [`${cpu}/intel_pstate/no_turbo`]: '1',
    [`${cpu}/smt/active`]: '0',
    [`${cpu}/cpu0/thermal_throttle/core_throttle_count`]: '0',
    'sys/devices/system/node/node0/x': '',
    'sys/kernel/mm/transparent_hugepage/enabled': 'always [madvise] never',
    'sys/fs/cgroup/cpu.max': 'max 100000',
    'proc/stat': 'cpu  900 0 50 9000 0 0 0 1 0 0',
    'proc/cpuinfo': 'flags : fpu hypervisor',
    'proc/meminfo': 'SwapTotal: 0 kB\nSwapFree: 0 kB',
    'proc/self/cgroup': '1:cpu,cpuacct:/\n0::/a/b',
    'proc/self/limits':
      'Max processes             63000                63000                processes\nMax open files            65536                65536                files',
    'proc/sys/user/max_user_namespaces': '63000',
    'etc/systemd/logind.conf': '[Login]\n#KillUserProcesses=yes',
    'etc/ssh/sshd_config': 'Port 22\nMatch User x\nForceCommand /bin/false',
    ...files,
  };
  for (const [name, content] of Object.entries(all)) {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true });
    if (content !== '' || name.endsWith('/x')) await writeFile(path.join(root, name), `${content}\n`);
  }
  return root;
}

/** Makes a folder below `folder` with an `nvidia-smi` that answers queries by the names of their fields, as the real one documents it. */
export async function standInSmi(
  folder: string,
  cards: readonly Record<string, string>[],
  options: { apps?: string; broken?: string } = {},
): Promise<string> {
  const bin = await mkdtemp(path.join(folder, 'smi-'));
  const program = `#!${process.execPath}
const { cards, apps, broken } = ${JSON.stringify({ cards, apps: options.apps ?? '', broken: options.broken ?? '' })};
const print = (text, code = 0) => { process.stdout.write(text + '\\n'); process.exit(code); };
const query = process.argv.find((word) => word.startsWith('--query-gpu='));
if (broken) print(broken, 18);
if (process.argv.some((word) => word.startsWith('--query-compute-apps='))) print(apps);
if (!query) print('| NVIDIA-SMI 550.54.15     Driver Version: 550.54.15     CUDA Version: 12.4     |');
if (!process.argv.includes('--format=csv,noheader,nounits')) print('with units and header');
const fields = query.slice('--query-gpu='.length).split(',');
const unknown = fields.find((field) => cards.some((card) => !(field in card)));
if (unknown) print('Field "' + unknown + '" is not a valid field to query.', 2);
print(cards.map((card) => fields.map((field) => card[field]).join(', ')).join('\\n'));
`;
  await writeFile(path.join(bin, 'nvidia-smi'), program, { mode: 0o755 });
  return bin;
}
