/** The record of who did what: what an entry says. The chain that keeps it honest is in migration 0012. */

export const auditDoors = ['discord', 'api', 'command-line'] as const;
export type AuditDoor = (typeof auditDoors)[number];

export interface Actor {
  /** An account, or the name of what has none. */
  id: string;
  name: string;
  door: AuditDoor;
}

/** What can be told of a state, before or after. No secrets: no seeds, tokens, secret scores or code. */
export type AuditState = Record<string, string | number | boolean | null | readonly (string | number)[]>;

/** What a change adds to the words by which it was asked for. */
export interface ChangeNote {
  /** Such as `leaderboard matmul` or `submission 17`. */
  subject?: string | null;
  before?: AuditState | null;
  after?: AuditState | null;
  reason?: string | null;
}

export interface AuditEntry extends Required<ChangeNote> {
  id: number;
  at: Date;
  actor: Actor;
  action: string;
  /** What the hash is of: that of the entry before, a line feed, and this text. */
  text: string;
  previousHash: string;
  hash: string;
}

export interface AuditVerdict {
  entries: number;
  /** The newest entry's; null where there is none. Noted down elsewhere, it proves all entries up to it. */
  newestHash: string | null;
  /** The first that does not fit, and how many there are. */
  firstFault: { id: number; fault: 'missing' | 'broken' | 'changed' } | null;
  faults: number;
}
