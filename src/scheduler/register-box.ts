/**
 * Registering a machine that is reached over SSH: nothing is stored before it was logged into, looked at, and has run
 * the canary in its sandbox.
 */
import { runCanary } from '../boxes/canary.ts';
import type { BoxPool } from '../boxes/pool.ts';
import { scanHostKey } from '../boxes/ssh.ts';
import { insertBox, notifyBoxes } from '../db/boxes.ts';
import type { Sql } from '../db/client.ts';
import { layOut, type NewBox, servedTypes } from '../domain/box.ts';
import { canaryText, describeMachine, type Finding, judgeProbe } from '../domain/box-health.ts';
import { BoxError, boxErrorRemedies, UserError } from '../domain/errors.ts';
import type { ProbeReport } from '../domain/protocol.ts';
import { gpusOf, sandboxWish } from './box-check.ts';

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
 * Throws UserError `box-refused`, `box-without-sandbox`, `box-slots` or `box-exists`; a refused box leaves nothing behind.
 * `onStep` is told of each thing that is in order, as it is found.
 */
export async function registerBox(
  sql: Sql,
  pool: BoxPool,
  box: NewBox,
  onStep: (step: Finding) => void = () => {},
): Promise<RegisteredBox> {
  const address = `${box.username}@${box.host}:${box.port}`;
  const connection = pool.trial({
    id: '0',
    kind: 'ssh',
    name: box.name,
    host: box.host,
    port: box.port,
    username: box.username,
    hostKeyFingerprint: box.hostKey,
  });
  const step = (name: string, text: string, state: Finding['state'] = 'ok') => onStep({ name, state, text });
  try {
    const agent = await refusing(address, () => connection.agent());
    step('Login', 'logged in, the runner is in place');
    const probe = await refusing(address, () => agent.probe());
    const layout = layOut(probe.gpus, box);
    const gpuTypes = servedTypes(layout);
    for (const finding of describeMachine(probe)) onStep(finding);
    if (probe.sandbox === 'none' && !box.unsafe) {
      throw new UserError('box-without-sandbox', { address, problem: probe.sandbox_problem ?? 'unknown' });
    }
    for (const finding of judgeProbe(probe, { probe, unsafe: box.unsafe }, new Date())) onStep(finding);
    const lanes = layout.lanes.length;
    step('Lanes', `${lanes} for ${gpuTypes.join(', ')}`);
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

async function refusing<T>(address: string, attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (!(error instanceof BoxError)) throw error;
    throw new UserError('box-refused', {
      address,
      problem: error.message,
      remedy: boxErrorRemedies[error.kind],
    });
  }
}
