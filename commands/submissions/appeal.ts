/** The button below a notice that a submission was taken out, and the form that it opens. */
import {
  type ChatInputCommandInteraction,
  LabelBuilder,
  type MessageComponentInteraction,
  ModalBuilder,
  type ModalSubmitInteraction,
  TextInputBuilder,
  TextInputStyle,
} from 'discord.js';
import { appealRuling, findRuling } from '../../src/db/rulings.ts';
import type { CommandContext, ReadContext } from '../../src/discord/command.ts';
import { UserError } from '../../src/domain/errors.ts';
import { MAX_APPEAL_CHARS } from '../../src/domain/ruling.ts';
import { noticeEmbed } from '../../src/reports/notice-embed.ts';

const overTexts = {
  over: 'the submission counts again',
  twice: 'you have appealed already, and once is all',
};

/** `submissions:appeal:<ruling id>` opens `submissions:appealed:<ruling id>`. */
export async function openAppeal(
  interaction: ChatInputCommandInteraction | MessageComponentInteraction,
  args: string[] | null,
  context: ReadContext,
): Promise<ModalBuilder | null> {
  if (args?.[0] !== 'appeal') return null;
  const ruling = await findRuling(context.sql, Number(args[1]));
  if (!ruling) throw new UserError('choice-expired');
  if (ruling.userId !== interaction.user.id)
    throw new UserError('not-your-submission', { id: ruling.submissionId });
  if (ruling.restoredAt !== null) throw new UserError('appeal-over', { how: overTexts.over });
  if (ruling.appealedAt !== null) throw new UserError('appeal-over', { how: overTexts.twice });
  return new ModalBuilder()
    .setCustomId(`submissions:appealed:${ruling.id}`)
    .setTitle(`Appeal about #${ruling.submissionId}`)
    .addLabelComponents(
      new LabelBuilder()
        .setLabel('Why it should count')
        .setDescription('Organisers read it. You can appeal once.')
        .setTextInputComponent(
          new TextInputBuilder()
            .setCustomId('text')
            .setStyle(TextInputStyle.Paragraph)
            .setRequired(true)
            .setMaxLength(MAX_APPEAL_CHARS),
        ),
    );
}

export async function fillAppeal(
  interaction: ModalSubmitInteraction,
  [action, id = '']: string[],
  context: CommandContext,
): Promise<void> {
  if (action !== 'appealed') throw new UserError('choice-expired');
  const text = interaction.fields.getTextInputValue('text').trim();
  const state = await appealRuling(
    context.sql,
    Number(id),
    { userId: interaction.user.id, text },
    context.record,
  );
  if (state === 'unknown' || state === 'not-yours') throw new UserError('choice-expired');
  if (state !== 'done') throw new UserError('appeal-over', { how: overTexts[state] });
  await interaction.editReply({
    embeds: [noticeEmbed('Your appeal is with the organisers', 'You get a message when it is decided.')],
  });
}
