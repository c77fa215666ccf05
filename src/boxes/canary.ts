/** Runs the canary program (deploy/box/canary) on a box, like a submission and in the same sandbox. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { BoxError } from '../domain/box-error.ts';
import { type Canary, canary, type JobSpec, PROTOCOL_VERSION } from '../domain/protocol.ts';
import type { BoxConnection } from './connection.ts';
import { forgetJob, runOnBox } from './run-on-box.ts';

const PROGRAM = new URL('../../deploy/box/canary/canary.py', import.meta.url);
const TIMEOUT_S = 120;

export interface CanaryRun {
  /** Null when it failed. */
  measured: Canary | null;
  /** What is wrong with the box, in words. */
  problem: string | null;
  /** What could not be measured, and why. */
  note: string | null;
}

/**
 * `gpus`: which to measure; they must be free, and the box must not be timing anything. Throws BoxError when the box
 * cannot run it at all.
 */
export async function runCanary(
  connection: BoxConnection,
  options: { gpus: number[]; sandbox: JobSpec['sandbox'] },
): Promise<CanaryRun> {
  const spec: JobSpec = {
    protocol: PROTOCOL_VERSION,
    job_key: `canary-${randomBytes(6).toString('hex')}.1`,
    lang: 'py',
    files: { 'canary.py': await readFile(PROGRAM, 'utf8') },
    main: 'canary.py',
    warmup: null,
    stages: [{ name: 'canary', mode: 'benchmark', timeout_s: TIMEOUT_S, cases: '' }],
    env: { HOTLAP_CANARY_GPUS: options.gpus.join(',') },
    world_size: null,
    gpus: options.gpus,
    sandbox: options.sandbox,
  };
  const result = await runOnBox(connection, spec, { seed: null, onEvent: () => {} });
  await forgetJob(connection, spec.job_key).catch(() => {});
  const stage = result.stages[0];
  if (!stage) throw new BoxError('runner-crashed', 'the canary did not run');
  const lines = new Map(stage.lines);
  const problem = lines.get('canary.problem') ?? null;
  if (lines.get('check') === 'pass') {
    return {
      measured: readCanary(lines, options.gpus),
      problem: null,
      note: lines.get('canary.note') ?? null,
    };
  }
  const end = stage.timed_out ? `it took longer than ${TIMEOUT_S} s` : stage.stderr.trim().split('\n').at(-1);
  return { measured: null, problem: problem ?? (end || `exit code ${stage.exit_code}`), note: null };
}

function readCanary(lines: Map<string, string>, gpus: number[]): Canary {
  const measuredGpus = gpus.filter((index) => lines.has(`canary.gpu.${index}.matmul_ns`));
  return canary.parse({
    cpu_ns: Number(lines.get('canary.cpu_ns')),
    gpus: measuredGpus.map((index) => ({
      index,
      matmul_ns: Number(lines.get(`canary.gpu.${index}.matmul_ns`)),
      copy_ns: Number(lines.get(`canary.gpu.${index}.copy_ns`)),
    })),
  });
}
