/** `/judge score|show|panel`: what no clock measures. For the role of judges, and organisers. */
import {
  AttachmentBuilder,
  type ChatInputCommandInteraction,
  type MessageComponentInteraction,
  PermissionFlagsBits,
  SlashCommandBuilder,
} from 'discord.js';
import { findLeaderboard, listLeaderboards } from '../src/db/leaderboards.ts';
import { listReviews, listUnscored } from '../src/db/reviews.ts';
import { findSubmissionCode } from '../src/db/submissions.ts';
import type { Command, CommandContext } from '../src/discord/command.ts';
import { completeLeaderboard } from '../src/discord/leaderboard-choices.ts';
import { pageButtons } from '../src/discord/page-buttons.ts';
import { UserError } from '../src/domain/errors.ts';
import { getJudged, judgeSubmission, scorersOf } from '../src/intake/judging.ts';
import { JUDGE_PAGE, judgedEmbed, judgePanelEmbed } from '../src/reports/judge-embed.ts';
import { formatValue } from '../src/reports/measure.ts';

export const judge: Command = {
  data: new SlashCommandBuilder()
    .setName('judge')
    .setDescription('Scores that no clock measures, for judges')
    .setDefaultMemberPermissions(PermissionFlagsBits.ManageEvents)
    .addSubcommand((sub) =>
      sub
        .setName('score')
        .setDescription('Give a submission a score from 0 to 1')
        .addIntegerOption((option) =>
          option.setName('id').setDescription('Number of the submission').setRequired(true).setMinValue(1),
        )
        .addStringOption((option) =>
          option.setName('scorer').setDescription('What is judged').setRequired(true).setAutocomplete(true),
        )
        .addNumberOption((option) =>
          option.setName('value').setDescription('0 to 1').setRequired(true).setMinValue(0).setMaxValue(1),
        )
        .addStringOption((option) =>
          option
            .setName('reason')
            .setDescription('What the score rests on')
            .setRequired(true)
            .setMaxLength(1000),
        ),
    )
    .addSubcommand((sub) =>
      sub
        .setName('show')
        .setDescription('A submission’s file and its scores so far')
        .addIntegerOption((option) =>
          option.setName('id').setDescription('Number of the submission').setRequired(true).setMinValue(1),
        ),
    )
    .addSubcommand((sub) =>
      sub
        .setName('panel')
        .setDescription('What you have not scored yet')
        .addStringOption((option) =>
          option
            .setName('leaderboard')
            .setDescription('The leaderboard')
            .setRequired(true)
            .setAutocomplete(true),
        )
        .addIntegerOption((option) => option.setName('page').setDescription('Page, from 1').setMinValue(1)),
    )
    .toJSON(),

  ephemeral: () => true,

  async run(interaction, context) {
    switch (interaction.options.getSubcommand()) {
      case 'score':
        return score(interaction, context);
      case 'show':
        return show(interaction, context);
      case 'panel': {
        const page = (interaction.options.getInteger('page') ?? 1) - 1;
        return panel(interaction, context, interaction.options.getString('leaderboard', true), page);
      }
    }
  },

  // Judges judge on closed boards, too.
  async complete(interaction, context) {
    const focused = interaction.options.getFocused(true);
    if (focused.name !== 'scorer')
      return completeLeaderboard(context.sql, { userId: interaction.user.id, isAdmin: true }, focused.value);
    const judged = await getJudged(context.sql, interaction.options.getInteger('id') ?? 0).catch(() => null);
    return (judged?.scorers ?? [])
      .filter((scorer) => scorer.name.includes(focused.value.toLowerCase()))
      .map((scorer) => ({
        name: scorer.about === undefined ? scorer.name : `${scorer.name}: ${scorer.about}`.slice(0, 100),
        value: scorer.name,
      }));
  },

  /** `judge:panel:<leaderboard id>:<page>` */
  async press(interaction, [, id, page = '0'], context) {
    const board = (await listLeaderboards(context.sql)).find((item) => item.id === Number(id));
    if (!board) throw new UserError('choice-expired');
    await panel(interaction, context, board.name, Number(page));
  },
};

type Interaction = ChatInputCommandInteraction | MessageComponentInteraction;

async function score(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const { options, user } = interaction;
  const judgement = {
    submissionId: options.getInteger('id', true),
    scorer: options.getString('scorer', true),
    value: options.getNumber('value', true),
    reason: options.getString('reason', true),
  };
  const by = { id: user.id, name: user.username };
  const { replaced } = await judgeSubmission(context.sql, judgement, by, context.record);
  const was =
    replaced === null ? '' : ` It was ${formatValue(replaced)}; the earlier one is kept as a revision.`;
  await interaction.editReply({
    content: `**${formatValue(judgement.value)}** for ${judgement.scorer} is noted under your name.${was}`,
    embeds: [await judgedMessage(context, judgement.submissionId)],
  });
}

async function show(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const id = interaction.options.getInteger('id', true);
  const embed = await judgedMessage(context, id);
  const source = await findSubmissionCode(context.sql, id);
  await interaction.editReply({
    embeds: [embed],
    files: source ? [new AttachmentBuilder(source.content, { name: source.fileName })] : [],
  });
}

async function judgedMessage(context: CommandContext, id: number) {
  const { submission, scorers } = await getJudged(context.sql, id);
  const given = await listReviews(context.sql, id);
  return judgedEmbed({ ...submission, scorers, given });
}

async function panel(
  interaction: Interaction,
  context: CommandContext,
  leaderboard: string,
  wantedPage: number,
): Promise<void> {
  const board = await findLeaderboard(context.sql, leaderboard);
  if (!board) throw new UserError('no-such-board', { leaderboard });
  const scorers = scorersOf(board.rule, board.name);
  const of = {
    leaderboardId: board.id,
    judgeId: interaction.user.id,
    scorers: scorers.map((scorer) => scorer.name),
  };
  const read = (page: number) =>
    listUnscored(context.sql, of, { limit: JUDGE_PAGE, offset: page * JUDGE_PAGE });
  let page = wantedPage;
  let list = await read(page);
  const lastPage = Math.max(0, Math.ceil(list.total / JUDGE_PAGE) - 1);
  if (page > lastPage) {
    page = lastPage;
    list = await read(page);
  }
  await interaction.editReply({
    embeds: [judgePanelEmbed({ leaderboard: board.name, scorers, ...list, page })],
    components: pageButtons(page, lastPage, (to) => `judge:panel:${board.id}:${to}`),
  });
}
