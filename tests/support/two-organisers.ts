/** Two organisers and a participant on a Hotlap whose messages outlive it: for what happens at once, and for what is old. */
import type { APIMessage } from 'discord-api-types/v10';
import { type App, startApp } from '../../src/app.ts';
import { listAudit } from '../../src/db/audit.ts';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { appealRuling, invalidateSubmission } from '../../src/db/rulings.ts';
import { rankedSubmission } from '../db/ranking-scene.ts';
import { makeBoard, makeBox, testRecord } from '../db/scene.ts';
import { type LastingPlayground, lastingPlayground } from './lasting-playground.ts';
import { componentsOf, isEphemeral, isThinking, textOf } from './playground-message.ts';
import { type PlaygroundUser, playgroundUser, type SlashOptions } from './playground-user.ts';

const TIMEOUT = { timeoutMs: 60_000 };

/** What a button says whose matter is forgotten. */
export const EXPIRED = 'This choice is no longer open.';

export interface TwoOrganisers {
  stage: LastingPlayground;
  /** The one that runs now; a test that starts another puts it here. */
  app: App | null;
  olga: PlaygroundUser;
  kenji: PlaygroundUser;
  mira: PlaygroundUser;
  boxId: number;
  stop(): Promise<void>;
}

export async function twoOrganisers(): Promise<TwoOrganisers> {
  const stage = await lastingPlayground({ HOTLAP_ROLES: 'discord' });
  const { playground, request, database } = stage;
  const person = (name: string) => playgroundUser(playground, name);
  const [olga, kenji, mira] = [person('olga'), person('kenji'), person('mira')];
  const roles = `/guilds/${playground.guildId}/members/${kenji.id}/roles`;
  await request('PUT', `${roles}/${playground.roleIds.admin}`);
  const app = await startApp(stage.config, stage.log);
  await Promise.all([olga, kenji, mira].map((user) => user.watch()));
  const boxId = (await makeBox(database.sql, ['CPU'])).id;
  const on: TwoOrganisers = {
    stage,
    app,
    olga,
    kenji,
    mira,
    boxId,
    async stop() {
      for (const user of [olga, kenji, mira]) user.close();
      await stage.stop(on.app);
    },
  };
  return on;
}

/** The answer to a command. */
export async function say(
  user: PlaygroundUser,
  command: string,
  options: SlashOptions = {},
): Promise<APIMessage> {
  const handle = await user.slash(command, options);
  if (handle.failure !== undefined) throw new Error(`${command}: ${handle.failure}`);
  return handle.waitFor((message) => !isThinking(message), TIMEOUT);
}

export async function words(...asked: Parameters<typeof say>): Promise<string> {
  return textOf(await say(...asked));
}

export async function everyMessage(user: PlaygroundUser): Promise<APIMessage[]> {
  return Object.values((await user.state()).messages).flat();
}

/** Acts, and returns what this person alone reads then: a sentence below what was pressed. */
export async function follows(user: PlaygroundUser, act: () => Promise<unknown>): Promise<string> {
  const ids = (await everyMessage(user)).map((message) => BigInt(message.id));
  const newest = ids.reduce((a, b) => (a > b ? a : b), 0n);
  await act();
  const fits = (message: APIMessage) =>
    BigInt(message.id) > newest && isEphemeral(message) && !isThinking(message);
  return textOf(await user.waitForMessage(fits, TIMEOUT));
}

/** A message in the version that fits. */
export function becomes(user: PlaygroundUser, { id }: APIMessage, pattern: RegExp): Promise<APIMessage> {
  return user.waitForMessage((message) => message.id === id && pattern.test(textOf(message)), TIMEOUT);
}

/** The message that has this button. */
export function labelled(user: PlaygroundUser, customId: string): Promise<APIMessage> {
  return user.waitForMessage(
    (message) => componentsOf(message).some((component) => component.customId === customId),
    TIMEOUT,
  );
}

/** Of mira, with a score. */
export function ranked({ stage, boxId, mira }: TwoOrganisers, board: LeaderboardWithTask): Promise<number> {
  return rankedSubmission(stage.database.sql, boxId, board, { user: { id: mira.id, name: 'mira' } });
}

/** A submission of mira that was taken out; she has a notice of it. */
export async function ruled(on: TwoOrganisers): Promise<{ id: number; rulingId: number }> {
  const { sql } = on.stage.database;
  const id = await ranked(on, await makeBoard(sql));
  const ruling = { submissionId: id, reason: 'It times nothing.', evidence: null };
  const made = await invalidateSubmission(sql, ruling, testRecord());
  if (typeof made === 'string') throw new Error(made);
  return { id, rulingId: made.id };
}

export async function appealed(on: TwoOrganisers): Promise<{ id: number; rulingId: number }> {
  const made = await ruled(on);
  const appeal = { userId: on.mira.id, text: 'It does.' };
  await appealRuling(on.stage.database.sql, made.rulingId, appeal, testRecord());
  return made;
}

export function entriesOf({ stage }: TwoOrganisers, subject: string) {
  const filter = { actor: null, action: null, subject };
  return listAudit(stage.database.sql, filter, { limit: 50, before: null });
}
