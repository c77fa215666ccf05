/** `/admin contest`: whether submissions are taken at all, how it goes, what is taken away from it, and words to everybody. */
import {
  AttachmentBuilder,
  ChannelType,
  type ChatInputCommandInteraction,
  type SlashCommandSubcommandBuilder,
} from 'discord.js';
import { setAcceptance } from '../../src/db/settings.ts';
import { listGpuTotals, listHeavyUsers, listHourTotals, loadTotals } from '../../src/db/stats.ts';
import { type CommandContext, viewerOf } from '../../src/discord/command.ts';
import { UserError } from '../../src/domain/errors.ts';
import { getManagedBoard } from '../../src/intake/manage-board.ts';
import { activityChart } from '../../src/reports/charts/activity-chart.ts';
import { plain } from '../../src/reports/markdown.ts';
import { noticeEmbed } from '../../src/reports/notice-embed.ts';
import { statsEmbed } from '../../src/reports/stats-embed.ts';
import { boardOption, completeManagedBoard } from './board-options.ts';
import { fillAnnouncement, openAnnouncement, runAnnouncement } from './contest-announce.ts';
import { exportContest, exportOptions } from './contest-export.ts';
import type { AdminGroup } from './group.ts';

function announceOptions(sub: SlashCommandSubcommandBuilder): SlashCommandSubcommandBuilder {
  return sub
    .setName('announce')
    .setDescription('Write to everybody: opens a form')
    .addChannelOption((option) =>
      option
        .setName('channel')
        .setDescription('Where; left out: the channel for announcements, or this one')
        .addChannelTypes(
          ChannelType.GuildText,
          ChannelType.GuildAnnouncement,
          ChannelType.PublicThread,
          ChannelType.AnnouncementThread,
        ),
    );
}

export const contestGroup: AdminGroup = {
  name: 'contest',

  build: (group) =>
    group
      .setDescription('The contest as a whole')
      .addSubcommand((sub) =>
        sub
          .setName('accept')
          .setDescription('Take submissions, or none by any door')
          .addBooleanOption((option) =>
            option.setName('on').setDescription('Whether they are taken').setRequired(true),
          )
          .addStringOption((option) =>
            option
              .setName('message')
              .setDescription('For those who are refused: why, and until when')
              .setMaxLength(300),
          ),
      )
      .addSubcommand((sub) =>
        boardOption(sub.setName('stats').setDescription('Totals, GPU types, the last day'), false),
      )
      .addSubcommand(exportOptions)
      .addSubcommand(announceOptions),

  run: { accept, stats, export: exportContest, announce: runAnnouncement },

  complete: (interaction, context) =>
    completeManagedBoard(interaction, context, String(interaction.options.getFocused())),

  open: openAnnouncement,
  fill: fillAnnouncement,
};

async function accept(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const open = interaction.options.getBoolean('on', true);
  const message = open ? null : interaction.options.getString('message')?.trim() || null;
  const changed = await setAcceptance(context.sql, { open, message }, context.record);
  if (!changed) context.record.settle();
  const already = changed ? '' : ' already';
  await interaction.editReply({
    embeds: [
      open
        ? noticeEmbed(
            `Submissions are taken${already}`,
            'By every door, until the deadlines of their boards.',
          )
        : noticeEmbed(
            `No submissions are taken${already}`,
            [
              'By no door, and that holds over restarts. What is queued goes on.',
              message ? `Who submits reads: “${plain(message)}”` : 'Who submits is told to come back later.',
              '`/admin contest accept on:True` takes them again.',
            ].join('\n'),
          ),
    ],
  });
}

async function stats(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const name = interaction.options.getString('leaderboard');
  const viewer = viewerOf(interaction, context);
  if (name === null && !viewer.isAdmin) throw new UserError('name-your-leaderboard');
  const board = name === null ? null : await getManagedBoard(context.sql, viewer, name);
  const leaderboardId = board?.id ?? null;
  const leaderboard = board?.name ?? null;
  const lastDay = { lastDay: true, leaderboardId };
  const [all, day, gpus, users, hours] = await Promise.all([
    loadTotals(context.sql, { lastDay: false, leaderboardId }),
    loadTotals(context.sql, lastDay),
    listGpuTotals(context.sql, lastDay),
    listHeavyUsers(context.sql, lastDay),
    listHourTotals(context.sql, leaderboardId),
  ]);
  const chart = 'last-day.png';
  const picture = activityChart({ leaderboard, hours, now: new Date() });
  await interaction.editReply({
    embeds: [statsEmbed({ leaderboard, all, lastDay: day, gpus, users, chart })],
    files: [new AttachmentBuilder(picture, { name: chart })],
  });
}
