/**
 * A real Slurm cluster of one node on this machine: munged, slurmctld and slurmd started by hand, with folders, ports and
 * a key of their own, as the current user. It has two GPUs of the type `testcard`: links to a character device.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { hostname, tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

const DAEMONS = { munged: '/usr/sbin/munged', slurmctld: '/usr/sbin/slurmctld', slurmd: '/usr/sbin/slurmd' };
const READY_DEADLINE_MS = 30_000;
const ENV = { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin' };

export interface SlurmCluster {
  /** What SLURM_CONF is to be for programs that speak with it. */
  readonly configFile: string;
  readonly partition: string;
  /** Output of one of Slurm's programs. */
  run(program: string, ...args: string[]): Promise<string>;
  /** Ends the controller as its restart would; the node and its jobs go on. */
  stopController(): Promise<void>;
  startController(): Promise<void>;
  /** Ends every job and daemon, and removes every file. */
  remove(): Promise<void>;
}

/** Why there is no Slurm to test with, or null when there is one. For `ctx.skip`. */
export function slurmMissing(): string | null {
  for (const program of [...Object.values(DAEMONS), '/usr/bin/sbatch']) {
    try {
      accessSync(program, constants.X_OK);
    } catch {
      return `no Slurm on this machine (${program}); install slurm-wlm and munge`;
    }
  }
  return null;
}

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

class TestCluster implements SlurmCluster {
  readonly configFile: string;
  readonly partition = 'gpus';
  readonly #folder: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #children = new Map<string, ChildProcess>();
  #printed = '';

  constructor(folder: string) {
    this.#folder = folder;
    this.configFile = this.#file('slurm.conf');
    this.#env = { ...ENV, SLURM_CONF: this.configFile };
  }

  #file(name: string): string {
    return path.join(this.#folder, name);
  }

  async prepare(): Promise<void> {
    const user = userInfo().username;
    const host = hostname().split('.')[0];
    const [controllerPort, nodePort] = [await freePort(), await freePort()];
    // munged insists that everybody can reach its socket.
    await chmod(this.#folder, 0o711);
    for (const name of ['munge', 'state', 'spool', 'dev']) await mkdir(this.#file(name), { mode: 0o755 });
    await writeFile(this.#file('munge/key'), randomBytes(1024), { mode: 0o400 });
    // Slurm wants character devices and takes their numbers from their names; making some would take root.
    for (const index of [0, 1]) await symlink('/dev/null', this.#file(`dev/gpu${index}`));
    await writeFile(
      this.#file('gres.conf'),
      `NodeName=n1 Name=gpu Type=testcard File=${this.#file('dev')}/gpu[0-1]\n`,
    );
    const lines = [
      'ClusterName=hotlaptest',
      `SlurmctldHost=${host}(127.0.0.1)`,
      `SlurmctldPort=${controllerPort}`,
      'CommunicationParameters=NoInAddrAny,NoCtldInAddrAny',
      `SlurmUser=${user}`,
      `SlurmdUser=${user}`,
      'AuthType=auth/munge',
      `AuthInfo=socket=${this.#file('munge/socket')}`,
      'CredType=cred/munge',
      `StateSaveLocation=${this.#file('state')}`,
      `SlurmdSpoolDir=${this.#file('spool')}`,
      `SlurmctldPidFile=${this.#file('slurmctld.pid')}`,
      `SlurmdPidFile=${this.#file('slurmd.pid')}`,
      'ProctrackType=proctrack/linuxproc',
      'TaskPlugin=task/none',
      'SwitchType=switch/none',
      'MpiDefault=none',
      'JobAcctGatherType=jobacct_gather/none',
      'AccountingStorageType=accounting_storage/none',
      'SelectType=select/cons_tres',
      'SelectTypeParameters=CR_Core',
      'GresTypes=gpu',
      'ReturnToService=2',
      'SchedulerParameters=batch_sched_delay=0,sched_interval=1',
      // Commands give up on a controller that is away after as long.
      'MessageTimeout=3',
      'KillWait=3',
      'MailProg=/bin/true',
      // More CPUs than the machine may have: here it is the GPUs that jobs wait for.
      'SlurmdParameters=config_overrides',
      `NodeName=n1 NodeHostname=${host} NodeAddr=127.0.0.1 Port=${nodePort} CPUs=8 Gres=gpu:testcard:2 State=UNKNOWN`,
      `PartitionName=${this.partition} Nodes=n1 Default=YES MaxTime=INFINITE State=UP`,
    ];
    await writeFile(this.configFile, `${lines.join('\n')}\n`);
  }

  async start(): Promise<void> {
    const munge = (name: string) => this.#file(`munge/${name}`);
    this.#launch('munged', [
      '--foreground',
      ...[`--key-file=${munge('key')}`, `--socket=${munge('socket')}`, `--pid-file=${munge('pid')}`],
      ...[`--log-file=${munge('log')}`, `--seed-file=${munge('seed')}`],
    ]);
    await this.#until('munged', async () => {
      accessSync(munge('socket'));
      return true;
    });
    this.#launch('slurmd', ['-D', '-N', 'n1', '-f', this.configFile]);
    await this.startController();
    await this.#until('the node', async () => (await this.run('sinfo', '-h', '-o', '%T')).trim() === 'idle');
  }

  async startController(): Promise<void> {
    this.#launch('slurmctld', ['-D', '-f', this.configFile]);
    await this.#until('slurmctld', async () => (await this.run('squeue', '-h')) !== null);
  }

  #launch(name: keyof typeof DAEMONS, args: string[]): void {
    const child = spawn(DAEMONS[name], args, {
      cwd: '/',
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#children.set(name, child);
    const keep = (data: Buffer) => {
      this.#printed = (this.#printed + data.toString()).slice(-20_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', (error) => keep(Buffer.from(error.message)));
    child.once('exit', () => {
      if (this.#children.get(name) === child) this.#children.delete(name);
    });
  }

  async #until(what: string, isReady: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + READY_DEADLINE_MS;
    while (!(await isReady().catch(() => false))) {
      if (Date.now() > deadline) throw new Error(`${what} did not get ready:\n${this.#printed}`);
      await delay(30);
    }
  }

  async run(program: string, ...args: string[]): Promise<string> {
    return (await run(program, args, { env: this.#env })).stdout;
  }

  async stopController(): Promise<void> {
    // Killed, it would forget what it has not saved yet.
    await this.#end('slurmctld', 'SIGTERM');
  }

  async #end(name: string, signal: NodeJS.Signals): Promise<void> {
    const child = this.#children.get(name);
    if (child === undefined) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(signal);
    await ended;
  }

  /** Not all of a job's processes show their environment to a user who is not root. */
  async #endJobs(): Promise<void> {
    if (!this.#children.has('slurmctld')) return;
    await this.run('scancel', `--user=${userInfo().username}`);
    await this.#until('the end of all jobs', async () => (await this.run('squeue', '-h')) === '');
  }

  async remove(): Promise<void> {
    await this.#endJobs().catch(() => {});
    for (const name of ['slurmctld', 'slurmd', 'munged']) await this.#end(name, 'SIGKILL');
    // What is left outlives the daemons. All that was started for this cluster has its configuration in its environment.
    const mark = `SLURM_CONF=${this.configFile}`;
    const deadline = Date.now() + READY_DEADLINE_MS;
    for (let left = await withEnvironment(mark); left.length > 0; left = await withEnvironment(mark)) {
      for (const pid of left) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // Gone meanwhile.
        }
      }
      if (Date.now() > deadline) throw new Error(`processes of the cluster do not end: ${left}`);
      await delay(30);
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Living processes, other than this one, that began with this entry in their environment. */
async function withEnvironment(entry: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const text = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      return text.split('\0').includes(entry) ? [Number(pid)] : [];
    }),
  );
  return found.flat();
}

/** Starts a cluster whose node is idle. Call `remove` when done. */
export async function startSlurm(): Promise<SlurmCluster> {
  const cluster = new TestCluster(await mkdtemp(path.join(tmpdir(), 'hotlap-test-slurm-')));
  try {
    await cluster.prepare();
    await cluster.start();
  } catch (error) {
    await cluster.remove();
    throw error;
  }
  return cluster;
}
