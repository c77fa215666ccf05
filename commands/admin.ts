/** `/admin`: what organisers do. Hidden from others by default permissions, and refused in words all the same. */
import { PermissionFlagsBits, SlashCommandBuilder } from 'discord.js';
import type { Choice, Command } from '../src/discord/command.ts';
import { UserError } from '../src/domain/errors.ts';
import { auditGroup } from './admin/audit.ts';
import { boxGroup } from './admin/box.ts';
import { contestGroup } from './admin/contest.ts';
import type { AdminCommand, AdminGroup } from './admin/group.ts';
import { invitesGroup } from './admin/invites.ts';
import { leaderboardGroup } from './admin/leaderboard.ts';
import { limitGroup } from './admin/limit.ts';
import { problemsGroup } from './admin/problems.ts';
import { rejudgeGroup } from './admin/rejudge.ts';
import { runCommand } from './admin/run.ts';
import { submissionGroup } from './admin/submission.ts';
import { teamGroup } from './admin/team.ts';
import { tokenGroup } from './admin/token.ts';
import { userGroup } from './admin/user.ts';
import { verifyCommand } from './admin/verify.ts';

const groups: AdminGroup[] = [
  leaderboardGroup,
  invitesGroup,
  limitGroup,
  submissionGroup,
  userGroup,
  teamGroup,
  contestGroup,
  boxGroup,
  problemsGroup,
  rejudgeGroup,
  tokenGroup,
  auditGroup,
];

const ungrouped: AdminCommand[] = [runCommand, verifyCommand];

function findGroup(name: string | null): AdminGroup | undefined {
  return groups.find((group) => group.name === name);
}

const declaration = new SlashCommandBuilder()
  .setName('admin')
  .setDescription('For organisers')
  // A contest is an event: creators and judges get this permission with their role, strangers don't have it.
  .setDefaultMemberPermissions(PermissionFlagsBits.ManageEvents);
for (const group of groups)
  declaration.addSubcommandGroup((builder) => group.build(builder.setName(group.name)));

for (const command of ungrouped)
  declaration.addSubcommand((builder) => command.build(builder.setName(command.name)));

function findUngrouped(options: { getSubcommandGroup(): string | null; getSubcommand(): string }) {
  if (options.getSubcommandGroup() !== null) return undefined;
  return ungrouped.find((command) => command.name === options.getSubcommand());
}

export const admin: Command = {
  data: declaration.toJSON(),

  ephemeral: () => true,

  async run(interaction, context) {
    const { options } = interaction;
    const own = findUngrouped(options);
    if (own) return own.run(interaction, context);
    await findGroup(options.getSubcommandGroup())?.run[options.getSubcommand()]?.(interaction, context);
  },

  async complete(interaction, context): Promise<Choice[]> {
    const { options } = interaction;
    const own = findUngrouped(options);
    if (own) return own.complete(interaction, context);
    const group = findGroup(options.getSubcommandGroup());
    return (await group?.complete?.(interaction, context)) ?? [];
  },

  async press(interaction, [name = '', ...args], context) {
    const group = findGroup(name);
    // A button of an older version, on a message that is still there.
    if (!group?.press) throw new UserError('choice-expired');
    await group.press(interaction, args, context);
  },

  async open(interaction, args, context) {
    const name = interaction.isChatInputCommand()
      ? interaction.options.getSubcommandGroup()
      : (args?.[0] ?? null);
    const rest = args?.slice(1) ?? null;
    return (await findGroup(name)?.open?.(interaction, rest, context)) ?? null;
  },

  async fill(interaction, [name = '', ...args], context) {
    const group = findGroup(name);
    if (!group?.fill) throw new UserError('choice-expired');
    await group.fill(interaction, args, context);
  },
};
