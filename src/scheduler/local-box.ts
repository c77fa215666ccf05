/** This machine as a box: registered when no box was ever registered, brought up to date at every start. */
import { gpuTypeOf } from '../boxes/gpu-type.ts';
import type { BoxPool } from '../boxes/pool.ts';
import { insertBox, listBoxes, updateLocalBox } from '../db/boxes.ts';
import type { Sql } from '../db/client.ts';
import type { ProbeReport } from '../domain/protocol.ts';
import { boxAddress } from './box-address.ts';

export const LOCAL_BOX_NAME = 'local';

/**
 * Probes this machine and stores what it offers. Throws BoxError when it cannot be a box (no Python, say).
 * Its GPU type comes from what is found, unless `gpuType` names one; a machine with a GPU runs CPU problems too.
 */
export async function registerLocalBox(
  sql: Sql,
  pool: BoxPool,
  options: { gpuType: string | null; slots: number },
): Promise<ProbeReport> {
  const known = (await listBoxes(sql)).find((box) => box.kind === 'local');
  const address = known
    ? boxAddress(known)
    : {
        id: '0',
        name: LOCAL_BOX_NAME,
        kind: 'local' as const,
        host: null,
        port: null,
        username: null,
        hostKeyFingerprint: null,
      };
  const connection = pool.trial(address);
  try {
    const probe = await (await connection.agent()).probe();
    const box = { gpuTypes: localGpuTypes(probe, options.gpuType), slots: options.slots, probe };
    if (known) await updateLocalBox(sql, known.id, box);
    else
      await insertBox(sql, {
        name: LOCAL_BOX_NAME,
        kind: 'local',
        host: null,
        port: null,
        username: null,
        hostKey: null,
        ...box,
      });
    return probe;
  } finally {
    await connection.close();
  }
}

function localGpuTypes(probe: ProbeReport, wanted: string | null): string[] {
  if (wanted !== null) return [wanted];
  const found = probe.gpus.map((gpu) => gpuTypeOf(gpu.model)).filter((type) => type !== null);
  return [...new Set([...found, 'CPU'])];
}
