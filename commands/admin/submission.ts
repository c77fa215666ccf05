/**
 * `/admin submission`: taking one out of the rankings and putting it back, with a notice to its owner; deciding on appeals;
 * deleting. Creators do it on their own boards, but for deleting.
 */
import { randomBytes } from 'node:crypto';
import {
  AttachmentBuilder,
  type ChatInputCommandInteraction,
  LabelBuilder,
  type MessageComponentInteraction,
  ModalBuilder,
  type ModalSubmitInteraction,
  type SlashCommandSubcommandBuilder,
  TextInputBuilder,
  TextInputStyle,
} from 'discord.js';
import { answerAppeal, findRuling, invalidateSubmission, restoreSubmission } from '../../src/db/rulings.ts';
import { listSubmissionChoices } from '../../src/db/submission-choices.ts';
import { findSubmissionView } from '../../src/db/submissions.ts';
import { downloadAttachment } from '../../src/discord/attachment.ts';
import { type CommandContext, type ReadContext, viewerOf } from '../../src/discord/command.ts';
import { TOKEN_LIFE_MS } from '../../src/discord/reply-target.ts';
import { deletionDecision } from '../../src/discord/ruling-buttons.ts';
import { UserError } from '../../src/domain/errors.ts';
import { MAX_APPEAL_CHARS, type Ruling } from '../../src/domain/ruling.ts';
import { modeLabels, type SubmissionView, type Viewer } from '../../src/domain/submission.ts';
import { getManagedBoard } from '../../src/intake/manage-board.ts';
import { withdrawSubmission } from '../../src/intake/withdraw.ts';
import { code, cut, plain } from '../../src/reports/markdown.ts';
import { noticeEmbed } from '../../src/reports/notice-embed.ts';
import { appealEmbed } from '../../src/reports/ruling-embed.ts';
import type { AdminGroup } from './group.ts';

const MAX_EVIDENCE_BYTES = 1_000_000;
const MAX_REASON = 1000;

/** Deletions that wait for a word. */
const pending = new Map<string, { id: number; reason: string }>();

function withId(sub: SlashCommandSubcommandBuilder): SlashCommandSubcommandBuilder {
  return sub.addIntegerOption((option) =>
    option
      .setName('id')
      .setDescription('Its number; type a name to find it')
      .setRequired(true)
      .setMinValue(1)
      .setAutocomplete(true),
  );
}

function withReason(
  sub: SlashCommandSubcommandBuilder,
  description: string,
  required: boolean,
): SlashCommandSubcommandBuilder {
  return sub.addStringOption((option) =>
    option.setName('reason').setDescription(description).setRequired(required).setMaxLength(MAX_REASON),
  );
}

export const submissionGroup: AdminGroup = {
  name: 'submission',

  build: (group) =>
    group
      .setDescription('Anybody’s submissions')
      .addSubcommand((sub) =>
        withReason(
          withId(sub.setName('invalidate').setDescription('Take it out of all rankings; its owner is told')),
          'Why; its owner reads it',
          true,
        ).addAttachmentOption((option) =>
          option.setName('evidence').setDescription('A file that it rests on; its owner gets it'),
        ),
      )
      .addSubcommand((sub) =>
        withReason(
          withId(sub.setName('restore').setDescription('Let it count again; its owner is told')),
          'Why; its owner reads it',
          false,
        ),
      )
      .addSubcommand((sub) =>
        withReason(
          withId(sub.setName('delete').setDescription('For good; a line and its code stay on record')),
          'Why, for the audit log',
          true,
        ),
      ),

  run: { invalidate, restore, delete: askDeletion },

  async complete(interaction, context) {
    const viewer = viewerOf(interaction, context);
    const wanted = { invalidate: false, restore: true }[interaction.options.getSubcommand()] ?? null;
    const choices = await listSubmissionChoices(context.sql, {
      typed: String(interaction.options.getFocused()).trim(),
      creatorId: viewer.isAdmin ? null : viewer.userId,
      invalid: wanted,
    });
    return choices.map((item) => ({
      name: cut(`#${item.id} ${item.leaderboard} · ${item.userName}`, 100),
      value: item.id,
    }));
  },

  /** `admin:submission:<delete|keep>:<key>` and `admin:submission:grant:<ruling id>` */
  async press(interaction, [action, key = ''], context) {
    if (action === 'grant') return grant(interaction, context, Number(key));
    const wish = pending.get(key);
    // Taken out before anything is awaited: a double click must not delete twice.
    pending.delete(key);
    if (!wish) throw new UserError('choice-expired');
    if (action === 'delete') {
      await withdrawSubmission(context.sql, wish.id, context.record, wish.reason);
      const text = 'What was used of its owner’s quota stays used.';
      await interaction.editReply({ embeds: [noticeEmbed(`#${wish.id} is deleted`, text)], components: [] });
    } else {
      const embed = noticeEmbed(`#${wish.id} stays`, 'Nothing was deleted.');
      await interaction.editReply({ embeds: [embed], components: [] });
    }
  },

  /** `admin:submission:reject:<ruling id>` opens `admin:submission:rejected:<ruling id>`. */
  async open(interaction, args, context) {
    if (interaction.isChatInputCommand() || args?.[0] !== 'reject') return null;
    const ruling = await managedRuling(viewerOf(interaction, context), context, Number(args[1]));
    checkUndecided(ruling);
    return new ModalBuilder()
      .setCustomId(`admin:submission:rejected:${ruling.id}`)
      .setTitle(`The appeal about #${ruling.submissionId}`)
      .addLabelComponents(
        new LabelBuilder()
          .setLabel('Why the ruling stays; the owner reads it')
          .setTextInputComponent(
            new TextInputBuilder()
              .setCustomId('answer')
              .setStyle(TextInputStyle.Paragraph)
              .setRequired(true)
              .setMaxLength(MAX_APPEAL_CHARS),
          ),
      );
  },

  async fill(interaction, [action, id = ''], context) {
    if (action !== 'rejected') throw new UserError('choice-expired');
    await reject(interaction, context, Number(id));
  },
};

/** Throws unless the person runs the board. */
async function managedView(viewer: Viewer, { sql }: ReadContext, id: number): Promise<SubmissionView> {
  const view = await findSubmissionView(sql, id, true);
  if (!view) throw new UserError('unknown-submission', { id });
  await getManagedBoard(sql, viewer, view.leaderboard);
  return view;
}

async function managedRuling(viewer: Viewer, context: ReadContext, id: number): Promise<Ruling> {
  const ruling = await findRuling(context.sql, id);
  if (!ruling) throw new UserError('choice-expired');
  await getManagedBoard(context.sql, viewer, ruling.leaderboard);
  return ruling;
}

function checkUndecided(ruling: Ruling): void {
  const id = ruling.submissionId;
  if (ruling.restoredAt !== null)
    throw new UserError('appeal-decided', { id, how: 'the submission is back' });
  if (ruling.answeredAt !== null) throw new UserError('appeal-decided', { id, how: 'it was rejected' });
}

async function invalidate(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const { options } = interaction;
  const view = await managedView(viewerOf(interaction, context), context, options.getInteger('id', true));
  const file = options.getAttachment('evidence');
  const evidence = file && {
    name: file.name,
    bytes: await downloadAttachment(file, MAX_EVIDENCE_BYTES),
  };
  const reason = options.getString('reason', true).trim();
  const ruling = await invalidateSubmission(
    context.sql,
    { submissionId: view.id, reason, evidence },
    context.record,
  );
  if (ruling === 'unknown') throw new UserError('unknown-submission', { id: view.id });
  if (ruling === 'invalid-already') throw new UserError('invalid-already', { id: view.id });
  await interaction.editReply({
    embeds: [
      noticeEmbed(
        `#${view.id} is out of the rankings`,
        `${code(view.fileName)} by **${plain(view.userName)}** on **${plain(view.leaderboard)}**. Its owner is told why${evidence ? ', gets the evidence' : ''} and may appeal once. Nothing is deleted: \`/admin submission restore\` lets it count again.`,
      ),
    ],
    files: evidence ? [new AttachmentBuilder(Buffer.from(evidence.bytes), { name: evidence.name })] : [],
  });
}

async function restore(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const { options } = interaction;
  const view = await managedView(viewerOf(interaction, context), context, options.getInteger('id', true));
  const reason = options.getString('reason')?.trim() || null;
  const state = await restoreSubmission(context.sql, view.id, reason, context.record);
  if (state === 'unknown') throw new UserError('unknown-submission', { id: view.id });
  if (state === 'valid-already') throw new UserError('valid-already', { id: view.id });
  await interaction.editReply({
    embeds: [noticeEmbed(`#${view.id} counts again`, 'It is ranked as before, and its owner is told.')],
  });
}

async function askDeletion(interaction: ChatInputCommandInteraction, context: CommandContext): Promise<void> {
  const view = await managedView(
    viewerOf(interaction, context),
    context,
    interaction.options.getInteger('id', true),
  );
  const key = randomBytes(8).toString('hex');
  pending.set(key, { id: view.id, reason: interaction.options.getString('reason', true) });
  setTimeout(() => pending.delete(key), TOKEN_LIFE_MS).unref();
  await interaction.editReply({
    embeds: [
      noticeEmbed(
        `Delete #${view.id}?`,
        `${code(view.fileName)} by **${plain(view.userName)}** on **${plain(view.leaderboard)}**, mode ${modeLabels[view.mode]}, ${view.status}. With it go its runs, scores and place. \`/admin submission invalidate\` takes it out of the rankings and keeps all that.`,
      ),
    ],
    components: [deletionDecision(key)],
  });
}

async function grant(
  interaction: MessageComponentInteraction,
  context: CommandContext,
  rulingId: number,
): Promise<void> {
  const ruling = await managedRuling(viewerOf(interaction, context), context, rulingId);
  checkUndecided(ruling);
  const reason = 'Your appeal was granted.';
  const state = await restoreSubmission(context.sql, ruling.submissionId, reason, context.record);
  if (state !== 'restored')
    throw new UserError('appeal-decided', { id: ruling.submissionId, how: 'the submission is back' });
  await showDecision(interaction, context, rulingId);
}

async function reject(
  interaction: ModalSubmitInteraction,
  context: CommandContext,
  rulingId: number,
): Promise<void> {
  const ruling = await managedRuling(viewerOf(interaction, context), context, rulingId);
  checkUndecided(ruling);
  const answer = interaction.fields.getTextInputValue('answer').trim();
  const state = await answerAppeal(context.sql, rulingId, answer, context.record);
  if (state !== 'done')
    throw new UserError('appeal-decided', { id: ruling.submissionId, how: 'somebody else was quicker' });
  await interaction.editReply({
    embeds: [noticeEmbed('The appeal is rejected', 'Its owner gets your answer. The submission stays out.')],
  });
  // The message with the buttons, where the form came from one.
  const now = await findRuling(context.sql, rulingId);
  if (now && interaction.isFromMessage())
    await interaction.message.edit({ embeds: [appealEmbed(now)], components: [] });
}

async function showDecision(
  interaction: MessageComponentInteraction,
  context: CommandContext,
  rulingId: number,
): Promise<void> {
  const ruling = await findRuling(context.sql, rulingId);
  if (ruling) await interaction.editReply({ embeds: [appealEmbed(ruling)], components: [] });
}
