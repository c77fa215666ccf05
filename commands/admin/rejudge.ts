/** `/admin rejudge`: judging ranked submissions again by the present version of their task. Nothing moves unseen. */
import {
  ActionRowBuilder,
  AttachmentBuilder,
  ButtonBuilder,
  ButtonStyle,
  type ChatInputCommandInteraction,
  type MessageComponentInteraction,
  MessageFlags,
} from 'discord.js';
import type { Sql } from '../../src/db/client.ts';
import { listLeaderboards } from '../../src/db/leaderboards.ts';
import { listRejudges } from '../../src/db/rejudges.ts';
import { type CommandContext, viewerOf } from '../../src/discord/command.ts';
import { completeLeaderboard } from '../../src/discord/leaderboard-choices.ts';
import { UserError } from '../../src/domain/errors.ts';
import type { RejudgeStatus } from '../../src/domain/rejudge.ts';
import {
  beginRejudge,
  confirmRejudge,
  dropRejudge,
  rejudgeReport,
  requestRejudge,
} from '../../src/intake/rejudge.ts';
import { rejudgeEmbed, rejudgeListEmbed } from '../../src/reports/rejudge-embed.ts';
import { rejudgeFile } from '../../src/reports/rejudge-file.ts';
import type { AdminGroup } from './group.ts';

const LISTED = 25;
type Interaction = ChatInputCommandInteraction | MessageComponentInteraction;

export const rejudgeGroup: AdminGroup = {
  name: 'rejudge',

  build: (group) => {
    group
      .setDescription('Judge ranked submissions again')
      .addSubcommand((sub) =>
        sub
          .setName('start')
          .setDescription('Choose what is judged again; all ranked submissions unless you say otherwise')
          .addStringOption((option) =>
            option
              .setName('leaderboard')
              .setDescription('The leaderboard')
              .setRequired(true)
              .setAutocomplete(true),
          )
          .addIntegerOption((option) =>
            option
              .setName('top')
              .setDescription('Only the first so many of each GPU type')
              .setMinValue(1)
              .setMaxValue(10_000),
          )
          .addUserOption((option) => option.setName('user').setDescription('Only those of one user'))
          .addStringOption((option) =>
            option
              .setName('since')
              .setDescription('Only those sent since: 24h, 3d, 2026-11-20 18:00 (UTC)')
              .setMaxLength(30),
          )
          .addBooleanOption((option) =>
            option.setName('outdated').setDescription('Only what an earlier version of the task has judged'),
          ),
      )
      .addSubcommand((sub) => sub.setName('list').setDescription('All rejudges, newest first'));
    for (const [name, description] of Object.entries(byNumber))
      group.addSubcommand((sub) =>
        sub
          .setName(name)
          .setDescription(description)
          .addIntegerOption((option) =>
            option
              .setName('id')
              .setDescription('Its number')
              .setRequired(true)
              .setMinValue(1)
              .setAutocomplete(true),
          ),
      );
    return group;
  },

  run: {
    start: (interaction, context) => plan(interaction, context),
    list: showList,
    show: (interaction, context) => show(interaction, context, numberOf(interaction)),
    apply: (interaction, context) => act(interaction, context, 'apply', numberOf(interaction)),
    cancel: (interaction, context) => act(interaction, context, 'cancel', numberOf(interaction)),
  },

  async complete(interaction, context) {
    const focused = interaction.options.getFocused(true);
    if (focused.name === 'leaderboard')
      return completeLeaderboard(context.sql, viewerOf(interaction, context), focused.value);
    return completeRejudge(context.sql, interaction.options.getSubcommand(), focused.value);
  },

  /** `admin:rejudge:plan:<leaderboard id>` and, by its number, `admin:rejudge:<begin|show|apply|cancel>:<id>` */
  async press(interaction, [action = '', id = ''], context) {
    if (action === 'plan') return planBoard(interaction, context, Number(id));
    if (action === 'show') return show(interaction, context, Number(id));
    await act(interaction, context, action, Number(id));
  },
};

const byNumber = {
  show: 'Old and new score and place beside each other',
  apply: 'Make the new verdicts the board’s',
  cancel: 'End it and leave the board as it is',
};

function numberOf(interaction: ChatInputCommandInteraction): number {
  return interaction.options.getInteger('id', true);
}

async function plan(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const { options } = interaction;
  const wish = {
    leaderboard: options.getString('leaderboard', true),
    top: options.getInteger('top'),
    userId: options.getUser('user')?.id ?? null,
    since: options.getString('since'),
    outdatedOnly: options.getBoolean('outdated') ?? false,
  };
  const id = await requestRejudge(context.sql, wish, interaction.user.id, context.record);
  await show(interaction, context, id);
}

/** From the answer to a sync: what the changed task has not judged yet. */
async function planBoard(
  interaction: MessageComponentInteraction,
  context: CommandContext,
  leaderboardId: number,
): Promise<void> {
  const board = (await listLeaderboards(context.sql)).find((item) => item.id === leaderboardId);
  if (!board) throw new UserError('choice-expired');
  const wish = { leaderboard: board.name, top: null, userId: null, since: null, outdatedOnly: true };
  const id = await requestRejudge(context.sql, wish, interaction.user.id, context.record);
  // The answer to the sync stays: other boards may have their buttons on it.
  const message = await messageOf(context.sql, id);
  await interaction.followUp({ ...message, flags: MessageFlags.Ephemeral });
}

async function act(
  interaction: Interaction,
  context: CommandContext,
  action: string,
  id: number,
): Promise<void> {
  const { sql, record } = context;
  const by = interaction.user.id;
  if (action === 'begin') await beginRejudge(sql, id, record);
  else if (action === 'apply') await confirmRejudge(sql, id, by, record);
  else if (action === 'cancel') await dropRejudge(sql, id, by, record);
  else throw new UserError('choice-expired');
  await show(interaction, context, id);
}

async function show(interaction: Interaction, context: CommandContext, id: number): Promise<void> {
  await interaction.editReply(await messageOf(context.sql, id));
}

/** Only ever ephemeral: secret scores are in the file. */
async function messageOf(sql: Sql, id: number) {
  const report = await rejudgeReport(sql, id);
  const { rejudge, changes, entries } = report;
  const file = rejudgeFile(id, entries, changes);
  return {
    embeds: [rejudgeEmbed(report)],
    components: buttonRows(rejudge.status, rejudge.isCurrent, id),
    files:
      rejudge.status === 'planned'
        ? []
        : [new AttachmentBuilder(Buffer.from(file.text), { name: file.name })],
  };
}

function buttonRows(
  status: RejudgeStatus,
  isCurrent: boolean,
  id: number,
): ActionRowBuilder<ButtonBuilder>[] {
  const button = (action: string, label: string, style: ButtonStyle) =>
    new ButtonBuilder().setCustomId(`admin:rejudge:${action}:${id}`).setLabel(label).setStyle(style);
  const cancel = button('cancel', 'Cancel', ButtonStyle.Secondary);
  const buttons: Record<RejudgeStatus, ButtonBuilder[]> = {
    planned: [button('begin', 'Start', ButtonStyle.Success), cancel],
    running: [button('show', 'Refresh', ButtonStyle.Primary), cancel],
    ready: [
      ...(isCurrent ? [button('apply', 'Apply', ButtonStyle.Success)] : []),
      button('cancel', 'Cancel: leave the board as it is', ButtonStyle.Secondary),
    ],
    applied: [],
    cancelled: [],
  };
  const shown = buttons[status];
  return shown.length > 0 ? [new ActionRowBuilder<ButtonBuilder>().addComponents(shown)] : [];
}

async function showList(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const rejudges = await listRejudges(context.sql, { limit: LISTED });
  await interaction.editReply({ embeds: [rejudgeListEmbed(rejudges)] });
}

/** Those that the subcommand can do something with come first. */
async function completeRejudge(sql: Sql, subcommand: string, typed: string) {
  const fits: Record<string, RejudgeStatus[]> = { apply: ['ready'], cancel: ['planned', 'running', 'ready'] };
  const wanted = fits[subcommand];
  const rejudges = await listRejudges(sql, { limit: 100 });
  return rejudges
    .filter((item) => wanted === undefined || wanted.includes(item.status))
    .filter((item) => `${item.id} ${item.leaderboard}`.includes(typed))
    .map((item) => ({ name: `#${item.id} ${item.leaderboard} (${item.status})`, value: item.id }));
}
