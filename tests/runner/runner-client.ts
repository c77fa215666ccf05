/**
 * Drives the real runner for the tests: packs it as Hotlap does, starts agents from the archive
 * and speaks the box protocol, holding every line that comes back against the zod half.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { loadRunnerArchive } from '../../src/boxes/runner-archive.ts';
import {
  helloLine,
  type JobEvent,
  type JobResult,
  type JobSpec,
  PROTOCOL_VERSION,
  replyLine,
  type StageReport,
  type Verb,
  verbValue,
} from '../../src/domain/protocol.ts';

const archive = await loadRunnerArchive();
const FIXTURES = join(import.meta.dirname, '../fixtures/runner');

export const HONEST = 'def custom_kernel(data):\n    return sorted(data)\n';
export const TWO_CASES = 'size: 8; seed: 1\nsize: 20; seed: 2\n';

/** A refusal of the runner, with the protocol's error kind. */
export class RunnerRefusal extends Error {
  readonly kind: string;

  constructor(kind: string, message: string) {
    super(message);
    this.kind = kind;
  }
}

type Pending = {
  onEvent: (event: JobEvent) => void;
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
};

/** One root folder with its runner archive; `close` ends every job in it and removes it. */
export class TestBox {
  readonly root: string;
  readonly archive: string;
  private readonly env: NodeJS.ProcessEnv;
  private readonly agents: Agent[] = [];
  private jobCount = 0;

  /** `firstOnPath`: a folder whose programs stand in for the machine's. */
  constructor(root = mkdtempSync(join(tmpdir(), 'hotlap-runner-')), firstOnPath?: string) {
    this.root = root;
    this.env = firstOnPath ? { ...process.env, PATH: `${firstOnPath}:${process.env.PATH}` } : process.env;
    this.archive = join(mkdtempSync(join(tmpdir(), 'hotlap-zip-')), 'runner.zip');
    writeFileSync(this.archive, archive.bytes);
  }

  async agent(instance = 'tests'): Promise<Agent> {
    const agent = await Agent.open(this.archive, this.root, instance, this.env);
    this.agents.push(agent);
    return agent;
  }

  /** Runs a verb of the command line; returns its lines of output, parsed. */
  cli(verb: string, args: readonly string[], input = ''): unknown[] {
    const argv = [this.archive, verb, ...args, '--root', this.root, '--instance', 'tests'];
    const text = execFileSync('python3', argv, { input, encoding: 'utf8', timeout: 30_000 });
    return text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
  }

  jobFolder(jobKey: string): string {
    return join(this.root, 'tests', 'jobs', jobKey);
  }

  /** A job of the fixtures: `files` come on top of the evaluation program, its module and the submission. */
  job(options: {
    submission: string;
    harness?: 'inproc' | 'pool';
    files?: Record<string, string>;
    stages?: JobSpec['stages'];
    timeoutS?: number;
    change?: Partial<JobSpec>;
  }): JobSpec {
    this.jobCount += 1;
    return {
      protocol: PROTOCOL_VERSION,
      job_key: `${this.jobCount}.1`,
      lang: 'py',
      files: {
        'eval.py': readFileSync(join(FIXTURES, `${options.harness ?? 'inproc'}_eval.py`), 'utf8'),
        'cases.py': readFileSync(join(FIXTURES, 'cases.py'), 'utf8'),
        'submission.py': options.submission,
        ...options.files,
      },
      main: 'eval.py',
      warmup: null,
      stages: options.stages ?? [
        { name: 'test', mode: 'test', timeout_s: options.timeoutS ?? 20, cases: TWO_CASES },
      ],
      env: {},
      world_size: null,
      sandbox: 'auto',
      ...options.change,
    };
  }

  async close(): Promise<void> {
    const last = await this.agent();
    await last.request('sweep', { keep: [] });
    for (const agent of this.agents) agent.kill();
    rmSync(this.root, { recursive: true, force: true });
    rmSync(join(this.archive, '..'), { recursive: true, force: true });
  }
}

export class Agent {
  readonly hello: { protocol: number; runner: string; pid: number };
  private readonly child: ChildProcess;
  private readonly pending: Map<number, Pending>;
  private nextId = 1;

  private constructor(child: ChildProcess, hello: Agent['hello'], pending: Map<number, Pending>) {
    this.child = child;
    this.hello = hello;
    this.pending = pending;
  }

  static open(archive: string, root: string, instance: string, env: NodeJS.ProcessEnv): Promise<Agent> {
    const argv = [archive, 'agent', '--root', root, '--instance', instance];
    const child = spawn('python3', argv, { stdio: ['pipe', 'pipe', 'inherit'], env });
    const pending = new Map<number, Pending>();
    const { promise, resolve, reject } = Promise.withResolvers<Agent>();
    let opened = false;
    // A killed agent breaks the pipe; that shows as its exit.
    child.stdin.on('error', () => {});
    createInterface({ input: child.stdout }).on('line', (line) => {
      const json: unknown = JSON.parse(line);
      if (opened) {
        settle(pending, replyLine.parse(json));
        return;
      }
      opened = true;
      resolve(new Agent(child, helloLine.parse(json).hello, pending));
    });
    child.on('exit', () => {
      reject(new Error('the agent ended'));
      for (const waiting of pending.values()) waiting.reject(new Error('the agent ended'));
    });
    return promise;
  }

  async request<V extends Verb>(
    op: V,
    args: object,
    onEvent: (event: JobEvent) => void = () => {},
  ): Promise<ReturnType<(typeof verbValue)[V]['parse']>> {
    const id = this.nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.pending.set(id, { onEvent, resolve, reject });
    this.child.stdin?.write(`${JSON.stringify({ id, op, ...args })}\n`);
    const value = await promise;
    return verbValue[op].parse(value) as ReturnType<(typeof verbValue)[V]['parse']>;
  }

  start(job: JobSpec, seed: number | null = null): Promise<{ attached: boolean }> {
    return this.request('start', { job, seed });
  }

  async follow(
    jobKey: string,
    from = 0,
    onEvent: (event: JobEvent) => void = () => {},
  ): Promise<{ result: JobResult; events: JobEvent[] }> {
    const events: JobEvent[] = [];
    const { result } = await this.request('follow', { job_key: jobKey, from }, (event) => {
      events.push(event);
      onEvent(event);
    });
    return { result, events };
  }

  /** Starts a job and waits for its result. */
  async run(job: JobSpec, seed: number | null = null): Promise<{ result: JobResult; events: JobEvent[] }> {
    await this.start(job, seed);
    return this.follow(job.job_key);
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}

function settle(pending: Map<number, Pending>, reply: ReturnType<typeof replyLine.parse>): void {
  const waiting = pending.get(reply.id);
  if (!waiting) throw new Error(`a reply to no request: ${JSON.stringify(reply)}`);
  if ('event' in reply) {
    waiting.onEvent(reply.event);
    return;
  }
  pending.delete(reply.id);
  if (reply.ok) waiting.resolve(reply.value);
  else waiting.reject(new RunnerRefusal(reply.error.kind, reply.error.message));
}

/** The value of the last line with this key. */
export function lastLine(stage: StageReport, key: string): string | undefined {
  return stage.lines.findLast(([name]) => name === key)?.[1];
}

export function onlyStage(result: JobResult): StageReport {
  const [stage] = result.stages;
  if (!stage || result.stages.length !== 1) throw new Error(`one stage expected: ${JSON.stringify(result)}`);
  return stage;
}

/** Command lines of living processes that contain `text`. A zombie counts as dead. */
export function listProcesses(text: string): string[] {
  const listing = execFileSync('ps', ['-axww', '-o', 'pid=,stat=,args='], { encoding: 'utf8' });
  return listing
    .split('\n')
    .filter((line) => line.includes(text) && !/^\s*\d+\s+Z/.test(line) && !line.includes('ps -axww'));
}

/** Waits until `probe` gives something that is neither null, undefined nor false. */
export async function waitFor<T>(what: string, probe: () => T | null | undefined | false): Promise<T> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const found = probe();
    if (found !== null && found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
