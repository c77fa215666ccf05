/** The kinds of messages that are owed for a submission. */
import type { Sql } from '../../src/db/client.ts';

export async function listOwedMessages(sql: Sql, submissionId: number): Promise<string[]> {
  const rows = await sql<{ kind: string }[]>`
    select kind from hotlap.outbox where submission_id = ${submissionId} order by id`;
  return rows.map((row) => row.kind);
}
