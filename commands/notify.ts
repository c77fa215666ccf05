/** `/notify`: what somebody is told by direct message, and a menu to choose it. */
import {
  ActionRowBuilder,
  ButtonBuilder,
  ButtonStyle,
  type MessageActionRowComponentBuilder,
  type MessageComponentInteraction,
  SlashCommandBuilder,
  StringSelectMenuBuilder,
} from 'discord.js';
import { findNoticeSettings, type NoticeSettings, saveNoticeSettings } from '../src/db/notices.ts';
import { saveUser } from '../src/db/users.ts';
import type { Command, CommandContext } from '../src/discord/command.ts';
import { tryNotices } from '../src/discord/notices.ts';
import { UserError } from '../src/domain/errors.ts';
import { noticeKinds, noticeWords } from '../src/domain/notice.ts';
import { notifyEmbed } from '../src/reports/personal-notice.ts';

export const notify: Command = {
  data: new SlashCommandBuilder()
    .setName('notify')
    .setDescription('What you are told by direct message: results, being overtaken, deadlines, quota')
    .toJSON(),

  ephemeral: () => true,

  async run(interaction, context) {
    await interaction.editReply(answer(await findNoticeSettings(context.sql, interaction.user.id)));
  },

  /** `notify:kinds` and `notify:again` */
  async press(interaction, [action], context) {
    const { id, displayName: name } = interaction.user;
    await saveUser(context.sql, { id, name });
    if (action === 'kinds' && interaction.isStringSelectMenu()) {
      const chosen = noticeKinds.filter((kind) => interaction.values.includes(kind));
      await saveNoticeSettings(context.sql, id, chosen, context.record);
    } else if (action === 'again') await tryAgain(interaction, context);
    else throw new UserError('choice-expired');
    await interaction.editReply(answer(await findNoticeSettings(context.sql, id)));
  },
};

async function tryAgain(interaction: MessageComponentInteraction, context: CommandContext): Promise<void> {
  const { id } = interaction.user;
  const reached = await tryNotices(interaction.client, context.sql, id, interaction.id);
  if (!reached) {
    context.record.settle();
    throw new UserError('still-unreachable');
  }
  await context.record.note(context.sql, {
    subject: `user ${id}`,
    before: { reachable: false },
    after: { reachable: true },
  });
}

function answer(settings: NoticeSettings) {
  const menu = new StringSelectMenuBuilder()
    .setCustomId('notify:kinds')
    .setPlaceholder('Nothing: choose what you want to hear of')
    .setMinValues(0)
    .setMaxValues(noticeKinds.length)
    .addOptions(
      noticeKinds.map((kind) => ({
        value: kind,
        label: noticeWords[kind].label,
        description: noticeWords[kind].about,
        default: settings.kinds.includes(kind),
      })),
    );
  const again = new ButtonBuilder()
    .setCustomId('notify:again')
    .setLabel('Try again')
    .setStyle(ButtonStyle.Primary);
  const row = (part: MessageActionRowComponentBuilder) =>
    new ActionRowBuilder<MessageActionRowComponentBuilder>().addComponents(part);
  return {
    embeds: [notifyEmbed(settings)],
    components: [row(menu), ...(settings.unreachableSince === null ? [] : [row(again)])],
  };
}
