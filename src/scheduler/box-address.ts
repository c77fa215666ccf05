import type { BoxAddress } from '../boxes/connection.ts';
import type { BoxRow } from '../db/boxes.ts';

export function boxAddress(box: BoxRow): BoxAddress {
  return {
    id: String(box.id),
    name: box.name,
    kind: box.kind,
    host: box.host,
    port: box.port,
    username: box.username,
    hostKeyFingerprint: box.hostKey,
    slurm: box.slurm,
  };
}
