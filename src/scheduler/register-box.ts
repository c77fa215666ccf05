/**
 * Registering a machine that is reached over SSH, or a cluster by its login node: nothing is stored before it was logged
 * into and looked at, and a machine has run the canary in its sandbox.
 */
import { runCanary } from '../boxes/canary.ts';
import type { BoxPool } from '../boxes/pool.ts';
import { scanHostKey } from '../boxes/ssh.ts';
import { insertBox, listBoxes, notifyBoxes } from '../db/boxes.ts';
import type { Sql } from '../db/client.ts';
import { CPU_TYPE, evenLanes, layOut, type NewBox, sandboxWish, servedTypes } from '../domain/box.ts';
import { BoxError, boxErrorRemedies } from '../domain/box-error.ts';
import {
  canaryText,
  describeMachine,
  type Finding,
  judgeCluster,
  judgeLanes,
  judgeNeighbours,
  judgeProbe,
} from '../domain/box-health.ts';
import { UserError } from '../domain/errors.ts';
import { gpuTypeOf } from '../domain/gpu-type.ts';
import type { ProbeReport } from '../domain/protocol.ts';
import { SLURM_SLOTS } from '../domain/slurm.ts';
import { gpusOf } from './box-check.ts';

/** The server's host key, without logging in. Throws UserError `box-refused`. */
export async function scanBox(host: string, port: number): Promise<{ fingerprint: string; type: string }> {
  return refusing(`${host}:${port}`, () => scanHostKey({ host, port }));
}

export interface RegisteredBox {
  gpuTypes: string[];
  slots: number;
  probe: ProbeReport;
}

/**
 * Throws UserError `box-refused`, `box-without-sandbox`, `box-slots`, `cluster-gpu-types` or `box-exists`; a refused box
 * leaves nothing behind.
 * `onStep` is told of each thing that is in order, as it is found.
 */
export async function registerBox(
  sql: Sql,
  pool: BoxPool,
  box: NewBox,
  onStep: (step: Finding) => void = () => {},
): Promise<RegisteredBox> {
  const address = box.host === null ? 'this machine' : `${box.username}@${box.host}:${box.port}`;
  const connection = pool.trial({
    id: '0',
    kind: box.slurm ? 'slurm' : 'ssh',
    name: box.name,
    host: box.host,
    port: box.port,
    username: box.username,
    hostKeyFingerprint: box.hostKey,
    slurm: box.slurm,
  });
  const step = (name: string, text: string, state: Finding['state'] = 'ok') => onStep({ name, state, text });
  try {
    const agent = await refusing(address, () => connection.agent());
    step('Login', 'logged in, the runner is in place');
    const probe = await refusing(address, () => agent.probe(sandboxWish(box)));
    if (box.slurm) return await storeCluster(sql, box, address, probe, onStep);
    const layout = layOut(probe.gpus, box);
    const gpuTypes = servedTypes(layout);
    for (const finding of describeMachine(probe)) onStep(finding);
    refuseWithoutSandbox(box, address, probe);
    for (const finding of judgeProbe(probe, { probe, unsafe: box.unsafe }, new Date())) onStep(finding);
    const neighbours = judgeNeighbours(box, await listBoxes(sql));
    if (neighbours) onStep(neighbours);
    onStep(judgeLanes(layout.lanes.length, gpuTypes, probe));
    const canary = await refusing(address, () =>
      runCanary(connection, { gpus: gpusOf({ probe }), sandbox: sandboxWish(box) }),
    );
    if (canary.measured === null) {
      throw new UserError('box-refused', {
        address,
        problem: `the canary problem failed there: ${canary.problem}`,
        remedy: 'Run `deploy/box/check.sh` on the machine: it names what is out of order.',
      });
    }
    step(
      'Canary',
      [canaryText(canary.measured), canary.note].filter((text) => text !== null).join('; '),
      canary.note ? 'warn' : 'ok',
    );
    const row = await insertBox(sql, { ...box, ...layout, kind: 'ssh', probe, baseline: canary.measured });
    if (!row) throw new UserError('box-exists', { box: box.name });
    await notifyBoxes(sql);
    return { gpuTypes, slots: layout.lanes.length, probe };
  } finally {
    await connection.close();
  }
}

/**
 * A cluster is registered on the word of one of its nodes, which the probe looked at by a job: without a canary, since
 * each job may get another node.
 */
async function storeCluster(
  sql: Sql,
  box: NewBox,
  address: string,
  probe: ProbeReport,
  onStep: (step: Finding) => void,
): Promise<RegisteredBox> {
  for (const finding of describeMachine(probe)) onStep(finding);
  refuseWithoutSandbox(box, address, probe);
  for (const finding of judgeCluster(probe, box)) onStep(finding);
  const offered = probe.slurm?.gpu_types ?? [];
  if (box.gpuTypes === null && offered.length > 1) {
    throw new UserError('cluster-gpu-types', { types: offered.join(', '), first: offered[0] ?? '' });
  }
  const models = probe.gpus.map((gpu) => gpuTypeOf(gpu.model)).filter((type) => type !== null);
  const named = offered.map((type) => gpuTypeOf(type) ?? type.toUpperCase());
  // Asked for none, a job gets none, whatever the node has.
  const found = box.slurm?.gres ? [...new Set(models.length > 0 ? models : named)] : [];
  const gpuTypes = box.gpuTypes ?? (found.length > 0 ? found : [CPU_TYPE]);
  const slots = box.slots ?? SLURM_SLOTS;
  onStep({ name: 'Lanes', state: 'ok', text: `${slots} jobs at once for ${gpuTypes.join(', ')}` });
  if (box.slurm?.gres === null && probe.slurm?.partitions.some(({ gres }) => gres.includes('gpu'))) {
    const text = 'jobs ask for none; to use those of the cluster, add it again with `gres`';
    onStep({ name: 'GPUs', state: 'warn', text });
  }
  const row = await insertBox(sql, {
    ...box,
    kind: 'slurm',
    lanes: evenLanes(gpuTypes, slots),
    wholeTypes: [],
    probe,
  });
  if (!row) throw new UserError('box-exists', { box: box.name });
  await notifyBoxes(sql);
  return { gpuTypes, slots, probe };
}

/** `unsafe` makes up for bubblewrap alone: who names a container means that one. */
function refuseWithoutSandbox(box: NewBox, address: string, probe: ProbeReport): void {
  const problem = probe.sandbox_problem ?? 'unknown';
  if (probe.sandbox !== 'none') return;
  if (box.sandbox.engine !== 'bubblewrap') {
    const remedy = 'See to the engine and the image there, or leave `container` out.';
    throw new UserError('box-refused', { address, problem, remedy });
  }
  if (!box.unsafe) throw new UserError('box-without-sandbox', { address, problem });
}

async function refusing<T>(address: string, attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (!(error instanceof BoxError)) throw error;
    // The sentence around it names the address already.
    const problem = error.message.replace(`${address}: `, '');
    throw new UserError('box-refused', {
      address,
      problem,
      remedy: boxErrorRemedies[error.kind],
    });
  }
}
