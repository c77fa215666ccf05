/** `/submissions mine|show`: a participant's own work, scores of secret runs included. Always ephemeral. */
import {
  AttachmentBuilder,
  type ChatInputCommandInteraction,
  type MessageComponentInteraction,
  SlashCommandBuilder,
} from 'discord.js';
import { cancelSubmission, rerunFailedJobs } from '../src/db/cancel.ts';
import type { Sql } from '../src/db/client.ts';
import { findRulingOf } from '../src/db/rulings.ts';
import { listSameCode } from '../src/db/runs.ts';
import {
  findSubmissionCode,
  findSubmissionOwner,
  findSubmissionView,
  listOwnSubmissions,
  listRuns,
} from '../src/db/submissions.ts';
import { isSharedWith } from '../src/db/teams.ts';
import { type Command, type CommandContext, viewerOf } from '../src/discord/command.ts';
import { completeGpu, completeLeaderboard } from '../src/discord/leaderboard-choices.ts';
import { pageButtons } from '../src/discord/page-buttons.ts';
import { replyTarget } from '../src/discord/reply-target.ts';
import { appealButton } from '../src/discord/ruling-buttons.ts';
import { cancelButton } from '../src/discord/submission-buttons.ts';
import { type TraceFiles, traceFiles, traceFilesOf } from '../src/discord/trace-files.ts';
import { getVisibleBoard } from '../src/discord/visible-board.ts';
import { UserError } from '../src/domain/errors.ts';
import { mayAppeal } from '../src/domain/ruling.ts';
import { maySeePrivate, type SubmissionStatus, submissionStatuses } from '../src/domain/submission.ts';
import { refuseBanned } from '../src/intake/admission.ts';
import { noticeEmbed } from '../src/reports/notice-embed.ts';
import { reportFile } from '../src/reports/report-file.ts';
import { withRuling } from '../src/reports/ruling-embed.ts';
import { sameCodeLine } from '../src/reports/same-code.ts';
import { submissionEmbed, withFooter } from '../src/reports/submission-embed.ts';
import { LIST_PAGE, submissionListEmbed } from '../src/reports/submission-list-embed.ts';
import { fillAppeal, openAppeal } from './submissions/appeal.ts';
import { compare, progress } from './submissions/pictures.ts';

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
    .addSubcommand((sub) =>
      sub
        .setName('progress')
        .setDescription('Your times on a leaderboard, shape by shape, as a picture')
        .addStringOption((option) =>
          option.setName('leaderboard').setDescription('Which one').setRequired(true).setAutocomplete(true),
        )
        .addStringOption((option) => option.setName('gpu').setDescription('GPU type').setAutocomplete(true)),
    )
    .addSubcommand((sub) =>
      sub
        .setName('compare')
        .setDescription('Two submissions side by side: times, and what changed in the code')
        .addIntegerOption((option) =>
          option.setName('a').setDescription('The number of one').setRequired(true).setMinValue(1),
        )
        .addIntegerOption((option) =>
          option.setName('b').setDescription('The number of the other').setRequired(true).setMinValue(1),
        ),
    )
    .addSubcommand((sub) =>
      sub
        .setName('trace')
        .setDescription('What profile mode recorded of one benchmark')
        .addIntegerOption((option) =>
          option.setName('id').setDescription('Its number').setRequired(true).setMinValue(1),
        )
        .addIntegerOption((option) =>
          option
            .setName('benchmark')
            .setDescription('Which one, from 1; the first by default')
            .setMinValue(1),
        ),
    )
    .addSubcommand((sub) =>
      sub
        .setName('cancel')
        .setDescription('Take one back that has not ended')
        .addIntegerOption((option) =>
          option.setName('id').setDescription('Its number').setRequired(true).setMinValue(1),
        ),
    )
    .toJSON(),

  ephemeral: () => true,

  async run(interaction, context) {
    switch (interaction.options.getSubcommand()) {
      case 'show':
        return show(interaction, context);
      case 'progress':
        return showProgress(interaction, context);
      case 'compare':
        return showComparison(interaction, context);
      case 'trace':
        return trace(interaction, context);
      case 'cancel':
        return cancel(interaction, context);
      case 'mine':
        return mine(interaction, context);
    }
  },

  complete(interaction, context) {
    const focused = interaction.options.getFocused(true);
    if (focused.name === 'gpu')
      return completeGpu(
        context.sql,
        viewerOf(interaction, context),
        interaction.options.getString('leaderboard'),
        focused.value,
      );
    return completeLeaderboard(context.sql, viewerOf(interaction, context), focused.value);
  },

  /**
   * `submissions:cancel:<id>`, `submissions:rerun:<id>` and, for the pages of a list,
   * `submissions:list:<leaderboard id or ->:<status or ->:<page>`.
   */
  open: openAppeal,
  fill: fillAppeal,

  async press(interaction, [action, first = '-', status = '-', page = '0'], context) {
    if (action === 'cancel') return pressCancel(interaction, Number(first), context);
    if (action === 'rerun') return pressRerun(interaction, Number(first), context);
    const board = first;
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
  const board =
    name === null ? null : await getVisibleBoard(context.sql, viewerOf(interaction, context), name);
  const status = interaction.options.getString('status');
  const filter = { leaderboardId: board?.id, status: submissionStatuses.find((item) => item === status) };
  const page = (interaction.options.getInteger('page') ?? 1) - 1;
  await interaction.editReply(await listMessage(context.sql, interaction.user.id, filter, page));
}

async function showProgress(
  interaction: ChatInputCommandInteraction,
  context: CommandContext,
): Promise<void> {
  const board = await getVisibleBoard(
    context.sql,
    viewerOf(interaction, context),
    interaction.options.getString('leaderboard', true),
  );
  const wanted = interaction.options.getString('gpu') ?? board.gpus[0] ?? '';
  const gpu = board.gpus.find((each) => each.toLowerCase() === wanted.toLowerCase());
  if (gpu === undefined)
    throw new UserError('unknown-gpu', { leaderboard: board.name, gpu: wanted, gpus: board.gpus.join(', ') });
  await progress(interaction, context, board, gpu);
}

async function showComparison(
  interaction: ChatInputCommandInteraction,
  context: CommandContext,
): Promise<void> {
  const [a, b] = [interaction.options.getInteger('a', true), interaction.options.getInteger('b', true)];
  for (const id of [a, b]) await checkReadable(interaction, id, context);
  await compare(interaction, context, a, b);
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
    embeds: [submissionListEmbed({ ...list, page, filtered, team: null })],
    components: pageButtons(
      page,
      lastPage,
      (to) => `submissions:list:${filter.leaderboardId ?? '-'}:${filter.status ?? '-'}:${to}`,
    ),
  };
}

/** Throws unless the viewer is the owner, an admin, or a team mate to whom it is shown. */
async function checkReadable(
  interaction: ChatInputCommandInteraction,
  id: number,
  context: CommandContext,
): Promise<void> {
  if (!(await isSharedWith(context.sql, id, interaction.user.id)))
    await checkAccess(interaction, id, context);
}

/** Throws unless the viewer is the owner or an admin. */
async function checkAccess(
  interaction: ChatInputCommandInteraction | MessageComponentInteraction,
  id: number,
  context: CommandContext,
): Promise<void> {
  const ownerId = await findSubmissionOwner(context.sql, id);
  if (ownerId === null) throw new UserError('unknown-submission', { id });
  if (!maySeePrivate(viewerOf(interaction, context), ownerId))
    throw new UserError('not-your-submission', { id });
}

async function cancel(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const id = interaction.options.getInteger('id', true);
  await checkAccess(interaction, id, context);
  const cancelled = await cancelSubmission(context.sql, id, context.record);
  if (!cancelled) throw new UserError('nothing-to-cancel', { id });
  const text =
    cancelled.stopping > 0
      ? 'What runs on a box is being ended; what had not started never will.'
      : 'It had not started and never will.';
  await interaction.editReply({ embeds: [noticeEmbed(`#${id} is cancelled`, text)] });
}

/** The message itself changes when the submission has ended: the announcer edits it. */
async function pressCancel(
  interaction: MessageComponentInteraction,
  id: number,
  context: CommandContext,
): Promise<void> {
  await checkAccess(interaction, id, context);
  if (!(await cancelSubmission(context.sql, id, context.record)))
    throw new UserError('nothing-to-cancel', { id });
}

async function pressRerun(
  interaction: MessageComponentInteraction,
  id: number,
  context: CommandContext,
): Promise<void> {
  await checkAccess(interaction, id, context);
  await refuseBanned(context.sql, interaction.user.id);
  if (!(await rerunFailedJobs(context.sql, id, replyTarget(interaction), context.record)))
    throw new UserError('nothing-to-rerun', { id });
  const view = await findSubmissionView(context.sql, id, true);
  if (view)
    await interaction.editReply({
      embeds: [submissionEmbed(view)],
      components: [cancelButton(id)],
      files: [],
    });
}

/** Others of the same code that an organiser is told of by number. */
const MAX_SAME_CODE = 10;

async function show(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const id = interaction.options.getInteger('id', true);
  await checkReadable(interaction, id, context);
  const [view, runs, source] = await Promise.all([
    findSubmissionView(context.sql, id, true),
    listRuns(context.sql, id, true),
    findSubmissionCode(context.sql, id),
  ]);
  if (!view || !source) throw new UserError('unknown-submission', { id });
  const report = reportFile(view, runs);
  const [traces, ruling] = await Promise.all([traceFiles(context.sql, id), findRulingOf(context.sql, id)]);
  const { isAdmin } = viewerOf(interaction, context);
  const same = isAdmin ? sameCodeLine(await listSameCode(context.sql, id, MAX_SAME_CODE)) : '';
  await interaction.editReply({
    ...(same !== '' && { content: same }),
    embeds: [withFooter(withRuling(submissionEmbed(view, runs), ruling), traces.note)],
    components:
      ruling && mayAppeal(ruling) && view.userId === interaction.user.id ? [appealButton(ruling.id)] : [],
    files: [
      ...(runs.length > 0 ? [new AttachmentBuilder(Buffer.from(report.text), { name: report.name })] : []),
      new AttachmentBuilder(source.content, { name: source.fileName }),
      ...attachments(traces),
    ],
  });
}

async function trace(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const id = interaction.options.getInteger('id', true);
  await checkReadable(interaction, id, context);
  const benchmark = interaction.options.getInteger('benchmark') ?? 1;
  const traces = await traceFilesOf(context.sql, id, benchmark);
  if (traces.files.length === 0) throw new UserError('no-trace', { id, benchmark });
  const embed = noticeEmbed(`#${id}, benchmark ${benchmark}`, 'What profile mode recorded, as zip archives.');
  await interaction.editReply({ embeds: [withFooter(embed, traces.note)], files: attachments(traces) });
}

function attachments({ files }: TraceFiles): AttachmentBuilder[] {
  return files.map((file) => new AttachmentBuilder(file.data as Buffer, { name: file.name }));
}
