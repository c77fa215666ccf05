import type { Command } from '../src/discord/command.ts';
import { account } from './account.ts';
import { admin } from './admin.ts';
import { join } from './join.ts';
import { judge } from './judge.ts';
import { leaderboard } from './leaderboard.ts';
import { notify } from './notify.ts';
import { queue } from './queue.ts';
import { quota } from './quota.ts';
import { submissions } from './submissions.ts';
import { submit } from './submit.ts';
import { team } from './team.ts';

/** Every slash command, in the order in which they are registered. */
export const commands: Command[] = [
  submit,
  leaderboard,
  submissions,
  queue,
  quota,
  notify,
  join,
  team,
  account,
  judge,
  admin,
];
