/** Taking submissions and boards out of the world: what still runs of them is ended first, and waited for. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ChangeRecord } from '../db/audit.ts';
import { cancelSubmission } from '../db/cancel.ts';
import type { Sql } from '../db/client.ts';
import { deleteLeaderboard, deleteSubmission } from '../db/deletion.ts';
import { UserError } from '../domain/errors.ts';
import { unknownLeaderboard } from './accept.ts';

/** A box ends a job within a second or so; clients wait 30 s. */
const PATIENCE_MS = 20_000;
const PAUSE_MS = 250;

/** Throws UserError: there is none, or its box does not end it in time; then it is cancelled and can be deleted later. */
export async function withdrawSubmission(
  sql: Sql,
  id: number,
  record: ChangeRecord,
  reason: string | null = null,
): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (let asked = false; ; asked = true) {
    const state = await deleteSubmission(sql, id, record, reason);
    if (state === 'deleted') return;
    if (state === 'unknown') throw new UserError('unknown-submission', { id });
    if (!asked) await cancelSubmission(sql, id);
    if (Date.now() > deadline) {
      const after = { cancelled: true, deleted: false };
      await record.note(sql, { subject: `submission ${id}`, after, reason });
      throw new UserError('still-stopping', { id });
    }
    await delay(PAUSE_MS);
  }
}

/** Returns the name as the board had it. Throws UserError; without `force` too where there are submissions. */
export async function withdrawLeaderboard(
  sql: Sql,
  name: string,
  options: { force: boolean; reason?: string | null },
  record: ChangeRecord,
): Promise<string> {
  const deadline = Date.now() + PATIENCE_MS;
  const asked = new Set<number>();
  for (;;) {
    const result = await deleteLeaderboard(sql, name, options, record);
    switch (result.state) {
      case 'deleted':
        return result.name;
      case 'unknown':
        throw await unknownLeaderboard(sql, name);
      case 'has-submissions':
        throw new UserError('leaderboard-has-submissions', {
          leaderboard: result.name,
          count: result.count,
        });
      case 'running': {
        const [first] = result.submissionIds;
        if (Date.now() > deadline) {
          const after = { cancelled: result.submissionIds, deleted: false };
          const { reason = null } = options;
          await record.note(sql, { subject: `leaderboard ${name}`, after, reason });
          throw new UserError('still-stopping', { id: first ?? 0 });
        }
        for (const id of result.submissionIds.filter((item) => !asked.has(item))) {
          asked.add(id);
          await cancelSubmission(sql, id);
        }
        await delay(PAUSE_MS);
      }
    }
  }
}
