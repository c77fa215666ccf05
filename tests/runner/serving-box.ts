/** One box with the tiny engine on it, and what the tests of serving ask of it. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type JobEvent, type JobSpec, type StageReport, verbValue } from '../../src/domain/protocol.ts';
import { PIECE_BYTES, type ServingSpec } from '../../src/domain/serving-protocol.ts';
import { allStages, ServingGround } from '../support/serving.ts';
import { type Agent, lastLine, TestBox } from './runner-client.ts';

/** The gate that only asks the server: no reference, so that a job is short. */
export const quick = { gates: ['compatible'] } satisfies Partial<ServingSpec>;

export class ServingBox {
  readonly box = new TestBox();
  readonly probe = verbValue.probe.parse(this.box.cli('probe', [])[0]);
  readonly ground = new ServingGround(this.probe.python_path);
  #agent: Agent | undefined;
  #count = 0;

  get agent(): Agent {
    if (!this.#agent) throw new Error('not opened');
    return this.#agent;
  }

  async open(): Promise<void> {
    this.#agent = await this.box.agent();
  }

  async close(): Promise<void> {
    await this.box.close();
    this.ground.close();
  }

  /** Brings the archive; the job is yet to be started. */
  async bring(archive: Buffer, change: Partial<ServingSpec> = {}, stages = allStages): Promise<JobSpec> {
    this.#count += 1;
    const job = this.ground.job(`s${this.#count}.1`, archive, change, stages);
    for (let offset = 0; offset < archive.length; offset += PIECE_BYTES) {
      const data = archive.subarray(offset, offset + PIECE_BYTES).toString('base64');
      await this.agent.request('put', { job_key: job.job_key, offset, data });
    }
    return job;
  }

  async serve(archive: Buffer, change: Partial<ServingSpec> = {}, stages = allStages) {
    return this.agent.run(await this.bring(archive, change, stages), 42);
  }

  /** The last stage that ran, and why the job ended there. */
  async endOf(archive: Buffer, change: Partial<ServingSpec> = {}, stages = allStages) {
    const { result } = await this.serve(archive, change, stages);
    const last = result.stages.at(-1);
    if (!last) throw new Error(`no stage ran: ${JSON.stringify(result.error)}`);
    const failure = last.serving?.failure;
    return { last, at: [last.name, failure?.phase, failure?.kind], failure };
  }
}

export function phases(stage: StageReport | undefined): string[] | undefined {
  return stage?.serving?.phases.map((phase) => `${phase.name} ${phase.outcome}`);
}

export function metric(stage: StageReport | undefined, name: string): number {
  return Number(stage && lastLine(stage, name));
}

export function statesOf(events: JobEvent[]): string[] {
  return events.flatMap((event) => (event.type === 'stage' ? [`${event.stage} ${event.state}`] : []));
}

/** One hash for all names and contents of a folder. */
export function treeHash(folder: string): string {
  const hash = createHash('sha256');
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries.sort((a, b) => (pathOf(a) < pathOf(b) ? -1 : 1))) {
    hash.update(pathOf(entry));
    if (entry.isFile()) hash.update(readFileSync(pathOf(entry)));
  }
  return hash.digest('hex');
}

const pathOf = (entry: { parentPath: string; name: string }) => join(entry.parentPath, entry.name);

/** Of those that servers and forks of the fixtures listen on, what is taken on the machine itself. */
export function takenPorts(): string[] {
  const lines = ['tcp', 'tcp6'].flatMap((name) =>
    readFileSync(`/proc/net/${name}`, 'latin1').split('\n').slice(1),
  );
  const addresses = lines.map((line) => line.trim().split(/\s+/)).filter((fields) => fields[3] === '0A');
  const ports = addresses.map((fields) => Number.parseInt(fields[1]?.split(':')[1] ?? '', 16));
  return ports.filter((port) => [8321, 8399].includes(port)).map(String);
}

/** The control groups whose names begin with this: a job's rooms have its marker in them. */
export function groupsOf(prefix: string): string[] {
  if (!existsSync('/sys/fs/cgroup')) return [];
  const command = ['/sys/fs/cgroup', '-maxdepth', '6', '-type', 'd', '-name', `${prefix}*`];
  return spawnSync('find', command, { encoding: 'utf8' })
    .stdout.split('\n')
    .filter((line) => line !== '');
}

/** Everything below a folder, by name. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
}
