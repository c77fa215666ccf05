/** This machine as a box: registered when no box was ever registered, brought up to date at every start. */
import type { BoxPool } from '../boxes/pool.ts';
import { insertBox, listBoxes, updateLocalBox } from '../db/boxes.ts';
import type { Sql } from '../db/client.ts';
import { CPU_TYPE, layOut } from '../domain/box.ts';
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
  options: { gpuType: string | null; slots: number | null },
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
    const wanted = options.gpuType === null ? null : [options.gpuType];
    const layout = layOut(probe.gpus, {
      gpuTypes: wanted,
      slots: options.slots,
      also: wanted ? [] : [CPU_TYPE],
    });
    // Its owner runs his own playground on it: that works where there is no sandbox, and every result says so.
    const box = { ...layout, unsafe: probe.sandbox === 'none', probe };
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
