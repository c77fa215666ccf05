/**
 * Sees to boxes that are due for a look: a quarantined one comes back by itself when it is in order again, and on one
 * that is ready the canary runs every few hours. What it finds wrong there must be seen twice before it counts.
 */
import type { BoxPool } from '../boxes/pool.ts';
import { listDueBoxes, quarantineBox, releaseBox } from '../db/box-checks.ts';
import { type BoxRow, notifyBoxes } from '../db/boxes.ts';
import type { Sql } from '../db/client.ts';
import type { Finding } from '../domain/box-health.ts';
import type { Log } from '../log.ts';
import { boxAddress } from './box-address.ts';
import { checkBox, evidenceOf } from './box-check.ts';

const INTERVAL_MS = 5000;

export function startBoxMonitor(sql: Sql, pool: BoxPool, log: Log): { stop(): Promise<void> } {
  let running: Promise<void> | null = null;
  const look = () => {
    running ??= lookAtDueBoxes(sql, pool, log)
      .catch((error: unknown) => log.warn({ error }, 'boxes not looked at'))
      .finally(() => {
        running = null;
      });
  };
  const timer = setInterval(look, INTERVAL_MS);
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}

async function lookAtDueBoxes(sql: Sql, pool: BoxPool, log: Log): Promise<void> {
  for (const box of await listDueBoxes(sql)) await lookAt(sql, pool, box, log);
}

/** For an organiser who asks. A quarantined box that is in order is used again. */
export async function examineBox(
  sql: Sql,
  pool: BoxPool,
  box: BoxRow,
  onFinding: (finding: Finding) => void,
): Promise<void> {
  const connection = pool.trial(boxAddress(box));
  try {
    const { healthy } = await checkBox(sql, box, connection, onFinding);
    if (healthy && box.state === 'quarantined') {
      await releaseBox(sql, box.id, 'an organiser had it looked at, and it is in order');
      await notifyBoxes(sql);
    }
  } finally {
    await connection.close();
  }
}

async function lookAt(sql: Sql, pool: BoxPool, box: BoxRow, log: Log): Promise<void> {
  const connection = pool.trial(boxAddress(box));
  try {
    let check = await checkBox(sql, box, connection);
    // Another scheduler looks, or jobs run: it stays due.
    if (!check.alone) return;
    const isWrong = () => evidenceOf(check) !== '';
    if (box.state === 'ready' && isWrong()) check = await checkBox(sql, box, connection);
    if (box.state === 'quarantined' && check.healthy) {
      await releaseBox(sql, box.id, 'it was looked at and is in order');
    } else if (isWrong() || box.state === 'quarantined') {
      await quarantineBox(sql, box.id, evidenceOf(check) || box.problem || 'it could not be looked at');
      log.warn({ box: box.name, evidence: evidenceOf(check) }, 'box quarantined');
    } else return;
    await notifyBoxes(sql);
  } finally {
    await connection.close();
  }
}
