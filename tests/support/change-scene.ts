/** A running Hotlap in which everything can be changed: what the samples of `*-changes.ts` work on. */
import { appendFile, cp } from 'node:fs/promises';
import { join } from 'node:path';
import type { APIMessage } from 'discord-api-types/v10';
import type { Sql } from '../../src/db/client.ts';
import type { LeaderboardWithTask } from '../../src/db/leaderboards.ts';
import { storeJobResult } from '../../src/db/results.ts';
import type { AuditState } from '../../src/domain/audit.ts';
import { rankedSubmission } from '../db/ranking-scene.ts';
import { leaseJob, makeBoard, makeBox, passedWith } from '../db/scene.ts';
import { type ApiStage, apiStage, withoutScheduler } from './api-stage.ts';
import { writeLabProblems } from './lab-problems.ts';
import { OAuthProvider } from './oauth-provider.ts';
import { isThinking } from './playground-message.ts';
import {
  type InteractionHandle,
  type PlaygroundUser,
  playgroundUser,
  type SlashOptions,
} from './playground-user.ts';
import { type Sshd, sshdMissing, startSshd } from './sshd.ts';

/** What one change has to leave in the audit log. `before` and `after` are parts of what stands there. */
export interface Trace {
  /** An account, or what an admin token is called. */
  by: string;
  subject: string;
  before?: AuditState;
  after?: AuditState;
  reason?: string;
}

/** Makes one change, by the door that it is a sample of. Null: it only asks, and changes nothing by itself. */
export type Sample = (scene: ChangeScene) => Promise<Trace | null>;

export interface ChangeScene {
  stage: ApiStage;
  sql: Sql;
  admin: PlaygroundUser;
  judge: PlaygroundUser;
  /** A participant. */
  mira: PlaygroundUser;
  /** Null where there is no SSH server to be a box. */
  sshd: Sshd | null;
  provider: OAuthProvider;
  /** Of this scene's own making, so that samples don't meet. */
  board(): Promise<LeaderboardWithTask>;
  /** Of mira, with a score. */
  ranked(board: LeaderboardWithTask): Promise<number>;
  /** Runs both jobs of a submission, its own or those of a rejudge. */
  judgeAgain(submissionId: number, rejudgeId: number): Promise<void>;
  /** The answer to a command. */
  say(user: PlaygroundUser, command: string, options?: SlashOptions): Promise<APIMessage>;
  stop(): Promise<void>;
}

export const PUBLIC_URL = 'https://hotlap.example';
const TIMEOUT = { timeoutMs: 60_000 };

export async function changeScene(): Promise<ChangeScene> {
  const sshd = sshdMissing() === null ? await startSshd() : null;
  const provider = new OAuthProvider(PUBLIC_URL);
  await provider.start();
  const stage = await apiStage({
    env: {
      ...withoutScheduler,
      ...provider.env,
      HOTLAP_LOCAL_BOX: 'off',
      ...(sshd && { HOTLAP_SSH_KEY: sshd.privateKeyPath }),
    },
    async prepareProblems(directory) {
      await writeLabProblems(directory);
      await addDirectory(directory, 'trial');
    },
  });
  const { playground, users } = stage.running;
  const { sql } = stage.running.app;
  const judge = playgroundUser(playground, 'judith');
  const { id: boxId } = await makeBox(sql, ['CPU']);
  const mira = { id: users.first.id, name: 'mira' };
  return {
    stage,
    sql,
    admin: users.admin,
    mira: users.first,
    judge,
    sshd,
    provider,
    board: () => makeBoard(sql),
    ranked: (board) => rankedSubmission(sql, boxId, board, { user: mira }),
    async judgeAgain(submissionId, rejudgeId) {
      for (const secret of [false, true]) {
        const lease = await leaseJob(sql, boxId, { submissionId, secret, rejudgeId });
        await storeJobResult(sql, lease, passedWith(1), 1);
      }
    },
    say: async (user, command, options) => answerOf(await user.slash(command, options)),
    async stop() {
      judge.close();
      await stage.stop();
      await provider.stop();
      await sshd?.remove();
    },
  };
}

/** A directory of the problems folder of which a board can be made. */
export async function addDirectory(problemsDir: string, name: string): Promise<void> {
  const folder = join(problemsDir, 'lab', name);
  await cp(join(problemsDir, 'lab', 'doubling'), folder, { recursive: true });
  await appendFile(join(folder, 'task.yml'), 'gpus: [CPU]\n');
}

function answerOf(handle: InteractionHandle): Promise<APIMessage> {
  return handle.waitFor((version) => !isThinking(version), TIMEOUT);
}
