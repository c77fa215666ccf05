/** What a slash command is to Hotlap: its declaration, and what it does. One file in commands/ for each. */
import {
  type AutocompleteInteraction,
  type ChatInputCommandInteraction,
  DiscordAPIError,
  type MessageComponentInteraction,
  type ModalBuilder,
  type ModalSubmitInteraction,
  type RESTPostAPIChatInputApplicationCommandsJSONBody,
  Routes,
} from 'discord.js';
import type { ChangeRecord } from '../db/audit.ts';
import type { BoxRow } from '../db/boxes.ts';
import type { Db, Sql } from '../db/client.ts';
import { type ContestRole, type RoleIds, rolesHeld } from '../domain/access.ts';
import type { NewBox } from '../domain/box.ts';
import type { Finding } from '../domain/box-health.ts';
import type { ProblemSource } from '../domain/problem-source.ts';
import type { Viewer } from '../domain/submission.ts';
import type { SyncPlan, SyncReport } from '../domain/sync-plan.ts';
import type { RunDesk } from '../domain/verify.ts';
import type { Log } from '../log.ts';

/** A value for an option that is being typed. */
export interface Choice {
  name: string;
  value: string | number;
}

/** Who may use it is in domain/rules.ts, and checked before any of these is called. */
export interface Command {
  data: RESTPostAPIChatInputApplicationCommandsJSONBody;
  /** Whether the answer is seen by its user alone. */
  ephemeral(interaction: ChatInputCommandInteraction): boolean;
  /** Called after the reply was deferred: answers with `editReply`. */
  run(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void>;
  complete?(interaction: AutocompleteInteraction, context: ReadContext): Promise<Choice[]>;
  /** A button or menu whose custom id is `<command>:<args...>`; called after the update was deferred. */
  press?(interaction: MessageComponentInteraction, args: string[], context: CommandContext): Promise<void>;
  /**
   * The form that a command (`args` null) or a button opens before anything else happens; null where it opens none. The
   * answer must come within 3 s. Its custom id is read like a button's.
   */
  open?(
    interaction: ChatInputCommandInteraction | MessageComponentInteraction,
    args: string[] | null,
    context: ReadContext,
  ): Promise<ModalBuilder | null>;
  /** A form that was filled in; called after an ephemeral reply was deferred. */
  fill?(interaction: ModalSubmitInteraction, args: string[], context: CommandContext): Promise<void>;
}

/** How the commands reach boxes; the parts behind it are put together in app.ts. Every method throws UserError. */
export interface BoxDesk {
  /** The server's host key, without logging in. */
  scan(host: string, port: number): Promise<{ fingerprint: string; type: string }>;
  /** Logs in with the pinned key, looks the machine over, runs the canary, and stores the box. */
  register(box: NewBox, onStep: (step: Finding) => void): Promise<{ gpuTypes: string[]; slots: number }>;
  /** Looks a registered box over; one that is quarantined and found in order is used again. */
  examine(box: BoxRow, onFinding: (finding: Finding) => void): Promise<void>;
  /** The line for `authorized_keys` on a box. */
  publicKey(): Promise<string>;
}

/** How the commands reach the problems. `source` null: the problems folder. Both throw UserError. */
export interface ProblemDesk {
  plan(source: ProblemSource | null, options?: { set?: string }): Promise<SyncPlan>;
  /** A board for one directory of the problems folder; `gpus` where its task names none. */
  planDirectory(directory: string, board: { name: string | null; gpus: string[] }): Promise<SyncPlan>;
  /** `also` is done in the transaction that makes the boards. */
  apply(
    plan: SyncPlan,
    also?: (tx: Db, created: { id: number; name: string }[]) => Promise<void>,
  ): Promise<SyncReport>;
  /** What the problems folder has, by name. */
  places(): Promise<{ sets: string[]; directories: string[] }>;
}

/** What all interactions share; put together in app.ts. */
export interface CommandParts {
  sql: Sql;
  log: Log;
  guildId: string;
  roleIds: RoleIds;
  /** Where announcements go; null: into the channel of the command. */
  announcementChannelId: string | null;
  /** A folder of this server for files that organisers have it write. */
  exportsDir: string;
  /** Where clients reach the HTTP API; null where that is not known. */
  apiUrl: string | null;
  boxes: BoxDesk;
  problems: ProblemDesk;
  runs: RunDesk;
}

/** Where nothing is changed. */
export interface ReadContext extends CommandParts {
  /** Of the person who asks. */
  roles: readonly ContestRole[];
}

export interface CommandContext extends ReadContext {
  /** Where a command that changes something notes what it changed (domain/rules.ts says which do). */
  record: ChangeRecord;
}

export type Asking =
  | ChatInputCommandInteraction
  | MessageComponentInteraction
  | ModalSubmitInteraction
  | AutocompleteInteraction;

const UNKNOWN_MEMBER = 10007;

/** What the person may do here. In a direct message Discord says nothing of roles, so it is asked. */
export async function findRoles(
  interaction: Asking,
  { roleIds, guildId }: Pick<CommandParts, 'roleIds' | 'guildId'>,
): Promise<ContestRole[]> {
  const roles = interaction.member?.roles;
  if (roles) return rolesHeld(Array.isArray(roles) ? roles : [...roles.cache.keys()], roleIds);
  try {
    const route = Routes.guildMember(guildId, interaction.user.id);
    const member = (await interaction.client.rest.get(route)) as { roles: string[] };
    return rolesHeld(member.roles, roleIds);
  } catch (error) {
    if (error instanceof DiscordAPIError && error.code === UNKNOWN_MEMBER) return rolesHeld([], roleIds);
    throw error;
  }
}

/** Who runs a command or presses a button. */
export function viewerOf(interaction: Asking, { roles }: Pick<ReadContext, 'roles'>): Viewer {
  return { userId: interaction.user.id, isAdmin: roles.includes('admin') };
}
