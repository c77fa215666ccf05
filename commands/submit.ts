/** `/submit`: a file becomes a submission. The reply then lives on: live-reply.ts and delivery.ts edit it. */
import { randomBytes } from 'node:crypto';
import {
  ActionRowBuilder,
  type ChatInputCommandInteraction,
  type MessageComponentInteraction,
  SlashCommandBuilder,
  StringSelectMenuBuilder,
} from 'discord.js';
import { loadQueue } from '../src/db/queue.ts';
import { findSubmissionView } from '../src/db/submissions.ts';
import { downloadAttachment } from '../src/discord/attachment.ts';
import { type Command, type CommandContext, viewerOf } from '../src/discord/command.ts';
import { completeGpu, completeLeaderboard } from '../src/discord/leaderboard-choices.ts';
import { type ReplyTarget, replyTarget, TOKEN_LIFE_MS } from '../src/discord/reply-target.ts';
import { cancelButton } from '../src/discord/submission-buttons.ts';
import { UserError } from '../src/domain/errors.ts';
import { forecast } from '../src/domain/eta.ts';
import { modeLabels, modes, withPlaces } from '../src/domain/submission.ts';
import { accept, type Draft, examine } from '../src/intake/accept.ts';
import { maxBytesOf } from '../src/intake/archive.ts';
import { noticeEmbed } from '../src/reports/notice-embed.ts';
import { submissionEmbed } from '../src/reports/submission-embed.ts';

interface PendingChoice {
  draft: Draft;
  userId: string;
  reply: ReplyTarget;
  supersede: boolean;
}

/** Drafts whose GPU types are being asked for. Nothing in here was accepted yet: a restart asks again. */
const pending = new Map<string, PendingChoice>();

export const submit: Command = {
  data: new SlashCommandBuilder()
    .setName('submit')
    .setDescription('Run a file on a leaderboard; with mode ranked it counts')
    .addAttachmentOption((option) =>
      option.setName('file').setDescription('Your code: one source file').setRequired(true),
    )
    .addStringOption((option) =>
      option
        .setName('leaderboard')
        .setDescription('Which one; not needed when the file says so in a #!POPCORN line')
        .setAutocomplete(true),
    )
    .addStringOption((option) =>
      option
        .setName('mode')
        .setDescription('ranked counts on the board; the others are for trying out (default: ranked)')
        .addChoices(
          ...[...modes].reverse().map((mode) => ({ name: modeLabels[mode], value: modeLabels[mode] })),
        ),
    )
    .addStringOption((option) =>
      option.setName('gpu').setDescription('GPU type, or several with blanks between').setAutocomplete(true),
    )
    .addBooleanOption((option) =>
      option
        .setName('supersede')
        .setDescription('Cancel your own submissions here that still wait in this mode'),
    )
    .toJSON(),

  ephemeral: () => true,

  async run(interaction, context) {
    const attachment = interaction.options.getAttachment('file', true);
    const bytes = await downloadAttachment(attachment, maxBytesOf(attachment.name));
    const draft = await examine(
      context.sql,
      { name: attachment.name, bytes },
      {
        leaderboard: interaction.options.getString('leaderboard'),
        mode: interaction.options.getString('mode'),
        gpus: (interaction.options.getString('gpu') ?? '').split(/[\s,]+/).filter((word) => word !== ''),
        // Unofficial then, as it is for anybody.
        afterDeadline: viewerOf(interaction, context).isAdmin,
      },
    );
    const choice: PendingChoice = {
      draft,
      userId: interaction.user.id,
      reply: replyTarget(interaction),
      supersede: interaction.options.getBoolean('supersede') ?? false,
    };
    if ('gpus' in draft.gpus) await acceptAndShow(interaction, context, choice, draft.gpus.gpus);
    else {
      context.record.settle();
      await askForGpus(interaction, choice, draft.gpus.askAmong);
    }
  },

  async complete(interaction, context) {
    const focused = interaction.options.getFocused(true);
    return focused.name === 'gpu'
      ? completeGpu(
          context.sql,
          viewerOf(interaction, context),
          interaction.options.getString('leaderboard'),
          focused.value,
        )
      : completeLeaderboard(context.sql, viewerOf(interaction, context), focused.value);
  },

  async press(interaction, [key = ''], context) {
    const choice = pending.get(key);
    if (!choice || !interaction.isStringSelectMenu()) throw new UserError('choice-expired');
    if (choice.userId !== interaction.user.id) throw new UserError('not-your-choice');
    // Taken out before anything is awaited: a double click must not submit twice.
    pending.delete(key);
    const gpus = interaction.values.includes('*') ? choice.draft.board.gpus : interaction.values;
    await acceptAndShow(interaction, context, choice, gpus);
  },
};

async function acceptAndShow(
  interaction: ChatInputCommandInteraction | MessageComponentInteraction,
  context: CommandContext,
  { draft, reply, supersede }: PendingChoice,
  gpus: string[],
): Promise<void> {
  const { user } = interaction;
  const id = await accept(context.sql, draft, gpus, {
    user: { id: user.id, name: user.displayName },
    door: 'discord',
    reply,
    supersede,
    record: context.record,
  });
  const view = await findSubmissionView(context.sql, id, true);
  // From here on the reply belongs to the announcer, which may already have shown a later state.
  if (view?.status !== 'queued') return;
  const placed = withPlaces(view, forecast(await loadQueue(context.sql)));
  await interaction.editReply({ embeds: [submissionEmbed(placed)], components: [cancelButton(id)] });
}

async function askForGpus(
  interaction: ChatInputCommandInteraction,
  choice: PendingChoice,
  gpus: string[],
): Promise<void> {
  const key = randomBytes(8).toString('hex');
  pending.set(key, choice);
  setTimeout(() => pending.delete(key), TOKEN_LIFE_MS).unref();
  const shown = gpus.slice(0, 24);
  const menu = new StringSelectMenuBuilder()
    .setCustomId(`submit:${key}`)
    .setPlaceholder('Choose one or more GPU types')
    .setMinValues(1)
    .setMaxValues(shown.length + 1)
    .addOptions(
      { label: `All ${gpus.length} GPU types`, value: '*' },
      ...shown.map((gpu) => ({ label: gpu, value: gpu })),
    );
  await interaction.editReply({
    embeds: [
      noticeEmbed(
        'On which GPU types?',
        `**${choice.draft.board.name}** runs on several. Choose below; nothing is submitted before that. Next time the \`gpu\` option or a line \`#!POPCORN gpus ${gpus[0]}\` in the file says it.`,
      ),
    ],
    components: [new ActionRowBuilder<StringSelectMenuBuilder>().addComponents(menu)],
  });
}
