/** `/admin contest announce`: a form, and what is written into it goes into a channel. */
import {
  type ChatInputCommandInteraction,
  DiscordAPIError,
  LabelBuilder,
  type MessageComponentInteraction,
  ModalBuilder,
  type ModalSubmitInteraction,
  TextInputBuilder,
  TextInputStyle,
} from 'discord.js';
import type { CommandContext, ReadContext } from '../../src/discord/command.ts';
import { sendToChannel } from '../../src/discord/reply.ts';
import { UserError } from '../../src/domain/errors.ts';
import { noticeEmbed } from '../../src/reports/notice-embed.ts';

/** `admin:contest:announce:<channel id>` */
export async function openAnnouncement(
  interaction: ChatInputCommandInteraction | MessageComponentInteraction,
  _args: string[] | null,
  context: ReadContext,
): Promise<ModalBuilder | null> {
  if (!interaction.isChatInputCommand() || interaction.options.getSubcommand() !== 'announce') return null;
  const channelId =
    interaction.options.getChannel('channel')?.id ?? context.announcementChannelId ?? interaction.channelId;
  const input = (id: string, style: TextInputStyle, isRequired: boolean, maxLength: number) =>
    new TextInputBuilder().setCustomId(id).setStyle(style).setRequired(isRequired).setMaxLength(maxLength);
  return new ModalBuilder()
    .setCustomId(`admin:contest:announce:${channelId}`)
    .setTitle('Announce')
    .addLabelComponents(
      new LabelBuilder()
        .setLabel('Title')
        .setTextInputComponent(input('title', TextInputStyle.Short, true, 200)),
      new LabelBuilder()
        .setLabel('Text')
        .setDescription('Markdown. Nobody is pinged by it.')
        .setTextInputComponent(input('text', TextInputStyle.Paragraph, true, 4000)),
    );
}

/** The form is the answer to the command. */
export async function runAnnouncement(): Promise<void> {
  throw new Error('an announcement opens a form');
}

export async function fillAnnouncement(
  interaction: ModalSubmitInteraction,
  [action, channelId = '']: string[],
  context: CommandContext,
): Promise<void> {
  if (action !== 'announce') throw new UserError('choice-expired');
  const title = interaction.fields.getTextInputValue('title').trim();
  const text = interaction.fields.getTextInputValue('text').trim();
  try {
    // The interaction's number keeps a second try from showing twice.
    const body = { embeds: [noticeEmbed(title, text)] };
    await sendToChannel(interaction.client, channelId, body, interaction.id);
  } catch (error) {
    if (!(error instanceof DiscordAPIError) || ![403, 404].includes(error.status)) throw error;
    throw new UserError('channel-unusable', { channel: `<#${channelId}>` });
  }
  await context.record.note(context.sql, { subject: `channel ${channelId}`, after: { title, text } });
  await interaction.editReply({
    embeds: [noticeEmbed('Announced', `It stands in <#${channelId}>.`)],
  });
}
