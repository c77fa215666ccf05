/** `/submissions mine|show`: a participant's own work, scores of secret runs included. Always ephemeral. */
import { AttachmentBuilder, type ChatInputCommandInteraction, SlashCommandBuilder } from 'discord.js';
import type { Sql } from '../src/db/client.ts';
import { findLeaderboard, listLeaderboards } from '../src/db/leaderboards.ts';
import {
  findSubmissionCode,
  findSubmissionOwner,
  findSubmissionView,
  listOwnSubmissions,
  listRuns,
} from '../src/db/submissions.ts';
import { type Command, type CommandContext, viewerOf } from '../src/discord/command.ts';
import { completeLeaderboard } from '../src/discord/leaderboard-choices.ts';
import { pageButtons } from '../src/discord/page-buttons.ts';
import { UserError } from '../src/domain/errors.ts';
import { maySeePrivate, type SubmissionStatus, submissionStatuses } from '../src/domain/submission.ts';
import { reportFile } from '../src/reports/report-file.ts';
import { submissionEmbed } from '../src/reports/submission-embed.ts';
import { LIST_PAGE, submissionListEmbed } from '../src/reports/submission-list-embed.ts';

export const submissions: Command = {
  data: new SlashCommandBuilder()
    .setName('submissions')
    .setDescription('Your own submissions')
    .addSubcommand((sub) =>
      sub
        .setName('mine')
        .setDescription('List them, newest first, with public and secret scores')
        .addStringOption((option) =>
          option.setName('leaderboard').setDescription('Only this one').setAutocomplete(true),
        )
        .addStringOption((option) =>
          option
            .setName('status')
            .setDescription('Only these')
            .addChoices(...submissionStatuses.map((status) => ({ name: status, value: status }))),
        )
        .addIntegerOption((option) => option.setName('page').setDescription('Page, from 1').setMinValue(1)),
    )
    .addSubcommand((sub) =>
      sub
        .setName('show')
        .setDescription('One submission: runs, scores, report and code')
        .addIntegerOption((option) =>
          option.setName('id').setDescription('Its number').setRequired(true).setMinValue(1),
        ),
    )
    .toJSON(),

  ephemeral: () => true,

  async run(interaction, context) {
    if (interaction.options.getSubcommand() === 'show') await show(interaction, context);
    else await mine(interaction, context);
  },

  complete: (interaction, context) => completeLeaderboard(context.sql, interaction.options.getFocused()),

  /** `submissions:<leaderboard id or ->:<status or ->:<page>`; the message is ephemeral, so only its user presses. */
  async press(interaction, [board = '-', status = '-', page = '0'], context) {
    const filter = {
      leaderboardId: board === '-' ? undefined : Number(board),
      status: submissionStatuses.find((item) => item === status),
    };
    await interaction.editReply(await listMessage(context.sql, interaction.user.id, filter, Number(page)));
  },
};

interface Filter {
  leaderboardId: number | undefined;
  status: SubmissionStatus | undefined;
}

async function mine(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const name = interaction.options.getString('leaderboard');
  const board = name === null ? null : await findLeaderboard(context.sql, name);
  if (name !== null && board === null) {
    const open = (await listLeaderboards(context.sql)).map((item) => item.name).join(', ') || 'none';
    throw new UserError('unknown-leaderboard', { leaderboard: name, open });
  }
  const status = interaction.options.getString('status');
  const filter = { leaderboardId: board?.id, status: submissionStatuses.find((item) => item === status) };
  const page = (interaction.options.getInteger('page') ?? 1) - 1;
  await interaction.editReply(await listMessage(context.sql, interaction.user.id, filter, page));
}

async function listMessage(sql: Sql, userId: string, filter: Filter, wantedPage: number) {
  const read = (page: number) =>
    listOwnSubmissions(sql, { userId, ...filter }, { limit: LIST_PAGE, offset: page * LIST_PAGE });
  let page = wantedPage;
  let list = await read(page);
  const lastPage = Math.max(0, Math.ceil(list.total / LIST_PAGE) - 1);
  if (page > lastPage) {
    page = lastPage;
    list = await read(page);
  }
  const filtered = filter.leaderboardId !== undefined || filter.status !== undefined;
  return {
    embeds: [submissionListEmbed({ ...list, page, filtered })],
    components: pageButtons(
      page,
      lastPage,
      (to) => `submissions:${filter.leaderboardId ?? '-'}:${filter.status ?? '-'}:${to}`,
    ),
  };
}

async function show(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const id = interaction.options.getInteger('id', true);
  const ownerId = await findSubmissionOwner(context.sql, id);
  if (ownerId === null) throw new UserError('unknown-submission', { id });
  if (!maySeePrivate(viewerOf(interaction, context), ownerId))
    throw new UserError('not-your-submission', { id });

  const [view, runs, source] = await Promise.all([
    findSubmissionView(context.sql, id, true),
    listRuns(context.sql, id, true),
    findSubmissionCode(context.sql, id),
  ]);
  if (!view || !source) throw new UserError('unknown-submission', { id });
  const report = reportFile(view, runs);
  await interaction.editReply({
    embeds: [submissionEmbed(view, runs)],
    files: [
      ...(runs.length > 0 ? [new AttachmentBuilder(Buffer.from(report.text), { name: report.name })] : []),
      new AttachmentBuilder(source.content, { name: source.fileName }),
    ],
  });
}
