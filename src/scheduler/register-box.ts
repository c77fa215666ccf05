/** Registering a machine that is reached over SSH: nothing is stored before it was logged into and looked at. */
import { gpuTypeOf } from '../boxes/gpu-type.ts';
import type { BoxPool } from '../boxes/pool.ts';
import { scanHostKey } from '../boxes/ssh.ts';
import { insertBox, notifyBoxes } from '../db/boxes.ts';
import type { Sql } from '../db/client.ts';
import type { NewBox } from '../domain/box.ts';
import { BoxError, boxErrorRemedies, UserError } from '../domain/errors.ts';
import type { ProbeReport } from '../domain/protocol.ts';

/** The server's host key, without logging in. Throws UserError `box-refused`. */
export async function scanBox(host: string, port: number): Promise<{ fingerprint: string; type: string }> {
  return refusing(`${host}:${port}`, () => scanHostKey({ host, port }));
}

/** Throws UserError `box-refused` or `box-exists`; a refused box leaves nothing behind. */
export async function registerBox(
  sql: Sql,
  pool: BoxPool,
  box: NewBox,
): Promise<{ gpuTypes: string[]; probe: ProbeReport }> {
  const connection = pool.trial({
    id: '0',
    kind: 'ssh',
    name: box.name,
    host: box.host,
    port: box.port,
    username: box.username,
    hostKeyFingerprint: box.hostKey,
  });
  try {
    const probe = await refusing(`${box.username}@${box.host}:${box.port}`, async () =>
      (await connection.agent()).probe(),
    );
    const found = [...new Set(probe.gpus.map((gpu) => gpuTypeOf(gpu.model)).filter((type) => type !== null))];
    const gpuTypes = box.gpuTypes ?? (found.length > 0 ? found : ['CPU']);
    const row = await insertBox(sql, { ...box, kind: 'ssh', gpuTypes, probe });
    if (!row) throw new UserError('box-exists', { box: box.name });
    await notifyBoxes(sql);
    return { gpuTypes, probe };
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
